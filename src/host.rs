//! The Azure Functions custom handler: the host's protocol around the pass.
//!
//! The host sends every invocation as `POST /<Function>` and takes any 2xx with a JSON body for a
//! success. Its traps are handled here: an empty reply hangs the invocation, so there is none; the
//! body of a failed reply is dropped, so its lines go to stdout too; a panic must become a failed
//! invocation, not a dropped connection.

mod envelope;
mod event_grid;
mod functions;
mod router;
mod status;

pub use event_grid::{EventMeaning, meaning};
pub use functions::App;
pub use router::{BODY_LIMIT_BYTES, router};
pub(crate) use status::upstream as upstream_json;
