//! Requests through the simulated NGINX.

use std::time::Duration;

use simulated_cloud::{Cloud, Match, PowerState, Server, UpstreamKind};

use crate::client::{nginx, send};

const HTTP: UpstreamKind = UpstreamKind::Http;

async fn cloud(instances: usize) -> Cloud {
    let cloud = Cloud::start().await;
    let world = cloud.world();
    world.add_uniform_set("web", instances);
    world.add_upstream(HTTP, "app");
    for address in world.addresses("web", 80) {
        world.put_server(HTTP, "app", Server::at(&address));
    }
    cloud
}

async fn ask(cloud: &Cloud) -> (u16, String) {
    let url = format!("http://127.0.0.1:{}/", cloud.traffic_port("app"));
    let response = send(cloud, "GET", &url, &[], "").await.unwrap();
    (response.status, response.text)
}

#[tokio::test]
async fn requests_go_round_among_the_servers_that_are_up() {
    let cloud = cloud(3).await;
    let world = cloud.world();
    let addresses: Vec<String> = world
        .instances("web")
        .iter()
        .map(|i| i.address().unwrap().to_owned())
        .collect();
    let mut seen = Vec::new();
    for _ in 0..3 {
        seen.push(ask(&cloud).await.1);
    }
    seen.sort();
    assert_eq!(seen, addresses);

    world.change_server(HTTP, "app", &format!("{}:80", addresses[0]), |s| {
        s.drain = true;
    });
    world.change_server(HTTP, "app", &format!("{}:80", addresses[1]), |s| {
        s.backup = true;
    });
    for _ in 0..3 {
        assert_eq!(ask(&cloud).await, (200, addresses[2].clone()));
    }
    world.change_server(HTTP, "app", &format!("{}:80", addresses[2]), |s| {
        s.down = true;
    });
    assert_eq!(ask(&cloud).await.1, addresses[1]);
    world.take_server(HTTP, "app", &format!("{}:80", addresses[1]));
    assert_eq!(ask(&cloud).await.0, 502);
}

#[tokio::test]
async fn a_machine_answers_while_it_is_deleted_and_no_longer_when_it_is_gone() {
    let cloud = cloud(1).await;
    let world = cloud.world();
    world.mark_deleting("web", 0);
    assert_eq!(ask(&cloud).await.0, 200);
    world.set_power("web", 0, PowerState::Deallocated);
    assert_eq!(ask(&cloud).await.0, 502);
    world.set_power("web", 0, PowerState::Running);
    assert_eq!(ask(&cloud).await.0, 200);
    world.finish_delete("web", 0);
    let (status, reason) = ask(&cloud).await;
    assert_eq!(status, 502);
    assert!(reason.contains("connection refused"), "{reason}");
}

#[tokio::test]
async fn a_removed_server_finishes_its_requests_as_a_zombie() {
    let cloud = cloud(1).await;
    let id = cloud.world().servers(HTTP, "app")[0].id;
    let traffic = cloud.held_traffic("app", 1);
    let status = async || nginx(&cloud, "GET", "http/upstreams/app/", "").await.json();
    while status().await["peers"][0]["active"] != 1 {
        tokio::task::yield_now().await;
    }
    let path = format!("http/upstreams/app/servers/{id}");
    assert_eq!(nginx(&cloud, "DELETE", &path, "").await.status, 200);
    assert_eq!(status().await["zombies"], 1);
    // Stopping first, so that the client does not come back for more.
    let stop = tokio::spawn(traffic.stop());
    while !stop.is_finished() {
        cloud.world().release_held_requests();
        tokio::task::yield_now().await;
    }
    let count = stop.await.unwrap();
    assert_eq!((count.ok, count.failed), (1, 0));
    assert_eq!(status().await["zombies"], 0);
}

#[tokio::test]
async fn a_load_counts_what_came_of_its_requests() {
    let cloud = cloud(2).await;
    let traffic = cloud.traffic("app", 3);
    traffic.wait_for(20).await;
    assert_eq!(traffic.count().failed, 0);
    cloud.world().scale("web", 0);
    traffic.wait_for(10).await;
    let count = traffic.stop().await;
    assert!(count.ok >= 20 && count.failed > 0, "{count:?}");
    let refused = |reason: &String| reason.contains("connection refused");
    assert!(count.failures.iter().any(refused), "{count:?}");
}

#[tokio::test]
async fn latency_slows_a_service_down() {
    let cloud = cloud(1).await;
    cloud.set_latency(simulated_cloud::Service::Nginx, Duration::from_millis(50));
    let gate = cloud.gate(Match::nginx());
    let before = std::time::Instant::now();
    let arrival = async {
        gate.arrived().await;
        gate.release();
        before.elapsed()
    };
    let (reply, elapsed) = tokio::join!(nginx(&cloud, "GET", "", ""), arrival);
    assert_eq!(reply.status, 200);
    assert!(elapsed >= Duration::from_millis(50));
}
