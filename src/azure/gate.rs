//! `Retry-After`, kept across the passes of a process.
//!
//! Resource Manager counts a call that comes before the time it named against the caller, so the
//! time is remembered here and asked before every call.

use std::collections::HashMap;
use std::fmt;
use std::sync::Mutex;
use std::time::{Duration, SystemTime};

use time::OffsetDateTime;
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;
use tokio::time::Instant;

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
