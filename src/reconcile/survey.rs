//! What an upstream looks like now: its servers, each with NGINX's state and the instance behind
//! it, and the instances that are not among them. `Status` shows it; nothing is decided by it.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use crate::model::{
    Listing, PeerState, PeerStatus, Phase, ScaleSetId, Server, ServerAddress, Source, Upstream,
};
use crate::plan::{Candidate, HoldReason, Picture, Plan, Step, candidates};

/// One upstream, looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Survey {
    /// The scale sets.
    pub sources: Vec<SourceView>,
    /// The servers that NGINX has, by address.
    pub members: Vec<Member>,
    /// The instances that are not among them, by set and name.
    pub absent: Vec<Absent>,
}

/// One scale set behind the upstream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceView {
    /// The set.
    pub set: ScaleSetId,
    /// The port its instances serve on.
    pub port: u16,
    /// How many instances it wants; `None` where it was not told.
    pub capacity: Option<u64>,
    /// How many were seen, whatever their state.
    pub instances: usize,
    /// Whether everything about it could be read.
    pub complete: bool,
}

/// One server of the upstream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Its address.
    pub address: ServerAddress,
    /// NGINX's state of it, as far as it is told: by the run-time status, else by its own flags.
    pub state: Option<PeerState>,
    /// Connections it is working on, where the run-time status tells.
    pub active: Option<u64>,
    /// Whether it is a backup server.
    pub backup: bool,
    /// Where it comes from.
    pub origin: Origin,
    /// What the plan remarks about it.
    pub remarks: Vec<String>,
    /// What the next pass would do with it.
    pub next: Vec<Next>,
}

/// Where a server comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// An instance has its address.
    Instance {
        /// The instance's name.
        name: String,
        /// Its scale set's name.
        set: String,
        /// Where it is in its life.
        phase: Phase,
    },
    /// No instance has its address.
    NoInstance,
    /// No instance with its address was seen, and not everything could be read.
    Unread,
    /// NGINX does not let it be changed: it stands in the configuration, or was resolved from a
    /// host name.
    Configured,
    /// It lies outside the upstream's `networks` and is never touched.
    NotOurs,
}

/// A step that the next pass would take, or holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Next {
    /// The step.
    pub step: Step,
    /// Why it is held; `None` where it would be taken.
    pub held: Option<HoldReason>,
}

/// An instance that is not in the upstream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Absent {
    /// Its name.
    pub name: String,
    /// Its scale set's name.
    pub set: String,
    /// Where it is in its life.
    pub phase: Phase,
    /// The address it would serve on.
    pub address: Option<SocketAddr>,
    /// Why it is not in the upstream.
    pub why: AbsentWhy,
}

/// Why an instance is not in the upstream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AbsentWhy {
    /// It may not be added, or not yet; in words.
    NotAdded(String),
    /// The next pass adds it, or holds that.
    Next(Next),
    /// Another instance, one that serves more, has its address.
    AddressTaken,
}

/// What a survey is made from.
pub(super) struct Seen<'a> {
    pub(super) upstream: &'a Upstream,
    pub(super) servers: &'a [Server],
    pub(super) sources: &'a [(&'a Source, &'a Listing)],
    pub(super) picture: &'a Picture,
    pub(super) peers: Option<&'a [PeerStatus]>,
    pub(super) plan: &'a Plan,
}

