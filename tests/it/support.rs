//! A handler process in a simulated cloud.

use std::path::PathBuf;

use simulated_cloud::functions_host::{Handler, Reply};
use simulated_cloud::{Cloud, Recorded, Service, UpstreamEntry, UpstreamKind, World};

/// The program under test.
pub(crate) fn binary() -> PathBuf {
    PathBuf::from(env!("CARGO_BIN_EXE_nginx-vmss-sync"))
}

/// A cloud, and a handler that serves it.
pub(crate) struct Running {
    pub(crate) cloud: Cloud,
    pub(crate) handler: Handler,
}

impl Running {
    /// Starts a handler with these upstreams.
    pub(crate) async fn start(cloud: Cloud, upstreams: &[UpstreamEntry]) -> Self {
        let yaml = cloud.config_yaml(upstreams);
        Self::with_yaml(cloud, &yaml).await
    }

    /// Starts a handler with this configuration.
    pub(crate) async fn with_yaml(cloud: Cloud, yaml: &str) -> Self {
        let env = environment(&cloud, yaml);
        let handler = Handler::spawn(binary(), env).await;
        Self { cloud, handler }
    }

    pub(crate) fn world(&self) -> World {
        self.cloud.world()
    }

    /// A scale event for a set.
    pub(crate) async fn event(&self, set: &str) -> Reply {
        self.handler
            .scale_set_written(&self.world().set_id(set))
            .await
    }

    /// The servers of an http upstream.
    pub(crate) fn http(&self, upstream: &str) -> Vec<String> {
        self.world().server_addresses(UpstreamKind::Http, upstream)
    }

    /// The writes that reached NGINX, as `METHOD path`.
    pub(crate) fn writes(&self) -> Vec<String> {
        let requests = self.cloud.requests_to(Service::Nginx);
        requests
            .iter()
            .filter(|request| request.is_write())
            .map(|request| format!("{} {}", request.method, request.path))
            .collect()
    }

    /// The requests that reached Resource Manager.
    pub(crate) fn arm_requests(&self) -> Vec<Recorded> {
        self.cloud.requests_to(Service::Arm)
    }
}

/// The environment of a program that serves this cloud with this configuration.
pub(crate) fn environment(cloud: &Cloud, yaml: &str) -> Vec<(String, String)> {
    let mut env = cloud.handler_env();
    env.push(("VMSS_SYNC_CONFIG".to_owned(), yaml.to_owned()));
    env
}

/// A cloud with a Uniform set `web-vmss` of `instances` and an empty http upstream `web`.
pub(crate) async fn uniform_cloud(instances: usize) -> Cloud {
    let cloud = Cloud::start().await;
    cloud.world().add_uniform_set("web-vmss", instances);
    cloud.world().add_upstream(UpstreamKind::Http, "web");
    cloud
}

/// The same with a Flexible set.
pub(crate) async fn flexible_cloud(instances: usize) -> Cloud {
    let cloud = Cloud::start().await;
    cloud.world().add_flexible_set("web-vmss", instances);
    cloud.world().add_upstream(UpstreamKind::Http, "web");
    cloud
}

/// The upstream `web` on port 80, fed by `web-vmss`.
pub(crate) fn web() -> UpstreamEntry {
    UpstreamEntry::http("web", "web-vmss")
}

/// Sorted, for comparison as a set.
pub(crate) fn sorted(mut addresses: Vec<String>) -> Vec<String> {
    addresses.sort();
    addresses
}
