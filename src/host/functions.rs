//! The four functions.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::SetOnce;
use tokio::time::{Instant, timeout_at};

use super::envelope::{HttpAnswer, Invocation, Reply};
use super::event_grid::{EventMeaning, meaning};
use super::status;
use crate::config::ConfigError;
use crate::model::UpstreamKey;
use crate::reconcile::{Flight, Intent, NoReport, Outcome, PassReport, Reconciler, Request, Scope};
use crate::telemetry::clean;

/// An event's reply is due well before Event Grid gives up at 30 s.
const EVENT_DEADLINE: Duration = Duration::from_secs(25);
/// A tick's, and an operator's.
const TIMER_DEADLINE: Duration = Duration::from_secs(60);

/// What the functions work with.
pub struct App {
    ready: SetOnce<Result<Ready, ConfigError>>,
    history: Mutex<status::History>,
    /// The pass last told: those who shared it need not tell it again.
    told: Mutex<Option<Arc<PassReport>>>,
}

/// The working parts, once the configuration is read.
struct Ready {
    reconciler: Arc<Reconciler>,
    flight: Flight,
}

impl Default for App {
    fn default() -> Self {
        Self {
            ready: SetOnce::new(),
            history: Mutex::default(),
            told: Mutex::default(),
        }
    }
}

impl App {
    /// Hands over the reconciler, or why there is none. Invocations that came earlier have waited
    /// for it.
    pub fn set(&self, reconciler: Result<Arc<Reconciler>, ConfigError>) {
        let ready = reconciler.map(|reconciler| {
            let runner = Arc::clone(&reconciler);
            let flight = Flight::new(move |request: Request| {
                let reconciler = Arc::clone(&runner);
                Box::pin(async move {
                    reconciler
                        .pass(&request.scope, &Intent::Apply, request.deadline)
                        .await
                })
            });
            Ready { reconciler, flight }
        });
        // A second call has nothing to add.
        let _ = self.ready.set(ready);
    }

    async fn ready(&self) -> Result<&Ready, Reply> {
        match self.ready.wait().await {
            Ok(ready) => Ok(ready),
            Err(error) => {
                let lines = error.lines();
                for line in &lines {
                    tracing::error!("{line}");
                }
                let body =
                    json!({ "error": "the configuration cannot be used", "problems": lines });
                Err(Reply::failed(lines).with(HttpAnswer::json(500, &body)))
            }
        }
    }

    /// `VmssScaleEvent`: something happened to a resource.
    pub(super) async fn scale_event(self: Arc<Self>, call: Invocation) -> Reply {
        let deadline = Instant::now() + EVENT_DEADLINE;
        let ready = match self.ready().await {
            Ok(ready) => ready,
            Err(reply) => return reply,
        };
        let inventory = ready.reconciler.inventory();
        let mode = |set: &_| inventory.mode(set);
        let read = match call.binding("event") {
            Some(event) => meaning(&event, ready.reconciler.upstreams(), &mode),
            None => EventMeaning::Unreadable("the invocation has no `event`"),
        };
        match read {
            EventMeaning::LookAt(keys) => {
                let scope = Scope::Only(keys);
                self.pass(ready, scope, deadline, "event", &call.id).await.0
            }
            EventMeaning::NothingOfOurs => {
                tracing::debug!(invocation = call.id, "the event is about something else");
                Reply::done(vec![
                    "The event is about something else: nothing to do".to_owned(),
                ])
            }
            EventMeaning::Unreadable(why) => {
                let line = format!("The event cannot be read and is dropped: {why}");
                tracing::warn!(invocation = call.id, "{line}");
                Reply::done(vec![line])
            }
        }
    }

    /// `ReconcileTimer`: time for a look at everything, whatever the tick's body says.
    pub(super) async fn timer(self: Arc<Self>, call: Invocation) -> Reply {
        let deadline = Instant::now() + TIMER_DEADLINE;
        match self.ready().await {
            Ok(ready) => {
                self.pass(ready, Scope::All, deadline, "timer", &call.id)
                    .await
                    .0
            }
            Err(reply) => reply,
        }
    }

    /// `Reconcile`: an operator, or the autoscale webhook, asks.
    pub(super) async fn reconcile(self: Arc<Self>, call: Invocation) -> Reply {
        let deadline = Instant::now() + TIMER_DEADLINE;
        let ready = match self.ready().await {
            Ok(ready) => ready,
            Err(reply) => return reply,
        };
        let asked = match Asked::read(call.binding("req").as_ref(), ready.reconciler.upstreams()) {
            Ok(asked) => asked,
            Err(reason) => {
                let answer = HttpAnswer::json(400, &json!({ "error": reason }));
                return Reply::done(vec![format!("Refused: {reason}")]).with(answer);
            }
        };
        let (reply, report) = match asked.intent {
            Intent::Apply => {
                self.pass(ready, asked.scope, deadline, "request", &call.id)
                    .await
            }
            intent => {
                let reconciler = Arc::clone(&ready.reconciler);
                let _turn = match timeout_at(deadline, ready.flight.turn()).await {
                    Ok(turn) => turn,
                    Err(_) => return Reply::failed(vec![NoReport::DeadlinePassed.to_string()]),
                };
                let report = Arc::new(reconciler.pass(&asked.scope, &intent, deadline).await);
                if intent != Intent::Show {
                    self.tell(&report, "request", &call.id);
                }
                if let Intent::Force(digest) = &intent
                    && !report.upstreams.iter().any(|upstream| upstream.forced)
                {
                    let error = format!(
                        "no upstream holds a plan with the digest {}: nothing was changed; read the digest again",
                        clean(digest, 40)
                    );
                    let body = json!({ "error": error, "report": status::pass(&report) });
                    let answer = HttpAnswer::json(409, &body);
                    return Reply::done(vec![error]).with(answer);
                }
                (outcome_reply(&report), Some(report))
            }
        };
        match report {
            None => {
                let body = json!({ "error": reply.logs.first() });
                reply.with(HttpAnswer::json(500, &body))
            }
            Some(report) => {
                let status = if reply.failed { 500 } else { 200 };
                reply.with(HttpAnswer::json(status, &status::pass(&report)))
            }
        }
    }

