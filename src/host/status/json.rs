//! The status for programs. `docs/status.md` describes it; what is there may be relied on.

use serde_json::{Map, Value, json};

use super::super::report_json;
use super::history::{Change, Past};
use super::snapshot::{Read, Snapshot, UpstreamStatus};
use crate::model::Phase;
use crate::reconcile::{Absent, AbsentWhy, Member, Next, Origin, SourceView};

/// Goes up when something that stood here is taken away or changes its meaning; what is merely new
/// does not count.
pub(super) const SCHEMA: u32 = 1;

pub(super) fn status(snapshot: &Snapshot) -> Value {
    let read = match &snapshot.read {
        Read::Done { at, took_ms, calls } => json!({
            "at": at.to_string(),
            "age_seconds": at.seconds_until(snapshot.now),
            "took_ms": took_ms,
            "azure_calls": calls.azure,
            "nginx_calls": calls.nginx,
            "problem": null,
        }),
        Read::Missing { why } => json!({ "at": null, "problem": why }),
    };
    let last_pass = snapshot.last_pass.as_ref().map(|pass| {
        json!({
            "at": pass.at.to_string(),
            "trigger": pass.trigger,
            "outcome": pass.outcome.name(),
            "upstreams": pass.upstreams,
            "took_ms": pass.took_ms,
            "azure_calls": pass.calls.azure,
            "nginx_calls": pass.calls.nginx,
        })
    });
    let unfinished = snapshot.unfinished.as_ref().map(
        |one| json!({ "at": one.at.to_string(), "trigger": one.trigger, "reason": one.reason }),
    );
    let process = &snapshot.process;
    json!({
        "schema": SCHEMA,
        "version": env!("CARGO_PKG_VERSION"),
        "view": "one handler process: instances share no memory; servers are read live",
        "process": {
            "instance": process.instance,
            "pid": process.pid,
            "started": process.started.to_string(),
            "uptime_seconds": process.uptime_seconds(),
        },
        "condition": snapshot.condition().name(),
        "passes": snapshot.passes,
        "last_pass": last_pass,
        "last_unfinished": unfinished,
        "read_at": read["at"],
        "read": read,
        "upstreams": snapshot.upstreams.iter().map(|one| upstream(one, snapshot)).collect::<Vec<_>>(),
        "changes": snapshot.changes.iter().map(change).collect::<Vec<_>>(),
    })
}

fn upstream(status: &UpstreamStatus, snapshot: &Snapshot) -> Value {
    let mut value = report_json::upstream(&status.report);
    let Value::Object(object) = &mut value else {
        return value;
    };
    object.insert("condition".into(), json!(status.condition.name()));
    object.insert("seen".into(), json!(status.seen.name()));
    object.insert("servers_read".into(), json!(status.report.servers_read));
    let body = status.report.digest.as_deref().map(release_body);
    object.insert("release_body".into(), json!(body));
    let survey = status.report.survey.as_ref();
    let list = |items: Option<Vec<Value>>| items.map_or(Value::Null, Value::Array);
    let sources = survey.map(|survey| survey.sources.iter().map(source).collect());
    object.insert("sources".into(), list(sources));
    let members = survey.map(|survey| survey.members.iter().map(member).collect());
    object.insert("members".into(), list(members));
    let absent = survey.map(|survey| survey.absent.iter().map(absent).collect());
    object.insert("not_in_upstream".into(), list(absent));
    last(status.past.as_ref(), snapshot, object);
    value
}

/// What this process did with an upstream last.
fn last(past: Option<&Past>, snapshot: &Snapshot, object: &mut Map<String, Value>) {
    let success = past.and_then(|past| past.last_success);
    let age = success.map(|at| at.seconds_until(snapshot.now));
    let failures = past.map(|past| report_json::failures(&past.report));
    let servers = past.map(|past| report_json::texts(&past.servers));
    for (key, value) in [
        ("last_attempt", json!(past.map(|past| past.at.to_string()))),
        ("last_success", json!(success.map(|at| at.to_string()))),
        ("last_success_age_seconds", json!(age)),
        (
            "last_outcome",
            json!(past.map(|past| past.report.outcome().name())),
        ),
        ("last_trigger", json!(past.map(|past| past.trigger))),
        ("last_took_ms", json!(past.map(|past| past.took_ms))),
        ("last_failures", json!(failures)),
        ("last_servers", json!(servers)),
        (
            "last_line",
            json!(past.map(|past| past.report.line()).unwrap_or_default()),
        ),
    ] {
        object.insert(key.into(), value);
    }
}

