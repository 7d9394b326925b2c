//! What is never taken out, what is held, and what releases it.

use serde_json::{Value, json};
use simulated_cloud::{
    Cloud, EmptyNicList, Fault, Instance, PeerState, PowerState, UpstreamEntry, UpstreamKind,
};

use crate::safety_support::{
    GROUP_MACHINES, GROUP_NICS, Ledger, NONE, SET, SET_MACHINES, SET_NICS, address_of, addresses,
    assert_no_leak, call, cloud, failing_tick, filled, held, only_upstream, reconcile,
    three_of_four_vanish, tick,
};
use crate::support::{flexible_cloud, sorted, uniform_cloud, web};

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_removed_whichever_azure_call_fails_and_the_next_good_pass_removes_it() {
    let sites = [
        (true, SET),
        (true, SET_NICS),
        (true, SET_MACHINES),
        (false, SET),
        (false, GROUP_MACHINES),
        (false, GROUP_NICS),
    ];
    for (uniform, site) in sites {
        let running = filled(cloud(uniform, 4).await, &[web()]).await;
        let world = running.world();
        let ledger = Ledger::watch(&world);
        let before = addresses(&running);
        world.delete_instance("web-vmss", 0);
        for fault in [
            Fault::TruncatedJson,
            Fault::MissingValue,
            Fault::HtmlError(400),
        ] {
            if matches!((site, &fault), (SET, Fault::MissingValue)) {
                continue;
            }
            running.cloud.fault(call(site), fault.clone(), None);
            let lines = failing_tick(&running).await;
            assert!(
                lines.contains("Couldn't fully update"),
                "{site} {fault:?}: {lines}"
            );
            assert_eq!(ledger.taken_out(), NONE, "{site} {fault:?}");
            assert_eq!(running.http("web"), before, "{site} {fault:?}");
            running.cloud.clear_faults();
        }
        tick(&running).await;
        assert_eq!(running.http("web"), addresses(&running), "{site}");
        assert_no_leak(&running.cloud);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_set_that_is_gone_keeps_its_servers() {
    for uniform in [true, false] {
        let running = filled(cloud(uniform, 3).await, &[web()]).await;
        let before = running.http("web");
        running.world().remove_set("web-vmss");
        let lines = failing_tick(&running).await;
        assert!(
            lines.contains("scale set `web-vmss` was not found"),
            "{lines}"
        );
        assert_eq!(running.http("web"), before);
        assert_eq!(running.writes(), NONE);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upstream_is_emptied_exactly_when_the_capacity_is_zero() {
    let answers = [EmptyNicList::EmptyList, EmptyNicList::NotFound];
    for (uniform, answer) in [(true, answers[0]), (true, answers[1]), (false, answers[0])] {
        for (capacity, emptied) in [(Some(0), true), (None, false), (Some(2), false)] {
            let case = format!("uniform {uniform}, {answer:?}, capacity {capacity:?}");
            let running = filled(cloud(uniform, 2).await, &[web()]).await;
            let (world, before) = (running.world(), running.http("web"));
            world.set_empty_nic_list(answer);
            world.scale("web-vmss", 0);
            world.set_capacity("web-vmss", capacity);
            let reply = tick(&running).await;
            let expected = if emptied { NONE } else { before.clone() };
            assert_eq!(running.http("web"), expected, "{case}");
            let holds = reply.logs()[0].contains(&format!("Held: [{}]", before.join(" ")));
            assert_eq!(holds, !emptied, "{case}: {}", reply.text);
            // Also where NGINX has given them up, which lifts the other guard.
            for address in &before {
                world.set_peer_state(
                    UpstreamKind::Http,
                    "web",
                    address,
                    Some(PeerState::Unhealthy),
                );
            }
            tick(&running).await;
            assert_eq!(running.http("web"), expected, "{case}, unhealthy");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn when_all_instances_are_deallocated_but_wanted_the_last_ones_stay_in_service() {
    for (uniform, drain_timeout) in [(true, "30s"), (true, "0s"), (false, "30s"), (false, "0s")] {
        let entry = web().with("drain_timeout", drain_timeout);
        let running = filled(cloud(uniform, 3).await, &[entry]).await;
        let world = running.world();
        let before = running.http("web");
        for place in 0..3 {
            world.set_power("web-vmss", place, PowerState::Deallocated);
        }
        let (_, body) = reconcile(&running, "{}").await;
        assert_eq!(held(only_upstream(&body)), before);
        assert_eq!(running.writes(), NONE);
        // One comes back: the others may go.
        world.set_power("web-vmss", 1, PowerState::Running);
        tick(&running).await;
        let staying = address_of(&world, "web-vmss", 1);
        let servers = world.servers(UpstreamKind::Http, "web");
        let serving = servers.iter().filter(|server| !server.drain);
        assert_eq!(
            serving
                .map(|server| server.server.clone())
                .collect::<Vec<_>>(),
            [staying]
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mass_removal_without_an_explanation_is_held_and_says_what_releases_it() {
    let (running, gone) = three_of_four_vanish(web()).await;
    let before = running.http("web");
    for _ in 0..2 {
        let (status, body) = reconcile(&running, "{}").await;
        let upstream = only_upstream(&body);
        assert_eq!((status, upstream["outcome"].as_str()), (200, Some("held")));
        assert_eq!(held(upstream), gone);
        assert_eq!(running.http("web"), before);
        let item = &upstream["held"][0];
        assert!(
            item["reason"]
                .as_str()
                .unwrap()
                .contains("max_removal_percent"),
            "{item}"
        );
        assert!(
            item["release"].as_str().unwrap().contains("force"),
            "{item}"
        );
    }
    assert_eq!(running.writes(), NONE);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mass_removal_is_let_through_when_the_capacity_agrees() {
    let (running, _) = three_of_four_vanish(web()).await;
    running.world().set_capacity("web-vmss", Some(1));
    tick(&running).await;
    assert_eq!(running.http("web"), addresses(&running));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mass_removal_is_let_through_when_the_instances_are_seen_leaving() {
    for uniform in [true, false] {
        let entry = web().with("drain_timeout", "0s");
        let running = filled(cloud(uniform, 4).await, &[entry]).await;
        let world = running.world();
        world.set_power("web-vmss", 1, PowerState::Deallocated);
        world.set_power("web-vmss", 2, PowerState::Stopped);
        world.mark_deleting("web-vmss", 3);
        tick(&running).await;
        assert_eq!(running.http("web"), [address_of(&world, "web-vmss", 0)]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_mass_removal_only_those_that_nginx_reports_up_are_held() {
    let (running, gone) = three_of_four_vanish(web()).await;
    let world = running.world();
    for (address, state) in gone.iter().zip([PeerState::Unhealthy, PeerState::Unavail]) {
        world.set_peer_state(UpstreamKind::Http, "web", address, Some(state));
    }
    let (_, body) = reconcile(&running, "{}").await;
    assert_eq!(held(only_upstream(&body)), [gone[2].clone()]);
    let expected = sorted(vec![address_of(&world, "web-vmss", 0), gone[2].clone()]);
    assert_eq!(running.http("web"), expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn where_nginx_tells_no_status_a_mass_removal_is_held() {
    let (running, gone) = three_of_four_vanish(web()).await;
    running.world().hide_status(true);
    let (_, body) = reconcile(&running, "{}").await;
    assert_eq!(held(only_upstream(&body)), gone);
    assert_eq!(running.writes(), NONE);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_brake_is_as_tight_as_the_configuration_says() {
    let (loose, _) = three_of_four_vanish(web().with("max_removal_percent", "75")).await;
    tick(&loose).await;
    assert_eq!(loose.http("web"), addresses(&loose));

    let running = filled(
        uniform_cloud(4).await,
        &[web().with("max_removal_percent", "0")],
    )
    .await;
    let gone = address_of(&running.world(), "web-vmss", 2);
    running.world().delete_instance("web-vmss", 2);
    let (_, body) = reconcile(&running, "{}").await;
    assert_eq!(held(only_upstream(&body)), [gone]);
    assert_eq!(running.writes(), NONE);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interface_list_that_is_not_found_beside_instances_is_no_empty_set() {
    let cloud = Cloud::start().await;
    let world = cloud.world();
    // Two sources, so that what would go is less than half of the upstream.
    for set in ["web-vmss", "green-vmss"] {
        world.add_uniform_set(set, 3);
    }
    world.add_upstream(UpstreamKind::Http, "web");
    let entries = [web(), UpstreamEntry::http("web", "green-vmss")];
    let running = filled(cloud, &entries).await;
    let before = running.http("web");
    let not_found = Fault::arm_error(404, "NotFound", "Resource not found.");
    running.cloud.fault(call(SET_NICS), not_found, None);
    for forbidden in [true, false] {
        let action = "Microsoft.Compute/virtualMachineScaleSets/virtualMachines/read";
        if forbidden {
            world.deny_action(action);
        } else {
            world.allow_action(action);
        }
        let lines = failing_tick(&running).await;
        assert!(
            lines.contains("not_found: the scale set's network interfaces"),
            "{lines}"
        );
        assert_eq!(running.http("web"), before, "forbidden {forbidden}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn while_a_running_instance_has_no_listed_interface_its_server_stays() {
    let running = filled(uniform_cloud(4).await, &[web()]).await;
    let world = running.world();
    let before = running.http("web");
    let [hidden, gone] = [1, 3].map(|place| address_of(&world, "web-vmss", place));
    world.hide_nics("web-vmss", 1);
    world.delete_instance("web-vmss", 3);
    let reply = tick(&running).await;
    // Nothing tells which of the two the address belongs to.
    let line = reply.logs().remove(0);
    let both = sorted(vec![hidden.clone(), gone.clone()]).join(" ");
    let told = format!("Held: [{both}] (a running instance has no listed network interface");
    assert!(line.contains(&told), "{line}");
    assert_eq!(running.http("web"), before);
    // NGINX is the second witness.
    let unhealthy = Some(PeerState::Unhealthy);
    world.set_peer_state(UpstreamKind::Http, "web", &gone, unhealthy);
    tick(&running).await;
    assert!(running.http("web").contains(&hidden));
    assert!(!running.http("web").contains(&gone));
    // The interface is listed again.
    world.change("web-vmss", 1, |instance| {
        instance.nics.iter_mut().for_each(|nic| nic.found = true);
    });
    running.cloud.clear_requests();
    tick(&running).await;
    assert_eq!(running.writes(), NONE);
    assert_eq!(running.http("web"), addresses(&running));
}

/// A machine that runs, as a list tells it; without `nic` the list leaves its interfaces out.
fn machine(of: &Instance, nic: bool) -> Value {
    let profile = json!({"networkInterfaces": [{"id": of.nics[0].id}]});
    json!({"id": of.id, "name": of.name, "properties": {
        "provisioningState": "Succeeded",
        "instanceView": {"statuses": [{"code": "PowerState/running"}]},
        "networkProfile": if nic { profile } else { Value::Null },
    }})
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_that_is_listed_twice_does_not_make_a_short_list_agree_with_the_capacity() {
    let running = filled(flexible_cloud(8).await, &[web()]).await;
    let world = running.world();
    let before = running.http("web");
    // As where a page repeats an earlier one: five of eight are missing, and still eight are listed.
    for place in 3..8 {
        let other = world.instance("web-vmss", place % 3);
        world.set_raw_vm("web-vmss", place, Some(machine(&other, true)));
    }
    let (_, body) = reconcile(&running, "{}").await;
    let missing = (3..8).map(|place| address_of(&world, "web-vmss", place));
    assert_eq!(held(only_upstream(&body)), sorted(missing.collect()));
    assert_eq!(running.http("web"), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_interfaces_of_a_running_flexible_instance_are_left_out_its_server_stays() {
    let running = filled(flexible_cloud(4).await, &[web()]).await;
    let world = running.world();
    let before = running.http("web");
    let odd = world.instance("web-vmss", 1);
    world.set_raw_vm("web-vmss", 1, Some(machine(&odd, false)));
    let (_, body) = reconcile(&running, "{}").await;
    let address = address_of(&world, "web-vmss", 1);
    assert_eq!(held(only_upstream(&body)), [address]);
    assert_eq!(running.http("web"), before);
}
