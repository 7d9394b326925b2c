//! The bodies that the host posts to a custom handler: `{"Data":{…},"Metadata":{…}}`.

use serde_json::{Map, Value, json};

use crate::random;

/// The invocation of an Event Grid trigger with one event.
///
/// The host serialises what is not an object as a JSON-encoded string, so a batch (`cardinality`
/// `many`), or anything else that is no object, arrives as text.
pub(super) fn event(function: &str, binding: &str, event: &Value) -> Value {
    let mut metadata = Map::new();
    match event.get("data") {
        None | Some(Value::Null) => {}
        Some(data) => drop(metadata.insert("data".to_owned(), encoded(data))),
    }
    metadata.insert("sys".to_owned(), sys(function));
    json!({"Data": {binding: encoded(event)}, "Metadata": metadata})
}

/// The invocation of a timer trigger.
pub(super) fn timer(function: &str, binding: &str, past_due: bool) -> Value {
    let timer = json!({
        "Schedule": {"AdjustForDST": true},
        "ScheduleStatus": {
            "Last": "2026-01-05T10:10:00.0012+00:00",
            "Next": "2026-01-05T10:15:00+00:00",
            "LastUpdated": "2026-01-05T10:10:00.0012+00:00",
        },
        "IsPastDue": past_due,
    });
    json!({"Data": {binding: timer}, "Metadata": {"sys": sys(function)}})
}

/// The invocation of an HTTP trigger, in the default mode (neither forwarded nor proxied).
pub(super) fn http(
    function: &str,
    binding: &str,
    method: &str,
    headers: &[(&str, &str)],
    body: Option<&str>,
) -> Value {
    let mut printed = Map::new();
    printed.insert("Host".to_owned(), json!(["localhost:7071"]));
    for (name, value) in headers {
        printed.insert((*name).to_owned(), json!([value]));
    }
    let mut request = json!({
        "Url": format!("http://localhost:7071/api/{function}"),
        "Method": method,
        "Query": {},
        "Headers": printed,
        "Params": {},
        "Identities": [],
    });
    // Without a Content-Type the host leaves the body out.
    let typed = headers
        .iter()
        .any(|(name, _)| name.eq_ignore_ascii_case("content-type"));
    if let (Some(body), true) = (body, typed) {
        request["Body"] = json!(body);
    }
    let metadata = json!({"Headers": {}, "Query": {}, "sys": sys(function)});
    json!({"Data": {binding: request}, "Metadata": metadata})
}

fn encoded(value: &Value) -> Value {
    if value.is_object() {
        value.clone()
    } else {
        Value::String(value.to_string())
    }
}

fn sys(function: &str) -> Value {
    json!({
        "MethodName": function,
        "UtcNow": "2026-01-05T10:15:02.12Z",
        "RandGuid": random::guid(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_an_object_arrives_as_text() {
        let one = event("VmssScaleEvent", "event", &json!({"data": {"a": 1}}));
        assert_eq!(one["Data"]["event"]["data"]["a"], 1);
        assert_eq!(one["Metadata"]["data"]["a"], 1);
        let batch = event("VmssScaleEvent", "event", &json!([{"data": 1}]));
        assert_eq!(batch["Data"]["event"], "[{\"data\":1}]");
    }
}
