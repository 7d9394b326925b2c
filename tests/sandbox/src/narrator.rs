//! How the story is told: one heading per step, then what happened, line by line.

use std::net::SocketAddr;

use simulated_cloud::functions_host::{Reply, Verdict};
use simulated_cloud::{PeerState, Provisioning, Server, UpstreamKind, World};

use crate::stage::{BACKENDS, Backend};

/// The width of the first column.
const LABEL: usize = 10;

/// A line with a label; further lines of the text are put below each other.
pub(crate) fn say(label: &str, text: &str) {
    let mut label = label;
    for line in text.lines() {
        println!("  {label:<LABEL$}{line}");
        label = "";
    }
}

/// A step's heading.
pub(crate) fn step(number: usize, of: usize, title: &str) {
    println!("\nStep {number} of {of}: {title}");
}

/// What the scale set looks like in Azure.
pub(crate) fn azure(world: &World, backend: Backend) {
    let instances = world.instances(backend.set);
    let list = instances.iter().map(|instance| {
        let address = instance.address().unwrap_or("no address");
        match instance.provisioning {
            Provisioning::Deleting => format!("{address} (being deleted)"),
            Provisioning::Creating => format!("{address} (being created)"),
            _ => address.to_owned(),
        }
    });
    let capacity = world.capacity(backend.set).unwrap_or_default();
    let text = format!(
        "{}, capacity {capacity}: {}",
        backend.set,
        list_or_none(&list.collect::<Vec<_>>())
    );
    say("Azure", &text);
}

/// The handler's reply, with its lines.
pub(crate) fn reply(reply: &Reply) {
    let verdict = match &reply.verdict {
        Verdict::Succeeded => "success".to_owned(),
        Verdict::Failed(reason) => format!("failure: {reason}"),
        Verdict::Hangs(reason) => format!("the invocation would hang: {reason}"),
    };
    say("Handler", &format!("answers {} ({verdict}):", reply.status));
    let mut lines = reply.logs();
    if lines.is_empty() {
        lines.push("(no lines)".to_owned());
    }
    for line in lines {
        say("", &format!("| {line}"));
    }
}

/// The servers of both upstreams.
pub(crate) fn nginx(world: &World) {
    let mut label = "NGINX";
    for backend in BACKENDS {
        let mut servers = world.servers(UpstreamKind::Http, backend.upstream);
        servers.sort_by_key(|server| server.server.parse::<SocketAddr>().ok());
        let list = servers.iter().map(|server| match state(server) {
            PeerState::Up => server.server.clone(),
            state => format!("{} ({})", server.server, state.word()),
        });
        say(
            label,
            &format!(
                "{}: {}",
                backend.upstream,
                list_or_none(&list.collect::<Vec<_>>())
            ),
        );
        label = "";
    }
}

fn state(server: &Server) -> PeerState {
    match (server.down, server.drain) {
        (true, _) => PeerState::Down,
        (false, true) => PeerState::Draining,
        (false, false) => PeerState::Up,
    }
}

fn list_or_none(list: &[String]) -> String {
    if list.is_empty() {
        "none".to_owned()
    } else {
        list.join("  ")
    }
}
