//! The HTTP client under everything, and how the SDK gets to use it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use azure_core::http::{
    AsyncRawResponse, ClientOptions, HttpClient, Request, RetryOptions, Transport, UserAgentOptions,
};
use futures::StreamExt as _;

use super::observe::Observed;
use crate::reconcile::count_azure;
use crate::telemetry::Service;

/// What this program calls itself in `User-Agent`.
pub const USER_AGENT: &str = concat!("nginx-vmss-sync/", env!("CARGO_PKG_VERSION"));

/// Azure's bodies at most: four times a page of 1,000 instances with their instance views.
const BODY_LIMIT_BYTES: usize = 24 * 1024 * 1024;

/// Builds the one HTTP client: redirects off (a redirect would carry credentials along), no proxy
/// from the environment, bounded connects and reads, the platform's trust store (`SSL_CERT_FILE`
/// is honoured).
///
/// # Errors
///
/// The trust store cannot be read.
pub fn http_client() -> Result<reqwest::Client, reqwest::Error> {
    http_client_builder().build()
}

/// What [`http_client`] is built from.
pub fn http_client_builder() -> reqwest::ClientBuilder {
    reqwest::Client::builder()
        .user_agent(USER_AGENT)
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .connect_timeout(Duration::from_secs(5))
        .read_timeout(Duration::from_secs(15))
        .pool_idle_timeout(Duration::from_secs(90))
}

/// The SDK's view of the HTTP client: bodies are capped and calls counted.
#[derive(Debug, Clone)]
pub struct Transports {
    client: reqwest::Client,
    calls: Arc<AtomicU64>,
}

impl Transports {
    /// Wraps the client.
    #[must_use]
    pub fn new(client: reqwest::Client) -> Self {
        Self {
            client,
            calls: Arc::default(),
        }
    }

    /// SDK options with this transport and `retry`, for calls to `service`.
    #[must_use]
    pub fn options(&self, service: Service, retry: RetryOptions) -> ClientOptions {
        ClientOptions {
            per_try_policies: vec![Arc::new(Observed(service))],
            transport: Some(Transport::new(Arc::new(self.clone()))),
            retry,
            user_agent: UserAgentOptions {
                application_id: Some("nginx-vmss-sync".into()),
            },
            ..ClientOptions::default()
        }
    }

    /// Requests sent to Azure since the start of the process, retries and tokens included.
    #[must_use]
    pub fn calls(&self) -> u64 {
        self.calls.load(Ordering::Relaxed)
    }
}

#[async_trait]
impl HttpClient for Transports {
    async fn execute_request(&self, request: &Request) -> azure_core::Result<AsyncRawResponse> {
        self.calls.fetch_add(1, Ordering::Relaxed);
        count_azure();
        let response = HttpClient::execute_request(&self.client, request).await?;
        let (status, headers, body) = response.deconstruct();
        let mut seen = 0_usize;
        let capped = body.map(move |chunk| {
            let chunk = chunk?;
            seen = seen.saturating_add(chunk.len());
            if seen > BODY_LIMIT_BYTES {
                return Err(azure_core::Error::with_message(
                    azure_core::error::ErrorKind::DataConversion,
                    format!(
                        "the body is larger than {} MiB",
                        BODY_LIMIT_BYTES / 1024 / 1024
                    ),
                ));
            }
            Ok(chunk)
        });
        Ok(AsyncRawResponse::new(status, headers, Box::pin(capped)))
    }
}
