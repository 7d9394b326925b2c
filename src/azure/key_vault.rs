//! The API key in Key Vault, through the SDK's client.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use azure_core::credentials::TokenCredential;
use azure_core::error::ErrorKind;
use azure_core::http::policies::Policy;
use azure_core::http::{ExponentialRetryOptions, RetryOptions, StatusCode};
use azure_core::time::OffsetDateTime;
use azure_security_keyvault_secrets::models::{Secret, SecretClientGetSecretOptions};
use azure_security_keyvault_secrets::{SecretClient, SecretClientOptions};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use tokio::time::{Instant, sleep_until};

use super::gate::SdkGate;
use super::{Identity, Transports, chain};
use crate::config::{SecretId, is_loopback};
use crate::model::ResourceId;
use crate::telemetry::Service;

/// A vault answers in milliseconds; this leaves room for the token.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Why the secret could not be read: text for an operator, never the value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the secret `{name}` of `{vault}` cannot be read: {message}")]
pub struct KeyVaultError {
    /// The vault's host.
    pub vault: String,
    /// The secret's name.
    pub name: String,
    /// What stands in the way.
    pub trouble: KeyVaultTrouble,
    /// The cause and the remedy.
    pub message: String,
}

/// What stands between this process and a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyVaultTrouble {
    /// No role on the secret; its id in Resource Manager, where the vault names it.
    NoRole(Option<ResourceId>),
    /// The vault uses access policies, and none is for this identity.
    NoPolicy,
    /// The vault's firewall.
    Network,
    /// The secret is disabled.
    Disabled,
    /// There is no such secret.
    NotFound,
    /// Its value is empty.
    Empty,
    /// No token, no connection, or anything else.
    Other,
}

/// What is known of a secret that was read, besides its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SecretFacts {
    /// When the version expires, where the vault tells.
    pub expires: Option<OffsetDateTime>,
    /// When the version begins to be good, where the vault tells.
    pub not_before: Option<OffsetDateTime>,
    /// Whether blanks or line breaks stood around the value; they are cut off.
    pub padded: bool,
}

/// Reads one secret.
pub struct KeyVault {
    client: SecretClient,
    identity: Arc<Identity>,
    gate: Arc<SdkGate>,
    id: SecretId,
    facts: std::sync::Mutex<SecretFacts>,
    is_first: AtomicBool,
}

impl KeyVault {
    /// Makes the client; nothing is sent yet.
    ///
    /// # Errors
    ///
    /// The SDK does not accept the vault's URL.
    pub fn new(
        id: SecretId,
        identity: Arc<Identity>,
        transports: &Transports,
    ) -> Result<Self, KeyVaultError> {
        let credential: Arc<dyn TokenCredential> = Arc::<Identity>::clone(&identity);
        let retry = RetryOptions::exponential(ExponentialRetryOptions {
            max_retries: 2,
            max_total_elapsed: azure_core::time::Duration::seconds(5),
            ..ExponentialRetryOptions::default()
        });
        let gate = Arc::new(SdkGate::default());
        let mut client_options = transports.options(Service::KeyVault, retry);
        let policy: Arc<dyn Policy> = Arc::<SdkGate>::clone(&gate);
        client_options.per_try_policies.insert(0, policy);
        let options = SecretClientOptions {
            client_options,
            // The check that the vault belongs to the audience it asks a token for compares host
            // names, which a vault on this machine (tests, emulators) does not have.
            verify_challenge_resource: Some(!is_loopback(&id.vault)),
            ..SecretClientOptions::default()
        };
        let client = SecretClient::new(id.vault.as_str(), credential, Some(options))
            .map_err(|error| failed(&id, KeyVaultTrouble::Other, chain(&error)))?;
        Ok(Self {
            client,
            identity,
            gate,
            id,
            facts: std::sync::Mutex::default(),
            is_first: AtomicBool::new(true),
        })
    }

    /// Which secret it reads.
    #[must_use]
    pub fn id(&self) -> &SecretId {
        &self.id
    }

