//! Spans: one for each invocation, pass and request, in the host's own trace.

use std::collections::BTreeSet;

use nginx_vmss_sync::telemetry::names::SpanName;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use simulated_cloud::{Fault, Match, Recorded, Service};

use super::received::{Span, trace_of};
use super::{INVOCATION, export_to};
use crate::safety_support::{SET, SET_NICS, assert_no_leak, call};
use crate::support::{Running, sorted, uniform_cloud, web};

pub(super) const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
pub(super) const HOSTS_SPAN: &str = "b7ad6b7169203331";

pub(super) async fn exporting(more: &[(&str, &str)]) -> Running {
    let cloud = uniform_cloud(2).await;
    let yaml = cloud.config_yaml(&[web()]);
    let mut variables = export_to(&cloud);
    variables.extend(
        more.iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned())),
    );
    Running::with_variables(cloud, &yaml, variables).await
}

/// Requests as spans tell them: service, method, path and status.
pub(super) fn told(spans: &[Span]) -> Vec<String> {
    let requests = spans.iter().filter(|span| span.is_request());
    let line = |span: &Span| {
        let port = span.attribute("server.port");
        assert!(
            ["localhost", "127.0.0.1"].contains(&span.attribute("server.address")),
            "{span:?}"
        );
        assert!(port.parse::<u16>().is_ok_and(|port| port != 0), "{span:?}");
        assert_eq!(span.name, span.attribute("http.request.method"));
        format!(
            "{} {} {} {}",
            span.attribute("nginx_vmss_sync.service"),
            span.name,
            span.attribute("url.path"),
            span.attribute("http.response.status_code"),
        )
    };
    sorted(requests.map(line).collect())
}

