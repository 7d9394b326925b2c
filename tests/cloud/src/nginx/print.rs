//! The JSON of servers and of an upstream's status.

use serde_json::{Map, Value, json};

use super::model::{Flavour, PeerState, Server, Upstream, UpstreamKind};
use super::zone;

/// One server.
pub(super) fn server(kind: UpstreamKind, flavour: Flavour, server: &Server) -> Value {
    let mut body = json!({
        "id": server.id,
        "server": server.server,
        "max_conns": server.max_conns,
        "max_fails": server.max_fails,
        "fail_timeout": server.fail_timeout,
        "slow_start": server.slow_start,
    });
    if flavour == Flavour::NginxAaas {
        // As NGINX's Go client prints a server: an id of 0 is left out.
        if server.id == 0
            && let Some(body) = body.as_object_mut()
        {
            body.remove("id");
        }
        return body;
    }
    body["weight"] = json!(server.weight);
    body["backup"] = json!(server.backup);
    body["down"] = json!(server.down);
    if let Some(parent) = server.parent {
        body["parent"] = json!(parent);
    }
    if kind == UpstreamKind::Http {
        body["route"] = json!(server.route);
        if server.drain {
            body["drain"] = json!(true);
        }
    }
    body
}

/// All servers of an upstream.
pub(super) fn servers(flavour: Flavour, upstream: &Upstream) -> Value {
    upstream
        .servers
        .iter()
        .map(|found| server(upstream.kind, flavour, found))
        .collect()
}

/// The status of an upstream, only the fields asked for.
pub(super) fn status(upstream: &Upstream, fields: Option<&str>) -> Value {
    let peers: Value = upstream
        .servers
        .iter()
        .map(|server| peer(upstream, server))
        .collect();
    let mut body = Map::new();
    body.insert("peers".to_owned(), peers);
    body.insert("zombies".to_owned(), json!(upstream.zombies()));
    body.insert("zone".to_owned(), json!(upstream.name));
    if upstream.kind == UpstreamKind::Http {
        body.insert("keepalive".to_owned(), json!(0));
    }
    if let Some(fields) = fields {
        let wanted: Vec<&str> = fields.split(',').collect();
        body.retain(|name, _| wanted.contains(&name.as_str()));
    }
    Value::Object(body)
}

/// The memory of an upstream's zone: pages of 4 KiB, of which the servers use theirs.
pub(super) fn slab(upstream: &Upstream) -> Value {
    let total = zone::pages(upstream);
    let used = zone::used_pages(upstream).min(total);
    json!({
        "pages": {"used": used, "free": total - used},
        "slots": {
            "512": {"used": upstream.servers.len(), "free": 0, "reqs": upstream.servers.len(), "fails": 0},
            "1024": {"used": upstream.servers.len(), "free": 0, "reqs": upstream.servers.len(), "fails": upstream.zone_fails},
        },
    })
}

fn peer(upstream: &Upstream, server: &Server) -> Value {
    let state = upstream.state(server);
    let requests = upstream
        .requests
        .get(&server.id)
        .copied()
        .unwrap_or_default();
    let counted = match upstream.kind {
        UpstreamKind::Http => "requests",
        UpstreamKind::Stream => "connections",
    };
    let mut body = json!({
        "id": server.id,
        "server": server.server,
        "name": server.server,
        "backup": server.backup,
        "weight": server.weight,
        "state": state.word(),
        "active": upstream.active(server),
        "sent": 0,
        "received": 0,
        "fails": 0,
        "unavail": 0,
        "health_checks": {
            "checks": u8::from(upstream.health_checked),
            "fails": u8::from(state == PeerState::Unhealthy),
            "unhealthy": u8::from(state == PeerState::Unhealthy),
            "last_passed": state == PeerState::Up,
        },
        "downtime": 0,
    });
    if !upstream.health_checked {
        body["health_checks"] = json!({"checks": 0, "fails": 0, "unhealthy": 0});
    }
    body[counted] = json!(requests);
    if server.max_conns > 0 {
        body["max_conns"] = json!(server.max_conns);
    }
    body
}
