//! One GET to Resource Manager: token, throttling, retries, time limits, and errors that say what
//! to do.

use std::sync::Arc;
use std::time::Duration;

use azure_core::credentials::TokenCredential;
use azure_core::error::ErrorKind;
use azure_core::http::policies::Policy;
use azure_core::http::policies::auth::BearerTokenAuthorizationPolicy;
use azure_core::http::{
    Context, Method, Pipeline, PipelineSendOptions, RawResponse, Request, RetryOptions,
};
use rand::RngExt as _;
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep_until, timeout_at};
use url::Url;

use super::gate::{Gate, Scope, Until};
use super::observe::Resent;
use super::wire::ErrorBody;
use super::{Identity, Transports, chain};
use crate::config;
use crate::model::{ReadFailure, ReadFailureKind};
use crate::telemetry::{Service, clean};

/// One call at most, token included; well inside an event's 25 s.
const CALL_TIMEOUT: Duration = Duration::from_secs(12);
/// Tries of one call, the first included.
const TRIES: u32 = 3;
/// Calls in flight at most.
const CONCURRENCY: usize = 32;

/// What a call needs, to be named when it is refused.
#[derive(Debug, Clone, Copy)]
pub(super) struct Permission {
    /// The role action.
    pub(super) action: &'static str,
    /// What is read, in words.
    pub(super) what: &'static str,
}

/// A client of Resource Manager's GETs.
#[derive(Debug)]
pub struct ResourceManager {
    pub(super) endpoint: Url,
    pipeline: Pipeline,
    identity: Arc<Identity>,
    gate: Gate,
    permits: Semaphore,
}

impl ResourceManager {
    /// Makes the client; nothing is sent yet.
    #[must_use]
    pub fn new(
        config: &config::ResourceManager,
        identity: Arc<Identity>,
        transports: &Transports,
    ) -> Self {
        let credential: Arc<dyn TokenCredential> = Arc::<Identity>::clone(&identity);
        let scope = format!("{}/.default", config.audience);
        let bearer: Arc<dyn Policy> =
            Arc::new(BearerTokenAuthorizationPolicy::new(credential, [scope]));
        // Retries are made below, where the pass's deadline is known.
        let pipeline = Pipeline::new(
            option_env!("CARGO_PKG_NAME"),
            option_env!("CARGO_PKG_VERSION"),
            transports.options(Service::ResourceManager, RetryOptions::none()),
            vec![],
            vec![bearer],
            None,
        );
        Self {
            endpoint: config.endpoint.clone(),
            pipeline,
            identity,
            gate: Gate::default(),
            permits: Semaphore::new(CONCURRENCY),
        }
    }

    /// Gets one document. The body of a success is returned undecoded.
    pub(super) async fn get(
        &self,
        url: &Url,
        permission: Permission,
        deadline: Instant,
    ) -> Result<Vec<u8>, ReadFailure> {
        let mut tried = 0;
        let mut token_renewed = false;
        loop {
            self.pass_gate(url, permission, deadline).await?;
            if Instant::now() >= deadline {
                let text = format!("{}: the pass has run out of time", permission.what);
                return Err(failure(ReadFailureKind::Timeout, text));
            }
            tried += 1;
            let until = deadline.min(Instant::now() + CALL_TIMEOUT);
            let generation = self.identity.generation();
            let answer = match timeout_at(until, self.send(url, tried - 1)).await {
                Ok(answer) => answer,
                Err(_) => Err(failure(
                    ReadFailureKind::Timeout,
                    format!(
                        "{}: no answer in time from {}",
                        permission.what,
                        self.host()
                    ),
                )),
            };
            let (failed, wait) = match answer {
                Ok(response) => match u16::from(response.status()) {
                    200..=299 => return Ok(response.into_body().to_vec()),
                    401 if !token_renewed => {
                        token_renewed = true;
                        self.identity.reset(generation);
                        continue;
                    }
                    status => self.judge(url, permission, status, &response),
                },
                Err(failed) => (failed, None),
            };
            let worth_another = match failed.kind {
                ReadFailureKind::Throttled => wait.is_some(),
                ReadFailureKind::Server
                | ReadFailureKind::Connection
                | ReadFailureKind::Timeout => tried < TRIES,
                _ => false,
            };
            if !worth_another || tried >= TRIES {
                return Err(failed);
            }
            let pause = wait.unwrap_or_else(|| backoff(tried));
            let resume = Instant::now() + pause;
            if resume >= deadline {
                return Err(failed);
            }
            tracing::debug!(
                kind = failed.kind.name(),
                ?pause,
                "Azure call is tried again: {failed}"
            );
            sleep_until(resume).await;
        }
    }

    fn host(&self) -> &str {
        self.endpoint.host_str().unwrap_or_default()
    }

    /// Waits out a `Retry-After` that an earlier call was given, or gives up if it outlives the
    /// pass.
    async fn pass_gate(
        &self,
        url: &Url,
        permission: Permission,
        deadline: Instant,
    ) -> Result<(), ReadFailure> {
        while let Some(until) = self.gate.closed_until(subscription(url), url.path()) {
            if until.at >= deadline {
                return Err(failure(
                    ReadFailureKind::Throttled,
                    format!(
                        "{}: Azure throttles this; it asked not to be called before {until}",
                        permission.what
                    ),
                ));
            }
            sleep_until(until.at).await;
        }
        Ok(())
    }

