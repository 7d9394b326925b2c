//! What the collector received, decoded with OpenTelemetry's own message types.

use std::collections::BTreeMap;

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{KeyValue, any_value};
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::{NumberDataPoint, number_data_point};
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use prost::Message;
use serde::de::DeserializeOwned;
use simulated_cloud::{Cloud, Recorded, Service};

use crate::host_contract::PATIENCE;

pub(super) type Attributes = BTreeMap<String, String>;

/// A finished span.
#[derive(Clone, Debug)]
pub(super) struct Span {
    pub(super) name: String,
    pub(super) kind: SpanKind,
    pub(super) trace: String,
    pub(super) id: String,
    /// Empty for a root.
    pub(super) parent: String,
    pub(super) attributes: Attributes,
    /// The ids of the spans it is linked to.
    pub(super) links: Vec<String>,
    /// Whether its status is an error.
    pub(super) failed: bool,
}

impl Span {
    pub(super) fn attribute(&self, name: &str) -> &str {
        self.attributes.get(name).map_or("", String::as_str)
    }

    pub(super) fn is_request(&self) -> bool {
        self.kind == SpanKind::Client
    }
}

/// One value of a metric: of a histogram its count.
#[derive(Clone, Debug)]
pub(super) struct Point {
    pub(super) metric: String,
    pub(super) unit: String,
    pub(super) kind: &'static str,
    pub(super) attributes: Attributes,
    pub(super) value: f64,
}

impl Point {
    pub(super) fn attribute(&self, name: &str) -> &str {
        self.attributes.get(name).map_or("", String::as_str)
    }
}

/// Every span so far.
pub(super) fn spans(cloud: &Cloud) -> Vec<Span> {
    let exports = exports::<ExportTraceServiceRequest>(cloud, "/v1/traces");
    let resources = exports.into_iter().flat_map(|export| export.resource_spans);
    let scopes = resources.flat_map(|resource| resource.scope_spans);
    let spans = scopes.flat_map(|scope| scope.spans);
    spans
        .map(|span| Span {
            kind: span.kind(),
            trace: hex(&span.trace_id),
            id: hex(&span.span_id),
            parent: hex(&span.parent_span_id),
            links: span.links.iter().map(|link| hex(&link.span_id)).collect(),
            failed: span.status.is_some_and(|status| status.code == 2),
            attributes: attributes(span.attributes),
            name: span.name,
        })
        .collect()
}

/// The values of the last export that reached the collector.
pub(super) fn points(cloud: &Cloud) -> Vec<Point> {
    let exports = exports::<ExportMetricsServiceRequest>(cloud, "/v1/metrics");
    let last = exports.into_iter().next_back().unwrap_or_default();
    let scopes = last
        .resource_metrics
        .into_iter()
        .flat_map(|resource| resource.scope_metrics);
    let mut points = Vec::new();
    for metric in scopes.flat_map(|scope| scope.metrics) {
        let mut add = |kind, attributes_of: Vec<KeyValue>, value| {
            points.push(Point {
                metric: metric.name.clone(),
                unit: metric.unit.clone(),
                kind,
                attributes: attributes(attributes_of),
                value,
            });
        };
        match metric.data.clone() {
            Some(Data::Gauge(gauge)) => {
                for point in gauge.data_points {
                    add("gauge", point.attributes.clone(), number(&point));
                }
            }
            Some(Data::Sum(sum)) => {
                assert!(sum.is_monotonic, "{}", metric.name);
                for point in sum.data_points {
                    add("counter", point.attributes.clone(), number(&point));
                }
            }
            Some(Data::Histogram(histogram)) => {
                for point in histogram.data_points {
                    let count = u32::try_from(point.count).expect("a few");
                    add("histogram", point.attributes, count.into());
                }
            }
            other => panic!("{}: {other:?}", metric.name),
        }
    }
    points
}

/// What every exporter says of itself, as sent with the first spans.
pub(super) fn resource(cloud: &Cloud) -> Attributes {
    let exports = exports::<ExportTraceServiceRequest>(cloud, "/v1/traces");
    let first = exports
        .into_iter()
        .flat_map(|export| export.resource_spans)
        .next();
    let resource = first.and_then(|spans| spans.resource).unwrap_or_default();
    attributes(resource.attributes)
}

/// Waits until the collector has what makes `enough` true.
pub(super) async fn wait_for(cloud: &Cloud, what: &str, enough: impl Fn() -> bool) {
    let came = cloud.wait_until(PATIENCE * 3, |_| enough()).await;
    assert!(came, "{what} did not come; spans: {:#?}", spans(cloud));
}

/// Waits for all spans of the first trace whose root-most span has this name, and gives them.
pub(super) async fn trace_of(cloud: &Cloud, name: &str) -> Vec<Span> {
    wait_for(cloud, name, || {
        spans(cloud).iter().any(|span| span.name == name)
    })
    .await;
    let spans = spans(cloud);
    let root = spans
        .iter()
        .find(|span| span.name == name)
        .expect("it came");
    spans
        .iter()
        .filter(|span| span.trace == root.trace)
        .cloned()
        .collect()
}

fn exports<T: Message + Default + DeserializeOwned>(cloud: &Cloud, path: &str) -> Vec<T> {
    let requests = cloud.requests_to(Service::Collector);
    let accepted = |request: &&Recorded| request.path == path && request.status == Some(200);
    requests.iter().filter(accepted).map(decode).collect()
}

fn decode<T: Message + Default + DeserializeOwned>(request: &Recorded) -> T {
    match request.header("content-type") {
        Some("application/json") => serde_json::from_slice(&request.bytes).expect("OTLP in JSON"),
        _ => T::decode(&*request.bytes).expect("OTLP in protobuf"),
    }
}

fn attributes(list: Vec<KeyValue>) -> Attributes {
    let text = |value: any_value::Value| match value {
        any_value::Value::StringValue(text) => text,
        any_value::Value::IntValue(number) => number.to_string(),
        any_value::Value::BoolValue(value) => value.to_string(),
        other => panic!("an attribute of another type: {other:?}"),
    };
    let pairs = list.into_iter().map(|pair| {
        let value = pair.value.and_then(|value| value.value);
        (pair.key, value.map(text).unwrap_or_default())
    });
    pairs.collect()
}

fn number(point: &NumberDataPoint) -> f64 {
    match point.value {
        Some(number_data_point::Value::AsDouble(value)) => value,
        Some(number_data_point::Value::AsInt(value)) => {
            i32::try_from(value).expect("a small number").into()
        }
        None => panic!("a point without a value"),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}
