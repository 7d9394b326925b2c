//! The metrics: what is recorded of a pass and of a request.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use opentelemetry::KeyValue;
use opentelemetry::metrics::{Counter, Gauge, Histogram, Meter, ObservableGauge};

use super::names::{Attribute, Metric, Trigger};
use crate::model::UpstreamKey;
use crate::reconcile::{Outcome, PassReport, UpstreamReport};

/// Of passes, in seconds: a quiet one takes a quarter of a second, a deadline ends it at 60.
const PASS_BUCKETS: [f64; 11] = [0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 25.0, 40.0, 60.0];
/// Of requests, in seconds, as the semantic conventions advise.
const REQUEST_BUCKETS: [f64; 14] = [
    0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0,
];

/// When each upstream last succeeded, or was first tried.
type LastSuccess = Arc<Mutex<BTreeMap<UpstreamKey, Instant>>>;

/// The instruments of this process.
pub(super) struct Instruments {
    pass_duration: Histogram<f64>,
    changes: Counter<u64>,
    held: Gauge<u64>,
    failures: Counter<u64>,
    servers: Gauge<u64>,
    request_duration: Histogram<f64>,
    throttles: Counter<u64>,
    last_success: LastSuccess,
    /// Observed as long as it lives.
    _last_success_age: ObservableGauge<f64>,
}

impl Instruments {
    pub(super) fn new(meter: &Meter) -> Self {
        let counter = |metric: Metric| {
            meter
                .u64_counter(metric.name())
                .with_unit(metric.unit())
                .with_description(metric.meaning())
                .build()
        };
        let gauge = |metric: Metric| {
            meter
                .u64_gauge(metric.name())
                .with_unit(metric.unit())
                .with_description(metric.meaning())
                .build()
        };
        let histogram = |metric: Metric, buckets: &[f64]| {
            meter
                .f64_histogram(metric.name())
                .with_unit(metric.unit())
                .with_description(metric.meaning())
                .with_boundaries(buckets.to_vec())
                .build()
        };
        let last_success = LastSuccess::default();
        let observed = Arc::clone(&last_success);
        let age = Metric::LastSuccessAge;
        let last_success_age = meter
            .f64_observable_gauge(age.name())
            .with_unit(age.unit())
            .with_description(age.meaning())
            .with_callback(move |observer| {
                let known = observed.lock().unwrap_or_else(PoisonError::into_inner);
                for (key, at) in &*known {
                    observer.observe(at.elapsed().as_secs_f64(), &upstream(key));
                }
            })
            .build();
        Self {
            pass_duration: histogram(Metric::PassDuration, &PASS_BUCKETS),
            changes: counter(Metric::Changes),
            held: gauge(Metric::Held),
            failures: counter(Metric::Failures),
            servers: gauge(Metric::Servers),
            request_duration: histogram(Metric::RequestDuration, &REQUEST_BUCKETS),
            throttles: counter(Metric::Throttles),
            last_success,
            _last_success_age: last_success_age,
        }
    }

    /// A pass that was to change something, and not only to look.
    pub(super) fn pass(&self, report: &PassReport, trigger: Option<Trigger>) {
        let mut attributes = vec![Attribute::Outcome.of(report.outcome().name())];
        attributes.extend(trigger.map(|trigger| Attribute::Trigger.of(trigger.name())));
        self.pass_duration
            .record(report.took.as_secs_f64(), &attributes);
        for report in &report.upstreams {
            self.upstream(report);
        }
    }

    fn upstream(&self, report: &UpstreamReport) {
        let attributes = upstream(&report.key);
        let with = |more: KeyValue| {
            let [name, kind] = attributes.clone();
            [name, kind, more]
        };
        for (change, servers) in [
            ("added", &report.added),
            ("removed", &report.removed),
            ("updated", &report.updated),
            ("drained", &report.drained),
        ] {
            if !servers.is_empty() {
                self.changes
                    .add(count(servers.len()), &with(Attribute::Change.of(change)));
            }
        }
        for failure in &report.failures {
            self.failures
                .add(1, &with(Attribute::ErrorType.of(failure.kind)));
        }
        let held = report.held_by_guards();
        self.held.record(count(held), &attributes);
        let failed = report.outcome() == Outcome::Failed;
        if report.servers_read {
            self.servers
                .record(count(report.servers.len()), &attributes);
        }
        let mut known = self
            .last_success
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let at = known.entry(report.key.clone()).or_insert_with(Instant::now);
        if !failed {
            *at = Instant::now();
        }
    }

    pub(super) fn request(&self, took: Duration, attributes: &[KeyValue]) {
        self.request_duration.record(took.as_secs_f64(), attributes);
    }

    pub(super) fn throttled(&self, service: super::Service) {
        self.throttles
            .add(1, &[Attribute::Service.of(service.name())]);
    }
}

impl Attribute {
    /// The attribute with a value.
    pub(super) fn of(self, value: impl Into<opentelemetry::Value>) -> KeyValue {
        KeyValue::new(self.name(), value)
    }
}

fn upstream(key: &UpstreamKey) -> [KeyValue; 2] {
    [
        Attribute::Upstream.of(key.name.clone()),
        Attribute::UpstreamKind.of(key.kind.path()),
    ]
}

fn count(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}
