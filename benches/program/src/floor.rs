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

    /// The same where something is taken out: a last look at NGINX comes before.
    pub(crate) fn with_a_last_look(self) -> Self {
        Self {
            nginx: self.nginx + 1,
            ..self
        }
    }

    /// The same in a new process: the identity (and beside it the vault's word for what it wants a
    /// token), then the secret, come before NGINX; the set's mode comes before its instances.
    pub(crate) fn in_a_new_process(self) -> Self {
        Self {
            azure: self.azure + 3,
            ..self
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
    fn before_a_removal_nginx_is_read_once_more() {
        let floor = RoundTrips::of_pass(1).with_a_last_look().at(LATENCY);
        assert_eq!(floor, Duration::from_millis(20 + 50 + 20 + 20));
    }

    #[test]
    fn a_new_process_needs_its_identity_the_secret_and_the_mode_first() {
        let floor = RoundTrips::of_pass(0).in_a_new_process().at(LATENCY);
        assert_eq!(floor, Duration::from_millis(50 + 50 + 20 + 50 + 50));
    }
}