    async fn send(&self, url: &Url, resent: u32) -> Result<RawResponse, ReadFailure> {
        let _permit = self.permits.acquire().await.map_err(|_| {
            failure(
                ReadFailureKind::Connection,
                "the client is shutting down".to_owned(),
            )
        })?;
        let mut request = Request::new(url.clone(), Method::Get);
        request.insert_header("accept", "application/json");
        let options = PipelineSendOptions {
            skip_checks: true,
            ..PipelineSendOptions::default()
        };
        let context = Context::new().with_value(Resent(resent));
        self.pipeline
            .send(&context, &mut request, Some(options))
            .await
            .map_err(|error| self.transport_failure(&error))
    }

    fn transport_failure(&self, error: &azure_core::Error) -> ReadFailure {
        let text = chain(error);
        match error.kind() {
            ErrorKind::Credential => failure(
                ReadFailureKind::Identity,
                format!("no token for Azure from {}: {text}", self.identity.kind()),
            ),
            ErrorKind::Connection => failure(
                ReadFailureKind::Connection,
                format!("no connection to {}: {text}", self.host()),
            ),
            ErrorKind::DataConversion => failure(
                ReadFailureKind::Malformed,
                format!("{}: {text}", self.host()),
            ),
            ErrorKind::HttpResponse { .. } => failure(
                ReadFailureKind::Identity,
                format!("no token for Azure from {}: {text}", self.identity.kind()),
            ),
            _ => failure(
                ReadFailureKind::Connection,
                format!("the connection to {} broke: {text}", self.host()),
            ),
        }
    }

    /// What a refusal means, and how long to wait before another try.
    fn judge(
        &self,
        url: &Url,
        permission: Permission,
        status: u16,
        response: &RawResponse,
    ) -> (ReadFailure, Option<Duration>) {
        let (code, message) = serde_json::from_slice::<ErrorBody>(response.body())
            .map(ErrorBody::parts)
            .unwrap_or_default();
        let (code, message) = (clean(&code, 80), clean(&message, 300));
        let said = format!("{status} {code} {message}");
        let said = said.trim();
        let what = permission.what;
        let wait = retry_after(response);
        match status {
            401 => (
                failure(
                    ReadFailureKind::Identity,
                    format!(
                        "{what}: Azure does not accept the token of {} ({said})",
                        self.identity.kind()
                    ),
                ),
                None,
            ),
            403 => (
                failure(
                    ReadFailureKind::Denied,
                    format!(
                        "{what}: forbidden; grant the identity `{}` at {} ({said})",
                        permission.action,
                        scope_of(url)
                    ),
                ),
                None,
            ),
            404 => (
                failure(ReadFailureKind::NotFound, format!("{what}: {said}")),
                None,
            ),
            429 | 503 => {
                if let Some(wait) = wait {
                    let whole_subscription = code.starts_with("SubscriptionRequests");
                    let scope = if whole_subscription {
                        Scope::Subscription(subscription(url).to_lowercase())
                    } else {
                        Scope::Path(url.path().to_owned())
                    };
                    self.gate.close(scope, Until::after(wait));
                }
                let kind = if status == 429 {
                    ReadFailureKind::Throttled
                } else {
                    ReadFailureKind::Server
                };
                let asks = wait.map(|wait| format!("; it asks to wait {} s", wait.as_secs()));
                let text = format!(
                    "{what}: Azure refuses for now ({said}){}",
                    asks.unwrap_or_default()
                );
                (failure(kind, text), wait.or_else(|| Some(backoff(2))))
            }
            500..=599 => (
                failure(
                    ReadFailureKind::Server,
                    format!("{what}: Azure failed ({said})"),
                ),
                None,
            ),
            300..=399 => (
                failure(
                    ReadFailureKind::Malformed,
                    format!("{what}: answered with a redirect ({status}), which is not followed"),
                ),
                None,
            ),
            _ => (
                failure(
                    ReadFailureKind::Malformed,
                    format!("{what}: refused ({said})"),
                ),
                None,
            ),
        }
    }
}

pub(super) fn failure(kind: ReadFailureKind, message: String) -> ReadFailure {
    ReadFailure { kind, message }
}

/// 200 ms, 400 ms, …, each spread over its second half, so that many processes do not come back
/// together.
fn backoff(tried: u32) -> Duration {
    let full = 200_u64 << tried.saturating_sub(1).min(5);
    Duration::from_millis(rand::rng().random_range(full / 2..=full))
}

/// `Retry-After` in seconds, or Azure's own milliseconds.
fn retry_after(response: &RawResponse) -> Option<Duration> {
    let header = |name: &'static str| {
        let name = azure_core::http::headers::HeaderName::from_static(name);
        response.headers().get_optional_str(&name).map(str::trim)
    };
    for name in ["x-ms-retry-after-ms", "retry-after-ms"] {
        if let Some(milliseconds) = header(name).and_then(|text| text.parse::<u64>().ok()) {
            return Some(Duration::from_millis(milliseconds));
        }
    }
    let text = header("retry-after")?;
    if let Ok(seconds) = text.parse::<u32>() {
        return Some(Duration::from_secs(seconds.into()));
    }
    let date = azure_core::time::parse_rfc7231(text).ok()?;
    let wait = date - azure_core::time::OffsetDateTime::now_utc();
    Some(wait.try_into().unwrap_or(Duration::ZERO))
}

fn subscription(url: &Url) -> &str {
    url.path_segments()
        .and_then(|mut segments| segments.nth(1))
        .unwrap_or_default()
}

/// The narrowest scope at which a role serves this call: the scale set, or the resource group.
fn scope_of(url: &Url) -> String {
    let segments: Vec<&str> = url.path_segments().into_iter().flatten().collect();
    let in_set = segments
        .get(6)
        .is_some_and(|kind| kind.eq_ignore_ascii_case("virtualMachineScaleSets"));
    let length = if in_set { 8 } else { 4 };
    format!("/{}", segments[..segments.len().min(length)].join("/"))
}
