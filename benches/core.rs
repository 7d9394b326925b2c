//! The pure core: what a pass computes between its round trips. `cargo bench`.
//!
//! Each line tells the time and, below it, the allocations.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "what cannot be set up cannot be measured"
)]

mod fixtures;

use std::collections::BTreeMap;

use divan::counter::BytesCount;
use divan::{AllocProfiler, Bencher};
use nginx_vmss_sync::model::{Listing, PeerStatus, Server, Source, Upstream};
use nginx_vmss_sync::plan::{Observation, Picture, plan};
use nginx_vmss_sync::reconcile::Mode;
use nginx_vmss_sync::{azure, nginx};
use serde_json::Value;
use simulated_cloud::{Cloud, OrchestrationMode, SetSpec, UpstreamKind};

#[global_allocator]
static ALLOCATOR: AllocProfiler = AllocProfiler::system();

const SIZES: [usize; 4] = [10, 100, 1_000, 10_000];

fn main() {
    divan::main();
}

/// Everything that one plan is made from, for `size` instances.
struct Scene {
    upstream: Upstream,
    servers: Vec<Server>,
    listing: Listing,
    picture: Picture,
    peers: Vec<PeerStatus>,
}

impl Scene {
    /// The servers of the instances whose number `has` accepts, in an order of their own.
    fn new(size: usize, has: impl Fn(usize) -> bool) -> Self {
        let upstream = fixtures::upstream();
        let numbers = (0..size).rev().filter(|number| has(*number));
        let servers: Vec<Server> = numbers.map(fixtures::server).collect();
        let peers = fixtures::peers(&servers);
        let listing = fixtures::listing(&upstream, size);
        let picture = Picture::new(&upstream, &[(&upstream.sources[0], &listing)]);
        Self {
            upstream,
            servers,
            listing,
            picture,
            peers,
        }
    }

    fn sources(&self) -> [(&Source, &Listing); 1] {
        [(&self.upstream.sources[0], &self.listing)]
    }

    fn plan(&self, peers: bool) -> nginx_vmss_sync::plan::Plan {
        plan(&Observation {
            upstream: &self.upstream,
            servers: &self.servers,
            picture: &self.picture,
            peers: peers.then_some(&self.peers),
            drains: &BTreeMap::new(),
        })
    }
}

/// What the simulated cloud answers for 1,000 instances, in the short form or in full.
struct Documents {
    machines: Vec<u8>,
    interfaces: Vec<u8>,
    servers: Vec<u8>,
}

impl Documents {
    fn new(mode: Mode, full: bool) -> Self {
        let cloud = Cloud::start_now();
        let world = cloud.world();
        let spec = SetSpec {
            name: "web".to_owned(),
            mode: match mode {
                Mode::Uniform => OrchestrationMode::Uniform,
                Mode::Flexible => OrchestrationMode::Flexible,
            },
            instances: 1_000,
        };
        world.add_set(&spec);
        world.print_full_documents(full);
        world.require_key(false);
        world.add_upstream(UpstreamKind::Http, "web");
        for address in world.addresses("web", 80) {
            let server = simulated_cloud::Server::at(&address);
            world.put_server(UpstreamKind::Http, "web", server);
        }
        let set = world.set_id("web");
        let group = set.split("/providers/").next().unwrap_or_default();
        let (machines, interfaces) = match mode {
            Mode::Uniform => (
                format!("{set}/virtualMachines?api-version=2024-07-01&$expand=instanceView"),
                format!("{set}/networkInterfaces?api-version=2018-10-01"),
            ),
            Mode::Flexible => (
                format!(
                    "{group}/providers/Microsoft.Compute/virtualMachines?api-version=2024-07-01\
                     &$filter='virtualMachineScaleSet/id' eq '{set}'&$expand=instanceView"
                ),
                format!(
                    "{group}/providers/Microsoft.Network/networkInterfaces?api-version=2023-09-01"
                ),
            ),
        };
        let endpoint = cloud.resource_manager_endpoint();
        let servers = format!("{}/9/http/upstreams/web/servers/", cloud.api_endpoint());
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        runtime.block_on(async {
            let token = get(&cloud, &token_url(&cloud), None).await;
            let token: Value = serde_json::from_slice(&token).expect("a token");
            let token = token["access_token"].as_str();
            Self {
                machines: get(&cloud, &format!("{endpoint}{machines}"), token).await,
                interfaces: get(&cloud, &format!("{endpoint}{interfaces}"), token).await,
                servers: get(&cloud, &servers, None).await,
            }
        })
    }
}

