//! Faults on demand: which requests they hit, and what then happens instead of an answer.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::answer::Seen;
use crate::journal::Service;

/// Which requests a [`Fault`], a gate or a wait is about.
#[derive(Clone, Debug)]
pub struct Match {
    /// The service.
    pub service: Service,
    /// The method; any when none is given.
    pub method: Option<String>,
    /// A part of the path and query, compared without case; empty matches all.
    pub path_contains: String,
    /// Text that the path and query must not hold, in lower case; none for no such text.
    pub without: Option<String>,
    /// How many matching requests pass unharmed first.
    pub skip: u32,
}

impl Match {
    /// Every request to a service.
    #[must_use]
    pub fn service(service: Service) -> Self {
        Self {
            service,
            method: None,
            path_contains: String::new(),
            without: None,
            skip: 0,
        }
    }

    /// Every request to Resource Manager.
    #[must_use]
    pub fn arm() -> Self {
        Self::service(Service::Arm)
    }

    /// Every request to Key Vault.
    #[must_use]
    pub fn vault() -> Self {
        Self::service(Service::Vault)
    }

    /// Every request to the identity endpoint.
    #[must_use]
    pub fn identity() -> Self {
        Self::service(Service::Identity)
    }

    /// Every request to the NGINX Plus API.
    #[must_use]
    pub fn nginx() -> Self {
        Self::service(Service::Nginx)
    }

    /// Every request to the OpenTelemetry collector.
    #[must_use]
    pub fn collector() -> Self {
        Self::service(Service::Collector)
    }

    /// Only requests with this method.
    #[must_use]
    pub fn method(mut self, method: &str) -> Self {
        self.method = Some(method.to_owned());
        self
    }

    /// Only requests whose path and query hold this text, compared without case.
    #[must_use]
    pub fn path(mut self, part: &str) -> Self {
        part.clone_into(&mut self.path_contains);
        self
    }

    /// Not requests whose path and query hold this text, compared without case.
    #[must_use]
    pub fn without(mut self, part: &str) -> Self {
        self.without = Some(part.to_lowercase());
        self
    }

    /// Lets the first `count` matching requests pass.
    #[must_use]
    pub fn skip(mut self, count: u32) -> Self {
        self.skip = count;
        self
    }

    pub(crate) fn fits(&self, service: Service, method: &str, target: &str) -> bool {
        self.service == service
            && self
                .method
                .as_ref()
                .is_none_or(|wanted| wanted.eq_ignore_ascii_case(method))
            && target
                .to_lowercase()
                .contains(&self.path_contains.to_lowercase())
            && self
                .without
                .as_ref()
                .is_none_or(|part| !target.to_lowercase().contains(part))
    }
}

/// The two shapes in which Azure says "too many requests".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ThrottleForm {
    /// Resource Manager's own: an `error` object.
    Arm,
    /// The compute provider's: `code` at the top, no `error` object.
    Compute,
}

/// What happens to a request instead of its ordinary answer.
#[derive(Clone, Debug)]
pub enum Fault {
    /// This status, body and these headers; the service is not asked.
    Status {
        /// The HTTP status.
        code: u16,
        /// The body, sent as it is; its type is JSON when it begins with a brace or a bracket.
        body: String,
        /// Further headers.
        headers: Vec<(String, String)>,
    },
    /// The request is taken and never answered.
    Hang,
    /// The connection is dropped; the service is not asked.
    Reset,
    /// The service does its work, then the connection is dropped without an answer.
    ApplyThenReset,
    /// The answer comes after this time.
    Delay(Duration),
    /// The answer's body trickles: sixteen pieces, this long apart.
    SlowBody(Duration),
    /// Half of the answer's JSON, as a well-formed HTTP reply.
    TruncatedJson,
    /// Half of the announced body, then the connection drops.
    CutBody,
    /// `value` (or the whole reply, where there is none) becomes the text `"x"`.
    WrongTypes,
    /// An HTML page with this status, as a proxy would send.
    HtmlError(u16),
    /// A reply of this many bytes of valid JSON.
    HugeBody(usize),
    /// 429 with `Retry-After`.
    Throttled {
        /// Which of Azure's two shapes.
        form: ThrottleForm,
        /// The `Retry-After` header in seconds; none for no header.
        retry_after: Option<u64>,
    },
    /// The answer, its `nextLink` pointing to this address.
    ForeignNextLink(String),
    /// The answer, its `nextLink` pointing to the very same request.
    NextLinkCycle,
    /// 302 to this address.
    Redirect(String),
    /// The answer with an empty `value` and no `nextLink`.
    EmptyValue,
    /// The answer without its `value`.
    MissingValue,
}

impl Fault {
    /// A bare status with an empty JSON object.
    #[must_use]
    pub fn status(code: u16) -> Self {
        Self::Status {
            code,
            body: "{}".to_owned(),
            headers: Vec::new(),
        }
    }

    /// An error in Resource Manager's shape.
    #[must_use]
    pub fn arm_error(status: u16, code: &str, message: &str) -> Self {
        let body = serde_json::json!({"error": {"code": code, "message": message}}).to_string();
        Self::Status {
            code: status,
            body,
            headers: Vec::new(),
        }
    }

    /// An error in the NGINX Plus API's shape.
    #[must_use]
    pub fn nginx_error(status: u16, code: &str, text: &str) -> Self {
        let body = crate::nginx::problem_body(status, code, text).to_string();
        Self::Status {
            code: status,
            body,
            headers: Vec::new(),
        }
    }
}

/// How often a fault has struck.
#[derive(Clone, Debug)]
pub struct FaultHandle {
    hits: Arc<AtomicU64>,
}

impl FaultHandle {
    /// The number of requests that this fault has hit so far.
    #[must_use]
    pub fn hits(&self) -> u64 {
        self.hits.load(Ordering::SeqCst)
    }
}

struct Rule {
    matches: Match,
    fault: Fault,
    remaining: Option<u32>,
    hits: Arc<AtomicU64>,
}

/// The rules in force; the first that fits a request wins.
#[derive(Default)]
pub(crate) struct Faults {
    rules: Mutex<Vec<Rule>>,
}

impl Faults {
    pub(crate) fn add(&self, matches: Match, fault: Fault, times: Option<u32>) -> FaultHandle {
        let hits = Arc::new(AtomicU64::new(0));
        let rule = Rule {
            matches,
            fault,
            remaining: times,
            hits: Arc::clone(&hits),
        };
        self.rules
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(rule);
        FaultHandle { hits }
    }

    pub(crate) fn clear(&self) {
        self.rules
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clear();
    }

    /// The fault for this request, counted against its rule.
    pub(crate) fn strike(&self, service: Service, seen: &Seen) -> Option<Fault> {
        let target = seen.target();
        let mut rules = self.rules.lock().unwrap_or_else(PoisonError::into_inner);
        for rule in rules.iter_mut() {
            if rule.remaining == Some(0) || !rule.matches.fits(service, &seen.method, &target) {
                continue;
            }
            if rule.matches.skip > 0 {
                rule.matches.skip -= 1;
                continue;
            }
            if let Some(remaining) = &mut rule.remaining {
                *remaining -= 1;
            }
            rule.hits.fetch_add(1, Ordering::SeqCst);
            return Some(rule.fault.clone());
        }
        None
    }
}
