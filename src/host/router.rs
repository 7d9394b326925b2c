//! Paths, methods, limits, and what happens to everything else.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::header::ORIGIN;
use axum::http::{HeaderMap, Method, Request, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use futures::StreamExt as _;
use serde_json::json;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use super::envelope::{Invocation, Reply};
use super::functions::App;
use super::server::Limits;
use crate::telemetry::{self, clean};

/// Event Grid's megabyte arrives twice in one invocation (`Data` and `Metadata`), with escapes.
pub const BODY_LIMIT_BYTES: usize = 8 * 1024 * 1024;
/// How much of a body over the limit is read to its end all the same.
const DISCARD_LIMIT_BYTES: usize = 8 * BODY_LIMIT_BYTES;

/// What a body may have before it needs a turn. Azure's events and webhooks have a few kilobytes.
const SMALL_BODY_BYTES: usize = 256 * 1024;
/// Larger bodies that are read and decoded at a time: they can take thirty times their size.
const LARGE_BODIES: usize = 2;

/// What every request is served with.
#[derive(Clone)]
struct Serving {
    app: Arc<App>,
    limits: Limits,
    turns: Arc<Semaphore>,
}

type Function = fn(Arc<App>, Invocation) -> futures::future::BoxFuture<'static, Reply>;

/// The router of the handler.
pub(super) fn router(app: Arc<App>, limits: Limits) -> Router {
    let function = |name: &'static str, function: Function| {
        post(
            move |State(serving): State<Serving>, request: Request<Body>| {
                invoke(serving, request, name, function)
            },
        )
    };
    let turns = Arc::new(Semaphore::new(LARGE_BODIES));
    Router::new()
        .route(
            "/",
            get(|| async { axum::Json(json!({ "service": "nginx-vmss-sync" })) }),
        )
        .route(
            "/VmssScaleEvent",
            function("VmssScaleEvent", |app, call| {
                Box::pin(app.scale_event(call))
            }),
        )
        .route(
            "/ReconcileTimer",
            function("ReconcileTimer", |app, call| Box::pin(app.timer(call))),
        )
        .route(
            "/Reconcile",
            function("Reconcile", |app, call| Box::pin(app.reconcile(call))),
        )
        .route(
            "/Status",
            function("Status", |app, call| Box::pin(app.status(call))),
        )
        .method_not_allowed_fallback(|method: Method, uri: Uri| async move {
            let error = format!("{method} is not allowed on {}", uri.path());
            refusal(StatusCode::METHOD_NOT_ALLOWED, &error)
        })
        .fallback(|uri: Uri| async move {
            refusal(
                StatusCode::NOT_FOUND,
                &format!("there is no function at {}", uri.path()),
            )
        })
        .layer(DefaultBodyLimit::max(BODY_LIMIT_BYTES))
        .with_state(Serving { app, limits, turns })
}

/// Runs a function in a task of its own: a panic ends the task, and becomes a failed invocation.
async fn invoke(
    serving: Serving,
    request: Request<Body>,
    name: &'static str,
    function: Function,
) -> Response {
    let (parts, body) = request.into_parts();
    let headers: HeaderMap = parts.headers;
    // The host sends none; every browser does with a POST. A page that a person on this machine has
    // open must not start passes.
    if headers.contains_key(ORIGIN) {
        let text = "a request of a web page is not served";
        return refusal(StatusCode::FORBIDDEN, text);
    }
    let limit = serving.limits.body;
    let body = match timeout(limit, read(body, &serving.turns)).await {
        Ok(body) => body,
        Err(_) => {
            let text = format!("the body did not arrive within {} s", limit.as_secs_f32());
            Err((StatusCode::REQUEST_TIMEOUT, text))
        }
    };
    let (body, refused) = match body {
        Ok(body) => (body, None),
        Err(refused) => (ReadBody::default(), Some(refused)),
    };
    let invocation = Invocation::read(&headers, &body.bytes, body.turn);
    drop(body.bytes);
    let told = telemetry::Invocation::begin(name, &invocation.id, &invocation.parent);
    let (failed, response) = told
        .run(async {
            if let Some((status, text)) = refused {
                tracing::error!("{text}");
                return (true, refusal(status, &text));
            }
            // The task inherits nothing: what it does belongs to this invocation all the same.
            let work = telemetry::Askers::current().run(function(serving.app, invocation));
            let reply = tokio::spawn(work).await.unwrap_or_else(|error| {
                let text = format!("the invocation failed by a fault of this program: {error}");
                tracing::error!("{text}");
                Reply::failed(vec![text])
            });
            (reply.failed, reply.into_response())
        })
        .await;
    told.end(failed);
    response
}

/// A body, and the turn that it took if it is large.
#[derive(Default)]
struct ReadBody {
    bytes: Vec<u8>,
    turn: Option<OwnedSemaphorePermit>,
}

/// Reads a body. One over the limit is read on and thrown away: whoever is still sending when the
/// connection closes never sees the reply that says why.
async fn read(body: Body, turns: &Arc<Semaphore>) -> Result<ReadBody, (StatusCode, String)> {
    let mut stream = body.into_data_stream();
    let mut bytes = Vec::new();
    let mut turn = None;
    let mut length = 0_usize;
    while let Some(chunk) = stream.next().await {
        let chunk = chunk.map_err(|error| {
            let text = format!(
                "the body cannot be read: {}",
                clean(&error.to_string(), 100)
            );
            (StatusCode::BAD_REQUEST, text)
        })?;
        length += chunk.len();
        if length > SMALL_BODY_BYTES && turn.is_none() {
            turn = Arc::clone(turns).acquire_owned().await.ok();
        }
        if length <= BODY_LIMIT_BYTES {
            bytes.extend_from_slice(&chunk);
        } else {
            bytes = Vec::new();
        }
        if length > DISCARD_LIMIT_BYTES {
            break;
        }
    }
    if length > BODY_LIMIT_BYTES {
        let text = format!("the body is over {BODY_LIMIT_BYTES} bytes");
        return Err((StatusCode::PAYLOAD_TOO_LARGE, text));
    }
    Ok(ReadBody { bytes, turn })
}

