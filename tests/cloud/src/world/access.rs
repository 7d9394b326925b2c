//! Who may do what: tokens, the managed identity, the secret in Key Vault, the NGINX key.

use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::World;
use crate::random;

/// The name of the secret that holds the NGINX key.
pub(crate) const SECRET_NAME: &str = "nginxaas-dataplane-key";

/// An access token that the identity endpoint has given out.
pub(crate) struct Token {
    pub(crate) audience: String,
    pub(crate) expires: SystemTime,
}

/// One version of a secret.
pub(crate) struct SecretVersion {
    pub(crate) version: String,
    pub(crate) value: String,
    pub(crate) created: u64,
    pub(crate) not_before: Option<u64>,
    pub(crate) expires: Option<u64>,
}

/// Identity, Key Vault and the key that NGINX accepts.
pub(crate) struct AccessState {
    pub(crate) tenant: String,
    pub(crate) principal: String,
    pub(crate) identity_header: String,
    pub(crate) arm_audience: String,
    pub(crate) vault_audience: String,
    pub(crate) challenge_resource: String,
    pub(crate) vault_origin: String,
    pub(crate) tokens: HashMap<String, Token>,
    pub(crate) issued: Vec<String>,
    pub(crate) token_lifetime: Duration,
    pub(crate) system_assigned: bool,
    pub(crate) user_assigned: Vec<String>,
    pub(crate) secrets: BTreeMap<String, Vec<SecretVersion>>,
    pub(crate) secrets_denied: bool,
    pub(crate) secrets_disabled: bool,
    pub(crate) nginx_key: String,
}

impl AccessState {
    pub(crate) fn new(vault_origin: &str) -> Self {
        let nginx_key = format!("simulated-nginx-key-{}", random::hex(16));
        let mut state = Self {
            tenant: random::guid(),
            principal: random::guid(),
            identity_header: random::hex(16),
            arm_audience: "https://management.azure.com".to_owned(),
            vault_audience: "https://vault.azure.net".to_owned(),
            challenge_resource: "https://vault.azure.net".to_owned(),
            vault_origin: vault_origin.to_owned(),
            tokens: HashMap::new(),
            issued: Vec::new(),
            token_lifetime: Duration::from_secs(24 * 3600),
            system_assigned: true,
            user_assigned: Vec::new(),
            secrets: BTreeMap::new(),
            secrets_denied: false,
            secrets_disabled: false,
            nginx_key: nginx_key.clone(),
        };
        state.store(SECRET_NAME, &nginx_key);
        state
    }

    /// The object id of an identity: that of the app itself, or of a user-assigned one.
    pub(crate) fn object_id(&self, client_id: Option<&str>) -> String {
        match client_id {
            None => self.principal.clone(),
            Some(id) => format!("object-of-{id}"),
        }
    }

    /// Adds a version to a secret.
    pub(crate) fn store(&mut self, name: &str, value: &str) {
        let created = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |time| time.as_secs());
        let version = SecretVersion {
            version: random::hex(16),
            value: value.to_owned(),
            created,
            not_before: None,
            expires: None,
        };
        self.secrets
            .entry(name.to_lowercase())
            .or_default()
            .push(version);
    }

    /// The newest version of a secret; the test is wrong when there is none.
    fn newest(&mut self, name: &str) -> &mut SecretVersion {
        let versions = self.secrets.get_mut(&name.to_lowercase());
        versions
            .and_then(|versions| versions.last_mut())
            .unwrap_or_else(|| panic!("there is no secret {name:?}"))
    }
}

impl World {
    /// The key that NGINX accepts now, as it is (not base64).
    #[must_use]
    pub fn api_key(&self) -> String {
        self.with(|state| state.access.nginx_key.clone())
    }

    /// NGINX accepts only `new` from now on; with `vault_too` Key Vault gives it out as well.
    pub fn rotate_key(&self, new: &str, vault_too: bool) {
        self.with(|state| {
            new.clone_into(&mut state.access.nginx_key);
            if vault_too {
                state.access.store(SECRET_NAME, new);
            }
        });
    }

    /// Adds a version to a secret of the vault.
    pub fn set_secret(&self, name: &str, value: &str) {
        self.with(|state| state.access.store(name, value));
    }

    /// The time, in seconds since 1970, at which the newest version of a secret expires. It is told
    /// and does not keep anyone from reading the secret, as in the real vault.
    pub fn set_secret_expiry(&self, name: &str, seconds: Option<u64>) {
        self.with(|state| state.access.newest(name).expires = seconds);
    }

    /// The time from which the newest version of a secret is meant to be used; told like the expiry.
    pub fn set_secret_not_before(&self, name: &str, seconds: Option<u64>) {
        self.with(|state| state.access.newest(name).not_before = seconds);
    }

    /// Deletes a secret with all its versions.
    pub fn remove_secret(&self, name: &str) {
        self.with(|state| state.access.secrets.remove(&name.to_lowercase()));
    }

    /// The version ids of a secret, oldest first.
    #[must_use]
    pub fn secret_versions(&self, name: &str) -> Vec<String> {
        self.with(|state| {
            let versions = state.access.secrets.get(&name.to_lowercase());
            versions
                .into_iter()
                .flatten()
                .map(|version| version.version.clone())
                .collect()
        })
    }

    /// Key Vault refuses to give out secrets: the identity lacks the role.
    pub fn deny_secrets(&self, denied: bool) {
        self.with(|state| state.access.secrets_denied = denied);
    }

    /// Every secret is disabled.
    pub fn disable_secrets(&self, disabled: bool) {
        self.with(|state| state.access.secrets_disabled = disabled);
    }

    /// What the vault's challenge asks a token for; a hostile vault would name something else.
    pub fn set_challenge_resource(&self, resource: &str) {
        self.with(|state| resource.clone_into(&mut state.access.challenge_resource));
    }

    /// The audience that Resource Manager expects of a token.
    pub fn set_arm_audience(&self, audience: &str) {
        self.with(|state| {
            audience
                .trim_end_matches('/')
                .clone_into(&mut state.access.arm_audience);
        });
    }

    /// Whether the app has a system-assigned identity; it has at first.
    pub fn set_system_assigned(&self, on: bool) {
        self.with(|state| state.access.system_assigned = on);
    }

    /// Gives the app a user-assigned identity with this client id.
    pub fn add_user_assigned(&self, client_id: &str) {
        self.with(|state| state.access.user_assigned.push(client_id.to_lowercase()));
    }

    /// How long tokens live that are given out from now on; 24 hours at first.
    pub fn set_token_lifetime(&self, lifetime: Duration) {
        self.with(|state| state.access.token_lifetime = lifetime);
    }

    /// No token that has been given out is accepted any more.
    pub fn revoke_tokens(&self) {
        self.with(|state| state.access.tokens.clear());
    }

    /// The object id of the app's own identity, as tokens and refusals name it.
    #[must_use]
    pub fn object_id(&self) -> String {
        self.with(|state| state.access.object_id(None))
    }

    /// Every token that was ever given out, for tests that look for leaks.
    #[must_use]
    pub fn issued_tokens(&self) -> Vec<String> {
        self.with(|state| state.access.issued.clone())
    }
}
