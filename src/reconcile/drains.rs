//! How long servers have been draining, as this process has seen it.
//!
//! What NGINX reports is the state; this only times it. A process that is new knows nothing and
//! starts its own clock, so the worst that a restart costs is one `drain_timeout` more.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Mutex;

use tokio::time::Instant;

use crate::model::{PeerState, PeerStatus, Server, ServerAddress, UpstreamKey};
use crate::plan::DrainProgress;

#[derive(Debug, Clone, Copy)]
struct Seen {
    since: Instant,
    idle_readings: u32,
}

/// The draining servers of all upstreams.
#[derive(Debug, Default)]
pub(super) struct Drains(Mutex<BTreeMap<UpstreamKey, BTreeMap<ServerAddress, Seen>>>);

impl Drains {
    /// Takes in one reading of an upstream and forgets servers that are no longer there.
    pub(super) fn observe(
        &self,
        upstream: &UpstreamKey,
        servers: &[Server],
        peers: Option<&[PeerStatus]>,
        now: Instant,
    ) -> BTreeMap<ServerAddress, DrainProgress> {
        let Ok(mut all) = self.0.lock() else {
            return BTreeMap::new();
        };
        let seen = all.entry(upstream.clone()).or_default();
        if !seen.is_empty() {
            let there: HashSet<&ServerAddress> = servers.iter().map(|own| &own.address).collect();
            seen.retain(|address, _| there.contains(address));
        }
        let peers = peers.unwrap_or_default().iter();
        let peers: HashMap<u64, &PeerStatus> = peers.map(|peer| (peer.id, peer)).collect();
        for server in servers {
            let peer = peers.get(&server.id);
            let draining =
                server.draining || peer.is_some_and(|peer| peer.state == PeerState::Draining);
            if draining {
                seen.entry(server.address.clone()).or_insert(Seen {
                    since: now,
                    idle_readings: 0,
                });
            }
            if let (Some(seen), Some(peer)) = (seen.get_mut(&server.address), peer) {
                seen.idle_readings = if peer.active == 0 {
                    seen.idle_readings + 1
                } else {
                    0
                };
            }
        }
        seen.iter()
            .map(|(address, seen)| (address.clone(), seen.progress(now)))
            .collect()
    }

    /// What is known of an upstream without a new reading.
    pub(super) fn progress(
        &self,
        upstream: &UpstreamKey,
        now: Instant,
    ) -> BTreeMap<ServerAddress, DrainProgress> {
        let Ok(all) = self.0.lock() else {
            return BTreeMap::new();
        };
        let seen = all.get(upstream).into_iter().flatten();
        seen.map(|(address, seen)| (address.clone(), seen.progress(now)))
            .collect()
    }

    /// A drain was started.
    pub(super) fn started(&self, upstream: &UpstreamKey, address: &ServerAddress, now: Instant) {
        if let Ok(mut all) = self.0.lock() {
            let seen = all.entry(upstream.clone()).or_default();
            seen.entry(address.clone()).or_insert(Seen {
                since: now,
                idle_readings: 0,
            });
        }
    }

    /// A server is back in service, or gone.
    pub(super) fn ended(&self, upstream: &UpstreamKey, address: &ServerAddress) {
        if let Ok(mut all) = self.0.lock()
            && let Some(seen) = all.get_mut(upstream)
        {
            seen.remove(address);
        }
    }
}

impl Seen {
    fn progress(self, now: Instant) -> DrainProgress {
        DrainProgress {
            draining_for: now.saturating_duration_since(self.since),
            idle_readings: self.idle_readings,
        }
    }
}
