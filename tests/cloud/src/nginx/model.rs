//! Upstreams and their servers, as data.

use std::collections::HashMap;

use crate::random;

/// HTTP or stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum UpstreamKind {
    /// An upstream of the `http` block.
    Http,
    /// An upstream of the `stream` block.
    Stream,
}

impl UpstreamKind {
    /// The word in the API's paths.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Stream => "stream",
        }
    }
}

/// Whose replies the API gives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Flavour {
    /// NGINX Plus itself: all fields, ids from 0, times as seconds.
    #[default]
    Native,
    /// NGINXaaS: six fields, large ids, times echoed as they were sent.
    NginxAaas,
}

/// The state of a peer, as the status endpoint tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PeerState {
    /// Receives requests.
    Up,
    /// Receives only the requests that are bound to it.
    Draining,
    /// Switched off.
    Down,
    /// Out because of failed requests.
    Unavail,
    /// Not checked yet.
    Checking,
    /// Out because of failed health checks.
    Unhealthy,
}

impl PeerState {
    /// The word that the API prints.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Draining => "draining",
            Self::Down => "down",
            Self::Unavail => "unavail",
            Self::Checking => "checking",
            Self::Unhealthy => "unhealthy",
        }
    }
}

/// One server of an upstream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// The id that the API gave it.
    pub id: u64,
    /// The address.
    pub server: String,
    /// The weight.
    pub weight: u64,
    /// The limit of simultaneous connections; 0 is none.
    pub max_conns: u64,
    /// Failed attempts until it is taken out; 0 never takes it out.
    pub max_fails: u64,
    /// The time that goes with `max_fails`.
    pub fail_timeout: String,
    /// The time in which its weight recovers.
    pub slow_start: String,
    /// The route of a sticky session (http only).
    pub route: String,
    /// Whether it is a backup server.
    pub backup: bool,
    /// Whether it is switched off.
    pub down: bool,
    /// Whether it is draining (http only).
    pub drain: bool,
    /// Whether it comes from the configuration file; such a server cannot be changed or removed.
    pub is_static: bool,
    /// The id of the domain name's entry that this server was resolved from; such a server cannot
    /// be changed or removed either.
    pub parent: Option<u64>,
}

impl Default for Server {
    fn default() -> Self {
        Self {
            id: 0,
            server: String::new(),
            weight: 1,
            max_conns: 0,
            max_fails: 1,
            fail_timeout: "10s".to_owned(),
            slow_start: "0s".to_owned(),
            route: String::new(),
            backup: false,
            down: false,
            drain: false,
            is_static: false,
            parent: None,
        }
    }
}

impl Server {
    /// A server with this address and the defaults of NGINX.
    #[must_use]
    pub fn at(address: &str) -> Self {
        Self {
            server: address.to_owned(),
            ..Self::default()
        }
    }
}

/// One change that a request made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// A server was added.
    Added(Server),
    /// A server was changed.
    Changed {
        /// What it was.
        before: Server,
        /// What it is now.
        after: Server,
    },
    /// A server was removed.
    Removed(Server),
}

/// A change and the upstream that it led to.
#[derive(Clone, Debug)]
pub struct NginxWrite {
    /// The kind of the upstream.
    pub kind: UpstreamKind,
    /// The name of the upstream.
    pub upstream: String,
    /// What was changed.
    pub change: Change,
    /// Every server of the upstream afterwards.
    pub servers: Vec<Server>,
}

/// One upstream.
pub(crate) struct Upstream {
    pub(crate) kind: UpstreamKind,
    pub(crate) name: String,
    pub(crate) servers: Vec<Server>,
    /// How many servers the zone holds.
    pub(crate) capacity: Option<usize>,
    /// The size of its zone, where the test has set one.
    pub(crate) zone_bytes: Option<u64>,
    /// Allocations that the zone had no room for.
    pub(crate) zone_fails: u64,
    /// Whether active health checks are configured.
    pub(crate) health_checked: bool,
    /// No zone at all: the API can neither list nor change it.
    pub(crate) is_static: bool,
    /// The balancing method knows no backup servers.
    pub(crate) no_backup: bool,
    /// States and connection counts that the test has set, by address.
    pub(crate) states: HashMap<String, PeerState>,
    pub(crate) actives: HashMap<String, u64>,
    /// Requests that are under way, by server id; servers that are gone are the zombies.
    pub(crate) in_flight: HashMap<u64, u64>,
    /// Requests that were handed out, by server id.
    pub(crate) requests: HashMap<u64, u64>,
    pub(crate) turn: usize,
    next_id: u64,
}

