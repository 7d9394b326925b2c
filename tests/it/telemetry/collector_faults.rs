//! A collector that is dead, slow or wrong changes nothing but what it receives.

use std::time::{Duration, Instant};

use simulated_cloud::functions_host::{Handler, run};
use simulated_cloud::{Cloud, Fault, Match, Recorded, Service};

use super::received::trace_of;
use super::{INVOCATION, export_to};
use crate::host_contract::PATIENCE;
use crate::safety_support::assert_no_leak;
use crate::support::{Running, binary, environment, uniform_cloud, web};

/// Far longer than an export may delay the end of a command, far shorter than a hanging one lasts.
const SOON: Duration = Duration::from_secs(60);

async fn exporting(more: &[(&str, String)]) -> Running {
    let cloud = uniform_cloud(2).await;
    let yaml = cloud.config_yaml(&[web()]);
    let mut variables = export_to(&cloud);
    variables.extend(
        more.iter()
            .map(|(name, value)| ((*name).to_owned(), value.clone())),
    );
    Running::with_variables(cloud, &yaml, variables).await
}

fn warnings(handler: &Handler) -> Vec<String> {
    let lines = handler.stdout_lines().into_iter();
    lines
        .filter(|line| line.contains(" WARN ") && line.contains("exported"))
        .collect()
}

fn collected(cloud: &Cloud) -> Vec<Recorded> {
    cloud.requests_to(Service::Collector)
}

