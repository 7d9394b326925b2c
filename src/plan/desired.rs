//! What the scale sets say an upstream should hold, and how sure that is.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};

use super::Note;
use crate::model::{
    Address, ArrivingWhy, CompleteListing, Instance, Listing, NoAddress, Phase, ReadFailure,
    Source, Upstream,
};

/// The instances behind an upstream, by the server address they explain.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Picture {
    /// The most serving phase of the instances with this address, and whether it may be added; in
    /// the order of the addresses.
    pub(super) explained: Vec<(SocketAddr, Explained)>,
    pub(super) notes: Vec<Note>,
    /// Instances that run and whose address Azure did not tell.
    pub(super) untold: usize,
    whole: Option<Totals>,
    failures: Vec<ReadFailure>,
}

/// One instance, as one upstream sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// The instance's name.
    pub name: String,
    /// Its scale set's name.
    pub set: String,
    /// Where it is in its life, `require_healthy` included.
    pub phase: Phase,
    /// The address it serves on.
    pub address: Option<SocketAddr>,
    /// Why it may not be added, or not yet, where it does not simply leave.
    pub why_not: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Explained {
    pub(super) phase: Phase,
    pub(super) may_be_added: bool,
}

/// What the complete listings add up to. Its absence *is* the incompleteness.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Totals {
    all_capacities_zero: bool,
    capacities_agree: bool,
}

/// The certainty that a removal needs. It can only be had from [`Picture::whole`], and only where
/// every source of the upstream was listed completely.
#[derive(Debug, Clone, Copy)]
pub struct WholePicture {
    totals: Totals,
}

impl WholePicture {
    /// Whether every scale set is meant to be empty. A set that tells no capacity is not.
    #[must_use]
    pub const fn is_meant_to_be_empty(self) -> bool {
        self.totals.all_capacities_zero
    }

    /// Whether every scale set lists at least as many instances as it wants, each with an address
    /// of its own: then the list is short because the set is meant to be.
    #[must_use]
    pub const fn capacities_agree(self) -> bool {
        self.totals.capacities_agree
    }
}

impl Picture {
    /// Merges the listings of an upstream's sources.
    #[must_use]
    pub fn new(upstream: &Upstream, sources: &[(&Source, &Listing)]) -> Self {
        let mut picture = Self::default();
        let instances = sources.iter().map(|(_, listing)| listing.instances().len());
        picture.explained.reserve(instances.sum());
        // A set may be a source twice, with two ports.
        let mut untold = BTreeSet::new();
        for (source, listing) in sources {
            for instance in listing.instances() {
                picture.put(upstream, source.port, instance);
                if is_untold(instance) {
                    untold.insert((&source.set, &instance.name));
                }
            }
            if let Listing::Incomplete { failure, .. } = listing {
                picture.failures.push(failure.clone());
            }
        }
        // An address that a leaving instance gave up may already be a new instance's: the one that
        // serves most counts, whatever the order of the listing.
        picture.explained.sort_unstable_by(|(a, old), (b, new)| {
            a.cmp(b).then_with(|| old.phase.cmp(&new.phase))
        });
        picture.explained.dedup_by_key(|(address, _)| *address);
        picture.untold = untold.len();
        picture.notes.sort();
        picture.notes.dedup();
        let complete: Vec<&CompleteListing> = sources
            .iter()
            .filter_map(|(_, listing)| match listing {
                Listing::Complete(listing) => Some(listing),
                Listing::Incomplete { .. } => None,
            })
            .collect();
        // Of all sources, whatever the caller has brought along.
        let is_listed = |source: &Source| {
            sources.iter().any(|(listed, listing)| match listing {
                Listing::Complete(listing) => *listed == source && listing.set == source.set,
                Listing::Incomplete { .. } => false,
            })
        };
        let all_listed = !upstream.sources.is_empty() && upstream.sources.iter().all(is_listed);
        if all_listed && complete.len() == sources.len() {
            picture.whole = Some(Totals {
                all_capacities_zero: complete.iter().all(|listing| listing.capacity == Some(0)),
                capacities_agree: complete.iter().all(|listing| agrees(listing)),
            });
        }
        picture
    }

    /// The certainty a removal needs, if every source was listed completely.
    #[must_use]
    pub fn whole(&self) -> Option<WholePicture> {
        self.whole.map(|totals| WholePicture { totals })
    }

