//! Whose trace a span belongs to, and what is told of the exporter itself.

use std::collections::BTreeSet;

use simulated_cloud::Match;
use simulated_cloud::functions_host::{Reply, run};

use super::INVOCATION;
use super::received::{Span, resource, spans, trace_of, wait_for};
use super::traces::{HOSTS_SPAN, TRACE, exporting, seen, told};
use crate::support::{binary, environment, sorted, uniform_cloud, web};

#[tokio::test(flavor = "multi_thread")]
async fn a_pass_that_several_share_is_linked_to_each_of_them() {
    // Who comes while a pass is under way shares the next one. Whether all come in time is up to
    // the machine, so it is tried until some do.
    for attempt in 0..10 {
        if share_a_pass().await {
            return;
        }
        assert!(attempt < 9, "nobody ever shared a pass");
    }
}

/// Four invocations at once; whether any shared a pass.
async fn share_a_pass() -> bool {
    let running = exporting(&[]).await;
    let gate = running
        .cloud
        .gate_answer(Match::arm().path("/networkInterfaces"));
    let ids: Vec<String> = (0..4)
        .map(|n| format!("0000000{n}-0000-4000-8000-000000000000"))
        .collect();
    let invocations = ids
        .iter()
        .map(|id| async { running.event_with(&[(INVOCATION, id)]).await });
    let released = async {
        gate.arrived().await;
        for _ in 0..20 {
            running.handler.get("/").await;
        }
        gate.release();
    };
    let (replies, ()) = tokio::join!(futures::future::join_all(invocations), released);
    assert!(replies.iter().all(Reply::succeeded));
    let cloud = &running.cloud;
    let of_name = |name: &str| -> Vec<Span> {
        let spans = spans(cloud).into_iter();
        spans.filter(|span| span.name == name).collect()
    };
    wait_for(cloud, "all invocations", || {
        of_name("VmssScaleEvent").len() == 4
    })
    .await;
    let invocations = of_name("VmssScaleEvent").into_iter().map(|span| span.id);
    let passes = of_name("pass");
    let mut reached = BTreeSet::new();
    for pass in &passes {
        reached.insert(pass.parent.clone());
        reached.extend(pass.links.iter().cloned());
    }
    assert_eq!(reached, invocations.collect(), "{passes:#?}");
    // The links are the pass's alone.
    let linked: Vec<Span> = spans(cloud)
        .into_iter()
        .filter(|span| !span.links.is_empty())
        .collect();
    assert!(linked.iter().all(|span| span.name == "pass"), "{linked:#?}");
    !linked.is_empty()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_trace_of_an_http_callers_request_goes_on_where_the_host_has_none() {
    let running = exporting(&[]).await;
    let parent = format!("00-{TRACE}-{HOSTS_SPAN}-01");
    let headers = [
        ("Traceparent", parent.as_str()),
        ("content-type", "application/json"),
    ];
    let reply = running
        .handler
        .http("Reconcile", "POST", Some("{}"), &headers)
        .await;
    assert!(reply.succeeded(), "{}", reply.text);
    let spans = trace_of(&running.cloud, "Reconcile").await;
    let root = spans.iter().find(|span| span.name == "Reconcile").unwrap();
    assert_eq!(
        (root.trace.as_str(), root.parent.as_str()),
        (TRACE, HOSTS_SPAN)
    );
    assert_eq!(root.attribute("faas.trigger"), "http");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sampler_of_the_environment_decides() {
    let running = exporting(&[("OTEL_TRACES_SAMPLER", "parentbased_always_on")]).await;
    let unsampled = format!("00-{TRACE}-{HOSTS_SPAN}-00");
    let sampled = format!("00-{TRACE}-{HOSTS_SPAN}-01");
    assert!(
        running
            .tick_with(&[("traceparent", &unsampled)])
            .await
            .succeeded()
    );
    assert!(
        running
            .event_with(&[("traceparent", &sampled)])
            .await
            .succeeded()
    );
    let spans = trace_of(&running.cloud, "VmssScaleEvent").await;
    assert!(
        spans.iter().all(|span| span.name != "ReconcileTimer"),
        "{spans:#?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn no_trace_context_is_sent_to_anyone() {
    let running = exporting(&[]).await;
    let parent = format!("00-{TRACE}-{HOSTS_SPAN}-01");
    let headers = [("traceparent", parent.as_str()), ("tracestate", "a=b")];
    assert!(running.event_with(&headers).await.succeeded());
    trace_of(&running.cloud, "VmssScaleEvent").await;
    for request in running.cloud.requests() {
        for header in ["traceparent", "tracestate", "baggage"] {
            assert_eq!(
                request.header(header),
                None,
                "{:?} {}",
                request.service,
                request.path
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_are_traces_of_their_own_and_exported_before_they_end() {
    for (arguments, expected) in [
        (&["sync"][..], vec!["sync", "pass"]),
        (&["plan"], vec!["plan", "pass"]),
        (&["check"], vec!["check"]),
    ] {
        let cloud = uniform_cloud(2).await;
        let mut env = environment(&cloud, &cloud.config_yaml(&[web()]));
        env.push((
            "OTEL_EXPORTER_OTLP_ENDPOINT".to_owned(),
            cloud.collector_endpoint(),
        ));
        let output = run(binary(), arguments, &env, None).await;
        assert_ne!(output.code, Some(1), "{output:?}");
        // It has ended, so whatever came has come.
        let spans = spans(&cloud);
        let own: Vec<&str> = spans
            .iter()
            .filter(|span| !span.is_request())
            .map(|span| span.name.as_str())
            .collect();
        assert_eq!(
            sorted(own.iter().map(|s| (*s).to_owned()).collect()),
            sorted(expected.iter().map(|s| (*s).to_owned()).collect())
        );
        let root = spans
            .iter()
            .find(|span| span.parent.is_empty())
            .expect("a root");
        assert_eq!(root.name, expected[0]);
        assert!(
            spans.iter().all(|span| span.trace == root.trace),
            "{spans:#?}"
        );
        assert_eq!(told(&spans), seen(&cloud.requests()), "{arguments:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_exporter_says_who_it_is() {
    let running = exporting(&[
        (
            "OTEL_RESOURCE_ATTRIBUTES",
            "deployment.environment.name=test,service.name=other",
        ),
        ("WEBSITE_SITE_NAME", "my-app"),
    ])
    .await;
    assert!(running.tick_with(&[]).await.succeeded());
    trace_of(&running.cloud, "ReconcileTimer").await;
    let resource = resource(&running.cloud);
    for (name, value) in [
        ("service.name", "other"),
        ("service.version", env!("CARGO_PKG_VERSION")),
        ("deployment.environment.name", "test"),
        ("faas.name", "my-app"),
        ("cloud.platform", "azure.functions"),
    ] {
        assert_eq!(
            resource.get(name).map(String::as_str),
            Some(value),
            "{resource:?}"
        );
    }
    assert_eq!(resource["service.instance.id"].len(), 32, "{resource:?}");
}
