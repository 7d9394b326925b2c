//! A small control plane for `--serve`: the world, changed and seen with curl, and the status page as
//! the Functions host would hand it to a browser.

use std::sync::Arc;

use axum::Json;
use axum::Router;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, Response, StatusCode};
use axum::routing::{get, post};
use serde_json::{Value, json};
use simulated_cloud::functions_host::Handler;
use simulated_cloud::{UpstreamKind, World};

use crate::stage::BACKENDS;

/// The routes.
pub(crate) fn router(world: World, handler: Arc<Handler>) -> Router {
    let status = Router::new()
        .route("/status", get(status))
        .with_state(handler);
    Router::new()
        .route("/", get(overview))
        .route("/scale/{set}/{count}", post(scale))
        .route("/begin/{set}/{count}", post(begin))
        .route("/settle/{set}", post(settle))
        .route("/rotate-key/{key}", post(rotate_key))
        .with_state(world)
        .merge(status)
}

type Outcome = Result<Json<Value>, StatusCode>;

async fn overview(State(world): State<World>) -> Json<Value> {
    Json(describe(&world))
}

/// `GET /api/Status`: the request in the host's envelope, and what the host makes of the reply.
async fn status(
    State(handler): State<Arc<Handler>>,
    headers: HeaderMap,
) -> Result<Response<Body>, StatusCode> {
    let headers: Vec<(&str, &str)> = headers
        .iter()
        .filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?)))
        .collect();
    let reply = handler.http("Status", "GET", None, &headers).await;
    let answer = reply.http_response().filter(|_| reply.succeeded());
    let (status, body) = answer.ok_or(StatusCode::INTERNAL_SERVER_ERROR)?;
    let mut response = Response::builder().status(status);
    for (name, value) in reply.http_headers() {
        response = response.header(name, value);
    }
    let body = body.as_str().unwrap_or_default().to_owned();
    response
        .body(Body::from(body))
        .map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)
}

async fn scale(State(world): State<World>, Path((set, count)): Path<(String, usize)>) -> Outcome {
    world.scale(known(&set)?, count);
    Ok(Json(describe(&world)))
}

async fn begin(State(world): State<World>, Path((set, count)): Path<(String, usize)>) -> Outcome {
    world.begin_scale(known(&set)?, count);
    Ok(Json(describe(&world)))
}

async fn settle(State(world): State<World>, Path(set): Path<String>) -> Outcome {
    world.settle(known(&set)?);
    Ok(Json(describe(&world)))
}

async fn rotate_key(State(world): State<World>, Path(key): Path<String>) -> Json<Value> {
    world.rotate_key(&key, true);
    Json(describe(&world))
}

fn known(set: &str) -> Result<&str, StatusCode> {
    let exists = BACKENDS.iter().any(|backend| backend.set == set);
    if exists {
        Ok(set)
    } else {
        Err(StatusCode::NOT_FOUND)
    }
}

fn describe(world: &World) -> Value {
    BACKENDS
        .iter()
        .map(|backend| {
            let instances: Value = world
                .instances(backend.set)
                .iter()
                .map(|instance| {
                    json!({
                        "name": instance.name,
                        "address": instance.address(),
                        "provisioning": format!("{:?}", instance.provisioning),
                        "power": format!("{:?}", instance.power),
                    })
                })
                .collect();
            json!({
                "set": backend.set,
                "capacity": world.capacity(backend.set),
                "instances": instances,
                "upstream": backend.upstream,
                "servers": world.server_addresses(UpstreamKind::Http, backend.upstream),
            })
        })
        .collect()
}
