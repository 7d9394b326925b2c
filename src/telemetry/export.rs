//! The export of traces and metrics by OTLP, where the environment asks for it.
//!
//! An invocation never waits for it. Spans go into a bounded queue and are dropped when it is full;
//! exports happen on threads of their own; at the end of an invocation a flush is *asked for*, and
//! nobody waits for its end: the host may kill or freeze an idle instance at any time, so what is
//! known by then should be on its way. Where nothing is exported there is no thread and no queue.

use std::sync::OnceLock;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry::metrics::MeterProvider as _;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_otlp::{
    ExporterBuildError, MetricExporter, Protocol, SpanExporter, WithExportConfig as _,
    WithHttpConfig as _,
};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::metrics::SdkMeterProvider;
use opentelemetry_sdk::resource::{EnvResourceDetector, ResourceDetector as _};
use opentelemetry_sdk::trace::{Sampler, SdkTracer, SdkTracerProvider};
use tokio::runtime::Handle;

use super::collector::Collector;
use super::instruments::Instruments;
use super::otlp::{self, Settings, Signal, Target};

/// Between two flushes that invocations ask for: a burst of them costs one.
const FLUSH_PAUSE: Duration = Duration::from_secs(1);
/// How long the end of a command may wait for its last export.
const LAST_FLUSH: Duration = Duration::from_secs(3);

/// The name that spans and metrics are under.
const SCOPE: &str = env!("CARGO_PKG_NAME");

static EXPORT: OnceLock<Export> = OnceLock::new();

struct Export {
    tracer: Option<SdkTracer>,
    instruments: Option<Instruments>,
    providers: Providers,
    flush: SyncSender<()>,
}

#[derive(Clone, Default)]
struct Providers {
    traces: Option<SdkTracerProvider>,
    metrics: Option<SdkMeterProvider>,
}

/// The tracer, where traces are exported.
pub(super) fn tracer() -> Option<&'static SdkTracer> {
    EXPORT.get()?.tracer.as_ref()
}

/// The instruments, where metrics are exported.
pub(super) fn instruments() -> Option<&'static Instruments> {
    EXPORT.get()?.instruments.as_ref()
}

/// Starts what the `OTEL_*` variables ask for, and tells what of them cannot be followed.
pub(super) fn start() {
    let variable = |name: &str| std::env::var(name).ok();
    let settings = Settings::read(&variable);
    for problem in &settings.problems {
        tracing::warn!("{problem}");
    }
    if settings.is_off() {
        return;
    }
    let http = match crate::azure::http_client() {
        Ok(http) => http,
        Err(error) => {
            let why = crate::azure::chain(&error);
            tracing::warn!("traces and metrics are not exported: no HTTP client ({why})");
            return;
        }
    };
    let runtime = Handle::current();
    let resource = resource(&variable);
    let collector = |signal: Signal, target: &Target| {
        Collector::new(http.clone(), runtime.clone(), signal, target.clone())
    };
    let traces = settings.traces.as_ref().and_then(|target| {
        let exporter = span_exporter(target, collector(Signal::Traces, target));
        let exporter = told(Signal::Traces, exporter)?;
        let builder = SdkTracerProvider::builder()
            .with_resource(resource.clone())
            .with_batch_exporter(exporter);
        // The specification's default follows the caller's `sampled` flag, which Application
        // Insights, the host's own tracing, never sets: nothing would ever be exported.
        let builder = match settings.sampler_is_set {
            true => builder,
            false => builder.with_sampler(Sampler::AlwaysOn),
        };
        Some(builder.build())
    });
    let metrics = settings.metrics.as_ref().and_then(|target| {
        let exporter = metric_exporter(target, collector(Signal::Metrics, target));
        let exporter = told(Signal::Metrics, exporter)?;
        let builder = SdkMeterProvider::builder().with_resource(resource.clone());
        Some(builder.with_periodic_exporter(exporter).build())
    });
    let providers = Providers { traces, metrics };
    let (flush, asked) = sync_channel(1);
    let flushed = providers.clone();
    let thread = std::thread::Builder::new().name("telemetry-flush".to_owned());
    if thread
        .spawn(move || flush_when_asked(&flushed, &asked))
        .is_err()
    {
        tracing::warn!("traces and metrics are exported at intervals only: no thread for more");
    }
    // A second start in one process (tests) keeps the first.
    let _ = EXPORT.set(Export {
        tracer: providers.traces.as_ref().map(|traces| traces.tracer(SCOPE)),
        instruments: providers
            .metrics
            .as_ref()
            .map(|metrics| Instruments::new(&metrics.meter(SCOPE))),
        providers,
        flush,
    });
}

