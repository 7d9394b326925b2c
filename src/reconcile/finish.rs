//! One upstream's part of a pass, once its servers are read: wait for its scale sets, plan, apply,
//! report.

use std::collections::BTreeSet;

use tokio::time::Instant;

use super::apply::Applier;
use super::pass::{Listed, Reconciler};
use super::report::UpstreamReport;
use super::scope::Intent;
use super::survey::Seen;
use crate::model::{Kind, Listing, PeerStatus, Server, ServerAddress, Source, Upstream};
use crate::plan::{Observation, Picture, Plan, WholePicture, digest, plan};

impl Reconciler {
    /// Finishes one upstream with the servers that NGINX has told.
    pub(super) async fn finish(
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
        carry_out(intent, plan, &applier, &mut report).await;
        tell_servers(servers, &mut report);
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

/// Does with a plan what was asked for, and tells it in the report.
async fn carry_out(
    intent: &Intent,
    plan: Plan,
    applier: &Applier<'_>,
    report: &mut UpstreamReport,
) {
    let Plan {
        steps, held, notes, ..
    } = plan;
    report.digest = digest(&report.key, &held);
    report.notes = notes;
    let draining = applier.servers.iter().filter(|server| server.draining);
    report.draining = draining.map(|server| server.address.clone()).collect();
    match intent {
        Intent::Show | Intent::Survey => {
            report.planned = Some(steps);
            report.held = held;
        }
        Intent::Apply => {
            report.held = held;
            applier.apply(&steps, report).await;
        }
        Intent::Force(wanted) if report.digest.as_ref() == Some(wanted) => {
            let (forced, kept): (Vec<_>, Vec<_>) = held
                .into_iter()
                .partition(|held| held.reason.is_releasable());
            let forced: Vec<_> = forced.into_iter().map(|held| held.step).collect();
            report.held = kept;
            report.digest = None;
            report.forced = true;
            applier.apply(&forced, report).await;
        }
        Intent::Force(_) => report.held = held,
    }
}

/// Tells which servers NGINX has after the pass, and which of them drain.
fn tell_servers(before: Vec<Server>, report: &mut UpstreamReport) {
    let removed: BTreeSet<&ServerAddress> = report.removed.iter().collect();
    report.servers = before
        .into_iter()
        .map(|server| server.address)
        .filter(|address| !removed.contains(address))
        .chain(report.added.iter().cloned())
        .collect();
    report.servers.sort();
    report.servers_read = true;
    report
        .draining
        .retain(|address| !report.removed.contains(address) && !report.updated.contains(address));
    report.draining.sort();
    report.draining.dedup();
}

/// NGINX's run-time status, if the plan asked for it.
enum Peers {
    NotAsked,
    Asked(Option<Vec<PeerStatus>>),
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

/// Whether the plan will ask for the run-time status whatever Azure says: this NGINX's list of
/// servers does not tell whether one drains.
fn wants_peers(upstream: &Upstream, servers: &[Server]) -> bool {
    upstream.key.kind == Kind::Http
        && !upstream.drain_timeout.is_zero()
        && servers.iter().any(|server| !server.tells_draining)
}
