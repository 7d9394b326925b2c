//! Lists: pages, `nextLink`, and the case of ids.

use serde_json::{Value, json};

use super::full;
use super::problem::Problem;
use crate::answer::{Answer, Seen};
use crate::world::State;

/// Skip tokens look like this, with the place in between. They hold escapes on purpose: whoever
/// decodes or encodes a `nextLink` instead of following it is refused, as by Azure.
const TOKEN: (&str, &str) = ("W1%2F", "%3D%3D");

/// One item of a list with its place in the whole, which is stable while others come and go.
pub(super) struct Item {
    pub(super) place: u64,
    pub(super) body: Value,
}

/// The page of `items` that the request asks for.
pub(super) fn page(
    state: &State,
    seen: &Seen,
    origin: &str,
    items: Vec<Item>,
) -> Result<Answer, Problem> {
    let after = match seen.raw_parameter("$skiptoken") {
        None => None,
        Some(token) => Some(place(token).ok_or_else(Problem::bad_skip_token)?),
    };
    let mut rest = items
        .into_iter()
        .filter(|item| after.is_none_or(|after| item.place > after));
    let mut value = Vec::new();
    let mut last = 0;
    for item in rest.by_ref().take(state.compute.page_size) {
        last = item.place;
        value.push(item.body);
    }
    let mut body = json!({"value": value});
    if rest.next().is_some() {
        body["nextLink"] = json!(next_link(state, seen, origin, last));
    }
    let answer = Answer::json(200, &print(state, body));
    Ok(if state.compute.full_documents {
        full::fill(&answer)
    } else {
        answer
    })
}

fn place(token: &str) -> Option<u64> {
    token
        .strip_prefix(TOKEN.0)?
        .strip_suffix(TOKEN.1)?
        .parse()
        .ok()
}

fn next_link(state: &State, seen: &Seen, origin: &str, last: u64) -> String {
    let query = seen.query.as_deref().unwrap_or_default();
    let kept = query.split('&').filter(|pair| {
        let name = pair.split('=').next().unwrap_or_default();
        !matches!(name, "$skiptoken" | "%24skiptoken")
    });
    let kept = kept.collect::<Vec<_>>().join("&");
    let kept = if state.compute.spaces_in_next_link {
        kept.replace("%20", " ").replace('+', " ")
    } else {
        kept
    };
    format!(
        "{origin}{}?{kept}&$skiptoken={}{last}{}",
        seen.path, TOKEN.0, TOKEN.1
    )
}

/// Prints every id in upper case when the world says so.
pub(super) fn print(state: &State, mut body: Value) -> Value {
    if state.compute.upper_case_ids {
        raise(&mut body);
    }
    body
}

fn raise(value: &mut Value) {
    match value {
        Value::Object(map) => {
            for (key, value) in map.iter_mut() {
                match value {
                    Value::String(text) if key == "id" && text.starts_with("/subscriptions/") => {
                        *text = text.to_uppercase();
                    }
                    other => raise(other),
                }
            }
        }
        Value::Array(list) => list.iter_mut().for_each(raise),
        _ => {}
    }
}
