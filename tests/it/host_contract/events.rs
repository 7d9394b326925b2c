//! What an event means: a look at the upstreams it concerns, or nothing at all.

use serde_json::{Value, json};
use simulated_cloud::functions_host::event_grid;
use simulated_cloud::{Service, UpstreamEntry, UpstreamKind};

use super::{WRITE, WRITTEN, assert_done, envelope, told, written};
use crate::support::{Running, sorted, uniform_cloud, web};

#[tokio::test(flavor = "multi_thread")]
async fn all_nine_types_of_resource_events_cause_a_look() {
    let running = Running::start(uniform_cloud(0).await, &[web()]).await;
    let id = running.world().set_id("web-vmss");
    let mut n = 0;
    for what in ["Write", "Delete", "Action"] {
        for end in ["Success", "Failure", "Cancel"] {
            n += 1;
            running.world().scale("web-vmss", n);
            let kind = format!("Microsoft.Resources.Resource{what}{end}");
            let reply = running.handler.event(&event_grid(&kind, &id, WRITE)).await;
            assert_done(&reply, &kind);
            running.assert_follows(&kind);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_of_another_type_is_done_without_one_outgoing_request() {
    let running = Running::start(uniform_cloud(2).await, &[web()]).await;
    let id = running.world().set_id("web-vmss");
    for kind in [
        "Microsoft.Resources.ResourceWriteStarted",
        "Microsoft.Resources.ResourceWriteSuccessful",
        "Resources.ResourceWriteSuccess",
        "Microsoft.Storage.BlobCreated",
        "Microsoft.EventGrid.SubscriptionValidationEvent",
        "",
    ] {
        let reply = running.handler.event(&event_grid(kind, &id, WRITE)).await;
        assert_done(&reply, kind);
        running.assert_silent(kind);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_about_something_else_is_done_without_one_outgoing_request() {
    let running = Running::start(uniform_cloud(2).await, &[web()]).await;
    let world = running.world();
    let id = world.set_id("web-vmss");
    let (subscription, group) = (
        running.cloud.subscription_id(),
        running.cloud.resource_group(),
    );
    let other_subscription = "00000000-1111-2222-3333-444444444444";
    for about in [
        id.replace("web-vmss", "web-vmss2"),
        id.replace("web-vmss", "web-vmss-blue/virtualMachines/0"),
        id.replace("web-vmss", "web-vms"),
        id.replace("web-vmss", "my-web-vmss"),
        id.replace(&group, "another-group"),
        id.replace(&group, &format!("{group}x")),
        id.replace(&subscription, other_subscription),
        id.replace("virtualMachineScaleSets", "availabilitySets"),
        id.replace("Microsoft.Compute", "Microsoft.Network"),
        id.replace("/web-vmss", ""),
        format!("/subscriptions/{subscription}/resourceGroups/{group}"),
        format!("/x{id}"),
        format!("https://management.azure.com{id}"),
    ] {
        let reply = running.handler.event(&written(&about)).await;
        assert_done(&reply, &about);
        running.assert_silent(&about);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ids_and_types_are_compared_without_case() {
    let running = Running::start(uniform_cloud(0).await, &[web()]).await;
    let id = running.world().set_id("web-vmss");
    let spellings = [
        id.to_uppercase(),
        id.to_lowercase(),
        id.replace("resourceGroups", "resourcegroups"),
    ];
    for (n, id) in spellings.iter().enumerate() {
        for (m, kind) in [WRITTEN.to_uppercase(), WRITTEN.to_lowercase()]
            .iter()
            .enumerate()
        {
            running.world().scale("web-vmss", 1 + 2 * n + m);
            assert_done(
                &running.handler.event(&event_grid(kind, id, WRITE)).await,
                id,
            );
            running.assert_follows(id);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_looks_at_the_upstreams_of_its_set_and_at_no_other() {
    let cloud = uniform_cloud(2).await;
    cloud.world().add_uniform_set("db-vmss", 2);
    cloud.world().add_upstream(UpstreamKind::Http, "web-admin");
    cloud.world().add_upstream(UpstreamKind::Stream, "db");
    let entries = [
        web(),
        UpstreamEntry::stream("db", "db-vmss", 5432),
        UpstreamEntry::http("web-admin", "web-vmss").on_port(8080),
    ];
    let running = Running::start(cloud, &entries).await;
    let reply = running.event("web-vmss").await;
    assert_done(&reply, "event");
    running.assert_follows("event");
    let world = running.world();
    assert_eq!(
        sorted(running.http("web-admin")),
        sorted(world.addresses("web-vmss", 8080))
    );
    assert_eq!(reply.logs().len(), 2, "{:?}", reply.logs());
    let about_db: Vec<String> = told(&running.cloud.requests())
        .into_iter()
        .filter(|request| request.contains("/db") || request.contains("/stream/"))
        .collect();
    assert_eq!(about_db, Vec::<String>::new());
}

/// Bodies and trigger data that are no event.
fn garbage(id: &str) -> Vec<Vec<u8>> {
    let deep = format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000));
    let data = [
        Value::Null,
        json!(true),
        json!(17),
        json!(-1.5e300),
        json!(""),
        json!("hello"),
        json!("{"),
        json!("\"{\\\"eventType\\\":1}\""),
        json!("null"),
        json!("\u{0}\u{202e}\u{feff}"),
        json!(deep),
        json!([]),
        json!([[]]),
        json!([null, 1, "x"]),
        json!({}),
        json!({ "eventType": null, "subject": id }),
        json!({ "eventType": 5, "subject": id }),
        json!({ "eventType": { "a": 1 }, "type": WRITTEN, "subject": id }),
        json!({ "eventType": WRITTEN }),
        json!({ "eventType": WRITTEN, "subject": null, "data": null }),
        json!({ "eventType": WRITTEN, "subject": 1, "data": [] }),
        json!({ "eventType": WRITTEN, "subject": [id], "data": { "resourceUri": { "id": id } } }),
        json!({ "eventType": WRITTEN, "data": "no JSON" }),
        json!({ "eventType": WRITTEN, "subject": "" }),
        json!({ "eventType": WRITTEN, "subject": "/".repeat(10_000) }),
        json!({ "eventType": WRITTEN, "subject": format!("{id}\r\nHost: evil") }),
        json!({ "EventType": WRITTEN, "Subject": id }),
        json!({ "data": { "eventType": WRITTEN, "subject": id } }),
    ];
    let mut bodies: Vec<Vec<u8>> = data
        .iter()
        .map(|data| envelope("event", data).to_string().into_bytes())
        .collect();
    bodies.extend(
        [
            String::new(),
            " ".to_owned(),
            "null".to_owned(),
            "[]".to_owned(),
            "{}".to_owned(),
            "\"x\"".to_owned(),
            "{\"Data\":null}".to_owned(),
            "{\"Data\":[]}".to_owned(),
            "{\"Data\":{}}".to_owned(),
            "{\"Data\":{\"evt\":{}}}".to_owned(),
            "{\"Data\":{\"event\":".to_owned(),
            format!("{{\"Data\":{{\"event\":{deep}}}}}"),
            written(id).to_string(),
        ]
        .map(String::into_bytes),
    );
    bodies.push(vec![0xff, 0xfe, 0x00, 0x7b]);
    bodies.push(b"{\"Data\":{\"event\":\"\xff\"}}".to_vec());
    bodies.push(vec![0; 100_000]);
    bodies
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unreadable_event_is_done_and_not_retried_without_one_outgoing_request() {
    let running = Running::start(uniform_cloud(2).await, &[web()]).await;
    let id = running.world().set_id("web-vmss");
    for body in garbage(&id) {
        let start = String::from_utf8_lossy(&body[..body.len().min(200)]).into_owned();
        let reply = running.handler.post_raw("/VmssScaleEvent", body).await;
        assert_done(&reply, &start);
        assert_eq!(reply.body["Outputs"], json!({}), "{start}");
        assert_eq!(reply.logs().len(), 1, "{start}: {}", reply.text);
        running.assert_silent(&start);
    }
    // And none of them has harmed the process.
    assert_done(&running.event("web-vmss").await, "a good event");
    running.assert_follows("a good event");
    assert_eq!(running.handler.stderr_lines(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dropped_event_is_told_in_the_reply_and_on_stdout_without_its_contents() {
    let running = Running::start(uniform_cloud(1).await, &[web()]).await;
    let event = json!({ "eventType": WRITTEN, "data": { "claims": { "name": "Alice Example" } } });
    let reply = running.handler.event(&event).await;
    assert_done(&reply, "dropped");
    assert!(reply.logs()[0].contains("cannot be read"), "{}", reply.text);
    running.assert_on_stdout(&reply.logs()).await;
    let stdout = running.handler.stdout_lines().join("\n");
    assert!(
        !stdout.contains("Alice") && !reply.text.contains("Alice"),
        "{stdout}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_never_decides_where_a_request_goes() {
    let running = Running::start(uniform_cloud(2).await, &[web()]).await;
    let foreign = running.cloud.foreign_url();
    let mut event = written(&running.world().set_id("web-vmss"));
    event["topic"] = json!(foreign);
    event["source"] = json!(foreign);
    event["data"]["httpRequest"]["url"] = json!(format!("{foreign}/steal"));
    event["data"]["resourceUri"] = json!(format!("{foreign}{}", event["subject"]));
    assert_done(&running.handler.event(&event).await, "foreign addresses");
    running.assert_follows("foreign addresses");
    assert_eq!(
        told(&running.cloud.requests_to(Service::Foreign)),
        Vec::<String>::new()
    );
}
