//! The configuration: one YAML (or JSON) document, read strictly.
//!
//! The schema is a superset of nginx-asg-sync's Azure file, so that file works unchanged. Unknown
//! keys, wrong types and values out of range are refused, all at once, each with its path in the
//! document and, for an unknown key, the nearest known one: see [`Problem`].

mod document;
mod load;
mod parse;
mod schema;
#[cfg(test)]
mod tests;
mod text;
mod upstreams;

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use secrecy::SecretString;
use url::Url;

pub use load::{ConfigSource, DEFAULT_PATH, Environment, load};
pub use parse::parse;
pub use schema::{KEYS, Key, UPSTREAM_KEYS};

use crate::model::Upstream;

/// A configuration that can be used: every value in it has been checked.
#[derive(Clone)]
pub struct Config {
    /// Resource Manager: where, and what the token is asked for.
    pub resource_manager: ResourceManager,
    /// The NGINX Plus API, with the `/nplus` or `/api` suffix and without a trailing slash.
    pub api_endpoint: Url,
    /// Where the API key comes from.
    pub api_key: ApiKeySource,
    /// Headers for every NGINX call, `Authorization` excepted.
    pub custom_headers: BTreeMap<String, String>,
    /// The pause between two passes of `sync --watch`.
    pub sync_interval: Duration,
    /// The upstreams, in the document's order, sources of one upstream merged.
    pub upstreams: Vec<Upstream>,
    /// Things that work but deserve a word.
    pub warnings: Vec<String>,
}

impl fmt::Debug for Config {
    /// Of the headers only the names: a value may be a key under another name.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            resource_manager,
            api_endpoint,
            api_key,
            custom_headers,
            sync_interval,
            upstreams,
            warnings,
        } = self;
        f.debug_struct("Config")
            .field("resource_manager", resource_manager)
            .field("api_endpoint", api_endpoint)
            .field("api_key", api_key)
            .field("custom_headers", &custom_headers.keys())
            .field("sync_interval", sync_interval)
            .field("upstreams", upstreams)
            .field("warnings", warnings)
            .finish()
    }
}

/// Where Azure Resource Manager is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResourceManager {
    /// Its origin. All listings, further pages included, stay on it.
    pub endpoint: Url,
    /// What the token is asked for.
    pub audience: String,
}

/// Where the NGINX API key comes from.
#[derive(Debug, Clone)]
pub enum ApiKeySource {
    /// A Key Vault secret, read with the managed identity.
    KeyVault(SecretId),
    /// The raw key in `NGINXAAS_DATAPLANE_API_KEY`.
    Environment(SecretString),
    /// The whole `Authorization` header, as nginx-asg-sync's file has it.
    Header(SecretString),
    /// None: an NGINX Plus API that asks for no key.
    None,
}

/// A Key Vault secret id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretId {
    /// The vault's origin.
    pub vault: Url,
    /// The secret's name.
    pub name: String,
    /// The version; none = the newest.
    pub version: Option<String>,
}

/// One thing that is wrong with the configuration.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// Where, e.g. `upstreams[1].port`; empty for the document as a whole.
    pub path: String,
    /// What, and what to write instead.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.path.is_empty() {
            f.write_str(&self.message)
        } else {
            write!(f, "{}: {}", self.path, self.message)
        }
    }
}

/// Everything that is wrong with the configuration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the configuration ({origin}) cannot be used: {}", .problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
pub struct ConfigError {
    /// Where the document came from.
    pub origin: String,
    /// The problems, in the document's order. Never empty.
    pub problems: Vec<Problem>,
}

impl ConfigError {
    /// One line per problem, headed by where the document came from.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        let problems = self.problems.iter();
        problems
            .map(|problem| format!("configuration ({}): {problem}", self.origin))
            .collect()
    }
}

pub(crate) use text::is_loopback;
