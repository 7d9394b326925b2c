//! The pass.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, SystemTime};

use futures::StreamExt as _;
use futures::future::join_all;
use futures::stream::FuturesUnordered;
use tokio::time::Instant;

use super::apply::Applier;
use super::calls::counted;
use super::drains::Drains;
use super::report::{PassReport, UpstreamReport};
use super::streaks::Streaks;
use super::survey::Seen;
use super::{Balancer, BalancerError, Inventory};
use crate::model::{
    Listing, PeerStatus, ScaleSetId, Server, ServerAddress, Source, Upstream, UpstreamKey,
};
use crate::plan::{Observation, Picture, Plan, WholePicture, digest, plan};
use crate::telemetry::{self, Origin};

/// Reading NGINX's lists at most; they are small, and everyone waits for them.
const NGINX_READ: Duration = Duration::from_secs(8);

/// Which upstreams a pass looks at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// All of them.
    All,
    /// These.
    Only(BTreeSet<UpstreamKey>),
}

impl Scope {
    /// Both.
    #[must_use]
    pub fn union(self, other: Self) -> Self {
        match (self, other) {
            (Self::Only(mut a), Self::Only(b)) => {
                a.extend(b);
                Self::Only(a)
            }
            _ => Self::All,
        }
    }

    fn has(&self, key: &UpstreamKey) -> bool {
        match self {
            Self::All => true,
            Self::Only(keys) => keys.contains(key),
        }
    }
}

/// What a pass is to do with its plans.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Intent {
    /// Carry out what the guards allow.
    Apply,
    /// Say what would be done, and write nothing.
    Show,
    /// As `Show`, and look at every server and instance besides: see [`super::Survey`].
    Survey,
    /// Carry out exactly the held plan with this digest, and nothing else.
    Force(String),
}

impl Intent {
    /// Whether nothing is written, and nothing remembered: who only looks must neither shorten a
    /// drain by looking often nor make a pass take back what it never began.
    const fn only_looks(&self) -> bool {
        matches!(self, Self::Show | Self::Survey)
    }

    /// Its stable name.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Apply => "apply",
            Self::Show => "show",
            Self::Survey => "survey",
            Self::Force(_) => "force",
        }
    }
}

/// Servers that NGINX does not let be changed, so that they are not tried again in every pass.
#[derive(Debug, Default)]
pub(super) struct Statics(Mutex<BTreeMap<UpstreamKey, BTreeMap<u64, ServerAddress>>>);

impl Statics {
    pub(super) fn learn(&self, upstream: &UpstreamKey, id: u64, address: &ServerAddress) {
        if let Ok(mut known) = self.0.lock() {
            let known = known.entry(upstream.clone()).or_default();
            known.insert(id, address.clone());
        }
    }

    /// Marks those among `servers` that are known not to be changeable.
    pub(super) fn mark(&self, upstream: &UpstreamKey, servers: &mut [Server]) {
        let Ok(known) = self.0.lock() else { return };
        let Some(known) = known.get(upstream) else {
            return;
        };
        for server in servers {
            let same = known.get(&server.id);
            server.fixed |= same.is_some_and(|address| *address == server.address);
        }
    }
}

/// Runs passes over the configured upstreams.
pub struct Reconciler {
    upstreams: Vec<Upstream>,
    inventory: Arc<dyn Inventory>,
    balancer: Arc<dyn Balancer>,
    drains: Drains,
    statics: Statics,
    streaks: Streaks,
    stopped: AtomicBool,
    listener: OnceLock<Listener>,
}

/// Hears of each upstream as soon as it has ended.
type Listener = Box<dyn Fn(&UpstreamReport) + Send + Sync>;

impl Reconciler {
    /// Makes one; nothing is read yet.
    #[must_use]
    pub fn new(
        upstreams: Vec<Upstream>,
        inventory: Arc<dyn Inventory>,
        balancer: Arc<dyn Balancer>,
    ) -> Self {
        let (drains, statics) = (Drains::default(), Statics::default());
        let stopped = AtomicBool::new(false);
        Self {
            upstreams,
            inventory,
            balancer,
            drains,
            statics,
            streaks: Streaks::default(),
            stopped,
            listener: OnceLock::new(),
        }
    }

    /// Calls `listener` for each upstream as soon as it has ended; the first listener stays.
    pub fn on_report(&self, listener: impl Fn(&UpstreamReport) + Send + Sync + 'static) {
        let _ = self.listener.set(Box::new(listener));
    }

    fn ended(&self, report: UpstreamReport) -> UpstreamReport {
        if let Some(listener) = self.listener.get() {
            listener(&report);
        }
        report
    }

    /// The configured upstreams.
    #[must_use]
    pub fn upstreams(&self) -> &[Upstream] {
        &self.upstreams
    }

    /// Lets a running pass end before its next write.
    pub fn stop(&self) {
        self.stopped.store(true, Ordering::Relaxed);
    }

