//! One GET to Resource Manager: token, throttling, retries, time limits, and errors that say what
//! to do.

use std::sync::Arc;
use std::time::Duration;

use azure_core::credentials::TokenCredential;
use azure_core::error::ErrorKind;
use azure_core::http::policies::Policy;
use azure_core::http::policies::auth::BearerTokenAuthorizationPolicy;
use azure_core::http::{
    Context, Method, Pipeline, PipelineStreamOptions, RawResponse, Request, RetryOptions,
};
use futures::StreamExt as _;
use rand::RngExt as _;
use serde::de::DeserializeOwned;
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep_until, timeout_at};
use url::Url;

use super::gate::{Gate, Scope, Until};
use super::observe::Resent;
use super::page::PageReader;
use super::refusal::{self, Refusal, subscription};
use super::{Identity, Transports, chain};
use crate::config;
use crate::model::{ReadFailure, ReadFailureKind};
use crate::telemetry::Service;

/// One call at most, token included; well inside an event's 25 s.
const CALL_TIMEOUT: Duration = Duration::from_secs(12);
/// Tries of one call, the first included.
const TRIES: u32 = 3;
/// Calls in flight at most: a quarter of the reads that Resource Manager lets one identity make at
/// once.
const CONCURRENCY: usize = 64;

/// What a call needs, to be named when it is refused.
#[derive(Debug, Clone, Copy)]
pub(super) struct Permission {
    /// The role action.
    pub(super) action: &'static str,
    /// What is read, in words.
    pub(super) what: &'static str,
}

/// What the body of a success goes into, piece by piece.
pub(super) trait Body: Default + Send {
    /// Takes the next piece.
    fn take(&mut self, piece: &[u8]);
}

impl Body for Vec<u8> {
    fn take(&mut self, piece: &[u8]) {
        self.extend_from_slice(piece);
    }
}

impl<W: DeserializeOwned, T: From<W> + Send> Body for PageReader<W, T> {
    fn take(&mut self, piece: &[u8]) {
        self.feed(piece);
    }
}

enum Answer<B> {
    Success(B),
    Refusal(RawResponse),
}

