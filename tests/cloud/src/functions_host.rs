//! The Azure Functions host, as far as a custom handler can see it.
//!
//! [`Handler`] starts the handler with the environment of the platform, waits for it as the host
//! does, sends invocations in the host's envelopes and judges the replies as the host does.
//! [`Process`] and [`run`] are for the binary's other commands.

mod client;
mod envelope;
mod events;
mod handler;
mod process;
mod reply;

pub use events::{cloud_event, event_grid};
pub use handler::{Handler, SpawnError};
pub use process::{Output, Process, run};
pub use reply::{Reply, Verdict};
