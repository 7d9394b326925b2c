//! A handler process in a simulated cloud, and one timed invocation of it.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};
use simulated_cloud::functions_host::{Handler, Reply};
use simulated_cloud::{
    Cloud, Flavour, Recorded, Server, Service, UpstreamEntry, UpstreamKind, World,
};

use crate::Latency;
use crate::process;

/// How a scale set manages its instances.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    Uniform,
    Flexible,
}

impl Mode {
    pub(crate) const BOTH: [Self; 2] = [Self::Uniform, Self::Flexible];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Uniform => "Uniform",
            Self::Flexible => "Flexible",
        }
    }

    pub(crate) fn add(self, world: &World, name: &str, instances: usize) {
        match self {
            Self::Uniform => world.add_uniform_set(name, instances),
            Self::Flexible => world.add_flexible_set(name, instances),
        }
    }
}

/// What one invocation took and cost.
#[derive(Debug, Clone)]
pub(crate) struct Sample {
    pub(crate) took: Duration,
    pub(crate) calls: Calls,
}

/// The calls of one invocation.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Calls {
    /// To Resource Manager.
    pub(crate) azure: usize,
    /// To the identity endpoint and Key Vault.
    pub(crate) access: usize,
    pub(crate) nginx_reads: usize,
    pub(crate) nginx_writes: usize,
}

impl Calls {
    pub(crate) fn count(requests: &[Recorded]) -> Self {
        let mut calls = Self::default();
        for request in requests {
            match request.service {
                Service::Arm => calls.azure += 1,
                Service::Identity | Service::Vault => calls.access += 1,
                Service::Nginx if request.is_write() => calls.nginx_writes += 1,
                Service::Nginx => calls.nginx_reads += 1,
                Service::Collector | Service::Foreign => {}
            }
        }
        calls
    }
}

/// A handler that serves a cloud.
pub(crate) struct Stage {
    pub(crate) cloud: Cloud,
    pub(crate) handler: Handler,
}

/// Times every service of a cloud.
pub(crate) fn pace(cloud: &Cloud, latency: Latency) {
    for service in [Service::Arm, Service::Vault, Service::Identity] {
        cloud.set_round_trip(service, latency.azure);
    }
    cloud.set_round_trip(Service::Nginx, latency.nginx);
}

/// The environment of a handler that serves this cloud.
pub(crate) fn environment(cloud: &Cloud, upstreams: &[UpstreamEntry]) -> Vec<(String, String)> {
    let mut environment = cloud.handler_env();
    environment.push(("VMSS_SYNC_CONFIG".to_owned(), cloud.config_yaml(upstreams)));
    // A developer's shell may have it on; then each error that is made, handled or not, costs one.
    environment.push(("RUST_BACKTRACE".to_owned(), "0".to_owned()));
    environment
}

impl Stage {
    /// Starts the handler; nothing is asked of it yet.
    pub(crate) async fn start(
        binary: &Path,
        cloud: Cloud,
        latency: Latency,
        upstreams: &[UpstreamEntry],
    ) -> Result<Self> {
        pace(&cloud, latency);
        let environment = environment(&cloud, upstreams);
        let handler = Handler::try_spawn(binary, environment, None).await?;
        Ok(Self { cloud, handler })
    }

    pub(crate) fn world(&self) -> World {
        self.cloud.world()
    }

    /// An event about a set, from its arrival to the reply, before which NGINX is right.
    pub(crate) async fn event(&self, set: &str) -> Result<Sample> {
        let id = self.world().set_id(set);
        self.timed(self.handler.scale_set_written(&id)).await
    }

    /// A timer tick.
    pub(crate) async fn tick(&self) -> Result<Sample> {
        self.timed(self.handler.timer_tick()).await
    }

    async fn timed(&self, invocation: impl Future<Output = Reply>) -> Result<Sample> {
        self.cloud.clear_requests();
        let began = Instant::now();
        let reply = invocation.await;
        let took = began.elapsed();
        if !reply.succeeded() {
            bail!(
                "the invocation failed: {}\n{}",
                reply.text,
                self.handler.stdout_lines().join("\n")
            );
        }
        let calls = Calls::count(&self.cloud.requests());
        Ok(Sample { took, calls })
    }

    /// The processor time of the handler so far.
    pub(crate) fn processor_time(&self) -> Result<Duration> {
        process::processor_time(self.handler.id())
    }

    /// That NGINX has exactly the set's instances: a figure for work that was not done is none.
    pub(crate) fn is_right(&self, upstream: &str, set: &str) -> Result<()> {
        let world = self.world();
        let found = world.server_addresses(UpstreamKind::Http, upstream);
        ensure!(
            found == world.addresses(set, 80),
            "upstream {upstream} is not what scale set {set} has"
        );
        Ok(())
    }
}

/// Takes all servers out of an upstream.
pub(crate) fn clear(world: &World, upstream: &str) {
    for address in world.server_addresses(UpstreamKind::Http, upstream) {
        world.take_server(UpstreamKind::Http, upstream, &address);
    }
}

/// Gives an upstream exactly the servers that a pass would give it.
pub(crate) fn fill(world: &World, upstream: &str, set: &str) {
    for address in world.addresses(set, 80) {
        world.put_server(UpstreamKind::Http, upstream, Server::at(&address));
    }
}

/// A cloud whose NGINX answers as NGINXaaS does, or as NGINX Plus itself.
pub(crate) fn cloud(flavour: Flavour) -> Cloud {
    let cloud = Cloud::start_now();
    cloud.world().set_flavour(flavour);
    cloud
}
