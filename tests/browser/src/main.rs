//! Serves the status pages of the real handler to a browser, one scene per path.
//!
//! `browser-pages <handler binary>` plays every scene in a simulated cloud of its own, prints one
//! line of JSON (`{"origin":…,"scenes":[…]}`) and then answers `GET /<scene>`: the request goes to
//! the handler in the Functions host's envelope, and what comes out of it (status, headers, body)
//! goes to the browser, as the host does it. It ends when its standard input does.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "test support: a failure is a failed test"
)]

mod scenes;

use std::collections::BTreeMap;
use std::io::Read as _;
use std::net::Ipv4Addr;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, Response, StatusCode};
use axum::routing::get;
use serde_json::json;
use simulated_cloud::functions_host::Reply;

use scenes::Scene;

type Scenes = Arc<BTreeMap<&'static str, Scene>>;

#[tokio::main]
async fn main() {
    let binary = std::env::args()
        .nth(1)
        .expect("usage: browser-pages <handler binary>");
    let scenes: Scenes = Arc::new(scenes::play_all(binary.as_ref()).await);
    let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .await
        .unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    let names: Vec<&str> = scenes.keys().copied().collect();
    println!("{}", json!({ "origin": origin, "scenes": names }));
    let router = Router::new()
        .route("/{scene}", get(page))
        .with_state(scenes);
    tokio::select! {
        ended = axum::serve(listener, router) => ended.unwrap(),
        // Whoever started this may be killed without a chance to end it.
        () = standard_input_ends() => {}
    }
}

async fn standard_input_ends() {
    let ended = tokio::task::spawn_blocking(|| {
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
    });
    ended.await.unwrap();
}

async fn page(
    State(scenes): State<Scenes>,
    Path(name): Path<String>,
    headers: HeaderMap,
) -> Response<Body> {
    let Some(scene) = scenes.get(name.as_str()) else {
        return plain(StatusCode::NOT_FOUND, "there is no such scene");
    };
    let headers: Vec<(&str, &str)> = headers
        .iter()
        .map(|(name, value)| (name.as_str(), value.to_str().unwrap_or_default()))
        .collect();
    let reply = scene.handler.http("Status", "GET", None, &headers).await;
    unwrapped(&reply)
        .unwrap_or_else(|| plain(StatusCode::INTERNAL_SERVER_ERROR, "the invocation failed"))
}

/// What the host makes of an HTTP function's result.
fn unwrapped(reply: &Reply) -> Option<Response<Body>> {
    if !reply.succeeded() {
        return None;
    }
    let (status, body) = reply.http_response()?;
    let mut response = Response::builder().status(status);
    for (name, value) in reply.http_headers() {
        response = response.header(name, value);
    }
    response.body(Body::from(body.as_str()?.to_owned())).ok()
}

fn plain(status: StatusCode, text: &'static str) -> Response<Body> {
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    response
}
