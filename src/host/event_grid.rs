//! What an Event Grid event means: which upstreams to look at, and nothing else.
//!
//! An event's fields are compared with the configuration; none of them ever reaches a URL, and no
//! change is made on the strength of one. Events carry names and addresses of people in their
//! claims, so they are never logged.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::model::{ResourceId, ScaleSetId, Upstream, UpstreamKey};
use crate::reconcile::Mode;

const TYPES: [&str; 9] = [
    "microsoft.resources.resourcewritesuccess",
    "microsoft.resources.resourcewritefailure",
    "microsoft.resources.resourcewritecancel",
    "microsoft.resources.resourcedeletesuccess",
    "microsoft.resources.resourcedeletefailure",
    "microsoft.resources.resourcedeletecancel",
    "microsoft.resources.resourceactionsuccess",
    "microsoft.resources.resourceactionfailure",
    "microsoft.resources.resourceactioncancel",
];

/// What one delivery means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EventMeaning {
    /// Look at these upstreams.
    LookAt(BTreeSet<UpstreamKey>),
    /// It is about something else.
    NothingOfOurs,
    /// It cannot be read. Not worth a retry: the same bytes would come again for a day.
    Unreadable(&'static str),
}

/// Reads an event in the Event Grid or the CloudEvents schema, or a batch of them.
///
/// `mode` tells what is known of a scale set: an event about a virtual machine or an interface of
/// its resource group matters to a Flexible set, and to one whose mode is not known yet.
#[must_use]
pub fn meaning(
    event: &Value,
    upstreams: &[Upstream],
    mode: &dyn Fn(&ScaleSetId) -> Option<Mode>,
) -> EventMeaning {
    let events: Vec<&Value> = match event {
        Value::Array(events) => events.iter().collect(),
        event => vec![event],
    };
    let mut keys = BTreeSet::new();
    let mut unreadable = None;
    for event in events {
        match resource(event) {
            Ok(None) => {}
            Ok(Some(resource)) => {
                let concerned = upstreams.iter().filter(|upstream| {
                    upstream
                        .sources
                        .iter()
                        .any(|source| concerns(&resource, &source.set, mode))
                });
                keys.extend(concerned.map(|upstream| upstream.key.clone()));
            }
            Err(why) => unreadable = Some(why),
        }
    }
    match unreadable {
        _ if !keys.is_empty() => EventMeaning::LookAt(keys),
        Some(why) => EventMeaning::Unreadable(why),
        None => EventMeaning::NothingOfOurs,
    }
}

/// The resource that an event of one of our types is about.
fn resource(event: &Value) -> Result<Option<ResourceId>, &'static str> {
    let Value::Object(event) = event else {
        return Err("it is not an object");
    };
    let kind = event
        .get("eventType")
        .or_else(|| event.get("type"))
        .and_then(Value::as_str);
    let Some(kind) = kind else {
        return Err("it has no eventType or type");
    };
    if !TYPES.contains(&kind.to_lowercase().as_str()) {
        return Ok(None);
    }
    let data: Option<Value> = match event.get("data") {
        Some(Value::String(text)) => serde_json::from_str(text).ok(),
        other => other.cloned(),
    };
    let uri = data
        .as_ref()
        .and_then(|data| data.get("resourceUri"))
        .and_then(Value::as_str);
    let subject = event.get("subject").and_then(Value::as_str);
    if uri.is_none() && subject.is_none() {
        return Err("it has neither subject nor data.resourceUri");
    }
    // Some operations name a deployment in one of the two and the resource in the other.
    let ids = [subject, uri]
        .into_iter()
        .flatten()
        .filter_map(ResourceId::parse);
    Ok(ids.max_by_key(|id| {
        ["microsoft.compute/", "microsoft.network/"]
            .iter()
            .any(|provider| id.top_type().starts_with(provider))
    }))
}

fn concerns(
    resource: &ResourceId,
    set: &ScaleSetId,
    mode: &dyn Fn(&ScaleSetId) -> Option<Mode>,
) -> bool {
    let id = set.resource_id();
    if resource.is_within(&id) {
        return true;
    }
    let member_kind = matches!(
        resource.top_type().as_str(),
        "microsoft.compute/virtualmachines" | "microsoft.network/networkinterfaces"
    );
    member_kind
        && resource.subscription() == id.subscription()
        && resource.resource_group() == id.resource_group()
        && mode(set) != Some(Mode::Uniform)
}
