//! The NGINX Plus API, version 9, as far as dynamic upstreams go.

mod api;
mod model;
mod parameters;
mod print;
mod time;
mod zone;

pub(crate) use api::answer;
pub use model::{Change, Flavour, NginxWrite, PeerState, Server, UpstreamKind};
pub(crate) use model::{NginxState, Upstream};
pub(crate) use zone::servers_in;

use serde_json::{Value, json};

use crate::answer::Answer;

/// A refusal of the API.
pub(crate) struct Problem {
    pub(crate) status: u16,
    pub(crate) code: &'static str,
    pub(crate) text: String,
}

impl Problem {
    pub(crate) fn new(status: u16, code: &'static str, text: impl Into<String>) -> Self {
        Self {
            status,
            code,
            text: text.into(),
        }
    }

    pub(crate) fn answer(&self) -> Answer {
        Answer::json(
            self.status,
            &problem_body(self.status, self.code, &self.text),
        )
    }
}

/// The API's error document.
pub(crate) fn problem_body(status: u16, code: &str, text: &str) -> Value {
    json!({
        "error": {"status": status, "text": text, "code": code},
        "request_id": crate::random::hex(16),
        "href": "https://nginx.org/en/docs/http/ngx_http_api_module.html",
    })
}
