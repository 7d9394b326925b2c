//! Whether each zone is large enough for the sets that fill it.

use super::Doctor;
use super::finding::{Check, Findings, Remedy};
use super::scale_sets::Listings;
use super::upstreams::{Seen, subject, wanted};
use crate::model::{Upstream, zone_size};

/// A zone, with all upstreams that share it.
pub(super) struct ZoneUse<'a> {
    /// `None` where NGINX does not tell; it customarily has the upstream's name.
    zone: Option<&'a str>,
    upstreams: Vec<&'a Upstream>,
    /// The place of the first of them.
    pub(super) first: usize,
    present: u64,
    /// What the sets want now, as far as it is known.
    wanted: Option<u64>,
}

/// The zones of the upstreams that are there.
pub(super) fn of<'a>(seen: &'a [Seen<'_>], listings: &Listings) -> Vec<ZoneUse<'a>> {
    let mut zones: Vec<ZoneUse<'a>> = Vec::new();
    for (first, one) in seen.iter().enumerate() {
        let Ok(servers) = &one.servers else { continue };
        let run_time = one.run_time.as_ref().ok();
        let zone = run_time.and_then(|run_time| run_time.zone.as_deref());
        let (present, wanted) = (servers.len() as u64, wanted(one.upstream, listings));
        let kind = one.upstream.key.kind;
        let shared = zones.iter_mut().find(|known| {
            zone.is_some() && known.zone == zone && known.upstreams[0].key.kind == kind
        });
        match shared {
            Some(known) => {
                known.upstreams.push(one.upstream);
                known.present += present;
                known.wanted = known.wanted.zip(wanted).map(|(a, b)| a + b);
            }
            None => zones.push(ZoneUse {
                zone,
                upstreams: vec![one.upstream],
                first,
                present,
                wanted,
            }),
        }
    }
    zones
}

impl ZoneUse<'_> {
    /// Twice the capacity is asked for: a set's highest capacity cannot be read with these roles,
    /// and a full roll adds before it removes.
    pub(super) async fn examine(&self, doctor: &Doctor<'_>, findings: &mut Findings) {
        let kind = self.upstreams[0].key.kind;
        let subjects: Vec<String> = self.upstreams.iter().copied().map(subject).collect();
        let subject = subjects.join(", ");
        let check = Check::UpstreamZone;
        let zone = self.zone.unwrap_or(&self.upstreams[0].key.name);
        let name = zone.escape_debug();
        let Some(wanted) = self.wanted else {
            let text = format!("zone `{name}` was not judged: not every set was listed");
            findings.skipped(check, &subject, text);
            return;
        };
        let twice = 2 * wanted.max(self.present);
        let size = zone_size(kind, twice);
        let memory = doctor
            .services
            .nginx
            .zone_memory(zone, doctor.deadline)
            .await;
        let Ok(memory) = memory else {
            let text = format!(
                "this API does not tell how large zone `{name}` is; twice the capacity, {twice} servers, needs `zone {name} {size}`"
            );
            findings.skipped(check, &subject, text);
            return;
        };
        let kibibytes = memory.kibibytes();
        let holds = memory.holds(kind, self.present);
        let is = format!("zone `{name}` ({kibibytes}k) holds about {holds} servers");
        let enlarge = Remedy::new("enlarge it in NGINX's configuration:")
            .paste([format!("zone {name} {size};")]);
        if memory.holds_at_most(kind, self.present) < wanted {
            let text = format!("{is}, and the sets want {wanted} now");
            findings.failed(check, &subject, text, enlarge);
        } else if holds < twice {
            let text = format!(
                "{is}, less than twice the capacity ({twice}), which a roll or a scale-out may need; the sets' highest capacity cannot be read"
            );
            findings.warning(check, &subject, text, enlarge);
        } else if memory.failed > 0 {
            let text = format!(
                "{is}, and was full {} times since NGINX started",
                memory.failed
            );
            findings.warning(check, &subject, text, enlarge);
        } else {
            let text = format!("{is}, enough for twice the capacity ({twice})");
            findings.ok(check, &subject, text);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::model::{
        CompleteListing, Kind, Listing, NginxTime, OptionalParameters, Ownership, Policy,
        ScaleSetId, ServerParameters, Source, UpstreamKey,
    };
    use crate::nginx::RunTime;

    fn set(name: &str) -> ScaleSetId {
        ScaleSetId {
            subscription: "s".into(),
            resource_group: "g".into(),
            name: name.into(),
        }
    }

    fn upstream(kind: Kind, name: &str, sets: &[&str]) -> Upstream {
        let sources = sets.iter().map(|name| Source {
            set: set(name),
            port: 80,
        });
        Upstream {
            key: UpstreamKey {
                kind,
                name: name.into(),
            },
            sources: sources.collect(),
            parameters: ServerParameters {
                max_conns: 0,
                max_fails: 1,
                fail_timeout: NginxTime::from_seconds(10),
                slow_start: NginxTime::default(),
                optional: OptionalParameters::default(),
            },
            max_removal_percent: 50,
            drain_timeout: Duration::ZERO,
            add_before_running: false,
            require_healthy: false,
            ownership: Ownership::Exclusive,
            networks: Vec::new(),
            policy: Policy::Sync,
        }
    }

    fn listing(name: &str, capacity: u64) -> (ScaleSetId, Listing) {
        let listing = CompleteListing {
            set: set(name),
            capacity: Some(capacity),
            instances: Vec::new(),
        };
        (set(name), Listing::Complete(listing))
    }

    fn seen<'a>(upstream: &'a Upstream, zone: Option<&str>) -> Seen<'a> {
        Seen {
            upstream,
            servers: Ok(Vec::new()),
            run_time: Ok(RunTime {
                zone: zone.map(str::to_owned),
                peers: 0,
                health_checked: 0,
            }),
        }
    }

    #[test]
    fn upstreams_that_share_a_zone_need_its_memory_together() {
        let (a, b) = (
            upstream(Kind::Http, "a", &["one", "two"]),
            upstream(Kind::Http, "b", &["two"]),
        );
        let (tcp, lost) = (
            upstream(Kind::Stream, "c", &["one"]),
            upstream(Kind::Http, "d", &["three"]),
        );
        let listings: Listings = [listing("one", 3), listing("two", 5)].into();
        let all = [
            seen(&a, Some("shared")),
            seen(&b, Some("shared")),
            seen(&tcp, Some("shared")),
            seen(&lost, None),
        ];
        let zones = of(&all, &listings);
        let told: Vec<(usize, usize, Option<u64>)> = zones
            .iter()
            .map(|zone| (zone.first, zone.upstreams.len(), zone.wanted))
            .collect();
        // A stream upstream's zone is another one, and a set that was not listed wants nobody knows
        // how many.
        assert_eq!(told, [(0, 2, Some(13)), (2, 1, Some(3)), (3, 1, None)]);
    }
}
