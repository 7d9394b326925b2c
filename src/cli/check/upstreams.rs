//! Each upstream: it exists, its servers are instances, its zone is large enough, its servers are
//! health-checked.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use futures::future::join_all;

use super::finding::{Check, Findings, Remedy};
use super::scale_sets::Listings;
use super::{Doctor, zones};
use crate::model::{Address, Kind, Listing, Server, ServerAddress, Upstream, zone_size};
use crate::nginx::RunTime;
use crate::reconcile::{Balancer as _, BalancerError, BalancerErrorKind as Failure};

/// Names that are shown where the right one is not found.
const NAMES: usize = 5;

/// What NGINX told of one upstream.
pub(super) struct Seen<'a> {
    pub(super) upstream: &'a Upstream,
    pub(super) servers: Result<Vec<Server>, BalancerError>,
    pub(super) run_time: Result<RunTime, BalancerError>,
}

/// Examines every upstream.
pub(super) async fn examine(doctor: &Doctor<'_>, listings: &Listings, findings: &mut Findings) {
    let (nginx, deadline) = (&doctor.services.nginx, doctor.deadline);
    let ask = |upstream: &'_ Upstream| {
        let key = upstream.key.clone();
        async move {
            let servers = nginx.servers(&key, deadline).await;
            let run_time = nginx.run_time(&key, deadline).await;
            (servers, run_time)
        }
    };
    let upstreams = &doctor.config.upstreams;
    let told = join_all(upstreams.iter().map(ask)).await;
    let told = upstreams.iter().zip(told);
    let seen: Vec<Seen<'_>> = told
        .map(|(upstream, (servers, run_time))| Seen {
            upstream,
            servers,
            run_time,
        })
        .collect();
    let names = names(doctor, &seen).await;
    let zones = zones::of(&seen, listings);
    for (place, one) in seen.iter().enumerate() {
        let subject = subject(one.upstream);
        match &one.servers {
            Err(error) => {
                let wanted = wanted(one.upstream, listings).unwrap_or(20);
                missing(doctor, one.upstream, error, &names, wanted, findings);
            }
            Ok(servers) => {
                let text = format!("exists, with {} servers", servers.len());
                findings.ok(Check::UpstreamExists, &subject, text);
                origins(one.upstream, servers, listings, findings);
                for zone in zones.iter().filter(|zone| zone.first == place) {
                    zone.examine(doctor, findings).await;
                }
                health_checks(one.upstream, &one.run_time, findings);
            }
        }
    }
}

/// The names that NGINX knows, read where one is not found.
async fn names(doctor: &Doctor<'_>, seen: &[Seen<'_>]) -> BTreeMap<Kind, Vec<String>> {
    let is_lost = |one: &Seen<'_>| {
        let error = one.servers.as_ref().err();
        error.is_some_and(|error| error.kind == Failure::UpstreamNotFound)
    };
    let mut names = BTreeMap::new();
    if seen.iter().any(is_lost) {
        for kind in [Kind::Http, Kind::Stream] {
            let read = doctor
                .services
                .nginx
                .upstream_names(kind, doctor.deadline)
                .await;
            names.insert(kind, read.unwrap_or_default());
        }
    }
    names
}

pub(super) fn subject(upstream: &Upstream) -> String {
    format!(
        "{} upstream `{}`",
        upstream.key.kind.path(),
        upstream.key.name.escape_debug()
    )
}

const fn other(kind: Kind) -> Kind {
    match kind {
        Kind::Http => Kind::Stream,
        Kind::Stream => Kind::Http,
    }
}

/// The servers that the sets want now; `None` where a set was not listed.
pub(super) fn wanted(upstream: &Upstream, listings: &Listings) -> Option<u64> {
    let of_source = |source: &crate::model::Source| match listings.get(&source.set)? {
        Listing::Complete(listing) => {
            let present = listing.instances.len() as u64;
            Some(
                listing
                    .capacity
                    .map_or(present, |capacity| capacity.max(present)),
            )
        }
        Listing::Incomplete { .. } => None,
    };
    upstream.sources.iter().map(of_source).sum()
}

/// An upstream that cannot be listed.
fn missing(
    doctor: &Doctor<'_>,
    upstream: &Upstream,
    error: &BalancerError,
    names: &BTreeMap<Kind, Vec<String>>,
    wanted: u64,
    findings: &mut Findings,
) {
    let subject = subject(upstream);
    let key = &upstream.key;
    let remedy = match error.kind {
        Failure::UpstreamNotFound => {
            let known = |kind| names.get(&kind).map(Vec::as_slice).unwrap_or_default();
            let same_name_elsewhere = known(other(key.kind)).contains(&key.name);
            let advice = if same_name_elsewhere {
                let kind = other(key.kind).path();
                format!(
                    "`kind: {kind}` has this name; set it, or add this upstream to NGINX's configuration:"
                )
            } else {
                match nearest(&key.name, known(key.kind)).as_slice() {
                    [] => "add it to NGINX's configuration:".to_owned(),
                    names => format!(
                        "correct `name` (NGINX has {}), or add it to NGINX's configuration:",
                        names.join(", ")
                    ),
                }
            };
            Remedy::new(advice).paste(block(doctor, upstream, wanted))
        }
        Failure::UpstreamStatic => {
            Remedy::new("give it a `zone` and a `state` file, and no `server` lines:")
                .paste(block(doctor, upstream, wanted))
        }
        _ => Remedy::new("see whether it goes away by itself; `RUST_LOG=debug` shows each try"),
    };
    let text = match error.kind {
        Failure::UpstreamNotFound => format!(
            "NGINX has no {} upstream of this name, or it has no `zone`",
            key.kind.path()
        ),
        _ => error.message.clone(),
    };
    findings.failed(Check::UpstreamExists, &subject, text, remedy);
}

