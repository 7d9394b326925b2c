//! The main job: an event or a tick makes the upstream match the scale set.

use simulated_cloud::{Cloud, Flavour, Server, Service, UpstreamEntry, UpstreamKind};

use crate::support::{Running, flexible_cloud, sorted, uniform_cloud, web};

/// One event from nothing, for a set of `n`; returns the number of Azure listings and model reads.
async fn first_fill(cloud: Cloud, n: usize) -> usize {
    let running = Running::start(cloud, &[web()]).await;
    let reply = running.event("web-vmss").await;
    assert!(
        reply.succeeded(),
        "{n}: {} {:?}",
        reply.text,
        running.handler.stdout_lines()
    );
    let expected = sorted(running.world().addresses("web-vmss", 80));
    assert_eq!(expected.len(), n);
    assert_eq!(sorted(running.http("web")), expected);
    running.arm_requests().len()
}

#[tokio::test(flavor = "multi_thread")]
async fn one_event_fills_an_empty_upstream_from_a_uniform_set_of_any_size_with_three_calls() {
    for n in [1, 100, 1_000] {
        assert_eq!(
            first_fill(uniform_cloud(n).await, n).await,
            3,
            "{n} instances"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_event_fills_an_empty_upstream_from_a_flexible_set_of_any_size_with_three_calls() {
    for n in [1, 100, 1_000] {
        assert_eq!(
            first_fill(flexible_cloud(n).await, n).await,
            3,
            "{n} instances"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_grow_with_pages_only() {
    for cloud in [uniform_cloud(100).await, flexible_cloud(100).await] {
        cloud.world().set_page_size(40);
        // The set, and three pages each of machines and interfaces.
        assert_eq!(first_fill(cloud, 100).await, 1 + 3 + 3);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_timer_tick_alone_follows_scale_out_and_scale_in() {
    let running = Running::start(uniform_cloud(0).await, &[web()]).await;
    for n in [3, 5, 2] {
        running.world().scale("web-vmss", n);
        let reply = running.handler.timer_tick().await;
        assert!(reply.succeeded(), "{}", reply.text);
        assert_eq!(
            sorted(running.http("web")),
            sorted(running.world().addresses("web-vmss", 80))
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_reply_names_what_changed_in_the_old_agents_words() {
    let running = Running::start(uniform_cloud(1).await, &[web()]).await;
    let address = running.world().addresses("web-vmss", 80).remove(0);
    let reply = running.event("web-vmss").await;
    let line = format!(
        "Updated HTTP servers of web for group web-vmss ; Added: [{address}], Removed: [], Updated: []"
    );
    assert_eq!(reply.logs(), std::slice::from_ref(&line));
    assert!(
        running
            .handler
            .wait_for_line(&line, std::time::Duration::from_secs(5))
            .await
    );
}

/// The old agent's documented file, but for the endpoints.
fn old_agents_file(cloud: &Cloud, authentication: &str) -> String {
    format!(
        "cloud_provider: Azure\n\
         subscription_id: {}\n\
         resource_group_name: {}\n\
         resource_manager_endpoint: {}\n\
         api_endpoint: {}\n\
         sync_interval: 5s\n\
         {authentication}\n\
         upstreams:\n\
         \x20 - name: backend-one\n\
         \x20   virtual_machine_scale_set: backend-one-vmss\n\
         \x20   port: 80\n\
         \x20   kind: http\n\
         \x20   max_conns: 0\n\
         \x20   max_fails: 1\n\
         \x20   fail_timeout: 10s\n\
         \x20   slow_start: 0s\n\
         \x20 - name: backend-two\n\
         \x20   virtual_machine_scale_set: backend-two-vmss\n\
         \x20   port: 8080\n\
         \x20   kind: http\n\
         \x20   max_conns: 100\n\
         \x20   max_fails: 3\n\
         \x20   fail_timeout: 30s\n\
         \x20   slow_start: 10s\n",
        cloud.subscription_id(),
        cloud.resource_group(),
        cloud.resource_manager_endpoint(),
        cloud.api_endpoint(),
    )
}

async fn serve_the_old_agents_file(authentication: impl Fn(&Cloud) -> String) {
    let cloud = Cloud::start().await;
    for (set, upstream) in [
        ("backend-one-vmss", "backend-one"),
        ("backend-two-vmss", "backend-two"),
    ] {
        cloud.world().add_uniform_set(set, 2);
        cloud.world().add_upstream(UpstreamKind::Http, upstream);
    }
    let yaml = old_agents_file(&cloud, &authentication(&cloud));
    let running = Running::with_yaml(cloud, &yaml).await;
    let reply = running.handler.timer_tick().await;
    assert!(reply.succeeded(), "{}", reply.text);
    let world = running.world();
    for call in running.cloud.requests() {
        let is_nginx = call.service == Service::Nginx;
        let typed = call.header("content-type") == Some("application/json");
        assert!(!is_nginx || typed, "{} {}", call.method, call.path);
    }
    assert_eq!(
        sorted(running.http("backend-one")),
        sorted(world.addresses("backend-one-vmss", 80))
    );
    assert_eq!(
        sorted(running.http("backend-two")),
        sorted(world.addresses("backend-two-vmss", 8080))
    );
    for server in world.servers(UpstreamKind::Http, "backend-two") {
        let found = (
            server.max_conns,
            server.max_fails,
            &*server.fail_timeout,
            &*server.slow_start,
        );
        assert_eq!(found, (100, 3, "30s", "10s"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_old_agents_file_works_with_the_key_in_its_header() {
    serve_the_old_agents_file(|cloud| {
        use std::fmt::Write as _;
        let mut header = String::new();
        for byte in base64(cloud.api_key().as_bytes()).bytes() {
            let _ = write!(header, "{}", char::from(byte));
        }
        format!(
            "custom_headers:\n  Content-Type: application/json\n  Authorization: ApiKey {header}"
        )
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_old_agents_file_works_with_the_key_in_key_vault() {
    serve_the_old_agents_file(|cloud| {
        format!(
            "api_key_secret: {}\ncustom_headers:\n  Content-Type: application/json",
            cloud.vault_secret_id()
        )
    })
    .await;
}

fn base64(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_pass_with_nothing_changed_writes_nothing_in_either_flavour() {
    for flavour in [Flavour::Native, Flavour::NginxAaas] {
        let cloud = uniform_cloud(3).await;
        cloud.world().set_flavour(flavour);
        // Re-rendered by NGINX: one minute comes back as sixty seconds.
        let entry = web().with("fail_timeout", "1m").with("slow_start", "500ms");
        let running = Running::start(cloud, &[entry]).await;
        assert!(running.event("web-vmss").await.succeeded());
        running.cloud.clear_requests();
        assert!(running.handler.timer_tick().await.succeeded());
        assert_eq!(running.writes(), Vec::<String>::new(), "{flavour:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_whose_id_is_0_is_removed_even_where_nginxaas_leaves_the_id_out() {
    let cloud = uniform_cloud(3).await;
    cloud.world().set_flavour(Flavour::NginxAaas);
    let running = Running::start(cloud, &[web()]).await;
    assert!(running.event("web-vmss").await.succeeded());
    let world = running.world();
    let gone = world.addresses("web-vmss", 80).remove(2);
    world.change_server(UpstreamKind::Http, "web", &gone, |server| server.id = 0);
    world.scale("web-vmss", 2);
    assert!(running.event("web-vmss").await.succeeded());
    assert_eq!(running.http("web"), sorted(world.addresses("web-vmss", 80)));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_operator_set_on_a_server_is_left_as_it_is() {
    let running = Running::start(uniform_cloud(2).await, &[web()]).await;
    assert!(running.event("web-vmss").await.succeeded());
    let world = running.world();
    let address = running.http("web").remove(0);
    let touched = |server: &mut Server| {
        server.weight = 7;
        server.backup = true;
        server.down = true;
        server.route = "r1".to_owned();
    };
    world.change_server(UpstreamKind::Http, "web", &address, touched);
    let before = world.servers(UpstreamKind::Http, "web");
    running.cloud.clear_requests();
    assert!(running.handler.timer_tick().await.succeeded());
    assert_eq!(running.writes(), Vec::<String>::new());
    assert_eq!(world.servers(UpstreamKind::Http, "web"), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_parameter_that_is_ours_is_put_right_with_one_patch() {
    let running = Running::start(uniform_cloud(2).await, &[web()]).await;
    assert!(running.event("web-vmss").await.succeeded());
    let address = running.http("web").remove(0);
    running
        .world()
        .change_server(UpstreamKind::Http, "web", &address, |server| {
            server.max_fails = 9;
        });
    running.cloud.clear_requests();
    let reply = running.handler.timer_tick().await;
    let line = format!(
        "Updated HTTP servers of web for group web-vmss ; Added: [], Removed: [], Updated: [{address}]"
    );
    assert_eq!(reply.logs(), [line]);
    assert_eq!(running.writes().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_upstream_is_served_like_an_http_one() {
    let cloud = Cloud::start().await;
    cloud.world().add_flexible_set("db-vmss", 3);
    cloud.world().add_upstream(UpstreamKind::Stream, "db");
    let running = Running::start(cloud, &[UpstreamEntry::stream("db", "db-vmss", 5432)]).await;
    let reply = running.event("db-vmss").await;
    assert!(reply.succeeded(), "{}", reply.text);
    assert!(reply.logs()[0].starts_with("Updated Stream servers of db for group db-vmss ;"));
    let world = running.world();
    assert_eq!(
        sorted(world.server_addresses(UpstreamKind::Stream, "db")),
        sorted(world.addresses("db-vmss", 5432))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_between_any_two_writes_is_made_good_by_the_next_pass() {
    use simulated_cloud::functions_host::Handler;
    // Four to add, three to remove.
    let writes = 7;
    for kill_after in 0..writes {
        let running = Running::start(uniform_cloud(4).await, &[web()]).await;
        let world = running.world();
        for gone in ["172.31.9.1:80", "172.31.9.2:80", "172.31.9.3:80"] {
            world.put_server(UpstreamKind::Http, "web", Server::at(gone));
        }
        let gate = running.cloud.gate(
            simulated_cloud::Match::nginx()
                .method(if kill_after < 4 { "POST" } else { "DELETE" })
                .skip(if kill_after < 4 {
                    kill_after
                } else {
                    kill_after - 4
                }),
        );
        let Running { cloud, handler } = running;
        let set = world.set_id("web-vmss");
        let event = async {
            tokio::select! {
                _ = handler.scale_set_written(&set) => panic!("the write did not wait at the gate"),
                () = gate.arrived() => {}
            }
        };
        event.await;
        handler.kill().await;
        gate.release();
        let yaml = cloud.config_yaml(&[web()]);
        let handler = Handler::spawn(
            crate::support::binary(),
            crate::support::environment(&cloud, &yaml),
        )
        .await;
        let reply = handler.timer_tick().await;
        assert!(reply.succeeded(), "{}", reply.text);
        assert_eq!(
            sorted(world.server_addresses(UpstreamKind::Http, "web")),
            sorted(world.addresses("web-vmss", 80)),
            "killed after {kill_after} writes"
        );
        assert_eq!(cloud.requests_to(Service::Foreign).len(), 0);
    }
}
