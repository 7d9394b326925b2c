//! How scale sets are read: which calls, what they may lack, and what they share.

use serde_json::json;
use simulated_cloud::{
    Cloud, EmptyNicList, InstanceRef, Service, UpstreamEntry, UpstreamKind, World,
};

use crate::safety_support::{
    GROUP_MACHINES, GROUP_NICS, NONE, SET, SET_MACHINES, SET_NICS, address_of, asked, cloud,
    failing_tick, filled, tick,
};
use crate::support::{Running, flexible_cloud, sorted, uniform_cloud, web};

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_set_that_answers_404_for_its_interfaces_is_told_from_a_set_that_is_missing() {
    let cloud = uniform_cloud(0).await;
    cloud.world().set_empty_nic_list(EmptyNicList::NotFound);
    let running = Running::start(cloud, &[web()]).await;
    let reply = tick(&running).await;
    assert!(
        reply.logs()[0].ends_with("Added: [], Removed: [], Updated: []"),
        "{}",
        reply.text
    );
    running.world().remove_set("web-vmss");
    let lines = failing_tick(&running).await;
    assert!(
        lines.contains("not_found: scale set `web-vmss` was not found in resource group"),
        "{lines}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn where_the_instance_list_is_forbidden_interfaces_alone_do_and_that_is_said_once() {
    let cloud = uniform_cloud(3).await;
    let world = cloud.world();
    world.deny_action("Microsoft.Compute/virtualMachineScaleSets/virtualMachines/read");
    let running = Running::start(cloud, &[web()]).await;
    tick(&running).await;
    assert_eq!(running.http("web"), sorted(world.addresses("web-vmss", 80)));
    world.scale("web-vmss", 2);
    tick(&running).await;
    assert_eq!(running.http("web"), sorted(world.addresses("web-vmss", 80)));
    tick(&running).await;
    let said: Vec<String> = running.handler.stdout_lines();
    let said: Vec<&String> = said
        .iter()
        .filter(|line| line.contains("instance states cannot be read"))
        .collect();
    assert!(
        matches!(&said[..], [line] if line.contains("virtualMachines/read")),
        "{said:?}"
    );
    assert_eq!(running.handler.stderr_lines(), NONE);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_expanded_list_without_interfaces_is_completed_by_the_plain_one() {
    let cloud = flexible_cloud(3).await;
    cloud.world().drop_network_profile_when_expanded(true);
    let running = Running::start(cloud, &[web()]).await;
    tick(&running).await;
    assert_eq!(
        running.http("web"),
        sorted(running.world().addresses("web-vmss", 80))
    );
    assert_eq!(asked(&running.cloud, GROUP_MACHINES), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interface_in_another_resource_group_costs_one_call_of_its_own() {
    let cloud = flexible_cloud(3).await;
    let world = cloud.world();
    world.move_nics("web-vmss", 1, "rg-net");
    let running = Running::start(cloud, &[web()]).await;
    tick(&running).await;
    assert_eq!(running.http("web"), sorted(world.addresses("web-vmss", 80)));
    assert_eq!(asked(&running.cloud, "resourceGroups/rg-net/"), 1);
    assert_eq!(running.arm_requests().len(), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interface_that_vanishes_during_the_reading_concerns_its_machine_only() {
    let running = filled(flexible_cloud(4).await, &[web()]).await;
    let world = running.world();
    let going = address_of(&world, "web-vmss", 2);
    world.hide_nics("web-vmss", 2);
    world.scale("web-vmss", 5);
    tick(&running).await;
    let rest = world
        .addresses("web-vmss", 80)
        .into_iter()
        .filter(|address| *address != going);
    assert_eq!(running.http("web"), sorted(rest.collect()));
}

/// One of four instances is gone, another is new, and a third is listed in an odd way.
async fn odd_item(uniform: bool, odd: impl Fn(&World, &InstanceRef)) {
    let running = filled(cloud(uniform, 4).await, &[web()]).await;
    let world = running.world();
    let before = running.http("web");
    world.delete_instance("web-vmss", 0);
    world.scale("web-vmss", 4);
    let (odd_one, new) = (
        world.instance("web-vmss", 0),
        address_of(&world, "web-vmss", 3),
    );
    odd(&world, &InstanceRef::from(&odd_one));
    let lines = failing_tick(&running).await;
    assert!(lines.contains("Failed: malformed: "), "{lines}");
    assert_eq!(
        running.http("web"),
        sorted([before, vec![new]].concat()),
        "{lines}"
    );
    world.set_raw_vm("web-vmss", &odd_one, None);
    world.set_raw_nic("web-vmss", &odd_one, None);
    tick(&running).await;
    assert_eq!(running.http("web"), sorted(world.addresses("web-vmss", 80)));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_item_that_makes_no_sense_stops_removals_but_not_adds() {
    let bodies = [
        json!("odd"),
        json!(null),
        json!({"id": 5}),
        json!({"properties": null}),
    ];
    for uniform in [true, false] {
        for body in &bodies {
            odd_item(uniform, |world, which| {
                world.set_raw_vm("web-vmss", which.clone(), Some(body.clone()));
            })
            .await;
            let is_object_without_id = body.get("properties").is_some();
            odd_item(uniform, |world, which| {
                let mut body = body.clone();
                if is_object_without_id && !uniform {
                    body["id"] = json!(world.instance("web-vmss", which.clone()).nics[0].id);
                }
                world.set_raw_nic("web-vmss", which.clone(), Some(body));
            })
            .await;
        }
    }
}

/// Azure filters the group's machines by their set. What slips through is another pool's machine.
#[tokio::test(flavor = "multi_thread")]
async fn a_machine_that_names_another_set_is_not_added_and_stops_removals() {
    let running = filled(flexible_cloud(3).await, &[web()]).await;
    let world = running.world();
    let before = running.http("web");
    world.delete_instance("web-vmss", 0);
    world.scale("web-vmss", 3);
    let new = world.instance("web-vmss", 2);
    let named = |set: &str| {
        json!({
            "name": new.name,
            "id": new.id,
            "properties": {
                "provisioningState": "Succeeded",
                "virtualMachineScaleSet": { "id": set },
                "networkProfile": { "networkInterfaces": [{ "id": new.nics[0].id }] },
            },
        })
    };
    let own = world.set_id("web-vmss");
    world.set_raw_vm("web-vmss", &new, Some(named(&format!("{own}-2"))));
    let lines = failing_tick(&running).await;
    assert!(lines.contains("machines of another scale set"), "{lines}");
    assert_eq!(running.http("web"), before, "{lines}");
    world.set_raw_vm("web-vmss", &new, Some(named(&own.to_uppercase())));
    tick(&running).await;
    assert_eq!(running.http("web"), sorted(world.addresses("web-vmss", 80)));
}

/// The mode's text, absent or in another case, is understood.
#[tokio::test(flavor = "multi_thread")]
async fn the_orchestration_mode_is_read_without_case_and_uniform_where_it_is_not_told() {
    for (uniform, text) in [
        (true, None),
        (true, Some("uniform")),
        (false, Some("FLEXIBLE")),
    ] {
        let cloud = cloud(uniform, 2).await;
        cloud.world().set_mode_text("web-vmss", text);
        let running = filled(cloud, &[web()]).await;
        assert_eq!(
            running.http("web"),
            sorted(running.world().addresses("web-vmss", 80)),
            "{text:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_mode_is_learned_once_and_then_the_calls_go_side_by_side() {
    for (uniform, lists) in [
        (true, [SET_NICS, SET_MACHINES]),
        (false, [GROUP_NICS, GROUP_MACHINES]),
    ] {
        let running = Running::start(cloud(uniform, 2).await, &[web()]).await;
        tick(&running).await;
        let first = running.arm_requests().remove(0);
        assert!(
            first.path.ends_with("/virtualMachineScaleSets/web-vmss"),
            "{}",
            first.path
        );
        running.cloud.clear_requests();
        // The set's own answer is held back until the lists have been asked for.
        let gate = running.cloud.gate(simulated_cloud::Match::arm().path(SET));
        let release = async {
            let limit = std::time::Duration::from_secs(10);
            let has = |requests: &[simulated_cloud::Recorded], part: &str| {
                let target = |r: &simulated_cloud::Recorded| format!("{}?{}", r.path, r.query);
                requests
                    .iter()
                    .any(|request| target(request).contains(part))
            };
            let both = |requests: &[_]| lists.iter().all(|list| has(requests, list));
            let side_by_side = running.cloud.wait_until(limit, both).await;
            gate.release();
            side_by_side
        };
        let (reply, side_by_side) = tokio::join!(running.handler.timer_tick(), release);
        assert!(
            reply.succeeded() && side_by_side,
            "uniform {uniform}: {}",
            reply.text
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn upstreams_and_sets_share_listings() {
    let cloud = Cloud::start().await;
    let world = cloud.world();
    world.add_uniform_set("web-vmss", 2);
    world.add_flexible_set("flex-a", 2);
    world.add_flexible_set("flex-b", 2);
    let entries: Vec<UpstreamEntry> = [
        ("u1", "web-vmss"),
        ("u2", "web-vmss"),
        ("a", "flex-a"),
        ("a2", "flex-a"),
        ("b", "flex-b"),
    ]
    .iter()
    .map(|(name, set)| {
        world.add_upstream(UpstreamKind::Http, name);
        UpstreamEntry::http(name, set)
    })
    .collect();
    let running = filled(cloud, &entries).await;
    for entry in &entries {
        let expected = sorted(world.addresses(&entry.scale_set, 80));
        assert_eq!(running.http(&entry.name), expected, "{}", entry.name);
    }
    tick(&running).await;
    let path = |name: &str| format!("virtualMachineScaleSets/{name}?api-version");
    for part in [
        &path("web-vmss"),
        &path("flex-a"),
        &path("flex-b"),
        SET_NICS,
        SET_MACHINES,
        GROUP_NICS,
    ] {
        assert_eq!(asked(&running.cloud, part), 1, "{part}");
    }
    for set in ["flex-a", "flex-b"] {
        let of_set = format!("virtualMachineScaleSets/{set}%27&$expand");
        assert_eq!(asked(&running.cloud, &of_set), 1, "{of_set}");
    }
    assert_eq!(running.arm_requests().len(), 8);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_call_names_its_api_version() {
    let cloud = uniform_cloud(2).await;
    let world = cloud.world();
    world.add_flexible_set("flex", 2);
    world.add_upstream(UpstreamKind::Http, "flex");
    world.move_nics("flex", 0, "rg-net");
    let entries = [web(), UpstreamEntry::http("flex", "flex")];
    let running = Running::start(cloud, &entries).await;
    tick(&running).await;
    let version = |request: &simulated_cloud::Recorded| {
        let version = request
            .query
            .split('&')
            .find_map(|pair| pair.strip_prefix("api-version="));
        version.map(str::to_owned).unwrap_or_default()
    };
    for request in running.arm_requests() {
        let path = &request.path;
        let expected = if path.contains("Microsoft.Network") {
            "2023-09-01"
        } else if path.ends_with("/networkInterfaces") {
            "2018-10-01"
        } else {
            "2024-07-01"
        };
        assert_eq!(version(&request), expected, "{path}");
        assert_eq!(
            (request.status, request.method.as_str()),
            (Some(200), "GET"),
            "{path}"
        );
    }
    for request in running.cloud.requests_to(Service::Identity) {
        assert_eq!(version(&request), "2019-08-01");
    }
}
