//! What is written to NGINX, in which order, and what its refusals mean.

use simulated_cloud::{Cloud, Fault, Flavour, Match, Server, UpstreamEntry, UpstreamKind};

use crate::safety_support::{
    address_of, failing_tick, filled, methods, only_upstream, reconcile, texts, tick,
};
use crate::support::{Running, sorted, uniform_cloud, web};

const NONE: Vec<String> = Vec::new();

fn post() -> Match {
    Match::nginx().method("POST")
}

fn delete() -> Match {
    Match::nginx().method("DELETE")
}

/// One server to remove and `new` to add, after a first fill with `old` instances.
async fn replacing(cloud: Cloud, old: usize, new: usize) -> (Running, String, Vec<String>) {
    let running = filled(cloud, &[web()]).await;
    let world = running.world();
    let gone = address_of(&world, "web-vmss", 0);
    world.delete_instance("web-vmss", 0);
    world.scale("web-vmss", old - 1 + new);
    let places = old - 1..old - 1 + new;
    let added = places
        .map(|place| address_of(&world, "web-vmss", place))
        .collect();
    (running, gone, sorted(added))
}

#[tokio::test(flavor = "multi_thread")]
async fn upstream_names_are_escaped_in_the_path() {
    for name in ["a b", "caf\u{e9}/x", "50%", "q?x#y", "..", "dot.and-dash_"] {
        let cloud = Cloud::start().await;
        cloud.world().add_uniform_set("web-vmss", 2);
        cloud.world().add_upstream(UpstreamKind::Http, name);
        let quoted = serde_json::to_string(name).unwrap();
        let entry = UpstreamEntry {
            name: quoted,
            ..web()
        };
        let running = Running::start(cloud, &[entry]).await;
        let reply = running.handler.timer_tick().await;
        if name == ".." {
            // A URL cannot carry it as a segment; nothing else must be hit in its stead.
            assert!(!reply.succeeded(), "{}", reply.text);
            assert_eq!(running.writes(), NONE);
            continue;
        }
        assert!(reply.succeeded(), "{name}: {}", reply.text);
        assert_eq!(
            running.http(name),
            sorted(running.world().addresses("web-vmss", 80)),
            "{name}"
        );
        assert_eq!(running.world().violations(), NONE);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn adds_come_before_removals() {
    for flavour in [Flavour::Native, Flavour::NginxAaas] {
        let cloud = uniform_cloud(3).await;
        cloud.world().set_flavour(flavour);
        let (running, gone, added) = replacing(cloud, 3, 2).await;
        let (_, body) = reconcile(&running, "{}").await;
        assert_eq!(texts(&only_upstream(&body)["added"]), added);
        assert_eq!(texts(&only_upstream(&body)["removed"]), [gone]);
        assert_eq!(methods(&running), ["POST", "POST", "DELETE"], "{flavour:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upstream_whose_adds_failed_removes_nothing() {
    let (running, gone, added) = replacing(uniform_cloud(3).await, 3, 2).await;
    running.cloud.fault(
        post(),
        Fault::nginx_error(400, "UpstreamBadAddress", "no"),
        Some(1),
    );
    let lines = failing_tick(&running).await;
    assert!(
        lines.contains("adds_failed: nothing is taken out"),
        "{lines}"
    );
    assert!(running.http("web").contains(&gone));
    // The other add is there and told.
    let there: Vec<&String> = added
        .iter()
        .filter(|new| running.http("web").contains(new))
        .collect();
    assert!(
        matches!(&there[..], [one] if lines.contains(&format!("Added: [{one}]"))),
        "{lines}"
    );
    running.cloud.clear_faults();
    tick(&running).await;
    assert_eq!(
        running.http("web"),
        sorted(running.world().addresses("web-vmss", 80))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_somebody_else_has_already_done_is_no_failure() {
    let (running, gone, added) = replacing(uniform_cloud(3).await, 3, 1).await;
    let world = running.world();
    let kept = address_of(&world, "web-vmss", 0);
    world.change_server(UpstreamKind::Http, "web", &kept, |server| {
        server.max_fails = 4;
    });
    // The other writer acts between this pass's reading and its writing.
    let gate = running.cloud.gate(Match::arm());
    let interference = async {
        gate.arrived().await;
        world.put_server(UpstreamKind::Http, "web", Server::at(&added[0]));
        world.take_server(UpstreamKind::Http, "web", &gone);
        world.take_server(UpstreamKind::Http, "web", &kept);
        gate.release();
    };
    let (reply, ()) = tokio::join!(running.handler.timer_tick(), interference);
    assert!(reply.succeeded(), "{}", reply.text);
    let requests = running.cloud.requests_to(simulated_cloud::Service::Nginx);
    let refused: Vec<_> = requests
        .iter()
        .filter(|found| found.is_write())
        .map(|found| found.status)
        .collect();
    // The last look has told that the server to be deleted is gone.
    assert_eq!(refused, [Some(409), Some(404)]);
    assert!(
        reply.logs()[0].ends_with("Added: [], Removed: [], Updated: []"),
        "{}",
        reply.text
    );
    // The next pass puts back what the other one took.
    tick(&running).await;
    assert_eq!(running.http("web"), sorted(world.addresses("web-vmss", 80)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_whose_answer_is_lost_is_made_once() {
    for method in ["POST", "DELETE"] {
        let (running, _, _) = replacing(uniform_cloud(3).await, 3, 1).await;
        running.cloud.fault(
            Match::nginx().method(method),
            Fault::ApplyThenReset,
            Some(1),
        );
        tick(&running).await;
        assert_eq!(
            running.http("web"),
            sorted(running.world().addresses("web-vmss", 80)),
            "{method}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_zone_makes_room_first_and_then_takes_the_new_ones() {
    for status in [400, 500] {
        let cloud = uniform_cloud(3).await;
        cloud.world().set_out_of_memory_status(status);
        cloud
            .world()
            .set_zone_capacity(UpstreamKind::Http, "web", Some(3));
        let (running, _, added) = replacing(cloud, 3, 1).await;
        let (code, body) = reconcile(&running, "{}").await;
        assert_eq!(
            (code, texts(&only_upstream(&body)["added"])),
            (200, added),
            "{status}: {body}"
        );
        assert_eq!(methods(&running), ["POST", "DELETE", "POST"], "{status}");
        assert_eq!(
            running.http("web"),
            sorted(running.world().addresses("web-vmss", 80))
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_zone_that_stays_full_is_a_failure_that_names_the_size_it_needs() {
    for (status, flavour) in [(400, Flavour::Native), (500, Flavour::NginxAaas)] {
        let cloud = uniform_cloud(3).await;
        cloud.world().set_flavour(flavour);
        cloud.world().set_out_of_memory_status(status);
        cloud
            .world()
            .set_zone_capacity(UpstreamKind::Http, "web", Some(3));
        let (running, gone, added) = replacing(cloud, 3, 3).await;
        let lines = failing_tick(&running).await;
        let text = "out_of_memory: the upstream's zone is full: 2 of 5 servers do not fit; give it `zone web 64k`";
        assert!(lines.contains(text), "{lines}");
        assert!(lines.contains(&format!("Removed: [{gone}]")), "{lines}");
        let servers = running.http("web");
        assert_eq!(servers.len(), 3);
        assert_eq!(added.iter().filter(|new| servers.contains(new)).count(), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_zone_never_costs_the_last_server() {
    let cloud = uniform_cloud(1).await;
    cloud
        .world()
        .set_zone_capacity(UpstreamKind::Http, "web", Some(1));
    let (running, gone, _) = replacing(cloud, 1, 1).await;
    running.world().set_capacity("web-vmss", Some(1));
    failing_tick(&running).await;
    assert_eq!(running.http("web"), [gone]);
    assert!(!methods(&running).contains(&"DELETE".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn html_error_bodies_are_judged_by_their_status() {
    for (status, kind) in [
        (400, "rejected"),
        (403, "denied"),
        (404, "path_not_found"),
        (502, "server"),
    ] {
        let running = Running::start(uniform_cloud(1).await, &[web()]).await;
        running
            .cloud
            .fault(Match::nginx(), Fault::HtmlError(status), None);
        let lines = failing_tick(&running).await;
        assert!(
            lines.contains(&format!("Failed: {kind}: ")),
            "{status}: {lines}"
        );
        assert!(!lines.contains("<html"), "{lines}");
        assert_eq!(running.http("web"), NONE);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn servers_of_nginxs_own_configuration_are_left_alone_and_not_tried_again() {
    for flavour in [Flavour::Native, Flavour::NginxAaas] {
        let cloud = uniform_cloud(2).await;
        let world = cloud.world();
        world.set_flavour(flavour);
        let fixed = Server {
            is_static: true,
            ..Server::at("192.168.1.1:80")
        };
        world.put_server(UpstreamKind::Http, "web", fixed);
        let running = Running::start(cloud, &[web()]).await;
        let (status, body) = reconcile(&running, "{}").await;
        assert_eq!(
            (status, only_upstream(&body)["outcome"].as_str()),
            (200, Some("changed"))
        );
        let mut expected = world.addresses("web-vmss", 80);
        expected.push("192.168.1.1:80".to_owned());
        assert_eq!(running.http("web"), sorted(expected));
        running.cloud.clear_requests();
        tick(&running).await;
        assert_eq!(running.writes(), NONE, "{flavour:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_child_of_a_resolved_name_is_never_touched() {
    let cloud = uniform_cloud(2).await;
    let child = Server {
        parent: Some(77),
        max_fails: 9,
        ..Server::at("192.168.1.2:80")
    };
    cloud.world().put_server(UpstreamKind::Http, "web", child);
    let running = filled(cloud, &[web()]).await;
    running.world().scale("web-vmss", 0);
    tick(&running).await;
    assert_eq!(running.http("web"), ["192.168.1.2:80"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_of_the_whole_upstream_says_what_to_change() {
    type Break = fn(&simulated_cloud::World);
    let cases: [(Break, &str); 3] = [
        (
            |world| world.set_upstream_static(UpstreamKind::Http, "web", true),
            "upstream_static: the upstream is static; give it a `zone` and a `state` file",
        ),
        (
            |world| world.remove_upstream(UpstreamKind::Http, "web"),
            "upstream_not_found: NGINX has no such upstream, or it has no `zone`; check its `name`",
        ),
        (
            |world| world.disable_writes(true),
            "the API is read-only; NGINX's configuration needs `api write=on;`",
        ),
    ];
    for (broken, text) in cases {
        let cloud = uniform_cloud(1).await;
        broken(&cloud.world());
        let running = Running::start(cloud, &[web()]).await;
        let lines = failing_tick(&running).await;
        assert!(lines.contains(text), "{lines}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn unordered_ids_beyond_32_bits_are_kept_as_they_are() {
    let ids = [u64::MAX - 1, 7, 9_007_199_254_740_993];
    let cloud = uniform_cloud(1).await;
    let world = cloud.world();
    let running = Running::start(cloud, &[web()]).await;
    for (id, last) in ids.iter().zip(1..) {
        let address = format!("10.20.200.{last}:80");
        world.put_server(UpstreamKind::Http, "web", Server::at(&address));
        world.change_server(UpstreamKind::Http, "web", &address, |server| {
            server.id = *id;
        });
    }
    tick(&running).await;
    let deleted: Vec<String> = running
        .writes()
        .into_iter()
        .filter(|write| write.starts_with("DELETE"))
        .collect();
    let path = "DELETE /nplus/9/http/upstreams/web/servers/";
    assert_eq!(
        sorted(deleted),
        sorted(ids.iter().map(|id| format!("{path}{id}")).collect())
    );
    assert_eq!(running.http("web"), sorted(world.addresses("web-vmss", 80)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_removal_that_fails_is_told_and_made_good_by_the_next_pass() {
    let (running, gone, _) = replacing(uniform_cloud(3).await, 3, 0).await;
    running
        .cloud
        .fault(delete(), Fault::nginx_error(500, "Weird", "no"), None);
    let lines = failing_tick(&running).await;
    assert!(lines.contains(&format!("remove {gone}")), "{lines}");
    running.cloud.clear_faults();
    tick(&running).await;
    assert!(!running.http("web").contains(&gone));
}

#[tokio::test(flavor = "multi_thread")]
async fn while_a_full_zone_makes_room_the_one_in_service_is_spared_and_not_a_draining_one() {
    let cloud = uniform_cloud(2).await;
    let world = cloud.world();
    for (address, drain) in [("10.99.0.1:80", false), ("10.99.0.2:80", true)] {
        let server = Server {
            drain,
            ..Server::at(address)
        };
        world.put_server(UpstreamKind::Http, "web", server);
    }
    world.set_zone_capacity(UpstreamKind::Http, "web", Some(2));
    world.on_nginx_write(|write| {
        if write.servers.iter().any(|server| !server.drain) {
            Ok(())
        } else {
            Err("nothing is in service".to_owned())
        }
    });
    let running = Running::start(cloud, &[web()]).await;
    running.event("web-vmss").await;
    assert!(running.handler.timer_tick().await.succeeded());
    assert_eq!(world.violations(), Vec::<String>::new());
    assert_eq!(
        sorted(running.http("web")),
        sorted(world.addresses("web-vmss", 80))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_zone_whose_servers_are_all_replaced_is_rolled_and_never_without_one_in_service() {
    let cloud = uniform_cloud(2).await;
    let world = cloud.world();
    for address in ["10.99.0.1:80", "10.99.0.2:80"] {
        world.put_server(UpstreamKind::Http, "web", Server::at(address));
    }
    world.set_zone_capacity(UpstreamKind::Http, "web", Some(2));
    world.on_nginx_write(|write| {
        if write.servers.is_empty() {
            return Err("nothing is in service".to_owned());
        }
        Ok(())
    });
    let running = Running::start(cloud, &[web()]).await;
    // The first pass has room for one of them, and then for none before the spared one goes.
    running.event("web-vmss").await;
    assert!(running.handler.timer_tick().await.succeeded());
    assert_eq!(world.violations(), Vec::<String>::new());
    assert_eq!(
        sorted(running.http("web")),
        sorted(world.addresses("web-vmss", 80))
    );
}
