//! The nouns of the domain, as plain values.
//!
//! Nothing in here (or in [`crate::plan`]) knows a clock, a socket, an environment variable or a
//! wire format: the adapters in [`crate::azure`] and [`crate::nginx`] translate into these types
//! at the edge, and everything that decides anything works on them alone.

mod address;
mod instance;
mod nginx_time;
mod resource_id;
mod server;
mod upstream;
mod zone;

pub use address::{PRIVATE_UNICAST, ServerAddress, is_private_unicast};
pub use instance::{
    Address, ArrivingWhy, CompleteListing, Instance, LeavingWhy, Listing, NoAddress, Phase,
    ReadFailure, ReadFailureKind,
};
pub use nginx_time::{NginxTime, NginxTimeError};
pub use resource_id::{ResourceId, ScaleSetId};
pub use server::{PeerState, PeerStatus, Server};
pub use upstream::{
    Kind, OptionalParameters, Ownership, Policy, ServerParameters, Source, Upstream, UpstreamKey,
};
pub use zone::{ZoneMemory, zone_size};
