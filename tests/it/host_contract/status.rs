//! `Status`: the last pass and a live reading, for programs and for people.

mod load;
mod memory;
mod page;
mod servers;

use serde_json::{Value, json};
use simulated_cloud::functions_host::{Handler, Reply};
use simulated_cloud::{Cloud, UpstreamEntry, UpstreamKind};

use super::{assert_done, assert_failed};
use crate::support::{Running, binary, environment, sorted, uniform_cloud, web};

async fn status(running: &Running, headers: &[(&str, &str)]) -> Reply {
    let reply = running.handler.http("Status", "GET", None, headers).await;
    assert_done(&reply, "Status");
    assert_eq!(reply.http_response().map(|(status, _)| status), Some(200));
    reply
}

fn json_body(reply: &Reply) -> Value {
    assert_eq!(
        reply.http_header("Content-Type").as_deref(),
        Some("application/json")
    );
    let (_, body) = reply.http_response().expect("a response");
    serde_json::from_str(body.as_str().expect("text")).expect("JSON")
}

fn page(reply: &Reply) -> String {
    assert_eq!(
        reply.http_header("Content-Type").as_deref(),
        Some("text/html; charset=utf-8")
    );
    let (_, body) = reply.http_response().expect("a response");
    body.as_str().expect("text").to_owned()
}

/// The status as JSON.
async fn read(running: &Running) -> Value {
    json_body(&status(running, &[]).await)
}

/// The status as a page.
async fn read_page(running: &Running) -> String {
    page(&status(running, &[("Accept", "text/html")]).await)
}

/// A handler on an App Service instance.
async fn on_instance(cloud: Cloud, upstreams: &[UpstreamEntry], instance: &str) -> Running {
    let mut env = environment(&cloud, &cloud.config_yaml(upstreams));
    env.push(("WEBSITE_INSTANCE_ID".to_owned(), instance.to_owned()));
    let handler = Handler::spawn(binary(), env).await;
    Running { cloud, handler }
}

fn texts(value: &Value) -> Vec<String> {
    serde_json::from_value(value.clone()).expect("a list of texts")
}

#[tokio::test(flavor = "multi_thread")]
async fn before_any_pass_it_tells_what_is_there_and_that_nothing_was_done() {
    let running = Running::start(uniform_cloud(2).await, &[web()]).await;
    let body = json_body(&status(&running, &[]).await);
    let upstream = &body["upstreams"][0];
    assert_eq!(body["passes"], 0);
    assert_eq!(
        (&upstream["name"], &upstream["kind"]),
        (&json!("web"), &json!("http"))
    );
    assert_eq!(upstream["servers"], json!([]));
    assert_eq!(upstream["last_attempt"], Value::Null);
    assert_eq!(upstream["last_outcome"], Value::Null);
    assert_eq!(running.writes(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn it_tells_the_last_pass_of_each_upstream_beside_what_nginx_has_now() {
    let cloud = uniform_cloud(2).await;
    cloud.world().add_upstream(UpstreamKind::Http, "api");
    let api = UpstreamEntry::http("api", "web-vmss").on_port(8080);
    let running = Running::start(cloud, &[web(), api]).await;
    let reply = running.event("web-vmss").await;
    assert_done(&reply, "event");
    running.world().remove_upstream(UpstreamKind::Http, "api");
    assert_failed(&running.handler.timer_tick().await, "tick");
    running.cloud.clear_requests();
    let body = json_body(&status(&running, &[]).await);
    assert_eq!(body["passes"], 2);
    let (web, api) = (&body["upstreams"][0], &body["upstreams"][1]);
    assert_eq!(sorted(texts(&web["servers"])), sorted(running.http("web")));
    assert_eq!(
        (&web["outcome"], &web["last_outcome"]),
        (&json!("unchanged"), &json!("unchanged"))
    );
    assert_eq!(
        (&api["outcome"], &api["last_outcome"]),
        (&json!("failed"), &json!("failed"))
    );
    assert!(api["last_success"].is_string() && web["last_success"].is_string());
    assert!(
        api["last_line"]
            .as_str()
            .is_some_and(|line| line.contains("UpstreamNotFound"))
    );
    assert_eq!(running.writes(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn it_says_whose_view_it_is() {
    let instance = "c6e3b2a1f09d4c55b7a8e0d1c2b3a4f5";
    let running = on_instance(uniform_cloud(1).await, &[web()], instance).await;
    let body = read(&running).await;
    assert_eq!(body["schema"], 1);
    assert_eq!(body["version"], env!("CARGO_PKG_VERSION"));
    let process = &body["process"];
    assert_eq!(process["instance"], "c6e3b2a1");
    assert_eq!(process["pid"], running.handler.id());
    assert!(
        process["started"].as_str().unwrap().ends_with('Z'),
        "{process}"
    );
    assert!(
        process["uptime_seconds"].as_u64().unwrap() < 600,
        "{process}"
    );
    let page = read_page(&running).await;
    let whose = format!("process {} on instance c6e3b2a1", running.handler.id());
    assert!(page.contains(&whose), "{page}");
    assert!(!page.contains(instance), "shortened");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_stands_in_the_status_or_in_the_log() {
    let running = Running::start(uniform_cloud(1).await, &[web()]).await;
    assert_done(&running.event("web-vmss").await, "event");
    let body = status(&running, &[]).await.text;
    let page = status(&running, &[("Accept", "text/html")]).await.text;
    let log = running.handler.stdout_lines().join("\n");
    let mut secrets = running.world().issued_tokens();
    secrets.extend([running.cloud.api_key(), running.cloud.identity_header()]);
    assert!(secrets.len() > 2, "tokens were issued");
    for secret in secrets {
        for text in [&body, &page, &log] {
            assert!(!text.contains(&secret), "a secret was told");
        }
    }
}
