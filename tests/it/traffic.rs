//! What requests see while instances leave.

use simulated_cloud::{TrafficCount, UpstreamKind};

use crate::support::{Running, sorted, uniform_cloud, web};

/// Three of five instances leave while traffic flows. `seen` says whether the handler gets to see
/// them `Deleting` before they are gone, as it does behind a terminate notification.
async fn scale_in_under_traffic(seen: bool) -> (TrafficCount, Vec<String>, Vec<String>) {
    let entry = web().with("drain_timeout", "60s");
    let running = Running::start(uniform_cloud(5).await, &[entry]).await;
    assert!(running.event("web-vmss").await.succeeded());
    let world = running.world();
    let traffic = running.cloud.traffic("web", 4);
    traffic.wait_for(200).await;
    if seen {
        world.begin_scale("web-vmss", 2);
        assert!(running.event("web-vmss").await.succeeded());
        traffic.wait_for(200).await;
        // Two readings without a connection, and they are taken out.
        while running.http("web").len() > 2 {
            assert!(running.handler.timer_tick().await.succeeded());
        }
        world.settle("web-vmss");
    } else {
        world.scale("web-vmss", 2);
        traffic.wait_for(200).await;
        assert!(running.event("web-vmss").await.succeeded());
    }
    traffic.wait_for(200).await;
    let count = traffic.stop().await;
    let servers = sorted(world.server_addresses(UpstreamKind::Http, "web"));
    (count, servers, sorted(world.addresses("web-vmss", 80)))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scale_in_that_is_seen_coming_loses_no_request_and_one_that_is_not_loses_some() {
    let (seen, servers, instances) = scale_in_under_traffic(true).await;
    assert_eq!(servers, instances);
    assert_eq!(seen.failed, 0, "{:?}", seen.failures);
    let (unseen, servers, instances) = scale_in_under_traffic(false).await;
    assert_eq!(servers, instances);
    println!(
        "seen first: {} ok, {} failed; gone at once: {} ok, {} failed",
        seen.ok, seen.failed, unseen.ok, unseen.failed
    );
    // The simulator must be able to lose requests, or the zero above proves nothing.
    assert!(unseen.failed > 0, "{} requests, none lost", unseen.ok);
}