    /// When the version last read expires, where the vault tells.
    #[must_use]
    pub fn expires(&self) -> Option<OffsetDateTime> {
        self.facts().expires
    }

    /// What is known of the version last read.
    #[must_use]
    pub fn facts(&self) -> SecretFacts {
        self.facts.lock().map(|facts| *facts).unwrap_or_default()
    }

    /// Reads the secret's value.
    ///
    /// # Errors
    ///
    /// No token, no access, no such secret, no answer in time.
    pub async fn read(&self, deadline: Instant) -> Result<SecretString, KeyVaultError> {
        let until = deadline.min(Instant::now() + TIMEOUT);
        let generation = self.identity.generation();
        let response = match self.get_first(until).await? {
            // A revoked token is refused until it expires, unless the credential is made anew.
            Err(error) if error.http_status() == Some(StatusCode::Unauthorized) => {
                self.identity.reset(generation);
                self.get(until).await?
            }
            other => other,
        };
        let secret = response
            .and_then(azure_core::http::Response::into_model)
            .map_err(|error| self.explain(&error))?;
        let value = SecretString::from(secret.value.unwrap_or_default());
        let trimmed = value.expose_secret().trim();
        if let Ok(mut facts) = self.facts.lock() {
            let attributes = secret.attributes.as_ref();
            *facts = SecretFacts {
                expires: attributes.and_then(|attributes| attributes.expires),
                not_before: attributes.and_then(|attributes| attributes.not_before),
                padded: trimmed.len() < value.expose_secret().len(),
            };
        }
        if trimmed.is_empty() {
            let message = "its value is empty; store the raw API key".to_owned();
            return Err(failed(&self.id, KeyVaultTrouble::Empty, message));
        }
        Ok(SecretString::from(trimmed.to_owned()))
    }

    /// Gets the secret, the first time together with the token. A vault refuses the first call to
    /// tell what its token must be for, which is no secret: so the token is there when it tells, and
    /// where it tells something else, that is asked for.
    async fn get_first(
        &self,
        until: Instant,
    ) -> Result<azure_core::Result<azure_core::http::Response<Secret>>, KeyVaultError> {
        let scope =
            audience(&self.id.vault).filter(|_| self.is_first.swap(false, Ordering::Relaxed));
        let Some(scope) = scope else {
            return self.get(until).await;
        };
        let (get, scopes) = (self.get(until), [scope.as_str()]);
        tokio::pin!(get);
        tokio::select! {
            response = &mut get => response,
            _ = self.identity.get_token(&scopes, None) => get.await,
        }
    }

    async fn get(
        &self,
        until: Instant,
    ) -> Result<azure_core::Result<azure_core::http::Response<Secret>>, KeyVaultError> {
        let options = SecretClientGetSecretOptions {
            secret_version: self.id.version.clone(),
            ..SecretClientGetSecretOptions::default()
        };
        let fails = |message| Err(failed(&self.id, KeyVaultTrouble::Other, message));
        if let Some(closed) = self.gate.closed_until().filter(|closed| closed.at < until) {
            sleep_until(closed.at).await;
        }
        tokio::select! {
            biased;
            closed = self.gate.closed_beyond(until) => fails(format!(
                "Azure throttles this; it asked not to be called before {closed}"
            )),
            response = self.client.get_secret(&self.id.name, Some(options)) => Ok(response),
            () = sleep_until(until) => fails("no answer in time".to_owned()),
        }
    }