/// The names most like this one, or where there are few, all of them.
fn nearest(name: &str, known: &[String]) -> Vec<String> {
    let mut known: Vec<(f64, &String)> = known
        .iter()
        .map(|other| {
            (
                strsim::jaro_winkler(&name.to_lowercase(), &other.to_lowercase()),
                other,
            )
        })
        .collect();
    known.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.cmp(b.1)));
    let few = known.len() <= NAMES;
    known
        .into_iter()
        .filter(|(likeness, _)| few || *likeness > 0.7)
        .take(NAMES)
        .map(|(_, name)| format!("`{}`", name.escape_debug()))
        .collect()
}

/// The upstream as it should stand in NGINX's configuration.
fn block(doctor: &Doctor<'_>, upstream: &Upstream, wanted: u64) -> Vec<String> {
    let host = doctor.config.api_endpoint.host_str().unwrap_or_default();
    let directory = if host.ends_with(".nginxaas.net") {
        "/opt/nginx/state"
    } else {
        "/var/lib/nginx/state"
    };
    let name = upstream.key.name.escape_debug();
    let size = zone_size(upstream.key.kind, 2 * wanted);
    vec![
        format!("upstream {name} {{"),
        format!("    zone {name} {size};"),
        format!("    state {directory}/{name}.conf;"),
        "}".to_owned(),
    ]
}

/// Whether every server is an instance of ours.
fn origins(upstream: &Upstream, servers: &[Server], listings: &Listings, findings: &mut Findings) {
    let subject = subject(upstream);
    let fixed: Vec<String> = servers
        .iter()
        .filter(|server| server.fixed || matches!(server.address, ServerAddress::Other(_)))
        .map(|server| format!("`{}`", server.address))
        .collect();
    if !fixed.is_empty() {
        findings.warning(
            Check::UpstreamServers,
            &subject,
            format!(
                "{} stand in NGINX's configuration, not in a scale set",
                fixed.join(", ")
            ),
            Remedy::new("take their `server` lines out, and keep the `zone` and the `state` file"),
        );
    }
    if wanted(upstream, listings).is_none() {
        let text = "whether its servers are instances is not known: not every set was listed";
        findings.skipped(Check::UpstreamServers, &subject, text);
        return;
    }
    let instances: BTreeSet<SocketAddr> = upstream
        .sources
        .iter()
        .flat_map(|source| {
            let listed = listings.get(&source.set).map(Listing::instances);
            let addresses = listed.unwrap_or_default().iter();
            addresses.filter_map(|instance| match instance.address {
                Address::Known(ip) => Some(SocketAddr::new(ip, source.port)),
                Address::Missing(_) => None,
            })
        })
        .collect();
    let strangers: Vec<String> = servers
        .iter()
        .filter(|server| !server.fixed && upstream.owns(server))
        .filter(|server| match server.address {
            ServerAddress::Socket(address) => !instances.contains(&address),
            ServerAddress::Other(_) => false,
        })
        .map(|server| format!("`{}`", server.address))
        .collect();
    if !strangers.is_empty() {
        findings.warning(
            Check::UpstreamServers,
            &subject,
            format!("no instance has the address of {}", strangers.join(", ")),
            Remedy::new(
                "a pass removes them, except those in NGINX's configuration, which it cannot tell apart: \
                 take their `server` lines out; to keep servers of another origin, set `ownership: scoped` and `networks`",
            ),
        );
    } else if fixed.is_empty() && !servers.is_empty() {
        let text = "all its servers are instances; none is static";
        findings.ok(Check::UpstreamServers, &subject, text);
    }
}

fn health_checks(
    upstream: &Upstream,
    run_time: &Result<RunTime, BalancerError>,
    findings: &mut Findings,
) {
    let subject = subject(upstream);
    let check = Check::UpstreamHealthChecks;
    let name = upstream.key.name.escape_debug();
    match run_time {
        Err(_) => findings.skipped(
            check,
            &subject,
            "this API does not tell of health checks; see that there is a `health_check mandatory`",
        ),
        Ok(RunTime { peers: 0, .. }) => {
            let text = "whether its servers are health-checked is not known: it has none yet";
            findings.skipped(check, &subject, text);
        }
        Ok(RunTime {
            health_checked: 0, ..
        }) => {
            let lines = match upstream.key.kind {
                Kind::Http => vec![
                    format!("location @health-{name} {{"),
                    "    internal;".to_owned(),
                    format!("    proxy_pass http://{name};"),
                    "    health_check interval=5s mandatory;".to_owned(),
                    "}".to_owned(),
                ],
                Kind::Stream => vec![
                    format!("proxy_pass {name};"),
                    "health_check interval=5s mandatory;".to_owned(),
                ],
            };
            findings.warning(
                check,
                &subject,
                "its servers are not health-checked: a new instance gets traffic before it can answer",
                Remedy::new("add an active check to a `server` of NGINX's configuration:").paste(lines),
            );
        }
        Ok(RunTime {
            peers,
            health_checked,
            ..
        }) => {
            let text = format!("{health_checked} of {peers} servers have been health-checked");
            findings.ok(check, &subject, text);
        }
    }
}
