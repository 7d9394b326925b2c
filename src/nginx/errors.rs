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
            format!(
                "NGINX has no such upstream, or it has no `zone`; check its `name` and `kind`: `nginx-vmss-sync check` lists the nearest names ({said})"
            ),
        ),
        "UpstreamStatic" => (
            Failure::UpstreamStatic,
            format!(
                "the upstream is static; give it a `zone` and a `state` file in NGINX's configuration ({said})"
            ),
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
            format!("the API is read-only; NGINX's configuration needs `api write=on;` ({said})"),
        ),
        _ => match status.as_u16() {
            401 | 403 => (
                Failure::Denied,
                format!(
                    "`{host}` does not accept the API key; it is the wrong one, or it has expired: store a new one ({said})"
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
                Failure::PathNotFound,
                format!(
                    "`{host}` has no NGINX Plus API at this path; `api_endpoint` ends in `/nplus` (NGINXaaS) or, usually, `/api` (NGINX Plus) ({said})"
                ),
            ),
            405 => (
                Failure::ReadOnly,
                format!(
                    "the API does not take `{method}`; NGINX's configuration needs `api write=on;` ({said})"
                ),
            ),
            300..=399 => (
                Failure::Malformed,
                format!("{host} redirects, which is not followed ({said})"),
            ),
            429 => (
                Failure::Throttled,
                format!("{host} throttles its callers ({said})"),
            ),
            408 | 500..=599 => (Failure::Server, format!("{host} failed ({said})")),
            _ => (
                Failure::Rejected,
                format!("{host} refused the call ({said})"),
            ),
        },
    };
    BalancerError::new(kind, message)
}
