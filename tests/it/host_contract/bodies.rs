//! The forms in which the host encodes what it sends.

use serde_json::{Value, json};
use simulated_cloud::functions_host::{cloud_event, event_grid};

use super::{WRITE, WRITTEN, assert_done, assert_json, envelope, written};
use crate::support::{Running, uniform_cloud, web};

const LIMIT: usize = 8 * 1024 * 1024;

/// Each of these must make the upstream follow the set, which is scaled before each.
async fn each_is_understood(events: impl Fn(&str) -> Vec<Value>) {
    let running = Running::start(uniform_cloud(1).await, &[web()]).await;
    let id = running.world().set_id("web-vmss");
    for (n, event) in events(&id).into_iter().enumerate() {
        running.world().scale("web-vmss", 2 + n);
        let what = event.to_string();
        let reply = running
            .handler
            .invoke("VmssScaleEvent", &envelope("event", &event))
            .await;
        assert_done(&reply, &what);
        running.assert_follows(&what);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_is_taken_as_an_object_and_as_json_text() {
    each_is_understood(|id| vec![written(id), json!(written(id).to_string())]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_is_understood_in_the_event_grid_and_in_the_cloud_events_schema() {
    each_is_understood(|id| {
        let mut encoded = cloud_event(WRITTEN, id, WRITE);
        encoded["data"] = json!(encoded["data"].to_string());
        vec![
            event_grid(WRITTEN, id, WRITE),
            cloud_event(WRITTEN, id, WRITE),
            encoded,
        ]
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_is_taken_as_json_text_and_as_an_array_whatever_else_is_in_it() {
    each_is_understood(|id| {
        let other = id.replace("web-vmss", "other");
        let batch = json!([written(&other), 17, written(id)]);
        vec![json!(batch.to_string()), batch, json!([written(id)])]
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_subject_alone_and_the_resource_uri_alone_name_the_resource() {
    each_is_understood(|id| {
        vec![
            json!({ "eventType": WRITTEN, "subject": id }),
            json!({ "type": WRITTEN, "data": { "resourceUri": id } }),
        ]
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tick_runs_a_pass_whatever_its_body_says() {
    let running = Running::start(uniform_cloud(1).await, &[web()]).await;
    let tick = |status: Value, past_due: bool| {
        let timer = json!({
            "Schedule": { "AdjustForDST": true },
            "ScheduleStatus": status,
            "IsPastDue": past_due,
        });
        envelope("timer", &timer).to_string()
    };
    let first = json!({ "Last": "0001-01-01T00:00:00+00:00", "Next": null, "LastUpdated": null });
    let bodies = [
        tick(Value::Null, false),
        tick(first, true),
        envelope("timer", &Value::Null).to_string(),
        "{}".to_owned(),
        String::new(),
        "no JSON".to_owned(),
    ];
    for (n, body) in bodies.into_iter().enumerate() {
        running.world().scale("web-vmss", 2 + n);
        let reply = running
            .handler
            .post_raw("/ReconcileTimer", body.clone().into_bytes())
            .await;
        assert_done(&reply, &body);
        running.assert_follows(&body);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_of_known_length_is_taken_like_a_chunked_one() {
    let running = Running::start(uniform_cloud(2).await, &[web()]).await;
    let body = envelope("event", &written(&running.world().set_id("web-vmss"))).to_string();
    let (status, kind, text) = running
        .send("POST", "/VmssScaleEvent", &[], body.into_bytes())
        .await;
    assert_eq!((status, kind.as_str()), (200, "application/json"), "{text}");
    running.assert_follows("a body of known length");
}

/// An invocation about the set, padded to `length` bytes.
fn padded(running: &Running, length: usize) -> Vec<u8> {
    let mut body = envelope("event", &written(&running.world().set_id("web-vmss")));
    body["Metadata"]["data"] = json!("");
    let missing = length - body.to_string().len();
    body["Metadata"]["data"] = json!("x".repeat(missing));
    let body = body.to_string().into_bytes();
    assert_eq!(body.len(), length);
    body
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_of_eight_mebibytes_is_accepted() {
    let running = Running::start(uniform_cloud(2).await, &[web()]).await;
    let body = padded(&running, LIMIT);
    assert_done(
        &running.handler.post_raw("/VmssScaleEvent", body).await,
        "chunked",
    );
    running.assert_follows("chunked");
    running.world().scale("web-vmss", 3);
    let (status, ..) = running
        .send("POST", "/VmssScaleEvent", &[], padded(&running, LIMIT))
        .await;
    assert_eq!(status, 200);
    running.assert_follows("of known length");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_larger_body_is_refused_in_json_and_the_handler_goes_on() {
    let running = Running::start(uniform_cloud(2).await, &[web()]).await;
    for length in [LIMIT + 1, 2 * LIMIT, 4 * LIMIT] {
        let reply = running
            .handler
            .post_raw("/VmssScaleEvent", padded(&running, length))
            .await;
        assert_eq!(reply.status, 413, "{length}: {:?}", reply.verdict);
        assert_json(&reply, "chunked");
        let (status, kind, _) = running
            .send("POST", "/VmssScaleEvent", &[], padded(&running, length))
            .await;
        assert_eq!(
            (status, kind.as_str()),
            (413, "application/json"),
            "{length}"
        );
    }
    running.assert_silent("bodies over the limit");
    assert_done(&running.event("web-vmss").await, "the next event");
    running.assert_follows("the next event");
}
