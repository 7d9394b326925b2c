//! What is never taken out, what is held, and what releases it.

use simulated_cloud::{
    Cloud, EmptyNicList, Fault, Match, PeerState, PowerState, Server, UpstreamEntry, UpstreamKind,
};

use crate::safety_support::{
    GROUP_MACHINES, GROUP_NICS, Ledger, SET, SET_MACHINES, SET_NICS, address_of, assert_no_leak,
    call, failing_tick, filled, held, only_upstream, reconcile, texts, tick,
};
use crate::support::{Running, flexible_cloud, sorted, uniform_cloud, web};

const NONE: Vec<String> = Vec::new();

/// A cloud with a set of `n`, of either mode.
async fn cloud(uniform: bool, n: usize) -> Cloud {
    if uniform { uniform_cloud(n).await } else { flexible_cloud(n).await }
}

fn addresses(running: &Running) -> Vec<String> {
    sorted(running.world().addresses("web-vmss", 80))
}

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
        for fault in [Fault::TruncatedJson, Fault::MissingValue, Fault::HtmlError(400)] {
            if matches!((site, &fault), (SET, Fault::MissingValue)) {
                continue;
            }
            running.cloud.fault(call(site), fault.clone(), None);
            let lines = failing_tick(&running).await;
            assert!(lines.contains("Couldn't fully update"), "{site} {fault:?}: {lines}");
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
        assert!(lines.contains("scale set web-vmss was not found"), "{lines}");
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
                world.set_peer_state(UpstreamKind::Http, "web", address, Some(PeerState::Unhealthy));
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
        assert_eq!(serving.map(|server| server.server.clone()).collect::<Vec<_>>(), [staying]);
    }
}

