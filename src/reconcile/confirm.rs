//! A last look at NGINX before anything is taken out.
//!
//! A plan rests on a list of servers that is as old as Azure's answers are slow. Meanwhile another
//! handler may have taken out what this plan counts on to stay, and a reload may have given the ids
//! to other servers. One more read narrows both to a round trip; it can only make a plan smaller.

use std::sync::atomic::Ordering;

use tokio::time::Instant;

use super::apply::Applier;
use super::report::UpstreamReport;
use crate::model::Server;
use crate::plan::{Held, HoldReason, Note, Step};

impl Applier<'_> {
    /// Those of the steps that are still about the server they were planned for, and that leave
    /// something in service.
    pub(super) async fn confirm<'s>(
        &self,
        steps: Vec<&'s Step>,
        report: &mut UpstreamReport,
    ) -> Vec<&'s Step> {
        let (steps, now) = self.look(steps, report).await;
        self.keep_something(steps, &now, report)
    }

    /// Those of the steps that are still about the server they were planned for, and NGINX's
    /// servers as they are now.
    pub(super) async fn look<'s>(
        &self,
        steps: Vec<&'s Step>,
        report: &mut UpstreamReport,
    ) -> (Vec<&'s Step>, Vec<Server>) {
        if steps.is_empty() || self.stopped.load(Ordering::Relaxed) {
            return (steps, self.servers.to_vec());
        }
        let key = &self.upstream.key;
        let mut now = match self.balancer.servers(key, self.deadline).await {
            Ok(now) => now,
            Err(error) => {
                let text = format!("nothing is taken out: the last look before it failed: {error}");
                report.fail(error.kind.name(), text);
                return (Vec::new(), self.servers.to_vec());
            }
        };
        self.statics.mark(key, &mut now);
        let (same, other): (Vec<&Step>, Vec<&Step>) = steps
            .into_iter()
            .partition(|step| now.iter().any(|server| is_about(step, server)));
        let there = |step: &&Step| now.iter().any(|server| server.address == *step.address());
        for step in other.into_iter().filter(there) {
            report.notes.push(Note {
                subject: step.address().to_string(),
                text: "NGINX gave it another id during the pass; the next one judges it again"
                    .to_owned(),
            });
        }
        (same, now)
    }

    /// Whether it is in service, as far as this process knows.
    pub(super) fn serves(&self, server: &Server) -> bool {
        let drains = self.drains.progress(&self.upstream.key, Instant::now());
        server.in_service() && !drains.contains_key(&server.address)
    }

    /// Holds what would leave nothing in service, judged by the list as it is now.
    fn keep_something<'s>(
        &self,
        steps: Vec<&'s Step>,
        now: &[Server],
        report: &mut UpstreamReport,
    ) -> Vec<&'s Step> {
        if steps.is_empty() || self.may_empty || !report.added.is_empty() {
            return steps;
        }
        let in_service = |server: &Server| self.serves(server);
        let goes = |server: &Server| steps.iter().any(|step| is_about(step, server));
        let ours = || now.iter().filter(|server| self.upstream.owns(server));
        let any_in_service = ours().any(in_service);
        let something_stays =
            ours().any(|server| !goes(server) && (in_service(server) || !any_in_service));
        if something_stays {
            return steps;
        }
        let precious = |step: &Step| {
            ours().any(|server| is_about(step, server) && (in_service(server) || !any_in_service))
        };
        let (held, steps): (Vec<&Step>, Vec<&Step>) =
            steps.iter().copied().partition(|step| precious(step));
        report.held.extend(held.into_iter().map(|step| Held {
            step: step.clone(),
            reason: match step {
                Step::Replace { .. } => HoldReason::LastInService,
                _ => HoldReason::WouldEmpty,
            },
        }));
        steps
    }
}

pub(super) fn is_about(step: &Step, server: &Server) -> bool {
    step.id() == Some(server.id) && *step.address() == server.address
}