/// The body of the `Reconcile` request that releases a held plan.
pub(super) fn release_body(digest: &str) -> String {
    json!({ "force": digest }).to_string()
}

fn source(source: &SourceView) -> Value {
    json!({
        "scale_set": source.set.name,
        "resource_group": source.set.resource_group,
        "subscription_id": source.set.subscription,
        "port": source.port,
        "capacity": source.capacity,
        "instances": source.instances,
        "complete": source.complete,
    })
}

fn member(member: &Member) -> Value {
    let (instance, set, phase) = match &member.origin {
        Origin::Instance { name, set, phase } => (Some(name), Some(set), Some(phase)),
        _ => (None, None, None),
    };
    json!({
        "address": member.address.to_string(),
        "nginx_state": member.state.map(crate::model::PeerState::name),
        "active_connections": member.active,
        "backup": member.backup,
        "origin": origin(&member.origin),
        "instance": instance,
        "scale_set": set,
        "phase": phase.map(phase_name),
        "reason": reason(&member.origin),
        "remarks": member.remarks,
        "next": member.next.iter().map(next).collect::<Vec<_>>(),
    })
}

const fn origin(origin: &Origin) -> &'static str {
    match origin {
        Origin::Instance { .. } => "instance",
        Origin::NoInstance => "none",
        Origin::Unread => "unread",
        Origin::Configured => "configured",
        Origin::NotOurs => "not_ours",
    }
}

/// The state of a server's instance in words, where it is not simply serving.
pub(super) fn reason(origin: &Origin) -> Option<String> {
    match origin {
        Origin::Instance { phase, .. } => phase_reason(phase),
        Origin::NoInstance => Some("no instance has this address".to_owned()),
        Origin::Unread => Some(
            "no instance with this address was seen, and not everything could be read".to_owned(),
        ),
        Origin::Configured => Some("part of NGINX's configuration: never changed".to_owned()),
        Origin::NotOurs => Some("outside this upstream's `networks`: never changed".to_owned()),
    }
}

pub(super) fn phase_reason(phase: &Phase) -> Option<String> {
    match phase {
        Phase::Serving => None,
        Phase::Arriving(why) => Some(why.to_string()),
        Phase::Leaving(why) => Some(why.to_string()),
    }
}

pub(super) const fn phase_name(phase: &Phase) -> &'static str {
    match phase {
        Phase::Serving => "serving",
        Phase::Arriving(_) => "arriving",
        Phase::Leaving(_) => "leaving",
    }
}

fn absent(absent: &Absent) -> Value {
    let next = match &absent.why {
        AbsentWhy::Next(step) => next(step),
        AbsentWhy::NotAdded(_) | AbsentWhy::AddressTaken => Value::Null,
    };
    json!({
        "instance": absent.name,
        "scale_set": absent.set,
        "phase": phase_name(&absent.phase),
        "address": absent.address.map(|address| address.to_string()),
        "reason": absence(&absent.why),
        "next": next,
    })
}

/// Why an instance is not in the upstream, in words.
pub(super) fn absence(why: &AbsentWhy) -> String {
    match why {
        AbsentWhy::NotAdded(text) => text.clone(),
        AbsentWhy::Next(Next { held: None, .. }) => "the next pass adds it".to_owned(),
        AbsentWhy::Next(Next {
            held: Some(reason), ..
        }) => format!("not added: {reason}"),
        AbsentWhy::AddressTaken => "another instance has its address now".to_owned(),
    }
}

fn next(next: &Next) -> Value {
    json!({
        "action": next.step.verb(),
        "reason": report_json::why(&next.step),
        "held": next.held.map(|reason| reason.to_string()),
        "release": next.held.map(crate::plan::HoldReason::release),
    })
}

fn change(change: &Change) -> Value {
    let counts = &change.counts;
    json!({
        "at": change.at.to_string(),
        "last_at": change.last_at.to_string(),
        "passes": change.passes,
        "upstream": change.key.name,
        "kind": change.key.kind.path(),
        "trigger": change.trigger,
        "outcome": change.outcome.name(),
        "forced": change.forced,
        "added": counts.added,
        "removed": counts.removed,
        "updated": counts.updated,
        "draining": counts.draining,
        "held": counts.held,
        "failed": counts.failed,
    })
}
