//! `plan`: what a pass would change.

use std::fmt::Write as _;
use std::io::IsTerminal as _;
use std::process::ExitCode;
use std::time::Duration;

use serde_json::json;
use tokio::time::Instant;

use super::Format;
use crate::config::Config;
use crate::host::upstream_json;
use crate::plan::Step;
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
        .pass(&Scope::All, &Intent::Show, deadline)
        .await;
    match format {
        Format::Text => {
            let colour = std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
            print!("{}", text(&report, colour));
        }
        Format::Json => {
            let upstreams: Vec<_> = report.upstreams.iter().map(upstream_json).collect();
            println!("{:#}", json!({ "upstreams": upstreams }));
        }
    }
    let pending = |upstream: &UpstreamReport| {
        upstream.held.iter().any(|held| !held.reason.is_policy())
            || upstream
                .planned
                .as_ref()
                .is_some_and(|steps| !steps.is_empty())
    };
    Ok(if report.outcome() == Outcome::Failed {
        ExitCode::FAILURE
    } else if report.upstreams.iter().any(pending) {
        ExitCode::from(2)
    } else {
        ExitCode::SUCCESS
    })
}

/// The plan for people.
fn text(report: &PassReport, colour: bool) -> String {
    let paint = |code: &str, text: &str| {
        if colour {
            format!("\u{1b}[{code}m{text}\u{1b}[0m")
        } else {
            text.to_owned()
        }
    };
    let mut out = String::new();
    // Writing to a String cannot fail.
    for upstream in &report.upstreams {
        let steps = upstream.planned.as_deref().unwrap_or_default();
        let _ = writeln!(out, "{} ({})", upstream.key, upstream.groups);
        for step in steps {
            let (sign, code, why) = match step {
                Step::Add { .. } => ("+", "32", String::new()),
                Step::Remove { why, .. } => ("-", "31", format!("  {why}")),
                Step::Drain { why, .. } => ("-", "33", format!("  drain: its instance is {why}")),
                Step::Undrain { .. } => ("~", "36", "  back into service".to_owned()),
                Step::Replace { .. } => ("~", "36", "  replace: backup differs".to_owned()),
                Step::Patch { changes, .. } => ("~", "36", format!("  {}", changes.describe())),
            };
            let _ = writeln!(
                out,
                "  {}",
                paint(code, &format!("{sign} {}{why}", step.address()))
            );
        }
        for held in &upstream.held {
            let line = format!(
                "! held: {} {}: {}; {}",
                held.step.verb(),
                held.step.address(),
                held.reason,
                held.reason.release()
            );
            let _ = writeln!(out, "  {}", paint("35", &line));
        }
        if let Some(digest) = &upstream.digest {
            let _ = writeln!(out, "  digest of what is held: {digest}");
        }
        for note in &upstream.notes {
            let _ = writeln!(out, "  . {}: {}", note.subject, note.text);
        }
        for failure in &upstream.failures {
            let line = format!("x failed ({}): {}", failure.kind, failure.message);
            let _ = writeln!(out, "  {}", paint("31", &line));
        }
        if steps.is_empty() && upstream.held.is_empty() && upstream.failures.is_empty() {
            let _ = writeln!(
                out,
                "  nothing to change, {} servers",
                upstream.servers.len()
            );
        }
    }
    out
}
