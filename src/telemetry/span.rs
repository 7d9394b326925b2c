//! Spans: of an invocation, a command, a pass.
//!
//! They cost nothing where traces are not exported. `traceparent` is read from the host and sent to
//! nobody: neither Azure nor NGINX would continue the trace, and both belong to somebody else.

use opentelemetry::Context;
use opentelemetry::KeyValue;
use opentelemetry::context::FutureExt as _;
use opentelemetry::propagation::{Extractor, TextMapPropagator as _};
use opentelemetry::trace::{
    Link, SpanBuilder, SpanKind, Status, TraceContextExt as _, Tracer as _,
};
use opentelemetry_sdk::propagation::TraceContextPropagator;

use super::export;
use super::names::{Attribute, Trigger};
use super::origin::{Links, Origin};
use crate::reconcile::{Outcome, PassReport, UpstreamReport};

/// A span, from its start until it is dropped; nothing where traces are not exported.
#[derive(Debug)]
pub(super) struct Span(Option<Context>);

impl Span {
    /// Starts a child of the running task's span.
    pub(super) fn start(
        name: impl Into<std::borrow::Cow<'static, str>>,
        kind: SpanKind,
        attributes: impl FnOnce() -> Vec<KeyValue>,
    ) -> Self {
        Self::below(&Context::current(), name, kind, attributes)
    }

    fn below(
        parent: &Context,
        name: impl Into<std::borrow::Cow<'static, str>>,
        kind: SpanKind,
        attributes: impl FnOnce() -> Vec<KeyValue>,
    ) -> Self {
        let Some(tracer) = export::tracer() else {
            return Self(None);
        };
        let mut builder = SpanBuilder::from_name(name)
            .with_kind(kind)
            .with_attributes(attributes());
        if let Some(links) = parent.get::<Links>() {
            let links = links.0.iter().cloned().map(Link::with_context);
            builder = builder.with_links(links.collect());
        }
        let span = tracer.build_with_context(builder, parent);
        // The links are this span's, not its children's.
        Self(Some(parent.with_value(Links::default()).with_span(span)))
    }

    /// Adds to what the span says.
    pub(super) fn add(&self, attributes: impl FnOnce() -> Vec<KeyValue>) {
        if let Some(context) = &self.0 {
            context.span().set_attributes(attributes());
        }
    }

    /// What the span is about failed.
    pub(super) fn fail(&self, kind: &str) {
        if let Some(context) = &self.0 {
            let span = context.span();
            span.set_attribute(Attribute::ErrorType.of(kind.to_owned()));
            span.set_status(Status::error(""));
        }
    }

    /// Runs `work` within the span.
    pub(super) async fn run<F: Future>(&self, work: F) -> F::Output {
        match &self.0 {
            Some(context) => work.with_context(context.clone()).await,
            None => work.await,
        }
    }
}

impl Drop for Span {
    fn drop(&mut self) {
        if let Some(context) = &self.0 {
            context.span().end();
        }
    }
}

/// The W3C trace context that came with an invocation.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TraceParent {
    /// The header `traceparent`.
    pub traceparent: Option<String>,
    /// The header `tracestate`.
    pub tracestate: Option<String>,
}

impl Extractor for TraceParent {
    fn get(&self, key: &str) -> Option<&str> {
        match key {
            "traceparent" => self.traceparent.as_deref(),
            "tracestate" => self.tracestate.as_deref(),
            _ => None,
        }
    }

    fn keys(&self) -> Vec<&str> {
        vec!["traceparent", "tracestate"]
    }
}

/// An invocation by the Functions host: what it does belongs to it, in the log and in traces.
#[derive(Debug)]
pub struct Invocation {
    origin: Origin,
    span: Span,
}

impl Invocation {
    /// Begins an invocation of `function`.
    #[must_use]
    pub fn begin(function: &'static str, id: &str, parent: &TraceParent) -> Self {
        let trigger = Trigger::of_function(function);
        let (kind, faas) = match trigger {
            Trigger::Event => (SpanKind::Consumer, "pubsub"),
            Trigger::Timer => (SpanKind::Server, "timer"),
            _ => (SpanKind::Server, "http"),
        };
        let attributes = || {
            vec![
                Attribute::FaasTrigger.of(faas),
                Attribute::FaasInvocationId.of(id.to_owned()),
                Attribute::Trigger.of(trigger.name()),
            ]
        };
        let parent = TraceContextPropagator::new().extract_with_context(&Context::new(), parent);
        Self {
            span: Span::below(&parent, function, kind, attributes),
            origin: Origin {
                trigger,
                invocations: vec![id.to_owned()],
            },
        }
    }

    /// Runs `work` as this invocation.
    pub async fn run<F: Future>(&self, work: F) -> F::Output {
        self.span.run(self.origin.clone().run(work)).await
    }

    /// Ends it, and has exported what is known of it.
    pub fn end(self, failed: bool) {
        if failed {
            self.span.fail("failed");
        }
        drop(self.span);
        export::flush();
    }
}

/// Runs a command from a terminal: what it does belongs to it. `name` is its span's; `None` for
/// one that lasts.
pub async fn command<F: Future>(
    trigger: Trigger,
    name: Option<&'static str>,
    work: F,
) -> F::Output {
    let origin = Origin {
        trigger,
        invocations: Vec::new(),
    };
    let attributes = || vec![Attribute::Trigger.of(trigger.name())];
    match name {
        None => origin.run(work).await,
        Some(name) => {
            let span = Span::start(name, SpanKind::Internal, attributes);
            span.run(origin.run(work)).await
        }
    }
}

/// A pass, from its beginning to its report.
#[derive(Debug)]
pub struct Pass {
    span: Span,
    applies: bool,
}

impl Pass {
    /// Begins a pass over `upstreams` upstreams; `applies` tells whether it may change them.
    #[must_use]
    pub fn begin(intent: &'static str, applies: bool, upstreams: usize) -> Self {
        let attributes = || {
            let upstreams = i64::try_from(upstreams).unwrap_or(i64::MAX);
            let mut attributes = vec![
                Attribute::Intent.of(intent),
                Attribute::Upstreams.of(upstreams),
            ];
            let trigger = Origin::with_current(|origin| origin.trigger.name());
            attributes.extend(trigger.map(|name| Attribute::Trigger.of(name)));
            attributes
        };
        Self {
            span: Span::start("pass", SpanKind::Internal, attributes),
            applies,
        }
    }

    /// Runs `work` as this pass.
    pub async fn run<F: Future>(&self, work: F) -> F::Output {
        self.span.run(work).await
    }

    /// Ends it with its report.
    pub fn end(self, report: &PassReport) {
        self.span.add(|| {
            let held = report.upstreams.iter().map(UpstreamReport::held_by_guards);
            let held: usize = held.sum();
            vec![
                Attribute::Outcome.of(report.outcome().name()),
                Attribute::Held.of(i64::try_from(held).unwrap_or(i64::MAX)),
            ]
        });
        if report.outcome() == Outcome::Failed {
            let mut failures = report
                .upstreams
                .iter()
                .flat_map(|upstream| &upstream.failures);
            self.span
                .fail(failures.next().map_or("failed", |failure| failure.kind));
        }
        if let (true, Some(instruments)) = (self.applies, export::instruments()) {
            let trigger = Origin::with_current(|origin| origin.trigger);
            instruments.pass(report, trigger);
        }
    }
}
