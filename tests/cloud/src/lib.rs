//! A simulated Azure and NGINX Plus on loopback, for the integration tests and the sandbox.
//!
//! [`Cloud::start`] opens real sockets: a managed identity endpoint (plain HTTP, as on Functions),
//! Azure Resource Manager, Key Vault and the NGINX Plus API (TLS from a throwaway authority). What
//! they know is the [`World`]: scale sets, instances, network interfaces, secrets, upstreams. A
//! test changes it while requests arrive, makes [`Fault`]s happen, holds requests at a [`Gate`],
//! and reads the record of all requests afterwards.
//!
//! [`functions_host`] plays the other side: the Azure Functions host that starts the handler and
//! sends it events, timer ticks and HTTP requests.
//!
//! The services refuse what the real ones refuse. Where the real behaviour is not documented there
//! is a switch, and its documentation says so. Nothing here depends on the product.

#![forbid(unsafe_code)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "test support: a failure is a failed test"
)]

mod answer;
mod arm;
mod cloud;
mod collector;
mod configuration;
mod faults;
pub mod functions_host;
mod gate;
mod http_date;
mod identity;
mod journal;
mod listener;
mod nginx;
mod pace;
mod pipeline;
mod random;
mod reply;
mod tls;
mod traffic;
mod vault;
mod world;

pub use cloud::Cloud;
pub use configuration::UpstreamEntry;
pub use faults::{Fault, FaultHandle, Match, ThrottleForm};
pub use gate::Gate;
pub use journal::{Recorded, Service};
pub use nginx::{Change, Flavour, NginxWrite, PeerState, Server, UpstreamKind};
pub use traffic::{TrafficCount, TrafficHandle};
pub use world::{
    EmptyNicList, Health, Instance, InstanceRef, IpConfiguration, Nic, OrchestrationMode,
    PowerState, Provisioning, SetSpec, World, WriteHook,
};
