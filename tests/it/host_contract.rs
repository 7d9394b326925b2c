//! What the handler promises to the Functions host, through the host's own envelopes.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a failure is a failed test"
)]

mod bodies;
mod bursts;
mod configuration;
mod events;
mod members;
mod operators;
mod paths;
mod process;
mod replies;
mod status;

use std::time::Duration;

use serde_json::{Value, json};
use simulated_cloud::Recorded;
use simulated_cloud::functions_host::{Reply, event_grid};

use crate::support::{Running, sorted};

/// How long a line may take from the process to the test.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

const WRITTEN: &str = "Microsoft.Resources.ResourceWriteSuccess";
const WRITE: &str = "Microsoft.Compute/virtualMachineScaleSets/write";

/// An event about a resource that was written.
pub(crate) fn written(id: &str) -> Value {
    event_grid(WRITTEN, id, WRITE)
}

/// The host's envelope around trigger data.
pub(crate) fn envelope(binding: &str, data: &Value) -> Value {
    json!({
        "Data": { binding: data },
        "Metadata": { "sys": {
            "MethodName": "f",
            "UtcNow": "2026-01-05T10:15:02.12Z",
            "RandGuid": "24ad4c06-0000-0000-0000-000000000000",
        } },
    })
}

/// Every reply is JSON, says so, and is not empty: an empty one would hang the invocation.
fn assert_json(reply: &Reply, what: &str) {
    let kind = reply.content_type.split(';').next().unwrap_or_default();
    assert_eq!(kind, "application/json", "{what}: {}", reply.text);
    assert!(reply.body.is_object(), "{what}: {}", reply.text);
}

/// The invocation succeeded, and its reply is one.
fn assert_done(reply: &Reply, what: &str) {
    assert_json(reply, what);
    assert!(
        reply.succeeded(),
        "{what}: {:?} {}",
        reply.verdict,
        reply.text
    );
}

/// The invocation failed, and its reply is JSON all the same.
fn assert_failed(reply: &Reply, what: &str) {
    assert_json(reply, what);
    assert_eq!(reply.status, 500, "{what}: {}", reply.text);
}

/// What left the process, as `METHOD path`.
fn told(requests: &[Recorded]) -> Vec<String> {
    let line = |request: &Recorded| format!("{} {}", request.method, request.path);
    requests.iter().map(line).collect()
}

impl Running {
    /// The upstream `web` holds the instances of `web-vmss` and nothing else.
    fn assert_follows(&self, what: &str) {
        let expected = sorted(self.world().addresses("web-vmss", 80));
        assert_eq!(sorted(self.http("web")), expected, "{what}");
    }

    /// Not one request has left the process.
    fn assert_silent(&self, what: &str) {
        assert_eq!(told(&self.cloud.requests()), Vec::<String>::new(), "{what}");
    }

    /// The lines stand on standard output, where the host keeps them.
    pub(crate) async fn assert_on_stdout(&self, lines: &[String]) {
        for line in lines {
            assert!(self.handler.wait_for_line(line, PATIENCE).await, "{line}");
            let stdout = self.handler.stdout_lines();
            assert!(
                stdout.iter().any(|printed| printed.contains(line)),
                "{line}: {stdout:#?}"
            );
        }
    }

    /// Sends a request as no envelope can: any method, any headers, a body of known length.
    async fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Vec<u8>,
    ) -> (u16, String, String) {
        let client = reqwest::Client::builder()
            .no_proxy()
            .build()
            .expect("a client");
        let method = reqwest::Method::from_bytes(method.as_bytes()).expect("a method");
        let url = format!("http://127.0.0.1:{}{path}", self.handler.port());
        let mut request = client.request(method, url).body(body);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = request.send().await.expect("a reply");
        let status = response.status().as_u16();
        let kind = response.headers().get("content-type");
        let kind = kind
            .and_then(|kind| kind.to_str().ok())
            .unwrap_or_default()
            .to_owned();
        (status, kind, response.text().await.expect("a body"))
    }
}
