//! Where the parts of the cloud are found, and what opens them.

use std::path::PathBuf;

use super::Cloud;
use crate::identity;
use crate::journal::Service;
use crate::world::SECRET_NAME;

impl Cloud {
    /// `https://localhost:PORT` of Resource Manager.
    #[must_use]
    pub fn resource_manager_endpoint(&self) -> String {
        self.origins[&Service::Arm].clone()
    }

    /// `https://localhost:PORT` of Key Vault.
    #[must_use]
    pub fn vault_endpoint(&self) -> String {
        self.origins[&Service::Vault].clone()
    }

    /// The id of the secret that holds the NGINX key, without a version.
    #[must_use]
    pub fn vault_secret_id(&self) -> String {
        format!("{}/secrets/{SECRET_NAME}", self.vault_endpoint())
    }

    /// The NGINX Plus API as NGINXaaS offers it: `https://localhost:PORT/nplus`.
    #[must_use]
    pub fn api_endpoint(&self) -> String {
        format!("{}/nplus", self.origins[&Service::Nginx])
    }

    /// The same API over plain HTTP: `http://127.0.0.1:PORT/nplus`.
    #[must_use]
    pub fn api_endpoint_http(&self) -> String {
        format!("{}/nplus", self.nginx_http_origin)
    }

    /// The value for `OTEL_EXPORTER_OTLP_ENDPOINT`: `https://localhost:PORT`.
    #[must_use]
    pub fn collector_endpoint(&self) -> String {
        self.origins[&Service::Collector].clone()
    }

    /// `https://localhost:PORT` of a host that nobody should call.
    #[must_use]
    pub fn foreign_url(&self) -> String {
        self.origins[&Service::Foreign].clone()
    }

    /// The value for `IDENTITY_ENDPOINT`.
    #[must_use]
    pub fn identity_endpoint(&self) -> String {
        format!("{}{}", self.origins[&Service::Identity], identity::PATH)
    }

    /// The value for `IDENTITY_HEADER`.
    #[must_use]
    pub fn identity_header(&self) -> String {
        self.shared
            .world
            .with(|state| state.access.identity_header.clone())
    }

    /// The environment that the platform gives the handler, and `SSL_CERT_FILE`.
    #[must_use]
    pub fn handler_env(&self) -> Vec<(String, String)> {
        let variable = |name: &str, value: String| (name.to_owned(), value);
        vec![
            variable(
                "SSL_CERT_FILE",
                self.ca_pem_path().to_string_lossy().into_owned(),
            ),
            variable("IDENTITY_ENDPOINT", self.identity_endpoint()),
            variable("IDENTITY_HEADER", self.identity_header()),
        ]
    }

    /// The certificate of the throwaway authority, as PEM.
    #[must_use]
    pub fn ca_pem(&self) -> String {
        self.authority.pem.clone()
    }

    /// The same as a file, for `SSL_CERT_FILE`; it goes away with the cloud.
    #[must_use]
    pub fn ca_pem_path(&self) -> PathBuf {
        self.authority.pem_path()
    }

    /// A directory that goes away with the cloud.
    #[must_use]
    pub fn directory(&self) -> PathBuf {
        self.authority.directory().to_owned()
    }

    /// The subscription that scale sets are in unless their name says otherwise.
    #[must_use]
    pub fn subscription_id(&self) -> String {
        self.shared
            .world
            .with(|state| state.compute.subscription.clone())
    }

    /// The resource group that scale sets are in unless their name says otherwise.
    #[must_use]
    pub fn resource_group(&self) -> String {
        self.shared.world.with(|state| state.compute.group.clone())
    }

    /// The key that NGINX accepts, as it is (not base64).
    #[must_use]
    pub fn api_key(&self) -> String {
        self.shared.world.api_key()
    }

    /// The audience that Resource Manager expects of a token.
    #[must_use]
    pub fn arm_audience(&self) -> String {
        self.shared
            .world
            .with(|state| state.access.arm_audience.clone())
    }

    /// The audience that Key Vault expects of a token.
    #[must_use]
    pub fn vault_audience(&self) -> String {
        self.shared
            .world
            .with(|state| state.access.vault_audience.clone())
    }
}
