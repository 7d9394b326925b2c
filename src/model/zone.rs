//! How much shared memory the servers of an upstream need.
//!
//! NGINX tells pages, not servers. Bytes per server were measured on NGINX Plus R36 (a zone of 1 MiB
//! held 556 HTTP or 991 stream servers); release 37 added 1 KiB to each, as its release notes say.
//! Long names, IPv6 and TLS sessions need more, so all of this is "about".

use super::Kind;

/// A page of NGINX's slab allocator.
const PAGE_BYTES: u64 = 4_096;
/// What a zone needs before its first server.
const FIXED_BYTES: u64 = 14 * 1_024;

/// The memory of one zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ZoneMemory {
    /// Pages in use.
    pub used_pages: u64,
    /// Pages that are free.
    pub free_pages: u64,
    /// Allocations for which there was no room, since NGINX started.
    pub failed: u64,
}

impl ZoneMemory {
    /// The zone's size in KiB, as its `zone` directive gives it: the allocator keeps one page for
    /// itself.
    #[must_use]
    pub const fn kibibytes(&self) -> u64 {
        (self.used_pages + self.free_pages + 1) * PAGE_BYTES / 1_024
    }

    /// How many servers the zone holds for certain, of which `present` are there: what release 37
    /// needs.
    #[must_use]
    pub fn holds(&self, kind: Kind, present: u64) -> u64 {
        self.room(bytes_per_server(kind), present)
    }

    /// How many it holds at the very most: what release 36 needs.
    #[must_use]
    pub fn holds_at_most(&self, kind: Kind, present: u64) -> u64 {
        self.room(bytes_per_server(kind) - 1_024, present)
    }

    fn room(&self, bytes: u64, present: u64) -> u64 {
        let by_size = (self.kibibytes() * 1_024).saturating_sub(FIXED_BYTES) / bytes;
        let by_pages = present + self.free_pages * PAGE_BYTES / bytes;
        // Servers that are there fit, whatever the arithmetic says.
        by_size.min(by_pages).max(present)
    }
}

/// Bytes per server in release 37.
const fn bytes_per_server(kind: Kind) -> u64 {
    match kind {
        Kind::Http => 2_885,
        Kind::Stream => 2_068,
    }
}

/// The size of a zone that holds this many servers, for a `zone` directive: a power of two, at
/// least `64k`.
#[must_use]
pub fn zone_size(kind: Kind, servers: u64) -> String {
    let bytes = FIXED_BYTES + servers * bytes_per_server(kind);
    let kibibytes = bytes.div_ceil(1_024).next_power_of_two().max(64);
    if kibibytes >= 1_024 {
        format!("{}m", kibibytes / 1_024)
    } else {
        format!("{kibibytes}k")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A zone of this size with nothing but its fixed part in it.
    fn empty(kibibytes: u64) -> ZoneMemory {
        let pages = kibibytes * 1_024 / PAGE_BYTES - 1;
        let used_pages = FIXED_BYTES.div_ceil(PAGE_BYTES) - 1;
        ZoneMemory {
            used_pages,
            free_pages: pages - used_pages,
            failed: 0,
        }
    }

    #[test]
    fn a_zone_holds_what_was_measured() {
        assert_eq!(empty(1_024).kibibytes(), 1_024);
        let close = |found: u64, measured: u64| found.abs_diff(measured) * 50 <= measured;
        assert!(close(empty(1_024).holds_at_most(Kind::Http, 0), 556));
        assert!(close(empty(1_024).holds_at_most(Kind::Stream, 0), 991));
        assert_eq!(empty(64).holds(Kind::Http, 0), 17);
    }

    #[test]
    fn servers_that_are_there_fit() {
        let full = ZoneMemory {
            used_pages: 15,
            free_pages: 0,
            failed: 3,
        };
        assert_eq!(full.holds(Kind::Http, 25), 25);
        assert_eq!(full.holds(Kind::Http, 2), 2);
    }

    #[test]
    fn a_recommended_zone_is_large_enough() {
        for servers in [1, 17, 18, 200, 1_000, 2_000] {
            for kind in [Kind::Http, Kind::Stream] {
                let text = zone_size(kind, servers);
                let (number, unit) = text.split_at(text.len() - 1);
                let factor = if unit == "m" { 1_024 } else { 1 };
                let size = number.parse::<u64>().unwrap() * factor;
                assert!(empty(size).holds(kind, 0) >= servers, "{servers} in {text}");
            }
        }
        assert_eq!(zone_size(Kind::Http, 0), "64k");
        assert_eq!(zone_size(Kind::Http, 200), "1m");
    }
}
