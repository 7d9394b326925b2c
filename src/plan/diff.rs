//! Finds the changes, without judging them.

use std::collections::HashSet;
use std::net::SocketAddr;

use super::desired::Explained;
use super::{Changes, Note, Observation, RemoveWhy, Step, WholePicture, weight_change};
use crate::model::{
    Kind, LeavingWhy, OptionalParameters, PeerState, PeerStatus, Phase, Server, ServerAddress,
    ServerParameters,
};

/// The changes that the world asks for.
#[derive(Debug, Default)]
pub(super) struct Difference {
    pub(super) steps: Vec<Step>,
    pub(super) notes: Vec<Note>,
    pub(super) wants_peers: bool,
}

pub(super) fn diff(observation: &Observation<'_>) -> Difference {
    let Observation {
        upstream,
        servers,
        picture,
        ..
    } = observation;
    let whole = picture.whole();
    let mut difference = Difference {
        notes: picture.notes.clone(),
        ..Difference::default()
    };
    let mut seen: HashSet<&ServerAddress> = HashSet::with_capacity(servers.len());
    let mut ours: Vec<&Server> = servers
        .iter()
        .filter(|server| upstream.owns(server))
        .collect();
    // Of an address that is listed twice the server in service stays, whatever the reply's order.
    ours.sort_by_cached_key(|server| (!in_service(observation, server), server.id));
    for server in ours {
        if !seen.insert(&server.address) {
            if let Some(whole) = whole {
                difference
                    .steps
                    .push(remove(whole, server, RemoveWhy::Duplicate, false));
            }
            continue;
        }
        match explanation(observation, &server.address) {
            Some(explained) => match explained.phase {
                Phase::Leaving(why) => {
                    if let Some(whole) = whole {
                        leave(observation, whole, server, why, &mut difference);
                    }
                }
                Phase::Serving | Phase::Arriving(_) => {
                    keep(observation, server, explained, &mut difference);
                }
            },
            None => {
                if let Some(whole) = whole {
                    difference
                        .steps
                        .push(remove(whole, server, RemoveWhy::Gone, false));
                }
            }
        }
    }
    // Also those that are not ours: adding an address twice is refused by NGINX.
    let mut present: HashSet<SocketAddr> = HashSet::with_capacity(servers.len());
    present.extend(servers.iter().filter_map(socket));
    for (address, explained) in &picture.explained {
        if explained.may_be_added && !present.contains(address) {
            difference.steps.push(Step::Add {
                address: ServerAddress::Socket(*address),
                parameters: upstream.parameters.clone(),
            });
        }
    }
    difference
}

fn socket(server: &Server) -> Option<SocketAddr> {
    match server.address {
        ServerAddress::Socket(address) => Some(address),
        ServerAddress::Other(_) => None,
    }
}

fn explanation<'a>(
    observation: &Observation<'a>,
    address: &ServerAddress,
) -> Option<&'a Explained> {
    match address {
        ServerAddress::Socket(address) => observation.picture.explanation(*address),
        ServerAddress::Other(_) => None,
    }
}

/// The run-time status of a server, where it was read. `peers` are in the order of their ids.
pub(super) fn peer(peers: Option<&[PeerStatus]>, server: &Server) -> Option<PeerStatus> {
    let peers = peers?;
    let place = peers.partition_point(|peer| peer.id < server.id);
    peers
        .get(place)
        .copied()
        .filter(|peer| peer.id == server.id)
}

/// Whether the server takes new requests, as far as is known: its own flags, NGINX's run-time
/// status, and where that was not read, what this process remembers.
pub(super) fn in_service(observation: &Observation<'_>, server: &Server) -> bool {
    let draining = match peer(observation.peers, server) {
        Some(peer) => peer.state == PeerState::Draining,
        None => observation.drains.contains_key(&server.address),
    };
    server.in_service() && !draining
}

fn is_draining(observation: &Observation<'_>, server: &Server) -> bool {
    server.draining
        || peer(observation.peers, server).is_some_and(|peer| peer.state == PeerState::Draining)
}

