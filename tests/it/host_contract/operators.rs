//! `Reconcile`: what an operator and the autoscale webhook may ask for.

use serde_json::{Value, json};
use simulated_cloud::functions_host::Reply;
use simulated_cloud::{UpstreamEntry, UpstreamKind};

use super::{assert_done, assert_failed};
use crate::support::{Running, sorted, uniform_cloud, web};

const JSON: (&str, &str) = ("Content-Type", "application/json");

async fn ask(running: &Running, body: &str) -> Reply {
    running
        .handler
        .http("Reconcile", "POST", Some(body), &[JSON])
        .await
}

/// The caller's status and body.
fn answer(reply: &Reply) -> (u16, Value) {
    let (status, body) = reply.http_response().expect("an HTTP response");
    assert_eq!(
        reply.http_header("Content-Type").as_deref(),
        Some("application/json")
    );
    let text = body.as_str().expect("a body as text");
    (status, serde_json::from_str(text).expect("a JSON body"))
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_request_and_an_empty_object_run_a_pass_over_everything() {
    let running = Running::start(uniform_cloud(0).await, &[web()]).await;
    for (n, body) in [None, Some(""), Some("  \r\n"), Some("{}"), Some("null")]
        .iter()
        .enumerate()
    {
        running.world().scale("web-vmss", 1 + n);
        let reply = running
            .handler
            .http("Reconcile", "POST", *body, &[JSON])
            .await;
        if *body == Some("null") {
            // Not an object: said, and not guessed at.
            assert_eq!(answer(&reply).0, 400);
            continue;
        }
        assert_done(&reply, "pass");
        let (status, report) = answer(&reply);
        assert_eq!(
            (status, &report["outcome"]),
            (200, &json!("changed")),
            "{report}"
        );
        running.assert_follows("pass");
        let servers = running.world().addresses("web-vmss", 80);
        let told: Vec<String> =
            serde_json::from_value(report["upstreams"][0]["servers"].clone()).expect("servers");
        assert_eq!(sorted(told), sorted(servers));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_tells_the_plan_and_writes_nothing() {
    let running = Running::start(uniform_cloud(2).await, &[web()]).await;
    let reply = ask(&running, r#"{"dry_run":true}"#).await;
    assert_done(&reply, "dry run");
    let (status, report) = answer(&reply);
    assert_eq!(status, 200);
    let planned = report["upstreams"][0]["planned"]
        .as_array()
        .expect("a plan");
    let adds: Vec<String> = planned
        .iter()
        .map(|step| {
            assert_eq!(step["action"], "add", "{step}");
            step["server"].as_str().expect("an address").to_owned()
        })
        .collect();
    assert_eq!(
        sorted(adds),
        sorted(running.world().addresses("web-vmss", 80))
    );
    assert_eq!(running.writes(), Vec::<String>::new());
    assert_eq!(running.http("web"), Vec::<String>::new());
    // And `false` is a pass.
    assert_done(&ask(&running, r#"{"dry_run":false}"#).await, "no dry run");
    running.assert_follows("no dry run");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_of_upstreams_is_looked_at_and_nothing_else() {
    let cloud = uniform_cloud(2).await;
    cloud.world().add_upstream(UpstreamKind::Http, "api");
    cloud.world().add_upstream(UpstreamKind::Stream, "api");
    let entries = [
        web(),
        UpstreamEntry::http("api", "web-vmss").on_port(8080),
        UpstreamEntry::stream("api", "web-vmss", 9090),
    ];
    let running = Running::start(cloud, &entries).await;
    let reply = ask(&running, r#"{"upstreams":["api"]}"#).await;
    assert_done(&reply, "api");
    let world = running.world();
    assert_eq!(running.http("web"), Vec::<String>::new());
    assert_eq!(
        sorted(running.http("api")),
        sorted(world.addresses("web-vmss", 8080))
    );
    // Both kinds of that name.
    let stream = world.server_addresses(UpstreamKind::Stream, "api");
    assert_eq!(sorted(stream), sorted(world.addresses("web-vmss", 9090)));
    let (_, report) = answer(&reply);
    let names: Vec<&Value> = report["upstreams"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|one| &one["name"])
        .collect();
    assert_eq!(names, [&json!("api"), &json!("api")]);
    let both = ask(&running, r#"{"upstreams":["web","api","web"]}"#).await;
    assert_done(&both, "both");
    running.assert_follows("both");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_understood_is_refused_with_400_a_reason_and_no_outgoing_request() {
    let running = Running::start(uniform_cloud(2).await, &[web()]).await;
    for (body, reason) in [
        ("{", "not JSON"),
        ("hello", "not JSON"),
        ("\"x\"", "object"),
        ("[]", "object"),
        ("17", "object"),
        (r#"{"dryrun":true}"#, "`dryrun`"),
        (r#"{"Dry_Run":true}"#, "`Dry_Run`"),
        (r#"{"operation":"Scale Out"}"#, "`operation`"),
        (r#"{"dry_run":"yes"}"#, "dry_run"),
        (r#"{"dry_run":null}"#, "dry_run"),
        (r#"{"upstreams":"web"}"#, "upstreams"),
        (r#"{"upstreams":[1]}"#, "upstreams"),
        (r#"{"upstreams":["WEB"]}"#, "`WEB`"),
        (r#"{"upstreams":["web","nope"]}"#, "`nope`"),
        (r#"{"upstreams":[]}"#, "names none"),
        (r#"{"force":true}"#, "force"),
        (r#"{"force":""}"#, "force"),
        (r#"{"force":"x","dry_run":true}"#, "exclude"),
    ] {
        let reply = ask(&running, body).await;
        // The invocation itself has done its work: it is the caller who is told.
        assert_done(&reply, body);
        let (status, answer) = answer(&reply);
        assert_eq!(status, 400, "{body}: {answer}");
        let error = answer["error"].as_str().expect("a reason");
        assert!(error.contains(reason), "{body}: {error}");
        let remedy = answer["remedy"].as_str().expect("a remedy");
        assert!(!remedy.is_empty(), "{body}: {error}");
        assert_eq!(reply.logs(), [format!("Refused: {error}; {remedy}")]);
        running.assert_silent(body);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_names_what_was_probably_meant() {
    let running = Running::start(uniform_cloud(1).await, &[web()]).await;
    for (body, remedy) in [
        (r#"{"dryrun":true}"#, "did you mean `dry_run`?"),
        (r#"{"Force":"x"}"#, "did you mean `force`?"),
        (r#"{"upstream":["web"]}"#, "did you mean `upstreams`?"),
        (r#"{"upstreams":["WEB"]}"#, "did you mean `web`?"),
        (r#"{"upstreams":["webb"]}"#, "did you mean `web`?"),
        (r#"{"colour":1}"#, "the keys are upstreams, dry_run, force"),
        (r#"{"upstreams":["zzzz"]}"#, "`Status` lists"),
    ] {
        let (status, answer) = answer(&ask(&running, body).await);
        assert_eq!(status, 400, "{body}");
        let told = answer["remedy"].as_str().expect("a remedy");
        assert!(told.contains(remedy), "{body}: {told}");
    }
}

/// The host drops a body that has no type or no length. What was a dry run must not become a pass.
#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_the_host_did_not_hand_over_is_refused_and_not_taken_for_none() {
    let running = Running::start(uniform_cloud(1).await, &[web()]).await;
    let body = Some(r#"{"dry_run":true}"#);
    let ask = async |headers: &[(&str, &str)]| {
        running
            .handler
            .http("Reconcile", "POST", body, headers)
            .await
    };
    for headers in [
        &[("Content-Length", "16")][..],
        &[("content-length", " 16 ")],
        &[("Transfer-Encoding", "chunked")],
    ] {
        let reply = ask(headers).await;
        assert_done(&reply, "refused");
        let (status, answer) = answer(&reply);
        assert_eq!(status, 400, "{headers:?}: {answer}");
        assert!(
            answer["remedy"]
                .as_str()
                .expect("a remedy")
                .contains("Content-Type"),
            "{answer}"
        );
        running.assert_silent("refused");
    }
    let reply = ask(&[("Content-Length", "0")]).await;
    assert_eq!(answer(&reply).0, 200);
    running.assert_follows("an empty body is a pass");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_of_some_upstreams_tells_the_plan_of_those() {
    let cloud = uniform_cloud(1).await;
    cloud.world().add_upstream(UpstreamKind::Http, "api");
    let api = UpstreamEntry::http("api", "web-vmss").on_port(8080);
    let running = Running::start(cloud, &[web(), api]).await;
    let reply = ask(&running, r#"{"upstreams":["api"],"dry_run":true}"#).await;
    let (status, report) = answer(&reply);
    assert_eq!(
        (
            status,
            report["upstreams"].as_array().expect("a list").len()
        ),
        (200, 1)
    );
    let planned = &report["upstreams"][0]["planned"][0];
    let address = running.world().addresses("web-vmss", 8080).remove(0);
    assert_eq!(
        (&planned["action"], &planned["server"]),
        (&json!("add"), &json!(address))
    );
    assert_eq!(running.writes(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_autoscale_webhook_runs_a_pass() {
    let running = Running::start(uniform_cloud(3).await, &[web()]).await;
    let payload = json!({
        "version": "1.0",
        "status": "Activated",
        "operation": "Scale Out",
        "context": {
            "timestamp": "2026-03-11T07:31:04.5834118Z",
            "id": "/subscriptions/s/resourceGroups/rg/providers/microsoft.insights/autoscalesettings/a",
            "name": "a",
            "details": "Autoscale successfully started scale operation for resource 'web-vmss' \
                        from capacity '1' to capacity '3'",
            "subscriptionId": "s",
            "resourceGroupName": "rg",
            "resourceName": "web-vmss",
            "resourceType": "microsoft.compute/virtualmachinescalesets",
            "resourceId": "/subscriptions/s/resourceGroups/rg/providers/other",
            "portalLink": "https://portal.azure.com/#resource/",
            "oldCapacity": "1",
            "newCapacity": "3",
        },
        "properties": { "key1": "value1" },
    });
    let reply = ask(&running, &payload.to_string()).await;
    assert_done(&reply, "webhook");
    assert_eq!(answer(&reply).0, 200);
    running.assert_follows("webhook");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_pass_is_500_for_the_caller_with_the_report() {
    let running = Running::start(uniform_cloud(1).await, &[web()]).await;
    running.world().remove_upstream(UpstreamKind::Http, "web");
    let reply = ask(&running, "{}").await;
    assert_failed(&reply, "no such upstream");
    let (status, report) = answer(&reply);
    assert_eq!((status, &report["outcome"]), (500, &json!("failed")));
    assert_eq!(
        report["upstreams"][0]["failures"][0]["kind"],
        "upstream_not_found"
    );
    running.assert_on_stdout(&reply.logs()).await;
}

/// An upstream whose plan is held: two of three are gone, yet wanted.
async fn holding() -> (Running, String) {
    let running = Running::start(uniform_cloud(3).await, &[web()]).await;
    assert_done(&running.event("web-vmss").await, "filled");
    running.world().scale("web-vmss", 1);
    running.world().set_capacity("web-vmss", Some(3));
    let (status, report) = answer(&ask(&running, r#"{"dry_run":true}"#).await);
    assert_eq!(status, 200);
    let digest = report["upstreams"][0]["digest"]
        .as_str()
        .expect("a digest")
        .to_owned();
    running.cloud.clear_requests();
    (running, digest)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_digest_that_fits_no_held_plan_is_409_and_writes_nothing() {
    let (running, digest) = holding().await;
    let before = running.http("web");
    let upper = digest.to_uppercase();
    let longer = format!("{digest}0");
    for wrong in ["wrong", &longer, &digest[1..], &upper] {
        if wrong == digest {
            continue;
        }
        let reply = ask(&running, &json!({ "force": wrong }).to_string()).await;
        assert_done(&reply, wrong);
        let (status, body) = answer(&reply);
        assert_eq!(status, 409, "{wrong}: {body}");
        assert!(
            body["error"]
                .as_str()
                .is_some_and(|text| text.contains(wrong)),
            "{body}"
        );
        assert_eq!(running.writes(), Vec::<String>::new());
    }
    assert_eq!(running.http("web"), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_digest_releases_nothing_outside_the_upstreams_that_are_named_with_it() {
    let cloud = uniform_cloud(3).await;
    cloud.world().add_upstream(UpstreamKind::Http, "api");
    let api = UpstreamEntry::http("api", "web-vmss").on_port(8080);
    let running = Running::start(cloud, &[web(), api]).await;
    assert_done(&running.event("web-vmss").await, "filled");
    running.world().scale("web-vmss", 1);
    running.world().set_capacity("web-vmss", Some(3));
    let (_, report) = answer(&ask(&running, r#"{"dry_run":true}"#).await);
    let digests: Vec<&str> = report["upstreams"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|upstream| upstream["digest"].as_str().expect("a digest"))
        .collect();
    running.cloud.clear_requests();
    let body = json!({ "force": digests[0], "upstreams": ["api"] });
    let (status, refusal) = answer(&ask(&running, &body.to_string()).await);
    assert_eq!(status, 409, "{refusal}");
    let error = refusal["error"].as_str().expect("a reason");
    assert!(
        error.ends_with(&format!("held now: api {}", digests[1])),
        "{error}"
    );
    assert_eq!(running.writes(), Vec::<String>::new());
    let body = json!({ "force": digests[1], "upstreams": ["api"] });
    let (status, report) = answer(&ask(&running, &body.to_string()).await);
    assert_eq!(
        (status, &report["upstreams"][0]["outcome"]),
        (200, &json!("changed"))
    );
    assert_eq!(running.http("web").len(), 3, "the other one is still held");
    assert_eq!(
        running.http("api"),
        running.world().addresses("web-vmss", 8080)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_would_empty_an_upstream_has_no_digest_and_cannot_be_released() {
    let running = Running::start(uniform_cloud(3).await, &[web()]).await;
    assert_done(&running.event("web-vmss").await, "filled");
    let before = running.http("web");
    running.world().scale("web-vmss", 0);
    running.world().set_capacity("web-vmss", Some(3));
    let (status, report) = answer(&ask(&running, "{}").await);
    assert_eq!((status, &report["outcome"]), (200, &json!("held")));
    assert_eq!(report["upstreams"][0]["digest"], Value::Null);
    assert_eq!(running.http("web"), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_digest_of_a_held_plan_releases_it() {
    let (running, digest) = holding().await;
    let reply = ask(&running, &json!({ "force": digest }).to_string()).await;
    assert_done(&reply, "force");
    assert_eq!(answer(&reply).0, 200);
    assert_eq!(
        running.http("web"),
        running.world().addresses("web-vmss", 80)
    );
    // Used up: the plan it named is carried out.
    assert_eq!(
        answer(&ask(&running, &json!({ "force": digest }).to_string()).await).0,
        409
    );
}
