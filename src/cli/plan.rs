//! `plan`: what a pass would change.

mod json;
mod reasons;
mod text;

use std::process::ExitCode;
use std::time::Duration;

use tokio::time::Instant;

use super::output::print;
use super::style::Style;
use super::{Format, hint_at_check};
use crate::config::Config;
use crate::reconcile::{Intent, Outcome, PassReport, Scope, UpstreamReport};
use crate::services::Services;

/// Reading everything at most.
const DEADLINE: Duration = Duration::from_secs(60);

/// Prints the plan. Exit 0: nothing to change; 2: changes are pending; 1: something failed.
pub(super) async fn plan(config: &Config, format: Format) -> anyhow::Result<ExitCode> {
    let services = Services::new(config)?;
    let deadline = Instant::now() + DEADLINE;
    let report = services
        .reconciler
        .pass(&Scope::All, &Intent::Survey, deadline)
        .await;
    match format {
        Format::Text => print(&text::text(&report, Style::of_stdout())),
        Format::Json => print(&format!("{:#}\n", json::json(&report))),
    }
    Ok(match state(&report) {
        State::Failed => {
            hint_at_check();
            ExitCode::FAILURE
        }
        State::Pending | State::Held => ExitCode::from(2),
        State::Settled => ExitCode::SUCCESS,
    })
}

/// Where a plan leaves an upstream, ordered by what deserves more attention.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum State {
    /// Nothing is to be changed, or only by leave of its `policy`.
    Settled,
    /// The next pass changes something.
    Pending,
    /// Something is held that the next pass judges anew.
    Held,
    /// Something could not be read.
    Failed,
}

impl State {
    /// The name for programs.
    const fn name(self) -> &'static str {
        match self {
            Self::Settled => "unchanged",
            Self::Pending => "pending",
            Self::Held => "held",
            Self::Failed => "failed",
        }
    }

    fn of(upstream: &UpstreamReport) -> Self {
        match upstream.outcome() {
            Outcome::Failed => Self::Failed,
            Outcome::Held => Self::Held,
            Outcome::Changed | Outcome::Unchanged => {
                let steps = upstream.planned.as_deref().unwrap_or_default();
                if steps.is_empty() {
                    Self::Settled
                } else {
                    Self::Pending
                }
            }
        }
    }
}

/// The state of the whole plan: that of the upstream which deserves most attention.
fn state(report: &PassReport) -> State {
    let states = report.upstreams.iter().map(State::of);
    states.max().unwrap_or(State::Settled)
}
