//! Random worlds, small enough for addresses to collide.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::world::{World, accounted, broken_off};
use crate::model::{
    Address, ArrivingWhy, CompleteListing, Instance, Kind, LeavingWhy, Listing, NginxTime,
    NoAddress, OptionalParameters, Ownership, PeerState, PeerStatus, Phase, Policy, ScaleSetId,
    Server, ServerAddress, ServerParameters, Source, Upstream, UpstreamKey,
};
use crate::plan::DrainProgress;

/// Where instances are. The last two are nobody's private network.
const PLACES: [&str; 8] = [
    "10.0.0.1",
    "10.0.0.2",
    "10.0.0.3",
    "10.0.0.4",
    "10.0.1.5",
    "fd00::1",
    "8.8.8.8",
    "169.254.169.254",
];
/// What `scoped` upstreams own.
const SCOPE: [&str; 2] = ["10.0.0.0/24", "fd00::/64"];

const TIMEOUT: Duration = Duration::from_secs(30);

/// A world in which anything may be the case.
pub(super) fn worlds() -> impl Strategy<Value = World> {
    let memory = vec((0_u8..10, 0_u8..8), 7);
    (
        upstreams(),
        servers(),
        vec(sources(), 1..=2),
        0_u8..10,
        memory,
    )
        .prop_map(|(upstream, servers, sources, reading, memory)| {
            let mut world = World {
                upstream,
                servers,
                listings: Vec::new(),
                peers: None,
                drains: BTreeMap::new(),
            };
            place_sources(&mut world, sources);
            remember(&mut world, &memory);
            match reading {
                0..=3 => world.peers = None,
                4..=7 => {}
                _ => silence(&mut world),
            }
            world
        })
}

/// Worlds without anything that keeps a plan from being carried out as it is.
pub(super) fn whole_worlds() -> impl Strategy<Value = World> {
    worlds().prop_map(|world| world.made_whole().with_policy(Policy::Sync))
}

fn upstreams() -> impl Strategy<Value = Upstream> {
    let switches = (any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>());
    let policies = select(
        &[
            Policy::Sync,
            Policy::Sync,
            Policy::Sync,
            Policy::UpsertOnly,
            Policy::Paused,
        ][..],
    );
    let optional = (
        select(&[None, Some(5)][..]),
        select(&[None, Some(false), Some(true)][..]),
    );
    let percents = select(&[0_u8, 34, 50, 100][..]);
    let kinds = select(&[Kind::Http, Kind::Http, Kind::Stream][..]);
    let timeouts = select(&[TIMEOUT, TIMEOUT, Duration::ZERO][..]);
    (switches, policies, optional, percents, kinds, timeouts).prop_map(
        |(
            (scoped, open, add_before_running, require_healthy),
            policy,
            (weight, backup),
            percent,
            kind,
            drain_timeout,
        )| {
            let networks: &[&str] = match (scoped, open) {
                (true, _) => &SCOPE,
                (false, true) => &["8.8.8.0/24"],
                (false, false) => &[],
            };
            Upstream {
                key: UpstreamKey {
                    kind,
                    name: "backend".into(),
                },
                sources: Vec::new(),
                parameters: ServerParameters {
                    max_conns: 100,
                    max_fails: 3,
                    fail_timeout: NginxTime::from_seconds(30),
                    slow_start: NginxTime::from_seconds(5),
                    optional: OptionalParameters { weight, backup },
                },
                max_removal_percent: percent,
                drain_timeout,
                add_before_running,
                require_healthy,
                ownership: if scoped {
                    Ownership::Scoped
                } else {
                    Ownership::Exclusive
                },
                networks: networks
                    .iter()
                    .map(|network| network.parse().unwrap())
                    .collect(),
                policy,
            }
        },
    )
}

fn servers() -> impl Strategy<Value = Vec<Server>> {
    // Of the parameters one bit each says whether it is as configured.
    let server = (
        prop_oneof![0..=PLACES.len(), 0..4_usize],
        0_u8..8,
        any::<u8>(),
        select(&[1_u64, 5, 7][..]),
        0_u8..20,
    );
    (vec(server, 0..=7), 0_u64..8, prop::bool::weighted(0.15)).prop_map(
        |(servers, offset, twice)| {
            let mut seen = BTreeSet::new();
            let servers = servers.into_iter().enumerate().map(
                |(index, (place, port, bits, weight, rare))| {
                    let port = if port == 0 { 8080 } else { 80 };
                    let address = match PLACES.get(place) {
                        Some(ip) => SocketAddr::new(ip.parse().unwrap(), port).into(),
                        None => ServerAddress::Other(format!("app.example:{port}")),
                    };
                    let bit = |n: u8| bits & (1 << n) != 0;
                    Server {
                        // In no order, and 0 is an id like any other.
                        id: (index as u64 * 5 + offset) % 8,
                        address,
                        max_conns: if bit(0) { 0 } else { 100 },
                        max_fails: if bit(1) { 1 } else { 3 },
                        fail_timeout: NginxTime::from_seconds(if bit(2) { 10 } else { 30 }),
                        slow_start: NginxTime::from_seconds(if bit(3) { 0 } else { 5 }),
                        weight,
                        backup: bit(4) && bit(5),
                        down: matches!(rare, 1 | 2),
                        draining: bit(6) && bit(7),
                        fixed: matches!(rare, 2 | 3),
                        tells_draining: true,
                    }
                },
            );
            servers
                .filter(|server| seen.insert(server.address.clone()) || twice)
                .collect()
        },
    )
}

