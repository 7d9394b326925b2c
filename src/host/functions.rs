//! The four functions.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::json;
use tokio::sync::SetOnce;
use tokio::time::{Instant, timeout_at};

use super::asked::{Asked, Refusal};
use super::envelope::{HttpAnswer, Invocation, Reply, Unusable};
use super::event_grid::{EventMeaning, meaning};
use super::report_json;
use super::status::{History, LiveReadings, Reading, Status};
use crate::config::ConfigError;
use crate::reconcile::{Flight, Intent, NoReport, Outcome, PassReport, Reconciler, Request, Scope};
use crate::telemetry::{Origin, clean};

/// An event's reply is due well before Event Grid gives up at 30 s.
const EVENT_DEADLINE: Duration = Duration::from_secs(25);
/// A tick's, and an operator's.
const TIMER_DEADLINE: Duration = Duration::from_secs(60);

/// What the functions work with.
pub struct App {
    ready: SetOnce<Result<Ready, ConfigError>>,
    history: Arc<Mutex<History>>,
    status: Status,
}

/// The working parts, once the configuration is read.
struct Ready {
    reconciler: Arc<Reconciler>,
    flight: Flight,
    /// Dry runs share, too, and wait for the turn of those that write.
    shows: Flight,
    readings: LiveReadings,
}

impl Default for App {
    fn default() -> Self {
        Self {
            ready: SetOnce::new(),
            history: Arc::default(),
            status: Status::new(),
        }
    }
}

