//! The entries of `upstreams`, merged where several feed one upstream.

use std::time::Duration;

use ipnet::IpNet;
use saphyr::Yaml;

use super::document::{Mapping, Problems, describe};
use super::schema::UPSTREAM_KEYS;
use super::text::{azure_name, subscription};
use crate::model::{
    Kind, NginxTime, OptionalParameters, Ownership, Policy, ScaleSetId, ServerParameters, Source,
    Upstream, UpstreamKey,
};
use crate::telemetry::is_invisible;

/// Reads all entries.
pub(super) fn upstreams(root: &Mapping<'_, '_>, problems: &Problems) -> Vec<Upstream> {
    let Some(node) = root.get("upstreams") else {
        root.problem(
            "upstreams",
            "is required: a list with at least one upstream",
        );
        return Vec::new();
    };
    let Yaml::Sequence(entries) = node else {
        root.problem(
            "upstreams",
            format!("must be a list (`- name: ...`), not {}", describe(node)),
        );
        return Vec::new();
    };
    if entries.is_empty() {
        root.problem("upstreams", "must have at least one entry");
    }
    let mut upstreams: Vec<(String, Upstream)> = Vec::new();
    // Missing defaults are one problem of the document, not one of every entry.
    let defaults = Place {
        subscription: root
            .text("subscription_id")
            .and_then(|text| checked(root, "subscription_id", subscription(text))),
        resource_group: root
            .text("resource_group_name")
            .and_then(|text| checked(root, "resource_group_name", azure_name(text))),
    };
    for (index, entry) in entries.iter().enumerate() {
        let path = format!("upstreams[{index}]");
        let Some(mapping) = Mapping::new(entry, &path, Some(&UPSTREAM_KEYS), problems) else {
            continue;
        };
        let Some(upstream) = upstream(&mapping, root, defaults) else {
            continue;
        };
        match upstreams
            .iter_mut()
            .find(|(_, known)| known.key == upstream.key)
        {
            None => upstreams.push((path, upstream)),
            Some((first, known)) => merge(&mapping, first, known, upstream),
        }
    }
    upstreams
        .into_iter()
        .map(|(_, upstream)| upstream)
        .collect()
}

#[derive(Clone, Copy)]
struct Place<'a> {
    subscription: Option<&'a str>,
    resource_group: Option<&'a str>,
}

fn checked<'a>(
    mapping: &Mapping<'_, '_>,
    key: &str,
    result: Result<&'a str, String>,
) -> Option<&'a str> {
    result.map_err(|message| mapping.problem(key, message)).ok()
}

fn upstream(
    entry: &Mapping<'_, '_>,
    root: &Mapping<'_, '_>,
    defaults: Place<'_>,
) -> Option<Upstream> {
    let name = entry.required("name", "backend-one").and_then(|name| {
        // A dot or two would change the path of the API's URL instead of naming something.
        let climbs = matches!(name, "." | "..");
        if climbs || name.len() > 255 || name.chars().any(|c| c.is_control() || is_invisible(c)) {
            entry.problem("name", "cannot be the name of an NGINX upstream");
            return None;
        }
        Some(name.to_owned())
    });
    if entry.get("kind").is_none() {
        entry.problem("kind", "is required: `http` or `stream`");
    }
    let kind = entry.choice("kind", &[("http", Kind::Http), ("stream", Kind::Stream)]);
    if entry.get("port").is_none() {
        entry.problem("port", "is required, e.g. `port: 80`");
    }
    let port = entry
        .number("port", 1, 65_535)
        .and_then(|port| u16::try_from(port).ok());
    let set = entry
        .required("virtual_machine_scale_set", "backend-one-vmss")
        .and_then(|name| checked(entry, "virtual_machine_scale_set", azure_name(name)));
    let place = |key: &str, own: Option<&str>, default: Option<&str>, example: &str| {
        if entry.get(key).is_none() && root.get(key).is_none() {
            root.problem(key, format!("is required, e.g. `{key}: {example}`"));
        }
        if entry.get(key).is_some() {
            own.map(str::to_owned)
        } else {
            default.map(str::to_owned)
        }
    };
    let own_subscription = entry
        .text("subscription_id")
        .and_then(|text| checked(entry, "subscription_id", subscription(text)));
    let own_group = entry
        .text("resource_group_name")
        .and_then(|text| checked(entry, "resource_group_name", azure_name(text)));
    let subscription = place(
        "subscription_id",
        own_subscription,
        defaults.subscription,
        "00000000-0000-0000-0000-000000000000",
    );
    let resource_group = place(
        "resource_group_name",
        own_group,
        defaults.resource_group,
        "my-resource-group",
    );
    let ownership = entry
        .choice(
            "ownership",
            &[
                ("exclusive", Ownership::Exclusive),
                ("scoped", Ownership::Scoped),
            ],
        )
        .unwrap_or(Ownership::Exclusive);
    let networks = networks(entry);
    if ownership == Ownership::Scoped && networks.as_ref().is_some_and(Vec::is_empty) {
        entry.problem(
            "networks",
            "is required with `ownership: scoped`, e.g. `[10.1.0.0/16]`",
        );
    }
    let policy = entry
        .choice(
            "policy",
            &[
                ("sync", Policy::Sync),
                ("upsert_only", Policy::UpsertOnly),
                ("paused", Policy::Paused),
            ],
        )
        .unwrap_or(Policy::Sync);
    let parameters = parameters(entry);
    let drain_timeout = time(entry, "drain_timeout", NginxTime::from_seconds(30)).duration();
    if drain_timeout > Duration::from_secs(3_600) {
        entry.problem("drain_timeout", "must be at most 1h");
    }
    let percent = entry.number("max_removal_percent", 0, 100).unwrap_or(50);
    Some(Upstream {
        add_before_running: entry.boolean("add_before_running").unwrap_or(false),
        require_healthy: entry.boolean("require_healthy").unwrap_or(false),
        key: UpstreamKey {
            kind: kind?,
            name: name?,
        },
        sources: vec![Source {
            set: ScaleSetId {
                subscription: subscription?,
                resource_group: resource_group?,
                name: set?.to_owned(),
            },
            port: port?,
        }],
        parameters,
        max_removal_percent: u8::try_from(percent).unwrap_or(50),
        drain_timeout,
        ownership,
        networks: networks?,
        policy,
    })
}

