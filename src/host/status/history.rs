//! What this process remembers of its passes: the last one of each upstream, and the changes.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::super::moment::Moment;
use crate::model::{ServerAddress, UpstreamKey};
use crate::reconcile::{Calls, Outcome, PassReport, UpstreamReport};

/// Changes that are remembered at most.
pub(super) const CHANGES: usize = 240;

/// The memory of this process.
#[derive(Debug, Default)]
pub(crate) struct History {
    upstreams: BTreeMap<UpstreamKey, Past>,
    passes: u64,
    last_pass: Option<LastPass>,
    unfinished: Option<Unfinished>,
    /// The oldest first.
    changes: VecDeque<Change>,
    next_number: u64,
}

/// The last pass, whatever its upstreams.
#[derive(Debug, Clone)]
pub(super) struct LastPass {
    pub(super) at: Moment,
    pub(super) trigger: &'static str,
    pub(super) outcome: Outcome,
    pub(super) took_ms: u64,
    pub(super) calls: Calls,
    pub(super) upstreams: usize,
}

/// The last request for a pass that got no report.
#[derive(Debug, Clone)]
pub(super) struct Unfinished {
    pub(super) at: Moment,
    pub(super) trigger: &'static str,
    pub(super) reason: String,
}

/// The last pass of one upstream.
#[derive(Debug, Clone)]
pub(super) struct Past {
    pub(super) at: Moment,
    pub(super) trigger: &'static str,
    pub(super) took_ms: u64,
    pub(super) last_success: Option<Moment>,
    pub(super) report: UpstreamReport,
    /// The servers that the last pass which could read NGINX left there.
    pub(super) servers: Vec<ServerAddress>,
    /// The number of the change that still goes on: held, or failing.
    going_on: Option<u64>,
}

/// One thing that happened to an upstream, or goes on happening.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Change {
    number: u64,
    /// The pass in which it happened first.
    pub(super) at: Moment,
    /// The pass in which it happened last.
    pub(super) last_at: Moment,
    /// In how many passes on end.
    pub(super) passes: u64,
    pub(super) key: UpstreamKey,
    /// What asked for the pass in which it happened first.
    pub(super) trigger: &'static str,
    pub(super) outcome: Outcome,
    /// Whether an operator released it by its digest.
    pub(super) forced: bool,
    pub(super) counts: Counts,
}

/// How many servers a change concerns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Counts {
    pub(super) added: usize,
    pub(super) removed: usize,
    pub(super) updated: usize,
    /// Servers that began to drain.
    pub(super) draining: usize,
    pub(super) held: usize,
    /// Failures, not servers.
    pub(super) failed: usize,
}

impl Counts {
    fn is_change(&self) -> bool {
        self.added + self.removed + self.updated + self.draining > 0
    }
}

impl History {
    pub(crate) fn note(&mut self, report: &PassReport, trigger: &'static str) {
        self.passes += 1;
        let at = Moment::from(report.started);
        let took_ms = super::super::report_json::millis(report.took);
        self.last_pass = Some(LastPass {
            at,
            trigger,
            outcome: report.outcome(),
            took_ms,
            calls: report.calls,
            upstreams: report.upstreams.len(),
        });
        for upstream in &report.upstreams {
            let before = self.upstreams.remove(&upstream.key);
            let going_on = self.note_change(upstream, before.as_ref(), at, trigger);
            let succeeded = upstream.outcome() != Outcome::Failed;
            let before_success = before.as_ref().and_then(|before| before.last_success);
            let past = Past {
                at,
                trigger,
                took_ms,
                last_success: succeeded.then_some(at).or(before_success),
                report: upstream.clone(),
                servers: if upstream.servers_read {
                    upstream.servers.clone()
                } else {
                    before.map(|before| before.servers).unwrap_or_default()
                },
                going_on,
            };
            self.upstreams.insert(upstream.key.clone(), past);
        }
    }

    /// A pass was asked for and nobody could be told what came of it.
    pub(crate) fn note_unfinished(&mut self, trigger: &'static str, reason: &str) {
        self.unfinished = Some(Unfinished {
            at: Moment::now(),
            trigger,
            reason: reason.to_owned(),
        });
    }

    /// Remembers what a pass did; returns the number of the change that goes on.
    fn note_change(
        &mut self,
        report: &UpstreamReport,
        before: Option<&Past>,
        at: Moment,
        trigger: &'static str,
    ) -> Option<u64> {
        let counts = counts(report, before);
        let outcome = report.outcome();
        let lasts = matches!(outcome, Outcome::Held | Outcome::Failed);
        if !lasts && !counts.is_change() {
            return None;
        }
        // What is held or fails pass after pass is one entry: it must not drive out what happened.
        let going_on = before.and_then(|before| before.going_on);
        if !counts.is_change()
            && let Some(change) = self.changes.iter_mut().rev().find(|one| {
                Some(one.number) == going_on && one.outcome == outcome && one.counts == counts
            })
        {
            change.last_at = at;
            change.passes += 1;
            return going_on;
        }
        let number = self.next_number;
        self.next_number += 1;
        if self.changes.len() == CHANGES {
            self.changes.pop_front();
        }
        self.changes.push_back(Change {
            number,
            at,
            last_at: at,
            passes: 1,
            key: report.key.clone(),
            trigger,
            outcome,
            forced: report.forced,
            counts,
        });
        (lasts && !counts.is_change()).then_some(number)
    }

