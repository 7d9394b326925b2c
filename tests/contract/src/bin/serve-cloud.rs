//! Runs one fixed simulated cloud for judges that are not written in Rust.
//!
//! Prints one line of JSON: where everything is, and what a reader of it should find. Then takes
//! orders, one JSON object a line, and answers each with a line; ends when its input ends.
#![forbid(unsafe_code)]

use std::io::{BufRead as _, Write as _};

use serde::Deserialize;
use serde_json::{Value, json};
use simulated_cloud::{
    Cloud, Fault, Health, Match, OrchestrationMode, PowerState, Provisioning, Server,
    UpstreamEntry, UpstreamKind, World,
};

const UNIFORM: &str = "web-uniform";
const FLEXIBLE: &str = "web-flexible";
const OTHER: &str = "other-flexible";
const HTTP: &str = "web";
const STREAM: &str = "mail";

/// What may be ordered.
#[derive(Deserialize)]
#[serde(tag = "do", rename_all = "kebab-case", deny_unknown_fields)]
enum Order {
    /// Brings a set to a number of instances.
    Scale { set: String, count: usize },
    /// Sets the power state of an instance, by its place.
    Power {
        set: String,
        place: usize,
        power: Power,
    },
    /// An instance is being deleted.
    MarkDeleting { set: String, place: usize },
    /// An instance is gone.
    Settle { set: String },
    /// The addresses of a set's instances.
    Addresses { set: String, port: u16 },
    /// The servers of an upstream: address, draining, down, `max_conns`, `max_fails`.
    Servers { kind: Kind, upstream: String },
    /// Puts a server there by another hand.
    Put {
        kind: Kind,
        upstream: String,
        address: String,
        fixed: bool,
    },
    /// Removes a server by another hand.
    Take {
        kind: Kind,
        upstream: String,
        address: String,
    },
    /// Answers the next GET of a path that holds this with 200 and this body.
    AnswerOnce { path: String, body: String },
    /// Changes a server's `max_conns` by another hand.
    MaxConns {
        kind: Kind,
        upstream: String,
        address: String,
        to: u64,
    },
    /// Overrides a server's number of active connections.
    Active {
        kind: Kind,
        upstream: String,
        address: String,
        count: Option<u64>,
    },
    /// Limits the zone of an upstream.
    Zone {
        kind: Kind,
        upstream: String,
        servers: Option<usize>,
    },
    /// Takes the API's permission to write, or gives it back.
    Writes { allowed: bool },
    /// Makes an upstream one without a zone.
    Static {
        kind: Kind,
        upstream: String,
        on: bool,
    },
    /// Takes an upstream out of the configuration.
    RemoveUpstream { kind: Kind, upstream: String },
    /// Makes an upstream.
    AddUpstream { kind: Kind, upstream: String },
    /// Somebody else removes the server just before the next DELETE of it is answered.
    RaceRemoval {
        kind: Kind,
        upstream: String,
        address: String,
    },
    /// Somebody else adds the server just before the next POST is answered.
    RaceAddition {
        kind: Kind,
        upstream: String,
        address: String,
    },
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Http,
    Stream,
}

impl From<Kind> for UpstreamKind {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Http => Self::Http,
            Kind::Stream => Self::Stream,
        }
    }
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Power {
    Running,
    Stopped,
    Deallocated,
}

impl From<Power> for PowerState {
    fn from(power: Power) -> Self {
        match power {
            Power::Running => Self::Running,
            Power::Stopped => Self::Stopped,
            Power::Deallocated => Self::Deallocated,
        }
    }
}

fn main() -> anyhow::Result<()> {
    let cloud = Cloud::start_now();
    build(&cloud.world());
    say(&introduction(&cloud))?;
    for line in std::io::stdin().lock().lines() {
        let answer = match serde_json::from_str(&line?) {
            Ok(order) => obey(&cloud, order),
            Err(error) => json!({"error": error.to_string()}),
        };
        say(&answer)?;
    }
    Ok(())
}

fn say(line: &Value) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}")?;
    out.flush()
}

/// A world with pages, both modes, several states, several interfaces, IPv6, and a stranger.
fn build(world: &World) {
    world.set_page_size(2);
    world.add_uniform_set(UNIFORM, 5);
    world.add_flexible_set(FLEXIBLE, 5);
    world.add_flexible_set(OTHER, 1);
    for set in [UNIFORM, FLEXIBLE] {
        world.set_health(set, 0, Some(Health::Healthy));
        world.set_health(set, 1, Some(Health::Unhealthy));
        world.set_power(set, 1, PowerState::Deallocated);
        world.set_provisioning(set, 2, Provisioning::Updating);
        world.set_power(set, 3, PowerState::NotTold);
        world.mark_deleting(set, 4);
    }
    world.add_nic(UNIFORM, 0, "10.30.0.10");
    world.add_ip_configuration(UNIFORM, 2, "fd00::12");
    world.add_nic(FLEXIBLE, 0, "10.30.0.20");
    world.add_ip_configuration(FLEXIBLE, 2, "fd00::22");
    world.add_orphan_nic("nobodys-nic", "10.30.0.99");
    world.add_uniform_set("front", 3);
    world.add_uniform_set("back", 2);
    world.add_upstream(UpstreamKind::Http, HTTP);
    world.add_upstream(UpstreamKind::Stream, STREAM);
    // As specified; 500 has been seen, but the specification knows no such reply.
    world.set_out_of_memory_status(400);
}