    /// `Status`: what this process has done.
    pub(super) async fn status(self: Arc<Self>, call: Invocation) -> Reply {
        let ready = match self.ready().await {
            Ok(ready) => ready,
            Err(reply) => return reply,
        };
        let deadline = Instant::now() + EVENT_DEADLINE;
        let live = ready
            .reconciler
            .pass(&Scope::All, &Intent::Show, deadline)
            .await;
        let body = match self.history.lock() {
            Ok(history) => history.status(&live),
            Err(_) => json!({ "error": "the history is not available" }),
        };
        let answer = if status::wants_html(call.binding("req").as_ref()) {
            HttpAnswer {
                status: 200,
                content_type: "text/html; charset=utf-8",
                body: status::page(&body),
            }
        } else {
            HttpAnswer::json(200, &body)
        };
        Reply::done(Vec::new()).with(answer)
    }

    /// Logs and remembers a pass, once, however many share it.
    fn tell(&self, report: &Arc<PassReport>, trigger: &str, invocation: &str) {
        if let Ok(mut told) = self.told.lock() {
            if told.as_ref().is_some_and(|last| Arc::ptr_eq(last, report)) {
                return;
            }
            *told = Some(Arc::clone(report));
        }
        report.log(trigger, invocation);
        if let Ok(mut history) = self.history.lock() {
            history.note(report);
        }
    }

    async fn pass(
        &self,
        ready: &Ready,
        scope: Scope,
        deadline: Instant,
        trigger: &str,
        invocation: &str,
    ) -> (Reply, Option<Arc<PassReport>>) {
        match ready.flight.ask(Request { scope, deadline }).await {
            Ok(report) => {
                self.tell(&report, trigger, invocation);
                (outcome_reply(&report), Some(report))
            }
            Err(error @ (NoReport::DeadlinePassed | NoReport::Panicked(_))) => {
                let line = clean(&error.to_string(), 300);
                tracing::error!(trigger, invocation, "{line}");
                (Reply::failed(vec![line]), None)
            }
        }
    }
}

fn outcome_reply(report: &PassReport) -> Reply {
    match report.outcome() {
        Outcome::Failed => Reply::failed(report.lines()),
        _ => Reply::done(report.lines()),
    }
}

/// What the body of `Reconcile` asks for.
struct Asked {
    scope: Scope,
    intent: Intent,
}

impl Asked {
    fn read(request: Option<&Value>, upstreams: &[crate::model::Upstream]) -> Result<Self, String> {
        let all = Self {
            scope: Scope::All,
            intent: Intent::Apply,
        };
        let body = match request.and_then(|request| request.get("Body")) {
            None | Some(Value::Null) => return Ok(all),
            Some(Value::String(text)) if text.trim().is_empty() => return Ok(all),
            Some(Value::String(text)) => serde_json::from_str(text).map_err(|error| {
                format!("the body is not JSON: {}", clean(&error.to_string(), 100))
            })?,
            Some(value) => value.clone(),
        };
        let Value::Object(body) = body else {
            return Err("the body must be a JSON object, e.g. {}".to_owned());
        };
        // Azure Monitor's autoscale webhook: a signal like any event, and named by nothing else.
        if body.contains_key("operation") && body.contains_key("context") {
            return Ok(all);
        }
        let known = ["upstreams", "dry_run", "force"];
        if let Some(key) = body.keys().find(|key| !known.contains(&key.as_str())) {
            return Err(format!(
                "unknown key `{}`; the keys are upstreams, dry_run, force",
                clean(key, 60)
            ));
        }
        let scope = match body.get("upstreams") {
            None => Scope::All,
            Some(Value::Array(names)) => Scope::Only(named(names, upstreams)?),
            Some(_) => return Err("`upstreams` must be a list of names".to_owned()),
        };
        let dry_run = match body.get("dry_run") {
            None => false,
            Some(Value::Bool(dry_run)) => *dry_run,
            Some(_) => return Err("`dry_run` must be true or false".to_owned()),
        };
        let intent = match body.get("force") {
            None if dry_run => Intent::Show,
            None => Intent::Apply,
            Some(_) if dry_run => return Err("`force` and `dry_run` exclude each other".to_owned()),
            Some(Value::String(digest)) if !digest.is_empty() => Intent::Force(digest.clone()),
            Some(_) => return Err("`force` must be the digest of a held plan".to_owned()),
        };
        Ok(Self { scope, intent })
    }
}

fn named(
    names: &[Value],
    upstreams: &[crate::model::Upstream],
) -> Result<std::collections::BTreeSet<UpstreamKey>, String> {
    let mut keys = std::collections::BTreeSet::new();
    for name in names {
        let name = name.as_str().ok_or("`upstreams` must be a list of names")?;
        let before = keys.len();
        let matching = upstreams
            .iter()
            .filter(|upstream| upstream.key.name == name);
        keys.extend(matching.map(|upstream| upstream.key.clone()));
        if keys.len() == before && !keys.iter().any(|key| key.name == name) {
            return Err(format!("no upstream `{}` is configured", clean(name, 80)));
        }
    }
    Ok(keys)
}
