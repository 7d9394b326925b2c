//! The judge: looks at every write to NGINX and knows what the world was while it was decided.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use simulated_cloud::{Change, NginxWrite, Server, UpstreamKind, World};

/// An upstream and what feeds it.
#[derive(Clone, Debug)]
pub(crate) struct Fed {
    pub(crate) kind: UpstreamKind,
    pub(crate) name: &'static str,
    pub(crate) sets: &'static [&'static str],
    pub(crate) port: u16,
    /// `max_removal_percent: 0`: even lists that lie take no server out of service.
    pub(crate) strict: bool,
}

/// What is wrong with the listing of a set, by faults in force.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Doubt {
    /// No reading of the set is complete.
    pub(crate) broken: bool,
    /// A reading may succeed and lack instances.
    pub(crate) lies: bool,
    /// The states of its instances may be forbidden.
    pub(crate) blind: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct SetView {
    capacity: Option<u64>,
    serving: BTreeSet<String>,
    doubt: Doubt,
}

type Moment = BTreeMap<&'static str, SetView>;

/// Who reads: which of the handlers, and which of its lives.
pub(crate) type Reader = (usize, usize);

/// Records the world's history and judges each write by the part of it that its pass can have
/// seen: everything since the oldest unanswered invocation was sent.
#[derive(Clone)]
pub(crate) struct Watch(Arc<Mutex<Inner>>);

struct Inner {
    world: World,
    upstreams: Vec<Fed>,
    history: Vec<Moment>,
    doubts: BTreeMap<&'static str, Doubt>,
    ever: BTreeMap<&'static str, BTreeSet<String>>,
    asked: BTreeMap<u64, (Reader, usize)>,
    /// When each server was added, by its upstream and id.
    added: BTreeMap<(&'static str, u64), usize>,
    next: u64,
    writes: usize,
    joint: usize,
}

impl Watch {
    /// Watches these upstreams from now on.
    pub(crate) fn start(world: &World, upstreams: &[Fed]) -> Self {
        let watch = Self(Arc::new(Mutex::new(Inner {
            world: world.clone(),
            upstreams: upstreams.to_vec(),
            history: Vec::new(),
            doubts: BTreeMap::new(),
            ever: BTreeMap::new(),
            asked: BTreeMap::new(),
            added: BTreeMap::new(),
            next: 0,
            writes: 0,
            joint: 0,
        })));
        watch.note();
        let judge = watch.clone();
        world.on_nginx_write(move |write| judge.lock().judge(write));
        watch
    }

    /// The world has changed. To be called after every change, before the next one.
    pub(crate) fn note(&self) {
        let mut inner = self.lock();
        let now = inner.now();
        inner.history.push(now);
    }

    /// What is known of a set's listing has changed.
    pub(crate) fn doubt(&self, set: &'static str, change: impl FnOnce(&mut Doubt)) {
        change(self.lock().doubts.entry(set).or_default());
        self.note();
    }

    /// An invocation is about to be sent.
    pub(crate) fn asks(&self, reader: Reader) -> u64 {
        let mut inner = self.lock();
        inner.next += 1;
        let (id, since) = (inner.next, inner.history.len() - 1);
        inner.asked.insert(id, (reader, since));
        id
    }

    /// It was answered: its pass writes no more.
    pub(crate) fn answered(&self, id: u64) {
        self.lock().asked.remove(&id);
    }

    /// How many writes were judged.
    pub(crate) fn writes(&self) -> usize {
        self.lock().writes
    }

