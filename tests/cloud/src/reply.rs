//! From an [`Answer`] to bytes on the wire, whole or damaged.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::channel::{Channel, Sender};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full};
use hyper::Response;
use serde_json::{Value, json};

use crate::answer::{Answer, Seen};
use crate::faults::{Fault, ThrottleForm};

/// The body type of every reply.
pub(crate) type Body = BoxBody<Bytes, std::io::Error>;

/// The connection is to be dropped without an answer.
#[derive(Debug)]
pub(crate) struct Aborted;

impl std::fmt::Display for Aborted {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("the connection is dropped on purpose")
    }
}

impl std::error::Error for Aborted {}

/// Sends an answer as it is.
pub(crate) fn whole(answer: &Answer) -> Response<Body> {
    let body = Full::new(answer.body.clone())
        .map_err(|never| match never {})
        .boxed();
    head(answer).body(body).unwrap()
}

/// Sends the body in sixteen pieces, `pause` apart.
pub(crate) fn slow(answer: Answer, pause: Duration) -> Response<Body> {
    let response = head(&answer).header("content-length", answer.body.len());
    let (mut sender, body) = Channel::<Bytes, std::io::Error>::new(1);
    tokio::spawn(async move {
        let size = answer.body.len().div_ceil(16).max(1);
        for piece in answer.body.chunks(size) {
            tokio::time::sleep(pause).await;
            if sender
                .send_data(Bytes::copy_from_slice(piece))
                .await
                .is_err()
            {
                return;
            }
        }
    });
    response.body(body.boxed()).unwrap()
}

/// Announces the whole body, sends half of it and drops the connection.
pub(crate) fn cut(answer: Answer) -> Response<Body> {
    let response = head(&answer).header("content-length", answer.body.len());
    let (mut sender, body) = Channel::<Bytes, std::io::Error>::new(1);
    tokio::spawn(async move {
        let half = answer.body.slice(..answer.body.len() / 2);
        let _ = sender.send_data(half).await;
        sender.abort(std::io::Error::other("cut on purpose"));
    });
    response.body(body.boxed()).unwrap()
}

/// A reply of `size` bytes that is valid JSON all the same.
pub(crate) fn huge(size: usize) -> Response<Body> {
    let head = Response::builder()
        .status(200)
        .header("content-type", "application/json")
        .header("content-length", size.max(16));
    let (sender, body) = Channel::<Bytes, std::io::Error>::new(4);
    tokio::spawn(fill(sender, size.max(16)));
    head.body(body.boxed()).unwrap()
}

async fn fill(mut sender: Sender<Bytes, std::io::Error>, size: usize) {
    let (open, close) = (
        Bytes::from_static(b"{\"value\":["),
        Bytes::from_static(b"]}"),
    );
    let mut left = size - open.len() - close.len();
    let blank = Bytes::from(vec![b' '; 64 * 1024]);
    if sender.send_data(open).await.is_err() {
        return;
    }
    while left > 0 {
        let piece = blank.slice(..left.min(blank.len()));
        left -= piece.len();
        if sender.send_data(piece).await.is_err() {
            return;
        }
    }
    let _ = sender.send_data(close).await;
}

fn head(answer: &Answer) -> hyper::http::response::Builder {
    let mut builder = Response::builder().status(answer.status);
    for (name, value) in &answer.headers {
        builder = builder.header(name, value);
    }
    builder
}

/// The reply of a fault that does not need the service's own answer.
pub(crate) fn instead(fault: &Fault) -> Option<Answer> {
    match fault {
        Fault::Status {
            code,
            body,
            headers,
        } => {
            let kind = if body.starts_with(['{', '[']) {
                "application/json"
            } else {
                "text/plain"
            };
            let mut answer = Answer::empty(*code);
            if !headers
                .iter()
                .any(|(name, _)| name.eq_ignore_ascii_case("content-type"))
            {
                answer = answer.with_header("content-type", kind);
            }
            answer.headers.extend(headers.iter().cloned());
            answer.body = Bytes::from(body.clone());
            Some(answer)
        }
        Fault::HtmlError(status) => Some(Answer::html(*status, "Error")),
        Fault::Throttled { form, retry_after } => Some(throttled(*form, *retry_after)),
        Fault::Redirect(url) => Some(Answer::html(302, "Found").with_header("location", url)),
        _ => None,
    }
}

fn throttled(form: ThrottleForm, retry_after: Option<u64>) -> Answer {
    let body = match form {
        ThrottleForm::Arm => json!({"error": {
            "code": "SubscriptionRequestsThrottled",
            "message": format!(
                "Number of 'read' requests for subscription exceeded. Please try again after '{}' seconds.",
                retry_after.unwrap_or(10)
            ),
        }}),
        ThrottleForm::Compute => json!({
            "code": "OperationNotAllowed",
            "message": "The server rejected the request because too many requests have been received for this subscription.",
            "details": [{
                "code": "TooManyRequests",
                "target": "HighCostGet30Min",
                "message": "{\"operationGroup\":\"HighCostGet30Min\",\"allowedRequestCount\":800,\"measuredRequestCount\":1238}",
            }],
        }),
    };
    let answer = Answer::json(429, &body);
    match retry_after {
        Some(seconds) => answer.with_header("retry-after", seconds.to_string()),
        None => answer,
    }
}

/// The service's answer, its JSON changed as the fault says.
pub(crate) fn damaged(answer: Answer, fault: &Fault, seen: &Seen, origin: &str) -> Answer {
    if let Fault::TruncatedJson = fault {
        let body = answer.body.slice(..answer.body.len() / 2);
        return Answer { body, ..answer };
    }
    let Ok(mut document) = serde_json::from_slice::<Value>(&answer.body) else {
        return answer;
    };
    match (fault, document.as_object_mut()) {
        (Fault::WrongTypes, Some(object)) if object.contains_key("value") => {
            object.insert("value".to_owned(), json!("x"));
        }
        (Fault::WrongTypes, _) => document = json!("x"),
        (Fault::ForeignNextLink(url), Some(object)) => {
            object.insert("nextLink".to_owned(), json!(url));
        }
        (Fault::NextLinkCycle, Some(object)) => {
            object.insert(
                "nextLink".to_owned(),
                json!(format!("{origin}{}", seen.target())),
            );
        }
        (Fault::EmptyValue, Some(object)) => {
            object.insert("value".to_owned(), json!([]));
            object.remove("nextLink");
        }
        (Fault::EmptyValue, None) => document = json!([]),
        (Fault::MissingValue, Some(object)) => {
            object.remove("value");
        }
        _ => return answer,
    }
    Answer {
        body: Bytes::from(document.to_string()),
        ..answer
    }
}
