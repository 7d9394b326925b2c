//! A draining that must be taken back, and what hangs on it.

use simulated_cloud::functions_host::Handler;
use simulated_cloud::{Fault, Flavour, Match, PowerState, UpstreamEntry, UpstreamKind};

use crate::safety_support::{address_of, filled, server, tick};
use crate::support::{Running, binary, environment, uniform_cloud, web};

/// The same cloud with a new handler.
async fn restarted(running: Running, entries: &[UpstreamEntry]) -> Running {
    let Running { cloud, handler } = running;
    handler.kill().await;
    let env = environment(&cloud, &cloud.config_yaml(entries));
    let handler = Handler::spawn(binary(), env).await;
    Running { cloud, handler }
}

#[tokio::test(flavor = "multi_thread")]
async fn while_a_draining_server_cannot_be_put_back_the_last_one_in_service_is_not_drained() {
    let running = filled(uniform_cloud(2).await, &[web()]).await;
    let world = running.world();
    let (back, leaving) = (
        address_of(&world, "web-vmss", 0),
        address_of(&world, "web-vmss", 1),
    );
    world.set_active(UpstreamKind::Http, "web", &back, Some(3));
    world.set_power("web-vmss", 0, PowerState::Stopped);
    tick(&running).await;
    let draining = server(&world, "web", &back).expect("it is there");
    assert!(draining.drain);
    world.set_power("web-vmss", 0, PowerState::Running);
    world.set_power("web-vmss", 1, PowerState::Stopped);
    let put_back = Match::nginx()
        .method("PATCH")
        .path(&format!("servers/{}", draining.id));
    let _ = running.cloud.fault(put_back, Fault::status(500), None);
    let reply = running.handler.timer_tick().await;
    assert_eq!(reply.status, 500, "{}", reply.text);
    let last = server(&world, "web", &leaving).expect("it is there");
    assert!(!last.drain, "nothing is in service: {}", reply.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drain_that_another_process_began_is_taken_back_also_where_the_list_does_not_tell_it() {
    let cloud = uniform_cloud(3).await;
    cloud.world().set_flavour(Flavour::NginxAaas);
    let running = filled(cloud, &[web()]).await;
    let world = running.world();
    let address = address_of(&world, "web-vmss", 0);
    world.set_active(UpstreamKind::Http, "web", &address, Some(3));
    world.set_power("web-vmss", 0, PowerState::Stopped);
    tick(&running).await;
    assert!(server(&world, "web", &address).is_some_and(|server| server.drain));
    world.set_power("web-vmss", 0, PowerState::Running);
    let running = restarted(running, &[web()]).await;
    for _ in 0..3 {
        tick(&running).await;
    }
    assert!(server(&world, "web", &address).is_some_and(|server| !server.drain));
}
