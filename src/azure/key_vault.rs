//! The API key in Key Vault, through the SDK's client.

use std::sync::Arc;
use std::time::Duration;

use azure_core::credentials::TokenCredential;
use azure_core::http::{ExponentialRetryOptions, RetryOptions, StatusCode};
use azure_security_keyvault_secrets::models::{Secret, SecretClientGetSecretOptions};
use azure_security_keyvault_secrets::{SecretClient, SecretClientOptions};
use secrecy::SecretString;
use tokio::time::{Instant, timeout_at};

use super::{Identity, Transports, chain};
use crate::config::{SecretId, is_loopback};
use crate::telemetry::Service;

/// A vault answers in milliseconds; this leaves room for the token.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Why the secret could not be read: text for an operator, never the value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the secret {name} of {vault} cannot be read: {message}")]
pub struct KeyVaultError {
    /// The vault's host.
    pub vault: String,
    /// The secret's name.
    pub name: String,
    /// The cause and the remedy.
    pub message: String,
}

/// Reads one secret.
pub struct KeyVault {
    client: SecretClient,
    identity: Arc<Identity>,
    id: SecretId,
    expires: std::sync::Mutex<Option<azure_core::time::OffsetDateTime>>,
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
        let options = SecretClientOptions {
            client_options: transports.options(Service::KeyVault, retry),
            // The check that the vault belongs to the audience it asks a token for compares host
            // names, which a vault on this machine (tests, emulators) does not have.
            verify_challenge_resource: Some(!is_loopback(&id.vault)),
            ..SecretClientOptions::default()
        };
        let client = SecretClient::new(id.vault.as_str(), credential, Some(options))
            .map_err(|error| Self::failed(&id, chain(&error)))?;
        Ok(Self {
            client,
            identity,
            id,
            expires: std::sync::Mutex::default(),
        })
    }

    fn failed(id: &SecretId, message: String) -> KeyVaultError {
        let vault = id.vault.host_str().unwrap_or_default().to_owned();
        KeyVaultError {
            vault,
            name: id.name.clone(),
            message,
        }
    }

    /// When the version last read expires, where the vault tells.
    #[must_use]
    pub fn expires(&self) -> Option<azure_core::time::OffsetDateTime> {
        self.expires.lock().ok().and_then(|expires| *expires)
    }

    /// Reads the secret's value.
    ///
    /// # Errors
    ///
    /// No token, no access, no such secret, no answer in time.
    pub async fn read(&self, deadline: Instant) -> Result<SecretString, KeyVaultError> {
        let failed = |message: String| Self::failed(&self.id, message);
        let until = deadline.min(Instant::now() + TIMEOUT);
        let generation = self.identity.generation();
        let response = match self.get(until).await? {
            // A revoked token is refused until it expires, unless the credential is made anew.
            Err(error) if error.http_status() == Some(StatusCode::Unauthorized) => {
                self.identity.reset(generation);
                self.get(until).await?
            }
            other => other,
        };
        let secret = response
            .and_then(azure_core::http::Response::into_model)
            .map_err(|error| failed(explain(&error)))?;
        if let Ok(mut expires) = self.expires.lock() {
            *expires = secret
                .attributes
                .as_ref()
                .and_then(|attributes| attributes.expires);
        }
        match secret.value.map(|value| value.trim().to_owned()) {
            Some(value) if !value.is_empty() => Ok(value.into()),
            _ => Err(failed("its value is empty".to_owned())),
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
        timeout_at(until, self.client.get_secret(&self.id.name, Some(options)))
            .await
            .map_err(|_| Self::failed(&self.id, "no answer in time".to_owned()))
    }
}

impl std::fmt::Debug for KeyVault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KeyVault")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

fn explain(error: &azure_core::Error) -> String {
    let text = chain(error);
    match error.http_status() {
        Some(StatusCode::Forbidden) => {
            format!(
                "forbidden; grant the identity the role `Key Vault Secrets User` on the secret ({text})"
            )
        }
        Some(StatusCode::NotFound) => format!("there is no such secret ({text})"),
        _ => text,
    }
}
