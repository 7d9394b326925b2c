//! Puts the parts together: from a configuration to a [`Reconciler`].

use std::sync::Arc;

use crate::azure::{self, Identity, KeyVault, ResourceManager, ScaleSets, Transports};
use crate::config::{ApiKeySource, Config};
use crate::nginx::{ApiKey, NginxPlus};
use crate::reconcile::Reconciler;

/// Why the parts do not go together. None of this needs the network.
#[derive(Debug, thiserror::Error)]
pub enum AssemblyError {
    /// The HTTP client cannot be made.
    #[error("the HTTP client cannot be made; is the trust store (`SSL_CERT_FILE`) readable? ({0})")]
    Http(String),
    /// The API key or its source is unusable.
    #[error("the API key cannot be used: {0}")]
    Key(String),
}

/// The working parts of one process.
pub struct Services {
    /// The identity.
    pub identity: Arc<Identity>,
    /// The scale sets.
    pub inventory: Arc<ScaleSets>,
    /// NGINX.
    pub nginx: Arc<NginxPlus>,
    /// The API key.
    pub key: Arc<ApiKey>,
    /// The pass.
    pub reconciler: Arc<Reconciler>,
}

impl Services {
    /// Makes the parts. Nothing is sent yet: everything is read when it is first needed.
    ///
    /// # Errors
    ///
    /// See [`AssemblyError`].
    pub fn new(config: &Config) -> Result<Self, AssemblyError> {
        let http =
            azure::http_client().map_err(|error| AssemblyError::Http(azure::chain(&error)))?;
        let transports = Transports::new(http.clone());
        let identity = Identity::from_environment(transports.clone());
        let key = match &config.api_key {
            ApiKeySource::KeyVault(id) => {
                let vault = KeyVault::new(id.clone(), Arc::clone(&identity), &transports)
                    .map_err(|error| AssemblyError::Key(error.to_string()))?;
                ApiKey::from_vault(vault)
            }
            fixed => ApiKey::fixed(fixed).map_err(|error| AssemblyError::Key(error.to_string()))?,
        };
        let key = Arc::new(key);
        let manager =
            ResourceManager::new(&config.resource_manager, Arc::clone(&identity), &transports);
        let inventory = Arc::new(ScaleSets::new(manager));
        let nginx = Arc::new(NginxPlus::new(http, config, Arc::clone(&key)));
        let reconciler = Arc::new(Reconciler::new(
            config.upstreams.clone(),
            Arc::<ScaleSets>::clone(&inventory),
            Arc::<NginxPlus>::clone(&nginx),
        ));
        Ok(Self {
            identity,
            inventory,
            nginx,
            key,
            reconciler,
        })
    }
}