    /// What is known of the scale sets.
    #[must_use]
    pub fn inventory(&self) -> &dyn Inventory {
        &*self.inventory
    }

    /// Runs one pass. It always ends by `deadline` (give or take a scheduler's tick), and reports
    /// every upstream of `scope`.
    pub async fn pass(&self, scope: &Scope, intent: &Intent, deadline: Instant) -> PassReport {
        let began = Instant::now();
        let started = SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap_or_default();
        let selected: Vec<&Upstream> = self
            .upstreams
            .iter()
            .filter(|upstream| scope.has(&upstream.key))
            .collect();
        let told = telemetry::Pass::begin(intent.name(), !intent.only_looks(), selected.len());
        let work = counted(self.run(selected, intent, began, deadline));
        let (mut upstreams, calls) = told.run(work).await;
        if !intent.only_looks() {
            upstreams
                .iter_mut()
                .for_each(|report| self.streaks.count(report));
        }
        let report = PassReport {
            started,
            took: began.elapsed(),
            origin: Origin::current(),
            upstreams,
            calls,
        };
        told.end(&report);
        report
    }

    /// Reads, plans and applies; one report per upstream, in their order.
    async fn run(
        &self,
        selected: Vec<&Upstream>,
        intent: &Intent,
        began: Instant,
        deadline: Instant,
    ) -> Vec<UpstreamReport> {
        // NGINX before Azure: a server seen here and missing from a complete listing taken later
        // is really gone, so a slow pass cannot delete what a newer one has just added.
        let read_by = deadline.min(began + NGINX_READ);
        let reads = selected
            .iter()
            .map(|upstream| self.balancer.servers(&upstream.key, read_by));
        let reads = join_all(reads).await;
        let mut reports = BTreeMap::new();
        let mut pending: Vec<(&Upstream, Vec<Server>)> = Vec::new();
        for (upstream, read) in selected.iter().copied().zip(reads) {
            match read {
                Ok(mut servers) => {
                    self.statics.mark(&upstream.key, &mut servers);
                    pending.push((upstream, servers));
                }
                Err(error) => {
                    let report = self.ended(unread(upstream, &error));
                    reports.insert(upstream.key.clone(), report);
                }
            }
        }
        for report in self.finish_all(pending, intent, deadline).await {
            reports.insert(report.key.clone(), report);
        }
        selected
            .iter()
            .filter_map(|upstream| reports.remove(&upstream.key))
            .collect()
    }

    /// Lists the scale sets and finishes each upstream as soon as its own sets are listed, so that
    /// a slow set holds up nobody else.
    async fn finish_all(
        &self,
        mut pending: Vec<(&Upstream, Vec<Server>)>,
        intent: &Intent,
        deadline: Instant,
    ) -> Vec<UpstreamReport> {
        let sets: BTreeSet<ScaleSetId> = pending
            .iter()
            .flat_map(|(upstream, _)| &upstream.sources)
            .map(|source| source.set.clone())
            .collect();
        // What is left after the listings is for the writes.
        let list_by = Instant::now() + deadline.saturating_duration_since(Instant::now()) * 4 / 5;
        let mut listings = self.inventory.list(sets, list_by);
        let mut listed: BTreeMap<ScaleSetId, Arc<Listing>> = BTreeMap::new();
        let mut working = FuturesUnordered::new();
        let mut reports = Vec::new();
        let mut all_listed = false;
        while !(all_listed && working.is_empty()) {
            tokio::select! {
                next = listings.next(), if !all_listed => match next {
                    None => all_listed = true,
                    Some((set, listing)) => {
                        listed.insert(set, Arc::new(listing));
                        let (ready, waiting) = std::mem::take(&mut pending)
                            .into_iter()
                            .partition(|(upstream, _)| known(upstream, &listed).is_some());
                        pending = waiting;
                        let ready: Vec<(&Upstream, Vec<Server>)> = ready;
                        for (upstream, servers) in ready {
                            let sources = known(upstream, &listed).unwrap_or_default();
                            working.push(self.finish(upstream, servers, sources, intent, deadline));
                        }
                    }
                },
                Some(report) = working.next(), if !working.is_empty() => {
                    reports.push(self.ended(report));
                }
            }
        }
        for (upstream, servers) in pending {
            let mut report = UpstreamReport::new(upstream.key.clone(), upstream.group_names());
            report.servers = servers.into_iter().map(|server| server.address).collect();
            report.servers.sort();
            report.servers_read = true;
            report.fail("not_listed", "its scale sets were not listed");
            reports.push(self.ended(report));
        }
        reports
    }

