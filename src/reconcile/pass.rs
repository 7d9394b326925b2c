//! The pass.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime};

use futures::StreamExt as _;
use futures::future::join_all;
use tokio::sync::SetOnce;
use tokio::time::Instant;

use super::calls::counted;
use super::drains::Drains;
use super::report::{PassReport, UpstreamReport};
use super::scope::{Intent, Scope};
use super::statics::Statics;
use super::streaks::Streaks;
use super::{Balancer, BalancerError, Inventory};
use crate::model::{Listing, ReadFailure, ReadFailureKind, ScaleSetId, Server, Upstream};
use crate::telemetry::{self, Origin};

/// Reading NGINX's lists at most; they are small, and everyone waits for them.
const NGINX_READ: Duration = Duration::from_secs(8);

/// Runs passes over the configured upstreams.
pub struct Reconciler {
    upstreams: Vec<Upstream>,
    inventory: Arc<dyn Inventory>,
    pub(super) balancer: Arc<dyn Balancer>,
    pub(super) drains: Drains,
    pub(super) statics: Statics,
    streaks: Streaks,
    pub(super) stopped: AtomicBool,
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
}

/// The scale sets, each told as soon as it is listed.
pub(super) type Listed = BTreeMap<ScaleSetId, SetOnce<Listing>>;

fn sets_of<'a>(upstreams: impl Iterator<Item = &'a Upstream>) -> BTreeSet<ScaleSetId> {
    let sources = upstreams.flat_map(|upstream| &upstream.sources);
    sources.map(|source| source.set.clone()).collect()
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

fn unread(upstream: &Upstream, error: &BalancerError) -> UpstreamReport {
    let mut report = UpstreamReport::new(upstream.key.clone(), upstream.group_names());
    report.fail(error.kind.name(), error.message.clone());
    report
}