fn parameters(entry: &Mapping<'_, '_>) -> ServerParameters {
    let fail_timeout = time(entry, "fail_timeout", NginxTime::from_seconds(10));
    if !fail_timeout.is_whole_seconds() {
        entry.problem(
            "fail_timeout",
            "must be whole seconds: NGINX stores no fraction",
        );
    }
    let slow_start = time(entry, "slow_start", NginxTime::default());
    let backup = entry.boolean("backup");
    ServerParameters {
        max_conns: entry.number("max_conns", 0, 2_147_483_647).unwrap_or(0),
        max_fails: entry.number("max_fails", 0, 2_147_483_647).unwrap_or(1),
        fail_timeout,
        slow_start,
        optional: OptionalParameters {
            weight: entry.number("weight", 1, 65_535),
            backup,
        },
    }
}

fn time(entry: &Mapping<'_, '_>, key: &str, default: NginxTime) -> NginxTime {
    match entry.scalar(key).map(|text| text.parse::<NginxTime>()) {
        None => default,
        Some(Ok(time)) => time,
        Some(Err(error)) => {
            entry.problem(key, error.to_string());
            default
        }
    }
}

fn networks(entry: &Mapping<'_, '_>) -> Option<Vec<IpNet>> {
    let Some(node) = entry.get("networks") else {
        return Some(Vec::new());
    };
    let Yaml::Sequence(items) = node else {
        entry.problem(
            "networks",
            format!("must be a list of CIDRs, not {}", describe(node)),
        );
        return None;
    };
    let mut networks = Vec::new();
    for (index, item) in items.iter().enumerate() {
        match item
            .as_str()
            .and_then(|text| text.trim().parse::<IpNet>().ok())
        {
            Some(network) => networks.push(network.trunc()),
            None => entry.problem(
                &format!("networks[{index}]"),
                "is not a network in CIDR form, e.g. `10.1.0.0/16`",
            ),
        }
    }
    Some(networks)
}

/// Adds the sources of a further entry of the same upstream; everything else must agree.
fn merge(entry: &Mapping<'_, '_>, first: &str, known: &mut Upstream, other: Upstream) {
    let differing = |name: &str, differs: bool| {
        if differs {
            entry.problem(
                name,
                format!(
                    "differs from {first}, which feeds the same upstream: give both the same value"
                ),
            );
        }
    };
    let (a, b) = (&known.parameters, &other.parameters);
    differing("max_conns", a.max_conns != b.max_conns);
    differing("max_fails", a.max_fails != b.max_fails);
    differing("fail_timeout", a.fail_timeout != b.fail_timeout);
    differing("slow_start", a.slow_start != b.slow_start);
    differing("weight", a.optional.weight != b.optional.weight);
    differing("backup", a.optional.backup != b.optional.backup);
    differing(
        "max_removal_percent",
        known.max_removal_percent != other.max_removal_percent,
    );
    differing("drain_timeout", known.drain_timeout != other.drain_timeout);
    differing(
        "add_before_running",
        known.add_before_running != other.add_before_running,
    );
    differing(
        "require_healthy",
        known.require_healthy != other.require_healthy,
    );
    differing("ownership", known.ownership != other.ownership);
    differing("networks", known.networks != other.networks);
    differing("policy", known.policy != other.policy);
    for source in other.sources {
        if known.sources.contains(&source) {
            entry.problem(
                "virtual_machine_scale_set",
                format!("is the same source as in {first}"),
            );
        } else {
            known.sources.push(source);
        }
    }
}
