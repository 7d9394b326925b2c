//! Writing the product's configuration for this cloud.

use std::fmt::Write as _;

use crate::cloud::Cloud;
use crate::nginx::UpstreamKind;

/// One entry of `upstreams`.
#[derive(Clone, Debug)]
pub struct UpstreamEntry {
    /// The upstream's name.
    pub name: String,
    /// Its kind.
    pub kind: UpstreamKind,
    /// The port of its servers.
    pub port: u16,
    /// The scale set: `name`, `group/name` or `subscription/group/name`.
    pub scale_set: String,
    /// Further keys and their values, written as they are.
    pub extra: Vec<(String, String)>,
}

impl UpstreamEntry {
    /// An http upstream on port 80.
    #[must_use]
    pub fn http(name: &str, scale_set: &str) -> Self {
        Self {
            name: name.to_owned(),
            kind: UpstreamKind::Http,
            port: 80,
            scale_set: scale_set.to_owned(),
            extra: Vec::new(),
        }
    }

    /// A stream upstream.
    #[must_use]
    pub fn stream(name: &str, scale_set: &str, port: u16) -> Self {
        Self {
            kind: UpstreamKind::Stream,
            port,
            ..Self::http(name, scale_set)
        }
    }

    /// The same on another port.
    #[must_use]
    pub fn on_port(mut self, port: u16) -> Self {
        self.port = port;
        self
    }

    /// The same with one more key; the value is YAML.
    #[must_use]
    pub fn with(mut self, key: &str, value: &str) -> Self {
        self.extra.push((key.to_owned(), value.to_owned()));
        self
    }
}

impl Cloud {
    /// A configuration for these upstreams, with the key in Key Vault.
    #[must_use]
    pub fn config_yaml(&self, upstreams: &[UpstreamEntry]) -> String {
        self.config_yaml_with(&[], upstreams)
    }

    /// The same with further keys at the top, which replace those written here of the same name;
    /// an empty value leaves the key out.
    #[must_use]
    pub fn config_yaml_with(&self, top: &[(&str, &str)], upstreams: &[UpstreamEntry]) -> String {
        let own = [
            ("cloud_provider", "Azure".to_owned()),
            ("subscription_id", self.subscription_id()),
            ("resource_group_name", self.resource_group()),
            (
                "resource_manager_endpoint",
                self.resource_manager_endpoint(),
            ),
            ("api_endpoint", self.api_endpoint()),
            ("api_key_secret", self.vault_secret_id()),
        ];
        let mut text = String::new();
        for (key, value) in &own {
            if !top.iter().any(|(name, _)| name == key) {
                let _ = writeln!(text, "{key}: {value}");
            }
        }
        for (key, value) in top.iter().filter(|(_, value)| !value.is_empty()) {
            let _ = writeln!(text, "{key}: {value}");
        }
        text.push_str("upstreams:\n");
        for entry in upstreams {
            write_entry(&mut text, entry);
        }
        text
    }
}

fn write_entry(text: &mut String, entry: &UpstreamEntry) {
    let mut place = entry.scale_set.rsplitn(3, '/');
    let name = place.next().unwrap_or_default();
    let mut line = |key: &str, value: &str, first: bool| {
        let _ = writeln!(text, "  {} {key}: {value}", if first { '-' } else { ' ' });
    };
    line("name", &entry.name, true);
    line("kind", entry.kind.word(), false);
    line("port", &entry.port.to_string(), false);
    line("virtual_machine_scale_set", name, false);
    if let Some(group) = place.next() {
        line("resource_group_name", group, false);
    }
    if let Some(subscription) = place.next() {
        line("subscription_id", subscription, false);
    }
    for (key, value) in &entry.extra {
        line(key, value, false);
    }
}
