//! Every request to Azure is seen here once, the SDK's own retries and tokens included.

use std::sync::Arc;

use async_trait::async_trait;
use azure_core::error::ErrorKind;
use azure_core::http::headers::RETRY_AFTER;
use azure_core::http::policies::{Policy, PolicyResult, RetryPolicyCount};
use azure_core::http::{Context, Request};

use crate::telemetry::{Outgoing, Service, Unanswered};

/// The last policy before the transport.
#[derive(Debug)]
pub(super) struct Observed(pub(super) Service);

/// How many times our own loop has sent a request before: the SDK does not know of it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Resent(pub(super) u32);

#[expect(elided_lifetimes_in_paths, reason = "as the trait declares it")]
#[async_trait]
impl Policy for Observed {
    async fn send(
        &self,
        context: &Context,
        request: &mut Request,
        next: &[Arc<dyn Policy>],
    ) -> PolicyResult {
        let resent = match (
            context.value::<Resent>(),
            context.value::<RetryPolicyCount>(),
        ) {
            (Some(Resent(count)), _) => *count,
            (None, Some(count)) => **count,
            (None, None) => 0,
        };
        let outgoing = Outgoing::begin(self.0, request.method().as_ref(), request.url(), resent);
        let answer = next[0].send(context, request, &next[1..]).await;
        match &answer {
            Ok(response) => {
                let asked_to_wait = response.headers().get_optional_str(&RETRY_AFTER).is_some();
                outgoing.answered(u16::from(response.status()), asked_to_wait);
            }
            Err(error) => outgoing.unanswered(match error.kind() {
                ErrorKind::Connection | ErrorKind::Io => Unanswered::Connection,
                _ => Unanswered::Other,
            }),
        }
        answer
    }
}
