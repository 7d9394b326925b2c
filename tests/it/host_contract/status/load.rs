//! Looking costs little, however many look, and changes nothing for the passes.

use futures::future::join_all;
use simulated_cloud::{Match, PowerState, Service};

use super::*;
use crate::safety_support::{SET, address_of, asked, filled, tick};

/// Readings in a burst at most; after that one in ten seconds.
const BURST: usize = 12;

#[tokio::test(flavor = "multi_thread")]
async fn whoever_asks_meanwhile_shares_one_reading() {
    let running = filled(uniform_cloud(2).await, &[web()]).await;
    // A reading takes long enough for all forty to arrive.
    let latency = std::time::Duration::from_millis(700);
    running.cloud.set_latency(Service::Arm, latency);
    let gate = running.cloud.gate(Match::arm().path(SET));
    let first = read(&running);
    let rest = async {
        gate.arrived().await;
        let rest = join_all((0..40).map(|_| read(&running)));
        let release = async {
            assert_eq!(running.handler.get("/").await.status, 200);
            gate.release();
        };
        futures::future::join(rest, release).await.0
    };
    let (first, rest) = tokio::join!(first, rest);
    let readings = asked(&running.cloud, SET);
    assert!((1..=3).contains(&readings), "{readings} readings");
    for body in rest.iter().chain([&first]) {
        assert_eq!(
            sorted(texts(&body["upstreams"][0]["servers"])),
            running.http("web")
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_is_reloaded_without_end_does_not_use_up_azures_allowance() {
    let running = filled(uniform_cloud(2).await, &[web()]).await;
    let begun = std::time::Instant::now();
    let mut last = Value::Null;
    for _ in 0..40 {
        last = read(&running).await;
        assert_eq!(
            sorted(texts(&last["upstreams"][0]["servers"])),
            running.http("web")
        );
    }
    let allowed = BURST + 1 + begun.elapsed().as_secs() as usize / 10;
    let readings = asked(&running.cloud, SET);
    assert!((2..=allowed).contains(&readings), "{readings} of {allowed}");
    assert!(last["read"]["age_seconds"].is_u64(), "{last}");
    // A pass is not rationed.
    running.world().scale("web-vmss", 4);
    tick(&running).await;
    running.assert_follows("the next tick");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_status_is_answered_while_a_pass_is_under_way_and_the_pass_goes_on() {
    let running = Running::start(uniform_cloud(2).await, &[web()]).await;
    let gate = running.cloud.gate(Match::nginx().method("POST"));
    let look = async {
        gate.arrived().await;
        let body = read(&running).await;
        gate.release();
        body
    };
    let (reply, body) = tokio::join!(running.event("web-vmss"), look);
    assert_done(&reply, "event");
    assert_eq!(body["passes"], 0, "it was not over");
    running.assert_follows("event");
}

#[tokio::test(flavor = "multi_thread")]
async fn looking_often_does_not_shorten_a_drain() {
    let running = filled(uniform_cloud(3).await, &[web()]).await;
    let world = running.world();
    let leaving = address_of(&world, "web-vmss", 1);
    world.set_active(UpstreamKind::Http, "web", &leaving, Some(3));
    world.set_power("web-vmss", 1, PowerState::Stopping);
    tick(&running).await;
    // It is idle from now on: two readings of passes end it, and none of those who only look.
    world.set_active(UpstreamKind::Http, "web", &leaving, Some(0));
    for _ in 0..5 {
        read(&running).await;
        let dry_run = crate::safety_support::reconcile(&running, r#"{"dry_run":true}"#).await;
        assert_eq!(dry_run.0, 200);
    }
    tick(&running).await;
    assert!(running.http("web").contains(&leaving), "one reading");
    tick(&running).await;
    assert!(!running.http("web").contains(&leaving), "two readings");
}

/// Who only looks remembers no drain: a pass would take back what this process never began.
#[tokio::test(flavor = "multi_thread")]
async fn looking_at_another_hands_drain_does_not_make_a_pass_write() {
    let running = filled(uniform_cloud(3).await, &[web()]).await;
    let world = running.world();
    let address = address_of(&world, "web-vmss", 0);
    let drain = |on: bool| {
        world.change_server(UpstreamKind::Http, "web", &address, |server| {
            server.drain = on;
        });
    };
    drain(true);
    let body = read(&running).await;
    assert_eq!(
        texts(&body["upstreams"][0]["draining"]),
        std::slice::from_ref(&address)
    );
    drain(false);
    tick(&running).await;
    assert_eq!(running.writes(), Vec::<String>::new());
}
