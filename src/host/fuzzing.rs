//! What must hold of anything that the host may send.

use axum::http::HeaderMap;

use super::asked::Asked;
use super::envelope::Invocation;
use super::event_grid::{EventMeaning, meaning};
use super::header;
use crate::fuzzing::{UPSTREAMS, assert_one_line};
use crate::reconcile::{Intent, Mode, Scope};

/// An invocation: no panic; whatever it asks for is an upstream that is configured.
///
/// # Panics
///
/// If a promise is broken.
pub fn invocation(data: &[u8]) {
    let mut call = Invocation::read(&HeaderMap::new(), data, None);
    for name in ["event", "timer", "req"] {
        if let Err(error) = call.binding(name) {
            assert_one_line(&error.to_string());
        }
    }
    if let Ok(Some(value)) = call.binding("event") {
        judge(&value);
    }
    if let Ok(request) = call.binding("req") {
        let headers = request.as_ref().and_then(|request| request.get("Headers"));
        drop(headers.map(|headers| header(headers, "accept")));
        match Asked::read(request.as_ref(), &UPSTREAMS) {
            Ok(asked) => {
                if let Scope::Only(keys) = &asked.scope {
                    assert!(
                        keys.iter()
                            .all(|key| UPSTREAMS.iter().any(|u| u.key == *key))
                    );
                }
                if let Intent::Force(digest) = asked.intent {
                    assert!(!digest.is_empty());
                }
            }
            Err(refusal) => {
                assert_one_line(&refusal.reason);
                assert_one_line(&refusal.remedy);
            }
        }
    }
    call.is_read();
    assert_eq!(call.binding("req"), Ok(None));
}

/// An event: no panic; it means upstreams that are configured, or nothing.
///
/// # Panics
///
/// If a promise is broken.
pub fn event(data: &[u8]) {
    if let Ok(value) = serde_json::from_slice(data) {
        judge(&value);
    }
}

fn judge(event: &serde_json::Value) {
    for mode in [None, Some(Mode::Uniform), Some(Mode::Flexible)] {
        match meaning(event, &UPSTREAMS, &|_| mode) {
            EventMeaning::LookAt(keys) => {
                assert!(!keys.is_empty());
                assert!(
                    keys.iter()
                        .all(|key| UPSTREAMS.iter().any(|u| u.key == *key))
                );
            }
            EventMeaning::Unreadable(why) => assert_one_line(why),
            EventMeaning::NothingOfOurs => {}
        }
    }
}

#[cfg(test)]
pub(crate) fn concerns_us(data: &[u8]) -> bool {
    let event = serde_json::from_slice(data).unwrap_or_default();
    matches!(
        meaning(&event, &UPSTREAMS, &|_| None),
        EventMeaning::LookAt(_)
    )
}