/// The same as the services saw them.
pub(super) fn seen(requests: &[Recorded]) -> Vec<String> {
    let requests = requests.iter().filter_map(|request| {
        let service = match request.service {
            Service::Arm => "resource_manager",
            Service::Vault => "key_vault",
            Service::Identity => "identity",
            Service::Nginx => "nginx",
            Service::Collector | Service::Foreign => return None,
        };
        let status = request
            .status
            .map(|status| status.to_string())
            .unwrap_or_default();
        Some(format!(
            "{service} {} {} {status}",
            request.method, request.path
        ))
    });
    sorted(requests.collect())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invocation_its_pass_and_every_request_are_spans_of_the_hosts_trace() {
    for protocol in ["http/protobuf", "http/json"] {
        let running = exporting(&[("OTEL_EXPORTER_OTLP_PROTOCOL", protocol)]).await;
        // Application Insights never sets the `sampled` flag.
        let parent = format!("00-{TRACE}-{HOSTS_SPAN}-00");
        let id = "7d5a2f0c-0000-4000-8000-000000000001";
        let reply = running
            .event_with(&[("traceparent", &parent), (INVOCATION, id)])
            .await;
        assert!(reply.succeeded(), "{}", reply.text);
        let requests = seen(&running.cloud.requests());
        let spans = trace_of(&running.cloud, "VmssScaleEvent").await;

        let named = |name: &str| {
            let mut found = spans.iter().filter(|span| span.name == name);
            let only = found
                .next()
                .unwrap_or_else(|| panic!("no {name}: {spans:#?}"));
            assert!(found.next().is_none(), "{name}: {spans:#?}");
            only
        };
        let (invocation, pass) = (named("VmssScaleEvent"), named("pass"));
        assert_eq!(
            (invocation.trace.as_str(), invocation.parent.as_str()),
            (TRACE, HOSTS_SPAN)
        );
        assert_eq!(invocation.kind, SpanKind::Consumer);
        assert_eq!(invocation.attribute("faas.trigger"), "pubsub");
        assert_eq!(invocation.attribute("faas.invocation_id"), id);
        assert_eq!(
            (&pass.parent, pass.kind),
            (&invocation.id, SpanKind::Internal)
        );
        assert_eq!(pass.attribute("nginx_vmss_sync.trigger"), "event");
        assert_eq!(pass.attribute("nginx_vmss_sync.intent"), "apply");
        assert_eq!(pass.attribute("nginx_vmss_sync.outcome"), "changed");
        assert!(!pass.failed && !invocation.failed, "{spans:#?}");
        for request in spans.iter().filter(|span| span.is_request()) {
            assert_eq!(request.parent, pass.id, "{request:?}");
        }
        // As many, and the same: two servers added, tokens and the vault's challenge included.
        assert_eq!(told(&spans), requests, "{protocol}");
        for service in ["resource_manager", "key_vault", "identity", "nginx"] {
            assert!(
                requests.iter().any(|line| line.starts_with(service)),
                "{requests:?}"
            );
        }
        assert_no_leak(&running.cloud);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn spans_say_what_the_document_says_they_say() {
    let running = exporting(&[]).await;
    let fault = Fault::arm_error(403, "AuthorizationFailed", "no");
    running.cloud.fault(call(SET_NICS), fault, Some(1));
    assert_eq!(running.tick_with(&[]).await.status, 500);
    let status = running.handler.http("Status", "GET", None, &[]).await;
    assert!(status.succeeded(), "{}", status.text);
    let mut spans = trace_of(&running.cloud, "ReconcileTimer").await;
    spans.extend(trace_of(&running.cloud, "Status").await);
    let mut met = BTreeSet::new();
    for span in &spans {
        let (documented, kind) = match span.name.as_str() {
            "ReconcileTimer" | "Status" => (SpanName::Invocation, SpanKind::Server),
            "pass" => (SpanName::Pass, SpanKind::Internal),
            _ => (SpanName::Request, SpanKind::Client),
        };
        assert_eq!(span.kind, kind, "{span:?}");
        let names: Vec<&str> = documented
            .attributes()
            .iter()
            .map(|name| name.name())
            .collect();
        for name in span.attributes.keys() {
            assert!(
                names.contains(&name.as_str()),
                "{name} of {documented:?} is not documented"
            );
            met.insert((documented, name.clone()));
        }
    }
    // Nothing is documented that does not exist; only a call that is sent again has a count.
    for documented in [SpanName::Invocation, SpanName::Pass, SpanName::Request] {
        for attribute in documented.attributes() {
            let name = attribute.name().to_owned();
            let rare = name == "http.request.resend_count";
            assert!(
                rare || met.contains(&(documented, name.clone())),
                "{documented:?} {name}"
            );
        }
    }
    let failed = |name: &str| {
        let span = spans.iter().find(|span| span.name == name && span.failed);
        span.map(|span| span.attribute("error.type").to_owned())
    };
    assert_eq!(failed("ReconcileTimer").as_deref(), Some("failed"));
    assert_eq!(failed("pass").as_deref(), Some("denied"));
    let refused = spans
        .iter()
        .find(|span| span.attribute("http.response.status_code") == "403");
    let refused = refused.expect("the refused request");
    assert!(
        refused.failed && refused.attribute("error.type") == "403",
        "{refused:?}"
    );
    assert_eq!(failed("Status"), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_is_sent_again_counts_and_one_without_an_answer_says_why() {
    let running = exporting(&[]).await;
    let once = Some(1);
    running.cloud.fault(call(SET), Fault::status(500), once);
    running
        .cloud
        .fault(Match::nginx().method("GET"), Fault::Reset, once);
    running
        .cloud
        .fault(Match::identity(), Fault::status(503), once);
    let reply = running.tick_with(&[]).await;
    assert!(reply.succeeded(), "{}", reply.text);
    let spans = trace_of(&running.cloud, "ReconcileTimer").await;
    let again = |service: &str| -> Vec<(String, String, String)> {
        let requests = spans.iter().filter(|span| {
            span.attribute("nginx_vmss_sync.service") == service
                && (span.failed || !span.attribute("http.request.resend_count").is_empty())
        });
        let told = requests.map(|span| {
            let attribute = |name: &str| span.attribute(name).to_owned();
            (
                attribute("http.response.status_code"),
                attribute("error.type"),
                attribute("http.request.resend_count"),
            )
        });
        let mut told: Vec<_> = told.collect();
        told.sort_by_key(|(.., count)| count.clone());
        told
    };
    let told = |status: &str, error: &str, count: &str| {
        (status.to_owned(), error.to_owned(), count.to_owned())
    };
    assert_eq!(
        again("resource_manager"),
        [told("500", "500", ""), told("200", "", "1")]
    );
    assert_eq!(
        again("nginx"),
        [told("", "connection", ""), told("200", "", "1")]
    );
    assert_eq!(
        again("identity"),
        [told("503", "503", ""), told("200", "", "1")]
    );
}
