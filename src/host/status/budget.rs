//! How often Azure and NGINX may be read for `Status`.
//!
//! Azure lets the scale set itself be read about 12 times a minute, 36 in a burst, per set and
//! identity, and answers 429 to everybody beyond that. Passes spend from the same allowance, so who
//! only looks may have a part of it: a page that is reloaded without end must not throttle a pass.

use std::sync::Mutex;
use std::time::Duration;

use tokio::time::Instant;

/// Readings in a burst at most.
const BURST: u32 = 12;
/// One more reading is allowed after this time.
const REFILL: Duration = Duration::from_secs(10);

/// A token bucket of readings.
#[derive(Debug)]
pub(super) struct Budget(Mutex<Bucket>);

#[derive(Debug, Clone, Copy)]
struct Bucket {
    left: u32,
    /// When `left` was right.
    at: Instant,
}

impl Budget {
    pub(super) fn new(now: Instant) -> Self {
        Self(Mutex::new(Bucket {
            left: BURST,
            at: now,
        }))
    }

    /// Whether a reading may begin.
    pub(super) fn allows(&self, now: Instant) -> bool {
        self.0.lock().is_ok_and(|mut bucket| {
            bucket.refill(now);
            bucket.left > 0
        })
    }

    /// A reading begins.
    pub(super) fn spend(&self, now: Instant) {
        if let Ok(mut bucket) = self.0.lock() {
            bucket.refill(now);
            bucket.left = bucket.left.saturating_sub(1);
        }
    }
}

impl Bucket {
    fn refill(&mut self, now: Instant) {
        let periods = now.saturating_duration_since(self.at).as_secs() / REFILL.as_secs();
        let gained = u32::try_from(periods).unwrap_or(u32::MAX);
        self.left = self.left.saturating_add(gained).min(BURST);
        self.at = if self.left == BURST {
            now.max(self.at)
        } else {
            self.at + REFILL * gained
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spent(budget: &Budget, now: Instant) -> u32 {
        let mut readings = 0;
        while budget.allows(now) {
            budget.spend(now);
            readings += 1;
        }
        readings
    }

    #[test]
    fn after_a_burst_one_reading_is_allowed_every_ten_seconds() {
        let start = Instant::now();
        let budget = Budget::new(start);
        assert_eq!(spent(&budget, start), BURST);
        assert_eq!(spent(&budget, start + Duration::from_secs(9)), 0);
        assert_eq!(spent(&budget, start + Duration::from_secs(10)), 1);
        // Part of a period is not lost.
        assert_eq!(spent(&budget, start + Duration::from_secs(25)), 1);
        assert_eq!(spent(&budget, start + Duration::from_secs(30)), 1);
        assert_eq!(spent(&budget, start + Duration::from_secs(3_000)), BURST);
    }

    #[test]
    fn an_hour_of_reloading_leaves_half_of_azures_allowance_to_the_passes() {
        let start = Instant::now();
        let budget = Budget::new(start);
        let readings: u32 = (0..3_600)
            .map(|second| spent(&budget, start + Duration::from_secs(second)))
            .sum();
        assert!(readings <= BURST + 60 * 6, "{readings}");
    }
}
