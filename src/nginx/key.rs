//! The API key: where it comes from, how it is sent, and when it is read again.

use std::time::{Duration, SystemTime};

use base64::Engine as _;
use reqwest::header::HeaderValue;
use secrecy::{ExposeSecret as _, SecretString};
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::KeyDoubt;
use crate::azure::{KeyVault, KeyVaultError};
use crate::config::ApiKeySource;
use crate::reconcile::{BalancerError, BalancerErrorKind};

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
    /// What may be wrong with it, for the message when it is refused.
    pub(super) doubts: Vec<String>,
    /// When it was read because an earlier one was refused.
    renewed: Option<Instant>,
}

impl Reading {
    /// A header that is tried beside the key.
    pub(super) fn of_header(header: HeaderValue) -> Self {
        Self {
            generation: 0,
            header: Some(header),
            doubts: Vec::new(),
            renewed: None,
        }
    }

    /// Says what may be wrong with the key, where NGINX refused it.
    pub(super) fn explain(&self, mut error: BalancerError) -> BalancerError {
        if error.kind == BalancerErrorKind::Denied {
            let mut doubts = self.doubts.clone();
            if self.header.is_none() {
                doubts.push("no key was sent; set `api_key_secret`".to_owned());
            }
            for doubt in doubts {
                error.message.push_str("; ");
                error.message.push_str(&doubt);
            }
        }
        error
    }
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
    Fixed {
        header: Option<HeaderValue>,
        doubts: Vec<KeyDoubt>,
        /// The same key in the form that it should have had, where it looks ill-formed.
        other: Option<HeaderValue>,
    },
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
        let (header, doubts, other) = match source {
            ApiKeySource::None => (None, Vec::new(), None),
            ApiKeySource::Header(value) => {
                let doubts = KeyDoubt::of_header(value);
                let header = sensitive(value.expose_secret())?;
                (Some(header), doubts, other_header(value))
            }
            ApiKeySource::Environment(key) => {
                let doubts = KeyDoubt::of_raw(key);
                (Some(authorization(key)?), doubts, other_raw(key))
            }
            ApiKeySource::KeyVault(_) => {
                return Err(ApiKeyError("the key is in Key Vault".to_owned()));
            }
        };
        Ok(Self {
            origin: Origin::Fixed {
                header,
                doubts,
                other,
            },
            current: Mutex::default(),
        })
    }

    /// The vault, where the key comes from one.
    #[must_use]
    pub fn vault(&self) -> Option<&KeyVault> {
        match &self.origin {
            Origin::Vault(vault) => Some(vault),
            Origin::Fixed { .. } => None,
        }
    }

    /// What may be wrong with the key, as far as its text tells; a key in a vault is read.
    ///
    /// # Errors
    ///
    /// It cannot be read.
    pub async fn doubts(&self, deadline: Instant) -> Result<Vec<KeyDoubt>, KeyVaultError> {
        match &self.origin {
            Origin::Fixed { doubts, .. } => Ok(doubts.clone()),
            Origin::Vault(vault) => Ok(KeyDoubt::of_raw(&vault.read(deadline).await?)),
        }
    }

    /// The header that the key would make if it had been stored in the other form, encoded or raw;
    /// `None` where it does not look like that.
    pub(super) async fn other_form(&self, deadline: Instant) -> Option<HeaderValue> {
        match &self.origin {
            Origin::Fixed { other, .. } => other.clone(),
            Origin::Vault(vault) => other_raw(&vault.read(deadline).await.ok()?),
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
        if matches!(self.origin, Origin::Fixed { .. }) {
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
        let (header, doubts) = match &self.origin {
            Origin::Fixed { header, doubts, .. } => (header.clone(), texts(doubts)),
            Origin::Vault(vault) => {
                let key = vault.read(deadline).await;
                let key = key.map_err(|error| ApiKeyError(error.to_string()))?;
                let mut doubts = texts(&KeyDoubt::of_raw(&key));
                doubts.extend(expired(vault));
                (Some(authorization(&key)?), doubts)
            }
        };
        let generation = current.as_ref().map_or(1, |reading| reading.generation + 1);
        let reading = Reading {
            generation,
            header,
            doubts,
            renewed,
        };
        *current = Some(reading.clone());
        Ok(reading)
    }
}

fn texts(doubts: &[KeyDoubt]) -> Vec<String> {
    doubts.iter().map(ToString::to_string).collect()
}

/// Says so, if the secret's own date of expiry has passed.
fn expired(vault: &KeyVault) -> Option<String> {
    let expires = vault.facts().expires?;
    let past = SystemTime::now() > SystemTime::from(expires);
    past.then(|| {
        format!(
            "the secret `{}` expired on {}",
            vault.id().name,
            expires.date()
        )
    })
}

/// A raw key that looks encoded, sent as it is.
fn other_raw(key: &SecretString) -> Option<HeaderValue> {
    let text = key.expose_secret();
    match KeyDoubt::of_raw(key).first()? {
        KeyDoubt::Encoded => sensitive(&format!("ApiKey {text}")).ok(),
        KeyDoubt::WholeHeader => sensitive(text).ok(),
        KeyDoubt::Quoted => {
            let inside = text.trim_matches(['"', '\'']).to_owned();
            authorization(&SecretString::from(inside)).ok()
        }
        _ => None,
    }
}

/// A header's key that is not encoded, encoded.
fn other_header(header: &SecretString) -> Option<HeaderValue> {
    KeyDoubt::of_header(header).first()?;
    let raw = header.expose_secret().trim().strip_prefix("ApiKey ")?;
    authorization(&SecretString::from(raw.trim().to_owned())).ok()
}

/// `ApiKey <base64(key)>`, as the NGINXaaS data plane wants the raw key.
fn authorization(key: &SecretString) -> Result<HeaderValue, ApiKeyError> {
    let encoded = base64::engine::general_purpose::STANDARD.encode(key.expose_secret());
    sensitive(&format!("ApiKey {encoded}"))
}

fn sensitive(text: &str) -> Result<HeaderValue, ApiKeyError> {
    let mut value = HeaderValue::from_str(text).map_err(|_| {
        ApiKeyError(
            "the API key has characters that cannot stand in a header; store exactly the key"
                .to_owned(),
        )
    })?;
    value.set_sensitive(true);
    Ok(value)
}
