//! The upstreams of the world, and what they should hold.

use std::collections::BTreeSet;

use simulated_cloud::{Server, UpstreamEntry, UpstreamKind, World};

use super::script::SETS;
use super::watch::{Fed, in_service};

/// The operator's own server in `shop`.
pub(super) const STATIC: &str = "192.168.1.1:8081";

/// Puts the scale sets and their upstreams there, three instances each.
pub(super) fn build(world: &World) {
    world.add_uniform_set(SETS[0], 3);
    world.add_flexible_set(SETS[1], 3);
    for fed in upstreams() {
        world.add_upstream(fed.kind, fed.name);
    }
    let operators = Server {
        is_static: true,
        ..Server::at(STATIC)
    };
    world.put_server(UpstreamKind::Http, "shop", operators);
}

pub(super) fn upstreams() -> [Fed; 3] {
    let fed = |name, sets, port, strict| Fed {
        kind: UpstreamKind::Http,
        name,
        sets,
        port,
        strict,
    };
    [
        fed("web", &SETS[..1], 80, false),
        fed("api", &SETS, 8080, true),
        fed("shop", &SETS[1..], 8081, false),
    ]
}

pub(super) fn entries() -> Vec<UpstreamEntry> {
    let api = |set| {
        let entry = UpstreamEntry::http("api", set).on_port(8080);
        entry
            .with("max_removal_percent", "0")
            .with("drain_timeout", "0s")
    };
    vec![
        UpstreamEntry::http("web", SETS[0]),
        api(SETS[0]),
        api(SETS[1]),
        UpstreamEntry::http("shop", SETS[1])
            .on_port(8081)
            .with("drain_timeout", "1s"),
    ]
}

/// What is not as it should be; `drained` if leaving servers must be gone, too.
pub(super) fn wrong(world: &World, drained: bool) -> Option<String> {
    for Fed {
        kind,
        name,
        sets,
        port,
        ..
    } in upstreams()
    {
        let union = |list: fn(&World, &str, u16) -> Vec<String>| -> BTreeSet<String> {
            sets.iter().flat_map(|set| list(world, set, port)).collect()
        };
        let mut serving = union(World::serving_addresses);
        let mut may_be = if drained {
            serving.clone()
        } else {
            union(World::addresses)
        };
        if name == "shop" {
            serving.insert(STATIC.to_owned());
            may_be.insert(STATIC.to_owned());
        }
        let servers = world.servers(kind, name);
        let found: BTreeSet<String> = servers.iter().map(|server| server.server.clone()).collect();
        let fit = |server: &&Server| in_service(server) && server.max_fails == 1;
        let fit: BTreeSet<String> = servers
            .iter()
            .filter(fit)
            .map(|server| server.server.clone())
            .collect();
        if !serving.is_subset(&fit) || !found.is_subset(&may_be) {
            return Some(format!(
                "{name} has {servers:?} and should have {serving:?}"
            ));
        }
    }
    None
}
