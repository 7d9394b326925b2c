//! Carries a plan out. It makes no choices: the order is the plan's, a step that NGINX calls
//! already done is done, and an upstream whose adds failed loses nothing.
//!
//! Every step is safe to be the last one: the host kills without warning.

use std::sync::atomic::AtomicBool;

use futures::StreamExt as _;
use futures::stream;
use tokio::time::Instant;

use super::confirm::is_about;
use super::drains::Drains;
use super::report::UpstreamReport;
use super::statics::Statics;
use super::write::Done;
use super::{Balancer, BalancerErrorKind as Failure};
use crate::model::{Server, Upstream, zone_size};
use crate::plan::Step;

/// Writes to one upstream in flight.
const WRITES: usize = 8;

/// What applying needs to know besides the plan.
pub(super) struct Applier<'a> {
    pub(super) upstream: &'a Upstream,
    pub(super) servers: &'a [Server],
    pub(super) balancer: &'a dyn Balancer,
    pub(super) drains: &'a Drains,
    pub(super) statics: &'a Statics,
    pub(super) stopped: &'a AtomicBool,
    /// Whether every scale set is meant to be empty.
    pub(super) may_empty: bool,
    pub(super) deadline: Instant,
}

impl Applier<'_> {
    /// Carries out the steps, in stages: adds, changes, drains and removals.
    pub(super) async fn apply(&self, steps: &[Step], report: &mut UpstreamReport) {
        let stage = |wanted: fn(&Step) -> bool| -> Vec<&Step> {
            steps.iter().filter(|step| wanted(step)).collect()
        };
        let adds = stage(|step| matches!(step, Step::Add { .. }));
        let changes = stage(|step| !matches!(step, Step::Add { .. }) && !step.takes_out());
        let leaves = stage(Step::takes_out);

        let (no_memory, add_failed) = self.add_all(&adds, report).await;
        // A replacement may leave a gap only because of the server that was to be added before it.
        let short = add_failed || !no_memory.is_empty();
        let (replaces, mut changes): (Vec<&Step>, Vec<&Step>) = changes
            .into_iter()
            .partition(|step| matches!(step, Step::Replace { .. }));
        if !short {
            changes.extend(self.confirm(replaces, report).await);
        }
        let entry_failed = self.run(&changes, report).await;
        if add_failed || entry_failed {
            if !leaves.is_empty() {
                report.fail(
                    "adds_failed",
                    "nothing is taken out while servers cannot be added or put back into service",
                );
            }
            return;
        }
        if no_memory.is_empty() {
            let leaves = self.confirm(leaves, report).await;
            self.run(&leaves, report).await;
        } else {
            // What stays in service is seen to there: to hold all of them would make no room, ever.
            let (leaves, now) = self.look(leaves, report).await;
            self.make_room(&no_memory, &leaves, &now, report).await;
        }
    }

    /// Adds, and returns what the zone had no room for, and whether anything else failed.
    async fn add_all<'s>(
        &self,
        adds: &[&'s Step],
        report: &mut UpstreamReport,
    ) -> (Vec<&'s Step>, bool) {
        let (mut no_memory, mut failed) = (Vec::new(), false);
        for (step, done) in self.run_raw(adds).await {
            match &done {
                Done::Failed(error) if error.kind == Failure::OutOfMemory => no_memory.push(step),
                _ => {
                    failed |= matches!(done, Done::Failed(_) | Done::Stopped);
                    self.note(step, done, report);
                }
            }
        }
        (no_memory, failed)
    }

    /// The zone is full: what leaves goes first, then the adds are tried once more. One server in
    /// service stays until an add has succeeded.
    async fn make_room(
        &self,
        adds: &[&Step],
        leaves: &[&Step],
        now: &[Server],
        report: &mut UpstreamReport,
    ) {
        let leaving = |server: &Server| leaves.iter().any(|step| is_about(step, server));
        let ours = || now.iter().filter(|server| self.upstream.owns(server));
        let someone_stays = !report.added.is_empty()
            || ours().any(|server| self.serves(server) && !leaving(server));
        let serves = |step: &Step| {
            let mut own = ours().filter(|server| is_about(step, server));
            own.any(|server| self.serves(server))
        };
        // A draining server would not stand in for the one that is spared.
        let spared = leaves.iter().rposition(|step| serves(step));
        let spared = spared.filter(|_| !someone_stays);
        let (mut first, mut last) = (leaves.to_vec(), Vec::new());
        if let Some(spared) = spared {
            last.push(first.remove(spared));
        }
        self.run(&first, report).await;
        let (no_memory, failed) = self.add_all(adds, report).await;
        if someone_stays || !report.added.is_empty() {
            self.run(&last, report).await;
        }
        if !no_memory.is_empty() && !failed {
            let lacking = no_memory.len();
            let wanted = self.servers.len() + report.added.len() + lacking - report.removed.len();
            report.fail(
                Failure::OutOfMemory.name(),
                format!(
                    "the upstream's zone is full: {lacking} of {wanted} servers do not fit; give it `zone {} {}` or more",
                    self.upstream.key.name.escape_debug(),
                    // A full roll adds before it removes.
                    zone_size(self.upstream.key.kind, 2 * wanted as u64)
                ),
            );
        }
    }

    /// Runs steps, and tells whether one failed that the plan counts on to bring a server in.
    async fn run(&self, steps: &[&Step], report: &mut UpstreamReport) -> bool {
        let mut entry_failed = false;
        for (step, done) in self.run_raw(steps).await {
            entry_failed |= matches!(done, Done::Failed(_) | Done::Stopped)
                && matches!(step, Step::Undrain { .. } | Step::Replace { .. });
            self.note(step, done, report);
        }
        entry_failed
    }

    /// Runs steps side by side, and gives their results in the plan's order.
    async fn run_raw<'s>(&self, steps: &[&'s Step]) -> Vec<(&'s Step, Done)> {
        let writes: Vec<_> = steps
            .iter()
            .enumerate()
            .map(|(place, step)| async move { (place, self.one(step).await) })
            .collect();
        // A slow write does not keep the next from beginning.
        let writes = stream::iter(writes).buffer_unordered(WRITES);
        let mut done: Vec<(usize, Done)> = writes.collect().await;
        done.sort_by_key(|(place, _)| *place);
        let done = done.into_iter().map(|(_, done)| done);
        steps.iter().copied().zip(done).collect()
    }

    fn note(&self, step: &Step, done: Done, report: &mut UpstreamReport) {
        let address = step.address().clone();
        match done {
            Done::Added => report.added.push(address),
            Done::Updated => report.updated.push(address),
            Done::Draining => {
                report.drained.push(address.clone());
                report.draining.push(address);
            }
            Done::Removed => {
                self.drains.ended(&self.upstream.key, &address);
                report.removed.push(address);
            }
            Done::AlreadySo => {}
            Done::Stopped => report.fail(
                "stopped",
                "stopped by a signal; the next pass does what is left",
            ),
            Done::Static => report.notes.push(crate::plan::Note {
                subject: address.to_string(),
                text: "left alone: it stands in NGINX's configuration".to_owned(),
            }),
            Done::Failed(error) => {
                let verb = step.verb();
                report.fail(error.kind.name(), format!("{verb} {address}: {error}"));
            }
        }
    }
}
