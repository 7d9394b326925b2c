//! The memory of an upstream's zone, as NGINX's slab allocator counts it.
//!
//! Bytes per server as measured on NGINX Plus R36 plus the 1 kB that release 37 adds, and a fixed
//! part: `facts/arm-nginx.md` section 7. The real allocator's figures differ a little.

use super::model::{Upstream, UpstreamKind};

const PAGE: u64 = 4096;
/// What a zone needs before its first server.
const FIXED: u64 = 14 * 1024;
/// A zone that nobody has set a limit for.
const PLENTY: u64 = 64 * 1024 * 1024;

fn server_bytes(kind: UpstreamKind) -> u64 {
    match kind {
        UpstreamKind::Http => 2_885,
        UpstreamKind::Stream => 2_068,
    }
}

/// How many servers a zone of this size holds.
pub(crate) fn servers_in(kind: UpstreamKind, bytes: u64) -> usize {
    let room = bytes.saturating_sub(FIXED) / server_bytes(kind);
    usize::try_from(room).unwrap_or(usize::MAX)
}

/// The pages of the zone. The allocator keeps the first one for itself.
pub(super) fn pages(upstream: &Upstream) -> u64 {
    let bytes = match (upstream.zone_bytes, upstream.capacity) {
        (Some(bytes), _) => bytes,
        (None, Some(servers)) => FIXED + servers as u64 * server_bytes(upstream.kind),
        (None, None) => PLENTY,
    };
    (bytes / PAGE).saturating_sub(1)
}

/// The pages that the upstream and its servers use.
pub(super) fn used_pages(upstream: &Upstream) -> u64 {
    let servers = (upstream.servers.len() + upstream.zombies()) as u64;
    (FIXED - PAGE + servers * server_bytes(upstream.kind)).div_ceil(PAGE)
}
