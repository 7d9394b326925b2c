//! Requests that leave the process: one span and one measurement for each.

use std::time::Instant;

use opentelemetry::KeyValue;
use opentelemetry::trace::SpanKind;
use url::Url;

use super::export;
use super::names::{Attribute, Service};
use super::span::Span;

/// One request to Azure or to NGINX, until it is answered, fails, or is given up.
///
/// Method, host, port and path are told; never a query, a header or a body.
#[derive(Debug)]
pub struct Outgoing {
    watched: Option<Watched>,
}

#[derive(Debug)]
struct Watched {
    service: Service,
    span: Span,
    began: Instant,
    attributes: Vec<KeyValue>,
}

/// Why a request has no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unanswered {
    /// It took too long, or was given up.
    Timeout,
    /// There was no connection, or it broke.
    Connection,
    /// Anything else.
    Other,
}

impl Unanswered {
    /// What an error of the HTTP client means.
    #[must_use]
    pub fn of(error: &reqwest::Error) -> Self {
        if error.is_timeout() {
            Self::Timeout
        } else if error.is_connect() || error.is_request() {
            Self::Connection
        } else {
            Self::Other
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Timeout => "timeout",
            Self::Connection => "connection",
            Self::Other => "other",
        }
    }
}

impl Outgoing {
    /// Begins a request, sent `resent` times before.
    #[must_use]
    pub fn begin(service: Service, method: &str, url: &Url, resent: u32) -> Self {
        if export::tracer().is_none() && export::instruments().is_none() {
            return Self { watched: None };
        }
        let attributes = vec![
            Attribute::Service.of(service.name()),
            Attribute::Method.of(method.to_owned()),
            Attribute::ServerAddress.of(url.host_str().unwrap_or_default().to_owned()),
            Attribute::ServerPort.of(i64::from(url.port_or_known_default().unwrap_or_default())),
        ];
        let span = Span::start(method.to_owned(), SpanKind::Client, || {
            let mut attributes = attributes.clone();
            attributes.push(Attribute::Path.of(url.path().to_owned()));
            if resent > 0 {
                attributes.push(Attribute::ResendCount.of(i64::from(resent)));
            }
            attributes
        });
        let began = Instant::now();
        Self {
            watched: Some(Watched {
                service,
                span,
                began,
                attributes,
            }),
        }
    }

    /// It was answered; `asked_to_wait` tells whether with a `Retry-After`.
    pub fn answered(mut self, status: u16, asked_to_wait: bool) {
        let Some(mut watched) = self.watched.take() else {
            return;
        };
        let code = Attribute::StatusCode.of(i64::from(status));
        watched.span.add(|| vec![code.clone()]);
        watched.attributes.push(code);
        if (status == 429 || (status == 503 && asked_to_wait))
            && let Some(instruments) = export::instruments()
        {
            instruments.throttled(watched.service);
        }
        let failed = (status >= 400).then(|| status.to_string());
        watched.end(failed.as_deref());
    }

    /// There was no answer.
    pub fn unanswered(mut self, why: Unanswered) {
        if let Some(watched) = self.watched.take() {
            watched.end(Some(why.name()));
        }
    }
}

impl Drop for Outgoing {
    /// A request that nobody waits for any longer was given up, at its time limit or its pass's.
    fn drop(&mut self) {
        if let Some(watched) = self.watched.take() {
            watched.end(Some(Unanswered::Timeout.name()));
        }
    }
}

impl Watched {
    fn end(mut self, failed: Option<&str>) {
        if let Some(kind) = failed {
            self.span.fail(kind);
            self.attributes
                .push(Attribute::ErrorType.of(kind.to_owned()));
        }
        if let Some(instruments) = export::instruments() {
            instruments.request(self.began.elapsed(), &self.attributes);
        }
    }
}
