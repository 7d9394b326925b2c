//! `Retry-After` of NGINX, or of a proxy in front of it, kept across the passes of a process.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Duration;

use reqwest::header::{HeaderMap, RETRY_AFTER};
use reqwest::{Method, StatusCode};
use tokio::time::Instant;

use crate::retry_after;

/// The calls that may not be made yet, by method and path: one upstream's throttling is its own.
#[derive(Debug, Default)]
pub(super) struct Throttle(Mutex<HashMap<(Method, String), Instant>>);

impl Throttle {
    /// Takes in an answer.
    pub(super) fn answered(
        &self,
        method: &Method,
        path: &str,
        status: StatusCode,
        headers: &HeaderMap,
        now: Instant,
    ) {
        let throttles = [
            StatusCode::TOO_MANY_REQUESTS,
            StatusCode::SERVICE_UNAVAILABLE,
        ];
        let Some(wait) = asked_wait(headers).filter(|_| throttles.contains(&status)) else {
            return;
        };
        if let Ok(mut closed) = self.0.lock() {
            closed.retain(|_, until| *until > now);
            closed.insert((method.clone(), path.to_owned()), now + wait);
        }
    }

    /// When the call may be made, if it may not be made `now`.
    pub(super) fn closed_until(
        &self,
        method: &Method,
        path: &str,
        now: Instant,
    ) -> Option<Instant> {
        let closed = self.0.lock().ok()?;
        if closed.is_empty() {
            return None;
        }
        let until = closed.get(&(method.clone(), path.to_owned())).copied()?;
        (until > now).then_some(until)
    }
}

fn asked_wait(headers: &HeaderMap) -> Option<Duration> {
    retry_after::read(headers.get(RETRY_AFTER)?.to_str().ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::retry_after::LONGEST_WAIT;

    #[test]
    fn a_throttled_call_waits_as_long_as_it_was_asked_to_and_no_other_call_does() {
        let throttle = Throttle::default();
        let asks = |seconds: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(RETRY_AFTER, seconds.parse().unwrap());
            headers
        };
        let (get, now) = (Method::GET, Instant::now());
        let limit = StatusCode::TOO_MANY_REQUESTS;
        throttle.answered(&get, "/a", limit, &asks("7"), now);
        let then = now + Duration::from_secs(7);
        assert_eq!(throttle.closed_until(&get, "/a", now), Some(then));
        assert_eq!(throttle.closed_until(&get, "/b", now), None);
        assert_eq!(throttle.closed_until(&Method::POST, "/a", now), None);
        assert_eq!(throttle.closed_until(&get, "/a", then), None);
        // What is no throttling, or no time, closes nothing; and nothing closes for ever.
        throttle.answered(&get, "/c", StatusCode::NOT_FOUND, &asks("7"), now);
        throttle.answered(&get, "/c", limit, &asks("soon"), now);
        assert_eq!(throttle.closed_until(&get, "/c", now), None);
        throttle.answered(&get, "/c", limit, &asks("4294967295"), now);
        let hour = Some(now + LONGEST_WAIT);
        assert_eq!(throttle.closed_until(&get, "/c", now), hour);
        // A date is the other form.
        throttle.answered(
            &get,
            "/d",
            limit,
            &asks("Fri, 31 Dec 9999 23:59:59 GMT"),
            now,
        );
        assert_eq!(throttle.closed_until(&get, "/d", now), hour);
        throttle.answered(
            &get,
            "/e",
            limit,
            &asks("Thu, 01 Jan 1970 00:00:00 GMT"),
            now,
        );
        assert_eq!(throttle.closed_until(&get, "/e", now), None);
    }
}