/// Four instances, of which the last three vanish while the set still wants four.
async fn three_of_four_vanish(entry: UpstreamEntry) -> (Running, Vec<String>) {
    let running = filled(uniform_cloud(4).await, &[entry]).await;
    let world = running.world();
    let gone: Vec<String> = (1..4).map(|place| address_of(&world, "web-vmss", place)).collect();
    for _ in 0..3 {
        world.delete_instance("web-vmss", 1);
    }
    (running, sorted(gone))
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
        assert!(item["reason"].as_str().unwrap().contains("max_removal_percent"), "{item}");
        assert!(item["release"].as_str().unwrap().contains("force"), "{item}");
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

    let running = filled(uniform_cloud(4).await, &[web().with("max_removal_percent", "0")]).await;
    let gone = address_of(&running.world(), "web-vmss", 2);
    running.world().delete_instance("web-vmss", 2);
    let (_, body) = reconcile(&running, "{}").await;
    assert_eq!(held(only_upstream(&body)), [gone]);
    assert_eq!(running.writes(), NONE);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_digest_releases_exactly_the_held_plan() {
    let (running, gone) = three_of_four_vanish(web()).await;
    let world = running.world();
    // A change that the plan would make, but that is not held.
    let kept = address_of(&world, "web-vmss", 0);
    world.change_server(UpstreamKind::Http, "web", &kept, |server| server.max_fails = 7);
    let (_, shown) = reconcile(&running, r#"{"dry_run": true}"#).await;
    let digest = only_upstream(&shown)["digest"].as_str().unwrap().to_owned();
    assert_eq!(running.writes(), NONE);

    let (status, body) = reconcile(&running, &format!(r#"{{"force": "{digest}"}}"#)).await;
    assert_eq!(status, 200, "{body}");
    assert_eq!(texts(&only_upstream(&body)["removed"]), gone);
    let servers = world.servers(UpstreamKind::Http, "web");
    assert_eq!(servers.len(), 1);
    assert_eq!((servers[0].server.clone(), servers[0].max_fails), (kept, 7));

    // Used up.
    let (status, _) = reconcile(&running, &format!(r#"{{"force": "{digest}"}}"#)).await;
    assert_eq!(status, 409);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_digest_that_no_longer_matches_applies_nothing() {
    let running = filled(uniform_cloud(5).await, &[web()]).await;
    let world = running.world();
    for _ in 0..3 {
        world.delete_instance("web-vmss", 2);
    }
    let (_, body) = reconcile(&running, "{}").await;
    let digest = only_upstream(&body)["digest"].as_str().unwrap().to_owned();
    world.delete_instance("web-vmss", 1);
    let before = running.http("web");
    for wrong in [digest.as_str(), "0123456789ab"] {
        let (status, body) = reconcile(&running, &format!(r#"{{"force": "{wrong}"}}"#)).await;
        assert_eq!(status, 409, "{body}");
        assert!(body["error"].as_str().unwrap().contains("nothing was changed"), "{body}");
    }
    assert_eq!(running.http("web"), before);
    assert_eq!(running.writes(), NONE);
}

#[tokio::test(flavor = "multi_thread")]
async fn scoped_ownership_never_touches_what_lies_outside_its_networks() {
    let cloud = uniform_cloud(2).await;
    let world = cloud.world();
    // An instance outside, an operator's servers outside, a left-over inside.
    world.use_address_next("10.99.0.4");
    world.scale("web-vmss", 3);
    for address in ["192.168.7.7:80", "10.99.0.9:80", "10.20.77.7:80"] {
        world.put_server(UpstreamKind::Http, "web", Server::at(address));
    }
    let entry = web().with("ownership", "scoped").with("networks", "[10.20.0.0/16]");
    let running = filled(cloud, &[entry]).await;
    let inside = (0..2).map(|place| address_of(&world, "web-vmss", place));
    let outside = ["192.168.7.7:80", "10.99.0.9:80"].map(str::to_owned);
    assert_eq!(running.http("web"), sorted(inside.chain(outside).collect()));
    world.scale("web-vmss", 0);
    tick(&running).await;
    assert_eq!(running.http("web"), ["10.99.0.9:80", "192.168.7.7:80"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn upsert_only_adds_and_updates_but_takes_nothing_out() {
    let running = filled(uniform_cloud(2).await, &[web().with("policy", "upsert_only")]).await;
    let world = running.world();
    let (gone, kept) = (address_of(&world, "web-vmss", 0), address_of(&world, "web-vmss", 1));
    world.delete_instance("web-vmss", 0);
    world.scale("web-vmss", 2);
    world.change_server(UpstreamKind::Http, "web", &kept, |server| server.max_conns = 9);
    let (_, body) = reconcile(&running, "{}").await;
    let upstream = only_upstream(&body);
    let new = address_of(&world, "web-vmss", 1);
    assert_eq!(held(upstream), [gone.clone()]);
    assert_eq!(texts(&upstream["added"]), [new.clone()]);
    assert_eq!(texts(&upstream["updated"]), [kept.clone()]);
    assert_eq!(running.http("web"), sorted(vec![gone, kept, new]));
    // What a policy holds is not for release.
    assert!(upstream["digest"].is_null(), "{upstream}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paused_upstream_is_frozen_and_still_reported() {
    let cloud = uniform_cloud(2).await;
    cloud.world().put_server(UpstreamKind::Http, "web", Server::at("10.20.9.9:80"));
    let running = filled(cloud, &[web().with("policy", "paused")]).await;
    let (status, body) = reconcile(&running, "{}").await;
    assert_eq!(status, 200);
    let mut all = addresses(&running);
    all.push("10.20.9.9:80".to_owned());
    assert_eq!(held(only_upstream(&body)), sorted(all));
    assert_eq!(running.http("web"), ["10.20.9.9:80"]);
    assert_eq!(running.writes(), NONE);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_sources_a_failing_one_stops_removals_for_the_other_but_not_its_adds() {
    let cloud = Cloud::start().await;
    let world = cloud.world();
    world.add_uniform_set("blue-vmss", 3);
    world.add_flexible_set("green-vmss", 3);
    world.add_upstream(UpstreamKind::Http, "web");
    let entries = [UpstreamEntry::http("web", "blue-vmss"), UpstreamEntry::http("web", "green-vmss")];
    let running = filled(cloud, &entries).await;
    let before = running.http("web");
    world.delete_instance("blue-vmss", 0);
    world.scale("blue-vmss", 3);
    let new = address_of(&world, "blue-vmss", 2);
    running.cloud.fault(Match::arm().path(GROUP_NICS), Fault::status(400), None);
    let lines = failing_tick(&running).await;
    assert!(lines.contains("for group blue-vmss,green-vmss"), "{lines}");
    assert_eq!(running.http("web"), sorted([before, vec![new]].concat()));
    running.cloud.clear_faults();
    tick(&running).await;
    let both = [world.addresses("blue-vmss", 80), world.addresses("green-vmss", 80)].concat();
    assert_eq!(running.http("web"), sorted(both));
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
        assert!(lines.contains("not_found: the scale set's network interfaces"), "{lines}");
        assert_eq!(running.http("web"), before, "forbidden {forbidden}");
    }
}
