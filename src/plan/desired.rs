//! What the scale sets say an upstream should hold, and how sure that is.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use super::Note;
use crate::model::{
    Address, ArrivingWhy, CompleteListing, Instance, Listing, NoAddress, Phase, ReadFailure,
    Source, Upstream,
};

/// The instances behind an upstream, by the server address they explain.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Picture {
    /// The most serving phase of the instances with this address, and whether it may be added.
    pub(super) explained: BTreeMap<SocketAddr, Explained>,
    pub(super) notes: Vec<Note>,
    /// Instances that run and whose address Azure did not tell.
    pub(super) untold: usize,
    candidates: Vec<Candidate>,
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

    /// Whether every scale set lists, with an address, at least as many instances as it wants:
    /// then the list is short because the set is meant to be.
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
        // A set may be a source twice, with two ports.
        let mut untold = BTreeSet::new();
        for (source, listing) in sources {
            for instance in listing.instances() {
                picture.put(upstream, source, instance);
                if is_untold(instance) {
                    untold.insert((&source.set, &instance.name));
                }
            }
            if let Listing::Incomplete { failure, .. } = listing {
                picture.failures.push(failure.clone());
            }
        }
        picture.untold = untold.len();
        picture.notes.sort();
        picture.notes.dedup();
        picture.candidates.sort_by(|a, b| {
            let key = |one: &Candidate| (one.name.clone(), one.set.clone(), one.address);
            key(a).cmp(&key(b))
        });
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

    /// Every instance that was seen, by name.
    #[must_use]
    pub fn candidates(&self) -> &[Candidate] {
        &self.candidates
    }

    fn put(&mut self, upstream: &Upstream, source: &Source, instance: &Instance) {
        let phase = match &instance.phase {
            Phase::Serving if upstream.require_healthy && !instance.healthy => {
                Phase::Arriving(ArrivingWhy::NotHealthy)
            }
            phase => phase.clone(),
        };
        let leaves = matches!(phase, Phase::Leaving(_));
        let mut candidate = Candidate {
            name: instance.name.clone(),
            set: source.set.name.clone(),
            phase: phase.clone(),
            address: None,
            why_not: None,
        };
        let ip = match instance.address {
            Address::Known(ip) => ip,
            Address::Missing(why) => {
                candidate.why_not = (!leaves).then(|| format!("not added: it has {why}"));
                self.see(candidate);
                return;
            }
        };
        let accepted = upstream.accepts(ip);
        let may_be_added = accepted
            && match &phase {
                Phase::Serving => true,
                Phase::Arriving(ArrivingWhy::Starting) => upstream.add_before_running,
                Phase::Arriving(_) | Phase::Leaving(_) => false,
            };
        candidate.address = Some(SocketAddr::new(ip, source.port));
        candidate.why_not = match &phase {
            Phase::Leaving(_) => None,
            _ if !accepted => Some(format!(
                "not added: {ip} is outside the private ranges and not in this upstream's `networks`"
            )),
            Phase::Arriving(why) if !may_be_added => Some(format!("not added yet: it is {why}")),
            _ => None,
        };
        self.see(candidate);
        let new = Explained {
            phase,
            may_be_added,
        };
        // An address that a leaving instance gave up may already be a new instance's: the one that
        // serves most counts, whatever the order of the listing.
        match self.explained.entry(SocketAddr::new(ip, source.port)) {
            std::collections::btree_map::Entry::Vacant(entry) => {
                entry.insert(new);
            }
            std::collections::btree_map::Entry::Occupied(mut entry) => {
                if new.phase < entry.get().phase {
                    entry.insert(new);
                }
            }
        }
    }

    /// Takes an instance in, and what there is to remark about it.
    fn see(&mut self, candidate: Candidate) {
        self.notes
            .extend(candidate.why_not.clone().map(|text| Note {
                subject: candidate.name.clone(),
                text,
            }));
        self.candidates.push(candidate);
    }
}

/// Whether Azure says that the instance runs, and does not say where.
fn is_untold(instance: &Instance) -> bool {
    instance.phase == Phase::Serving
        && instance.address == Address::Missing(NoAddress::InterfaceUnlisted)
}

fn agrees(listing: &CompleteListing) -> bool {
    let accounted = listing
        .instances
        .iter()
        .filter(|instance| instance.counted && matches!(instance.address, Address::Known(_)))
        .count();
    listing
        .capacity
        .is_some_and(|capacity| accounted as u64 >= capacity)
}
