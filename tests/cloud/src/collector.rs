//! An OpenTelemetry collector: takes OTLP over HTTP and keeps it, unread.

use crate::answer::{Answer, Seen};

const PATHS: [&str; 2] = ["/v1/metrics", "/v1/traces"];
const TYPES: [&str; 2] = ["application/json", "application/x-protobuf"];

/// What a collector's receiver answers.
pub(crate) fn answer(seen: &Seen) -> Answer {
    if !PATHS.contains(&seen.path.as_str()) {
        return Answer::empty(404);
    }
    if seen.method != "POST" {
        return Answer::empty(405);
    }
    let kind = seen.header("content-type").unwrap_or_default();
    match TYPES.iter().find(|known| **known == kind) {
        None => Answer::empty(415),
        // An empty message is everything accepted; as JSON it is an empty object.
        Some(&"application/json") => Answer::json(200, &serde_json::json!({})),
        Some(kind) => Answer::empty(200).with_header("content-type", *kind),
    }
}
