//! What NGINX reports of an upstream.

use super::{NginxTime, ServerAddress};

/// One server of an upstream, with NGINX's defaults where the reply tells nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    /// NGINX's id. Only good for the pass that read it.
    pub id: u64,
    /// The `server` field.
    pub address: ServerAddress,
    /// Connections at most; 0 = no limit.
    pub max_conns: u64,
    /// Failures before the server counts as unavailable; 0 = never.
    pub max_fails: u64,
    /// The time for `max_fails`, and of unavailability.
    pub fail_timeout: NginxTime,
    /// The time to recover the weight.
    pub slow_start: NginxTime,
    /// The weight.
    pub weight: u64,
    /// Whether it is a backup server.
    pub backup: bool,
    /// Whether an operator took it out.
    pub down: bool,
    /// Whether it is draining.
    pub draining: bool,
    /// Whether NGINX does not let it be changed: resolved from another server's host name, or part of
    /// the configuration.
    pub fixed: bool,
    /// Whether the reply would have told of a draining: NGINXaaS lists six fields, and that is not
    /// one of them.
    pub tells_draining: bool,
}

impl Server {
    /// Whether it takes new requests as far as its own flags tell.
    #[must_use]
    pub fn in_service(&self) -> bool {
        !self.down && !self.draining
    }
}

/// NGINX's own judgement of a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PeerState {
    /// It takes requests.
    Up,
    /// It takes only requests bound to it.
    Draining,
    /// An operator switched it off.
    Down,
    /// Too many requests to it failed.
    Unavailable,
    /// Its first health check is not done.
    Checking,
    /// Its health checks fail.
    Unhealthy,
    /// Anything else that is not up.
    NotUp,
}

impl PeerState {
    /// NGINX's word for it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Draining => "draining",
            Self::Down => "down",
            Self::Unavailable => "unavail",
            Self::Checking => "checking",
            Self::Unhealthy => "unhealthy",
            Self::NotUp => "not up",
        }
    }
}

/// The run-time status of one server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PeerStatus {
    /// The server's id.
    pub id: u64,
    /// NGINX's judgement.
    pub state: PeerState,
    /// Connections it is working on. On NGINXaaS one instance's view, so never proof alone.
    pub active: u64,
}
