//! Many invocations at once.

use std::time::Duration;

use simulated_cloud::{Match, Service};

use super::{assert_done, written};
use crate::support::{Running, sorted, uniform_cloud, web};

/// The reads of the scale set itself, of which every pass makes one.
fn passes(running: &Running) -> usize {
    let requests = running.arm_requests();
    requests
        .iter()
        .filter(|request| request.path.ends_with("/virtualMachineScaleSets/web-vmss"))
        .count()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_events_at_once_cause_three_passes_at_most_and_all_succeed() {
    let running = Running::start(uniform_cloud(2).await, &[web()]).await;
    let id = running.world().set_id("web-vmss");
    // A pass takes long enough for all hundred to arrive.
    running
        .cloud
        .set_latency(Service::Arm, Duration::from_millis(700));
    let events = (0..100).map(|_| written(&id)).collect::<Vec<_>>();
    let invocations = events.iter().map(|event| running.handler.event(event));
    let replies = futures::future::join_all(invocations).await;
    for reply in &replies {
        assert_done(reply, "one of a hundred");
    }
    running.assert_follows("a hundred events");
    let passes = passes(&running);
    assert!((1..=3).contains(&passes), "{passes} passes");
    // Every server was added once.
    let adds = running.writes();
    assert_eq!(adds.len(), running.http("web").len(), "{adds:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn events_that_arrive_during_a_pass_share_one_that_begins_after_them() {
    let running = Running::start(uniform_cloud(1).await, &[web()]).await;
    let old = sorted(running.world().addresses("web-vmss", 80));
    // The first pass has read the machines, and its answer is on its way.
    let gate = running
        .cloud
        .gate_answer(Match::arm().path("/networkInterfaces"));
    let first = async {
        let reply = running.event("web-vmss").await;
        assert_done(&reply, "first");
        assert!(
            reply.logs()[0].contains(&format!("Added: [{}]", old.join(" "))),
            "{}",
            reply.text
        );
    };
    let second = async {
        gate.arrived().await;
        running.world().scale("web-vmss", 3);
        let late = futures::future::join_all((0..5).map(|_| running.event("web-vmss")));
        let release = async {
            // The ping comes back behind them; they wait for a pass of their own either way.
            assert_eq!(running.handler.get("/").await.status, 200);
            gate.release();
        };
        futures::future::join(late, release).await.0
    };
    let ((), replies) = tokio::join!(first, second);
    running.assert_follows("after the burst");
    let mut added: Vec<String> = running.http("web");
    added.retain(|address| !old.contains(address));
    for reply in replies {
        assert_done(&reply, "late");
        // A pass that began after the event saw the new instances: it added them, or found them.
        let line = &reply.logs()[0];
        let told = line.contains(&format!("Added: [{}]", added.join(" ")))
            || line.contains("Added: [], Removed: [], Updated: []");
        assert!(told, "{line}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn events_ticks_and_requests_share_passes() {
    let running = Running::start(uniform_cloud(2).await, &[web()]).await;
    running
        .cloud
        .set_latency(Service::Arm, Duration::from_millis(500));
    let (event, tick, request) = tokio::join!(
        running.event("web-vmss"),
        running.handler.timer_tick(),
        running.handler.http("Reconcile", "POST", None, &[]),
    );
    for reply in [event, tick, request] {
        assert_done(&reply, "one of three");
    }
    assert!((1..=2).contains(&passes(&running)));
    running.assert_follows("one of each");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_that_hangs_up_does_not_stop_its_pass() {
    let running = Running::start(uniform_cloud(3).await, &[web()]).await;
    let gate = running.cloud.gate(Match::nginx().method("POST"));
    tokio::select! {
        _ = running.event("web-vmss") => panic!("the write did not wait at the gate"),
        () = gate.arrived() => {}
    }
    gate.release();
    let tick = running.handler.timer_tick().await;
    assert_done(&tick, "the next tick");
    running.assert_follows("the next tick");
    // The tick's own pass found everything done by the one whose caller had left.
    assert!(
        tick.logs()[0].contains("Added: [], Removed: [], Updated: []"),
        "{}",
        tick.text
    );
}
