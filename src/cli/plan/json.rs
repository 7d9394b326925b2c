//! The plan for programs: `Reconcile`'s report, with a reason for every step and what it changes.
//! `docs/plan.md` describes it.

use serde_json::{Map, Value, json};

use super::{State, reasons, state};
use crate::host::upstream_json;
use crate::plan::{Changes, Step};
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
    let steps: Vec<Value> = steps.iter().map(|one| step(one, report)).collect();
    let mut value = upstream_json(report);
    value["outcome"] = json!(State::of(report).name());
    value["planned"] = json!(steps);
    value
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Kind, UpstreamKey};

    #[test]
    fn the_document_has_this_schema_and_every_key() {
        let document = include_str!("../../../docs/plan.md");
        assert!(document.contains(&format!("\"schema\": \"{SCHEMA}\"")));
        let key = UpstreamKey {
            kind: Kind::Http,
            name: "web".to_owned(),
        };
        let value = upstream(&UpstreamReport::new(key, "web-vmss".to_owned()));
        for name in value.as_object().unwrap().keys() {
            assert!(document.contains(&format!("`….{name}")), "{name}");
            assert!(document.contains(&format!("\"{name}\":")), "{name}");
        }
        for state in [State::Settled, State::Pending, State::Held, State::Failed] {
            assert!(
                document.contains(&format!("`{}`", state.name())),
                "{state:?}"
            );
        }
    }
}