impl Upstream {
    pub(crate) fn new(kind: UpstreamKind, name: &str) -> Self {
        Self {
            kind,
            name: name.to_owned(),
            servers: Vec::new(),
            capacity: None,
            zone_bytes: None,
            zone_fails: 0,
            health_checked: true,
            is_static: false,
            no_backup: false,
            states: HashMap::new(),
            actives: HashMap::new(),
            in_flight: HashMap::new(),
            requests: HashMap::new(),
            turn: 0,
            next_id: 0,
        }
    }

    /// An id that no server of this upstream has had.
    pub(crate) fn fresh_id(&mut self, flavour: Flavour) -> u64 {
        match flavour {
            Flavour::Native => {
                let id = self.next_id;
                self.next_id += 1;
                id
            }
            Flavour::NginxAaas => loop {
                let id = random::number() % 4_000_000_000 + 100_000_000;
                if !self.servers.iter().any(|server| server.id == id) {
                    break id;
                }
            },
        }
    }

    /// Gives every server a new id, counted from 0 where NGINX counts.
    pub(crate) fn renumber(&mut self, flavour: Flavour) {
        let mut servers = std::mem::take(&mut self.servers);
        self.next_id = 0;
        for server in &mut servers {
            server.id = self.fresh_id(flavour);
        }
        self.servers = servers;
    }

    /// Removed servers that are still busy with requests.
    pub(crate) fn zombies(&self) -> usize {
        let alive = |id: &u64| self.servers.iter().any(|server| server.id == *id);
        self.in_flight
            .iter()
            .filter(|(id, count)| **count > 0 && !alive(id))
            .count()
    }

    pub(crate) fn is_full(&self) -> bool {
        self.capacity
            .is_some_and(|capacity| self.servers.len() + self.zombies() >= capacity)
    }

    pub(crate) fn state(&self, server: &Server) -> PeerState {
        match self.states.get(&server.server) {
            Some(state) => *state,
            None if server.down => PeerState::Down,
            None if server.drain => PeerState::Draining,
            None => PeerState::Up,
        }
    }

    pub(crate) fn active(&self, server: &Server) -> u64 {
        let counted = || self.in_flight.get(&server.id).copied().unwrap_or_default();
        self.actives
            .get(&server.server)
            .copied()
            .unwrap_or_else(counted)
    }
}

/// All that NGINX knows, and the switches of its API.
pub(crate) struct NginxState {
    pub(crate) upstreams: Vec<Upstream>,
    pub(crate) flavour: Flavour,
    pub(crate) writes_disabled: bool,
    pub(crate) json_unauthorized: bool,
    pub(crate) needs_key: bool,
    pub(crate) drain_false_ignored: bool,
    pub(crate) status_missing: bool,
    pub(crate) slabs_missing: bool,
    pub(crate) out_of_memory_status: u16,
}

impl NginxState {
    pub(crate) fn new() -> Self {
        Self {
            upstreams: Vec::new(),
            flavour: Flavour::default(),
            writes_disabled: false,
            json_unauthorized: false,
            needs_key: true,
            drain_false_ignored: false,
            status_missing: false,
            slabs_missing: false,
            out_of_memory_status: 500,
        }
    }

    pub(crate) fn find(&mut self, kind: UpstreamKind, name: &str) -> Option<&mut Upstream> {
        self.upstreams
            .iter_mut()
            .find(|upstream| upstream.kind == kind && upstream.name == name)
    }

    /// The upstream of that name; the test is wrong when there is none.
    pub(crate) fn upstream(&mut self, kind: UpstreamKind, name: &str) -> &mut Upstream {
        let word = kind.word();
        self.find(kind, name)
            .unwrap_or_else(|| panic!("there is no {word} upstream {name:?}"))
    }
}
