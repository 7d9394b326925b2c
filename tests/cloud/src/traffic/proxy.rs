//! NGINX's own work: take a request, choose a server, pass the request on.

use bytes::Bytes;
use http_body_util::{BodyExt, Empty, Full};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::runtime::Handle;
use tokio::task::AbortHandle;

use crate::listener::Bound;
use crate::nginx::{PeerState, Upstream, UpstreamKind};
use crate::reply::Body;
use crate::world::World;

/// Listens for the requests to one http upstream.
pub(crate) fn serve(world: &World, upstream: &str, runtime: &Handle) -> (u16, AbortHandle) {
    let bound = Bound::new();
    let port = bound.port;
    let (world, upstream, inner) = (world.clone(), upstream.to_owned(), runtime.clone());
    let task = bound.serve(runtime, None, move |request| {
        let (world, upstream, runtime) = (world.clone(), upstream.clone(), inner.clone());
        async move {
            let path = request.uri().path().to_owned();
            Ok(match pass_on(&world, &upstream, &path, &runtime).await {
                Ok(body) => respond(200, body),
                Err(reason) => respond(502, Bytes::from(reason)),
            })
        }
    });
    (port, task)
}

fn respond(status: u16, body: Bytes) -> Response<Body> {
    let body = Full::new(body).map_err(|never| match never {}).boxed();
    Response::builder().status(status).body(body).unwrap()
}

async fn pass_on(
    world: &World,
    upstream: &str,
    path: &str,
    runtime: &Handle,
) -> Result<Bytes, String> {
    let flight = Flight::begin(world, upstream).ok_or("no live upstreams")?;
    let address = flight.address.clone();
    let failed = |reason: &str| format!("{address}: {reason}");
    let host = address
        .rsplit_once(':')
        .map_or(address.as_str(), |(host, _)| host);
    let host = host.trim_matches(['[', ']']);
    let port = world
        .backend_port(host, runtime)
        .ok_or_else(|| failed("connection refused"))?;
    let stream = TcpStream::connect(("127.0.0.1", port)).await;
    let stream = stream.map_err(|error| failed(&error.to_string()))?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .map_err(|error| failed(&error.to_string()))?;
    tokio::spawn(connection);
    let request = Request::get(path)
        .header("host", host)
        .body(Empty::<Bytes>::new())
        .unwrap();
    let response = sender.send_request(request).await;
    let response = response.map_err(|error| failed(&error.to_string()))?;
    let body = response.into_body().collect().await;
    body.map(http_body_util::Collected::to_bytes)
        .map_err(|error| failed(&error.to_string()))
}

/// A request under way, counted as an active connection of its server.
struct Flight {
    world: World,
    upstream: String,
    id: u64,
    address: String,
}

impl Flight {
    fn begin(world: &World, name: &str) -> Option<Self> {
        world.with(|state| {
            let upstream = state.nginx.find(UpstreamKind::Http, name)?;
            let (id, address) = choose(upstream)?;
            *upstream.in_flight.entry(id).or_default() += 1;
            *upstream.requests.entry(id).or_default() += 1;
            Some(Self {
                world: world.clone(),
                upstream: name.to_owned(),
                id,
                address,
            })
        })
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        self.world.with(|state| {
            let Some(upstream) = state.nginx.find(UpstreamKind::Http, &self.upstream) else {
                return;
            };
            if let Some(count) = upstream.in_flight.get_mut(&self.id) {
                *count = count.saturating_sub(1);
                if *count == 0 {
                    upstream.in_flight.remove(&self.id);
                }
            }
        });
    }
}

/// Round robin among the servers that are up; backups only when no other is.
fn choose(upstream: &mut Upstream) -> Option<(u64, String)> {
    let up = |backup: bool| -> Vec<(u64, String)> {
        let servers = upstream
            .servers
            .iter()
            .filter(|server| server.backup == backup);
        let servers = servers.filter(|server| upstream.state(server) == PeerState::Up);
        servers
            .map(|server| (server.id, server.server.clone()))
            .collect()
    };
    let mut candidates = up(false);
    if candidates.is_empty() {
        candidates = up(true);
    }
    if candidates.is_empty() {
        return None;
    }
    upstream.turn = upstream.turn.wrapping_add(1);
    Some(candidates.swap_remove(upstream.turn % candidates.len()))
}
