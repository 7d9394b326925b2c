//! `Status`: what this process has done, and what NGINX and Azure say now.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::model::UpstreamKey;
use crate::plan::Step;
use crate::reconcile::{Outcome, PassReport, UpstreamReport};

/// What this process remembers of its passes.
#[derive(Debug, Default)]
pub(super) struct History {
    upstreams: BTreeMap<UpstreamKey, Past>,
    passes: u64,
}

#[derive(Debug, Default, Clone)]
struct Past {
    last_attempt: Option<String>,
    last_success: Option<String>,
    outcome: &'static str,
    line: String,
}

impl History {
    pub(super) fn note(&mut self, report: &PassReport) {
        self.passes += 1;
        let started = rfc3339(report);
        for upstream in &report.upstreams {
            let past = self.upstreams.entry(upstream.key.clone()).or_default();
            past.last_attempt = Some(started.clone());
            if upstream.outcome() != Outcome::Failed {
                past.last_success = Some(started.clone());
            }
            past.outcome = upstream.outcome().name();
            past.line = upstream.line();
        }
    }

    /// The status: this process's past beside a live reading.
    pub(super) fn status(&self, live: &PassReport) -> Value {
        let upstreams: Vec<Value> = live
            .upstreams
            .iter()
            .map(|upstream| {
                let past = self
                    .upstreams
                    .get(&upstream.key)
                    .cloned()
                    .unwrap_or_default();
                let mut value = self::upstream(upstream);
                if let Value::Object(value) = &mut value {
                    value.insert("last_attempt".into(), json!(past.last_attempt));
                    value.insert("last_success".into(), json!(past.last_success));
                    let outcome = past.last_attempt.as_ref().map(|_| past.outcome);
                    value.insert("last_outcome".into(), json!(outcome));
                    value.insert("last_line".into(), json!(past.line));
                }
                value
            })
            .collect();
        json!({
            "version": env!("CARGO_PKG_VERSION"),
            "view": "one handler process: instances share no memory; servers are read live",
            "passes": self.passes,
            "read_at": rfc3339(live),
            "upstreams": upstreams,
        })
    }
}

fn rfc3339(report: &PassReport) -> String {
    let seconds = i64::try_from(report.started.as_secs()).unwrap_or_default();
    OffsetDateTime::from_unix_timestamp(seconds)
        .ok()
        .and_then(|time| time.format(&Rfc3339).ok())
        .unwrap_or_default()
}

/// One pass as JSON.
pub(super) fn pass(report: &PassReport) -> Value {
    json!({
        "started": rfc3339(report),
        "took_ms": u64::try_from(report.took.as_millis()).unwrap_or(u64::MAX),
        "outcome": report.outcome().name(),
        "upstreams": report.upstreams.iter().map(upstream).collect::<Vec<_>>(),
    })
}

/// One upstream's report as JSON: the schema of `plan --format json`, `Reconcile` and `Status`.
pub(crate) fn upstream(report: &UpstreamReport) -> Value {
    let texts = |addresses: &[crate::model::ServerAddress]| -> Vec<String> {
        addresses.iter().map(ToString::to_string).collect()
    };
    let step = |step: &Step| {
        let why = match step {
            Step::Remove { why, .. } => Some(why.to_string()),
            Step::Drain { why, .. } => Some(format!("its instance is {why}")),
            _ => None,
        };
        json!({ "action": step.verb(), "server": step.address().to_string(), "reason": why })
    };
    let held: Vec<Value> = report
        .held
        .iter()
        .map(|held| {
            json!({
                "action": held.step.verb(),
                "server": held.step.address().to_string(),
                "reason": held.reason.to_string(),
                "release": held.reason.release(),
            })
        })
        .collect();
    let failures: Vec<Value> = report
        .failures
        .iter()
        .map(|failure| json!({ "kind": failure.kind, "message": failure.message }))
        .collect();
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
        "planned": report.planned.as_ref().map(|steps| steps.iter().map(step).collect::<Vec<_>>()),
        "held": held,
        "digest": report.digest,
        "failures": failures,
        "notes": notes,
    })
}

/// Whether the caller's `Accept` header asks for a page.
pub(super) fn wants_html(request: Option<&Value>) -> bool {
    let Some(Value::Object(headers)) = request.and_then(|request| request.get("Headers")) else {
        return false;
    };
    headers
        .iter()
        .filter(|(name, _)| name.eq_ignore_ascii_case("accept"))
        .any(|(_, value)| value.to_string().to_lowercase().contains("text/html"))
}

/// The status as a page without any outside resource.
pub(super) fn page(status: &Value) -> String {
    let text = |value: &Value, key: &str| match value.get(key) {
        Some(Value::String(text)) => escape(text),
        Some(Value::Array(items)) => {
            let items: Vec<String> = items.iter().filter_map(Value::as_str).map(escape).collect();
            items.join("<br>")
        }
        _ => "–".to_owned(),
    };
    let mut rows = String::new();
    for upstream in status
        .get("upstreams")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
    {
        rows.push_str(&format!(
            "<tr><td>{} ({})</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>",
            text(upstream, "name"),
            text(upstream, "kind"),
            text(upstream, "scale_sets"),
            text(upstream, "outcome"),
            text(upstream, "servers"),
            text(upstream, "last_success"),
            text(upstream, "last_line"),
        ));
    }
    format!(
        "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content=\"width=device-width\">\
         <title>nginx-vmss-sync</title><style>:root{{color-scheme:light dark}}body{{font:1rem system-ui;margin:1rem}}\
         td,th{{padding:.3rem .6rem;text-align:left;vertical-align:top}}</style><h1>nginx-vmss-sync {}</h1><p>{}</p>\
         <table><tr><th>upstream<th>scale sets<th>state<th>servers now<th>last success<th>last pass</tr>{rows}</table></html>",
        text(status, "version"),
        text(status, "view"),
    )
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
        .replace('\'', "&#39;")
}
