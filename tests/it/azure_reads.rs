//! What the scale sets' states, addresses and oddities lead to.

use serde_json::json;
use simulated_cloud::{
    Cloud, EmptyNicList, Health, InstanceRef, PowerState, Provisioning, Server, Service,
    UpstreamEntry, UpstreamKind, World,
};

use crate::safety_support::{
    GROUP_MACHINES, GROUP_NICS, SET, SET_MACHINES, SET_NICS, address_of, asked, failing_tick,
    filled, tick,
};
use crate::support::{Running, flexible_cloud, sorted, uniform_cloud, web};

const NONE: Vec<String> = Vec::new();

async fn cloud(uniform: bool, n: usize) -> Cloud {
    if uniform { uniform_cloud(n).await } else { flexible_cloud(n).await }
}

/// A state, and whether an instance in it is added, and kept.
type Row = (PowerState, Provisioning, Option<Health>, bool, bool);

/// Puts two instances into every state, one that NGINX has and one that it has not, and looks at
/// what one pass makes of them.
async fn states(uniform: bool, entry: UpstreamEntry, rows: &[Row]) {
    let cloud = cloud(uniform, 1 + 2 * rows.len()).await;
    let world = cloud.world();
    let mut cases = Vec::new();
    for (row, place) in rows.iter().zip((1..).step_by(2)) {
        for place in [place, place + 1] {
            world.set_power("web-vmss", place, row.0.clone());
            world.set_provisioning("web-vmss", place, row.1);
            world.set_health("web-vmss", place, row.2);
        }
        let known = address_of(&world, "web-vmss", place);
        world.put_server(UpstreamKind::Http, "web", Server::at(&known));
        cases.push((row, known, address_of(&world, "web-vmss", place + 1)));
    }
    let entry = entry.with("drain_timeout", "0s").with("max_removal_percent", "100");
    let running = Running::start(cloud, &[entry]).await;
    tick(&running).await;
    let servers = running.http("web");
    for (row, known, new) in cases {
        let found = (servers.contains(&new), servers.contains(&known));
        assert_eq!(found, (row.3, row.4), "(added, kept), uniform {uniform}: {row:?}");
    }
    // Nothing is left to do, however odd the states.
    running.cloud.clear_requests();
    tick(&running).await;
    assert_eq!(running.writes(), NONE);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_state_of_an_instance_leads_to_its_servers_being_added_kept_or_removed() {
    use PowerState as P;
    use Provisioning as S;
    let other = |text: &str| P::Other(text.to_owned());
    let rows: Vec<Row> = vec![
        (P::Running, S::Succeeded, None, true, true),
        (P::Running, S::Updating, None, true, true),
        (P::Running, S::Failed, None, true, true),
        (P::Running, S::Migrating, None, true, true),
        (P::Running, S::Succeeded, Some(Health::Unhealthy), true, true),
        (P::NotTold, S::Succeeded, None, true, true),
        (P::NotTold, S::Failed, None, true, true),
        (other("unheard-of"), S::Succeeded, None, true, true),
        (other("RUNNING"), S::Succeeded, None, true, true),
        (P::NotTold, S::Creating, None, false, true),
        (P::Creating, S::Creating, None, false, true),
        (P::Starting, S::Updating, None, false, true),
        (P::Stopping, S::Succeeded, None, false, false),
        (P::Stopped, S::Succeeded, None, false, false),
        (P::Deallocating, S::Updating, None, false, false),
        (P::Deallocated, S::Succeeded, None, false, false),
        (other("Deallocated"), S::Succeeded, None, false, false),
        (other("hibernated"), S::Succeeded, None, false, false),
        (P::Running, S::Deleting, None, false, false),
        (P::NotTold, S::Deleting, None, false, false),
    ];
    for uniform in [true, false] {
        states(uniform, web(), &rows).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn those_who_rely_on_mandatory_health_checks_get_instances_before_they_run() {
    let rows: Vec<Row> = vec![
        (PowerState::Creating, Provisioning::Creating, None, true, true),
        (PowerState::Starting, Provisioning::Updating, None, true, true),
        (PowerState::NotTold, Provisioning::Creating, None, true, true),
        (PowerState::Deallocated, Provisioning::Succeeded, None, false, false),
    ];
    for uniform in [true, false] {
        states(uniform, web().with("add_before_running", "true"), &rows).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn where_health_is_required_only_the_healthy_are_added_and_nobody_is_removed_for_it() {
    let state = |health, added| -> Row {
        (PowerState::Running, Provisioning::Succeeded, health, added, true)
    };
    let rows: Vec<Row> = vec![
        state(Some(Health::Healthy), true),
        state(Some(Health::Unhealthy), false),
        state(Some(Health::Initializing), false),
        state(Some(Health::Unknown), false),
        state(None, false),
    ];
    for uniform in [true, false] {
        states(uniform, web().with("require_healthy", "true"), &rows).await;
    }
}

/// Changes the `primary` flags of an instance's interfaces.
fn mark(world: &World, place: usize, flags: &[Option<bool>]) {
    world.change("web-vmss", place, |instance| {
        for (nic, flag) in instance.nics.iter_mut().zip(flags) {
            nic.primary = *flag;
        }
    });
}

fn unmark_configurations(world: &World, place: usize) {
    world.change("web-vmss", place, |instance| {
        instance.nics[0].configurations.iter_mut().for_each(|found| found.primary = false);
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn every_instance_contributes_the_primary_address_of_its_primary_interface_or_none() {
    for uniform in [true, false] {
        let cloud = cloud(uniform, 11).await;
        let world = cloud.world();
        let set = "web-vmss";
        let mut expected: Vec<String> =
            [0, 1, 3].iter().map(|place| address_of(&world, set, *place)).collect();
        world.add_nic(set, 1, "10.30.0.1");
        world.add_nic(set, 2, "10.30.0.2");
        mark(&world, 2, &[Some(false), Some(true)]);
        expected.push("10.30.0.2:80".to_owned());
        world.add_ip_configuration(set, 3, "10.30.0.3");
        world.add_ip_configuration(set, 3, "fd00:19::3");
        world.set_address(set, 4, Some("fd00:19::4"));
        expected.push("[fd00:19::4]:80".to_owned());
        // Two interfaces, none of them primary.
        world.add_nic(set, 5, "10.30.0.5");
        mark(&world, 5, &[None, None]);
        world.set_address(set, 6, None);
        world.drop_nics(set, 7);
        // No configuration is marked: the only IPv4 one is taken, of two none is.
        world.set_address(set, 8, Some("10.30.0.8"));
        world.add_ip_configuration(set, 8, "fd00:19::8");
        unmark_configurations(&world, 8);
        expected.push("10.30.0.8:80".to_owned());
        world.add_ip_configuration(set, 9, "10.30.0.9");
        unmark_configurations(&world, 9);
        // The metadata service's address: not a private one.
        world.set_address(set, 10, Some("169.254.169.254"));
        if !uniform {
            world.add_orphan_nic("orphan", "10.30.0.99");
        }
        let running = Running::start(cloud, &[web()]).await;
        tick(&running).await;
        assert_eq!(running.http("web"), sorted(expected), "uniform {uniform}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ids_in_upper_case_change_nothing() {
    for uniform in [true, false] {
        let running = filled(cloud(uniform, 3).await, &[web().with("drain_timeout", "0s")]).await;
        let world = running.world();
        world.print_ids_in_upper_case(true);
        tick(&running).await;
        assert_eq!(running.writes(), NONE);
        world.set_power("web-vmss", 1, PowerState::Deallocated);
        let gone = address_of(&world, "web-vmss", 1);
        tick(&running).await;
        assert!(!running.http("web").contains(&gone), "the states are joined all the same");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_set_that_answers_404_for_its_interfaces_is_told_from_a_set_that_is_missing() {
    let cloud = uniform_cloud(0).await;
    cloud.world().set_empty_nic_list(EmptyNicList::NotFound);
    let running = Running::start(cloud, &[web()]).await;
    let reply = tick(&running).await;
    assert!(reply.logs()[0].ends_with("Added: [], Removed: [], Updated: []"), "{}", reply.text);
    running.world().remove_set("web-vmss");
    let lines = failing_tick(&running).await;
    assert!(lines.contains("not_found: scale set web-vmss was not found in resource group"), "{lines}");
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
    let said: Vec<&String> =
        said.iter().filter(|line| line.contains("instance states cannot be read")).collect();
    assert!(matches!(&said[..], [line] if line.contains("virtualMachines/read")), "{said:?}");
    assert_eq!(running.handler.stderr_lines(), NONE);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_expanded_list_without_interfaces_is_completed_by_the_plain_one() {
    let cloud = flexible_cloud(3).await;
    cloud.world().drop_network_profile_when_expanded(true);
    let running = Running::start(cloud, &[web()]).await;
    tick(&running).await;
    assert_eq!(running.http("web"), sorted(running.world().addresses("web-vmss", 80)));
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
    let rest = world.addresses("web-vmss", 80).into_iter().filter(|address| *address != going);
    assert_eq!(running.http("web"), sorted(rest.collect()));
}

/// One of four instances is gone, another is new, and a third is listed in an odd way.
async fn odd_item(uniform: bool, odd: impl Fn(&World, &InstanceRef)) {
    let running = filled(cloud(uniform, 4).await, &[web()]).await;
    let world = running.world();
    let before = running.http("web");
    world.delete_instance("web-vmss", 0);
    world.scale("web-vmss", 4);
    let (odd_one, new) = (world.instance("web-vmss", 0), address_of(&world, "web-vmss", 3));
    odd(&world, &InstanceRef::from(&odd_one));
    let lines = failing_tick(&running).await;
    assert!(lines.contains("Failed: malformed: "), "{lines}");
    assert_eq!(running.http("web"), sorted([before, vec![new]].concat()), "{lines}");
    world.set_raw_vm("web-vmss", &odd_one, None);
    world.set_raw_nic("web-vmss", &odd_one, None);
    tick(&running).await;
    assert_eq!(running.http("web"), sorted(world.addresses("web-vmss", 80)));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_item_that_makes_no_sense_stops_removals_but_not_adds() {
    let bodies = [json!("odd"), json!(null), json!({"id": 5}), json!({"properties": null})];
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

/// The mode's text, absent or in another case, is understood.
#[tokio::test(flavor = "multi_thread")]
async fn the_orchestration_mode_is_read_without_case_and_uniform_where_it_is_not_told() {
    for (uniform, text) in [(true, None), (true, Some("uniform")), (false, Some("FLEXIBLE"))] {
        let cloud = cloud(uniform, 2).await;
        cloud.world().set_mode_text("web-vmss", text);
        let running = filled(cloud, &[web()]).await;
        assert_eq!(running.http("web"), sorted(running.world().addresses("web-vmss", 80)), "{text:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_mode_is_learned_once_and_then_the_calls_go_side_by_side() {
    for (uniform, lists) in [(true, [SET_NICS, SET_MACHINES]), (false, [GROUP_NICS, GROUP_MACHINES])] {
        let running = Running::start(cloud(uniform, 2).await, &[web()]).await;
        tick(&running).await;
        let first = running.arm_requests().remove(0);
        assert!(first.path.ends_with("/virtualMachineScaleSets/web-vmss"), "{}", first.path);
        running.cloud.clear_requests();
        // The set's own answer is held back until the lists have been asked for.
        let gate = running.cloud.gate(simulated_cloud::Match::arm().path(SET));
        let release = async {
            let limit = std::time::Duration::from_secs(10);
            let has = |requests: &[simulated_cloud::Recorded], part: &str| {
                let target = |r: &simulated_cloud::Recorded| format!("{}?{}", r.path, r.query);
                requests.iter().any(|request| target(request).contains(part))
            };
            let both = |requests: &[_]| lists.iter().all(|list| has(requests, list));
            let side_by_side = running.cloud.wait_until(limit, both).await;
            gate.release();
            side_by_side
        };
        let (reply, side_by_side) = tokio::join!(running.handler.timer_tick(), release);
        assert!(reply.succeeded() && side_by_side, "uniform {uniform}: {}", reply.text);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn upstreams_and_sets_share_listings() {
    let cloud = Cloud::start().await;
    let world = cloud.world();
    world.add_uniform_set("web-vmss", 2);
    world.add_flexible_set("flex-a", 2);
    world.add_flexible_set("flex-b", 2);
    let entries: Vec<UpstreamEntry> = [("u1", "web-vmss"), ("u2", "web-vmss"), ("a", "flex-a"),
        ("a2", "flex-a"), ("b", "flex-b")]
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
    for part in [&path("web-vmss"), &path("flex-a"), &path("flex-b"), SET_NICS, SET_MACHINES, GROUP_NICS]
    {
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
        let version = request.query.split('&').find_map(|pair| pair.strip_prefix("api-version="));
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
        assert_eq!((request.status, request.method.as_str()), (Some(200), "GET"), "{path}");
    }
    for request in running.cloud.requests_to(Service::Identity) {
        assert_eq!(version(&request), "2019-08-01");
    }
}
