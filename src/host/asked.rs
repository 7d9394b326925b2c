//! What the body of `Reconcile` asks for.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use crate::model::{Upstream, UpstreamKey};
use crate::reconcile::{Intent, Scope};
use crate::telemetry::clean;

const KEYS: [&str; 3] = ["upstreams", "dry_run", "force"];
const EXAMPLES: &str = r#"send `{}` for a pass over everything, or e.g. `{"upstreams":["web"]}`, `{"dry_run":true}`, `{"force":"<digest>"}`"#;

/// A request that was understood.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Asked {
    pub(super) scope: Scope,
    pub(super) intent: Intent,
}

/// Why a request was not understood, and what to send instead.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) reason: String,
    pub(super) remedy: String,
}

impl Refusal {
    fn new(reason: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self {
            reason: reason.into(),
            remedy: remedy.into(),
        }
    }
}

impl Asked {
    /// Reads the trigger's data: `None`, or a `Body` that is empty, asks for a pass over everything.
    pub(super) fn read(request: Option<&Value>, upstreams: &[Upstream]) -> Result<Self, Refusal> {
        let everything = Self {
            scope: Scope::All,
            intent: Intent::Apply,
        };
        let body = match request.and_then(|request| request.get("Body")) {
            None | Some(Value::Null) => return lost_body(request).map_or(Ok(everything), Err),
            Some(Value::String(text)) if text.trim().is_empty() => return Ok(everything),
            Some(Value::String(text)) => serde_json::from_str(text).map_err(|error| {
                let error = clean(&error.to_string(), 100);
                Refusal::new(format!("the body is not JSON: {error}"), EXAMPLES)
            })?,
            Some(value) => value.clone(),
        };
        let Value::Object(body) = body else {
            return Err(Refusal::new("the body must be a JSON object", EXAMPLES));
        };
        // Azure Monitor's autoscale webhook: a signal like any event, and named by nothing else.
        if body.contains_key("operation") && body.contains_key("context") {
            return Ok(everything);
        }
        if let Some(key) = body.keys().find(|key| !KEYS.contains(&key.as_str())) {
            let reason = format!("unknown key `{}`", clean(key, 60));
            return Err(match nearest(key, KEYS) {
                Some(known) => Refusal::new(reason, format!("did you mean `{known}`?")),
                None => Refusal::new(reason, format!("the keys are {}", KEYS.join(", "))),
            });
        }
        let scope = match body.get("upstreams") {
            None => Scope::All,
            Some(Value::Array(names)) => Scope::Only(named(names, upstreams)?),
            Some(_) => return Err(not_names()),
        };
        Ok(Self {
            scope,
            intent: intent(&body)?,
        })
    }
}

fn intent(body: &Map<String, Value>) -> Result<Intent, Refusal> {
    let dry_run = match body.get("dry_run") {
        None => false,
        Some(Value::Bool(dry_run)) => *dry_run,
        Some(_) => {
            return Err(Refusal::new(
                "`dry_run` must be true or false",
                r#"e.g. `{"dry_run":true}`"#,
            ));
        }
    };
    match body.get("force") {
        None if dry_run => Ok(Intent::Show),
        None => Ok(Intent::Apply),
        Some(_) if dry_run => Err(Refusal::new(
            "`force` and `dry_run` exclude each other",
            "look with `dry_run` first, then send `force` alone",
        )),
        Some(Value::String(digest)) if !digest.is_empty() => Ok(Intent::Force(digest.clone())),
        Some(_) => Err(Refusal::new(
            "`force` must be the digest of a held plan",
            r#"take it from the log line, from `Status` or from `{"dry_run":true}`"#,
        )),
    }
}

fn not_names() -> Refusal {
    Refusal::new(
        "`upstreams` must be a list of names",
        r#"e.g. `{"upstreams":["web"]}`"#,
    )
}

/// The upstreams of these names; a name stands for both kinds.
fn named(names: &[Value], upstreams: &[Upstream]) -> Result<BTreeSet<UpstreamKey>, Refusal> {
    let mut keys = BTreeSet::new();
    for name in names {
        let name = name.as_str().ok_or_else(not_names)?;
        let mut known = false;
        for upstream in upstreams {
            if upstream.key.name == name {
                keys.insert(upstream.key.clone());
                known = true;
            }
        }
        if !known {
            let all = upstreams.iter().map(|upstream| upstream.key.name.as_str());
            let remedy = match nearest(name, all) {
                Some(near) => format!("did you mean `{}`?", clean(near, 80)),
                None => "`Status` lists the configured upstreams".to_owned(),
            };
            let reason = format!("no upstream `{}` is configured", clean(name, 80));
            return Err(Refusal::new(reason, remedy));
        }
    }
    if keys.is_empty() {
        return Err(Refusal::new(
            "`upstreams` names none",
            "leave it out for a pass over everything",
        ));
    }
    Ok(keys)
}

fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let name = name.to_lowercase();
    let likeness = |known: &str| strsim::jaro_winkler(&name, &known.to_lowercase());
    let all = known.into_iter().map(|known| (likeness(known), known));
    all.max_by(|a, b| a.0.total_cmp(&b.0))
        .filter(|(likeness, _)| *likeness > 0.75)
        .map(|(_, known)| known)
}

/// The host leaves the body out of the trigger's data where the request has no `Content-Type` or no
/// `Content-Length`. A `dry_run` that got lost on the way must not become a pass.
fn lost_body(request: Option<&Value>) -> Option<Refusal> {
    let headers = request?.get("Headers")?;
    let length = super::header(headers, "content-length")
        .first()
        .and_then(|length| length.trim().parse::<u64>().ok());
    let chunked = !super::header(headers, "transfer-encoding").is_empty();
    (length.is_some_and(|length| length > 0) || (length.is_none() && chunked)).then(|| {
        Refusal::new(
            "the request had a body, but the Functions host handed none over",
            "send it with `Content-Type: application/json` and a `Content-Length` (no chunks)",
        )
    })
}