/// A client of Resource Manager's GETs.
#[derive(Debug)]
pub struct ResourceManager {
    pub(super) endpoint: Url,
    pipeline: Pipeline,
    /// What its token is for.
    scope: String,
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
        let bearer: Arc<dyn Policy> = Arc::new(BearerTokenAuthorizationPolicy::new(
            credential,
            [scope.clone()],
        ));
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
            scope,
            identity,
            gate: Gate::default(),
            permits: Semaphore::new(CONCURRENCY),
        }
    }

    /// Gets the token that the calls need, so that they find it there.
    pub(super) async fn prepare(&self, deadline: Instant) {
        let until = deadline.min(Instant::now() + CALL_TIMEOUT);
        // A call tells what is wrong, and tries again.
        let _ = timeout_at(until, self.identity.get_token(&[&self.scope], None)).await;
    }

    /// Gets one document: a success's body goes into a `B` of its own for each try.
    pub(super) async fn get<B: Body>(
        &self,
        url: &Url,
        permission: Permission,
        deadline: Instant,
    ) -> Result<B, ReadFailure> {
        let read = self.try_get(url, permission, deadline).await;
        read.map_err(|refusal| refusal.failure)
    }

    /// The same, with Azure's reason where it refuses.
    pub(super) async fn try_get<B: Body>(
        &self,
        url: &Url,
        permission: Permission,
        deadline: Instant,
    ) -> Result<B, Refusal> {
        let mut tried = 0;
        let mut token_renewed = false;
        loop {
            self.pass_gate(url, permission, deadline).await?;
            if Instant::now() >= deadline {
                let text = format!("{}: the pass has run out of time", permission.what);
                return Err(failure(ReadFailureKind::Timeout, text).into());
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
            let (refusal, wait) = match answer {
                Ok(Answer::Success(body)) => return Ok(body),
                Ok(Answer::Refusal(response)) => match u16::from(response.status()) {
                    401 if !token_renewed => {
                        token_renewed = true;
                        self.identity.reset(generation);
                        continue;
                    }
                    _ => self.judge(url, permission, &response),
                },
                Err(failed) => (failed.into(), None),
            };
            let failed = &refusal.failure;
            let worth_another = match failed.kind {
                ReadFailureKind::Throttled => wait.is_some(),
                ReadFailureKind::Server
                | ReadFailureKind::Connection
                | ReadFailureKind::Timeout => tried < TRIES,
                _ => false,
            };
            if !worth_another || tried >= TRIES {
                return Err(refusal);
            }
            let pause = wait.unwrap_or_else(|| backoff(tried));
            let resume = Instant::now() + pause;
            if resume >= deadline {
                let mut refusal = refusal;
                if wait.is_some() {
                    refusal.failure.kind = ReadFailureKind::Throttled;
                }
                return Err(refusal);
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

    /// What a refusal means, and how long to wait before another try. A `Retry-After` is kept for
    /// the calls that follow.
    fn judge(
        &self,
        url: &Url,
        permission: Permission,
        response: &RawResponse,
    ) -> (Refusal, Option<Duration>) {
        let status = u16::from(response.status());
        let identity = self.identity.kind();
        let (refusal, code) = refusal::judge(url, permission, status, response.body(), identity);
        let wait = refusal::retry_after(response.headers());
        if !matches!(status, 429 | 503) {
            return (refusal, None);
        }
        if let Some(wait) = wait {
            let scope = if code.starts_with("SubscriptionRequests") {
                Scope::Subscription(subscription(url).to_lowercase())
            } else {
                Scope::Path(url.path().to_owned())
            };
            self.gate.close(scope, Until::after(wait));
        }
        let refusal = match wait {
            None => refusal,
            Some(wait) => refusal.saying(&format!("; it asks to wait {} s", wait.as_secs())),
        };
        (refusal, wait.or_else(|| Some(backoff(2))))
    }

    async fn send<B: Body>(&self, url: &Url, resent: u32) -> Result<Answer<B>, ReadFailure> {
        let _permit = self.permits.acquire().await.map_err(|_| {
            failure(
                ReadFailureKind::Connection,
                "the client is shutting down".to_owned(),
            )
        })?;
        let mut request = Request::new(url.clone(), Method::Get);
        request.insert_header("accept", "application/json");
        let options = PipelineStreamOptions {
            skip_checks: true,
            ..PipelineStreamOptions::default()
        };
        let context = Context::new().with_value(Resent(resent));
        let broken = |error: azure_core::Error| self.transport_failure(&error);
        let sent = self.pipeline.stream(&context, &mut request, Some(options));
        let response = sent.await.map_err(broken)?;
        if !response.status().is_success() {
            let whole = response.try_into_raw_response().await;
            return whole.map(Answer::Refusal).map_err(broken);
        }
        let mut body = B::default();
        let mut pieces = response.into_body();
        while let Some(piece) = pieces.next().await {
            body.take(&piece.map_err(broken)?);
        }
        Ok(Answer::Success(body))
    }

    fn transport_failure(&self, error: &azure_core::Error) -> ReadFailure {
        let text = chain(error);
        match error.kind() {
            ErrorKind::Credential => failure(
                ReadFailureKind::Identity,
                format!(
                    "no token for Azure from {}; `nginx-vmss-sync check` says what to do ({text})",
                    self.identity.kind()
                ),
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
                format!(
                    "no token for Azure from {}; `nginx-vmss-sync check` says what to do ({text})",
                    self.identity.kind()
                ),
            ),
            _ => failure(
                ReadFailureKind::Connection,
                format!("the connection to {} broke: {text}", self.host()),
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
