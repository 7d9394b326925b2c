//! What a simulated service answers, before any fault has touched it.

use bytes::Bytes;
use serde_json::Value;

/// The request as the services see it: body read, nothing decoded.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) query: Option<String>,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Bytes,
}

impl Seen {
    /// The value of a header, by its lower-case name.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }

    /// The decoded value of a query parameter, its name compared without case.
    pub(crate) fn parameter(&self, name: &str) -> Option<String> {
        form_urlencoded::parse(self.query.as_deref()?.as_bytes())
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.into_owned())
    }

    /// The value of a query parameter exactly as it was sent.
    pub(crate) fn raw_parameter(&self, name: &str) -> Option<&str> {
        let query = self.query.as_deref()?;
        query
            .split('&')
            .filter_map(|pair| pair.split_once('='))
            .find_map(|(key, value)| {
                let key = percent_encoding::percent_decode_str(key).decode_utf8_lossy();
                key.eq_ignore_ascii_case(name).then_some(value)
            })
    }

    /// The path's segments, each decoded; a trailing slash adds none.
    pub(crate) fn segments(&self) -> Vec<String> {
        let trimmed = self.path.trim_matches('/');
        if trimmed.is_empty() {
            return Vec::new();
        }
        let decode = |part| percent_encoding::percent_decode_str(part).decode_utf8_lossy();
        trimmed
            .split('/')
            .map(|part| decode(part).into_owned())
            .collect()
    }

    /// The path with its query, as it was sent.
    pub(crate) fn target(&self) -> String {
        match &self.query {
            Some(query) => format!("{}?{query}", self.path),
            None => self.path.clone(),
        }
    }
}

/// A complete reply of a service.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Bytes,
}

impl Answer {
    /// A JSON reply.
    pub(crate) fn json(status: u16, body: &Value) -> Self {
        let headers = vec![(
            "content-type".to_owned(),
            "application/json; charset=utf-8".to_owned(),
        )];
        Self {
            status,
            headers,
            body: Bytes::from(body.to_string()),
        }
    }

    /// A small HTML page, as proxies in front of a service send.
    pub(crate) fn html(status: u16, title: &str) -> Self {
        let page = format!(
            "<html>\r\n<head><title>{status} {title}</title></head>\r\n<body>\r\n<center><h1>{status} {title}</h1></center>\r\n<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n"
        );
        let headers = vec![("content-type".to_owned(), "text/html".to_owned())];
        Self {
            status,
            headers,
            body: Bytes::from(page),
        }
    }

    /// A reply without a body.
    pub(crate) fn empty(status: u16) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: Bytes::new(),
        }
    }

    /// The same reply with one more header.
    pub(crate) fn with_header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }
}
