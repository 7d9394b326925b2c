//! Faults, gates and the record of requests.

use std::time::Duration;

use simulated_cloud::{Cloud, Fault, Match, Service, ThrottleForm, UpstreamKind};

use crate::client::{arm, nginx, send};

const LIST: &str =
    "Microsoft.Compute/virtualMachineScaleSets/web/virtualMachines?api-version=2024-07-01";
const SERVERS: &str = "http/upstreams/app/servers/";
const BODY: &str = r#"{"server":"10.0.0.1:80"}"#;

async fn cloud() -> Cloud {
    let cloud = Cloud::start().await;
    cloud.world().add_uniform_set("web", 2);
    cloud.world().add_upstream(UpstreamKind::Http, "app");
    cloud
}

/// One POST to NGINX that may fail.
async fn post(cloud: &Cloud) -> Result<u16, String> {
    cloud.world().require_key(false);
    let url = format!("{}/9/{SERVERS}", cloud.api_endpoint());
    let headers = [("content-type", "application/json")];
    send(cloud, "POST", &url, &headers, BODY)
        .await
        .map(|response| response.status)
}

#[tokio::test]
async fn a_fault_replaces_the_answer_as_often_as_told() {
    let cloud = cloud().await;
    let rule = Match::arm().method("get").path("VIRTUALMACHINES").skip(1);
    let handle = cloud.fault(rule, Fault::status(503), Some(1));
    assert_eq!(arm(&cloud, LIST).await.status, 200);
    assert_eq!(arm(&cloud, LIST).await.status, 503);
    assert_eq!(arm(&cloud, LIST).await.status, 200);
    assert_eq!(handle.hits(), 1);

    let form = ThrottleForm::Compute;
    cloud.fault(
        Match::arm(),
        Fault::Throttled {
            form,
            retry_after: Some(7),
        },
        None,
    );
    let reply = arm(&cloud, LIST).await;
    assert_eq!((reply.status, reply.header("retry-after")), (429, "7"));
    assert_eq!(reply.json()["code"], "OperationNotAllowed");
    cloud.clear_faults();
    assert_eq!(arm(&cloud, LIST).await.status, 200);
}

#[tokio::test]
async fn answers_can_be_damaged_in_every_way() {
    let cloud = cloud().await;
    let once = async |fault: Fault| {
        cloud.fault(Match::arm(), fault, Some(1));
        arm(&cloud, LIST).await
    };
    assert_eq!(once(Fault::WrongTypes).await.json()["value"], "x");
    assert_eq!(once(Fault::MissingValue).await.json().get("value"), None);
    assert_eq!(
        once(Fault::EmptyValue).await.json(),
        serde_json::json!({"value": []})
    );
    let link = once(Fault::ForeignNextLink("https://evil/".to_owned()))
        .await
        .json();
    assert_eq!(link["nextLink"], "https://evil/");
    let link = once(Fault::NextLinkCycle).await.json()["nextLink"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(link.ends_with(LIST), "{link}");
    let text = once(Fault::TruncatedJson).await.text;
    assert!(serde_json::from_str::<serde_json::Value>(&text).is_err());
    assert_eq!(
        once(Fault::HtmlError(502)).await.header("content-type"),
        "text/html"
    );
    let reply = once(Fault::Redirect("https://evil/".to_owned())).await;
    assert_eq!(
        (reply.status, reply.header("location")),
        (302, "https://evil/")
    );
    let huge = once(Fault::HugeBody(1_000_000)).await;
    assert_eq!(
        (huge.text.len(), huge.json()),
        (1_000_000, serde_json::json!({"value": []}))
    );
    let slow = once(Fault::SlowBody(Duration::from_millis(1))).await;
    assert_eq!(slow.json()["value"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn connections_break_before_or_after_the_work_is_done() {
    let cloud = cloud().await;
    let world = cloud.world();
    cloud.fault(Match::nginx(), Fault::Reset, Some(1));
    assert!(post(&cloud).await.is_err());
    assert!(world.servers(UpstreamKind::Http, "app").is_empty());

    cloud.fault(Match::nginx(), Fault::ApplyThenReset, Some(1));
    assert!(post(&cloud).await.is_err());
    assert_eq!(
        world.server_addresses(UpstreamKind::Http, "app"),
        ["10.0.0.1:80"]
    );

    cloud.fault(Match::nginx(), Fault::CutBody, Some(1));
    assert!(post(&cloud).await.is_err());
    let statuses: Vec<Option<u16>> = cloud
        .requests_to(Service::Nginx)
        .iter()
        .map(|request| request.status)
        .collect();
    assert_eq!(statuses, [None, None, Some(409)]);
    assert_eq!(
        cloud.requests_to(Service::Nginx)[0].body.as_deref(),
        Some(BODY)
    );
}

#[tokio::test]
async fn a_hanging_request_is_recorded_and_never_answered() {
    let cloud = cloud().await;
    cloud.fault(Match::nginx(), Fault::Hang, None);
    let post = post(&cloud);
    let arrived = cloud.wait_until(Duration::from_secs(10), |requests| !requests.is_empty());
    tokio::select! {
        outcome = post => panic!("answered: {outcome:?}"),
        arrived = arrived => assert!(arrived),
    }
}

#[tokio::test]
async fn a_gate_holds_one_request_until_it_is_released() {
    let cloud = cloud().await;
    let world = cloud.world();
    let gate = cloud.gate(Match::nginx().method("POST"));
    let held = async {
        gate.arrived().await;
        assert!(world.servers(UpstreamKind::Http, "app").is_empty());
        gate.release();
    };
    let (outcome, ()) = tokio::join!(post(&cloud), held);
    assert_eq!(outcome, Ok(201));

    let gate = cloud.gate_answer(Match::nginx().method("DELETE"));
    let held = async {
        gate.arrived().await;
        assert!(world.servers(UpstreamKind::Http, "app").is_empty());
        gate.release();
    };
    let path = format!("{SERVERS}0");
    let (outcome, ()) = tokio::join!(nginx(&cloud, "DELETE", &path, ""), held);
    assert_eq!(outcome.status, 200);
}

#[tokio::test]
async fn whoever_follows_a_link_to_another_host_is_caught() {
    let cloud = cloud().await;
    let url = format!("{}/next", cloud.foreign_url());
    let reply = send(&cloud, "GET", &url, &[("authorization", "Bearer x")], "")
        .await
        .unwrap();
    assert_eq!(reply.status, 200);
    assert_eq!(
        cloud.requests_to(Service::Foreign)[0].header("authorization"),
        Some("Bearer x")
    );
}