fn keep(
    observation: &Observation<'_>,
    server: &Server,
    explained: &Explained,
    difference: &mut Difference,
) {
    let parameters = &observation.upstream.parameters;
    let (id, address) = (server.id, server.address.clone());
    // A server that an operator took out stays out, and what is added again must be fit to be added.
    // One that this process itself set down, on the way out, is no operator's.
    let remembered = observation.drains.contains_key(&server.address);
    let taken_down = server.down && !(remembered && observation.upstream.key.kind == Kind::Stream);
    let may_be_added = explained.may_be_added && !taken_down;
    if parameters
        .optional
        .backup
        .is_some_and(|backup| backup != server.backup)
    {
        // While the address stands there twice, NGINX would refuse to add it again.
        let mut servers = observation.servers.iter();
        let alone = servers.all(|other| other.id == id || other.address != address);
        if may_be_added && alone && in_service(observation, server) {
            let parameters = added_again(parameters, server);
            difference.steps.push(Step::Replace {
                id,
                address,
                parameters,
            });
            return;
        }
        difference.notes.push(Note {
            subject: address.to_string(),
            text: "its `backup` differs; it is replaced once it serves and is listed once"
                .to_owned(),
        });
    }
    // Another process may have begun to drain it, and only the run-time status tells.
    difference.wants_peers |= observation.peers.is_none()
        && !server.tells_draining
        && observation.upstream.key.kind == Kind::Http
        && !observation.upstream.drain_timeout.is_zero();
    if taken_down {
        difference.notes.push(Note {
            subject: address.to_string(),
            text: "is `down` in NGINX although its instance exists; left as it is".to_owned(),
        });
    }
    // A process that drained it, or set it down, remembers so even where the reply does not tell.
    if may_be_added && (is_draining(observation, server) || remembered) {
        let (address, parameters) = (address.clone(), added_again(parameters, server));
        difference.steps.push(Step::Undrain {
            id,
            address,
            parameters,
        });
    }
    let changes = Changes {
        max_conns: differs(parameters.max_conns, server.max_conns),
        max_fails: differs(parameters.max_fails, server.max_fails),
        fail_timeout: differs(parameters.fail_timeout, server.fail_timeout),
        slow_start: differs(parameters.slow_start, server.slow_start),
        weight: weight_change(parameters.optional, server),
    };
    if !changes.is_empty() {
        difference.steps.push(Step::Patch {
            id,
            address,
            changes,
        });
    }
}

/// What a server is added with again: our parameters, and the operator's where we set none.
fn added_again(parameters: &ServerParameters, server: &Server) -> ServerParameters {
    let mut parameters = parameters.clone();
    let OptionalParameters { weight, backup } = &mut parameters.optional;
    // NGINX's defaults need no word.
    *weight = weight.or((server.weight != 1).then_some(server.weight));
    *backup = backup.or(server.backup.then_some(true));
    parameters
}

fn differs<T: PartialEq + Copy>(wanted: T, found: T) -> Option<T> {
    (wanted != found).then_some(wanted)
}

fn leave(
    observation: &Observation<'_>,
    whole: WholePicture,
    server: &Server,
    why: LeavingWhy,
    difference: &mut Difference,
) {
    let Observation {
        upstream,
        peers,
        drains,
        ..
    } = observation;
    if upstream.key.kind == Kind::Stream {
        difference
            .steps
            .push(remove(whole, server, RemoveWhy::Leaving(why), true));
        return;
    }
    if upstream.drain_timeout.is_zero() {
        difference
            .steps
            .push(remove(whole, server, RemoveWhy::Leaving(why), false));
        return;
    }
    difference.wants_peers |= peers.is_none();
    let progress = drains.get(&server.address).copied().unwrap_or_default();
    let finished = progress.idle_readings >= 2 || progress.draining_for >= upstream.drain_timeout;
    match (is_draining(observation, server), finished) {
        (_, true) => difference
            .steps
            .push(remove(whole, server, RemoveWhy::Drained, false)),
        (true, false) => difference.notes.push(Note {
            subject: server.address.to_string(),
            text: format!(
                "draining for {} of at most {} s: its instance is {why}",
                progress.draining_for.as_secs(),
                upstream.drain_timeout.as_secs()
            ),
        }),
        (false, false) => difference.steps.push(Step::Drain {
            id: server.id,
            address: server.address.clone(),
            why,
        }),
    }
}

/// The only place where a removal is made: without a [`WholePicture`] there is none.
fn remove(_: WholePicture, server: &Server, why: RemoveWhy, down_first: bool) -> Step {
    Step::Remove {
        id: server.id,
        address: server.address.clone(),
        why,
        down_first,
    }
}
