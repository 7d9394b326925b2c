//! The pass.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, SystemTime};

use futures::StreamExt as _;
use futures::future::join_all;
use tokio::sync::SetOnce;
use tokio::time::Instant;

use super::apply::Applier;
use super::calls::counted;
use super::drains::Drains;
use super::report::{PassReport, UpstreamReport};
use super::streaks::Streaks;
use super::survey::Seen;
use super::{Balancer, BalancerError, Inventory};
use crate::model::{
    Kind, Listing, PeerStatus, ReadFailure, ReadFailureKind, ScaleSetId, Server, ServerAddress,
    Source, Upstream, UpstreamKey,
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
        let preparation = self.inventory.prepare(read_by);
        let work = self.look_and_finish(&selected, intent, read_by, deadline);
        tokio::pin!(work);
        tokio::select! {
            reports = &mut work => reports,
            () = preparation => work.await,
        }
    }

    /// Reads NGINX, then finishes every upstream that could be read.
    async fn look_and_finish(
        &self,
        selected: &[&Upstream],
        intent: &Intent,
        read_by: Instant,
        deadline: Instant,
    ) -> Vec<UpstreamReport> {
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
        pending: Vec<(&Upstream, Vec<Server>)>,
        intent: &Intent,
        deadline: Instant,
    ) -> Vec<UpstreamReport> {
        let sets = sets_of(pending.iter().map(|(upstream, _)| *upstream));
        let listed: Listed = sets
            .iter()
            .map(|set| (set.clone(), SetOnce::new()))
            .collect();
        // What is left after the listings is for the writes.
        let list_by = Instant::now() + deadline.saturating_duration_since(Instant::now()) * 4 / 5;
        let listing = async {
            let mut listings = self.inventory.list(sets, list_by);
            while let Some((set, listing)) = listings.next().await {
                if let Some(cell) = listed.get(&set) {
                    let _ = cell.set(listing);
                }
            }
            // Nobody may wait for ever for a set that was forgotten.
            for (set, cell) in &listed {
                let _ = cell.set(not_listed(set));
            }
        };
        let upstreams = pending.into_iter().map(|(upstream, servers)| async {
            let report = self.finish(upstream, servers, &listed, intent, deadline);
            self.ended(report.await)
        });
        let ((), reports) = futures::join!(listing, join_all(upstreams));
        reports
    }

    async fn finish(
        &self,
        upstream: &Upstream,
        servers: Vec<Server>,
        listed: &Listed,
        intent: &Intent,
        deadline: Instant,
    ) -> UpstreamReport {
        // Where the plan will want NGINX's run-time status in any case, it comes beside Azure's
        // answers.
        let peers = async {
            if *intent == Intent::Survey || wants_peers(upstream, &servers) {
                Peers::Asked(self.peers(upstream, deadline).await)
            } else {
                Peers::NotAsked
            }
        };
        let (sources, peers) = futures::join!(known(upstream, listed), peers);
        let mut report = UpstreamReport::new(upstream.key.clone(), upstream.group_names());
        let picture = Picture::new(upstream, &sources);
        for failure in picture.failures() {
            report.fail(failure.kind.name(), failure.message.clone());
        }
        let (plan, peers) = self
            .plan(upstream, &servers, &picture, peers, intent, deadline)
            .await;
        if *intent == Intent::Survey {
            let peers = match peers {
                Peers::Asked(peers) => peers,
                Peers::NotAsked => None,
            };
            let seen = Seen {
                upstream,
                servers: &servers,
                sources: &sources,
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
        let removed: BTreeSet<&ServerAddress> = report.removed.iter().collect();
        report.servers = servers
            .into_iter()
            .map(|server| server.address)
            .filter(|address| !removed.contains(address))
            .chain(report.added.iter().cloned())
            .collect();
        report.servers.sort();
        report.servers_read = true;
        report
    }

    /// Plans; where NGINX's run-time status would let the plan decide better and was not asked for
    /// yet, reads it and plans again.
    async fn plan(
        &self,
        upstream: &Upstream,
        servers: &[Server],
        picture: &Picture,
        peers: Peers,
        intent: &Intent,
        deadline: Instant,
    ) -> (Plan, Peers) {
        let key = &upstream.key;
        let drains = self.drains.progress(key, Instant::now());
        let peers = if let Peers::Asked(peers) = peers {
            peers
        } else {
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
            self.peers(upstream, deadline).await
        };
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

/// The scale sets, each told as soon as it is listed.
type Listed = BTreeMap<ScaleSetId, SetOnce<Listing>>;

fn sets_of<'a>(upstreams: impl Iterator<Item = &'a Upstream>) -> BTreeSet<ScaleSetId> {
    let sources = upstreams.flat_map(|upstream| &upstream.sources);
    sources.map(|source| source.set.clone()).collect()
}

/// The listings of an upstream's sources, once all are there.
async fn known<'a>(upstream: &'a Upstream, listed: &'a Listed) -> Vec<(&'a Source, &'a Listing)> {
    let mut sources = Vec::new();
    for source in &upstream.sources {
        if let Some(cell) = listed.get(&source.set) {
            sources.push((source, cell.wait().await));
        }
    }
    sources
}

fn not_listed(set: &ScaleSetId) -> Listing {
    Listing::Incomplete {
        set: set.clone(),
        seen: Vec::new(),
        failure: ReadFailure {
            kind: ReadFailureKind::Malformed,
            message: format!("scale set {} was not listed", set.name),
        },
    }
}

/// Whether the plan will ask for the run-time status whatever Azure says: this NGINX's list of
/// servers does not tell whether one drains.
fn wants_peers(upstream: &Upstream, servers: &[Server]) -> bool {
    upstream.key.kind == Kind::Http
        && !upstream.drain_timeout.is_zero()
        && servers.iter().any(|server| !server.tells_draining)
}

fn unread(upstream: &Upstream, error: &BalancerError) -> UpstreamReport {
    let mut report = UpstreamReport::new(upstream.key.clone(), upstream.group_names());
    report.fail(error.kind.name(), error.message.clone());
    report
}
