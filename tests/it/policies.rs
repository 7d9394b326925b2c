//! What the operator may say: release a held plan, own a part of an upstream, freeze it.

use simulated_cloud::{Cloud, Fault, Match, Server, UpstreamEntry, UpstreamKind};

use crate::safety_support::{
    GROUP_NICS, NONE, address_of, addresses, failing_tick, filled, held, only_upstream, reconcile,
    texts, three_of_four_vanish, tick,
};
use crate::support::{sorted, uniform_cloud, web};

#[tokio::test(flavor = "multi_thread")]
async fn the_digest_releases_exactly_the_held_plan() {
    let (running, gone) = three_of_four_vanish(web()).await;
    let world = running.world();
    // A change that the plan would make, but that is not held.
    let kept = address_of(&world, "web-vmss", 0);
    world.change_server(UpstreamKind::Http, "web", &kept, |server| {
        server.max_fails = 7;
    });
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
        assert!(
            body["error"]
                .as_str()
                .unwrap()
                .contains("nothing was changed"),
            "{body}"
        );
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
    let entry = web()
        .with("ownership", "scoped")
        .with("networks", "[10.20.0.0/16]");
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
    let running = filled(
        uniform_cloud(2).await,
        &[web().with("policy", "upsert_only")],
    )
    .await;
    let world = running.world();
    let (gone, kept) = (
        address_of(&world, "web-vmss", 0),
        address_of(&world, "web-vmss", 1),
    );
    world.delete_instance("web-vmss", 0);
    world.scale("web-vmss", 2);
    world.change_server(UpstreamKind::Http, "web", &kept, |server| {
        server.max_conns = 9;
    });
    let (_, body) = reconcile(&running, "{}").await;
    let upstream = only_upstream(&body);
    let new = address_of(&world, "web-vmss", 1);
    assert_eq!(held(upstream), std::slice::from_ref(&gone));
    assert_eq!(texts(&upstream["added"]), std::slice::from_ref(&new));
    assert_eq!(texts(&upstream["updated"]), std::slice::from_ref(&kept));
    assert_eq!(running.http("web"), sorted(vec![gone, kept, new]));
    // What a policy holds is not for release.
    assert!(upstream["digest"].is_null(), "{upstream}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paused_upstream_is_frozen_and_still_reported() {
    let cloud = uniform_cloud(2).await;
    cloud
        .world()
        .put_server(UpstreamKind::Http, "web", Server::at("10.20.9.9:80"));
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
    let entries = [
        UpstreamEntry::http("web", "blue-vmss"),
        UpstreamEntry::http("web", "green-vmss"),
    ];
    let running = filled(cloud, &entries).await;
    let before = running.http("web");
    world.delete_instance("blue-vmss", 0);
    world.scale("blue-vmss", 3);
    let new = address_of(&world, "blue-vmss", 2);
    running
        .cloud
        .fault(Match::arm().path(GROUP_NICS), Fault::status(400), None);
    let lines = failing_tick(&running).await;
    assert!(lines.contains("for group blue-vmss,green-vmss"), "{lines}");
    assert_eq!(running.http("web"), sorted([before, vec![new]].concat()));
    running.cloud.clear_faults();
    tick(&running).await;
    let both = [
        world.addresses("blue-vmss", 80),
        world.addresses("green-vmss", 80),
    ]
    .concat();
    assert_eq!(running.http("web"), sorted(both));
}
