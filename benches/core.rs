//! The pure core: what a pass computes between its round trips. `cargo bench`.
//!
//! Each line tells the time and, below it, the allocations.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use divan::{AllocProfiler, Bencher};
use nginx_vmss_sync::config::{Environment, parse};
use nginx_vmss_sync::model::{
    Address, CompleteListing, Instance, Listing, NginxTime, PeerState, PeerStatus, Phase, Server,
    ServerAddress, Source, Upstream,
};
use nginx_vmss_sync::plan::{Observation, Picture, plan};

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
        let text = "subscription_id: aaaa0000-0000-0000-0000-000000000001\n\
                    resource_group_name: rg\n\
                    api_endpoint: https://n.example/nplus\n\
                    upstreams:\n  - {name: web, kind: http, port: 80, virtual_machine_scale_set: web}\n";
        let mut config = parse(text, "bench", &Environment::default()).expect("a configuration");
        let upstream = config.upstreams.remove(0);
        let servers: Vec<Server> = (0..size).rev().filter(|n| has(*n)).map(server).collect();
        let peers = servers.iter().map(|server| PeerStatus {
            id: server.id,
            state: PeerState::Up,
            active: 1,
        });
        let peers = peers.collect();
        let listing = Listing::Complete(CompleteListing {
            set: upstream.sources[0].set.clone(),
            capacity: Some(size as u64),
            instances: (0..size).map(instance).collect(),
        });
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

fn ip(number: usize) -> IpAddr {
    let number = number as u32;
    IpAddr::V4(Ipv4Addr::from(0x0a00_0000 | number))
}

fn instance(number: usize) -> Instance {
    Instance {
        name: format!("web_{number}"),
        phase: Phase::Serving,
        address: Address::Known(ip(number)),
        healthy: true,
        counted: true,
    }
}

fn server(number: usize) -> Server {
    Server {
        id: number as u64,
        address: ServerAddress::Socket(SocketAddr::new(ip(number), 80)),
        max_conns: 0,
        max_fails: 1,
        fail_timeout: NginxTime::from_seconds(10),
        slow_start: NginxTime::default(),
        weight: 1,
        backup: false,
        down: false,
        draining: false,
        fixed: false,
        tells_draining: false,
    }
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
    let strangers = (2 * size..2 * size + size / 2).map(server);
    scene.servers.extend(strangers);
    assert!(!scene.plan(false).is_settled());
    bencher.bench_local(|| scene.plan(true));
}
