//! What the host sends and expects back.

use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::telemetry::clean;

/// One invocation.
#[derive(Debug)]
pub(super) struct Invocation {
    /// The host's id of it, for the log.
    pub(super) id: String,
    /// The trigger data by binding name; `None` where the body is not an invocation.
    pub(super) data: Option<Map<String, Value>>,
}

#[derive(Deserialize)]
struct Envelope {
    #[serde(rename = "Data")]
    data: Map<String, Value>,
}

impl Invocation {
    pub(super) fn read(headers: &HeaderMap, body: &[u8]) -> Self {
        let id = headers
            .get("X-Azure-Functions-InvocationId")
            .and_then(|value| value.to_str().ok())
            .map_or_else(|| "-".to_owned(), |id| clean(id, 64));
        let envelope: Option<Envelope> = serde_json::from_slice(body).ok();
        Self {
            id,
            data: envelope.map(|envelope| envelope.data),
        }
    }

    /// The value of a binding. The host encodes whatever is not an object as a JSON text, so a text
    /// that is JSON is taken as what it encodes.
    pub(super) fn binding(&self, name: &str) -> Option<Value> {
        let value = self.data.as_ref()?.get(name)?;
        match value {
            Value::String(text) => {
                Some(serde_json::from_str(text).unwrap_or_else(|_| value.clone()))
            }
            _ => Some(value.clone()),
        }
    }
}

/// The answer to an HTTP trigger's caller.
#[derive(Debug)]
pub(super) struct HttpAnswer {
    pub(super) status: u16,
    pub(super) content_type: &'static str,
    pub(super) body: String,
}

impl HttpAnswer {
    pub(super) fn json(status: u16, body: &Value) -> Self {
        Self {
            status,
            content_type: "application/json",
            body: body.to_string(),
        }
    }
}

/// The reply to an invocation.
#[derive(Debug)]
pub(super) struct Reply {
    /// Whether the host is to take the invocation as failed: it then retries or alerts.
    pub(super) failed: bool,
    /// Lines for the invocation's log.
    pub(super) logs: Vec<String>,
    /// The answer to an HTTP trigger's caller.
    pub(super) answer: Option<HttpAnswer>,
}

impl Reply {
    pub(super) fn done(logs: Vec<String>) -> Self {
        Self {
            failed: false,
            logs,
            answer: None,
        }
    }

    pub(super) fn failed(logs: Vec<String>) -> Self {
        Self {
            failed: true,
            logs,
            answer: None,
        }
    }

    pub(super) fn with(mut self, answer: HttpAnswer) -> Self {
        self.answer = Some(answer);
        self
    }
}

impl IntoResponse for Reply {
    fn into_response(self) -> Response {
        let outputs = match self.answer {
            None => json!({}),
            Some(HttpAnswer {
                status,
                content_type,
                body,
            }) => json!({
                "res": {
                    "statusCode": status,
                    "headers": {
                        "Content-Type": content_type,
                        "Cache-Control": "no-store",
                        "X-Content-Type-Options": "nosniff",
                        "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'",
                    },
                    "body": body,
                }
            }),
        };
        let status = if self.failed {
            StatusCode::INTERNAL_SERVER_ERROR
        } else {
            StatusCode::OK
        };
        let body = json!({ "Outputs": outputs, "Logs": self.logs, "ReturnValue": null });
        (status, axum::Json(body)).into_response()
    }
}
