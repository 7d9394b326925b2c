//! Everything that a status tells, before it becomes JSON or a page.

use super::super::moment::Moment;
use super::history::{Change, History, LastPass, Past, Unfinished};
use super::live::{DEADLINE, Reading};
use super::process::Process;
use crate::model::Upstream;
use crate::reconcile::{Calls, NoReport, Outcome, UpstreamReport};

/// One status.
#[derive(Debug)]
pub(super) struct Snapshot {
    pub(super) process: Process,
    pub(super) now: Moment,
    pub(super) passes: u64,
    pub(super) last_pass: Option<LastPass>,
    pub(super) unfinished: Option<Unfinished>,
    pub(super) read: Read,
    /// In the configuration's order.
    pub(super) upstreams: Vec<UpstreamStatus>,
    /// The newest first.
    pub(super) changes: Vec<Change>,
}

/// The live reading.
#[derive(Debug)]
pub(super) enum Read {
    Done {
        at: Moment,
        took_ms: u64,
        calls: Calls,
    },
    Missing {
        why: String,
    },
}

/// One upstream: what there is now beside what this process did last.
#[derive(Debug)]
pub(super) struct UpstreamStatus {
    /// The live reading; without one the last pass's report, or an empty one.
    pub(super) report: UpstreamReport,
    pub(super) seen: Seen,
    pub(super) past: Option<Past>,
    pub(super) condition: Condition,
}

/// Where [`UpstreamStatus::report`] comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Seen {
    Live,
    LastPass,
    Never,
}

impl Seen {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::LastPass => "last_pass",
            Self::Never => "never",
        }
    }
}

/// What an upstream's state means to an operator. Ordered: the worse comes later.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Condition {
    /// NGINX has what Azure has.
    InStep,
    /// Changes are due that the configuration's `policy` holds.
    HeldByPolicy,
    /// Changes are due; the next pass makes them.
    Pending,
    /// Changes are due that a guard holds.
    Held,
    /// Nothing could be read now.
    Unknown,
    /// Something cannot be read, or changes are due and the last pass failed.
    Failed,
}

impl Condition {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::InStep => "in_step",
            Self::HeldByPolicy => "held_by_policy",
            Self::Pending => "pending",
            Self::Held => "held",
            Self::Unknown => "unknown",
            Self::Failed => "failed",
        }
    }

    fn of(report: &UpstreamReport, past: Option<&Past>) -> Self {
        let due = report
            .planned
            .as_ref()
            .is_some_and(|steps| !steps.is_empty());
        let failed = past.is_some_and(|past| past.report.outcome() == Outcome::Failed);
        match report.outcome() {
            Outcome::Failed => Self::Failed,
            _ if due && failed => Self::Failed,
            Outcome::Held => Self::Held,
            _ if due => Self::Pending,
            _ if !report.held.is_empty() => Self::HeldByPolicy,
            _ => Self::InStep,
        }
    }
}

impl Snapshot {
    pub(super) fn new(
        process: Process,
        upstreams: &[Upstream],
        history: &History,
        reading: &Reading,
    ) -> Self {
        let live = match reading {
            Reading::Live(report) => Some(report),
            Reading::None(_) => None,
        };
        let status = |upstream: &Upstream| {
            let past = history.past(&upstream.key).cloned();
            let reports = live.iter().flat_map(|live| &live.upstreams);
            let live = reports.clone().find(|report| report.key == upstream.key);
            let (report, seen) = match (live, &past) {
                (Some(live), _) => (live.clone(), Seen::Live),
                (None, Some(past)) => (past.report.clone(), Seen::LastPass),
                (None, None) => {
                    let report = UpstreamReport::new(upstream.key.clone(), upstream.group_names());
                    (report, Seen::Never)
                }
            };
            let condition = match seen {
                Seen::Live => Condition::of(&report, past.as_ref()),
                Seen::LastPass | Seen::Never => Condition::Unknown,
            };
            UpstreamStatus {
                report,
                seen,
                past,
                condition,
            }
        };
        Self {
            process,
            now: Moment::now(),
            passes: history.passes(),
            last_pass: history.last_pass().cloned(),
            unfinished: history.unfinished().cloned(),
            read: match reading {
                Reading::Live(report) => Read::Done {
                    at: Moment::from(report.started),
                    took_ms: super::super::report_json::millis(report.took),
                    calls: report.calls,
                },
                Reading::None(NoReport::DeadlinePassed) => Read::Missing {
                    why: format!("no answer within {} s", DEADLINE.as_secs()),
                },
                Reading::None(error @ NoReport::Panicked(_)) => Read::Missing {
                    why: crate::telemetry::clean(&error.to_string(), 300),
                },
            },
            upstreams: upstreams.iter().map(status).collect(),
            changes: history.changes().cloned().collect(),
        }
    }

    /// The worst condition of the upstreams.
    pub(super) fn condition(&self) -> Condition {
        let conditions = self.upstreams.iter().map(|upstream| upstream.condition);
        conditions.max().unwrap_or(Condition::InStep)
    }
}