#[tokio::test(flavor = "multi_thread")]
async fn invocations_are_answered_while_the_collector_hangs() {
    let running = exporting(&[]).await;
    running.cloud.fault(Match::collector(), Fault::Hang, None);
    assert!(running.tick_with(&[]).await.succeeded());
    let asked = |requests: &[Recorded]| {
        requests
            .iter()
            .any(|request| request.service == Service::Collector)
    };
    assert!(
        running.cloud.wait_until(PATIENCE, asked).await,
        "an export begins"
    );
    for n in 3..8 {
        running.world().scale("web-vmss", n);
        let reply = running.event_with(&[]).await;
        assert!(reply.succeeded(), "{}", reply.text);
        assert_eq!(running.http("web").len(), n);
    }
    // All of it happened while the collector was being waited for.
    assert!(
        collected(&running.cloud)
            .iter()
            .all(|request| request.status.is_none())
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_collector_is_told_once_and_changes_no_reply() {
    let dead = "http://127.0.0.1:9".to_owned();
    let running = exporting(&[("OTEL_EXPORTER_OTLP_ENDPOINT", dead)]).await;
    let id = [(INVOCATION, "7d5a2f0c-0000-4000-8000-000000000001")];
    let first = running.tick_with(&id).await;
    assert!(first.succeeded(), "{}", first.text);
    for signal in ["traces", "metrics"] {
        let told = format!("{signal} cannot be exported to http://127.0.0.1:9 and are dropped");
        assert!(
            running.handler.wait_for_line(&told, PATIENCE).await,
            "{told}"
        );
    }
    // The interval is half a second: several exports fail meanwhile.
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(3) {
        assert!(running.tick_with(&[]).await.succeeded());
    }
    assert_eq!(
        warnings(&running.handler).len(),
        2,
        "{:#?}",
        warnings(&running.handler)
    );
    // The same as without a collector.
    let plain = Running::start(uniform_cloud(2).await, &[web()]).await;
    let other = plain.tick_with(&id).await;
    let blank = |text: &str| -> String { text.chars().filter(|c| !c.is_ascii_digit()).collect() };
    assert_eq!(blank(&first.text), blank(&other.text));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_collector_answers_is_told_when_it_is_no_success_and_when_it_is_one_again() {
    let running = exporting(&[]).await;
    let refusal = running
        .cloud
        .fault(Match::collector(), Fault::status(401), None);
    assert!(running.tick_with(&[]).await.succeeded());
    let told = format!(
        "cannot be exported to {} and are dropped until they can: it answers 401",
        running.cloud.collector_endpoint()
    );
    assert!(running.handler.wait_for_line(&told, PATIENCE).await);
    assert!(refusal.hits() > 0);
    running.cloud.clear_faults();
    running.world().scale("web-vmss", 3);
    assert!(running.event_with(&[]).await.succeeded());
    let again = format!(
        "traces are exported to {} again",
        running.cloud.collector_endpoint()
    );
    assert!(running.handler.wait_for_line(&again, PATIENCE).await);
    let spans = trace_of(&running.cloud, "VmssScaleEvent").await;
    assert!(spans.iter().any(|span| span.name == "pass"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_is_not_redirected() {
    let running = exporting(&[("OTEL_EXPORTER_OTLP_HEADERS", "api-key=secret".to_owned())]).await;
    let elsewhere = Fault::Redirect(format!("{}/v1/traces", running.cloud.foreign_url()));
    running.cloud.fault(Match::collector(), elsewhere, None);
    assert!(running.tick_with(&[]).await.succeeded());
    assert!(
        running
            .handler
            .wait_for_line("it answers 302", PATIENCE)
            .await
    );
    assert!(
        collected(&running.cloud)
            .iter()
            .all(|request| request.header("api-key") == Some("secret"))
    );
    assert_no_leak(&running.cloud);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_ends_soon_with_the_same_result_though_the_collector_hangs_or_is_dead() {
    let cloud = uniform_cloud(2).await;
    let yaml = cloud.config_yaml(&[web()]);
    let mut env = environment(&cloud, &yaml);
    let plan = ["plan", "--format", "json"];
    let expected = run(binary(), &plan, &env, None).await;
    let at = env.len();
    for (endpoint, fault) in [
        (cloud.collector_endpoint(), Some(Fault::Hang)),
        (cloud.collector_endpoint(), Some(Fault::HugeBody(1 << 20))),
        ("http://127.0.0.1:9".to_owned(), None),
    ] {
        env.truncate(at);
        env.push(("OTEL_EXPORTER_OTLP_ENDPOINT".to_owned(), endpoint));
        cloud.clear_faults();
        if let Some(fault) = fault {
            cloud.fault(Match::collector(), fault, None);
        }
        let begun = Instant::now();
        let output = run(binary(), &plan, &env, None).await;
        assert!(begun.elapsed() < SOON, "{:?}", begun.elapsed());
        assert_eq!(
            (output.code, output.stdout),
            (expected.code, expected.stdout.clone())
        );
    }
    assert_eq!(expected.code, Some(2));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_variables_ask_for_in_vain_is_told_and_the_rest_is_done() {
    let running = exporting(&[
        ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "grpc".to_owned()),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "soon".to_owned()),
    ])
    .await;
    assert!(running.tick_with(&[]).await.succeeded());
    for told in [
        "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL asks for what is not spoken: traces are not exported",
        "OTEL_EXPORTER_OTLP_TIMEOUT is not a number of milliseconds: 10 s are used",
    ] {
        assert!(
            running.handler.wait_for_line(told, PATIENCE).await,
            "{told}"
        );
    }
    let metrics =
        |requests: &[Recorded]| requests.iter().any(|request| request.path == "/v1/metrics");
    assert!(running.cloud.wait_until(PATIENCE, metrics).await);
    assert!(
        collected(&running.cloud)
            .iter()
            .all(|request| request.path != "/v1/traces")
    );
}

/// The threads of a handler that export.
fn exporters(running: &Running) -> Vec<String> {
    let tasks = format!("/proc/{}/task", running.handler.id());
    let names = std::fs::read_dir(tasks).unwrap().map(|task| {
        let name = std::fs::read_to_string(task.unwrap().path().join("comm")).unwrap_or_default();
        name.trim().to_owned()
    });
    names
        .filter(|name| name.starts_with("OpenTelemetry") || name.starts_with("telemetry"))
        .collect()
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_started_unless_an_endpoint_is_named() {
    let with = exporting(&[]).await;
    assert!(with.tick_with(&[]).await.succeeded());
    assert!(exporters(&with).len() >= 3, "{:?}", exporters(&with));
    for (name, value) in [("OTEL_SERVICE_NAME", "x"), ("OTEL_SDK_DISABLED", "true")] {
        let disabled = name == "OTEL_SDK_DISABLED";
        let cloud = uniform_cloud(2).await;
        let yaml = cloud.config_yaml(&[web()]);
        let mut variables = vec![(name.to_owned(), value.to_owned())];
        variables.extend(disabled.then(|| export_to(&cloud)).into_iter().flatten());
        let without = Running::with_variables(cloud, &yaml, variables).await;
        assert!(without.tick_with(&[]).await.succeeded());
        assert_eq!(exporters(&without), [""; 0], "{name}");
        assert!(collected(&without.cloud).is_empty(), "{name}");
    }
}
