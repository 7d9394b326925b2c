//! The stage on which both modes play: a cloud with two scale sets, two upstreams, the handler.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use simulated_cloud::functions_host::Handler;
use simulated_cloud::{Cloud, UpstreamEntry, UpstreamKind};

/// A scale set and the http upstream that follows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Backend {
    /// The upstream's name.
    pub(crate) upstream: &'static str,
    /// The scale set's name.
    pub(crate) set: &'static str,
    /// Its orchestration mode, as a reader sees it.
    pub(crate) mode: &'static str,
    /// The port of its servers.
    pub(crate) port: u16,
}

/// The Uniform set; it begins empty.
pub(crate) const ONE: Backend = Backend {
    upstream: "backend-one",
    set: "backend-one-vmss",
    mode: "Uniform",
    port: 80,
};

/// The Flexible set; it begins with two instances.
pub(crate) const TWO: Backend = Backend {
    upstream: "backend-two",
    set: "backend-two-vmss",
    mode: "Flexible",
    port: 8080,
};

/// Both.
pub(crate) const BACKENDS: [Backend; 2] = [ONE, TWO];

/// Everything that runs.
pub(crate) struct Stage {
    pub(crate) cloud: Cloud,
    pub(crate) handler: Arc<Handler>,
    pub(crate) binary: PathBuf,
    pub(crate) config: PathBuf,
    pub(crate) env: Vec<(String, String)>,
}

impl Stage {
    /// Starts the cloud and the handler.
    pub(crate) async fn set(binary: &Path) -> Result<Self, String> {
        let cloud = Cloud::start().await;
        let world = cloud.world();
        world.add_uniform_set(ONE.set, 0);
        world.add_flexible_set(TWO.set, 2);
        for backend in BACKENDS {
            world.add_upstream(UpstreamKind::Http, backend.upstream);
        }
        let entries = BACKENDS.map(|backend| {
            UpstreamEntry::http(backend.upstream, backend.set).on_port(backend.port)
        });
        let config = cloud.directory().join("config.yaml");
        std::fs::write(&config, cloud.config_yaml(&entries))
            .map_err(|error| format!("cannot write {}: {error}", config.display()))?;

        let mut env = cloud.handler_env();
        let path = config.to_string_lossy().into_owned();
        env.push(("VMSS_SYNC_CONFIG_PATH".to_owned(), path));
        env.push(("RECONCILE_SCHEDULE".to_owned(), "0 * * * * *".to_owned()));
        if let Ok(filter) = std::env::var("RUST_LOG") {
            env.push(("RUST_LOG".to_owned(), filter));
        }
        let directory = cloud.directory();
        let handler = Handler::try_spawn(binary, env.clone(), Some(&directory)).await;
        let handler = handler.map_err(|error| error.to_string())?;
        Ok(Self {
            cloud,
            handler: Arc::new(handler),
            binary: binary.to_owned(),
            config,
            env,
        })
    }

    /// What is wrong with NGINX's servers for this backend, if anything.
    ///
    /// The servers that take new requests must be the addresses of the instances that serve; a
    /// server may be left beside them only while its instance is still being deleted.
    pub(crate) fn difference(&self, backend: Backend) -> Option<String> {
        let world = self.cloud.world();
        let servers = world.servers(UpstreamKind::Http, backend.upstream);
        let (taking, leaving): (Vec<_>, Vec<_>) = servers
            .into_iter()
            .partition(|server| !server.drain && !server.down);
        let mut taking: Vec<String> = taking.into_iter().map(|server| server.server).collect();
        taking.sort();
        let wanted = world.serving_addresses(backend.set, backend.port);
        if taking != wanted {
            return Some(format!(
                "NGINX sends requests to {taking:?}, Azure has {wanted:?}"
            ));
        }
        let existing = world.addresses(backend.set, backend.port);
        let gone = leaving
            .into_iter()
            .find(|server| !existing.contains(&server.server));
        gone.map(|server| format!("NGINX still has {}, whose instance is gone", server.server))
    }
}
