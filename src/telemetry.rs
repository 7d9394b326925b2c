//! What this program tells of itself: its log, and, where the `OTEL_*` variables ask for it,
//! traces and metrics by OTLP. `docs/observability.md` is the user's side of it.
//!
//! Everything that happens on behalf of an invocation is told as its own: see [`Origin`].

mod collector;
mod export;
mod format;
mod instruments;
mod log;
pub mod names;
mod origin;
mod otlp;
mod request;
mod span;
mod text;

pub use log::LogTarget;
pub use names::{Service, Trigger};
pub use origin::{Askers, Invocations, Origin};
pub use request::{Outgoing, Unanswered};
pub use span::{Invocation, Pass, TraceParent, command};
pub use text::clean;
pub(crate) use text::{is_invisible, without_ephemera};

/// Starts the log, and the export of traces and metrics where it is asked for. Within a runtime:
/// exports run on it.
///
/// # Errors
///
/// The log file cannot be opened.
pub fn start(target: &LogTarget) -> std::io::Result<()> {
    log::start(target)?;
    export::start();
    Ok(())
}

/// Ends a command: exports what is left, and waits a few seconds at most for it.
pub async fn finish() {
    export::finish().await;
}
