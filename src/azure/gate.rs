//! `Retry-After`, kept across the passes of a process.
//!
//! Resource Manager counts a call that comes before the time it named against the caller, so the
//! time is remembered here and asked before every call.

use std::collections::HashMap;
use std::sync::Mutex;

use tokio::time::Instant;

/// Which calls one throttling answer is about.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Scope {
    /// All of a subscription.
    Subscription(String),
    /// One path only.
    Path(String),
}

/// The times before which nothing may be asked.
#[derive(Debug, Default)]
pub(super) struct Gate(Mutex<HashMap<Scope, Instant>>);

impl Gate {
    /// Closes a scope until `until`.
    pub(super) fn close(&self, scope: Scope, until: Instant) {
        if let Ok(mut closed) = self.0.lock() {
            let now = Instant::now();
            closed.retain(|_, until| *until > now);
            let entry = closed.entry(scope).or_insert(until);
            *entry = until.max(*entry);
        }
    }

    /// When a call to `path` may be made, if it may not be made now.
    pub(super) fn closed_until(&self, subscription: &str, path: &str) -> Option<Instant> {
        let closed = self.0.lock().ok()?;
        let now = Instant::now();
        [
            Scope::Subscription(subscription.to_lowercase()),
            Scope::Path(path.to_owned()),
        ]
        .iter()
        .filter_map(|scope| closed.get(scope).copied())
        .filter(|until| *until > now)
        .max()
    }
}
