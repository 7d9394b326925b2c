//! `Status`: the last pass and a live reading, for programs and for people.

use serde_json::{Value, json};
use simulated_cloud::functions_host::Reply;
use simulated_cloud::{Fault, Match, UpstreamEntry, UpstreamKind};

use super::{assert_done, assert_failed};
use crate::support::{Running, sorted, uniform_cloud, web};

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
async fn the_accept_header_chooses_between_json_and_a_page() {
    let running = Running::start(uniform_cloud(1).await, &[web()]).await;
    assert_done(&running.event("web-vmss").await, "event");
    for accept in ["application/json", "*/*", "text/plain"] {
        json_body(&status(&running, &[("Accept", accept)]).await);
    }
    let browser = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
    for (name, accept) in [
        ("Accept", browser),
        ("accept", "text/html"),
        ("ACCEPT", "Text/HTML"),
    ] {
        let page = page(&status(&running, &[(name, accept)]).await);
        assert!(page.starts_with("<!doctype html>"), "{page}");
        for address in running.http("web") {
            assert!(page.contains(&address), "{page}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_escapes_whatever_others_have_written() {
    let cloud = uniform_cloud(1).await;
    let evil = "<img src=x onerror=alert(1)>\"'&";
    cloud.world().add_upstream(UpstreamKind::Http, evil);
    let named = UpstreamEntry::http(&json!(evil).to_string(), "web-vmss");
    let running = Running::start(cloud, &[named]).await;
    let script = "<script>alert('x')</script>";
    let fault = Fault::arm_error(403, "AuthorizationFailed", script);
    running.cloud.fault(Match::arm(), fault, None);
    let reply = running.event("web-vmss").await;
    assert_failed(&reply, "forbidden");
    assert!(reply.logs()[0].contains(script), "{}", reply.text);
    let page = page(&status(&running, &[("Accept", "text/html")]).await);
    assert!(
        !page.contains("<script") && !page.contains("<img"),
        "{page}"
    );
    let escaped = "&lt;img src=x onerror=alert(1)&gt;&quot;&#39;&amp;";
    assert!(page.contains(escaped), "{page}");
    assert!(
        page.contains("&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;"),
        "{page}"
    );
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
