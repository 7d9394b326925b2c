//! What the pure core may allocate. Unlike a time, an allocation is the same on every machine, so
//! that these limits hold in CI: a change that copies each unchanged server, or keeps whole
//! documents in memory, fails here.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "what cannot be set up cannot be measured"
)]

#[path = "../benches/fixtures/mod.rs"]
mod fixtures;

use std::alloc::System;
use std::collections::BTreeMap;

use nginx_vmss_sync::azure;
use nginx_vmss_sync::model::Server;
use nginx_vmss_sync::nginx;
use nginx_vmss_sync::plan::{Observation, Picture, plan};
use nginx_vmss_sync::reconcile::Mode;
use serde_json::{Value, json};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// The allocations of `work`, grown ones included, and the bytes that its result keeps.
fn measure<T>(work: impl Fn() -> T) -> (usize, usize) {
    // What is made once and kept is not counted.
    drop(work());
    let region = Region::new(ALLOCATOR);
    let result = work();
    let change = region.change();
    drop(result);
    let kept = change.bytes_allocated - change.bytes_deallocated;
    (change.allocations + change.reallocations, kept)
}

/// One test, so that no other thread allocates meanwhile.
#[test]
fn the_core_allocates_for_what_changes_and_not_for_what_is_there() {
    an_unchanged_server_is_no_allocation();
    a_listing_keeps_little_of_its_documents();
    a_server_of_a_reply_is_no_allocation();
}

/// The allocations of a picture and a plan in which nothing changes.
fn settled(size: usize, with_status: bool) -> usize {
    let upstream = &fixtures::upstream();
    let source = &upstream.sources[0];
    let listing = fixtures::listing(upstream, size);
    let servers: Vec<Server> = (0..size).rev().map(fixtures::server).collect();
    let peers = fixtures::peers(&servers);
    let (allocations, _) = measure(|| {
        let picture = Picture::new(upstream, &[(source, &listing)]);
        let plan = plan(&Observation {
            upstream,
            servers: &servers,
            picture: &picture,
            peers: with_status.then_some(&peers),
            drains: &BTreeMap::new(),
        });
        assert!(plan.is_settled());
        plan
    });
    allocations
}

fn an_unchanged_server_is_no_allocation() {
    for with_status in [false, true] {
        let (some, many) = (settled(100, with_status), settled(10_000, with_status));
        assert!(some <= 40, "{some} allocations for 100 servers");
        // Lists that grow by doubling are allowed for.
        assert!(
            many <= some + 30,
            "{some} for 100 servers, {many} for 10,000"
        );
    }
}

const SET: &str = "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/rg/providers/\
                   Microsoft.Compute/virtualMachineScaleSets/web";

/// A page of `size` machines and one of their interfaces.
fn pages(mode: Mode, size: usize) -> [Vec<u8>; 2] {
    let group = SET.split("/Microsoft.Compute").next().unwrap_or_default();
    let machine = |number: usize| match mode {
        Mode::Uniform => format!("{SET}/virtualMachines/{number}"),
        Mode::Flexible => format!("{group}/Microsoft.Compute/virtualMachines/web_{number}"),
    };
    let interface = |number: usize| match mode {
        Mode::Uniform => format!("{}/networkInterfaces/nic0", machine(number)),
        Mode::Flexible => format!("{group}/Microsoft.Network/networkInterfaces/web-{number}"),
    };
    // Most of a real document is nothing that is asked for.
    let rest: Vec<Value> = (0..20)
        .map(|number| json!({"name": format!("extension-{number}"), "settings": {"a": [1, 2]}}))
        .collect();
    let machines = (0..size).map(|number| {
        json!({"id": machine(number), "name": format!("web_{number}"), "resources": rest, "properties": {
            "provisioningState": "Succeeded",
            "networkProfile": {"networkInterfaces": [
                {"id": interface(number), "properties": {"primary": true}},
            ]},
            "instanceView": {"statuses": [
                {"code": "ProvisioningState/succeeded"}, {"code": "PowerState/running"},
            ]},
        }})
    });
    let interfaces = (0..size).map(|number| {
        json!({"id": interface(number), "properties": {
            "primary": true,
            "provisioningState": "Succeeded",
            "virtualMachine": {"id": machine(number)},
            "ipConfigurations": [
                {"properties": {"privateIPAddress": fixtures::ip(number).to_string(), "primary": true}},
            ],
        }})
    });
    let page = |items: Vec<Value>| serde_json::to_vec(&json!({"value": items})).unwrap();
    [page(machines.collect()), page(interfaces.collect())]
}

fn a_listing_keeps_little_of_its_documents() {
    const SIZE: usize = 1_000;
    // A quarter more than is needed today.
    const PER_INSTANCE: usize = 25;
    for mode in [Mode::Uniform, Mode::Flexible] {
        let [machines, interfaces] = pages(mode, SIZE);
        let (allocations, kept) = measure(|| {
            let instances = azure::instances(mode, &machines, &interfaces).unwrap();
            assert_eq!(instances.len(), SIZE);
            instances
        });
        assert!(
            allocations <= PER_INSTANCE * SIZE,
            "{mode:?}: {allocations} allocations for {SIZE} instances"
        );
        assert!(kept <= 120 * SIZE, "{mode:?}: {kept} bytes kept of {SIZE}");
    }
}

fn a_server_of_a_reply_is_no_allocation() {
    let reply = |size: usize| {
        let servers = (0..size).map(|number| {
            json!({
                "id": number, "server": format!("{}:80", fixtures::ip(number)), "max_conns": 0,
                "max_fails": 1, "fail_timeout": "10s", "slow_start": "0s",
            })
        });
        serde_json::to_vec(&servers.collect::<Vec<Value>>()).unwrap()
    };
    let count = |size: usize| {
        let reply = reply(size);
        let (allocations, _) = measure(|| {
            let servers = nginx::servers(&reply).unwrap();
            assert_eq!(servers.len(), size);
            servers
        });
        allocations
    };
    let (some, many) = (count(100), count(10_000));
    assert!(
        many <= some + 10,
        "{some} for 100 servers, {many} for 10,000"
    );
}
