//! What Resource Manager's refusals mean, and what to do about each.

use std::time::Duration;

use azure_core::http::headers::Headers;
use url::Url;

use super::IdentityKind;
use super::resource_manager::{Permission, failure};
use super::wire::ErrorBody;
use crate::model::{ReadFailure, ReadFailureKind};
use crate::retry_after::{self, LONGEST_WAIT};
use crate::telemetry::clean;

/// A read that did not succeed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// What a pass reports.
    pub failure: ReadFailure,
    /// Why, as far as Azure told.
    pub reason: Reason,
    /// Azure's status and code, e.g. `403 AuthorizationFailed`; empty where it did not answer.
    pub code: String,
}

/// Why Resource Manager refused, as far as its answer tells more than the failure's kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// The identity has no role with the action here. Azure says the same of what does not exist,
    /// where the identity has no role.
    Denied,
    /// There is no such subscription, or the identity may not know of it.
    NoSubscription,
    /// The subscription belongs to another tenant than the identity.
    OtherTenant,
    /// There is no such resource group.
    NoResourceGroup,
    /// There is no such resource in the group.
    NoResource,
    /// Anything else: the failure's kind says it.
    Other,
}

impl From<ReadFailure> for Refusal {
    fn from(failure: ReadFailure) -> Self {
        Self {
            failure,
            reason: Reason::Other,
            code: String::new(),
        }
    }
}

impl Refusal {
    /// The same with more to say.
    pub(super) fn saying(mut self, more: &str) -> Self {
        self.failure.message.push_str(more);
        self
    }
}

/// What an answer without success means, and the code that it carries.
pub(super) fn judge(
    url: &Url,
    permission: Permission,
    status: u16,
    body: &[u8],
    identity: IdentityKind,
) -> (Refusal, String) {
    let (code, message) = serde_json::from_slice::<ErrorBody>(body)
        .map(ErrorBody::parts)
        .unwrap_or_default();
    let (code, message) = (clean(&code, 80), clean(&message, 300));
    let said = format!("{status} {code} {message}");
    let said = said.trim();
    let what = permission.what;
    let (kind, reason, text) = match (status, code.as_str()) {
        (401, "InvalidAuthenticationTokenTenant") => (
            ReadFailureKind::Identity,
            Reason::OtherTenant,
            format!(
                "subscription `{}` belongs to another tenant than {identity}; correct `subscription_id`, or use an identity of that tenant ({said})",
                subscription(url)
            ),
        ),
        (401, _) => (
            ReadFailureKind::Identity,
            Reason::Other,
            format!("Azure does not accept the token of {identity} ({said})"),
        ),
        (403, _) => (
            ReadFailureKind::Denied,
            Reason::Denied,
            format!(
                "forbidden; grant the identity `{}` at `{}`, or correct that place: `nginx-vmss-sync check` prints the commands ({said})",
                permission.action,
                scope_of(url)
            ),
        ),
        (404, "SubscriptionNotFound") => (
            ReadFailureKind::NotFound,
            Reason::NoSubscription,
            format!(
                "subscription `{}` was not found; correct `subscription_id` (`az account list --output table` lists yours) ({said})",
                subscription(url)
            ),
        ),
        (404, "ResourceGroupNotFound") => (
            ReadFailureKind::NotFound,
            Reason::NoResourceGroup,
            said.to_owned(),
        ),
        (404, _) => (
            ReadFailureKind::NotFound,
            Reason::NoResource,
            said.to_owned(),
        ),
        (429, _) => (
            ReadFailureKind::Throttled,
            Reason::Other,
            format!("Azure refuses for now ({said})"),
        ),
        (503, _) => (
            ReadFailureKind::Server,
            Reason::Other,
            format!("Azure refuses for now ({said})"),
        ),
        (500..=599, _) => (
            ReadFailureKind::Server,
            Reason::Other,
            format!("Azure failed ({said})"),
        ),
        (300..=399, _) => (
            ReadFailureKind::Malformed,
            Reason::Other,
            format!("answered with a redirect ({status}), which is not followed"),
        ),
        _ => (
            ReadFailureKind::Malformed,
            Reason::Other,
            format!("refused ({said})"),
        ),
    };
    let refusal = Refusal {
        failure: failure(kind, format!("{what}: {text}")),
        reason,
        code: format!("{status} {code}").trim_end().to_owned(),
    };
    (refusal, code)
}

/// `Retry-After`, or Azure's own milliseconds; at most [`LONGEST_WAIT`].
pub(super) fn retry_after(headers: &Headers) -> Option<Duration> {
    let header = |name: &'static str| {
        let name = azure_core::http::headers::HeaderName::from_static(name);
        headers.get_optional_str(&name).map(str::trim)
    };
    for name in ["x-ms-retry-after-ms", "retry-after-ms"] {
        if let Some(milliseconds) = header(name).and_then(|text| text.parse::<u64>().ok()) {
            return Some(Duration::from_millis(milliseconds).min(LONGEST_WAIT));
        }
    }
    retry_after::read(header("retry-after")?)
}

/// The subscription that a call is about.
pub(super) fn subscription(url: &Url) -> &str {
    url.path_segments()
        .and_then(|mut segments| segments.nth(1))
        .unwrap_or_default()
}

/// The narrowest scope at which a role serves this call: the scale set, or the resource group.
pub(super) fn scope_of(url: &Url) -> String {
    let segments: Vec<&str> = url.path_segments().into_iter().flatten().collect();
    let in_set = segments
        .get(6)
        .is_some_and(|kind| kind.eq_ignore_ascii_case("virtualMachineScaleSets"));
    let length = if in_set { 8 } else { 4 };
    format!("/{}", segments[..segments.len().min(length)].join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_retry_after_shuts_azure_out_for_longer_than_an_hour() {
        let wait = |name: &'static str, value: &str| {
            let mut headers = Headers::new();
            headers.insert(name, value.to_owned());
            retry_after(&headers)
        };
        let seconds = |count| Some(Duration::from_secs(count));
        assert_eq!(wait("retry-after", "17"), seconds(17));
        assert_eq!(
            wait("x-ms-retry-after-ms", "1500"),
            Some(Duration::from_millis(1_500))
        );
        for (name, value) in [
            ("retry-after", "4294967295"),
            ("retry-after", "Fri, 31 Dec 9999 23:59:59 GMT"),
            ("x-ms-retry-after-ms", "18446744073709551615"),
            ("retry-after-ms", "18446744073709551615"),
        ] {
            assert_eq!(wait(name, value), seconds(3_600), "{name}: {value}");
        }
        for nonsense in ["", "-1", "soon", "99999999999999999999", "\u{7f}"] {
            assert_eq!(wait("retry-after", nonsense), None, "{nonsense:?}");
        }
    }
}
