//! What the plan does in the situations an operator asks about.

mod drains;
mod guards;
mod parameters;
mod phases;

use std::collections::BTreeMap;
use std::time::Duration;

use super::{DrainProgress, Held, HoldReason, Observation, Picture, Plan, RemoveWhy, Step, plan};
use crate::model::{
    Address, ArrivingWhy, CompleteListing, Instance, Kind, LeavingWhy, Listing, NginxTime,
    OptionalParameters, Ownership, PeerState, PeerStatus, Phase, Policy, ReadFailure,
    ReadFailureKind, ScaleSetId, Server, ServerAddress, ServerParameters, Source, Upstream,
    UpstreamKey,
};

const STARTING: Phase = Phase::Arriving(ArrivingWhy::Starting);
const DEALLOCATED: Phase = Phase::Leaving(LeavingWhy::Deallocated);
const STOPPED: Phase = Phase::Leaving(LeavingWhy::Stopped);
const DELETING: Phase = Phase::Leaving(LeavingWhy::Deleting);

/// One scale set behind one HTTP upstream; servers are numbered `10.0.0.N`, and so are ids.
struct Scene {
    upstream: Upstream,
    servers: Vec<Server>,
    instances: Vec<Instance>,
    capacity: Option<u64>,
    failure: Option<ReadFailure>,
    peers: Option<Vec<PeerStatus>>,
    drains: BTreeMap<ServerAddress, DrainProgress>,
}

fn scene() -> Scene {
    let set = ScaleSetId {
        subscription: "s".into(),
        resource_group: "rg".into(),
        name: "web".into(),
    };
    Scene {
        upstream: Upstream {
            key: UpstreamKey {
                kind: Kind::Http,
                name: "backend".into(),
            },
            sources: vec![Source { set, port: 80 }],
            parameters: parameters(),
            max_removal_percent: 50,
            drain_timeout: Duration::from_secs(30),
            add_before_running: false,
            require_healthy: false,
            ownership: Ownership::Exclusive,
            networks: Vec::new(),
            policy: Policy::Sync,
        },
        servers: Vec::new(),
        instances: Vec::new(),
        capacity: None,
        failure: None,
        peers: None,
        drains: BTreeMap::new(),
    }
}

fn parameters() -> ServerParameters {
    ServerParameters {
        max_conns: 0,
        max_fails: 1,
        fail_timeout: NginxTime::from_seconds(10),
        slow_start: NginxTime::default(),
        optional: OptionalParameters::default(),
    }
}

fn at(number: u64) -> ServerAddress {
    ServerAddress::parse(&format!("10.0.0.{number}:80"))
}

fn server(number: u64) -> Server {
    Server {
        id: number,
        address: at(number),
        max_conns: 0,
        max_fails: 1,
        fail_timeout: NginxTime::from_seconds(10),
        slow_start: NginxTime::default(),
        weight: 1,
        backup: false,
        down: false,
        draining: false,
        fixed: false,
        tells_draining: true,
    }
}

fn add(number: u64) -> Step {
    Step::Add {
        address: at(number),
        parameters: parameters(),
    }
}

fn drain(id: u64, why: LeavingWhy) -> Step {
    Step::Drain {
        id,
        address: at(id),
        why,
    }
}

fn remove(id: u64, why: RemoveWhy) -> Step {
    Step::Remove {
        id,
        address: at(id),
        why,
        down_first: false,
    }
}

fn held(steps: impl IntoIterator<Item = Step>, reason: HoldReason) -> Vec<Held> {
    steps
        .into_iter()
        .map(|step| Held { step, reason })
        .collect()
}

impl Scene {
    /// Servers of NGINX, as configured and in service.
    fn servers(mut self, numbers: impl IntoIterator<Item = u64>) -> Self {
        self.servers.extend(numbers.into_iter().map(server));
        self
    }

    fn server(mut self, number: u64, change: impl FnOnce(&mut Server)) -> Self {
        let mut server = server(number);
        change(&mut server);
        self.servers.push(server);
        self
    }

    fn serving(self, numbers: impl IntoIterator<Item = u64>) -> Self {
        self.instances(numbers, &Phase::Serving)
    }

    fn instances(mut self, numbers: impl IntoIterator<Item = u64>, phase: &Phase) -> Self {
        self.instances
            .extend(numbers.into_iter().map(|number| Instance {
                name: format!("web_{number}"),
                phase: phase.clone(),
                address: Address::Known(at(number).ip().unwrap()),
                healthy: true,
                counted: *phase != DELETING,
            }));
        self
    }

    fn with(mut self, change: impl FnOnce(&mut Upstream)) -> Self {
        change(&mut self.upstream);
        self
    }

    fn capacity(mut self, capacity: u64) -> Self {
        self.capacity = Some(capacity);
        self
    }

    fn incomplete(mut self) -> Self {
        self.failure = Some(ReadFailure {
            kind: ReadFailureKind::Denied,
            message: "403".into(),
        });
        self
    }

    fn peers(mut self, state: PeerState, numbers: impl IntoIterator<Item = u64>) -> Self {
        let peers = numbers.into_iter().map(|id| PeerStatus {
            id,
            state,
            active: 1,
        });
        self.peers.get_or_insert_default().extend(peers);
        self
    }

    fn drained_for(mut self, number: u64, seconds: u64, idle_readings: u32) -> Self {
        let draining_for = Duration::from_secs(seconds);
        self.drains.insert(
            at(number),
            DrainProgress {
                draining_for,
                idle_readings,
            },
        );
        self
    }

    fn plan(self) -> Plan {
        let source = &self.upstream.sources[0];
        let set = source.set.clone();
        let listing = match self.failure {
            Some(failure) => Listing::Incomplete {
                set,
                seen: self.instances,
                failure,
            },
            None => Listing::Complete(CompleteListing {
                set,
                capacity: self.capacity,
                instances: self.instances,
            }),
        };
        plan(&Observation {
            upstream: &self.upstream,
            servers: &self.servers,
            picture: &Picture::new(&self.upstream, &[(source, &listing)]),
            peers: self.peers.as_deref(),
            drains: &self.drains,
        })
    }
}

/// The notes, as an operator reads them.
fn notes(plan: &Plan) -> Vec<String> {
    plan.notes
        .iter()
        .map(|note| format!("{}: {}", note.subject, note.text))
        .collect()
}