fn told<E>(signal: Signal, exporter: Result<E, ExporterBuildError>) -> Option<E> {
    // The error may quote a variable's value.
    if exporter.is_err() {
        tracing::warn!(
            "{} are not exported: the OTEL_* variables do not fit together",
            signal.name()
        );
    }
    exporter.ok()
}

const fn protocol(target: &Target) -> Protocol {
    match target.protocol {
        otlp::Protocol::Protobuf => Protocol::HttpBinary,
        otlp::Protocol::Json => Protocol::HttpJson,
    }
}

fn span_exporter(
    target: &Target,
    collector: Collector,
) -> Result<SpanExporter, ExporterBuildError> {
    SpanExporter::builder()
        .with_http()
        .with_http_client(collector)
        .with_endpoint(target.endpoint.as_str())
        .with_protocol(protocol(target))
        .with_timeout(target.timeout)
        .build()
}

fn metric_exporter(
    target: &Target,
    collector: Collector,
) -> Result<MetricExporter, ExporterBuildError> {
    MetricExporter::builder()
        .with_http()
        .with_http_client(collector)
        .with_endpoint(target.endpoint.as_str())
        .with_protocol(protocol(target))
        .with_timeout(target.timeout)
        .build()
}

/// Who exports: this program, unless `OTEL_SERVICE_NAME` or `OTEL_RESOURCE_ATTRIBUTES` say more.
fn resource(variable: &dyn Fn(&str) -> Option<String>) -> Resource {
    let set = |name: &str| variable(name).filter(|value| !value.trim().is_empty());
    // Handlers on several instances export the same metrics: each is its own series.
    let instance = format!("{:032x}", rand::random::<u128>());
    let mut attributes = vec![
        KeyValue::new("service.name", SCOPE),
        KeyValue::new("service.version", env!("CARGO_PKG_VERSION")),
        KeyValue::new("service.instance.id", instance),
    ];
    if let Some(app) = set("WEBSITE_SITE_NAME") {
        attributes.push(KeyValue::new("cloud.provider", "azure"));
        attributes.push(KeyValue::new("cloud.platform", "azure.functions"));
        attributes.push(KeyValue::new("faas.name", app));
    }
    let asked = EnvResourceDetector::new().detect();
    attributes.extend(
        asked
            .iter()
            .map(|(key, value)| KeyValue::new(key.clone(), value.clone())),
    );
    if let Some(name) = set("OTEL_SERVICE_NAME") {
        attributes.push(KeyValue::new("service.name", name));
    }
    Resource::builder_empty()
        .with_attributes(attributes)
        .build()
}

/// Asks for what is known to be exported now. Never waits.
pub(super) fn flush() {
    if let Some(export) = EXPORT.get() {
        // A full channel: somebody has asked already.
        let _ = export.flush.try_send(());
    }
}

fn flush_when_asked(providers: &Providers, asked: &Receiver<()>) {
    while asked.recv().is_ok() {
        // Each is bounded by the collector's timeout. A failure is told by the collector.
        if let Some(traces) = &providers.traces {
            let _ = traces.force_flush();
        }
        if let Some(metrics) = &providers.metrics {
            let _ = metrics.force_flush();
        }
        std::thread::sleep(FLUSH_PAUSE);
    }
}

/// Exports what is left, at the end of a command, and waits a short while for it.
pub(super) async fn finish() {
    let Some(export) = EXPORT.get() else { return };
    let providers = export.providers.clone();
    let (done, ended) = tokio::sync::oneshot::channel();
    // Not a task: the end of the runtime would wait for a blocking one.
    let thread = std::thread::Builder::new().spawn(move || {
        std::thread::scope(|scope| {
            // Side by side: one signal's dead collector does not cost the other its time.
            scope.spawn(|| providers.traces.as_ref().map(SdkTracerProvider::shutdown));
            scope.spawn(|| providers.metrics.as_ref().map(SdkMeterProvider::shutdown));
        });
        let _ = done.send(());
    });
    if thread.is_ok() {
        let _ = tokio::time::timeout(LAST_FLUSH, ended).await;
    }
}
