//! Paths, methods, limits, and what happens to everything else.

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, Method, Request, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde_json::json;

use super::envelope::{Invocation, Reply};
use super::functions::App;

/// Event Grid's megabyte arrives twice in one invocation (`Data` and `Metadata`), with escapes.
pub const BODY_LIMIT_BYTES: usize = 8 * 1024 * 1024;

type Function = fn(Arc<App>, Invocation) -> futures::future::BoxFuture<'static, Reply>;

/// The router of the handler.
pub fn router(app: Arc<App>) -> Router {
    let function = |function: Function| {
        post(move |State(app): State<Arc<App>>, request: Request<Body>| {
            invoke(app, request, function)
        })
    };
    Router::new()
        .route(
            "/",
            get(|| async { axum::Json(json!({ "service": "nginx-vmss-sync" })) }),
        )
        .route(
            "/VmssScaleEvent",
            function(|app, call| Box::pin(app.scale_event(call))),
        )
        .route(
            "/ReconcileTimer",
            function(|app, call| Box::pin(app.timer(call))),
        )
        .route(
            "/Reconcile",
            function(|app, call| Box::pin(app.reconcile(call))),
        )
        .route("/Status", function(|app, call| Box::pin(app.status(call))))
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
        .with_state(app)
}

/// Runs a function in a task of its own: a panic ends the task, and becomes a failed invocation.
async fn invoke(app: Arc<App>, request: Request<Body>, function: Function) -> Response {
    let (parts, body) = request.into_parts();
    let headers: HeaderMap = parts.headers;
    let body = match to_bytes(body, BODY_LIMIT_BYTES).await {
        Ok(body) => body,
        Err(error) => {
            let text =
                format!("the body cannot be read, or is over {BODY_LIMIT_BYTES} bytes: {error}");
            tracing::error!("{text}");
            return refusal(StatusCode::PAYLOAD_TOO_LARGE, &text);
        }
    };
    let invocation = Invocation::read(&headers, &body);
    let id = invocation.id.clone();
    match tokio::spawn(function(app, invocation)).await {
        Ok(reply) => reply.into_response(),
        Err(error) => {
            let text = format!("the invocation failed by a fault of this program: {error}");
            tracing::error!(invocation = id, "{text}");
            Reply::failed(vec![text]).into_response()
        }
    }
}

fn refusal(status: StatusCode, error: &str) -> Response {
    let error = crate::telemetry::clean(error, 300);
    (status, axum::Json(json!({ "error": error }))).into_response()
}