    pub(super) fn past(&self, key: &UpstreamKey) -> Option<&Past> {
        self.upstreams.get(key)
    }

    pub(super) fn passes(&self) -> u64 {
        self.passes
    }

    pub(super) fn last_pass(&self) -> Option<&LastPass> {
        self.last_pass.as_ref()
    }

    pub(super) fn unfinished(&self) -> Option<&Unfinished> {
        self.unfinished.as_ref()
    }

    /// The changes, the newest first.
    pub(super) fn changes(&self) -> impl Iterator<Item = &Change> {
        self.changes.iter().rev()
    }
}

fn counts(report: &UpstreamReport, before: Option<&Past>) -> Counts {
    let drained_before: BTreeSet<&ServerAddress> = before
        .iter()
        .flat_map(|before| &before.report.draining)
        .collect();
    let begun = report.draining.iter();
    Counts {
        added: report.added.len(),
        removed: report.removed.len(),
        updated: report.updated.len(),
        draining: begun.filter(|one| !drained_before.contains(one)).count(),
        held: report
            .held
            .iter()
            .filter(|held| !held.reason.is_policy())
            .count(),
        failed: report.failures.len(),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::model::Kind;

    fn key() -> UpstreamKey {
        UpstreamKey {
            kind: Kind::Http,
            name: "web".to_owned(),
        }
    }

    fn address(number: usize) -> ServerAddress {
        ServerAddress::parse(&format!("10.0.{}.{}:80", number / 250, number % 250))
    }

    fn upstream(change: impl FnOnce(&mut UpstreamReport)) -> UpstreamReport {
        let mut report = UpstreamReport::new(key(), "web-vmss".to_owned());
        report.servers_read = true;
        change(&mut report);
        report
    }

    fn pass(at: u64, upstream: UpstreamReport) -> PassReport {
        PassReport {
            started: Duration::from_secs(at),
            took: Duration::from_millis(7),
            upstreams: vec![upstream],
            calls: Calls::default(),
            origin: None,
        }
    }

    fn failing(report: &mut UpstreamReport) {
        report.fail("timeout", "no answer");
    }

    /// The changes as `outcome at..last_at xpasses`, the newest first.
    fn told(history: &History) -> Vec<String> {
        let tell = |one: &Change| {
            let at = Moment::default();
            let (first, last) = (at.seconds_until(one.at), at.seconds_until(one.last_at));
            format!("{} {first}..{last} x{}", one.outcome.name(), one.passes)
        };
        history.changes().map(tell).collect()
    }

    #[test]
    fn what_goes_on_pass_after_pass_is_one_entry_until_it_ends() {
        let mut history = History::default();
        let ok = || upstream(|_| ());
        for (at, report) in [
            (10, ok()),
            (20, upstream(failing)),
            (30, upstream(failing)),
            (40, ok()),
            (50, upstream(failing)),
            (
                60,
                upstream(|report| {
                    failing(report);
                    report.added.push(address(1));
                }),
            ),
            (70, upstream(failing)),
            (80, upstream(failing)),
        ] {
            history.note(&pass(at, report), "timer");
        }
        assert_eq!(
            told(&history),
            [
                "failed 70..80 x2",
                "failed 60..60 x1",
                "failed 50..50 x1",
                "failed 20..30 x2",
            ]
        );
        let past = history.past(&key()).unwrap();
        assert_eq!(
            past.last_success,
            Some(Moment::from(Duration::from_secs(40)))
        );
        assert_eq!((history.passes(), past.trigger), (8, "timer"));
    }

    #[test]
    fn the_memory_is_bounded_and_keeps_the_newest() {
        let mut history = History::default();
        let many = 3 * CHANGES as u64;
        for at in 0..many {
            let added = upstream(|report| report.added.push(address(at as usize)));
            history.note(&pass(at, added), "event");
        }
        let told = told(&history);
        assert_eq!(told.len(), CHANGES);
        assert_eq!(told[0], format!("changed {0}..{0} x1", many - 1));
    }

    #[test]
    fn a_drain_is_told_when_it_begins_and_not_while_it_lasts() {
        let mut history = History::default();
        for at in 1..4 {
            let draining = upstream(|report| report.draining.push(address(1)));
            history.note(&pass(at, draining), "timer");
        }
        assert_eq!(told(&history), ["unchanged 1..1 x1"]);
        let change = history.changes().next().unwrap();
        assert_eq!(change.counts.draining, 1);
    }

    #[test]
    fn while_nginx_cannot_be_read_the_servers_last_seen_are_remembered() {
        let mut history = History::default();
        let seen = upstream(|report| report.servers = vec![address(1), address(2)]);
        history.note(&pass(1, seen.clone()), "event");
        let unread = upstream(|report| {
            failing(report);
            report.servers_read = false;
        });
        history.note(&pass(2, unread), "event");
        assert_eq!(history.past(&key()).unwrap().servers, seen.servers);
        history.note(&pass(3, upstream(|_| ())), "event");
        assert_eq!(history.past(&key()).unwrap().servers, []);
    }
}
