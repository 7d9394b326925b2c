//! Paths and methods.

use simulated_cloud::Match;
use simulated_cloud::functions_host::Reply;

use super::{assert_done, assert_json};
use crate::support::{Running, uniform_cloud, web};

const FUNCTIONS: [&str; 4] = ["VmssScaleEvent", "ReconcileTimer", "Reconcile", "Status"];

fn assert_refused(reply: &Reply, status: u16, what: &str) {
    assert_eq!(reply.status, status, "{what}: {}", reply.text);
    assert_json(reply, what);
    assert!(
        reply.body["error"]
            .as_str()
            .is_some_and(|text| !text.is_empty()),
        "{what}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_ping_is_answered_while_an_invocation_is_under_way() {
    let running = Running::start(uniform_cloud(1).await, &[web()]).await;
    let gate = running.cloud.gate(Match::nginx());
    let (reply, ()) = tokio::join!(running.event("web-vmss"), async {
        gate.arrived().await;
        let ping = running.handler.get("/").await;
        assert_eq!(ping.status, 200);
        assert_json(&ping, "ping");
        gate.release();
    });
    assert_done(&reply, "the event after the ping");
    running.assert_follows("the event after the ping");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_ping_asks_nobody_anything() {
    let running = Running::start(uniform_cloud(1).await, &[web()]).await;
    assert_eq!(running.handler.get("/").await.status, 200);
    running.assert_silent("ping");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_path_is_refused_with_404_in_json() {
    let running = Running::start(uniform_cloud(1).await, &[web()]).await;
    for path in [
        "/api/Status",
        "/VmssEvent",
        "/VmssScaleEvent/",
        "/VmssScaleEvent/x",
        "/admin",
        "//",
        "/%00",
        "/%2e%2e/etc/passwd",
        "/<script>alert(1)</script>",
    ] {
        let path = path.replace('<', "%3C").replace('>', "%3E");
        assert_refused(&running.handler.get(&path).await, 404, &path);
        let posted = running.handler.post_raw(&path, b"{}".to_vec()).await;
        assert_refused(&posted, 404, &path);
    }
    running.assert_silent("unknown paths");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_functions_names_are_compared_with_case() {
    let running = Running::start(uniform_cloud(1).await, &[web()]).await;
    for name in FUNCTIONS {
        for path in [
            format!("/{}", name.to_lowercase()),
            format!("/{}", name.to_uppercase()),
        ] {
            let reply = running.handler.post_raw(&path, b"{}".to_vec()).await;
            assert_refused(&reply, 404, &path);
        }
    }
    running.assert_silent("names in another case");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_method_than_the_hosts_is_refused_with_405_in_json() {
    let running = Running::start(uniform_cloud(1).await, &[web()]).await;
    for name in FUNCTIONS {
        let path = format!("/{name}");
        assert_refused(&running.handler.get(&path).await, 405, &path);
        for method in ["PUT", "DELETE", "PATCH", "OPTIONS"] {
            let (status, kind, text) = running.send(method, &path, &[], vec![]).await;
            assert_eq!(
                (status, kind.as_str()),
                (405, "application/json"),
                "{method} {path}"
            );
            let body: serde_json::Value = serde_json::from_str(&text).expect("JSON");
            assert!(body["error"].is_string(), "{method} {path}: {text}");
        }
    }
    let posted = running.handler.post_raw("/", b"{}".to_vec()).await;
    assert_refused(&posted, 405, "POST /");
    running.assert_silent("wrong methods");
}
