//! The client of one NGINX Plus API.

use std::sync::Arc;
use std::time::Duration;

use reqwest::Method;
use reqwest::header::{
    AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER,
};
use serde::{Deserialize, Serialize};
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep, sleep_until, timeout_at};
use url::Url;

use super::errors::judge;
use super::key::{ApiKey, Reading};
use super::throttle::Throttle;
use crate::config::Config;
use crate::model::UpstreamKey;
use crate::reconcile::{BalancerError, BalancerErrorKind as Failure, count_nginx};
use crate::telemetry::{Outgoing, Service, Unanswered, clean};

pub(super) const API_VERSION: &str = "9";
/// One call at most.
const CALL_TIMEOUT: Duration = Duration::from_secs(6);
/// Replies at most: 1,000 servers are 200 kB.
const BODY_LIMIT_BYTES: usize = 8 * 1024 * 1024;
/// Calls in flight to one NGINX at most.
const CONCURRENCY: usize = 100;
/// Tries of a call that failed on the way, the first included. Every call is safe to repeat: a
/// server added twice is `EntryExists`, one deleted twice is `UpstreamServerNotFound`.
const TRIES: u32 = 3;

/// One NGINX Plus API.
#[derive(Debug)]
pub struct NginxPlus {
    http: reqwest::Client,
    pub(super) endpoint: Url,
    headers: HeaderMap,
    pub(super) key: Arc<ApiKey>,
    permits: Semaphore,
    throttle: Throttle,
}

impl NginxPlus {
    /// Makes the client; nothing is sent yet.
    #[must_use]
    pub fn new(http: reqwest::Client, config: &Config, key: Arc<ApiKey>) -> Self {
        let mut headers = HeaderMap::new();
        for (name, value) in &config.custom_headers {
            // The configuration has checked both.
            if let (Ok(name), Ok(mut value)) =
                (name.parse::<HeaderName>(), value.parse::<HeaderValue>())
            {
                value.set_sensitive(true);
                headers.insert(name, value);
            }
        }
        Self {
            http,
            endpoint: config.api_endpoint.clone(),
            headers,
            key,
            permits: Semaphore::new(CONCURRENCY),
            throttle: Throttle::default(),
        }
    }

    /// The endpoint's host, for messages.
    #[must_use]
    pub fn host(&self) -> &str {
        self.endpoint.host_str().unwrap_or_default()
    }

    /// The API versions that NGINX offers.
    ///
    /// # Errors
    ///
    /// As [`Balancer::servers`](crate::reconcile::Balancer::servers).
    pub async fn versions(&self, deadline: Instant) -> Result<Vec<u64>, BalancerError> {
        let body = self
            .call(Method::GET, self.url(&[""]), &None::<()>, deadline)
            .await?;
        decode(&body)
    }

