//! The NGINX side: upstreams, their servers, and the switches of the API.

use super::World;
use crate::nginx::{Flavour, PeerState, Server, Upstream, UpstreamKind, servers_in};

impl World {
    /// Makes an empty dynamic upstream.
    pub fn add_upstream(&self, kind: UpstreamKind, name: &str) {
        self.with(|state| {
            let nginx = &mut state.nginx;
            assert!(nginx.find(kind, name).is_none(), "upstream {name:?} exists");
            nginx.upstreams.push(Upstream::new(kind, name));
        });
    }

    /// Takes an upstream out of the configuration.
    pub fn remove_upstream(&self, kind: UpstreamKind, name: &str) {
        self.with(|state| {
            let upstreams = &mut state.nginx.upstreams;
            upstreams.retain(|upstream| upstream.kind != kind || upstream.name != name);
        });
    }

    /// The servers of an upstream, in NGINX's order.
    #[must_use]
    pub fn servers(&self, kind: UpstreamKind, name: &str) -> Vec<Server> {
        self.with(|state| state.nginx.upstream(kind, name).servers.clone())
    }

    /// The addresses of an upstream's servers, sorted.
    #[must_use]
    pub fn server_addresses(&self, kind: UpstreamKind, name: &str) -> Vec<String> {
        let mut list: Vec<String> = self
            .servers(kind, name)
            .into_iter()
            .map(|server| server.server)
            .collect();
        list.sort();
        list
    }

    /// Puts a server there by another hand: an operator's, or the configuration file's. Its id is
    /// chosen by NGINX and returned. The hook is not called.
    pub fn put_server(&self, kind: UpstreamKind, name: &str, server: Server) -> u64 {
        self.with(|state| {
            let flavour = state.nginx.flavour;
            let upstream = state.nginx.upstream(kind, name);
            let id = upstream.fresh_id(flavour);
            upstream.servers.push(Server { id, ..server });
            id
        })
    }

    /// Changes a server by another hand. The hook is not called.
    pub fn change_server(
        &self,
        kind: UpstreamKind,
        name: &str,
        address: &str,
        change: impl FnOnce(&mut Server),
    ) {
        self.with(|state| {
            let servers = &mut state.nginx.upstream(kind, name).servers;
            match servers.iter_mut().find(|server| server.server == address) {
                Some(server) => change(server),
                None => panic!("there is no server {address} in {name:?}"),
            }
        });
    }

    /// Removes a server by another hand. The hook is not called.
    pub fn take_server(&self, kind: UpstreamKind, name: &str, address: &str) {
        self.with(|state| {
            let servers = &mut state.nginx.upstream(kind, name).servers;
            servers.retain(|server| server.server != address);
        });
    }

    /// A reload: NGINX reads the servers from its state file and numbers them anew, in their order.
    pub fn reload_upstream(&self, kind: UpstreamKind, name: &str) {
        self.with(|state| {
            let flavour = state.nginx.flavour;
            let upstream = state.nginx.upstream(kind, name);
            upstream.renumber(flavour);
        });
    }

    /// How many servers the upstream's zone holds; none for no limit.
    pub fn set_zone_capacity(&self, kind: UpstreamKind, name: &str, capacity: Option<usize>) {
        self.with(|state| state.nginx.upstream(kind, name).capacity = capacity);
    }

    /// The size of the upstream's zone in KiB, as `zone NAME 64k` would give it; how many servers it
    /// holds follows.
    pub fn set_zone_size(&self, kind: UpstreamKind, name: &str, kibibytes: u64) {
        let bytes = kibibytes * 1024;
        self.with(|state| {
            let upstream = state.nginx.upstream(kind, name);
            upstream.zone_bytes = Some(bytes);
            upstream.capacity = Some(servers_in(kind, bytes));
        });
    }

    /// Whether the upstream has active health checks; it has at first.
    pub fn set_health_checked(&self, kind: UpstreamKind, name: &str, on: bool) {
        self.with(|state| state.nginx.upstream(kind, name).health_checked = on);
    }

    /// The `slabs` endpoint does not exist, as may be with NGINXaaS.
    pub fn hide_slabs(&self, on: bool) {
        self.with(|state| state.nginx.slabs_missing = on);
    }

    /// The status of `UpstreamOutOfMemory`: 500 as observed (the default) or 400 as specified.
    pub fn set_out_of_memory_status(&self, status: u16) {
        self.with(|state| state.nginx.out_of_memory_status = status);
    }

    /// Makes the upstream one without a zone, which the API refuses to show.
    pub fn set_upstream_static(&self, kind: UpstreamKind, name: &str, on: bool) {
        self.with(|state| state.nginx.upstream(kind, name).is_static = on);
    }

    /// Makes the upstream one whose balancing method knows no backup servers.
    pub fn set_no_backup(&self, kind: UpstreamKind, name: &str, on: bool) {
        self.with(|state| state.nginx.upstream(kind, name).no_backup = on);
    }

    /// Overrides the state that the status endpoint tells of a server; none takes it back.
    pub fn set_peer_state(
        &self,
        kind: UpstreamKind,
        name: &str,
        address: &str,
        peer: Option<PeerState>,
    ) {
        self.with(|state| {
            let states = &mut state.nginx.upstream(kind, name).states;
            match peer {
                Some(peer) => states.insert(address.to_owned(), peer),
                None => states.remove(address),
            };
        });
    }

    /// Overrides the number of active connections of a server; none counts them again.
    pub fn set_active(&self, kind: UpstreamKind, name: &str, address: &str, active: Option<u64>) {
        self.with(|state| {
            let actives = &mut state.nginx.upstream(kind, name).actives;
            match active {
                Some(active) => actives.insert(address.to_owned(), active),
                None => actives.remove(address),
            };
        });
    }

    /// Whose replies the API gives; NGINX Plus's own at first.
    pub fn set_flavour(&self, flavour: Flavour) {
        self.with(|state| state.nginx.flavour = flavour);
    }

    /// The API was configured without `write=on`: every write is 405 `MethodDisabled`.
    pub fn disable_writes(&self, on: bool) {
        self.with(|state| state.nginx.writes_disabled = on);
    }

    /// 401 comes as the API's JSON and not as the HTML of a proxy in front of it.
    pub fn answer_unauthorized_as_json(&self, on: bool) {
        self.with(|state| state.nginx.json_unauthorized = on);
    }

    /// Whether the API asks for the key; it does at first.
    pub fn require_key(&self, on: bool) {
        self.with(|state| state.nginx.needs_key = on);
    }

    /// `{"drain":false}` leaves a draining server draining. It is not documented whether it does.
    pub fn ignore_drain_false(&self, on: bool) {
        self.with(|state| state.nginx.drain_false_ignored = on);
    }

    /// The status endpoints do not exist, as may be with NGINXaaS.
    pub fn hide_status(&self, on: bool) {
        self.with(|state| state.nginx.status_missing = on);
    }
}