    /// How often two handlers that saw different worlds emptied an upstream together, each of
    /// them leaving what the other took.
    pub(crate) fn joint(&self) -> usize {
        self.lock().joint
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn now(&mut self) -> Moment {
        let sets: BTreeSet<&'static str> = self
            .upstreams
            .iter()
            .flat_map(|fed| fed.sets)
            .copied()
            .collect();
        let mut moment = Moment::new();
        for set in sets {
            let instances = self.world.instances(set);
            let addresses = instances.iter().filter_map(|found| found.address());
            self.ever
                .entry(set)
                .or_default()
                .extend(addresses.map(str::to_owned));
            let serving = instances.iter().filter(|found| found.is_serving());
            let view = SetView {
                capacity: self.world.capacity(set),
                serving: serving
                    .filter_map(|found| found.address())
                    .map(str::to_owned)
                    .collect(),
                doubt: self.doubts.get(set).copied().unwrap_or_default(),
            };
            moment.insert(set, view);
        }
        moment
    }

    fn judge(&mut self, write: &NginxWrite) -> Result<(), String> {
        self.writes += 1;
        let now = self.now();
        let last = self.history.len() - 1;
        let since = self
            .asked
            .values()
            .map(|(_, since)| *since)
            .min()
            .unwrap_or(last);
        let mut window = self.history[since..].to_vec();
        window.push(now);
        let fed = self
            .upstreams
            .iter()
            .find(|fed| (fed.kind, fed.name) == (write.kind, &*write.upstream));
        let fed = fed
            .ok_or(format!(
                "a write to an upstream that is not ours: {write:?}"
            ))?
            .clone();
        let told = |text: &str| {
            let of_its_sets = |moment: &Moment| {
                let views = fed.sets.iter().map(|set| (*set, moment[set].clone()));
                views.collect::<Vec<_>>()
            };
            let mut seen: Vec<_> = window.iter().map(of_its_sets).collect();
            seen.dedup();
            Err(format!(
                "{text}: {} {:?}; seen since it was asked for: {seen:#?}",
                fed.name, write.change
            ))
        };
        let of_set = |address: &str| {
            address
                .strip_suffix(&format!(":{}", fed.port))
                .map(str::to_owned)
        };
        let serves = |moment: &Moment, address: &str| {
            fed.sets
                .iter()
                .any(|set| moment[set].serving.contains(address))
        };
        let doubtful = |which: fn(&Doubt) -> bool| {
            move |moment: &Moment| fed.sets.iter().any(|set| which(&moment[set].doubt))
        };
        if let Some(server) = taken_out(&write.change) {
            let address = of_set(&server.server).unwrap_or_default();
            // Who takes it out has read NGINX after it was added, and Azure after that.
            let added = self.added.get(&(fed.name, server.id));
            let window = &window[added.map_or(0, |added| added.saturating_sub(since))..];
            let lies = window.iter().any(doubtful(|doubt| doubt.lies));
            let was_in_service =
                matches!(&write.change, Change::Changed { .. }) || in_service(server);
            if window.iter().all(|moment| serves(moment, &address))
                && (!lies || (fed.strict && was_in_service))
            {
                return told("a server of an instance that serves was taken out");
            }
            if window.iter().all(doubtful(|doubt| doubt.broken)) {
                return told("a server was taken out though no listing was complete");
            }
        }
        if let Change::Added(server) = &write.change {
            self.added.insert((fed.name, server.id), last);
            let address = of_set(&server.server).unwrap_or_default();
            if !fed.sets.iter().any(|set| self.ever[set].contains(&address)) {
                return told("a foreign server was added");
            }
            let blind = window.iter().any(doubtful(|doubt| doubt.blind));
            if !blind && !window.iter().any(|moment| serves(moment, &address)) {
                return told("a server was added whose instance did not serve");
            }
        }
        if before(write) > 0 && !write.servers.iter().any(in_service) {
            let zero = |set: &&str| window.iter().any(|moment| moment[*set].capacity == Some(0));
            let still = window.windows(2).all(|pair| pair[0] == pair[1]);
            let readers: BTreeSet<Reader> =
                self.asked.values().map(|(reader, _)| *reader).collect();
            match fed.sets.iter().all(zero) {
                true => {}
                // Two passes that each leave what the other takes. Without a lock nothing excludes
                // it, so that it is counted; see the top of `world.rs`.
                false if readers.len() > 1 && !still => self.joint += 1,
                false => return told("nothing is left in service"),
            }
        }
        Ok(())
    }
}

pub(crate) fn in_service(server: &Server) -> bool {
    !server.drain && !server.down
}

/// The server that a change takes out of service or deletes.
fn taken_out(change: &Change) -> Option<&Server> {
    match change {
        Change::Removed(server) => Some(server),
        Change::Changed { before, after } => {
            let out = (after.drain && !before.drain) || (after.down && !before.down);
            out.then_some(after)
        }
        Change::Added(_) => None,
    }
}

/// How many servers were in service before a write.
fn before(write: &NginxWrite) -> usize {
    let after = write
        .servers
        .iter()
        .filter(|server| in_service(server))
        .count();
    let was = |server: &Server| usize::from(in_service(server));
    match &write.change {
        Change::Added(server) => after - was(server),
        Change::Removed(server) => after + was(server),
        Change::Changed { before, after: now } => after + was(before) - was(now),
    }
}
