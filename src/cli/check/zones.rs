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
