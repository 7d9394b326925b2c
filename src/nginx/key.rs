//! The API key: where it comes from, how it is sent, and when it is read again.

use std::time::Duration;

use base64::Engine as _;
use reqwest::header::HeaderValue;
use secrecy::{ExposeSecret as _, SecretString};
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::azure::KeyVault;
use crate::config::ApiKeySource;

/// Why there is no usable key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ApiKeyError(pub String);

/// One reading of the key. The generation tells two readings apart without comparing secrets.
#[derive(Debug, Clone)]
pub(super) struct Reading {
    pub(super) generation: u64,
    /// Marked sensitive, so that no `Debug` prints it.
    pub(super) header: Option<HeaderValue>,
    /// When it was read because an earlier one was refused.
    renewed: Option<Instant>,
}

/// A reading that replaced a refused one is not itself replaced within this time: many calls that
/// are refused together cost one reading, also when the vault's key is wrong.
const RENEWAL_PAUSE: Duration = Duration::from_secs(3);

/// The API key of this process.
#[derive(Debug)]
pub struct ApiKey {
    origin: Origin,
    current: Mutex<Option<Reading>>,
}

#[derive(Debug)]
enum Origin {
    Vault(Box<KeyVault>),
    Fixed(Option<HeaderValue>),
}

impl ApiKey {
    /// A key that is read from Key Vault when it is first needed.
    #[must_use]
    pub fn from_vault(vault: KeyVault) -> Self {
        Self {
            origin: Origin::Vault(Box::new(vault)),
            current: Mutex::default(),
        }
    }

    /// A key that the configuration or the environment holds.
    ///
    /// # Errors
    ///
    /// The key cannot stand in a header, or `source` is a vault.
    pub fn fixed(source: &ApiKeySource) -> Result<Self, ApiKeyError> {
        let header = match source {
            ApiKeySource::None => None,
            ApiKeySource::Header(value) => Some(sensitive(value.expose_secret())?),
            ApiKeySource::Environment(key) => Some(authorization(key)?),
            ApiKeySource::KeyVault(_) => {
                return Err(ApiKeyError("the key is in Key Vault".to_owned()));
            }
        };
        Ok(Self {
            origin: Origin::Fixed(header),
            current: Mutex::default(),
        })
    }

    /// The vault, where the key comes from one.
    #[must_use]
    pub fn vault(&self) -> Option<&KeyVault> {
        match &self.origin {
            Origin::Vault(vault) => Some(vault),
            Origin::Fixed(_) => None,
        }
    }

    /// The key as last read; read now if it never was.
    pub(super) async fn get(&self, deadline: Instant) -> Result<Reading, ApiKeyError> {
        let mut current = self.current.lock().await;
        match &*current {
            Some(reading) => Ok(reading.clone()),
            None => self.read(&mut current, None, deadline).await,
        }
    }

    /// Reads the key again after NGINX refused the reading `refused`; `None` where that cannot
    /// help. Whoever comes second gets what the first has read.
    pub(super) async fn renew(
        &self,
        refused: u64,
        deadline: Instant,
    ) -> Result<Option<Reading>, ApiKeyError> {
        if matches!(self.origin, Origin::Fixed(_)) {
            return Ok(None);
        }
        let mut current = self.current.lock().await;
        match &*current {
            Some(reading) if reading.generation != refused => Ok(Some(reading.clone())),
            Some(Reading {
                renewed: Some(at), ..
            }) if at.elapsed() < RENEWAL_PAUSE => Ok(None),
            _ => self
                .read(&mut current, Some(Instant::now()), deadline)
                .await
                .map(Some),
        }
    }

    async fn read(
        &self,
        current: &mut Option<Reading>,
        renewed: Option<Instant>,
        deadline: Instant,
    ) -> Result<Reading, ApiKeyError> {
        let header = match &self.origin {
            Origin::Fixed(header) => header.clone(),
            Origin::Vault(vault) => {
                let key = vault.read(deadline).await;
                Some(authorization(
                    &key.map_err(|error| ApiKeyError(error.to_string()))?,
                )?)
            }
        };
        let generation = current.as_ref().map_or(1, |reading| reading.generation + 1);
        let reading = Reading {
            generation,
            header,
            renewed,
        };
        *current = Some(reading.clone());
        Ok(reading)
    }
}

/// `ApiKey <base64(key)>`, as the NGINXaaS data plane wants the raw key.
fn authorization(key: &SecretString) -> Result<HeaderValue, ApiKeyError> {
    let encoded = base64::engine::general_purpose::STANDARD.encode(key.expose_secret());
    sensitive(&format!("ApiKey {encoded}"))
}

fn sensitive(text: &str) -> Result<HeaderValue, ApiKeyError> {
    let mut value = HeaderValue::from_str(text)
        .map_err(|_| ApiKeyError("the API key cannot stand in a header".to_owned()))?;
    value.set_sensitive(true);
    Ok(value)
}
