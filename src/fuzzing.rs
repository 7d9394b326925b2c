//! What must hold of whatever arrives from outside: one function per parser, which takes any bytes
//! and panics where a promise is broken.
//!
//! The targets of `fuzz/` call these under libFuzzer, and the tests below call them in every
//! `cargo test` with inputs made from a seed. None of this is in the product's build.

use std::sync::LazyLock;

use crate::config::{self, Environment};
use crate::model::{NginxTime, ResourceId, Upstream};

pub use crate::azure::fuzzing::{flexible_page, uniform_interfaces, uniform_machines};
pub use crate::host::fuzzing::{event, invocation};
pub use crate::nginx::fuzzing::{nginx_error, nginx_peers, nginx_servers};

/// The upstreams that events and requests are judged by.
pub(crate) static UPSTREAMS: LazyLock<Vec<Upstream>> = LazyLock::new(|| {
    let text = "subscription_id: aaaa0000-0000-0000-0000-000000000001\n\
                resource_group_name: rg\n\
                api_endpoint: https://n.example/nplus\n\
                upstreams:\n\
                - {name: web, kind: http, port: 80, virtual_machine_scale_set: web-vmss}\n\
                - {name: db, kind: stream, port: 5432, virtual_machine_scale_set: db-vmss}\n";
    let config = config::parse(text, "fuzzing", &Environment::default());
    config.map(|config| config.upstreams).unwrap_or_default()
});

/// A text that may stand in one line of a log.
///
/// # Panics
///
/// If it may not.
pub(crate) fn assert_one_line(text: &str) {
    let bad = text
        .chars()
        .find(|c| c.is_control() || crate::telemetry::is_invisible(*c));
    assert_eq!(bad, None, "{text:?}");
}

/// A configuration: no panic; what is accepted sends credentials over https or to this machine
/// only; every problem is one line.
///
/// # Panics
///
/// If a promise is broken, as every function here.
pub fn configuration(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    match config::parse(text, "fuzzing", &Environment::default()) {
        Ok(config) => {
            let manager = &config.resource_manager.endpoint;
            assert_eq!((manager.scheme(), manager.path()), ("https", "/"));
            let endpoint = &config.api_endpoint;
            let is_allowed = endpoint.scheme() == "https"
                || config::is_loopback(endpoint)
                || text.contains("allow_insecure_endpoint");
            assert!(is_allowed, "{endpoint}");
            if let config::ApiKeySource::KeyVault(id) = &config.api_key {
                assert_eq!((id.vault.scheme(), id.vault.path()), ("https", "/"));
            }
            for url in [manager, endpoint] {
                assert!(url.username().is_empty() && url.password().is_none());
                assert!(url.query().is_none() && url.fragment().is_none());
            }
            assert!(!config.upstreams.is_empty());
            for upstream in &config.upstreams {
                assert_one_line(&upstream.key.name);
                assert!(!["", ".", ".."].contains(&upstream.key.name.as_str()));
                assert!(!upstream.sources.is_empty());
                for source in &upstream.sources {
                    assert_one_line(&source.set.path());
                    // The id is compared with what Azure says, so it has to be one.
                    let path = source.set.path();
                    assert!(ResourceId::parse(&path).is_some(), "{path:?}");
                }
            }
            config
                .warnings
                .iter()
                .for_each(|line| assert_one_line(line));
        }
        Err(error) => {
            assert!(!error.problems.is_empty());
            error.lines().iter().for_each(|line| assert_one_line(line));
        }
    }
}

/// An NGINX time: what is read is printed so that it reads back as the same.
///
/// # Panics
///
/// If a promise is broken.
pub fn nginx_time(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    match text.parse::<NginxTime>() {
        Ok(time) => {
            let printed = time.to_string();
            assert_eq!(printed.parse(), Ok(time), "{text:?} {printed:?}");
            assert_one_line(&printed);
        }
        Err(error) => assert_one_line(&error.to_string()),
    }
}

/// A resource id: what is read is printed so that it reads back as the same, in any case.
///
/// # Panics
///
/// If a promise is broken.
pub fn resource_id(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let Some(id) = ResourceId::parse(text) else {
        return;
    };
    let printed = id.to_string();
    assert_eq!(ResourceId::parse(&printed).as_ref(), Some(&id), "{text:?}");
    assert!(id.is_within(&id));
    assert!(!id.subscription().is_empty() && !id.resource_group().is_empty());
    assert_eq!(id.top_type().split('/').count(), 2);
    for kind in ["virtualmachines", "networkinterfaces", ""] {
        assert_ne!(id.name_of(kind), Some(""), "{text:?}");
    }
    assert!(!printed.chars().any(char::is_control), "{printed:?}");
}

#[cfg(test)]
mod tests;