    /// Builds a URL below the endpoint; every segment is escaped, an empty one ends in a slash.
    pub(super) fn url(&self, segments: &[&str]) -> Url {
        let mut url = self.endpoint.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(segments);
        }
        url
    }

    pub(super) fn servers_url(&self, upstream: &UpstreamKey, last: &str) -> Url {
        let kind = upstream.kind.path();
        self.url(&[
            API_VERSION,
            kind,
            "upstreams",
            &upstream.name,
            "servers",
            last,
        ])
    }

    /// Sends one call, with the key, and again with a fresh key if it is refused.
    pub(super) async fn call<B: Serialize + Sync>(
        &self,
        method: Method,
        url: Url,
        body: &Option<B>,
        deadline: Instant,
    ) -> Result<Vec<u8>, BalancerError> {
        let body = match body {
            None => None,
            Some(body) => Some(
                serde_json::to_vec(body)
                    .map_err(|error| BalancerError::new(Failure::Malformed, error.to_string()))?,
            ),
        };
        let no_key = |error: super::key::ApiKeyError| {
            BalancerError::new(Failure::Key, format!("no API key for NGINX: {error}"))
        };
        let mut key = self.key.get(deadline).await.map_err(no_key)?;
        let mut tried = 0;
        let mut renewed = false;
        loop {
            if Instant::now() >= deadline {
                let text = "the pass has run out of time".to_owned();
                return Err(BalancerError::new(Failure::Timeout, text));
            }
            self.wait_turn(&method, &url, deadline).await?;
            tried += 1;
            let until = deadline.min(Instant::now() + CALL_TIMEOUT);
            let sent = self.send(&method, &url, body.as_deref(), &key, tried - 1);
            let answer = timeout_at(until, sent).await.unwrap_or_else(|_| {
                let text = format!("no answer in time from {}", self.host());
                Err(BalancerError::new(Failure::Timeout, text))
            });
            let error = match answer {
                Ok(body) => return Ok(body),
                Err(error) => error,
            };
            if error.kind == Failure::Denied && !renewed {
                renewed = true;
                if let Some(fresh) = self
                    .key
                    .renew(key.generation, deadline)
                    .await
                    .map_err(no_key)?
                {
                    tracing::info!("NGINX refused the API key; it was read again from Key Vault");
                    key = fresh;
                    continue;
                }
            }
            let transient = matches!(
                error.kind,
                Failure::Connection | Failure::Timeout | Failure::Server | Failure::Throttled
            );
            let pause = Duration::from_millis(100 << tried);
            if !transient || tried >= TRIES || Instant::now() + pause >= deadline {
                return Err(key.explain(error));
            }
            tracing::debug!(
                kind = error.kind.name(),
                "NGINX call is tried again: {error}"
            );
            sleep(pause).await;
        }
    }

    /// Waits out a `Retry-After` that an earlier call was given, or gives up if it outlives the pass.
    async fn wait_turn(
        &self,
        method: &Method,
        url: &Url,
        deadline: Instant,
    ) -> Result<(), BalancerError> {
        while let Some(until) = self
            .throttle
            .closed_until(method, url.path(), Instant::now())
        {
            if until >= deadline {
                let text = format!(
                    "{} throttles this call; it is left out until it may be made",
                    self.host()
                );
                return Err(BalancerError::new(Failure::Throttled, text));
            }
            sleep_until(until).await;
        }
        Ok(())
    }

    pub(super) async fn send(
        &self,
        method: &Method,
        url: &Url,
        body: Option<&[u8]>,
        key: &Reading,
        resent: u32,
    ) -> Result<Vec<u8>, BalancerError> {
        let shutting_down = |_| BalancerError::new(Failure::Connection, "shutting down".to_owned());
        let _permit = self.permits.acquire().await.map_err(shutting_down)?;
        // Inserted, not appended: a configured header replaces the one sent by default.
        let mut headers = HeaderMap::new();
        if body.is_some() {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        for (name, value) in &self.headers {
            headers.insert(name, value.clone());
        }
        if let Some(key) = &key.header {
            headers.insert(AUTHORIZATION, key.clone());
        }
        let mut request = self
            .http
            .request(method.clone(), url.clone())
            .headers(headers);
        if let Some(body) = body {
            request = request.body(body.to_vec());
        }
        count_nginx();
        let outgoing = Outgoing::begin(Service::Nginx, method.as_str(), url, resent);
        let mut response = match request.send().await {
            Ok(response) => response,
            Err(error) => {
                outgoing.unanswered(Unanswered::of(&error));
                return Err(self.broken(&error));
            }
        };
        let status = response.status();
        let asked_to_wait = response.headers().contains_key(RETRY_AFTER);
        outgoing.answered(status.as_u16(), asked_to_wait);
        self.throttle.answered(
            method,
            url.path(),
            status,
            response.headers(),
            Instant::now(),
        );
        let announced = response.content_length().unwrap_or_default();
        let announced = usize::try_from(announced).unwrap_or(usize::MAX);
        let mut body = Vec::with_capacity(announced.min(BODY_LIMIT_BYTES));
        while let Some(chunk) = response
            .chunk()
            .await
            .map_err(|error| self.broken(&error))?
        {
            if body.len() + chunk.len() > BODY_LIMIT_BYTES {
                let text = format!("the reply of {} is too large", self.host());
                return Err(BalancerError::new(Failure::Malformed, text));
            }
            body.extend_from_slice(&chunk);
        }
        if status.is_success() {
            Ok(body)
        } else {
            Err(judge(self.host(), method, status, &body))
        }
    }

    fn broken(&self, error: &reqwest::Error) -> BalancerError {
        let text = crate::azure::chain(error);
        let kind = if error.is_timeout() {
            Failure::Timeout
        } else {
            Failure::Connection
        };
        BalancerError::new(kind, format!("no answer from {}: {text}", self.host()))
    }
}

pub(super) fn decode<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, BalancerError> {
    serde_json::from_slice(body).map_err(|error| not_understood(&error.to_string()))
}

pub(super) fn not_understood(error: &str) -> BalancerError {
    let text = format!("NGINX's reply cannot be understood: {}", clean(error, 150));
    BalancerError::new(Failure::Malformed, text)
}
