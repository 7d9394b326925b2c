//! `Retry-After`, kept across the passes of a process.
//!
//! Resource Manager counts a call that comes before the time it named against the caller, so the
//! time is remembered here and asked before every call.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use azure_core::http::policies::{Policy, PolicyResult};
use azure_core::http::{Context, Request};
use time::OffsetDateTime;
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;
use tokio::sync::watch;
use tokio::time::Instant;

use super::refusal::retry_after;

/// Which calls one throttling answer is about.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Scope {
    /// All of a subscription.
    Subscription(String),
    /// One path only.
    Path(String),
}

/// A time before which nothing may be asked: to wait for, and to be told. The latter is kept, and
/// not computed anew, because the same reason must be the same line in every pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Until {
    pub(super) at: Instant,
    pub(super) wall_clock: SystemTime,
}

impl Until {
    /// A time from now.
    pub(super) fn after(wait: Duration) -> Self {
        Self {
            at: Instant::now() + wait,
            wall_clock: SystemTime::now() + wait,
        }
    }
}

impl fmt::Display for Until {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const TIME: &[BorrowedFormatItem<'_>] = format_description!("[hour]:[minute]:[second] UTC");
        let time = OffsetDateTime::from(self.wall_clock).format(TIME);
        f.write_str(&time.unwrap_or_default())
    }
}

/// The times before which nothing may be asked.
#[derive(Debug, Default)]
pub(super) struct Gate(Mutex<HashMap<Scope, Until>>);

impl Gate {
    /// Closes a scope until `until`.
    pub(super) fn close(&self, scope: Scope, until: Until) {
        if let Ok(mut closed) = self.0.lock() {
            let now = Instant::now();
            closed.retain(|_, until| until.at > now);
            let entry = closed.entry(scope).or_insert(until);
            *entry = until.max(*entry);
        }
    }

    /// When a call to `path` may be made, if it may not be made now.
    pub(super) fn closed_until(&self, subscription: &str, path: &str) -> Option<Until> {
        let closed = self.0.lock().ok()?;
        let now = Instant::now();
        [
            Scope::Subscription(subscription.to_lowercase()),
            Scope::Path(path.to_owned()),
        ]
        .iter()
        .filter_map(|scope| closed.get(scope).copied())
        .filter(|until| until.at > now)
        .max()
    }
}

/// The same for a service whose calls the SDK makes, and repeats: a policy that looks at its answers.
#[derive(Debug)]
pub(super) struct SdkGate(watch::Sender<Option<Until>>);

impl Default for SdkGate {
    fn default() -> Self {
        Self(watch::Sender::new(None))
    }
}

impl SdkGate {
    /// When a call may be made, if it may not be made now.
    pub(super) fn closed_until(&self) -> Option<Until> {
        self.0.borrow().filter(|until| until.at > Instant::now())
    }

    /// Waits until an answer closes it for longer than `limit`.
    pub(super) async fn closed_beyond(&self, limit: Instant) -> Until {
        let mut closed = self.0.subscribe();
        loop {
            if let Some(until) = closed.borrow_and_update().filter(|until| until.at >= limit) {
                return until;
            }
            // The sender is `self`, and lives.
            let _ = closed.changed().await;
        }
    }
}

#[expect(elided_lifetimes_in_paths, reason = "as the trait declares it")]
#[async_trait]
impl Policy for SdkGate {
    async fn send(
        &self,
        context: &Context,
        request: &mut Request,
        next: &[Arc<dyn Policy>],
    ) -> PolicyResult {
        let answer = next[0].send(context, request, &next[1..]).await;
        if let Ok(response) = &answer
            && matches!(u16::from(response.status()), 429 | 503)
            && let Some(wait) = retry_after(response.headers())
        {
            self.0.send_replace(Some(Until::after(wait)));
        }
        answer
    }
}
