//! What the tests of safety share: upstreams that are filled already, a ledger of everything that
//! was taken out, and readable views of replies.

use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Value;
use simulated_cloud::functions_host::Reply;
use simulated_cloud::{Change, Cloud, Match, Server, Service, UpstreamEntry, UpstreamKind, World};

use crate::support::{Running, flexible_cloud, sorted, uniform_cloud};

/// The calls by which a pass reads the set `web-vmss`, for [`Match::path`].
pub(crate) const SET: &str = "virtualMachineScaleSets/web-vmss?api-version";
pub(crate) const SET_NICS: &str = "virtualMachineScaleSets/web-vmss/networkInterfaces";
pub(crate) const SET_MACHINES: &str = "virtualMachineScaleSets/web-vmss/virtualMachines";
pub(crate) const GROUP_MACHINES: &str = "Microsoft.Compute/virtualMachines?";
pub(crate) const GROUP_NICS: &str = "Microsoft.Network/networkInterfaces?";

pub(crate) const NONE: Vec<String> = Vec::new();

/// A cloud with a set of `n`, of either mode.
pub(crate) async fn cloud(uniform: bool, n: usize) -> Cloud {
    if uniform {
        uniform_cloud(n).await
    } else {
        flexible_cloud(n).await
    }
}

/// Starts a handler and lets one tick fill its upstreams, then forgets the requests so far.
pub(crate) async fn filled(cloud: Cloud, upstreams: &[UpstreamEntry]) -> Running {
    let running = Running::start(cloud, upstreams).await;
    let reply = running.handler.timer_tick().await;
    assert!(reply.succeeded(), "{}", reply.text);
    running.cloud.clear_requests();
    running
}

/// A tick that must succeed.
pub(crate) async fn tick(running: &Running) -> Reply {
    let reply = running.handler.timer_tick().await;
    assert!(reply.succeeded(), "{}", reply.text);
    reply
}

/// A tick that must fail; its lines, joined.
pub(crate) async fn failing_tick(running: &Running) -> String {
    let reply = running.handler.timer_tick().await;
    assert_eq!(reply.status, 500, "{}", reply.text);
    reply.logs().join("\n")
}

/// Four instances, of which the last three vanish while the set still wants four.
pub(crate) async fn three_of_four_vanish(entry: UpstreamEntry) -> (Running, Vec<String>) {
    let running = filled(uniform_cloud(4).await, &[entry]).await;
    let world = running.world();
    let gone: Vec<String> = (1..4)
        .map(|place| address_of(&world, "web-vmss", place))
        .collect();
    for _ in 0..3 {
        world.delete_instance("web-vmss", 1);
    }
    (running, sorted(gone))
}

/// The servers that `web` should have.
pub(crate) fn addresses(running: &Running) -> Vec<String> {
    sorted(running.world().addresses("web-vmss", 80))
}

/// `Reconcile` with this body; the status and the JSON that the caller gets.
pub(crate) async fn reconcile(running: &Running, body: &str) -> (u16, Value) {
    let typed = [("content-type", "application/json")];
    let reply = running
        .handler
        .http("Reconcile", "POST", Some(body), &typed)
        .await;
    let (status, body) = reply.http_response().unwrap_or_default();
    let body = body
        .as_str()
        .and_then(|text| serde_json::from_str(text).ok())
        .unwrap_or(body);
    (status, body)
}

/// The report of the only upstream in a reply of [`reconcile`].
pub(crate) fn only_upstream(body: &Value) -> &Value {
    &body["upstreams"][0]
}

/// The strings of a JSON list, sorted.
pub(crate) fn texts(value: &Value) -> Vec<String> {
    let items = value.as_array().into_iter().flatten();
    sorted(items.filter_map(Value::as_str).map(str::to_owned).collect())
}

/// The addresses in `held`, sorted.
pub(crate) fn held(upstream: &Value) -> Vec<String> {
    let items = upstream["held"].as_array().into_iter().flatten();
    sorted(
        items
            .filter_map(|item| item["server"].as_str())
            .map(str::to_owned)
            .collect(),
    )
}

/// The writes that reached NGINX in order, as `METHOD body`, a DELETE as `DELETE`.
pub(crate) fn bodies(running: &Running) -> Vec<String> {
    let requests = running.cloud.requests_to(Service::Nginx);
    let writes = requests.iter().filter(|request| request.is_write());
    writes
        .map(|request| match &request.body {
            Some(body) => format!("{} {body}", request.method),
            None => request.method.clone(),
        })
        .collect()
}

/// The methods of the writes that reached NGINX, in order.
pub(crate) fn methods(running: &Running) -> Vec<String> {
    let requests = running.cloud.requests_to(Service::Nginx);
    let writes = requests.iter().filter(|request| request.is_write());
    writes.map(|request| request.method.clone()).collect()
}

/// A server of an http upstream.
pub(crate) fn server(world: &World, upstream: &str, address: &str) -> Option<Server> {
    let servers = world.servers(UpstreamKind::Http, upstream);
    servers.into_iter().find(|server| server.server == address)
}

/// The address that an instance of `web-vmss` serves on.
pub(crate) fn address_of(world: &World, set: &str, place: usize) -> String {
    world
        .instance(set, place)
        .server(80)
        .unwrap_or_else(|| panic!("instance {place} has no address"))
}

/// Requests to Resource Manager whose path and query hold `part`.
pub(crate) fn asked(cloud: &Cloud, part: &str) -> usize {
    let part = part.to_lowercase();
    let requests = cloud.requests_to(Service::Arm);
    let target = |path: &str, query: &str| format!("{path}?{query}").to_lowercase();
    requests
        .iter()
        .filter(|found| target(&found.path, &found.query).contains(&part))
        .count()
}

/// Resource Manager's call `part`, for a fault.
pub(crate) fn call(part: &str) -> Match {
    Match::arm().path(part)
}

/// Everything that was taken out of service by a write: deleted, drained or switched off.
#[derive(Clone, Default)]
pub(crate) struct Ledger(Arc<Mutex<Vec<String>>>);

impl Ledger {
    /// Watches all writes to NGINX from now on.
    pub(crate) fn watch(world: &World) -> Self {
        let ledger = Self::default();
        let kept = ledger.clone();
        world.on_nginx_write(move |write| {
            let out = match &write.change {
                Change::Removed(server) => Some(server),
                Change::Changed { before, after }
                    if (after.drain && !before.drain) || (after.down && !before.down) =>
                {
                    Some(after)
                }
                Change::Changed { .. } | Change::Added(_) => None,
            };
            if let Some(server) = out {
                let line = format!("{} {}", write.upstream, server.server);
                kept.0
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .push(line);
            }
            Ok(())
        });
        ledger
    }

    /// What was taken out, as `upstream address`, sorted.
    pub(crate) fn taken_out(&self) -> Vec<String> {
        sorted(
            self.0
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .clone(),
        )
    }
}

/// Nobody called the host that nobody should call, and the simulators saw no misuse.
pub(crate) fn assert_no_leak(cloud: &Cloud) {
    let foreign: Vec<_> = cloud.requests_to(Service::Foreign);
    assert!(foreign.is_empty(), "{foreign:?}");
    assert_eq!(cloud.world().violations(), Vec::<String>::new());
}
