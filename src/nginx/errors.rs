//! What NGINX's refusals mean.

use reqwest::{Method, StatusCode};

use super::wire::ErrorReply;
use crate::reconcile::{BalancerError, BalancerErrorKind as Failure};
use crate::telemetry::clean;

/// What an error reply means: by its code, whatever the status; by the status where the body
/// is not NGINX's own.
pub(super) fn judge(host: &str, method: &Method, status: StatusCode, body: &[u8]) -> BalancerError {
    let (code, text) = match serde_json::from_slice::<ErrorReply>(body) {
        Ok(reply) => (clean(&reply.error.code, 60), clean(&reply.error.text, 200)),
        Err(_) => (String::new(), String::new()),
    };
    let said = clean(&format!("{} {code} {text}", status.as_u16()), 300);
    let (kind, message) = match code.as_str() {
        "EntryExists" => (
            Failure::EntryExists,
            format!("the server is already there ({said})"),
        ),
        "UpstreamServerNotFound" => (
            Failure::ServerNotFound,
            format!("there is no such server ({said})"),
        ),
        "UpstreamNotFound" => (
            Failure::UpstreamNotFound,
            format!("NGINX has no such upstream, or it has no `zone`; check its name ({said})"),
        ),
        "UpstreamStatic" => (
            Failure::UpstreamStatic,
            format!("the upstream is static: give it a `zone` and a `state` file ({said})"),
        ),
        "UpstreamServerImmutable" => (
            Failure::Immutable,
            format!("the server stands in NGINX's configuration ({said})"),
        ),
        "UpstreamOutOfMemory" => (Failure::OutOfMemory, format!("the zone is full ({said})")),
        "UpstreamConfFormatError" => (
            Failure::UnknownParameter,
            format!("NGINX does not know a parameter of this server ({said})"),
        ),
        "MethodDisabled" => (
            Failure::ReadOnly,
            format!("the API is read-only: `api write=on;` is needed ({said})"),
        ),
        _ => match status.as_u16() {
            401 | 403 => (
                Failure::Denied,
                format!(
                    "{host} does not accept the API key; is it the right one, and has it expired? ({said})"
                ),
            ),
            // The list was read a moment ago, so the path is right and the server is gone.
            404 if matches!(*method, Method::PATCH | Method::DELETE) => (
                Failure::ServerNotFound,
                format!("there is no such server ({said})"),
            ),
            409 if *method == Method::POST => (
                Failure::EntryExists,
                format!("the server is already there ({said})"),
            ),
            404 => (
                Failure::UpstreamNotFound,
                format!(
                    "{host} has no such path; does api_endpoint end in `/nplus` (NGINXaaS) or `/api`? ({said})"
                ),
            ),
            300..=399 => (
                Failure::Malformed,
                format!("{host} redirects, which is not followed ({said})"),
            ),
            408 | 429 | 500..=599 => (Failure::Server, format!("{host} failed ({said})")),
            _ => (
                Failure::Rejected,
                format!("{host} refused the call ({said})"),
            ),
        },
    };
    BalancerError::new(kind, message)
}
