//! What NGINX has in its own configuration.

use std::collections::BTreeMap;
use std::sync::Mutex;

use crate::model::{Server, ServerAddress, UpstreamKey};

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
