//! The way to an OTLP collector: this program's own HTTP client, under the exporter's trait.

use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use tokio::runtime::Handle;

use super::otlp::{Signal, Target};
use super::text::clean;

/// A collector's answers are a few bytes.
const ANSWER_LIMIT_BYTES: usize = 64 * 1024;

/// The collector of one signal.
///
/// The SDK drives exports from threads of its own, which know no runtime: the request itself runs
/// on the program's.
#[derive(Debug)]
pub(super) struct Collector {
    http: reqwest::Client,
    runtime: Handle,
    signal: Signal,
    target: Target,
    /// Whether it was told that exports fail; told once, until one succeeds.
    failing: AtomicBool,
}

impl Collector {
    pub(super) fn new(
        http: reqwest::Client,
        runtime: Handle,
        signal: Signal,
        target: Target,
    ) -> Self {
        Self {
            http,
            runtime,
            signal,
            target,
            failing: AtomicBool::new(false),
        }
    }

    fn tell(&self, outcome: Result<u16, &str>) {
        let failure = match outcome {
            Ok(200..=299) => None,
            Ok(status) => Some(format!("it answers {status}")),
            Err(why) => Some(why.to_owned()),
        };
        let failed_before = self.failing.swap(failure.is_some(), Ordering::Relaxed);
        let (signal, origin) = (self.signal.name(), self.target.origin());
        match failure {
            Some(why) if !failed_before => tracing::warn!(
                "{signal} cannot be exported to {origin} and are dropped until they can: {}",
                clean(&why, 200)
            ),
            None if failed_before => tracing::info!("{signal} are exported to {origin} again"),
            _ => {}
        }
    }
}

#[async_trait]
impl HttpClient for Collector {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let (mut parts, body) = request.into_parts();
        // `OTEL_EXPORTER_OTLP_HEADERS` holds keys: no `Debug` of the client may print them.
        for value in parts.headers.values_mut() {
            value.set_sensitive(true);
        }
        let request = self
            .http
            .post(self.target.endpoint.clone())
            .headers(parts.headers)
            .timeout(self.target.timeout)
            .body(body);
        let answer = match self.runtime.spawn(exchange(request)).await {
            Ok(answer) => answer,
            Err(_) => Err("the program is ending".to_owned()),
        };
        self.tell(
            answer
                .as_ref()
                .map(|answer| answer.status().as_u16())
                .map_err(String::as_str),
        );
        Ok(answer?)
    }
}

async fn exchange(request: reqwest::RequestBuilder) -> Result<Response<Bytes>, String> {
    // Without its URL, which may hold keys.
    let told = |error: reqwest::Error| crate::azure::chain(&error.without_url());
    let mut answer = request.send().await.map_err(told)?;
    let mut response = Response::builder().status(answer.status());
    if let (Some(wait), Some(headers)) =
        (answer.headers().get("retry-after"), response.headers_mut())
    {
        headers.insert("retry-after", wait.clone());
    }
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(told)? {
        if body.len() + chunk.len() > ANSWER_LIMIT_BYTES {
            return Err("its answer is too large".to_owned());
        }
        body.extend_from_slice(&chunk);
    }
    response
        .body(body.into())
        .map_err(|error| error.to_string())
}
