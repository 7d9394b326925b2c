//! The simulated Functions host, with a minimal handler.

use std::time::Duration;

use serde_json::{Value, json};
use simulated_cloud::functions_host::{Handler, Verdict, cloud_event, event_grid, run};

const HANDLER: &str = env!("CARGO_BIN_EXE_minimal-handler");
const SET: &str =
    "/subscriptions/s/resourceGroups/rg/providers/Microsoft.Compute/virtualMachineScaleSets/web";

/// What the handler was sent.
fn sent(reply: &simulated_cloud::functions_host::Reply) -> Value {
    assert_eq!(reply.verdict, Verdict::Succeeded, "{}", reply.text);
    serde_json::from_str(&reply.logs()[0]).unwrap()
}

#[tokio::test]
async fn invocations_arrive_in_the_hosts_envelopes() {
    let handler = Handler::spawn(HANDLER, Vec::new()).await;
    assert_eq!(handler.get("/").await.status, 200);
    let kind = "Microsoft.Resources.ResourceActionSuccess";
    let operation = "Microsoft.Compute/virtualMachineScaleSets/delete/action";

    let got = sent(&handler.event(&event_grid(kind, SET, operation)).await);
    assert_eq!(got["Data"]["event"]["subject"], SET);
    assert_eq!(
        got["Data"]["event"]["topic"],
        "/subscriptions/s/resourceGroups/rg"
    );
    assert_eq!(got["Metadata"]["data"]["operationName"], operation);
    assert_eq!(got["Metadata"]["sys"]["MethodName"], "VmssScaleEvent");

    let got = sent(&handler.event(&cloud_event(kind, SET, operation)).await);
    assert_eq!(got["Data"]["event"]["specversion"], "1.0");

    let batch = json!([event_grid(kind, SET, operation)]);
    let got = sent(&handler.event(&batch).await);
    let inner: Value = serde_json::from_str(got["Data"]["event"].as_str().unwrap()).unwrap();
    assert_eq!(inner, batch);

    let got = sent(&handler.timer_tick().await);
    assert_eq!(got["Data"]["timer"]["IsPastDue"], false);

    let headers = [("Content-Type", "application/json")];
    let got = sent(
        &handler
            .http("Reconcile", "POST", Some("{}"), &headers)
            .await,
    );
    assert_eq!(
        (&got["Data"]["req"]["Method"], &got["Data"]["req"]["Body"]),
        (&json!("POST"), &json!("{}"))
    );
}

#[tokio::test]
async fn bad_replies_are_judged_and_a_dead_handler_is_noticed() {
    let handler = Handler::spawn(HANDLER, Vec::new()).await;
    assert!(
        handler
            .wait_for_line("listening", Duration::from_secs(10))
            .await
    );
    let verdict = async |function: &str| handler.invoke(function, &json!({})).await.verdict;
    assert!(matches!(verdict("Silent").await, Verdict::Hangs(_)));
    assert!(matches!(verdict("Plain").await, Verdict::Failed(_)));
    let failing = handler.invoke("Failing", &json!({})).await;
    assert_eq!(
        (failing.status, failing.logs()),
        (500, vec!["no".to_owned()])
    );
    assert!(!failing.succeeded());

    handler.kill().await;
    assert_eq!(handler.exited(), Some(None));
    assert_eq!(handler.timer_tick().await.status, 0);
}

#[tokio::test]
async fn a_handler_that_does_not_come_up_says_why() {
    let env = vec![("MINIMAL_HANDLER_FAILS".to_owned(), "1".to_owned())];
    let error = Handler::try_spawn(HANDLER, env.clone(), None)
        .await
        .unwrap_err();
    assert!(error.to_string().contains("cannot start"), "{error}");
    let output = run(HANDLER, &[], &env, None).await;
    assert_eq!(
        (output.code, output.stderr.as_str()),
        (Some(3), "cannot start\n")
    );
}