fn refusal(status: StatusCode, error: &str) -> Response {
    let error = clean(error, 300);
    (status, axum::Json(json!({ "error": error }))).into_response()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use async_trait::async_trait;
    use futures::stream::BoxStream;
    use serde_json::Value;
    use tokio::time::Instant;

    use super::*;
    use crate::config::{Environment, parse};
    use crate::host::serve;
    use crate::model::{
        Listing, PeerStatus, ScaleSetId, Server, ServerAddress, ServerParameters, UpstreamKey,
    };
    use crate::plan::Changes;
    use crate::reconcile::{Balancer, BalancerError, Inventory, Mode, Reconciler};

    /// A part of the program with a fault: whatever it is asked, it panics.
    struct Faulty;

    impl Inventory for Faulty {
        fn list(
            &self,
            _: BTreeSet<ScaleSetId>,
            _: Instant,
        ) -> BoxStream<'_, (ScaleSetId, Listing)> {
            panic!("a fault in the inventory")
        }

        fn mode(&self, _: &ScaleSetId) -> Option<Mode> {
            panic!("a fault in the inventory")
        }
    }

    type Done = Result<(), BalancerError>;

    #[async_trait]
    impl Balancer for Faulty {
        async fn servers(&self, _: &UpstreamKey, _: Instant) -> Result<Vec<Server>, BalancerError> {
            panic!("a fault in the balancer")
        }

        async fn peers(
            &self,
            _: &UpstreamKey,
            _: Instant,
        ) -> Result<Vec<PeerStatus>, BalancerError> {
            panic!("a fault in the balancer")
        }

        async fn add(
            &self,
            _: &UpstreamKey,
            _: &ServerAddress,
            _: &ServerParameters,
            _: Instant,
        ) -> Done {
            panic!("a fault in the balancer")
        }

        async fn patch(&self, _: &UpstreamKey, _: u64, _: &Changes, _: Instant) -> Done {
            panic!("a fault in the balancer")
        }

        async fn set_draining(&self, _: &UpstreamKey, _: u64, _: bool, _: Instant) -> Done {
            panic!("a fault in the balancer")
        }

        async fn set_down(&self, _: &UpstreamKey, _: u64, _: bool, _: Instant) -> Done {
            panic!("a fault in the balancer")
        }

        async fn remove(&self, _: &UpstreamKey, _: u64, _: Instant) -> Done {
            panic!("a fault in the balancer")
        }
    }

    /// Serves a handler whose parts all panic; returns its address.
    async fn serve_faulty() -> String {
        let text = "subscription_id: aaaa0000-0000-0000-0000-000000000001\n\
                    resource_group_name: rg\n\
                    api_endpoint: https://n.example/nplus\n\
                    upstreams:\n  - {name: web, kind: http, port: 80, virtual_machine_scale_set: web}\n";
        let upstreams = parse(text, "test", &Environment::default())
            .unwrap()
            .upstreams;
        let app = Arc::new(App::default());
        let faulty = Arc::new(Faulty);
        let inventory = Arc::<Faulty>::clone(&faulty);
        app.set(Ok(Arc::new(Reconciler::new(upstreams, inventory, faulty))));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(serve(listener, app, Limits::default()));
        format!("http://{address}")
    }

    #[tokio::test]
    async fn a_panic_in_a_function_or_in_its_pass_is_a_failed_invocation_in_json() {
        let origin = serve_faulty().await;
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let id = "/subscriptions/aaaa0000-0000-0000-0000-000000000001/resourceGroups/rg/providers/\
                  Microsoft.Compute/virtualMachines/x";
        let event = json!({ "Data": { "event": {
            "eventType": "Microsoft.Resources.ResourceWriteSuccess",
            "subject": id,
        } } });
        let request = |body: &str| json!({ "Data": { "req": { "Body": body } } });
        for (path, body) in [
            ("/VmssScaleEvent", event),
            ("/ReconcileTimer", json!({})),
            ("/Reconcile", request("{}")),
            ("/Reconcile", request(r#"{"dry_run":true}"#)),
            ("/Status", json!({})),
            // The one before has left the handler as it was.
            ("/ReconcileTimer", json!({})),
        ] {
            let post = client.post(format!("{origin}{path}"));
            let reply = post.body(body.to_string()).send().await.unwrap();
            assert_eq!(reply.status().as_u16(), 500, "{path} {body}");
            assert_eq!(reply.headers()["content-type"], "application/json");
            let reply: Value = serde_json::from_slice(&reply.bytes().await.unwrap()).unwrap();
            assert!(reply["Outputs"].is_object(), "{path}: {reply}");
            let line = reply["Logs"][0].as_str().unwrap();
            assert!(line.contains("fault of this program"), "{path}: {line}");
        }
        let ping = client.get(format!("{origin}/")).send().await.unwrap();
        assert_eq!(ping.status().as_u16(), 200);
    }
}
