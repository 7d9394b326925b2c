//! What Azure reports of a scale set: instances, and how sure the listing is.

use std::fmt;
use std::net::IpAddr;

use super::ScaleSetId;

/// One virtual machine of a scale set, as one pass saw it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Instance {
    /// The name an operator knows it by, e.g. `web_3`.
    pub name: String,
    /// Where it is in its life.
    pub phase: Phase,
    /// The one address it serves on.
    pub address: Address,
    /// Whether the Application Health extension (or a load balancer's probe) reports it healthy.
    pub healthy: bool,
    /// Whether the scale set still counts it, i.e. it is not being deleted.
    pub counted: bool,
}

/// Where an instance is in its life, as far as routing is concerned. Ordered: what serves more
/// comes first.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// It may take traffic.
    Serving,
    /// It is kept where NGINX has it, and added only once it serves.
    Arriving(ArrivingWhy),
    /// It is on its way out, or switched off.
    Leaving(LeavingWhy),
}

/// Why an instance does not serve yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ArrivingWhy {
    /// The power state is `creating` or `starting`.
    Starting,
    /// Its network interface is listed, the machine itself is not (yet, or no more).
    InterfaceOnly,
    /// `require_healthy` is set and the Application Health extension does not say `healthy`.
    NotHealthy,
}

/// Why an instance must go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LeavingWhy {
    /// The instance, or its network interface, is being deleted.
    Deleting,
    /// The power state is `stopping` or `stopped`.
    Stopped,
    /// The power state is `deallocating`, `deallocated` or hibernated.
    Deallocated,
}

impl fmt::Display for ArrivingWhy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Starting => "starting",
            Self::InterfaceOnly => "known by its network interface only",
            Self::NotHealthy => "not reported healthy",
        })
    }
}

impl fmt::Display for LeavingWhy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Deleting => "being deleted",
            Self::Stopped => "stopped",
            Self::Deallocated => "deallocated",
        })
    }
}

/// The address of an instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// The primary address of the primary network interface.
    Known(IpAddr),
    /// There is none that could be chosen.
    Missing(NoAddress),
}

/// Why an instance has no address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoAddress {
    /// No network interface is attached or listed yet.
    NoInterface,
    /// Azure says that the machine runs, and did not list its network interface: a running machine
    /// always has one, so the two answers contradict each other.
    InterfaceUnlisted,
    /// There are several interfaces and none is marked primary.
    NoPrimaryInterface,
    /// The primary interface carries no private address.
    NoPrivateAddress,
}

impl fmt::Display for NoAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoInterface => "no network interface",
            Self::InterfaceUnlisted => "no listed network interface although it runs",
            Self::NoPrimaryInterface => "no primary network interface",
            Self::NoPrivateAddress => "no private address",
        })
    }
}

/// A listing that is known to be whole: every page was read and every item understood.
///
/// Only the Azure adapter makes one, and only this type can lead to a removal
/// (see [`crate::plan`]).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CompleteListing {
    /// The scale set.
    pub set: ScaleSetId,
    /// The scale set's own target count, where it tells one.
    pub capacity: Option<u64>,
    /// Every instance.
    pub instances: Vec<Instance>,
}

/// What one read of a scale set yielded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Listing {
    /// Everything was read.
    Complete(CompleteListing),
    /// Something could not be read. What was seen may be added and updated; nothing may be removed.
    Incomplete {
        /// The scale set.
        set: ScaleSetId,
        /// The instances that could be read all the same.
        seen: Vec<Instance>,
        /// What went wrong.
        failure: ReadFailure,
    },
}

impl Listing {
    /// The instances seen, however sure the listing is.
    #[must_use]
    pub fn instances(&self) -> &[Instance] {
        match self {
            Self::Complete(listing) => &listing.instances,
            Self::Incomplete { seen, .. } => seen,
        }
    }
}

/// Why a source could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ReadFailure {
    /// The kind, stable across wordings: what metrics, tests and back-off look at.
    pub kind: ReadFailureKind,
    /// What an operator reads: the cause and, where there is one, the remedy.
    pub message: String,
}

/// The kinds of [`ReadFailure`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ReadFailureKind {
    /// No token could be had, or it is not accepted (401).
    Identity,
    /// 403.
    Denied,
    /// The scale set, or its resource group, does not exist.
    NotFound,
    /// 429, or a `Retry-After` that outlives the pass.
    Throttled,
    /// No answer in time.
    Timeout,
    /// No connection, or it broke.
    Connection,
    /// 5xx.
    Server,
    /// An answer that makes no sense: bad JSON, wrong types, a foreign `nextLink`, a redirect, a
    /// body that is too large.
    Malformed,
}

impl ReadFailureKind {
    /// The kind's stable name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Identity => "identity",
            Self::Denied => "denied",
            Self::NotFound => "not_found",
            Self::Throttled => "throttled",
            Self::Timeout => "timeout",
            Self::Connection => "connection",
            Self::Server => "server",
            Self::Malformed => "malformed",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kinds_of_failures_have_names_that_queries_may_rely_on() {
        use ReadFailureKind as Kind;
        let kinds = [
            Kind::Identity,
            Kind::Denied,
            Kind::NotFound,
            Kind::Throttled,
            Kind::Timeout,
            Kind::Connection,
            Kind::Server,
            Kind::Malformed,
        ];
        assert_eq!(
            kinds.map(Kind::name),
            [
                "identity",
                "denied",
                "not_found",
                "throttled",
                "timeout",
                "connection",
                "server",
                "malformed"
            ]
        );
    }
}
