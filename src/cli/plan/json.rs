//! The plan for programs. `docs/plan.md` describes it.

use serde_json::{Map, Value, json};

use super::{State, reasons, state};
use crate::model::ServerAddress;
use crate::plan::{Changes, Held, Step};
use crate::reconcile::{PassReport, UpstreamReport};

/// The form. A change that breaks readers gets a new number.
const SCHEMA: &str = "nginx-vmss-sync/plan/1";

pub(super) fn json(report: &PassReport) -> Value {
    json!({
        "schema": SCHEMA,
        "version": env!("CARGO_PKG_VERSION"),
        "outcome": state(report).name(),
        "upstreams": report.upstreams.iter().map(upstream).collect::<Vec<_>>(),
    })
}

fn upstream(report: &UpstreamReport) -> Value {
    let steps = report.planned.as_deref().unwrap_or_default();
    let failures = report.failures.iter();
    let notes = report.notes.iter();
    json!({
        "name": report.key.name,
        "kind": report.key.kind.path(),
        "scale_sets": report.groups.split(',').collect::<Vec<_>>(),
        "outcome": State::of(report).name(),
        "servers": report.servers.iter().map(ServerAddress::to_string).collect::<Vec<_>>(),
        "planned": steps.iter().map(|one| step(one, report)).collect::<Vec<_>>(),
        "held": report.held.iter().map(held).collect::<Vec<_>>(),
        "digest": report.digest,
        "skipped": notes
            .map(|note| json!({ "subject": note.subject, "reason": note.text }))
            .collect::<Vec<_>>(),
        "failures": failures
            .map(|failure| json!({ "kind": failure.kind, "message": failure.message }))
            .collect::<Vec<_>>(),
    })
}

fn step(step: &Step, report: &UpstreamReport) -> Value {
    let changes = match step {
        Step::Patch { changes, .. } => Some(parameters(changes)),
        _ => None,
    };
    json!({
        "action": step.verb(),
        "server": step.address().to_string(),
        "reason": reasons::of(step, report),
        "changes": changes,
    })
}

/// The parameters that get a new value, times as NGINX writes them.
fn parameters(changes: &Changes) -> Value {
    let Changes {
        max_conns,
        max_fails,
        fail_timeout,
        slow_start,
        weight,
    } = changes;
    let mut map = Map::new();
    let mut put = |name: &str, value: Option<Value>| {
        map.extend(value.map(|value| (name.to_owned(), value)));
    };
    put("max_conns", max_conns.map(Value::from));
    put("max_fails", max_fails.map(Value::from));
    put(
        "fail_timeout",
        fail_timeout.map(|time| json!(time.to_string())),
    );
    put("slow_start", slow_start.map(|time| json!(time.to_string())));
    put("weight", weight.map(Value::from));
    Value::Object(map)
}

fn held(held: &Held) -> Value {
    json!({
        "action": held.step.verb(),
        "server": held.step.address().to_string(),
        "reason": held.reason.to_string(),
        "release": held.reason.release(),
    })
}
