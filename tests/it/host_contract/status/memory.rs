//! What a process remembers of its passes, and that the document names all of it.

use std::collections::BTreeSet;

use simulated_cloud::{PowerState, Service};

use super::*;
use crate::safety_support::{address_of, filled, reconcile};

fn changes(body: &Value) -> Vec<Value> {
    body["changes"].as_array().unwrap().clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_change_is_told_with_its_counts_and_what_asked_for_it() {
    let running = Running::start(uniform_cloud(3).await, &[web()]).await;
    assert_done(&running.event("web-vmss").await, "three added");
    running.world().scale("web-vmss", 2);
    assert_done(&running.handler.timer_tick().await, "one removed");
    assert_done(&running.handler.timer_tick().await, "nothing");
    let leaving = address_of(&running.world(), "web-vmss", 0);
    running
        .world()
        .set_active(UpstreamKind::Http, "web", &leaving, Some(2));
    running
        .world()
        .set_power("web-vmss", 0, PowerState::Stopping);
    assert_eq!(reconcile(&running, "{}").await.0, 200);
    assert_done(&running.handler.timer_tick().await, "still draining");
    let body = read(&running).await;
    let told: Vec<Value> = changes(&body)
        .into_iter()
        .map(|one| {
            json!([
                one["trigger"],
                one["added"],
                one["removed"],
                one["draining"],
                one["passes"]
            ])
        })
        .collect();
    let expected = [
        json!(["request", 0, 0, 1, 1]),
        json!(["timer", 0, 1, 0, 1]),
        json!(["event", 3, 0, 0, 1]),
    ];
    assert_eq!(told, expected);
    assert_eq!(changes(&body)[0]["upstream"], "web");
    assert_eq!(body["passes"], 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_held_pass_after_pass_is_one_entry_and_its_release_another() {
    let running = filled(uniform_cloud(4).await, &[web()]).await;
    running.world().scale("web-vmss", 1);
    running.world().set_capacity("web-vmss", Some(4));
    for _ in 0..5 {
        assert_done(&running.handler.timer_tick().await, "held");
    }
    let body = read(&running).await;
    let held = &changes(&body)[0];
    assert_eq!(
        (&held["outcome"], &held["held"], &held["passes"]),
        (&json!("held"), &json!(3), &json!(5))
    );
    let release = body["upstreams"][0]["release_body"].as_str().unwrap();
    assert_eq!(reconcile(&running, release).await.0, 200);
    let body = read(&running).await;
    let released = &changes(&body)[0];
    assert_eq!(
        (
            &released["forced"],
            &released["removed"],
            &released["trigger"]
        ),
        (&json!(true), &json!(3), &json!("request"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_requests_of_the_last_pass_and_of_the_reading_are_counted() {
    let running = Running::start(uniform_cloud(2).await, &[web()]).await;
    let sent = |services: &[Service]| {
        let requests = running.cloud.requests();
        requests
            .iter()
            .filter(|request| services.contains(&request.service))
            .count()
    };
    let azure = [Service::Arm, Service::Vault, Service::Identity];
    assert_done(&running.event("web-vmss").await, "event");
    let (pass_azure, pass_nginx) = (sent(&azure), sent(&[Service::Nginx]));
    assert!(
        pass_azure > 3,
        "sign-in, Key Vault and three listings: {pass_azure}"
    );
    running.cloud.clear_requests();
    let body = read(&running).await;
    let pass = &body["last_pass"];
    assert_eq!(
        (&pass["azure_calls"], &pass["nginx_calls"]),
        (&json!(pass_azure), &json!(pass_nginx))
    );
    assert_eq!(
        (&pass["trigger"], &pass["outcome"]),
        (&json!("event"), &json!("changed"))
    );
    assert!(pass["took_ms"].is_u64() && pass["at"].is_string(), "{pass}");
    let reading = &body["read"];
    assert_eq!(
        (&reading["azure_calls"], &reading["nginx_calls"]),
        (&json!(sent(&azure)), &json!(sent(&[Service::Nginx])))
    );
    assert_eq!(reading["problem"], Value::Null);
    assert_eq!(body["upstreams"][0]["last_trigger"], "event");
    // The reply of `Reconcile` has the same numbers.
    running.cloud.clear_requests();
    let (_, report) = reconcile(&running, "{}").await;
    assert_eq!(report["azure_calls"], sent(&azure));
    assert_eq!(report["nginx_calls"], sent(&[Service::Nginx]));
}

/// Every key of every object in a value.
fn keys(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(object) => {
            for (key, value) in object {
                found.insert(key.clone());
                keys(value, found);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| keys(item, found)),
        _ => {}
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_document_names_every_key_and_no_other() {
    let cloud = uniform_cloud(4).await;
    let lost = UpstreamEntry::http("lost", "web-vmss");
    let running = Running::start(cloud, &[web(), lost]).await;
    let _ = running.handler.timer_tick().await;
    let world = running.world();
    world.scale("web-vmss", 1);
    world.set_capacity("web-vmss", Some(4));
    world.begin_scale("web-vmss", 2);
    world.set_capacity("web-vmss", Some(4));
    let mut found = BTreeSet::new();
    keys(&read(&running).await, &mut found);
    assert!(found.contains("release_body") && found.contains("not_in_upstream"));
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/status.md");
    let text = std::fs::read_to_string(path).unwrap();
    let parts = |quoted: &str| -> Vec<String> {
        quoted
            .split('.')
            .map(|part| part.trim_end_matches("[]").to_owned())
            .collect()
    };
    let quoted: BTreeSet<String> = text.split('`').skip(1).step_by(2).flat_map(parts).collect();
    let missing: Vec<&String> = found.difference(&quoted).collect();
    assert!(missing.is_empty(), "not in docs/status.md: {missing:?}");
    // And what has a row of its own is really there.
    let rows = text
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split_once('`'));
    let rows: BTreeSet<String> = rows.flat_map(|(key, _)| parts(key)).collect();
    let invented: Vec<&String> = rows.difference(&found).collect();
    assert!(invented.is_empty(), "in docs/status.md only: {invented:?}");
    assert!(rows.len() > 40, "{rows:?}");
}
