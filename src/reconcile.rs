//! One pass: read NGINX, read Azure, plan, guard, apply, report.
//!
//! Events, timer ticks, operators and the command line all run this same pass. What asked for it
//! decides which upstreams are looked at, and nothing else.

mod apply;
mod calls;
mod confirm;
mod drains;
mod finish;
mod flight;
mod pass;
mod report;
mod scope;
mod statics;
mod streaks;
mod survey;
mod write;

use std::collections::BTreeSet;

use async_trait::async_trait;
use futures::future::BoxFuture;
use futures::stream::BoxStream;
use tokio::time::Instant;

pub use calls::Calls;
pub(crate) use calls::{count_azure, count_nginx};
pub use flight::{Flight, NoReport, Request};
pub use pass::Reconciler;
pub use report::{Failure, Outcome, PassReport, UpstreamReport};
pub use scope::{Intent, Scope};
pub use survey::{Absent, AbsentWhy, Member, Next, Origin, SourceView, Survey};

use crate::model::{
    Listing, PeerStatus, ScaleSetId, Server, ServerAddress, ServerParameters, UpstreamKey,
};
use crate::plan::Changes;

/// How a scale set manages its instances. It never changes in a set's life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Instances are children of the set.
    Uniform,
    /// Instances are virtual machines of the set's resource group.
    Flexible,
}

/// What a pass asks of Azure: the seam behind which a management library could take over.
pub trait Inventory: Send + Sync {
    /// Gets ready to list while NGINX is read: asks for the token, and for nothing that a listing
    /// tells. What fails here is told by [`Self::list`].
    fn prepare(&self, _deadline: Instant) -> BoxFuture<'_, ()> {
        Box::pin(std::future::ready(()))
    }

    /// Lists every set, each once, side by side, and tells each as soon as it is done. Always
    /// answers for every set.
    fn list(
        &self,
        sets: BTreeSet<ScaleSetId>,
        deadline: Instant,
    ) -> BoxStream<'_, (ScaleSetId, Listing)>;

    /// The set's mode, once a pass has learned it.
    fn mode(&self, set: &ScaleSetId) -> Option<Mode>;
}

/// What a pass asks of NGINX.
#[async_trait]
pub trait Balancer: Send + Sync {
    /// The servers of an upstream.
    async fn servers(
        &self,
        upstream: &UpstreamKey,
        deadline: Instant,
    ) -> Result<Vec<Server>, BalancerError>;

    /// The run-time status of an upstream's servers.
    async fn peers(
        &self,
        upstream: &UpstreamKey,
        deadline: Instant,
    ) -> Result<Vec<PeerStatus>, BalancerError>;

    /// Adds a server.
    async fn add(
        &self,
        upstream: &UpstreamKey,
        address: &ServerAddress,
        parameters: &ServerParameters,
        deadline: Instant,
    ) -> Result<(), BalancerError>;

    /// Changes parameters of a server.
    async fn patch(
        &self,
        upstream: &UpstreamKey,
        id: u64,
        changes: &Changes,
        deadline: Instant,
    ) -> Result<(), BalancerError>;

    /// Starts or ends the draining of an HTTP server.
    async fn set_draining(
        &self,
        upstream: &UpstreamKey,
        id: u64,
        draining: bool,
        deadline: Instant,
    ) -> Result<(), BalancerError>;

    /// Takes a server out of service, or puts it back.
    async fn set_down(
        &self,
        upstream: &UpstreamKey,
        id: u64,
        down: bool,
        deadline: Instant,
    ) -> Result<(), BalancerError>;

    /// Deletes a server.
    async fn remove(
        &self,
        upstream: &UpstreamKey,
        id: u64,
        deadline: Instant,
    ) -> Result<(), BalancerError>;
}

/// Why a call to NGINX failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct BalancerError {
    /// The kind, stable across wordings.
    pub kind: BalancerErrorKind,
    /// What an operator reads.
    pub message: String,
}

impl BalancerError {
    /// Makes one.
    #[must_use]
    pub fn new(kind: BalancerErrorKind, message: String) -> Self {
        Self { kind, message }
    }
}

/// The kinds of [`BalancerError`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BalancerErrorKind {
    /// There is no API key to send.
    Key,
    /// The API key is not accepted.
    Denied,
    /// The server is already there.
    EntryExists,
    /// The server is not there.
    ServerNotFound,
    /// The upstream is not there.
    UpstreamNotFound,
    /// There is no such path: `api_endpoint` is not that of the API.
    PathNotFound,
    /// The upstream has no shared memory zone.
    UpstreamStatic,
    /// The server is part of NGINX's configuration.
    Immutable,
    /// The upstream's zone is full.
    OutOfMemory,
    /// A parameter is not known.
    UnknownParameter,
    /// The API does not allow writing.
    ReadOnly,
    /// Refused for another reason.
    Rejected,
    /// No answer in time.
    Timeout,
    /// No connection, or it broke.
    Connection,
    /// 429, or a `Retry-After` that outlives the pass.
    Throttled,
    /// 5xx.
    Server,
    /// A reply that makes no sense.
    Malformed,
}

impl BalancerErrorKind {
    /// The kind's stable name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Key => "key",
            Self::Denied => "denied",
            Self::EntryExists => "entry_exists",
            Self::ServerNotFound => "server_not_found",
            Self::UpstreamNotFound => "upstream_not_found",
            Self::PathNotFound => "path_not_found",
            Self::UpstreamStatic => "upstream_static",
            Self::Immutable => "immutable",
            Self::OutOfMemory => "out_of_memory",
            Self::UnknownParameter => "unknown_parameter",
            Self::ReadOnly => "read_only",
            Self::Rejected => "rejected",
            Self::Timeout => "timeout",
            Self::Connection => "connection",
            Self::Throttled => "throttled",
            Self::Server => "server",
            Self::Malformed => "malformed",
        }
    }
}
