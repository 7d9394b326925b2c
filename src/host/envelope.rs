//! What the host sends and expects back.

use std::collections::BTreeMap;

use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use tokio::sync::OwnedSemaphorePermit;

use super::status::CONTENT_SECURITY_POLICY;
use crate::telemetry::{TraceParent, clean};

/// A binding's JSON at most. Event Grid delivers a megabyte, and escapes can double it; decoded, it
/// can take thirty times its size.
const BINDING_LIMIT_BYTES: usize = 2 * 1024 * 1024;

/// The trigger data by binding name, not decoded.
type Data = BTreeMap<String, Box<RawValue>>;

/// One invocation.
#[derive(Debug)]
pub(super) struct Invocation {
    /// The host's id of it, for the log.
    pub(super) id: String,
    /// The W3C trace context it belongs to.
    pub(super) parent: TraceParent,
    /// The trigger data by binding name, not decoded; `None` where the body is not an invocation.
    data: Option<Data>,
    /// A large body's turn: over once the data is read.
    turn: Option<OwnedSemaphorePermit>,
}

/// A binding is nothing that the host would send.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unusable {
    #[error("it is over {BINDING_LIMIT_BYTES} bytes")]
    TooLarge,
    /// More than 128 levels: the decoder would use up the stack.
    #[error("it is nested too deeply")]
    TooDeep,
}

#[derive(Deserialize)]
struct Envelope {
    #[serde(rename = "Data")]
    data: Data,
}

impl Invocation {
    pub(super) fn read(
        headers: &HeaderMap,
        body: &[u8],
        turn: Option<OwnedSemaphorePermit>,
    ) -> Self {
        let id = headers
            .get("X-Azure-Functions-InvocationId")
            .and_then(|value| value.to_str().ok())
            .map_or_else(|| "-".to_owned(), |id| clean(id, 64));
        let envelope: Option<Envelope> = serde_json::from_slice(body).ok();
        let data = envelope.map(|envelope| envelope.data);
        let parent = parent(headers, data.as_ref());
        Self {
            id,
            parent,
            data,
            turn,
        }
    }

    /// The value of a binding. The host encodes whatever is not an object as a JSON text, so a text
    /// that is JSON is taken as what it encodes.
    pub(super) fn binding(&self, name: &str) -> Result<Option<Value>, Unusable> {
        let Some(raw) = self.data.as_ref().and_then(|data| data.get(name)) else {
            return Ok(None);
        };
        if raw.get().len() > BINDING_LIMIT_BYTES {
            return Err(Unusable::TooLarge);
        }
        // It was parsed as part of the body, so only its depth can be wrong.
        Ok(Some(
            match serde_json::from_str(raw.get()).map_err(|_| Unusable::TooDeep)? {
                Value::String(text) => serde_json::from_str(&text).unwrap_or(Value::String(text)),
                value => value,
            },
        ))
    }

    /// What was sent is read: its memory is given back before the pass, which may take a minute.
    pub(super) fn is_read(&mut self) {
        self.data = None;
        self.turn = None;
    }
}

/// The trace context of the host's own request, whose span is the nearest; else that of the HTTP
/// trigger's caller.
fn parent(headers: &HeaderMap, data: Option<&Data>) -> TraceParent {
    let own = |name: &str| Some(headers.get(name)?.to_str().ok()?.to_owned());
    if let Some(traceparent) = own("traceparent") {
        return TraceParent {
            traceparent: Some(traceparent),
            tracestate: own("tracestate"),
        };
    }
    let callers = data.and_then(|data| data.values().find_map(|raw| caller(raw)));
    let callers = |name: &str| {
        let headers = callers.as_ref()?;
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

/// The headers of the HTTP trigger's caller, where this is its binding.
fn caller(raw: &RawValue) -> Option<BTreeMap<String, Value>> {
    #[derive(Deserialize)]
    struct Caller {
        #[serde(rename = "Headers")]
        headers: BTreeMap<String, Value>,
    }
    if raw.get().len() > BINDING_LIMIT_BYTES {
        return None;
    }
    let caller: Caller = serde_json::from_str(raw.get()).ok()?;
    Some(caller.headers)
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
        Invocation::read(&HeaderMap::new(), body.as_bytes(), None)
    }

    #[test]
    fn trigger_data_is_an_object_or_the_json_text_of_anything() {
        let call = read(r#"{"Data":{"a":{"x":1},"b":"{\"x\":1}","c":"[1]","d":"text","e":7}}"#);
        assert_eq!(call.binding("a"), Ok(Some(json!({ "x": 1 }))));
        assert_eq!(call.binding("b"), Ok(Some(json!({ "x": 1 }))));
        assert_eq!(call.binding("c"), Ok(Some(json!([1]))));
        assert_eq!(call.binding("d"), Ok(Some(json!("text"))));
        assert_eq!(call.binding("e"), Ok(Some(json!(7))));
        assert_eq!(call.binding("A"), Ok(None));
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
            assert_eq!(call.binding("a"), Ok(None), "{body}");
        }
    }

    #[test]
    fn a_binding_that_is_too_large_or_too_deep_is_not_decoded() {
        let call = |binding: &str| read(&format!(r#"{{"Data":{{"a":{binding}}}}}"#)).binding("a");
        let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
        assert!(matches!(call(&nested(100)), Ok(Some(Value::Array(_)))));
        assert_eq!(call(&nested(200)), Err(Unusable::TooDeep));
        assert_eq!(call(&nested(100_000)), Err(Unusable::TooDeep));
        // As a text it stays what it is.
        let text = json!(nested(100_000));
        assert_eq!(call(&text.to_string()), Ok(Some(text)));
        let long = |length: usize| json!("x".repeat(length - 2));
        let most = long(BINDING_LIMIT_BYTES);
        assert_eq!(call(&most.to_string()), Ok(Some(most)));
        assert_eq!(
            call(&long(BINDING_LIMIT_BYTES + 1).to_string()),
            Err(Unusable::TooLarge)
        );
    }

    #[test]
    fn the_invocation_id_is_fit_for_a_log_line() {
        let mut headers = HeaderMap::new();
        assert_eq!(Invocation::read(&headers, b"{}", None).id, "-");
        headers.insert(
            "x-azure-functions-invocationid",
            "7d5a2f0c-1".parse().unwrap(),
        );
        assert_eq!(Invocation::read(&headers, b"{}", None).id, "7d5a2f0c-1");
        let long = "x".repeat(1_000);
        headers.insert("x-azure-functions-invocationid", long.parse().unwrap());
        assert!(Invocation::read(&headers, b"{}", None).id.chars().count() <= 65);
        let bytes = axum::http::HeaderValue::from_bytes(b"\xff").unwrap();
        headers.insert("x-azure-functions-invocationid", bytes);
        assert_eq!(Invocation::read(&headers, b"{}", None).id, "-");
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
            let _ = Invocation::read(&HeaderMap::new(), &body, None).binding(&name);
        }
    }
}
