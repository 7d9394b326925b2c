//! Which identity speaks to Azure.
//!
//! In Functions the platform hands out a managed identity (`IDENTITY_ENDPOINT`). Elsewhere it is
//! the developer's login (Azure CLI, then azd), and on an Azure machine without such a login the
//! machine's own managed identity, so that a laptop never waits for a metadata service that is not
//! there.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, RwLock};

use azure_core::credentials::{AccessToken, TokenCredential, TokenRequestOptions};
use azure_core::http::{ExponentialRetryOptions, RetryOptions};
use azure_core::time::Duration;
use azure_identity::{
    DeveloperToolsCredential, ManagedIdentityCredential, ManagedIdentityCredentialOptions,
    UserAssignedId,
};

use super::Transports;
use crate::telemetry::Service;

/// The chassis tag that every Azure virtual machine carries (the marker cloud-init looks for).
const AZURE_CHASSIS_TAG: &str = "7783-7084-3265-9085-8269-3286-77";
const CHASSIS_TAG_PATH: &str = "/sys/class/dmi/id/chassis_asset_tag";

/// The kinds of identity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IdentityKind {
    /// The platform's managed identity (`IDENTITY_ENDPOINT` and `IDENTITY_HEADER`).
    Platform,
    /// The managed identity of a virtual machine.
    Machine,
    /// The developer's login.
    Developer,
    /// The developer's login, and where there is none the machine's managed identity.
    DeveloperThenMachine,
}

impl fmt::Display for IdentityKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Platform => "the managed identity of the function app",
            Self::Machine => "the managed identity of this machine",
            Self::Developer => "the Azure CLI or azd login",
            Self::DeveloperThenMachine => {
                "the Azure CLI or azd login, else the managed identity of this machine"
            }
        })
    }
}

/// The identity of this process, shared by all clients: one credential for each thing that tokens
/// are for. A credential keeps its own token cache, and asks for one token after the other.
#[derive(Debug)]
pub struct Identity {
    kind: IdentityKind,
    client_id: Option<String>,
    transports: Transports,
    /// By the scopes that they are asked for.
    current: RwLock<BTreeMap<String, Arc<dyn TokenCredential>>>,
    generation: AtomicU64,
}

impl Identity {
    /// Decides the kind from the environment: `IDENTITY_ENDPOINT` with `IDENTITY_HEADER`, else
    /// `AZURE_TOKEN_CREDENTIALS` (`ManagedIdentityCredential` or `prod`; `dev`), else the
    /// developer's login. `AZURE_CLIENT_ID` names a user-assigned identity.
    #[must_use]
    pub fn from_environment(transports: Transports) -> Arc<Self> {
        let set = |name: &str| {
            std::env::var(name)
                .ok()
                .filter(|value| !value.trim().is_empty())
        };
        let platform = set("IDENTITY_ENDPOINT").is_some() && set("IDENTITY_HEADER").is_some();
        let wanted = set("AZURE_TOKEN_CREDENTIALS").map(|value| value.to_lowercase());
        let on_azure = || {
            std::fs::read_to_string(CHASSIS_TAG_PATH)
                .is_ok_and(|tag| tag.trim() == AZURE_CHASSIS_TAG)
        };
        let kind = match wanted.as_deref() {
            _ if platform => IdentityKind::Platform,
            Some("managedidentitycredential" | "prod") => IdentityKind::Machine,
            Some(_) => IdentityKind::Developer,
            None if on_azure() => IdentityKind::DeveloperThenMachine,
            None => IdentityKind::Developer,
        };
        Arc::new(Self {
            kind,
            client_id: set("AZURE_CLIENT_ID"),
            transports,
            current: RwLock::default(),
            generation: AtomicU64::new(0),
        })
    }

    /// The kind.
    #[must_use]
    pub fn kind(&self) -> IdentityKind {
        self.kind
    }

    /// The client id that `AZURE_CLIENT_ID` names. A developer's login has no use for it.
    #[must_use]
    pub fn client_id(&self) -> Option<&str> {
        self.client_id.as_deref()
    }

    /// Which credential is in use, for [`Self::reset`].
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// Forgets the credentials and with them their cached tokens: a revoked token would otherwise be
    /// used until it expires. Of many calls that were refused with the tokens of the generation
    /// `seen`, the first one resets.
    pub fn reset(&self, seen: u64) {
        if let Ok(mut current) = self.current.write()
            && self.generation() == seen
        {
            self.generation.store(seen + 1, Ordering::Release);
            current.clear();
        }
    }

    fn credential(&self, scopes: &[&str]) -> azure_core::Result<Arc<dyn TokenCredential>> {
        let poisoned = || {
            azure_core::Error::with_message(
                azure_core::error::ErrorKind::Credential,
                "the credential's lock is poisoned",
            )
        };
        let scopes = scopes.join(" ");
        if let Some(credential) = self.current.read().map_err(|_| poisoned())?.get(&scopes) {
            return Ok(Arc::clone(credential));
        }
        let mut current = self.current.write().map_err(|_| poisoned())?;
        if let Some(credential) = current.get(&scopes) {
            return Ok(Arc::clone(credential));
        }
        let credential: Arc<dyn TokenCredential> = match self.kind {
            IdentityKind::Platform | IdentityKind::Machine => self.managed()?,
            IdentityKind::Developer => DeveloperToolsCredential::new(None)?,
            IdentityKind::DeveloperThenMachine => Arc::new(FirstThatWorks {
                first: DeveloperToolsCredential::new(None)?,
                second: self.managed()?,
            }),
        };
        current.insert(scopes, Arc::clone(&credential));
        Ok(credential)
    }

    fn managed(&self) -> azure_core::Result<Arc<ManagedIdentityCredential>> {
        let retry = RetryOptions::exponential(ExponentialRetryOptions {
            max_retries: 2,
            max_total_elapsed: Duration::seconds(5),
            ..ExponentialRetryOptions::default()
        });
        ManagedIdentityCredential::new(Some(ManagedIdentityCredentialOptions {
            user_assigned_id: self.client_id.clone().map(UserAssignedId::ClientId),
            client_options: self.transports.options(Service::Identity, retry),
        }))
    }
}

#[async_trait::async_trait]
impl TokenCredential for Identity {
    async fn get_token(
        &self,
        scopes: &[&str],
        options: Option<TokenRequestOptions<'_>>,
    ) -> azure_core::Result<AccessToken> {
        self.credential(scopes)?.get_token(scopes, options).await
    }
}

#[derive(Debug)]
struct FirstThatWorks {
    first: Arc<dyn TokenCredential>,
    second: Arc<dyn TokenCredential>,
}

#[async_trait::async_trait]
impl TokenCredential for FirstThatWorks {
    async fn get_token(
        &self,
        scopes: &[&str],
        options: Option<TokenRequestOptions<'_>>,
    ) -> azure_core::Result<AccessToken> {
        match self.first.get_token(scopes, options.clone()).await {
            Ok(token) => Ok(token),
            Err(first) => self
                .second
                .get_token(scopes, options)
                .await
                .map_err(|second| {
                    azure_core::Error::with_message(
                        azure_core::error::ErrorKind::Credential,
                        format!("{}; then {}", super::chain(&first), super::chain(&second)),
                    )
                }),
        }
    }
}