fn token_url(cloud: &Cloud) -> String {
    let endpoint = cloud.identity_endpoint();
    let audience = cloud.arm_audience();
    format!("{endpoint}?api-version=2019-08-01&resource={audience}")
}

async fn get(cloud: &Cloud, url: &str, token: Option<&str>) -> Vec<u8> {
    let authority = reqwest::Certificate::from_pem(cloud.ca_pem().as_bytes());
    let client = reqwest::Client::builder()
        .no_proxy()
        .tls_certs_only([authority.expect("an authority")])
        .build()
        .expect("a client");
    let request = client.get(url);
    let request = request.header("x-identity-header", cloud.identity_header());
    let request = match token {
        Some(token) => request.header("authorization", format!("Bearer {token}")),
        None => request,
    };
    let reply = request.send().await.expect("a reply");
    assert!(reply.status().is_success(), "{url}: {}", reply.status());
    reply.bytes().await.expect("a body").to_vec()
}

const MODES: [Mode; 2] = [Mode::Uniform, Mode::Flexible];

#[divan::bench(args = MODES)]
fn decode_1000_instances(bencher: Bencher<'_, '_>, mode: Mode) {
    decode(bencher, mode, false);
}

#[divan::bench(args = MODES)]
fn decode_1000_instances_in_full(bencher: Bencher<'_, '_>, mode: Mode) {
    decode(bencher, mode, true);
}

fn decode(bencher: Bencher<'_, '_>, mode: Mode, full: bool) {
    let documents = Documents::new(mode, full);
    let decode = || azure::instances(mode, &documents.machines, &documents.interfaces);
    assert_eq!(decode().expect("two pages").len(), 1_000);
    let bytes = documents.machines.len() + documents.interfaces.len();
    bencher.counter(BytesCount::new(bytes)).bench_local(decode);
}

#[divan::bench]
fn decode_1000_servers(bencher: Bencher<'_, '_>) {
    let documents = Documents::new(Mode::Uniform, false);
    let decode = || nginx::servers(&documents.servers);
    assert_eq!(decode().expect("a list").len(), 1_000);
    let bytes = documents.servers.len();
    bencher.counter(BytesCount::new(bytes)).bench_local(decode);
}

#[divan::bench(args = SIZES)]
fn picture(bencher: Bencher<'_, '_>, size: usize) {
    let scene = Scene::new(size, |_| true);
    bencher.bench_local(|| Picture::new(&scene.upstream, &scene.sources()));
}

#[divan::bench(args = SIZES)]
fn plan_unchanged(bencher: Bencher<'_, '_>, size: usize) {
    let scene = Scene::new(size, |_| true);
    assert!(scene.plan(false).is_settled());
    bencher.bench_local(|| scene.plan(false));
}

#[divan::bench(args = SIZES)]
fn plan_unchanged_with_status(bencher: Bencher<'_, '_>, size: usize) {
    let scene = Scene::new(size, |_| true);
    assert!(scene.plan(true).is_settled());
    bencher.bench_local(|| scene.plan(true));
}

#[divan::bench(args = SIZES)]
fn plan_first_fill(bencher: Bencher<'_, '_>, size: usize) {
    let scene = Scene::new(size, |_| false);
    assert_eq!(scene.plan(false).steps.len(), size);
    bencher.bench_local(|| scene.plan(false));
}

/// Half of the servers are other instances': as many come as go.
#[divan::bench(args = SIZES)]
fn plan_half_replaced(bencher: Bencher<'_, '_>, size: usize) {
    let mut scene = Scene::new(size, |number| number < size / 2);
    let strangers = (2 * size..2 * size + size / 2).map(fixtures::server);
    scene.servers.extend(strangers);
    assert!(!scene.plan(false).is_settled());
    bencher.bench_local(|| scene.plan(true));
}
