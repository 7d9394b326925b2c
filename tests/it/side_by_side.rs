//! What does not wait for one another: tokens, the secret, NGINX's status, and connections.

use std::time::Duration;

use simulated_cloud::{Cloud, Flavour, Match, Recorded, Service, UpstreamKind};

use crate::support::{Running, sorted, uniform_cloud, web};

/// Long enough for anything that is on its way.
const LIMIT: Duration = Duration::from_secs(30);

/// An event's pass, which `meanwhile` must see the end of.
async fn event_while(running: &Running, meanwhile: impl Future<Output = ()>) {
    let (reply, ()) = tokio::join!(running.event("web-vmss"), meanwhile);
    assert!(reply.succeeded(), "{}", reply.text);
    assert_eq!(
        sorted(running.http("web")),
        sorted(running.world().addresses("web-vmss", 80))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_process_asks_for_both_its_tokens_while_the_vault_is_silent() {
    let running = Running::start(uniform_cloud(2).await, &[web()]).await;
    let cloud = &running.cloud;
    let gate = cloud.gate(Match::vault());
    let asked = |requests: &[Recorded]| {
        let for_what = |audience: &str| {
            let of_identity = |request: &&Recorded| request.service == Service::Identity;
            let mut asked = requests.iter().filter(of_identity);
            asked.any(|request| request.query.contains(audience))
        };
        for_what("management.azure.com") && for_what("vault.azure.net")
    };
    event_while(&running, async {
        gate.arrived().await;
        assert!(cloud.wait_until(LIMIT, asked).await);
        gate.release();
    })
    .await;
    // And no more than these two.
    assert_eq!(cloud.requests_to(Service::Identity).len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn where_nginx_lists_no_drains_its_status_is_read_while_azure_is_silent() {
    let cloud = uniform_cloud(2).await;
    cloud.world().set_flavour(Flavour::NginxAaas);
    let running = Running::start(cloud, &[web()]).await;
    assert!(running.event("web-vmss").await.succeeded());
    let cloud = &running.cloud;
    cloud.clear_requests();
    let gate = cloud.gate(Match::arm());
    let status = |requests: &[Recorded]| {
        let mut requests = requests.iter();
        requests.any(|request| {
            request
                .path
                .trim_end_matches('/')
                .ends_with("/upstreams/web")
        })
    };
    event_while(&running, async {
        gate.arrived().await;
        assert!(cloud.wait_until(LIMIT, status).await);
        gate.release();
    })
    .await;
    let of_nginx = cloud.requests_to(Service::Nginx);
    assert_eq!(of_nginx.len(), 2, "{of_nginx:?}");
}

/// A cloud with a set of ten and an empty upstream.
fn ten(cloud: Cloud) -> Cloud {
    cloud.world().add_uniform_set("web-vmss", 10);
    cloud.world().add_upstream(UpstreamKind::Http, "web");
    cloud
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_are_kept_from_pass_to_pass() {
    let running = Running::start(ten(Cloud::start_now()), &[web()]).await;
    let connections =
        || [Service::Arm, Service::Nginx, Service::Vault].map(|of| running.cloud.connections(of));
    for _ in 0..2 {
        assert!(running.event("web-vmss").await.succeeded());
    }
    let warm = connections();
    for _ in 0..5 {
        assert!(running.event("web-vmss").await.succeeded());
    }
    assert_eq!(connections(), warm);
}

#[tokio::test(flavor = "multi_thread")]
async fn where_http2_is_offered_one_connection_carries_all_calls() {
    let running = Running::start(ten(Cloud::start_with_http2()), &[web()]).await;
    for _ in 0..3 {
        event_while(&running, std::future::ready(())).await;
    }
    for service in [Service::Arm, Service::Nginx, Service::Vault] {
        assert_eq!(running.cloud.connections(service), 1, "{service:?}");
    }
}
