//! The keys of the configuration: one table, from which unknown keys are told, the README is
//! checked and `--help` is written.

/// One key of the configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Key {
    /// Its name.
    pub name: &'static str,
    /// What it means.
    pub meaning: &'static str,
    /// What holds where it is left out.
    pub default: &'static str,
}

const fn key(name: &'static str, meaning: &'static str, default: &'static str) -> Key {
    Key {
        name,
        meaning,
        default,
    }
}

/// The keys of the document.
pub const KEYS: [Key; 12] = [
    key("cloud_provider", "`Azure`, any case", "Azure"),
    key(
        "cloud",
        "`AzurePublic`, `AzureUSGovernment` or `AzureChina`",
        "AzurePublic",
    ),
    key(
        "resource_manager_endpoint",
        "https URL used instead of the cloud's own (private link, Azure Stack, tests)",
        "the cloud's",
    ),
    key(
        "resource_manager_audience",
        "what the Resource Manager token is asked for",
        "the cloud's",
    ),
    key(
        "subscription_id",
        "subscription of the scale sets; an upstream may override it",
        "required",
    ),
    key(
        "resource_group_name",
        "resource group of the scale sets; an upstream may override it",
        "required",
    ),
    key(
        "api_endpoint",
        "NGINXaaS data-plane endpoint with the `/nplus` suffix, or an NGINX Plus `/api`",
        "required",
    ),
    key(
        "allow_insecure_endpoint",
        "allow plain http to an `api_endpoint` off this machine",
        "false",
    ),
    key(
        "api_key_secret",
        "Key Vault secret id, `https://<vault>/secrets/<name>[/<version>]`, whose value is the raw API key",
        "none",
    ),
    key(
        "custom_headers",
        "headers sent on every NGINX call; an `Authorization` here works, with a warning",
        "none",
    ),
    key(
        "sync_interval",
        "pause between two passes of `sync --watch`, e.g. `5s` or `1m30s`",
        "5s",
    ),
    key(
        "upstreams",
        "the upstreams, at least one; see below",
        "required",
    ),
];

/// The keys of one entry of `upstreams`.
pub const UPSTREAM_KEYS: [Key; 19] = [
    key(
        "name",
        "name of the upstream in the NGINX configuration",
        "required",
    ),
    key("kind", "`http` or `stream`", "required"),
    key(
        "port",
        "port the instances serve on, 1 to 65535",
        "required",
    ),
    key(
        "virtual_machine_scale_set",
        "name of the scale set",
        "required",
    ),
    key(
        "subscription_id",
        "subscription of this scale set",
        "the document's",
    ),
    key(
        "resource_group_name",
        "resource group of this scale set",
        "the document's",
    ),
    key("max_conns", "connections per server; 0 = no limit", "0"),
    key(
        "max_fails",
        "failures before a server counts as unavailable; 0 = never",
        "1",
    ),
    key("fail_timeout", "NGINX time, whole seconds", "10s"),
    key("slow_start", "NGINX time", "0s"),
    key(
        "weight",
        "weight, 1 to 65535; left as it is in NGINX where it is not set",
        "not ours",
    ),
    key(
        "backup",
        "backup server; left as it is in NGINX where it is not set",
        "not ours",
    ),
    key(
        "max_removal_percent",
        "above this share, a removal needs an explanation; 0 to 100",
        "50",
    ),
    key(
        "drain_timeout",
        "http: how long a leaving instance that still has connections may drain; `0s` = no draining",
        "30s",
    ),
    key(
        "add_before_running",
        "add an instance as soon as it has an address",
        "false",
    ),
    key(
        "require_healthy",
        "add only what the Application Health extension calls healthy",
        "false",
    ),
    key(
        "ownership",
        "`exclusive`: servers that no instance explains are removed; `scoped`: only those in `networks`",
        "exclusive",
    ),
    key(
        "networks",
        "CIDRs: the scope of `scoped`, and addresses allowed besides the private ranges",
        "none",
    ),
    key(
        "policy",
        "`sync`, `upsert_only` (never remove) or `paused` (frozen, still reported)",
        "sync",
    ),
];