impl App {
    /// Hands over the reconciler, or why there is none. Invocations that came earlier have waited
    /// for it.
    pub fn set(&self, reconciler: Result<Arc<Reconciler>, ConfigError>) {
        let ready = reconciler.map(|reconciler| {
            let (runner, history) = (Arc::clone(&reconciler), Arc::clone(&self.history));
            let flight = Flight::new(move |request: Request| {
                let (reconciler, history) = (Arc::clone(&runner), Arc::clone(&history));
                Box::pin(async move {
                    let report = reconciler
                        .pass(&request.scope, &Intent::Apply, request.deadline)
                        .await;
                    // Here, and not where the reply is made: whoever asked may be gone.
                    tell(&report, &history);
                    report
                })
            });
            let (runner, writers) = (Arc::clone(&reconciler), flight.clone());
            let shows = Flight::new(move |request: Request| {
                let (reconciler, writers) = (Arc::clone(&runner), writers.clone());
                Box::pin(async move {
                    // Without a turn by the deadline, nobody waits for the report any more.
                    let _turn = timeout_at(request.deadline, writers.turn()).await;
                    reconciler
                        .pass(&request.scope, &Intent::Show, request.deadline)
                        .await
                })
            });
            Ready {
                readings: LiveReadings::new(&reconciler),
                reconciler,
                flight,
                shows,
            }
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
    pub(super) async fn scale_event(self: Arc<Self>, mut call: Invocation) -> Reply {
        let deadline = Instant::now() + EVENT_DEADLINE;
        let ready = match self.ready().await {
            Ok(ready) => ready,
            Err(reply) => return reply,
        };
        let inventory = ready.reconciler.inventory();
        let mode = |set: &_| inventory.mode(set);
        let read = match call.binding("event") {
            Ok(Some(event)) => meaning(&event, ready.reconciler.upstreams(), &mode),
            Ok(None) => EventMeaning::Unreadable("the invocation has no `event`"),
            Err(Unusable::TooLarge) => EventMeaning::Unreadable("it is larger than any event"),
            Err(Unusable::TooDeep) => EventMeaning::Unreadable("it is nested too deeply"),
        };
        call.is_read();
        match read {
            EventMeaning::LookAt(keys) => {
                let scope = Scope::Only(keys);
                self.pass(ready, scope, deadline).await.0
            }
            EventMeaning::NothingOfOurs => {
                tracing::debug!("the event is about something else");
                Reply::done(vec![
                    "The event is about something else: nothing to do".to_owned(),
                ])
            }
            EventMeaning::Unreadable(why) => {
                let line = format!("The event cannot be read and is dropped: {why}");
                tracing::warn!("{line}");
                Reply::done(vec![line])
            }
        }
    }

    /// `ReconcileTimer`: time for a look at everything, whatever the tick's body says.
    pub(super) async fn timer(self: Arc<Self>, mut call: Invocation) -> Reply {
        call.is_read();
        let deadline = Instant::now() + TIMER_DEADLINE;
        match self.ready().await {
            Ok(ready) => self.pass(ready, Scope::All, deadline).await.0,
            Err(reply) => reply,
        }
    }

    /// `Reconcile`: an operator, or the autoscale webhook, asks.
    pub(super) async fn reconcile(self: Arc<Self>, mut call: Invocation) -> Reply {
        let deadline = Instant::now() + TIMER_DEADLINE;
        let ready = match self.ready().await {
            Ok(ready) => ready,
            Err(reply) => return reply,
        };
        let asked = match call.binding("req") {
            Ok(request) => Asked::read(request.as_ref(), ready.reconciler.upstreams()),
            Err(error) => Err(Refusal {
                reason: format!("the request cannot be used: {error}"),
                remedy: "send a few names at most".to_owned(),
            }),
        };
        call.is_read();
        let asked = match asked {
            Ok(asked) => asked,
            Err(Refusal { reason, remedy }) => {
                let line = format!("Refused: {reason}; {remedy}");
                let answer = json!({ "error": reason, "remedy": remedy });
                return Reply::done(vec![line]).with(HttpAnswer::json(400, &answer));
            }
        };
        let (reply, report) = match asked.intent {
            Intent::Apply => self.pass(ready, asked.scope, deadline).await,
            Intent::Show => {
                let request = Request {
                    scope: asked.scope,
                    deadline,
                };
                match ready.shows.ask(request).await {
                    Ok(report) => (outcome_reply(&report), Some(report)),
                    Err(error) => (Reply::failed(vec![clean(&error.to_string(), 300)]), None),
                }
            }
            intent => {
                let reconciler = Arc::clone(&ready.reconciler);
                let _turn = match timeout_at(deadline, ready.flight.turn()).await {
                    Ok(turn) => turn,
                    Err(_) => return Reply::failed(vec![NoReport::DeadlinePassed.to_string()]),
                };
                let report = Arc::new(reconciler.pass(&asked.scope, &intent, deadline).await);
                tell(&report, &self.history);
                if let Intent::Force(digest) = &intent
                    && !report.upstreams.iter().any(|upstream| upstream.forced)
                {
                    let error = format!(
                        "no upstream holds a plan with the digest {}: nothing was changed; {}",
                        clean(digest, 40),
                        held_now(&report)
                    );
                    let body = json!({ "error": error, "report": report_json::pass(&report) });
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
                reply.with(HttpAnswer::json(status, &report_json::pass(&report)))
            }
        }
    }

    /// `Status`: what this process has done.
    pub(super) async fn status(self: Arc<Self>, mut call: Invocation) -> Reply {
        let ready = match self.ready().await {
            Ok(ready) => ready,
            Err(reply) => return reply,
        };
        // A request that makes no sense gets JSON.
        let request = call.binding("req").unwrap_or_default();
        call.is_read();
        let reading = ready.readings.read().await;
        if let Reading::None(error @ NoReport::Panicked(_)) = &reading {
            let line = clean(&error.to_string(), 300);
            tracing::error!("{line}");
            return Reply::failed(vec![line]);
        }
        let headers = request.as_ref().and_then(|request| request.get("Headers"));
        let history = self.history.lock().unwrap_or_else(PoisonError::into_inner);
        let upstreams = ready.reconciler.upstreams();
        let answer = self.status.answer(headers, upstreams, &history, &reading);
        Reply::done(Vec::new()).with(answer)
    }

    async fn pass(
        &self,
        ready: &Ready,
        scope: Scope,
        deadline: Instant,
    ) -> (Reply, Option<Arc<PassReport>>) {
        match ready.flight.ask(Request { scope, deadline }).await {
            Ok(report) => (outcome_reply(&report), Some(report)),
            Err(error @ (NoReport::DeadlinePassed | NoReport::Panicked(_))) => {
                let line = clean(&error.to_string(), 300);
                match error {
                    NoReport::DeadlinePassed => tracing::warn!("{line}"),
                    NoReport::Panicked(_) => tracing::error!("{line}"),
                }
                if let Ok(mut history) = self.history.lock() {
                    history.note_unfinished(trigger(Origin::current().as_ref()), &line);
                }
                (Reply::failed(vec![line]), None)
            }
        }
    }
}

/// Logs and remembers a pass.
fn tell(report: &PassReport, history: &Mutex<History>) {
    report.log();
    if let Ok(mut history) = history.lock() {
        history.note(report, trigger(report.origin.as_ref()));
    }
}

/// What began a pass, for the history.
fn trigger(origin: Option<&Origin>) -> &'static str {
    origin.map_or("unknown", |origin| origin.trigger.name())
}

fn outcome_reply(report: &PassReport) -> Reply {
    match report.outcome() {
        Outcome::Failed => Reply::failed(report.lines()),
        _ => Reply::done(report.lines()),
    }
}

/// The digests that could be released.
fn held_now(report: &PassReport) -> String {
    let held = report.upstreams.iter().filter_map(|upstream| {
        let digest = upstream.digest.as_deref()?;
        Some(format!("{} {digest}", clean(&upstream.key.name, 80)))
    });
    let held: Vec<String> = held.collect();
    if held.is_empty() {
        "nothing that could be released is held now".to_owned()
    } else {
        format!("held now: {}", held.join(", "))
    }
}
