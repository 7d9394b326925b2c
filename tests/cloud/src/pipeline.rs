//! The way of one request: recorded, delayed, held at a gate, struck by a fault, answered.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper::{Request, Response};
use serde_json::json;

use crate::answer::{Answer, Seen};
use crate::faults::{Fault, Faults};
use crate::gate::{GateAt, Gates};
use crate::journal::{Journal, Recorded, Service};
use crate::pace::Pace;
use crate::reply::{self, Aborted, Body};
use crate::world::World;
use crate::{arm, collector, identity, nginx, vault};

/// The largest request body that is read, as much as the real services take.
const LARGEST_BODY: usize = 4 * 1024 * 1024;

/// Everything that the services share.
pub(crate) struct Shared {
    pub(crate) world: World,
    pub(crate) journal: Journal,
    pub(crate) faults: Faults,
    pub(crate) gates: Gates,
    pub(crate) latency: Mutex<HashMap<Service, Duration>>,
    /// How many seconds a service's clock is ahead of this machine's.
    pub(crate) clocks: Mutex<HashMap<Service, i64>>,
    pub(crate) pace: Pace,
    pub(crate) origins: HashMap<Service, String>,
}

impl Shared {
    fn latency_of(&self, service: Service) -> Duration {
        let latency = self.latency.lock().unwrap_or_else(PoisonError::into_inner);
        latency.get(&service).copied().unwrap_or_default()
    }

    fn origin_of(&self, service: Service) -> &str {
        self.origins.get(&service).map_or("", String::as_str)
    }

    /// The reply with the time of the service's own clock, where that was set.
    fn dated(&self, service: Service, answer: Answer) -> Answer {
        let clocks = self.clocks.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(ahead) = clocks.get(&service) else {
            return answer;
        };
        let now = SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .map_or(0, |time| time.as_secs());
        let time = now.saturating_add_signed(*ahead);
        answer.with_header("date", crate::http_date::print(time))
    }

    /// Asks the service itself.
    fn ask(&self, service: Service, seen: &Seen) -> Answer {
        let origin = self.origin_of(service);
        match service {
            Service::Arm => self.world.with(|state| arm::answer(state, seen, origin)),
            Service::Vault => self.world.with(|state| vault::answer(state, seen, origin)),
            Service::Identity => self.world.with(|state| identity::answer(state, seen)),
            Service::Nginx => nginx::answer(&self.world, seen),
            Service::Collector => collector::answer(seen),
            Service::Foreign => Answer::json(200, &json!({"value": []})),
        }
    }
}

/// Handles one request to one service.
pub(crate) async fn handle(
    shared: Arc<Shared>,
    service: Service,
    request: Request<Incoming>,
) -> Result<Response<Body>, Aborted> {
    let due = shared.pace.due(service);
    let seen = read(request).await?;
    let at = shared.journal.begin(record(service, &seen));
    let latency = shared.latency_of(service);
    if !latency.is_zero() {
        tokio::time::sleep(latency).await;
    }
    shared.gates.pass(GateAt::Arrival, service, &seen).await;

    let fault = shared.faults.strike(service, &seen);
    if let Some(answer) = fault.as_ref().and_then(reply::instead) {
        shared.journal.finish(at, answer.status);
        return Ok(reply::whole(&shared.dated(service, answer)));
    }
    match fault {
        Some(Fault::Hang) => std::future::pending::<()>().await,
        Some(Fault::Reset) => return Err(Aborted),
        Some(Fault::Delay(time)) => tokio::time::sleep(time).await,
        Some(Fault::HugeBody(size)) => {
            shared.journal.finish(at, 200);
            return Ok(reply::huge(size));
        }
        _ => {}
    }

    let answer = shared.dated(service, shared.ask(service, &seen));
    shared.pace.keep(due).await;
    shared.gates.pass(GateAt::Answer, service, &seen).await;
    if let Some(Fault::ApplyThenReset) = fault {
        return Err(Aborted);
    }
    shared.journal.finish(at, answer.status);
    Ok(match fault {
        Some(Fault::SlowBody(pause)) => reply::slow(answer, pause),
        Some(Fault::CutBody) => reply::cut(answer),
        Some(fault) => reply::whole(&reply::damaged(
            answer,
            &fault,
            &seen,
            shared.origin_of(service),
        )),
        None => reply::whole(&answer),
    })
}

async fn read(request: Request<Incoming>) -> Result<Seen, Aborted> {
    let (parts, body) = request.into_parts();
    let body = Limited::new(body, LARGEST_BODY)
        .collect()
        .await
        .map_err(|_| Aborted)?
        .to_bytes();
    let text =
        |value: &hyper::http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let headers = parts
        .headers
        .iter()
        .map(|(name, value)| (name.to_string(), text(value)))
        .collect();
    Ok(Seen {
        method: parts.method.to_string(),
        path: parts.uri.path().to_owned(),
        query: parts.uri.query().map(str::to_owned),
        headers,
        body,
    })
}

fn record(service: Service, seen: &Seen) -> Recorded {
    let body = |bytes: &Bytes| String::from_utf8_lossy(bytes).into_owned();
    Recorded {
        service,
        method: seen.method.clone(),
        path: seen.path.clone(),
        query: seen.query.clone().unwrap_or_default(),
        body: (!seen.body.is_empty()).then(|| body(&seen.body)),
        bytes: seen.body.to_vec(),
        headers: seen.headers.clone(),
        at: 0,
        status: None,
        action: if service == Service::Arm {
            arm::action(seen)
        } else {
            None
        },
    }
}
