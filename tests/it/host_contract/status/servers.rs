//! What is told of every server and every instance.

use std::collections::{BTreeMap, BTreeSet};

use simulated_cloud::{Fault, Flavour, Health, Match, PeerState, PowerState, Server};

use super::*;
use crate::safety_support::{address_of, filled};

/// The server objects of the only upstream, by address.
fn members(body: &Value) -> BTreeMap<String, Value> {
    by(&body["upstreams"][0]["members"], "address")
}

fn by(list: &Value, key: &str) -> BTreeMap<String, Value> {
    let items = list.as_array().unwrap().iter();
    items
        .map(|item| (item[key].as_str().unwrap().to_owned(), item.clone()))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_server_has_nginxs_state_and_its_instance_and_phase() {
    let running = filled(uniform_cloud(6).await, &[web()]).await;
    let world = running.world();
    let at = |place: usize| address_of(&world, "web-vmss", place);
    for (place, state) in [
        (1, PeerState::Unavail),
        (2, PeerState::Unhealthy),
        (3, PeerState::Checking),
    ] {
        world.set_peer_state(UpstreamKind::Http, "web", &at(place), Some(state));
    }
    world.set_active(UpstreamKind::Http, "web", &at(0), Some(7));
    world.change_server(UpstreamKind::Http, "web", &at(4), |server| {
        server.down = true;
    });
    world.change_server(UpstreamKind::Http, "web", &at(0), |server| {
        server.backup = true;
    });
    world.set_power("web-vmss", 5, PowerState::Deallocating);
    let body = read(&running).await;
    let members = members(&body);
    for (place, state) in ["up", "unavail", "unhealthy", "checking", "down", "up"]
        .iter()
        .enumerate()
    {
        let member = &members[&at(place)];
        assert_eq!(member["nginx_state"], *state, "{member}");
        assert_eq!(member["origin"], "instance");
        assert_eq!(member["instance"], world.instance("web-vmss", place).name);
        assert_eq!(member["scale_set"], "web-vmss");
        assert_eq!(member["backup"], place == 0);
        let active = if place == 0 { 7 } else { 0 };
        assert_eq!(member["active_connections"], active);
        let (phase, reason) = if place == 5 {
            ("leaving", json!("deallocated"))
        } else {
            ("serving", Value::Null)
        };
        assert_eq!(
            (&member["phase"], &member["reason"]),
            (&json!(phase), &reason)
        );
    }
    let leaving = &members[&at(5)]["next"][0];
    assert_eq!(leaving["action"], "drain");
    assert_eq!(leaving["reason"], "its instance is deallocated");
    assert_eq!(leaving["held"], Value::Null);
    let down = members[&at(4)]["remarks"][0].as_str().unwrap();
    assert!(down.contains("`down`"), "{down}");
    assert_eq!(body["condition"], "pending");
    assert_eq!(running.writes(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_without_an_instance_says_where_it_comes_from() {
    let cloud = uniform_cloud(1).await;
    let world = cloud.world();
    let put = |server: Server| {
        let address = server.server.clone();
        world.put_server(UpstreamKind::Http, "web", server);
        address
    };
    let mut origins = BTreeMap::from([
        (put(Server::at("192.168.9.9:80")), "not_ours"),
        (put(Server::at("10.20.7.7:80")), "none"),
        (
            put(Server {
                parent: Some(5),
                ..Server::at("10.20.8.8:80")
            }),
            "configured",
        ),
    ]);
    origins.insert(address_of(&world, "web-vmss", 0), "instance");
    let entry = web()
        .with("ownership", "scoped")
        .with("networks", "[10.20.0.0/16]");
    world.put_server(
        UpstreamKind::Http,
        "web",
        Server::at(&address_of(&world, "web-vmss", 0)),
    );
    let running = Running::start(cloud, &[entry]).await;
    let body = read(&running).await;
    let told: BTreeMap<String, String> = members(&body)
        .into_iter()
        .map(|(address, member)| (address, member["origin"].as_str().unwrap().to_owned()))
        .collect();
    let expected: BTreeMap<String, String> = origins
        .into_iter()
        .map(|(address, origin)| (address, origin.to_owned()))
        .collect();
    assert_eq!(told, expected);
    let gone = &members(&body)["10.20.7.7:80"];
    assert_eq!(gone["reason"], "no instance has this address");
    assert_eq!(gone["next"][0]["action"], "remove");
}

#[tokio::test(flavor = "multi_thread")]
async fn instances_that_are_not_in_the_upstream_are_there_with_the_reason() {
    let running = filled(
        uniform_cloud(1).await,
        &[web().with("require_healthy", "true")],
    )
    .await;
    let world = running.world();
    world.scale("web-vmss", 6);
    let name = |place: usize| world.instance("web-vmss", place).name;
    for place in [0, 1, 3, 4, 5] {
        world.set_health("web-vmss", place, Some(Health::Healthy));
    }
    world.drop_nics("web-vmss", 1);
    world.set_power("web-vmss", 3, PowerState::Starting);
    world.mark_deleting("web-vmss", 4);
    world.set_address("web-vmss", 5, Some("8.8.4.4"));
    let body = read(&running).await;
    let absent = by(&body["upstreams"][0]["not_in_upstream"], "instance");
    let reasons: BTreeMap<String, (&str, &str)> = absent
        .iter()
        .map(|(name, one)| {
            (
                name.clone(),
                (
                    one["phase"].as_str().unwrap(),
                    one["reason"].as_str().unwrap(),
                ),
            )
        })
        .collect();
    let expected = BTreeMap::from([
        (name(0), ("serving", "the next pass adds it")),
        (
            name(1),
            (
                "serving",
                "not added: it has no listed network interface although it runs",
            ),
        ),
        (
            name(2),
            ("arriving", "not added yet: it is not reported healthy"),
        ),
        (name(3), ("arriving", "not added yet: it is starting")),
        (name(4), ("leaving", "not added: it is being deleted")),
        (
            name(5),
            (
                "serving",
                "not added: 8.8.4.4 is outside the private ranges and not in this upstream's `networks`",
            ),
        ),
    ]);
    assert_eq!(reasons, expected);
    let source = &body["upstreams"][0]["sources"][0];
    assert_eq!(
        (
            &source["scale_set"],
            &source["capacity"],
            &source["instances"],
            &source["complete"]
        ),
        (&json!("web-vmss"), &json!(6), &json!(6), &json!(true))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn held_changes_are_told_with_their_digest_and_what_releases_them() {
    let running = filled(uniform_cloud(4).await, &[web()]).await;
    let world = running.world();
    let gone: BTreeSet<String> = (1..4)
        .map(|place| address_of(&world, "web-vmss", place))
        .collect();
    world.scale("web-vmss", 1);
    world.set_capacity("web-vmss", Some(4));
    let body = read(&running).await;
    let upstream = &body["upstreams"][0];
    assert_eq!(
        (
            &body["condition"],
            &upstream["condition"],
            &upstream["outcome"]
        ),
        (&json!("held"), &json!("held"), &json!("held"))
    );
    let held = by(&upstream["held"], "server");
    assert_eq!(held.keys().cloned().collect::<BTreeSet<String>>(), gone);
    for address in &gone {
        let next = &members(&body)[address]["next"][0];
        assert_eq!(next["action"], "remove");
        assert_eq!(next["held"], held[address]["reason"]);
        assert_eq!(next["release"], held[address]["release"]);
    }
    let digest = upstream["digest"].as_str().expect("a digest");
    assert_eq!(
        upstream["release_body"],
        json!({ "force": digest }).to_string()
    );
    // What the policy holds is nothing to be warned of, and cannot be released by a digest.
    let running = Running::start(uniform_cloud(1).await, &[web().with("policy", "paused")]).await;
    let body = read(&running).await;
    assert_eq!(body["condition"], "held_by_policy");
    let upstream = &body["upstreams"][0];
    assert_eq!(
        (&upstream["outcome"], &upstream["release_body"]),
        (&json!("unchanged"), &Value::Null)
    );
    assert_eq!(
        upstream["not_in_upstream"][0]["reason"],
        "not added: policy is paused"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn where_nginx_tells_no_states_none_is_made_up() {
    let cloud = uniform_cloud(2).await;
    cloud.world().set_flavour(Flavour::NginxAaas);
    cloud.world().hide_status(true);
    let running = filled(cloud, &[web()]).await;
    for (_, member) in members(&read(&running).await) {
        assert_eq!(member["nginx_state"], Value::Null);
        assert_eq!(member["active_connections"], Value::Null);
        assert_eq!(member["phase"], "serving");
    }
    let page = read_page(&running).await;
    assert!(page.contains("not told"), "{page}");
}

#[tokio::test(flavor = "multi_thread")]
async fn where_azure_cannot_be_read_it_answers_in_time_with_what_nginx_has() {
    let running = filled(uniform_cloud(2).await, &[web()]).await;
    let _ = running.cloud.fault(Match::arm(), Fault::Hang, None);
    let asked = std::time::Instant::now();
    let (body, page) = tokio::join!(read(&running), read_page(&running));
    assert!(
        asked.elapsed().as_secs() < 30,
        "two readings at most, 15 s each"
    );
    let upstream = &body["upstreams"][0];
    assert_eq!(upstream["condition"], "failed");
    assert_eq!(upstream["failures"][0]["kind"], "timeout");
    assert_eq!(
        sorted(texts(&upstream["servers"])),
        sorted(running.http("web"))
    );
    for (_, member) in members(&body) {
        assert_eq!(
            (&member["nginx_state"], &member["origin"]),
            (&json!("up"), &json!("unread"))
        );
        assert_eq!(member["next"], json!([]));
    }
    assert_eq!(upstream["sources"][0]["complete"], false);
    assert!(upstream["last_success"].is_string());
    assert!(page.contains("Cannot be read now"), "{page}");
}

#[tokio::test(flavor = "multi_thread")]
async fn where_nginx_cannot_be_read_it_tells_the_servers_that_were_there() {
    let running = filled(uniform_cloud(2).await, &[web()]).await;
    let before = running.http("web");
    running.world().remove_upstream(UpstreamKind::Http, "web");
    assert_failed(&running.handler.timer_tick().await, "no upstream");
    let body = read(&running).await;
    let upstream = &body["upstreams"][0];
    assert_eq!(upstream["servers_read"], false);
    assert_eq!(upstream["servers"], json!([]));
    assert_eq!(upstream["members"], Value::Null);
    assert_eq!(sorted(texts(&upstream["last_servers"])), before);
    assert_eq!(upstream["last_failures"][0]["kind"], "upstream_not_found");
    let page = read_page(&running).await;
    assert!(page.contains("Servers when NGINX was last read"), "{page}");
    for address in before {
        assert!(page.contains(&address), "{page}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_that_are_due_after_a_failed_pass_are_a_failure() {
    let running = filled(uniform_cloud(1).await, &[web()]).await;
    running.world().scale("web-vmss", 2);
    running.world().disable_writes(true);
    assert_eq!(read(&running).await["condition"], "pending");
    assert_failed(&running.handler.timer_tick().await, "read-only");
    let body = read(&running).await;
    assert_eq!(
        (&body["condition"], &body["upstreams"][0]["outcome"]),
        (&json!("failed"), &json!("unchanged"))
    );
    assert!(
        read_page(&running)
            .await
            .contains("Failed in the last pass")
    );
    running.world().disable_writes(false);
    assert_done(&running.handler.timer_tick().await, "writable");
    assert_eq!(read(&running).await["condition"], "in_step");
}
