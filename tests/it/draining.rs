//! How a leaving server is let go: drained, timed, put back.

use std::time::{Duration, Instant};

use simulated_cloud::{Cloud, Fault, Flavour, Match, PowerState, UpstreamEntry, UpstreamKind};

use crate::safety_support::{
    address_of, bodies, filled, methods, only_upstream, reconcile, server, texts, tick,
};
use crate::support::{Running, flexible_cloud, uniform_cloud, web};

/// Three instances, one of which leaves while it has three connections; after the first pass.
async fn one_leaves(entry: UpstreamEntry, uniform: bool) -> (Running, String) {
    let cloud = if uniform {
        uniform_cloud(3).await
    } else {
        flexible_cloud(3).await
    };
    let running = filled(cloud, &[entry]).await;
    let world = running.world();
    let leaving = address_of(&world, "web-vmss", 1);
    world.set_active(UpstreamKind::Http, "web", &leaving, Some(3));
    world.set_power("web-vmss", 1, PowerState::Stopping);
    let (_, body) = reconcile(&running, "{}").await;
    assert_eq!(
        texts(&only_upstream(&body)["draining"]),
        std::slice::from_ref(&leaving)
    );
    assert_eq!(bodies(&running), [r#"PATCH {"drain":true}"#]);
    running.cloud.clear_requests();
    (running, leaving)
}

fn set_active(running: &Running, address: &str, active: u64) {
    running
        .world()
        .set_active(UpstreamKind::Http, "web", address, Some(active));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leaving_server_is_drained_and_deleted_when_it_was_idle_in_two_readings() {
    for uniform in [true, false] {
        let (running, leaving) = one_leaves(web(), uniform).await;
        // Busy, idle, busy again: one idle reading proves nothing.
        for active in [3, 0, 1, 0] {
            set_active(&running, &leaving, active);
            let reply = tick(&running).await;
            assert!(
                reply.logs()[0].contains(&format!("Draining: [{leaving}]")),
                "{}",
                reply.text
            );
            assert!(running.http("web").contains(&leaving), "{active}");
        }
        let reply = tick(&running).await;
        assert!(
            reply.logs()[0].contains(&format!("Removed: [{leaving}]")),
            "{}",
            reply.text
        );
        assert!(!running.http("web").contains(&leaving));
        assert_eq!(methods(&running), ["DELETE"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_busy_draining_server_is_deleted_when_its_time_is_up_and_not_before() {
    let begun = Instant::now();
    let (running, leaving) = one_leaves(web().with("drain_timeout", "1s"), true).await;
    while running.http("web").contains(&leaving) {
        assert!(begun.elapsed() < Duration::from_secs(20), "still there");
        let before = Instant::now();
        tick(&running).await;
        assert!(
            running.http("web").contains(&leaving) || before > begun + Duration::from_millis(900)
        );
    }
    assert_eq!(methods(&running), ["DELETE"]);
    assert!(begun.elapsed() >= Duration::from_secs(1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_busy_draining_server_is_deleted_at_once_when_its_instance_is_gone() {
    let (running, leaving) = one_leaves(web(), true).await;
    running.world().delete_instance("web-vmss", 1);
    tick(&running).await;
    assert!(!running.http("web").contains(&leaving));
    assert_eq!(methods(&running), ["DELETE"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_whose_instance_is_gone_is_deleted_without_draining() {
    let running = filled(uniform_cloud(3).await, &[web()]).await;
    let world = running.world();
    let gone = address_of(&world, "web-vmss", 2);
    set_active(&running, &gone, 5);
    world.scale("web-vmss", 2);
    tick(&running).await;
    assert_eq!(methods(&running), ["DELETE"]);
    assert!(!running.http("web").contains(&gone));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_that_comes_back_is_put_back_into_service() {
    for flavour in [Flavour::Native, Flavour::NginxAaas] {
        for ignored in [false, true] {
            let cloud = uniform_cloud(3).await;
            cloud.world().set_flavour(flavour);
            cloud.world().ignore_drain_false(ignored);
            let running = filled(cloud, &[web()]).await;
            let world = running.world();
            let address = address_of(&world, "web-vmss", 1);
            set_active(&running, &address, 2);
            world.set_power("web-vmss", 1, PowerState::Deallocating);
            tick(&running).await;
            assert!(server(&world, "web", &address).unwrap().drain);
            world.set_power("web-vmss", 1, PowerState::Running);
            running.cloud.clear_requests();
            let reply = tick(&running).await;
            let case = format!("{flavour:?}, drain:false ignored {ignored}");
            assert!(
                reply.logs()[0].contains(&format!("Updated: [{address}]")),
                "{}",
                reply.text
            );
            assert!(!server(&world, "web", &address).unwrap().drain, "{case}");
            let expected: &[&str] = if ignored {
                &["PATCH", "DELETE", "POST"]
            } else {
                &["PATCH"]
            };
            assert_eq!(methods(&running), expected, "{case}");
            // And that is the end of it.
            running.cloud.clear_requests();
            tick(&running).await;
            assert_eq!(running.writes(), Vec::<String>::new(), "{case}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn draining_goes_on_in_a_process_that_knows_nothing_of_its_beginning() {
    use simulated_cloud::functions_host::Handler;
    let (running, leaving) = one_leaves(web(), true).await;
    let Running { cloud, handler } = running;
    handler.kill().await;
    let env = crate::support::environment(&cloud, &cloud.config_yaml(&[web()]));
    let handler = Handler::spawn(crate::support::binary(), env).await;
    let running = Running { cloud, handler };
    set_active(&running, &leaving, 0);
    for here in [true, false] {
        tick(&running).await;
        assert_eq!(running.http("web").contains(&leaving), here);
    }
    assert_eq!(methods(&running), ["DELETE"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn with_a_drain_timeout_of_zero_a_leaving_server_is_deleted_at_once() {
    let running = filled(uniform_cloud(3).await, &[web().with("drain_timeout", "0s")]).await;
    let world = running.world();
    let leaving = address_of(&world, "web-vmss", 0);
    set_active(&running, &leaving, 9);
    world.mark_deleting("web-vmss", 0);
    tick(&running).await;
    assert_eq!(bodies(&running), ["DELETE"]);
    assert!(!running.http("web").contains(&leaving));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leaving_stream_server_is_switched_off_and_then_deleted() {
    let cloud = simulated_cloud::Cloud::start().await;
    cloud.world().add_flexible_set("db-vmss", 3);
    cloud.world().add_upstream(UpstreamKind::Stream, "db");
    let running = filled(cloud, &[UpstreamEntry::stream("db", "db-vmss", 5432)]).await;
    let world = running.world();
    world.mark_deleting("db-vmss", 1);
    tick(&running).await;
    assert_eq!(bodies(&running), [r#"PATCH {"down":true}"#, "DELETE"]);
    let staying: Vec<String> = [0, 2]
        .iter()
        .filter_map(|place| world.instance("db-vmss", *place).server(5432))
        .collect();
    assert_eq!(
        world.server_addresses(UpstreamKind::Stream, "db"),
        crate::support::sorted(staying)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn where_nginx_tells_neither_draining_nor_status_time_alone_ends_it() {
    let cloud = uniform_cloud(3).await;
    let world = cloud.world();
    world.set_flavour(Flavour::NginxAaas);
    world.hide_status(true);
    let running = filled(cloud, &[web().with("drain_timeout", "1s")]).await;
    let leaving = address_of(&world, "web-vmss", 2);
    world.set_power("web-vmss", 2, PowerState::Deallocated);
    let begun = Instant::now();
    tick(&running).await;
    assert!(server(&world, "web", &leaving).is_some_and(|server| server.drain));
    while running.http("web").contains(&leaving) {
        assert!(begun.elapsed() < Duration::from_secs(20), "still there");
        tick(&running).await;
    }
    assert!(begun.elapsed() >= Duration::from_secs(1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_server_that_was_set_down_and_not_deleted_serves_again_when_its_instance_does() {
    for flavour in [Flavour::Native, Flavour::NginxAaas] {
        let cloud = Cloud::start().await;
        let world = cloud.world();
        world.set_flavour(flavour);
        world.add_upstream(UpstreamKind::Stream, "db");
        world.add_uniform_set("db-vmss", 3);
        let running = filled(cloud, &[UpstreamEntry::stream("db", "db-vmss", 5432)]).await;
        let address = world.addresses("db-vmss", 5432).remove(0);
        let is_down = || {
            let servers = world.servers(UpstreamKind::Stream, "db");
            let own = servers.iter().find(|server| server.server == address);
            own.map(|server| server.down)
        };
        world.set_power("db-vmss", 0, PowerState::Stopped);
        let delete = Match::nginx().method("DELETE");
        running.cloud.fault(delete, Fault::status(500), None);
        let reply = running.handler.timer_tick().await;
        assert_eq!(reply.status, 500, "{}", reply.text);
        assert_eq!(is_down(), Some(true), "{flavour:?}");
        running.cloud.clear_faults();
        world.set_power("db-vmss", 0, PowerState::Running);
        tick(&running).await;
        assert_eq!(is_down(), Some(false), "{flavour:?}");
        // What an operator has set down stays so, on the way out and back, too.
        world.change_server(UpstreamKind::Stream, "db", &address, |server| {
            server.down = true;
        });
        tick(&running).await;
        assert_eq!(is_down(), Some(true), "{flavour:?}");
    }
}
