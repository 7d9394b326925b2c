//! What `check` asks of NGINX beyond what a pass asks.

use std::collections::BTreeMap;

use reqwest::Method;
use serde::Deserialize;
use serde::de::IgnoredAny;
use tokio::time::{Instant, timeout_at};
use url::Url;

use super::NginxPlus;
use super::client::{API_VERSION, decode};
use super::key::Reading;
use super::wire::ServerPatch;
use crate::model::{Kind, UpstreamKey, ZoneMemory};
use crate::reconcile::{BalancerError, BalancerErrorKind as Failure};
use crate::telemetry::clean;

/// The id of a server that cannot exist: NGINX counts from 0, NGINXaaS gives out 32-bit numbers, and
/// this is the largest whole number that every JSON reader keeps.
const NO_SERVER: u64 = (1 << 53) - 1;

/// The run-time state of an upstream, as far as `check` wants it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunTime {
    /// The name of its zone.
    pub zone: Option<String>,
    /// Its servers.
    pub peers: usize,
    /// Those of them that an active health check has asked at least once.
    pub health_checked: usize,
}

/// Whether the API takes changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WriteAccess {
    /// It does: it refused the change for what it said, not for being one.
    Granted,
    /// It does not.
    Refused(BalancerError),
    /// That could not be found out.
    Unknown(BalancerError),
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Names {
    List(Vec<String>),
    Map(BTreeMap<String, IgnoredAny>),
}

#[derive(Deserialize)]
struct Build {
    version: Option<String>,
    build: Option<String>,
}

#[derive(Deserialize)]
struct UpstreamStatus {
    #[serde(default)]
    peers: Vec<Peer>,
    zone: Option<String>,
}

#[derive(Deserialize)]
struct Peer {
    health_checks: Option<HealthChecks>,
}

#[derive(Deserialize)]
struct HealthChecks {
    #[serde(default)]
    checks: u64,
}

#[derive(Deserialize)]
struct Slab {
    pages: Pages,
    #[serde(default)]
    slots: BTreeMap<String, Slot>,
}

#[derive(Deserialize)]
struct Pages {
    used: u64,
    free: u64,
}

#[derive(Deserialize)]
struct Slot {
    #[serde(default)]
    fails: u64,
}

impl NginxPlus {
    async fn get(&self, segments: &[&str], deadline: Instant) -> Result<Vec<u8>, BalancerError> {
        self.call(Method::GET, self.url(segments), &None::<()>, deadline)
            .await
    }

    /// NGINX's version and build, where it tells them.
    pub async fn build(&self, deadline: Instant) -> Option<String> {
        let body = self.get(&[API_VERSION, "nginx"], deadline).await.ok()?;
        let Build { version, build } = decode(&body).ok()?;
        let version = clean(&version?, 40);
        Some(match build {
            Some(build) => format!("nginx {version}, {}", clean(&build, 40)),
            None => format!("nginx {version}"),
        })
    }

    /// The names of the upstreams of this kind that have a zone.
    ///
    /// # Errors
    ///
    /// As [`crate::reconcile::Balancer::servers`]; NGINXaaS may not offer this.
    pub async fn upstream_names(
        &self,
        kind: Kind,
        deadline: Instant,
    ) -> Result<Vec<String>, BalancerError> {
        let mut url = self.url(&[API_VERSION, kind.path(), "upstreams", ""]);
        url.set_query(Some("fields="));
        let body = self.call(Method::GET, url, &None::<()>, deadline).await?;
        let names = match decode(&body)? {
            Names::List(names) => names,
            Names::Map(map) => map.into_keys().collect(),
        };
        Ok(names.iter().map(|name| clean(name, 255)).collect())
    }

    /// The run-time state of an upstream.
    ///
    /// # Errors
    ///
    /// As [`crate::reconcile::Balancer::servers`]; NGINXaaS may not offer this.
    pub async fn run_time(
        &self,
        upstream: &UpstreamKey,
        deadline: Instant,
    ) -> Result<RunTime, BalancerError> {
        let kind = upstream.kind.path();
        let path = [API_VERSION, kind, "upstreams", &upstream.name, ""];
        let status: UpstreamStatus = decode(&self.get(&path, deadline).await?)?;
        let checked = |peer: &&Peer| {
            let checks = peer.health_checks.as_ref();
            checks.is_some_and(|health| health.checks > 0)
        };
        Ok(RunTime {
            zone: status.zone,
            peers: status.peers.len(),
            health_checked: status.peers.iter().filter(checked).count(),
        })
    }

    /// The memory of a zone.
    ///
    /// # Errors
    ///
    /// As [`crate::reconcile::Balancer::servers`]; NGINXaaS may not offer this.
    pub async fn zone_memory(
        &self,
        zone: &str,
        deadline: Instant,
    ) -> Result<ZoneMemory, BalancerError> {
        let slab: Slab = decode(&self.get(&[API_VERSION, "slabs", zone], deadline).await?)?;
        Ok(ZoneMemory {
            used_pages: slab.pages.used,
            free_pages: slab.pages.free,
            failed: slab.slots.values().map(|slot| slot.fails).sum(),
        })
    }

    /// Finds out whether the API takes changes, and changes nothing: an empty change is sent for a
    /// server that cannot exist. An API without `write=on` refuses the method, any other one the
    /// server.
    pub async fn write_access(&self, upstream: &UpstreamKey, deadline: Instant) -> WriteAccess {
        let nothing = ServerPatch::default();
        match self
            .patch_with(upstream, NO_SERVER, nothing, deadline)
            .await
        {
            Ok(_) => WriteAccess::Granted,
            Err(error) => match error.kind {
                Failure::ReadOnly | Failure::Denied => WriteAccess::Refused(error),
                Failure::ServerNotFound
                | Failure::Immutable
                | Failure::UnknownParameter
                | Failure::Rejected => WriteAccess::Granted,
                _ => WriteAccess::Unknown(error),
            },
        }
    }

    /// Where on the same host the API is, if not where the configuration says.
    pub async fn api_elsewhere(&self, deadline: Instant) -> Option<Url> {
        let mut bases = vec![self.endpoint.clone()];
        if self.endpoint.path() != "/" {
            let mut root = self.endpoint.clone();
            root.set_path("/");
            bases.push(root);
        }
        for base in bases {
            for suffix in ["nplus", "api"] {
                let mut candidate = base.clone();
                candidate
                    .path_segments_mut()
                    .ok()?
                    .pop_if_empty()
                    .push(suffix);
                let mut root = candidate.clone();
                root.path_segments_mut().ok()?.push("");
                let answer = self.call(Method::GET, root, &None::<()>, deadline).await;
                if answer.is_ok_and(|body| decode::<Vec<u64>>(&body).is_ok()) {
                    return Some(candidate);
                }
            }
        }
        None
    }

    /// Whether NGINX accepts the key in its other form: one that looks encoded sent as it is, one
    /// that looks raw sent encoded.
    pub async fn accepts_other_form(&self, deadline: Instant) -> bool {
        let Some(header) = self.key.other_form(deadline).await else {
            return false;
        };
        let key = Reading::of_header(header);
        let url = self.url(&[""]);
        let sent = self.send(&Method::GET, &url, None, &key, 0);
        matches!(timeout_at(deadline, sent).await, Ok(Ok(_)))
    }
}