    /// Why sources could not be read.
    #[must_use]
    pub fn failures(&self) -> &[ReadFailure] {
        &self.failures
    }

    /// What explains a server address, if anything does.
    pub(super) fn explanation(&self, address: SocketAddr) -> Option<&Explained> {
        let place = self
            .explained
            .binary_search_by_key(&address, |(address, _)| *address);
        self.explained.get(place.ok()?).map(|(_, found)| found)
    }

    fn put(&mut self, upstream: &Upstream, port: u16, instance: &Instance) {
        let Verdict {
            phase,
            address,
            may_be_added,
            why_not,
        } = judge(upstream, port, instance);
        self.notes.extend(why_not.map(|text| Note {
            subject: instance.name.clone(),
            text,
        }));
        let explained = Explained {
            phase,
            may_be_added,
        };
        self.explained
            .extend(address.map(|address| (address, explained)));
    }
}

/// Every instance that was seen, by name: for who looks on, because a plan has no use for it.
#[must_use]
pub fn candidates(upstream: &Upstream, sources: &[(&Source, &Listing)]) -> Vec<Candidate> {
    let seen = sources.iter().flat_map(|(source, listing)| {
        let instances = listing.instances().iter();
        instances.map(|instance| (*source, instance))
    });
    let candidates = seen.map(|(source, instance)| {
        let verdict = judge(upstream, source.port, instance);
        Candidate {
            name: instance.name.clone(),
            set: source.set.name.clone(),
            phase: verdict.phase,
            address: verdict.address,
            why_not: verdict.why_not,
        }
    });
    let mut candidates: Vec<Candidate> = candidates.collect();
    candidates.sort_by(|a, b| {
        let (left, right) = ((&a.name, &a.set, a.address), (&b.name, &b.set, b.address));
        left.cmp(&right)
    });
    candidates
}

/// What an upstream makes of an instance.
struct Verdict {
    /// Where it is in its life, `require_healthy` included.
    phase: Phase,
    address: Option<SocketAddr>,
    may_be_added: bool,
    /// Why it may not be added, or not yet, where it does not simply leave.
    why_not: Option<String>,
}

fn judge(upstream: &Upstream, port: u16, instance: &Instance) -> Verdict {
    let phase = match &instance.phase {
        Phase::Serving if upstream.require_healthy && !instance.healthy => {
            Phase::Arriving(ArrivingWhy::NotHealthy)
        }
        phase => phase.clone(),
    };
    let ip = match instance.address {
        Address::Known(ip) => ip,
        Address::Missing(why) => {
            let leaves = matches!(phase, Phase::Leaving(_));
            return Verdict {
                phase,
                address: None,
                may_be_added: false,
                why_not: (!leaves).then(|| format!("not added: it has {why}")),
            };
        }
    };
    let accepted = upstream.accepts(ip);
    let may_be_added = accepted
        && match &phase {
            Phase::Serving => true,
            Phase::Arriving(ArrivingWhy::Starting) => upstream.add_before_running,
            Phase::Arriving(_) | Phase::Leaving(_) => false,
        };
    let why_not = match &phase {
        Phase::Leaving(_) => None,
        _ if !accepted => Some(format!(
            "not added: {ip} is outside the private ranges and not in this upstream's `networks`"
        )),
        Phase::Arriving(why) if !may_be_added => Some(format!("not added yet: it is {why}")),
        _ => None,
    };
    Verdict {
        phase,
        address: Some(SocketAddr::new(ip, port)),
        may_be_added,
        why_not,
    }
}

/// Whether Azure says that the instance runs, and does not say where.
fn is_untold(instance: &Instance) -> bool {
    instance.phase == Phase::Serving
        && instance.address == Address::Missing(NoAddress::InterfaceUnlisted)
}

fn agrees(listing: &CompleteListing) -> bool {
    // An instance that a page repeats stands for none of those that are missing.
    let mut accounted: Vec<IpAddr> = listing
        .instances
        .iter()
        .filter(|instance| instance.counted)
        .filter_map(|instance| match instance.address {
            Address::Known(ip) => Some(ip),
            Address::Missing(_) => None,
        })
        .collect();
    accounted.sort_unstable();
    accounted.dedup();
    listing
        .capacity
        .is_some_and(|capacity| accounted.len() as u64 >= capacity)
}