fn introduction(cloud: &Cloud) -> Value {
    let world = cloud.world();
    let set = |name: &str, mode: OrchestrationMode| {
        json!({
            "name": name,
            "id": world.set_id(name),
            "set": contract::scale_set(&world, name, mode),
            "machines": contract::machines(&world, name),
            "interfaces": contract::interfaces(&world, name),
        })
    };
    let upstreams = [
        UpstreamEntry::http(HTTP, "front")
            .with("max_conns", "7")
            .with("slow_start", "30s"),
        UpstreamEntry::stream(STREAM, "back", 25).with("max_fails", "3"),
    ];
    json!({
        "resource_manager": cloud.resource_manager_endpoint(),
        "resource_manager_audience": cloud.arm_audience(),
        "vault": cloud.vault_endpoint(),
        "secret_id": cloud.vault_secret_id(),
        "api_key": cloud.api_key(),
        "nginx_http": cloud.api_endpoint_http(),
        "subscription": cloud.subscription_id(),
        "group": cloud.resource_group(),
        "environment": cloud.handler_env().into_iter().collect::<std::collections::BTreeMap<_, _>>(),
        "uniform": set(UNIFORM, OrchestrationMode::Uniform),
        "flexible": set(FLEXIBLE, OrchestrationMode::Flexible),
        "other": set(OTHER, OrchestrationMode::Flexible),
        "orphan": {"name": "nobodys-nic", "address": "10.30.0.99"},
        "config": cloud.config_yaml_with(&[("api_endpoint", "API_ENDPOINT")], &upstreams),
    })
}

fn obey(cloud: &Cloud, order: Order) -> Value {
    let world = cloud.world();
    match order {
        Order::Scale { set, count } => world.scale(&set, count),
        Order::Power { set, place, power } => world.set_power(&set, place, power.into()),
        Order::MarkDeleting { set, place } => world.mark_deleting(&set, place),
        Order::Settle { set } => world.settle(&set),
        Order::Addresses { set, port } => {
            return json!({"addresses": world.addresses(&set, port)});
        }
        Order::Servers { kind, upstream } => {
            let servers = world.servers(kind.into(), &upstream);
            return json!({"servers": servers.iter().map(server).collect::<Vec<_>>()});
        }
        Order::Put {
            kind,
            upstream,
            address,
            fixed,
        } => {
            let server = Server {
                is_static: fixed,
                ..Server::at(&address)
            };
            world.put_server(kind.into(), &upstream, server);
        }
        Order::Take {
            kind,
            upstream,
            address,
        } => {
            world.take_server(kind.into(), &upstream, &address);
        }
        Order::AnswerOnce { path, body } => {
            let fault = Fault::Status {
                code: 200,
                body,
                headers: Vec::new(),
            };
            cloud.fault(Match::nginx().method("GET").path(&path), fault, Some(1));
        }
        Order::MaxConns {
            kind,
            upstream,
            address,
            to,
        } => {
            world.change_server(kind.into(), &upstream, &address, |server| {
                server.max_conns = to;
            });
        }
        Order::Active {
            kind,
            upstream,
            address,
            count,
        } => {
            world.set_active(kind.into(), &upstream, &address, count);
        }
        Order::Zone {
            kind,
            upstream,
            servers,
        } => {
            world.set_zone_capacity(kind.into(), &upstream, servers);
        }
        Order::Writes { allowed } => world.disable_writes(!allowed),
        Order::Static { kind, upstream, on } => {
            world.set_upstream_static(kind.into(), &upstream, on);
        }
        Order::RemoveUpstream { kind, upstream } => world.remove_upstream(kind.into(), &upstream),
        Order::AddUpstream { kind, upstream } => world.add_upstream(kind.into(), &upstream),
        Order::RaceRemoval {
            kind,
            upstream,
            address,
        } => {
            let servers = world.servers(kind.into(), &upstream);
            let Some(server) = servers.iter().find(|server| server.server == address) else {
                return json!({"error": format!("there is no server {address}")});
            };
            let path = format!("/upstreams/{upstream}/servers/{}", server.id);
            race(
                cloud,
                Match::nginx().method("DELETE").path(&path),
                move |world| {
                    world.take_server(kind.into(), &upstream, &address);
                },
            );
        }
        Order::RaceAddition {
            kind,
            upstream,
            address,
        } => {
            let path = format!("/upstreams/{upstream}/servers");
            race(
                cloud,
                Match::nginx().method("POST").path(&path),
                move |world| {
                    world.put_server(kind.into(), &upstream, Server::at(&address));
                },
            );
        }
    }
    json!({"done": true})
}

fn server(server: &Server) -> Value {
    json!({
        "address": server.server,
        "drain": server.drain,
        "down": server.down,
        "max_conns": server.max_conns,
        "max_fails": server.max_fails,
    })
}

/// Holds the request that fits, lets somebody else be faster, and lets it go on.
fn race(cloud: &Cloud, matches: Match, faster: impl FnOnce(World) + Send + 'static) {
    let gate = cloud.gate(matches);
    let world = cloud.world();
    std::thread::spawn(move || {
        let Ok(runtime) = tokio::runtime::Builder::new_current_thread().build() else {
            return;
        };
        runtime.block_on(gate.arrived());
        faster(world);
        gate.release();
    });
}
