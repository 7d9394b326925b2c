//! The floor: the round trips that no program can do without, one after the other.
//!
//! What can be asked side by side counts once. Reading NGINX comes before reading Azure, because a
//! removal rests on that order; writes come after both.

use std::time::Duration;

use crate::Latency;

/// Writes to one upstream in flight, as the program has it.
pub(crate) const WRITES_IN_FLIGHT: usize = 8;

/// What a pass cannot do without.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct RoundTrips {
    /// To Azure, one after the other.
    pub(crate) azure: usize,
    /// To NGINX, one after the other.
    pub(crate) nginx: usize,
}

impl RoundTrips {
    /// A look at both sides, and `writes` to one upstream.
    pub(crate) fn of_pass(writes: usize) -> Self {
        Self {
            azure: 1,
            nginx: 1 + writes.div_ceil(WRITES_IN_FLIGHT),
        }
    }

    /// The same in a new process: the identity, then the secret, come before NGINX.
    pub(crate) fn of_cold_pass(writes: usize) -> Self {
        let warm = Self::of_pass(writes);
        Self {
            azure: warm.azure + 2,
            ..warm
        }
    }

    /// The time they take.
    pub(crate) fn at(self, latency: Latency) -> Duration {
        latency.azure * self.azure as u32 + latency.nginx * self.nginx as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LATENCY: Latency = Latency {
        azure: Duration::from_millis(50),
        nginx: Duration::from_millis(20),
    };

    #[test]
    fn an_unchanged_upstream_takes_one_round_trip_to_each_side() {
        let floor = RoundTrips::of_pass(0).at(LATENCY);
        assert_eq!(floor, Duration::from_millis(70));
    }

    #[test]
    fn a_hundred_servers_are_added_in_thirteen_round_trips() {
        let floor = RoundTrips::of_pass(100).at(LATENCY);
        assert_eq!(floor, Duration::from_millis(70 + 13 * 20));
    }

    #[test]
    fn a_new_process_needs_its_identity_and_the_secret_first() {
        let floor = RoundTrips::of_cold_pass(0).at(LATENCY);
        assert_eq!(floor, Duration::from_millis(170));
    }
}