    /// What a refusal means, and what to do.
    fn explain(&self, error: &azure_core::Error) -> KeyVaultError {
        let said = chain(error);
        let name = &self.id.name;
        let (inner, message) = inner_error(error);
        let (trouble, remedy) = match (error.http_status(), inner.as_str()) {
            (Some(StatusCode::Forbidden), "SecretDisabled") => {
                (KeyVaultTrouble::Disabled, "it is disabled; enable it".to_owned())
            }
            (Some(StatusCode::Forbidden), "ForbiddenByFirewall" | "ForbiddenByConnection") => (
                KeyVaultTrouble::Network,
                "the vault's firewall refuses this address; allow its network, or use a private endpoint".to_owned(),
            ),
            (Some(StatusCode::Forbidden), "AccessDenied") => (
                KeyVaultTrouble::NoPolicy,
                "forbidden; give the identity an access policy with the secret permission `get`".to_owned(),
            ),
            (Some(StatusCode::Forbidden), _) => (
                KeyVaultTrouble::NoRole(named_resource(&message)),
                "forbidden; grant the identity the role `Key Vault Secrets User` on the secret".to_owned(),
            ),
            (Some(StatusCode::NotFound), _) => (
                KeyVaultTrouble::NotFound,
                format!("there is no such secret; correct `api_key_secret`, or store the API key as `{name}`"),
            ),
            _ => (KeyVaultTrouble::Other, String::new()),
        };
        let message = match remedy.as_str() {
            "" => said,
            remedy => format!("{remedy} ({said})"),
        };
        failed(&self.id, trouble, message)
    }
}

fn failed(id: &SecretId, trouble: KeyVaultTrouble, message: String) -> KeyVaultError {
    KeyVaultError {
        vault: id.vault.host_str().unwrap_or_default().to_owned(),
        name: id.name.clone(),
        trouble,
        message,
    }
}

/// The inner code of a vault's error, which says what the outer one does not, and its message.
fn inner_error(error: &azure_core::Error) -> (String, String) {
    let ErrorKind::HttpResponse {
        raw_response: Some(response),
        ..
    } = error.kind()
    else {
        return Default::default();
    };
    let body: ErrorBody = serde_json::from_slice(response.body()).unwrap_or_default();
    let inner = body.error.inner.and_then(|inner| inner.code);
    (
        inner.unwrap_or_default(),
        body.error.message.unwrap_or_default(),
    )
}

/// The secret's id in Resource Manager, from the text of a refusal: `Resource: '<id>'`.
fn named_resource(message: &str) -> Option<ResourceId> {
    let (_, rest) = message.split_once("Resource: '")?;
    let (id, _) = rest.split_once('\'')?;
    let plain = |c: char| c.is_ascii_alphanumeric() || "/-_.()".contains(c);
    id.chars().all(plain).then(|| ResourceId::parse(id))?
}

#[derive(Debug, Default, Deserialize)]
struct ErrorBody {
    #[serde(default)]
    error: ErrorDetail,
}

#[derive(Debug, Default, Deserialize)]
struct ErrorDetail {
    message: Option<String>,
    #[serde(alias = "innererror", alias = "innerError")]
    inner: Option<InnerError>,
}

#[derive(Debug, Default, Deserialize)]
struct InnerError {
    code: Option<String>,
}

impl std::fmt::Debug for KeyVault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KeyVault")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

/// What the tokens of a cloud's vaults are for. A vault on this machine stands for the public
/// cloud's.
fn audience(vault: &url::Url) -> Option<String> {
    let host = vault.host_str().unwrap_or_default();
    let clouds = [
        "vault.azure.net",
        "vault.usgovcloudapi.net",
        "vault.azure.cn",
    ];
    let of = |cloud: &&&str| {
        host.strip_suffix(**cloud)
            .is_some_and(|name| name.ends_with('.'))
    };
    let cloud = clouds.iter().find(of);
    let cloud = cloud.or(clouds.first().filter(|_| is_loopback(vault)))?;
    Some(format!("https://{cloud}/.default"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_vaults_of_a_known_cloud_get_a_token_before_they_ask() {
        let audience = |vault: &str| audience(&vault.parse().unwrap());
        let public = Some("https://vault.azure.net/.default".to_owned());
        assert_eq!(audience("https://my.vault.azure.net/"), public);
        assert_eq!(audience("https://localhost:8443/"), public);
        assert_eq!(
            audience("https://my.vault.azure.cn/").as_deref(),
            Some("https://vault.azure.cn/.default")
        );
        for other in [
            "https://myvault.azure.net.example/",
            "https://evilvault.azure.net/",
            "https://vault.example/",
        ] {
            assert_eq!(audience(other), None, "{other}");
        }
    }
}
