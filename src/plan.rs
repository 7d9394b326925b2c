//! What must change in an upstream, and what may.
//!
//! [`plan`] is a pure, deterministic function of what NGINX reports now and what Azure reports
//! now. It has two halves: [`diff`](self) finds the changes, the guard decides which of them are
//! allowed. A change that is not allowed is [`Held`] with its reason and what would release it, and
//! is judged anew by the next pass.
//!
//! The rule that everything else rests on: a server can only be taken out through a
//! [`WholePicture`], and that type cannot be made from an incomplete listing.

mod desired;
mod diff;
mod digest;
mod guard;
#[cfg(test)]
mod laws;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

pub use desired::{Candidate, Picture, WholePicture, candidates};
pub use digest::digest;

use crate::model::{
    LeavingWhy, OptionalParameters, PeerStatus, Server, ServerAddress, ServerParameters, Upstream,
};

/// Everything one plan is made from.
#[derive(Debug, Clone, Copy)]
pub struct Observation<'a> {
    /// The configuration of the upstream.
    pub upstream: &'a Upstream,
    /// NGINX's servers, read *before* the scale sets.
    pub servers: &'a [Server],
    /// The scale sets.
    pub picture: &'a Picture,
    /// NGINX's run-time status, where it was read.
    pub peers: Option<&'a [PeerStatus]>,
    /// How far each draining server is, by address.
    pub drains: &'a BTreeMap<ServerAddress, DrainProgress>,
}

/// How far a draining server is, as this process has seen it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct DrainProgress {
    /// The time since this process first saw it draining.
    pub draining_for: Duration,
    /// Readings in a row without an active connection.
    pub idle_readings: u32,
}

/// The parameters of one server that are to be changed. `None` = leave as it is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Changes {
    /// `max_conns`
    pub max_conns: Option<u64>,
    /// `max_fails`
    pub max_fails: Option<u64>,
    /// `fail_timeout`
    pub fail_timeout: Option<crate::model::NginxTime>,
    /// `slow_start`
    pub slow_start: Option<crate::model::NginxTime>,
    /// `weight`
    pub weight: Option<u64>,
}

impl Changes {
    /// Whether nothing differs.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The changes in words, e.g. `max_conns 0, weight 5`.
    #[must_use]
    pub fn describe(&self) -> String {
        let mut parts = Vec::new();
        let mut say = |name: &str, value: Option<String>| {
            parts.extend(value.map(|value| format!("{name} {value}")));
        };
        say("max_conns", self.max_conns.map(|n| n.to_string()));
        say("max_fails", self.max_fails.map(|n| n.to_string()));
        say(
            "fail_timeout",
            self.fail_timeout.map(|time| time.to_string()),
        );
        say("slow_start", self.slow_start.map(|time| time.to_string()));
        say("weight", self.weight.map(|n| n.to_string()));
        parts.join(", ")
    }
}

/// One change to an upstream. An executor has no choices left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Add a server.
    Add {
        /// Its address.
        address: ServerAddress,
        /// Its parameters.
        parameters: ServerParameters,
    },
    /// Change parameters of a server.
    Patch {
        /// NGINX's id.
        id: u64,
        /// The server.
        address: ServerAddress,
        /// What differs.
        changes: Changes,
    },
    /// Put a draining server back into service, or a stream server that was set down on its way out.
    Undrain {
        /// NGINX's id.
        id: u64,
        /// The server.
        address: ServerAddress,
        /// What it is added with, should NGINX not take the draining back.
        parameters: ServerParameters,
    },
    /// Delete and add a server whose `backup` differs, which NGINX cannot change in place.
    Replace {
        /// NGINX's id.
        id: u64,
        /// The server.
        address: ServerAddress,
        /// What it is added with.
        parameters: ServerParameters,
    },
    /// Let an HTTP server finish what is bound to it, and give it nothing new.
    Drain {
        /// NGINX's id.
        id: u64,
        /// The server.
        address: ServerAddress,
        /// Why its instance leaves.
        why: LeavingWhy,
    },
    /// Delete a server.
    Remove {
        /// NGINX's id.
        id: u64,
        /// The server.
        address: ServerAddress,
        /// Why.
        why: RemoveWhy,
        /// Set `down` first: a stream server has no draining.
        down_first: bool,
    },
}

/// Why a server is deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RemoveWhy {
    /// No instance explains it.
    Gone,
    /// Its instance was seen leaving.
    Leaving(LeavingWhy),
    /// Its instance leaves and it has finished draining.
    Drained,
    /// The same address stands in the upstream twice.
    Duplicate,
}

impl fmt::Display for RemoveWhy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Gone => f.write_str("no instance has this address"),
            Self::Leaving(why) => write!(f, "its instance is {why}"),
            Self::Drained => f.write_str("it has finished draining"),
            Self::Duplicate => f.write_str("the address is listed twice"),
        }
    }
}

impl Step {
    /// The server the step is about.
    #[must_use]
    pub fn address(&self) -> &ServerAddress {
        match self {
            Self::Add { address, .. }
            | Self::Patch { address, .. }
            | Self::Undrain { address, .. }
            | Self::Replace { address, .. }
            | Self::Drain { address, .. }
            | Self::Remove { address, .. } => address,
        }
    }

