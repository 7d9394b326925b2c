//! Events about the members of a scale set.

use simulated_cloud::functions_host::event_grid;
use simulated_cloud::{Cloud, UpstreamKind};

use super::{WRITTEN, assert_done};
use crate::support::{Running, flexible_cloud, uniform_cloud, web};

/// Tells the handler that a resource was written, after the set was scaled to `n`.
async fn look_after(running: &Running, id: &str, n: usize) {
    running.world().scale("web-vmss", n);
    running.cloud.clear_requests();
    let reply = running
        .handler
        .event(&event_grid(WRITTEN, id, "write"))
        .await;
    assert_done(&reply, id);
}

/// Resources of a group that may belong to a Flexible set.
fn group_resources(cloud: &Cloud, group: &str) -> [String; 4] {
    let group = format!(
        "/subscriptions/{}/resourceGroups/{group}",
        cloud.subscription_id()
    );
    [
        format!("{group}/providers/Microsoft.Compute/virtualMachines/web-vmss_1a2b"),
        format!("{group}/providers/Microsoft.Compute/virtualMachines/x/extensions/health"),
        format!("{group}/providers/Microsoft.Network/networkInterfaces/nic-7"),
        format!("{group}/providers/Microsoft.Network/networkInterfaces/nic-7").to_uppercase(),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn machines_and_interfaces_of_the_group_concern_a_set_whose_mode_is_not_known_yet() {
    for n in 0..4 {
        let running = Running::start(flexible_cloud(0).await, &[web()]).await;
        let id = &group_resources(&running.cloud, &running.cloud.resource_group())[n];
        look_after(&running, id, 2).await;
        running.assert_follows(id);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn machines_and_interfaces_of_the_group_concern_a_flexible_set() {
    let running = Running::start(flexible_cloud(1).await, &[web()]).await;
    assert_done(&running.handler.timer_tick().await, "the mode is learned");
    let ids = group_resources(&running.cloud, &running.cloud.resource_group());
    for (n, id) in ids.iter().enumerate() {
        look_after(&running, id, 2 + n).await;
        running.assert_follows(id);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn machines_and_interfaces_of_another_group_concern_nobody() {
    for learned in [false, true] {
        let running = Running::start(flexible_cloud(1).await, &[web()]).await;
        if learned {
            assert_done(&running.handler.timer_tick().await, "the mode is learned");
        }
        for id in group_resources(&running.cloud, "another-group") {
            look_after(&running, &id, 2).await;
            running.assert_silent(&id);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn other_resources_of_the_group_concern_nobody() {
    let running = Running::start(flexible_cloud(1).await, &[web()]).await;
    let [machine, ..] = group_resources(&running.cloud, &running.cloud.resource_group());
    for kind in [
        "Microsoft.Compute/disks",
        "Microsoft.Network/publicIPAddresses",
    ] {
        let id = machine.replace("Microsoft.Compute/virtualMachines", kind);
        look_after(&running, &id, 2).await;
        running.assert_silent(&id);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn instances_and_their_interfaces_concern_their_uniform_set() {
    let running = Running::start(uniform_cloud(1).await, &[web()]).await;
    let set = running.world().set_id("web-vmss");
    let ids = [
        format!("{set}/virtualMachines/0"),
        format!("{set}/virtualMachines/0/networkInterfaces/nic0"),
        format!("{set}/extensions/health"),
        format!("{set}/virtualMachines/0").to_lowercase(),
    ];
    // The first of them with the mode not known, the others with the mode known.
    for (n, id) in ids.iter().enumerate() {
        look_after(&running, id, 2 + n).await;
        running.assert_follows(id);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn machines_of_the_group_do_not_concern_a_set_once_it_is_known_to_be_uniform() {
    let running = Running::start(uniform_cloud(1).await, &[web()]).await;
    let ids = group_resources(&running.cloud, &running.cloud.resource_group());
    look_after(&running, &ids[0], 2).await;
    running.assert_follows("the mode is not known yet");
    for id in &ids {
        look_after(&running, id, 3).await;
        running.assert_silent(id);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_event_looks_at_the_flexible_set_of_its_group_and_not_at_the_uniform_one() {
    let cloud = flexible_cloud(1).await;
    cloud.world().add_uniform_set("batch-vmss", 1);
    cloud.world().add_upstream(UpstreamKind::Http, "batch");
    let batch = simulated_cloud::UpstreamEntry::http("batch", "batch-vmss");
    let running = Running::start(cloud, &[web(), batch]).await;
    assert_done(&running.handler.timer_tick().await, "the modes are learned");
    running.world().scale("batch-vmss", 5);
    let before = running.http("batch");
    let [machine, ..] = group_resources(&running.cloud, &running.cloud.resource_group());
    look_after(&running, &machine, 4).await;
    running.assert_follows("flexible");
    assert_eq!(running.http("batch"), before);
}