impl Seen<'_> {
    pub(super) fn survey(&self) -> Survey {
        let candidates = candidates(self.upstream, self.sources);
        let index = Index::new(self, &candidates);
        let mut members: Vec<Member> = self
            .servers
            .iter()
            .map(|server| self.member(&index, server))
            .collect();
        members.sort_by(|a, b| a.address.cmp(&b.address));
        let mut absent: Vec<Absent> = candidates
            .iter()
            .filter_map(|one| absent(&index, one))
            .collect();
        // Instance numbers are not padded: `web_8` comes before `web_10`.
        absent.sort_by(|a, b| {
            let key = |one: &Absent| (one.set.clone(), one.name.len(), one.name.clone());
            key(a).cmp(&key(b))
        });
        let sources = self.sources.iter().map(|(source, listing)| SourceView {
            set: source.set.clone(),
            port: source.port,
            capacity: match listing {
                Listing::Complete(listing) => listing.capacity,
                Listing::Incomplete { .. } => None,
            },
            instances: listing.instances().len(),
            complete: matches!(listing, Listing::Complete(_)),
        });
        Survey {
            sources: sources.collect(),
            members,
            absent,
        }
    }

    fn member(&self, index: &Index<'_>, server: &Server) -> Member {
        let peer = index.peers.get(&server.id);
        Member {
            address: server.address.clone(),
            state: peer.map(|peer| peer.state).or(match server {
                Server { down: true, .. } => Some(PeerState::Down),
                Server { draining: true, .. } => Some(PeerState::Draining),
                _ => None,
            }),
            active: peer.map(|peer| peer.active),
            backup: server.backup,
            origin: self.origin(index, server),
            remarks: index.remarks(&server.address.to_string()),
            next: index.next(&server.address),
        }
    }

    fn origin(&self, index: &Index<'_>, server: &Server) -> Origin {
        if server.fixed {
            return Origin::Configured;
        }
        if let ServerAddress::Socket(address) = server.address
            && let Some(behind) = index.behind.get(&address)
        {
            return Origin::Instance {
                name: behind.name.clone(),
                set: behind.set.clone(),
                phase: behind.phase.clone(),
            };
        }
        if !self.upstream.owns(server) {
            Origin::NotOurs
        } else if self.picture.whole().is_some() {
            Origin::NoInstance
        } else {
            Origin::Unread
        }
    }
}

fn absent(index: &Index<'_>, candidate: &Candidate) -> Option<Absent> {
    let not_added = || {
        AbsentWhy::NotAdded(match (&candidate.why_not, &candidate.phase) {
            (Some(why), _) => why.clone(),
            (None, Phase::Leaving(why)) => format!("not added: it is {why}"),
            (None, _) => "not added".to_owned(),
        })
    };
    let why = match candidate.address {
        Some(address) if index.behind.get(&address).copied() != Some(candidate) => {
            AbsentWhy::AddressTaken
        }
        Some(address) if index.listed.contains(&ServerAddress::Socket(address)) => return None,
        Some(address) => match index.next(&ServerAddress::Socket(address)).pop() {
            Some(next) => AbsentWhy::Next(next),
            None => not_added(),
        },
        None => not_added(),
    };
    Some(Absent {
        name: candidate.name.clone(),
        set: candidate.set.clone(),
        phase: candidate.phase.clone(),
        address: candidate.address,
        why,
    })
}

/// What is looked up for every server and instance, so that thousands of them cost no quadratic
/// time.
struct Index<'a> {
    peers: BTreeMap<u64, &'a PeerStatus>,
    listed: BTreeSet<&'a ServerAddress>,
    /// The instance behind each address: of several, the one that serves most.
    behind: BTreeMap<SocketAddr, &'a Candidate>,
    next: BTreeMap<&'a ServerAddress, Vec<Next>>,
    remarks: BTreeMap<&'a str, Vec<&'a str>>,
}

impl<'a> Index<'a> {
    fn new(seen: &Seen<'a>, candidates: &'a [Candidate]) -> Self {
        let mut behind: BTreeMap<SocketAddr, &Candidate> = BTreeMap::new();
        for candidate in candidates {
            let Some(address) = candidate.address else {
                continue;
            };
            let entry = behind.entry(address).or_insert(candidate);
            if candidate.phase < entry.phase {
                *entry = candidate;
            }
        }
        let mut next: BTreeMap<&ServerAddress, Vec<Next>> = BTreeMap::new();
        let planned = seen.plan.steps.iter().map(|step| (step, None));
        let held = seen.plan.held.iter();
        for (step, held) in planned.chain(held.map(|held| (&held.step, Some(held.reason)))) {
            let step_of = next.entry(step.address()).or_default();
            step_of.push(Next {
                step: step.clone(),
                held,
            });
        }
        let mut remarks: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for note in &seen.plan.notes {
            remarks.entry(&note.subject).or_default().push(&note.text);
        }
        let peers = seen.peers.unwrap_or_default().iter();
        Self {
            peers: peers.map(|peer| (peer.id, peer)).collect(),
            listed: seen.servers.iter().map(|server| &server.address).collect(),
            behind,
            next,
            remarks,
        }
    }

    fn next(&self, address: &ServerAddress) -> Vec<Next> {
        self.next.get(address).cloned().unwrap_or_default()
    }

    fn remarks(&self, subject: &str) -> Vec<String> {
        let texts = self.remarks.get(subject).into_iter().flatten();
        texts.map(|text| (*text).to_owned()).collect()
    }
}
