//! What the host sends and expects back.

use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::status::CONTENT_SECURITY_POLICY;
use crate::telemetry::{TraceParent, clean};

/// One invocation.
#[derive(Debug)]
pub(super) struct Invocation {
    /// The host's id of it, for the log.
    pub(super) id: String,
    /// The W3C trace context it belongs to.
    pub(super) parent: TraceParent,
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
        let data = envelope.map(|envelope| envelope.data);
        let parent = parent(headers, data.as_ref());
        Self { id, parent, data }
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

/// The trace context of the host's own request, whose span is the nearest; else that of the HTTP
/// trigger's caller.
fn parent(headers: &HeaderMap, data: Option<&Map<String, Value>>) -> TraceParent {
    let own = |name: &str| Some(headers.get(name)?.to_str().ok()?.to_owned());
    if let Some(traceparent) = own("traceparent") {
        return TraceParent {
            traceparent: Some(traceparent),
            tracestate: own("tracestate"),
        };
    }
    let callers = data.and_then(|data| data.values().find_map(|value| value.get("Headers")));
    let callers = |name: &str| {
        let headers = callers?.as_object()?;
        let (_, value) = headers
            .iter()
            .find(|(key, _)| key.eq_ignore_ascii_case(name))?;
        let value = value.get(0).unwrap_or(value);
        value.as_str().map(str::to_owned)
    };
    TraceParent {
        traceparent: callers("traceparent"),
        tracestate: callers("tracestate"),
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
    pub(super) fn page(body: String) -> Self {
        Self {
            status: 200,
            content_type: "text/html; charset=utf-8",
            body,
        }
    }

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
                        "Content-Security-Policy": *CONTENT_SECURITY_POLICY,
                        // The function key may stand in the URL.
                        "Referrer-Policy": "no-referrer",
                        "Vary": "Accept",
                        "X-Content-Type-Options": "nosniff",
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(body: &str) -> Invocation {
        Invocation::read(&HeaderMap::new(), body.as_bytes())
    }

    #[test]
    fn trigger_data_is_an_object_or_the_json_text_of_anything() {
        let call = read(r#"{"Data":{"a":{"x":1},"b":"{\"x\":1}","c":"[1]","d":"text","e":7}}"#);
        assert_eq!(call.binding("a"), Some(json!({ "x": 1 })));
        assert_eq!(call.binding("b"), Some(json!({ "x": 1 })));
        assert_eq!(call.binding("c"), Some(json!([1])));
        assert_eq!(call.binding("d"), Some(json!("text")));
        assert_eq!(call.binding("e"), Some(json!(7)));
        assert_eq!(call.binding("A"), None);
    }

    #[test]
    fn what_is_no_envelope_has_no_data_and_no_binding() {
        for body in [
            "",
            "null",
            "[]",
            "{}",
            "{",
            r#"{"Data":1}"#,
            r#"{"data":{"a":1}}"#,
        ] {
            let call = read(body);
            assert!(call.data.is_none(), "{body}");
            assert_eq!(call.binding("a"), None, "{body}");
        }
    }

    #[test]
    fn the_invocation_id_is_fit_for_a_log_line() {
        let mut headers = HeaderMap::new();
        assert_eq!(Invocation::read(&headers, b"{}").id, "-");
        headers.insert(
            "x-azure-functions-invocationid",
            "7d5a2f0c-1".parse().unwrap(),
        );
        assert_eq!(Invocation::read(&headers, b"{}").id, "7d5a2f0c-1");
        let long = "x".repeat(1_000);
        headers.insert("x-azure-functions-invocationid", long.parse().unwrap());
        assert!(Invocation::read(&headers, b"{}").id.chars().count() <= 65);
        let bytes = axum::http::HeaderValue::from_bytes(b"\xff").unwrap();
        headers.insert("x-azure-functions-invocationid", bytes);
        assert_eq!(Invocation::read(&headers, b"{}").id, "-");
    }

    async fn rendered(reply: Reply) -> (u16, Option<String>, Value) {
        let response = reply.into_response();
        let status = response.status().as_u16();
        let kind = response.headers().get("content-type");
        let kind = kind.map(|kind| kind.to_str().unwrap().to_owned());
        let body = axum::body::to_bytes(response.into_body(), usize::MAX).await;
        (
            status,
            kind,
            serde_json::from_slice(&body.unwrap()).unwrap(),
        )
    }

    #[tokio::test]
    async fn replies_have_the_hosts_shape() {
        let json = Some("application/json".to_owned());
        assert_eq!(
            rendered(Reply::done(vec!["a".to_owned()])).await,
            (
                200,
                json.clone(),
                json!({ "Outputs": {}, "Logs": ["a"], "ReturnValue": null })
            )
        );
        assert_eq!(
            rendered(Reply::failed(vec![])).await,
            (
                500,
                json.clone(),
                json!({ "Outputs": {}, "Logs": [], "ReturnValue": null })
            )
        );
        let answer = HttpAnswer::json(409, &json!({ "error": "no" }));
        let (status, kind, body) = rendered(Reply::done(vec![]).with(answer)).await;
        assert_eq!((status, kind), (200, json));
        let res = &body["Outputs"]["res"];
        assert_eq!(res["statusCode"], 409);
        assert_eq!(res["headers"]["Content-Type"], "application/json");
        assert_eq!(res["body"], r#"{"error":"no"}"#);
    }

    proptest! {
        #[test]
        fn no_body_makes_the_reading_panic(body in any::<Vec<u8>>(), name in any::<String>()) {
            let _ = Invocation::read(&HeaderMap::new(), &body).binding(&name);
        }
    }
}
