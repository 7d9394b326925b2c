//! The Azure Functions custom handler: the host's protocol around the pass.
//!
//! The host sends every invocation as `POST /<Function>` and takes any 2xx with a JSON body for a
//! success. Its traps are handled here: an empty reply hangs the invocation, so there is none; the
//! body of a failed reply is dropped, so its lines go to stdout too; a panic must become a failed
//! invocation, not a dropped connection.

mod asked;
mod envelope;
mod event_grid;
mod functions;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;
mod moment;
mod report_json;
mod router;
mod server;
mod status;

use serde_json::Value;

pub use event_grid::{EventMeaning, meaning};
pub use functions::App;
pub(crate) use report_json::upstream as upstream_json;
pub use router::BODY_LIMIT_BYTES;
pub use server::{Limits, serve};

/// The values of a header among those of the HTTP trigger's data: the host gives each name, whatever
/// its case, a list of texts.
fn header<'a>(headers: &'a Value, name: &str) -> Vec<&'a str> {
    let named = headers.as_object().into_iter().flatten();
    named
        .filter(|(key, _)| key.eq_ignore_ascii_case(name))
        .flat_map(|(_, value)| match value {
            Value::Array(values) => values.iter().filter_map(Value::as_str).collect(),
            value => value.as_str().into_iter().collect::<Vec<_>>(),
        })
        .collect()
}
