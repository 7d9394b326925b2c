//! The NGINX Plus API's JSON. Every field of a reply but the address is optional: NGINXaaS tells six
//! of them, and may leave out an id of 0.

use std::borrow::Cow;
use std::fmt;

use serde::de::Visitor;
use serde::{Deserialize, Deserializer, Serialize};

use crate::model::{
    Kind, NginxTime, PeerState, PeerStatus, Server, ServerAddress, ServerParameters,
};
use crate::plan::Changes;

/// One server, as replied.
#[derive(Debug, Deserialize)]
pub(super) struct ServerReply<'a> {
    /// 0 where it is left out, as NGINX's own Go client prints it; NGINXaaS answers in its shape.
    #[serde(default)]
    id: u64,
    #[serde(borrow)]
    server: Cow<'a, str>,
    max_conns: Option<u64>,
    max_fails: Option<u64>,
    fail_timeout: Option<Time>,
    slow_start: Option<Time>,
    weight: Option<u64>,
    backup: Option<bool>,
    down: Option<bool>,
    drain: Option<bool>,
    parent: Option<serde::de::IgnoredAny>,
}

/// A time that is a text for HTTP and may be a bare number of seconds for stream.
#[derive(Debug, Clone, Copy)]
struct Time(NginxTime);

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TimeVisitor)
    }
}

/// Reads a list of servers. Two with the same id are no list to act on: a removal names its server by
/// the id alone.
pub(super) fn servers(body: &[u8]) -> Result<Vec<Server>, String> {
    let replies: Vec<ServerReply<'_>> =
        serde_json::from_slice(body).map_err(|error| error.to_string())?;
    let mut ids: Vec<u64> = replies.iter().map(|reply| reply.id).collect();
    ids.sort_unstable();
    if let Some(twice) = ids.windows(2).find(|pair| pair[0] == pair[1]) {
        return Err(format!("two servers have the id {}", twice[0]));
    }
    Ok(replies.into_iter().map(Server::from).collect())
}

struct TimeVisitor;

impl Visitor<'_> for TimeVisitor {
    type Value = Time;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a time as NGINX writes it, or seconds")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Time, E> {
        text.parse().map(Time).map_err(E::custom)
    }

    fn visit_u64<E: serde::de::Error>(self, seconds: u64) -> Result<Time, E> {
        let seconds = u32::try_from(seconds).map_err(E::custom)?;
        Ok(Time(NginxTime::from_seconds(seconds)))
    }
}

impl From<ServerReply<'_>> for Server {
    /// Fills in NGINX's defaults for what is not told.
    fn from(reply: ServerReply<'_>) -> Self {
        let time = |told: Option<Time>| told.map(|Time(time)| time);
        Self {
            id: reply.id,
            address: ServerAddress::parse(&reply.server),
            max_conns: reply.max_conns.unwrap_or(0),
            max_fails: reply.max_fails.unwrap_or(1),
            fail_timeout: time(reply.fail_timeout).unwrap_or(NginxTime::from_seconds(10)),
            slow_start: time(reply.slow_start).unwrap_or_default(),
            weight: reply.weight.unwrap_or(1),
            backup: reply.backup.unwrap_or(false),
            down: reply.down.unwrap_or(false),
            draining: reply.drain.unwrap_or(false),
            fixed: reply.parent.is_some(),
            // NGINX Plus itself always lists the weight, and a draining when there is one.
            tells_draining: reply.weight.is_some() || reply.drain.is_some(),
        }
    }
}

/// A server to be added. Times go out in NGINX's own canonical form.
#[derive(Debug, Serialize)]
pub(super) struct NewServer {
    server: String,
    max_conns: u64,
    max_fails: u64,
    fail_timeout: String,
    slow_start: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    weight: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    backup: Option<bool>,
}

impl NewServer {
    pub(super) fn new(address: &ServerAddress, parameters: &ServerParameters) -> Self {
        Self {
            server: address.to_string(),
            max_conns: parameters.max_conns,
            max_fails: parameters.max_fails,
            fail_timeout: parameters.fail_timeout.to_string(),
            slow_start: parameters.slow_start.to_string(),
            weight: parameters.optional.weight,
            backup: parameters.optional.backup,
        }
    }
}

/// Parameters to be changed.
#[derive(Debug, Default, Serialize)]
pub(super) struct ServerPatch {
    #[serde(skip_serializing_if = "Option::is_none")]
    max_conns: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_fails: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fail_timeout: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    slow_start: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    weight: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    drain: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    down: Option<bool>,
}

impl ServerPatch {
    pub(super) fn draining(draining: bool) -> Self {
        Self {
            drain: Some(draining),
            ..Self::default()
        }
    }

    pub(super) fn down(down: bool) -> Self {
        Self {
            down: Some(down),
            ..Self::default()
        }
    }
}

impl From<&Changes> for ServerPatch {
    fn from(changes: &Changes) -> Self {
        Self {
            max_conns: changes.max_conns,
            max_fails: changes.max_fails,
            fail_timeout: changes.fail_timeout.map(|time| time.to_string()),
            slow_start: changes.slow_start.map(|time| time.to_string()),
            weight: changes.weight,
            ..Self::default()
        }
    }
}

/// The run-time status of an upstream.
#[derive(Debug, Deserialize)]
pub(super) struct UpstreamReply {
    #[serde(default)]
    peers: Vec<PeerReply>,
}

#[derive(Debug, Deserialize)]
struct PeerReply {
    #[serde(default)]
    id: u64,
    state: Option<String>,
    active: Option<u64>,
}

impl UpstreamReply {
    /// The peers whose state and work are told.
    pub(super) fn statuses(self, kind: Kind) -> Vec<PeerStatus> {
        let known = |peer: PeerReply| {
            let state = match peer.state?.as_str() {
                "up" => PeerState::Up,
                "draining" if kind == Kind::Http => PeerState::Draining,
                "down" => PeerState::Down,
                "unavail" => PeerState::Unavailable,
                "checking" => PeerState::Checking,
                "unhealthy" => PeerState::Unhealthy,
                _ => PeerState::NotUp,
            };
            Some(PeerStatus {
                id: peer.id,
                state,
                active: peer.active?,
            })
        };
        self.peers.into_iter().filter_map(known).collect()
    }
}

/// An error body.
#[derive(Debug, Deserialize)]
pub(super) struct ErrorReply {
    pub(super) error: ErrorDetail,
}

/// What an error says.
#[derive(Debug, Deserialize)]
pub(super) struct ErrorDetail {
    #[serde(default)]
    pub(super) code: String,
    #[serde(default)]
    pub(super) text: String,
}
