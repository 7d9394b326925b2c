//! What the program tells of itself: its log, and traces and metrics by OTLP, as a collector
//! receives them.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a failure is a failed test"
)]

mod collector_faults;
mod contexts;
mod document;
mod lines;
mod metrics;
mod received;
mod traces;

use serde_json::{Value, json};
use simulated_cloud::Cloud;
use simulated_cloud::functions_host::{Handler, Reply};

use crate::host_contract::{envelope, written};
use crate::support::{Running, binary, environment};

/// The id that the host gives an invocation.
const INVOCATION: &str = "x-azure-functions-invocationid";

/// The variables that have everything exported to the cloud's collector, in small intervals: what
/// an invocation asks for comes at once, the rest when its time has come.
fn export_to(cloud: &Cloud) -> Vec<(String, String)> {
    let variable = |name: &str, value: String| (name.to_owned(), value);
    vec![
        variable("OTEL_EXPORTER_OTLP_ENDPOINT", cloud.collector_endpoint()),
        variable("OTEL_METRIC_EXPORT_INTERVAL", "500".to_owned()),
        variable("OTEL_BSP_SCHEDULE_DELAY", "500".to_owned()),
    ]
}

impl Running {
    /// Starts a handler with further variables.
    async fn with_variables(cloud: Cloud, yaml: &str, more: Vec<(String, String)>) -> Self {
        let mut env = environment(&cloud, yaml);
        env.extend(more);
        let handler = Handler::spawn(binary(), env).await;
        Self { cloud, handler }
    }

    /// Delivers an event about `web-vmss` with these headers.
    async fn event_with(&self, headers: &[(&str, &str)]) -> Reply {
        let event = envelope("event", &written(&self.world().set_id("web-vmss")));
        self.post("/VmssScaleEvent", &event, headers).await
    }

    /// A tick with these headers.
    async fn tick_with(&self, headers: &[(&str, &str)]) -> Reply {
        let tick = envelope("timer", &json!({ "IsPastDue": false }));
        self.post("/ReconcileTimer", &tick, headers).await
    }

    async fn post(&self, path: &str, body: &Value, headers: &[(&str, &str)]) -> Reply {
        let body = body.to_string().into_bytes();
        self.handler.post_with(path, body, headers).await
    }
}
