//! A small control plane for `--serve`: the world, changed and seen with curl.

use axum::Json;
use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use serde_json::{Value, json};
use simulated_cloud::{UpstreamKind, World};

use crate::stage::BACKENDS;

/// The routes.
pub(crate) fn router(world: World) -> Router {
    Router::new()
        .route("/", get(overview))
        .route("/scale/{set}/{count}", post(scale))
        .route("/begin/{set}/{count}", post(begin))
        .route("/settle/{set}", post(settle))
        .route("/rotate-key/{key}", post(rotate_key))
        .with_state(world)
}

type Outcome = Result<Json<Value>, StatusCode>;

async fn overview(State(world): State<World>) -> Json<Value> {
    Json(describe(&world))
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