    /// NGINX's id of the server, where it has one already. Only good for the pass that read it.
    #[must_use]
    pub const fn id(&self) -> Option<u64> {
        match self {
            Self::Add { .. } => None,
            Self::Patch { id, .. }
            | Self::Undrain { id, .. }
            | Self::Replace { id, .. }
            | Self::Drain { id, .. }
            | Self::Remove { id, .. } => Some(*id),
        }
    }

    /// The step's verb, stable: it is part of the digest and of `plan --format json`.
    #[must_use]
    pub const fn verb(&self) -> &'static str {
        match self {
            Self::Add { .. } => "add",
            Self::Patch { .. } => "update",
            Self::Undrain { .. } => "undrain",
            Self::Replace { .. } => "replace",
            Self::Drain { .. } => "drain",
            Self::Remove { .. } => "remove",
        }
    }

    /// Whether the step takes a server out.
    #[must_use]
    pub const fn takes_out(&self) -> bool {
        matches!(self, Self::Drain { .. } | Self::Remove { .. })
    }
}

/// Why a step is not taken, although the world asks for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HoldReason {
    /// Nothing would be left in service, and the scale sets do not ask for that.
    WouldEmpty,
    /// Too large a share of the upstream at once, without an explanation.
    MassRemoval {
        /// Servers that would go.
        going: usize,
        /// Servers there are.
        of: usize,
        /// The configured limit.
        max_percent: u8,
    },
    /// Azure says that instances run and does not tell their addresses: what no instance explains
    /// may be theirs.
    AddressUntold {
        /// Instances without an address.
        instances: usize,
    },
    /// `policy: upsert_only`
    UpsertOnly,
    /// `policy: paused`
    Paused,
    /// Nothing else would be in service while it is replaced.
    LastInService,
}

impl HoldReason {
    /// Whether the operator asked for it, so that nobody needs to be warned.
    #[must_use]
    pub const fn is_policy(self) -> bool {
        matches!(self, Self::UpsertOnly | Self::Paused)
    }

    /// Whether an operator may release it by its digest. Nobody may release what would leave an
    /// upstream with nothing in service: that takes a capacity of 0.
    #[must_use]
    pub const fn is_releasable(self) -> bool {
        matches!(self, Self::MassRemoval { .. } | Self::AddressUntold { .. })
    }

    /// What releases the step.
    #[must_use]
    pub const fn release(self) -> &'static str {
        match self {
            Self::WouldEmpty => {
                "released when another server is in service, or when every scale set's capacity is 0"
            }
            Self::MassRemoval { .. } => {
                "released when the scale set's capacity agrees, when the instances are seen leaving, \
                 when NGINX no longer reports the servers up, or by Reconcile {\"force\":\"<digest>\"}"
            }
            Self::AddressUntold { .. } => {
                "released when Azure lists the network interfaces, when NGINX no longer reports the \
                 servers up, or by Reconcile {\"force\":\"<digest>\"}"
            }
            Self::UpsertOnly => "released by `policy: sync`",
            Self::Paused => "released by another `policy`",
            Self::LastInService => "released when another server is in service",
        }
    }
}

impl fmt::Display for HoldReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::WouldEmpty => f.write_str(
                "it would leave nothing in service while the scale set's capacity is not 0",
            ),
            Self::MassRemoval {
                going,
                of,
                max_percent,
            } => write!(
                f,
                "{going} of {of} servers would go, more than max_removal_percent {max_percent} allows unexplained"
            ),
            Self::AddressUntold { instances: 1 } => f.write_str(
                "a running instance has no listed network interface, so one of them may be its server",
            ),
            Self::AddressUntold { instances } => write!(
                f,
                "{instances} running instances have no listed network interface, so they may be their servers"
            ),
            Self::UpsertOnly => f.write_str("policy is upsert_only"),
            Self::Paused => f.write_str("policy is paused"),
            Self::LastInService => f.write_str("nothing else would be in service meanwhile"),
        }
    }
}

/// A step that is not taken now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// The step.
    pub step: Step,
    /// Why not.
    pub reason: HoldReason,
}

/// An instance that is not in the upstream although it exists, or a server that only waits.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Note {
    /// The instance's name or the server's address.
    pub subject: String,
    /// What about it.
    pub text: String,
}

/// What one pass does to one upstream.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Plan {
    /// What is done, in this order.
    pub steps: Vec<Step>,
    /// What is not done, and why.
    pub held: Vec<Held>,
    /// What else an operator would ask about.
    pub notes: Vec<Note>,
    /// Whether NGINX's run-time status would let the plan decide better.
    pub wants_peers: bool,
}

impl Plan {
    /// Whether there is nothing to do and nothing held back by a guard.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.steps.is_empty() && self.held.is_empty()
    }
}

/// Plans one upstream: the changes, guarded.
#[must_use]
pub fn plan(observation: &Observation<'_>) -> Plan {
    // Each server's status is looked up several times over, by its id.
    let by_id = observation.peers.map(|peers| {
        let mut peers = peers.to_vec();
        peers.sort_by_key(|peer| peer.id);
        peers
    });
    let observation = &Observation {
        peers: by_id.as_deref(),
        ..*observation
    };
    let changes = diff::diff(observation);
    guard::guard(observation, changes)
}

/// The optional parameters that the configuration sets and that differ on `server`, as far as
/// NGINX can change them in place.
fn weight_change(optional: OptionalParameters, server: &Server) -> Option<u64> {
    optional.weight.filter(|weight| *weight != server.weight)
}