    async fn finish(
        &self,
        upstream: &Upstream,
        servers: Vec<Server>,
        sources: Vec<(&Source, Arc<Listing>)>,
        intent: &Intent,
        deadline: Instant,
    ) -> UpstreamReport {
        let mut report = UpstreamReport::new(upstream.key.clone(), upstream.group_names());
        let borrowed: Vec<(&Source, &Listing)> = sources
            .iter()
            .map(|(source, listing)| (*source, &**listing))
            .collect();
        let picture = Picture::new(upstream, &borrowed);
        for failure in picture.failures() {
            report.fail(failure.kind.name(), failure.message.clone());
        }
        let (plan, peers) = self
            .plan(upstream, &servers, &picture, intent, deadline)
            .await;
        if *intent == Intent::Survey {
            let peers = match peers {
                Peers::Asked(peers) => peers,
                Peers::NotAsked => self.peers(upstream, deadline).await,
            };
            let seen = Seen {
                upstream,
                servers: &servers,
                sources: &borrowed,
                picture: &picture,
                peers: peers.as_deref(),
                plan: &plan,
            };
            report.survey = Some(seen.survey());
        }
        let Plan {
            steps, held, notes, ..
        } = plan;
        report.digest = digest(&upstream.key, &held);
        report.notes = notes;
        report.draining = servers
            .iter()
            .filter(|server| server.draining)
            .map(|server| server.address.clone())
            .collect();
        let applier = Applier {
            upstream,
            servers: &servers,
            balancer: &*self.balancer,
            drains: &self.drains,
            statics: &self.statics,
            stopped: &self.stopped,
            may_empty: picture
                .whole()
                .is_some_and(WholePicture::is_meant_to_be_empty),
            deadline,
        };
        match intent {
            Intent::Show | Intent::Survey => {
                report.planned = Some(steps);
                report.held = held;
            }
            Intent::Apply => {
                report.held = held;
                applier.apply(&steps, &mut report).await;
            }
            Intent::Force(wanted) if report.digest.as_ref() == Some(wanted) => {
                let (forced, kept): (Vec<_>, Vec<_>) = held
                    .into_iter()
                    .partition(|held| held.reason.is_releasable());
                let forced: Vec<_> = forced.into_iter().map(|held| held.step).collect();
                report.held = kept;
                report.digest = None;
                report.forced = true;
                applier.apply(&forced, &mut report).await;
            }
            Intent::Force(_) => report.held = held,
        }
        report
            .draining
            .retain(|address| !report.removed.contains(address));
        report
            .draining
            .retain(|address| !report.updated.contains(address));
        report.draining.sort();
        report.draining.dedup();
        report.servers = servers
            .iter()
            .map(|server| server.address.clone())
            .filter(|address| !report.removed.contains(address))
            .chain(report.added.iter().cloned())
            .collect();
        report.servers.sort();
        report.servers_read = true;
        report
    }

    /// Plans; where NGINX's run-time status would let the plan decide better, reads it and plans
    /// again.
    async fn plan(
        &self,
        upstream: &Upstream,
        servers: &[Server],
        picture: &Picture,
        intent: &Intent,
        deadline: Instant,
    ) -> (Plan, Peers) {
        let key = &upstream.key;
        let drains = self.drains.progress(key, Instant::now());
        let first = plan(&Observation {
            upstream,
            servers,
            picture,
            peers: None,
            drains: &drains,
        });
        let draining = servers.iter().any(|server| server.draining);
        if !first.wants_peers {
            if (draining || !drains.is_empty()) && !intent.only_looks() {
                self.drains.observe(key, servers, None, Instant::now());
            }
            return (first, Peers::NotAsked);
        }
        let peers = self.peers(upstream, deadline).await;
        let drains = if intent.only_looks() {
            drains
        } else {
            let now = Instant::now();
            self.drains.observe(key, servers, peers.as_deref(), now)
        };
        let second = plan(&Observation {
            upstream,
            servers,
            picture,
            peers: peers.as_deref(),
            drains: &drains,
        });
        (second, Peers::Asked(peers))
    }

    /// NGINX's run-time status, where it tells one.
    async fn peers(&self, upstream: &Upstream, deadline: Instant) -> Option<Vec<PeerStatus>> {
        let peers = self.balancer.peers(&upstream.key, deadline).await;
        peers
            .inspect_err(
                |error| tracing::debug!(upstream = %upstream.key.name, "no run-time status: {error}"),
            )
            .ok()
    }
}

/// NGINX's run-time status, if the plan asked for it.
enum Peers {
    NotAsked,
    Asked(Option<Vec<PeerStatus>>),
}

/// The listings of an upstream's sources, once all are there.
fn known<'a>(
    upstream: &'a Upstream,
    listed: &BTreeMap<ScaleSetId, Arc<Listing>>,
) -> Option<Vec<(&'a Source, Arc<Listing>)>> {
    let listing = |source: &'a Source| Some((source, Arc::clone(listed.get(&source.set)?)));
    upstream.sources.iter().map(listing).collect()
}

fn unread(upstream: &Upstream, error: &BalancerError) -> UpstreamReport {
    let mut report = UpstreamReport::new(upstream.key.clone(), upstream.group_names());
    report.fail(error.kind.name(), error.message.clone());
    report
}
