//! A world: what a plan is made from, and what the laws ask about it. The questions are answered
//! here anew, not by the code under test.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};

use crate::model::{
    Address, ArrivingWhy, CompleteListing, Instance, Listing, NoAddress, Ownership, PeerState,
    PeerStatus, Phase, Policy, ReadFailure, ReadFailureKind, ScaleSetId, Server, ServerAddress,
    Source, Upstream,
};
use crate::plan::{DrainProgress, Observation, Picture, Plan, plan};

/// Everything a plan is made from, owned.
#[derive(Debug, Clone)]
pub(super) struct World {
    pub(super) upstream: Upstream,
    pub(super) servers: Vec<Server>,
    /// One per source.
    pub(super) listings: Vec<Listing>,
    pub(super) peers: Option<Vec<PeerStatus>>,
    pub(super) drains: BTreeMap<ServerAddress, DrainProgress>,
}

impl World {
    pub(super) fn plan(&self) -> Plan {
        self.plan_from(self.listings.len())
    }

    /// The plan of a caller that brings along only the first `count` listings.
    pub(super) fn plan_from(&self, count: usize) -> Plan {
        let pairs = self.upstream.sources.iter().zip(&self.listings);
        let pairs: Vec<(&Source, &Listing)> = pairs.take(count).collect();
        plan(&Observation {
            upstream: &self.upstream,
            servers: &self.servers,
            picture: &Picture::new(&self.upstream, &pairs),
            peers: self.peers.as_deref(),
            drains: &self.drains,
        })
    }

    /// Every listing complete, with the capacity it already has or none.
    pub(super) fn made_whole(mut self) -> Self {
        for listing in &mut self.listings {
            if let Listing::Incomplete { set, seen, .. } = listing {
                *listing = Listing::Complete(CompleteListing {
                    set: set.clone(),
                    capacity: None,
                    instances: std::mem::take(seen),
                });
            }
        }
        self
    }

    /// The same instances, but the listing of one source broke off.
    pub(super) fn made_incomplete(mut self, which: usize) -> Self {
        let which = which % self.listings.len();
        let listing = &mut self.listings[which];
        if let Listing::Complete(complete) = listing {
            *listing = broken_off(
                complete.set.clone(),
                std::mem::take(&mut complete.instances),
            );
        }
        self
    }

    /// NGINX lists every address once, as its API sees to.
    pub(super) fn without_twins(mut self) -> Self {
        let mut seen = BTreeSet::new();
        self.servers
            .retain(|server| seen.insert(server.address.clone()));
        self
    }

    pub(super) fn with_policy(mut self, policy: Policy) -> Self {
        self.upstream.policy = policy;
        self
    }

    /// Capacities, where every listing is complete.
    pub(super) fn capacities(&self) -> Option<Vec<Option<u64>>> {
        let capacity = |listing: &Listing| match listing {
            Listing::Complete(listing) => Some(listing.capacity),
            Listing::Incomplete { .. } => None,
        };
        self.listings.iter().map(capacity).collect()
    }

    pub(super) fn is_released(&self) -> bool {
        self.capacities()
            .is_some_and(|all| all.iter().all(|capacity| *capacity == Some(0)))
    }

    pub(super) fn capacities_agree(&self) -> bool {
        let Some(capacities) = self.capacities() else {
            return false;
        };
        let mut pairs = capacities.iter().zip(&self.listings);
        pairs.all(|(capacity, listing)| {
            capacity.is_some_and(|wanted| wanted <= accounted(listing.instances()))
        })
    }

    pub(super) fn is_ours(&self, server: &Server) -> bool {
        let inside = |ip: IpAddr| {
            self.upstream
                .networks
                .iter()
                .any(|network| network.contains(&ip))
        };
        let owned = match self.upstream.ownership {
            Ownership::Exclusive => true,
            Ownership::Scoped => server.address.ip().is_some_and(inside),
        };
        owned && !server.fixed
    }

    pub(super) fn accepts(&self, ip: IpAddr) -> bool {
        let listed = self
            .upstream
            .networks
            .iter()
            .any(|network| network.contains(&ip));
        // Of the generated addresses only the private ones begin like this.
        let text = ip.to_string();
        let private = ["10.", "192.168.", "fd00:"];
        let private = private.iter().any(|start| text.starts_with(start));
        listed || (self.upstream.ownership == Ownership::Exclusive && private)
    }

    pub(super) fn ours(&self) -> impl Iterator<Item = &Server> {
        self.servers.iter().filter(|server| self.is_ours(server))
    }

    pub(super) fn peer(&self, id: u64) -> Option<PeerStatus> {
        self.peers
            .as_ref()?
            .iter()
            .find(|peer| peer.id == id)
            .copied()
    }

    pub(super) fn in_service(&self, server: &Server) -> bool {
        let draining = match self.peer(server.id) {
            Some(peer) => peer.state == PeerState::Draining,
            None => self.drains.contains_key(&server.address),
        };
        !server.down && !server.draining && !draining
    }

    /// What the instances with each address amount to: the most serving one counts.
    pub(super) fn phases(&self) -> BTreeMap<SocketAddr, Phase> {
        let mut phases: BTreeMap<SocketAddr, Phase> = BTreeMap::new();
        for (source, listing) in self.upstream.sources.iter().zip(&self.listings) {
            for instance in listing.instances() {
                let Address::Known(ip) = instance.address else {
                    continue;
                };
                let unhealthy = self.upstream.require_healthy && !instance.healthy;
                let phase = match &instance.phase {
                    Phase::Serving if unhealthy => Phase::Arriving(ArrivingWhy::NotHealthy),
                    phase => phase.clone(),
                };
                let known = phases
                    .entry(SocketAddr::new(ip, source.port))
                    .or_insert(phase.clone());
                *known = known.clone().min(phase);
            }
        }
        phases
    }

    /// Whether a running instance's address is not told.
    pub(super) fn hides_an_address(&self) -> bool {
        let hidden = |instance: &Instance| {
            instance.address == Address::Missing(NoAddress::InterfaceUnlisted)
                && instance.phase == Phase::Serving
        };
        self.listings
            .iter()
            .any(|listing| listing.instances().iter().any(hidden))
    }

    /// Whether a server with this address belongs into the upstream even if it is not there yet.
    pub(super) fn is_wanted(&self, address: SocketAddr, phase: &Phase) -> bool {
        self.accepts(address.ip())
            && match phase {
                Phase::Serving => true,
                Phase::Arriving(why) => {
                    *why == ArrivingWhy::Starting && self.upstream.add_before_running
                }
                Phase::Leaving(_) => false,
            }
    }
}

/// Instances that count towards the capacity: of those with one address, one.
pub(super) fn accounted(instances: &[Instance]) -> u64 {
    let counted = instances.iter().filter(|instance| instance.counted);
    let addresses: BTreeSet<IpAddr> = counted
        .filter_map(|instance| match instance.address {
            Address::Known(ip) => Some(ip),
            Address::Missing(_) => None,
        })
        .collect();
    addresses.len() as u64
}

pub(super) fn broken_off(set: ScaleSetId, seen: Vec<Instance>) -> Listing {
    let failure = ReadFailure {
        kind: ReadFailureKind::Timeout,
        message: "page 2".into(),
    };
    Listing::Incomplete { set, seen, failure }
}
