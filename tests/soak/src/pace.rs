//! What happens how often.

use std::time::{Duration, Instant};

use crate::script::Dice;

/// One kind of thing that happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// A timer tick, to the handler that lives.
    Tick,
    /// A set is scaled, with its events.
    Scale,
    /// A scaling that was begun is finished.
    Settle,
    /// A spot eviction, without an event.
    Evict,
    /// An instance stops, starts or is deallocated, with an event.
    Power,
    /// An operator changes a server.
    Drift,
    /// Azure fails in some way for a while.
    AzureFault,
    /// NGINX fails in some way for some calls.
    NginxFault,
    /// All faults end.
    EndFaults,
    /// NGINX reloads and numbers its servers anew.
    Reload,
    /// The key changes in NGINX and in the vault.
    RotateKey,
    /// Azure accepts none of its tokens any more.
    RevokeTokens,
    /// Hundreds of events at once.
    Storm,
    /// The host kills the second handler and starts it again.
    Restart,
    /// The status page is asked for.
    Status,
}

/// What a busy deployment sees, in seconds between two of a kind: two sets that autoscale every
/// five minutes, a tick a minute, a spot eviction or a stop each ten; trouble much more often than
/// in life.
const EVERY: [(Action, f64); 15] = [
    (Action::Tick, 60.0),
    (Action::Scale, 150.0),
    (Action::Settle, 100.0),
    (Action::Evict, 600.0),
    (Action::Power, 600.0),
    (Action::Drift, 1_500.0),
    (Action::AzureFault, 400.0),
    (Action::NginxFault, 500.0),
    (Action::EndFaults, 450.0),
    (Action::Reload, 2_000.0),
    (Action::RotateKey, 3_000.0),
    (Action::RevokeTokens, 2_250.0),
    (Action::Storm, 2_500.0),
    (Action::Restart, 5_000.0),
    (Action::Status, 300.0),
];

/// When each kind comes next.
pub(crate) struct Pace {
    rate: f64,
    next: Vec<(Instant, Action, f64)>,
}

impl Pace {
    pub(crate) fn new(rate: f64, dice: &mut Dice) -> Self {
        let mut pace = Self {
            rate,
            next: Vec::new(),
        };
        for (action, every) in EVERY {
            let first = Instant::now() + pace.wait(every, dice);
            pace.next.push((first, action, every));
        }
        pace
    }

    /// Half to one and a half times the mean.
    fn wait(&self, every: f64, dice: &mut Dice) -> Duration {
        let share = 0.5 + dice.below(1_000) as f64 / 1_000.0;
        Duration::from_secs_f64(every / self.rate * share)
    }

    /// When the next thing happens.
    pub(crate) fn due(&self) -> Instant {
        self.next[self.first()].0
    }

    /// The next thing that happens.
    pub(crate) fn next(&mut self, dice: &mut Dice) -> Action {
        let first = self.first();
        let (when, action, every) = self.next[first];
        // Counted from now: what could not be done in time is not made up for.
        self.next[first].0 = when.max(Instant::now()) + self.wait(every, dice);
        action
    }

    fn first(&self) -> usize {
        let first = self.next.iter().enumerate().min_by_key(|(_, next)| next.0);
        first.map(|(at, _)| at).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_happens_and_ticks_most_often() {
        let mut dice = Dice::new(1);
        let mut pace = Pace::new(1_000_000.0, &mut dice);
        let drawn: Vec<Action> = (0..20_000).map(|_| pace.next(&mut dice)).collect();
        let count = |action| drawn.iter().filter(|drawn| **drawn == action).count();
        for (action, _) in EVERY {
            assert!(count(action) > 0, "{action:?}");
        }
        assert!(count(Action::Tick) > count(Action::Restart));
    }
}