#[derive(Debug, Clone)]
struct SourceDraft {
    port: u16,
    instances: Vec<Instance>,
    complete: bool,
    capacity: Option<i64>,
    same_set: bool,
}

fn sources() -> impl Strategy<Value = SourceDraft> {
    let phases = [
        Phase::Serving,
        Phase::Serving,
        Phase::Serving,
        Phase::Serving,
        Phase::Arriving(ArrivingWhy::Starting),
        Phase::Arriving(ArrivingWhy::InterfaceOnly),
        Phase::Leaving(LeavingWhy::Deleting),
        Phase::Leaving(LeavingWhy::Stopped),
        Phase::Leaving(LeavingWhy::Stopped),
        Phase::Leaving(LeavingWhy::Deallocated),
    ];
    let instance = (
        prop_oneof![0..PLACES.len(), 0..4_usize],
        select(phases.to_vec()),
        0_u8..16,
        any::<bool>(),
    );
    let instance = instance.prop_map(|(place, phase, known, healthy)| Instance {
        name: String::new(),
        counted: phase != Phase::Leaving(LeavingWhy::Deleting),
        phase,
        address: match known {
            0 | 1 => Address::Missing(NoAddress::NoInterface),
            2 => Address::Missing(NoAddress::InterfaceUnlisted),
            _ => Address::Known(PLACES[place].parse().unwrap()),
        },
        healthy,
    });
    // Relative to what is listed; -9 stands for an outright 0.
    let capacities = select(&[None, Some(-9), Some(-1), Some(0), Some(0), Some(0), Some(1)][..]);
    (0_u8..8, vec(instance, 0..=5), 0_u8..8, capacities, 0_u8..5).prop_map(
        |(port, instances, complete, capacity, same_set)| SourceDraft {
            port: if port == 0 { 8080 } else { 80 },
            instances,
            complete: complete != 0,
            capacity,
            same_set: same_set == 0,
        },
    )
}

/// Gives each source a scale set of its own, or the first one's with another port.
fn place_sources(world: &mut World, drafts: Vec<SourceDraft>) {
    for (index, draft) in drafts.into_iter().enumerate() {
        if let (true, Some(first)) = (draft.same_set, world.upstream.sources.first().cloned()) {
            let port = 9000 + index as u16;
            world.upstream.sources.push(Source { port, ..first });
            world.listings.push(world.listings[0].clone());
            continue;
        }
        let set = ScaleSetId {
            subscription: "s".into(),
            resource_group: "rg".into(),
            name: format!("web{index}"),
        };
        let mut instances = draft.instances;
        for (number, instance) in instances.iter_mut().enumerate() {
            instance.name = format!("web{index}_{number}");
        }
        let listed = accounted(&instances);
        let capacity = draft.capacity.map(|more| match more {
            -9 => 0,
            more => listed.saturating_add_signed(more),
        });
        world.upstream.sources.push(Source {
            set: set.clone(),
            port: draft.port,
        });
        world.listings.push(if draft.complete {
            Listing::Complete(CompleteListing {
                set,
                capacity,
                instances,
            })
        } else {
            broken_off(set, instances)
        });
    }
}

/// NGINX's run-time status, mostly in agreement with its list, and this process's memory.
fn remember(world: &mut World, memory: &[(u8, u8)]) {
    let mut peers = Vec::new();
    let phases = world.phases();
    for (server, (status, drain)) in world.servers.iter_mut().zip(memory) {
        if let ServerAddress::Socket(address) = &server.address {
            let leaving = matches!(phases.get(address), Some(Phase::Leaving(_)));
            // More often than not an earlier pass has begun to drain it.
            server.draining |= leaving && *status > 4;
        }
        let state = match status {
            0 => None,
            1 | 2 => Some(PeerState::NotUp),
            3 => Some(PeerState::Draining),
            _ if server.draining => Some(PeerState::Draining),
            _ => Some(PeerState::Up),
        };
        let active = u64::from(*status % 2);
        peers.extend(state.map(|state| PeerStatus {
            id: server.id,
            state,
            active,
        }));
        let progress = match (drain, server.draining) {
            (0..=3, true) | (4, _) => Some(DrainProgress::default()),
            (5, true) => Some(DrainProgress {
                idle_readings: 2,
                ..DrainProgress::default()
            }),
            (6, true) => Some(DrainProgress {
                draining_for: TIMEOUT,
                ..DrainProgress::default()
            }),
            _ => None,
        };
        if let Some(progress) = progress {
            world.drains.insert(server.address.clone(), progress);
        }
    }
    world.peers = Some(peers);
}

/// NGINXaaS may not tell in its list what drains: then the run-time status has to.
fn silence(world: &mut World) {
    let peers = world.peers.get_or_insert_default();
    for server in &mut world.servers {
        if peers.iter().all(|peer| peer.id != server.id) {
            peers.push(PeerStatus {
                id: server.id,
                state: PeerState::Up,
                active: 1,
            });
        }
        let peer = peers.iter_mut().find(|peer| peer.id == server.id);
        if let (Some(peer), true) = (peer, server.draining) {
            peer.state = PeerState::Draining;
        }
        (server.draining, server.tells_draining) = (false, false);
    }
}
