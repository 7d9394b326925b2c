//! The plan for people: per upstream one line for each step, each with its reason.

use super::super::style::{Ink, Style};
use super::reasons;
use crate::plan::Step;
use crate::reconcile::{PassReport, UpstreamReport};

pub(super) fn text(report: &PassReport, style: Style) -> String {
    let mut out = String::new();
    for upstream in &report.upstreams {
        out.push_str(&section(upstream, style));
        out.push('\n');
    }
    out.push_str(&summary(report));
    out.push('\n');
    out
}

fn section(report: &UpstreamReport, style: Style) -> String {
    let steps = report.planned.as_deref().unwrap_or_default();
    let addresses = steps.iter().map(Step::address);
    let addresses = addresses.chain(report.held.iter().map(|held| held.step.address()));
    let subjects = addresses.map(ToString::to_string);
    let subjects = subjects.chain(report.notes.iter().map(|note| note.subject.clone()));
    let width = subjects.map(|subject| subject.chars().count()).max();
    let width = width.unwrap_or_default();
    let row = |ink: Ink, sign: char, subject: &str, why: &str| {
        let line = format!("{sign} {subject:<width$}  {why}");
        format!("  {}\n", style.paint(ink, &line))
    };
    let title = format!(
        "{} upstream `{}` from {}",
        report.key.kind.path(),
        report.key.name.escape_debug(),
        sets(&report.groups)
    );
    let mut out = format!("{}\n", style.paint(Ink::Bold, &title));
    for step in steps {
        let (sign, ink) = sign(step);
        let why = format!("{}: {}", step.verb(), reasons::of(step, report));
        out.push_str(&row(ink, sign, &step.address().to_string(), &why));
    }
    // Each reason once, below the steps that it holds.
    for group in report.held.chunk_by(|a, b| a.reason == b.reason) {
        for held in group {
            let why = format!("{}: held", held.step.verb());
            let address = held.step.address().to_string();
            out.push_str(&row(Ink::Magenta, '!', &address, &why));
        }
        let reason = group[0].reason;
        let release = reason.release();
        out.push_str(&format!("    because {reason};\n    {release}\n"));
    }
    if let Some(digest) = &report.digest {
        let body = format!("{{\"force\":\"{digest}\"}}");
        out.push_str(&format!(
            "    this plan's digest: POST {body} to `Reconcile`\n"
        ));
    }
    for note in &report.notes {
        out.push_str(&row(Ink::Faint, '.', &note.subject, &note.text));
    }
    for failure in &report.failures {
        let line = format!("x failed ({}): {}", failure.kind, failure.message);
        out.push_str(&format!("  {}\n", style.paint(Ink::Red, &line)));
    }
    if steps.is_empty() && report.held.is_empty() && report.failures.is_empty() {
        let count = report.servers.len();
        out.push_str(&format!("  nothing to change, {count} servers\n"));
    }
    out
}

fn sets(groups: &str) -> String {
    let names: Vec<String> = groups.split(',').map(|name| format!("`{name}`")).collect();
    names.join(", ")
}

fn sign(step: &Step) -> (char, Ink) {
    match step {
        Step::Add { .. } => ('+', Ink::Green),
        Step::Remove { .. } => ('-', Ink::Red),
        Step::Drain { .. } => ('-', Ink::Yellow),
        Step::Undrain { .. } | Step::Replace { .. } | Step::Patch { .. } => ('~', Ink::Cyan),
    }
}

fn summary(report: &PassReport) -> String {
    let planned = report
        .upstreams
        .iter()
        .flat_map(|one| one.planned.iter().flatten());
    let mut parts = Vec::new();
    for verb in ["add", "update", "undrain", "replace", "drain", "remove"] {
        let count = planned.clone().filter(|step| step.verb() == verb).count();
        if count > 0 {
            parts.push(format!("{count} to {verb}"));
        }
    }
    let held = report
        .upstreams
        .iter()
        .map(|one| one.held.len())
        .sum::<usize>();
    if held > 0 {
        parts.push(format!("{held} held"));
    }
    let is_failed = |one: &&UpstreamReport| !one.failures.is_empty();
    let failed = report.upstreams.iter().filter(is_failed).count();
    if failed > 0 {
        let of = report.upstreams.len();
        parts.push(format!("{failed} of {of} upstreams not wholly read"));
    }
    if parts.is_empty() {
        return "Plan: nothing to change.".to_owned();
    }
    format!("Plan: {}. Nothing was changed.", parts.join(", "))
}
