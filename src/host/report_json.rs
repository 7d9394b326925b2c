//! A pass as JSON: the reply of `Reconcile`, and the part of it that `plan` and `Status` share.

use serde_json::{Value, json};

use crate::model::ServerAddress;
use crate::plan::{Held, Step};
use crate::reconcile::{PassReport, UpstreamReport};

/// One pass.
pub(super) fn pass(report: &PassReport) -> Value {
    json!({
        "started": super::moment::Moment::from(report.started).to_string(),
        "took_ms": millis(report.took),
        "azure_calls": report.calls.azure,
        "nginx_calls": report.calls.nginx,
        "outcome": report.outcome().name(),
        "upstreams": report.upstreams.iter().map(upstream).collect::<Vec<_>>(),
    })
}

/// One upstream's report: the schema of `plan --format json`, `Reconcile` and `Status`.
pub(crate) fn upstream(report: &UpstreamReport) -> Value {
    let planned = report
        .planned
        .as_ref()
        .map(|steps| steps.iter().map(step).collect::<Vec<_>>());
    let notes: Vec<Value> = report
        .notes
        .iter()
        .map(|note| json!({ "subject": note.subject, "text": note.text }))
        .collect();
    json!({
        "name": report.key.name,
        "kind": report.key.kind.path(),
        "scale_sets": report.groups,
        "outcome": report.outcome().name(),
        "servers": texts(&report.servers),
        "added": texts(&report.added),
        "removed": texts(&report.removed),
        "updated": texts(&report.updated),
        "draining": texts(&report.draining),
        "planned": planned,
        "held": report.held.iter().map(held).collect::<Vec<_>>(),
        "digest": report.digest,
        "failures": failures(report),
        "notes": notes,
    })
}

pub(super) fn failures(report: &UpstreamReport) -> Vec<Value> {
    let failures = report.failures.iter();
    failures
        .map(|failure| json!({ "kind": failure.kind, "message": failure.message }))
        .collect()
}

pub(super) fn texts(addresses: &[ServerAddress]) -> Vec<String> {
    addresses.iter().map(ToString::to_string).collect()
}

fn step(step: &Step) -> Value {
    json!({ "action": step.verb(), "server": step.address().to_string(), "reason": why(step) })
}

fn held(held: &Held) -> Value {
    json!({
        "action": held.step.verb(),
        "server": held.step.address().to_string(),
        "reason": held.reason.to_string(),
        "release": held.reason.release(),
    })
}

/// Why a step is taken, where that does not go without saying.
pub(super) fn why(step: &Step) -> Option<String> {
    match step {
        Step::Remove { why, .. } => Some(why.to_string()),
        Step::Drain { why, .. } => Some(format!("its instance is {why}")),
        _ => None,
    }
}

pub(super) fn millis(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
