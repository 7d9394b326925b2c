//! A handler's reply, and what the host makes of it.

use serde_json::Value;

use super::client::Raw;

/// What the host makes of a reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The invocation succeeded.
    Succeeded,
    /// The invocation failed, for this reason.
    Failed(String),
    /// The reply never completes the invocation: it hangs until the function's time-out, which
    /// then kills the handler.
    Hangs(String),
}

/// The handler's answer to one invocation.
#[derive(Clone, Debug)]
pub struct Reply {
    /// The HTTP status; 0 when the connection broke.
    pub status: u16,
    /// The body as JSON; null when it is none.
    pub body: Value,
    /// The body as text.
    pub text: String,
    /// The content type.
    pub content_type: String,
    /// What the host makes of it.
    pub verdict: Verdict,
}

impl Reply {
    /// The lines that the host logs for this reply. Those of a failed reply are lost to the host,
    /// because it does not read them; a test may read them all the same.
    #[must_use]
    pub fn logs(&self) -> Vec<String> {
        let lines = self.body.get("Logs").and_then(Value::as_array);
        lines
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .map(str::to_owned)
            .collect()
    }

    /// Whether the host counts the invocation as successful.
    #[must_use]
    pub fn succeeded(&self) -> bool {
        self.verdict == Verdict::Succeeded
    }

    /// The HTTP response that an HTTP function gives its caller: its status code, and its body.
    #[must_use]
    pub fn http_response(&self) -> Option<(u16, Value)> {
        let response = self.body.get("Outputs")?.get("res")?;
        let status = match response.get("statusCode")? {
            Value::String(text) => text.parse().ok()?,
            number => u16::try_from(number.as_u64()?).ok()?,
        };
        Some((status, response.get("body").cloned().unwrap_or(Value::Null)))
    }

    /// A header of [`Reply::http_response`], its name compared without case.
    #[must_use]
    pub fn http_header(&self, name: &str) -> Option<String> {
        let headers = self
            .body
            .get("Outputs")?
            .get("res")?
            .get("headers")?
            .as_object()?;
        let found = headers
            .iter()
            .find(|(key, _)| key.eq_ignore_ascii_case(name));
        found
            .and_then(|(_, value)| value.as_str())
            .map(str::to_owned)
    }

    /// The headers of [`Reply::http_response`].
    #[must_use]
    pub fn http_headers(&self) -> Vec<(&str, &str)> {
        let headers = &self.body["Outputs"]["res"]["headers"];
        let headers = headers.as_object().into_iter().flatten();
        headers
            .filter_map(|(name, value)| Some((name.as_str(), value.as_str()?)))
            .collect()
    }

    /// A connection that broke, or a reply that never came.
    pub(super) fn broken(reason: String) -> Self {
        Self {
            status: 0,
            body: Value::Null,
            text: String::new(),
            content_type: String::new(),
            verdict: Verdict::Failed(reason),
        }
    }

    /// Judges a reply as the host does.
    pub(super) fn judge(raw: &Raw) -> Self {
        let text = String::from_utf8_lossy(&raw.body).into_owned();
        let body: Result<Value, _> = serde_json::from_str(&text);
        let kind = raw
            .content_type
            .split(';')
            .next()
            .unwrap_or_default()
            .trim();
        let is_json = ["application/json", "text/json"]
            .iter()
            .any(|known| kind.eq_ignore_ascii_case(known));
        let failed = |reason: String| Verdict::Failed(reason);
        let verdict = if !(200..300).contains(&raw.status) {
            let status = raw.status;
            failed(format!(
                "Response status code does not indicate success: {status}."
            ))
        } else if text.trim().is_empty() || text.trim() == "null" {
            Verdict::Hangs("the body is empty".to_owned())
        } else if !is_json {
            failed(format!("no reader for the media type '{kind}'"))
        } else {
            match &body {
                Err(error) => failed(format!("the body is not JSON: {error}")),
                Ok(body) => shape(body).map_or(Verdict::Succeeded, failed),
            }
        };
        Self {
            status: raw.status,
            body: body.unwrap_or(Value::Null),
            text,
            content_type: raw.content_type.clone(),
            verdict,
        }
    }
}

/// What is wrong with the shape of an invocation's result.
fn shape(body: &Value) -> Option<String> {
    let Some(body) = body.as_object() else {
        return Some("the result is not an object".to_owned());
    };
    let member = |name: &str| {
        let found = body.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
        found.map_or(&Value::Null, |(_, value)| value)
    };
    if !matches!(member("Outputs"), Value::Null | Value::Object(_)) {
        return Some("Outputs is not an object".to_owned());
    }
    match member("Logs") {
        Value::Null => None,
        Value::Array(lines) if lines.iter().all(Value::is_string) => None,
        _ => Some("Logs is not a list of strings".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(status: u16, content_type: &str, body: &str) -> Verdict {
        let body = bytes::Bytes::copy_from_slice(body.as_bytes());
        Reply::judge(&Raw {
            status,
            content_type: content_type.to_owned(),
            body,
        })
        .verdict
    }

    #[test]
    fn replies_are_judged_as_by_the_host() {
        let json = "application/json; charset=utf-8";
        assert_eq!(verdict(200, json, "{}"), Verdict::Succeeded);
        assert_eq!(
            verdict(200, json, r#"{"Logs":["a"],"Outputs":null}"#),
            Verdict::Succeeded
        );
        assert!(matches!(verdict(202, json, ""), Verdict::Hangs(_)));
        assert!(matches!(verdict(200, json, "null"), Verdict::Hangs(_)));
        assert!(matches!(
            verdict(200, "text/plain", "{}"),
            Verdict::Failed(_)
        ));
        assert!(matches!(verdict(500, json, "{}"), Verdict::Failed(_)));
        assert!(matches!(verdict(200, json, "{"), Verdict::Failed(_)));
        assert!(matches!(
            verdict(200, json, r#"{"Logs":[{}]}"#),
            Verdict::Failed(_)
        ));
    }
}
