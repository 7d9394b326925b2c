//! The NGINX API key: read from the vault, and read again when it is refused.

use simulated_cloud::{Cloud, Fault, Match, Service, UpstreamEntry, UpstreamKind};

use crate::safety_support::{failing_tick, filled, tick};
use crate::support::{Running, sorted, uniform_cloud, web};

/// The readings of the secret that the vault answered.
fn readings(cloud: &Cloud) -> usize {
    let requests = cloud.requests_to(Service::Vault);
    requests
        .iter()
        .filter(|request| request.status == Some(200))
        .count()
}

async fn two_upstreams() -> (Cloud, Vec<UpstreamEntry>) {
    let cloud = uniform_cloud(3).await;
    cloud.world().add_upstream(UpstreamKind::Http, "other");
    (
        cloud,
        vec![
            web(),
            UpstreamEntry::http("other", "web-vmss").on_port(8080),
        ],
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rotated_key_is_read_again_once_and_the_pass_goes_on() {
    for json in [false, true] {
        let (cloud, entries) = two_upstreams().await;
        cloud.world().answer_unauthorized_as_json(json);
        let running = filled(cloud, &entries).await;
        let world = running.world();
        world.scale("web-vmss", 5);
        world.rotate_key("the-second-key", true);
        tick(&running).await;
        assert_eq!(readings(&running.cloud), 1);
        assert_eq!(running.http("web"), sorted(world.addresses("web-vmss", 80)));
        assert_eq!(
            running.http("other"),
            sorted(world.addresses("web-vmss", 8080))
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_is_rotated_in_the_middle_of_a_pass_stops_no_write() {
    let (cloud, entries) = two_upstreams().await;
    let running = filled(cloud, &entries).await;
    let world = running.world();
    world.scale("web-vmss", 9);
    let gate = running.cloud.gate(Match::nginx().method("POST").skip(3));
    let rotation = async {
        gate.arrived().await;
        world.rotate_key("the-second-key", true);
        gate.release();
    };
    let (reply, ()) = tokio::join!(running.handler.timer_tick(), rotation);
    assert!(reply.succeeded(), "{}", reply.text);
    assert_eq!(readings(&running.cloud), 1);
    assert_eq!(running.http("web"), sorted(world.addresses("web-vmss", 80)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_key_in_the_vault_is_read_again_once_a_pass_and_not_once_a_call() {
    let (cloud, entries) = two_upstreams().await;
    cloud.world().rotate_key("nginx-knows-only-this-one", false);
    let running = Running::start(cloud, &entries).await;
    let lines = failing_tick(&running).await;
    assert!(
        lines.contains("denied: `localhost` does not accept the API key"),
        "{lines}"
    );
    // The first reading, and one again.
    assert_eq!(readings(&running.cloud), 2);
    assert_eq!(running.writes(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_that_cannot_be_read_says_which_role_is_missing() {
    let (cloud, entries) = two_upstreams().await;
    cloud.world().deny_secrets(true);
    let running = Running::start(cloud, &entries).await;
    let lines = failing_tick(&running).await;
    assert!(
        lines.contains("grant the identity the role `Key Vault Secrets User`"),
        "{lines}"
    );
    running.world().deny_secrets(false);
    tick(&running).await;
    assert_eq!(
        running.http("web"),
        sorted(running.world().addresses("web-vmss", 80))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn writes_that_are_refused_one_after_the_other_cost_one_reading_of_the_key() {
    let running = filled(uniform_cloud(1).await, &[web()]).await;
    running.world().scale("web-vmss", 40);
    let posts = Match::nginx().method("POST");
    let refused = running.cloud.fault(posts, Fault::HtmlError(403), None);
    failing_tick(&running).await;
    assert!(refused.hits() >= 39, "{}", refused.hits());
    assert_eq!(readings(&running.cloud), 1);
}

fn asked_to_wait(seconds: u64) -> Fault {
    Fault::Status {
        code: 429,
        body: r#"{"error":{"code":"Throttled","message":"slow down"}}"#.to_owned(),
        headers: vec![("retry-after".to_owned(), seconds.to_string())],
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vault_that_asks_for_a_long_wait_is_left_alone_by_the_next_passes_too() {
    let running = Running::start(uniform_cloud(2).await, &[web()]).await;
    running
        .cloud
        .fault(Match::vault(), asked_to_wait(600), None);
    let lines = failing_tick(&running).await;
    assert!(
        lines.contains("it asked not to be called before"),
        "{lines}"
    );
    let asked = running.cloud.requests_to(Service::Vault).len();
    // The same reason is the same line.
    assert_eq!(failing_tick(&running).await, lines);
    assert_eq!(running.cloud.requests_to(Service::Vault).len(), asked);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_short_wait_that_the_vault_asks_for_is_part_of_the_pass() {
    let running = Running::start(uniform_cloud(2).await, &[web()]).await;
    running
        .cloud
        .fault(Match::vault(), asked_to_wait(1), Some(1));
    let begun = std::time::Instant::now();
    tick(&running).await;
    assert!(begun.elapsed() >= std::time::Duration::from_secs(1));
    let wanted = sorted(running.world().addresses("web-vmss", 80));
    assert_eq!(running.http("web"), wanted);
}
