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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Environment, parse};
    use proptest::prelude::*;
    use serde_json::json;

    const GROUP: &str = "/subscriptions/aaaa0000-0000-0000-0000-000000000001/resourceGroups/Rg";

    /// `web` is fed by the set `Web`, `db` (a stream) by `Db`, `both` by the two of them.
    fn upstreams() -> Vec<Upstream> {
        let mut text = "subscription_id: aaaa0000-0000-0000-0000-000000000001\n\
                        resource_group_name: Rg\n\
                        api_endpoint: https://n.example/nplus\n\
                        upstreams:\n"
            .to_owned();
        for (name, kind, set) in [
            ("web", "http", "Web"),
            ("db", "stream", "Db"),
            ("both", "http", "Web"),
            ("both", "http", "Db"),
        ] {
            text += &format!(
                "  - {{name: {name}, kind: {kind}, port: 80, virtual_machine_scale_set: {set}}}\n"
            );
        }
        parse(&text, "test", &Environment::default())
            .unwrap()
            .upstreams
    }

    fn set(name: &str) -> String {
        format!("{GROUP}/providers/Microsoft.Compute/virtualMachineScaleSets/{name}")
    }

    fn written(id: &str) -> Value {
        json!({ "eventType": "Microsoft.Resources.ResourceWriteSuccess", "subject": id })
    }

    /// The names of the upstreams to look at (http before stream), `None` for an unreadable event.
    fn names(event: &Value, mode: Option<Mode>) -> Option<Vec<String>> {
        match meaning(event, &upstreams(), &|_| mode) {
            EventMeaning::LookAt(keys) => Some(keys.into_iter().map(|key| key.name).collect()),
            EventMeaning::NothingOfOurs => Some(vec![]),
            EventMeaning::Unreadable(_) => None,
        }
    }

    #[test]
    fn a_set_concerns_every_upstream_that_it_feeds() {
        assert_eq!(names(&written(&set("web")), None).unwrap(), ["both", "web"]);
        assert_eq!(names(&written(&set("DB")), None).unwrap(), ["both", "db"]);
        assert_eq!(names(&written(&set("webb")), None).unwrap(), [""; 0]);
    }

    #[test]
    fn of_a_batch_every_event_counts_and_one_unreadable_event_spoils_none() {
        let (web, db) = (written(&set("Web")), written(&set("Db")));
        let all = ["both", "web", "db"];
        assert_eq!(names(&json!([web, db]), None).unwrap(), all);
        assert_eq!(names(&json!([1, web, {}, db]), None).unwrap(), all);
        assert_eq!(names(&json!([]), None).unwrap(), [""; 0]);
        assert_eq!(names(&json!([written(&set("other")), 1]), None), None);
        assert_eq!(names(&json!([[web]]), None), None);
    }

    #[test]
    fn of_subject_and_resource_uri_the_one_that_names_a_resource_of_ours_counts() {
        let deployment = format!("{GROUP}/providers/Microsoft.Resources/deployments/d");
        for (subject, uri) in [
            (set("Web"), deployment.clone()),
            (deployment.clone(), set("Web")),
            (set("Web"), "no id".to_owned()),
            ("no id".to_owned(), set("Web")),
        ] {
            let mut event = written(&subject);
            event["data"] = json!({ "resourceUri": uri });
            assert_eq!(names(&event, None).unwrap(), ["both", "web"], "{event}");
        }
        assert_eq!(names(&written(&deployment), None).unwrap(), [""; 0]);
    }

    #[test]
    fn members_of_the_group_concern_sets_that_are_not_known_to_be_uniform() {
        let all: &[&str] = &["both", "web", "db"];
        for kind in [
            "Microsoft.Compute/virtualMachines",
            "microsoft.network/NETWORKINTERFACES",
        ] {
            let event = written(&format!("{GROUP}/providers/{kind}/x"));
            assert_eq!(names(&event, None).unwrap(), all);
            assert_eq!(names(&event, Some(Mode::Flexible)).unwrap(), all);
            assert_eq!(names(&event, Some(Mode::Uniform)).unwrap(), [""; 0]);
            let elsewhere = written(&format!("{GROUP}2/providers/{kind}/x"));
            assert_eq!(names(&elsewhere, None).unwrap(), [""; 0]);
        }
    }

    #[test]
    fn what_is_no_event_is_unreadable_and_what_is_another_event_is_not_ours() {
        for unreadable in [
            json!(null),
            json!("text"),
            json!({}),
            json!({ "eventType": 1 }),
            json!({ "type": "Microsoft.Resources.ResourceWriteSuccess" }),
            json!({ "type": "Microsoft.Resources.ResourceWriteSuccess", "data": "{" }),
        ] {
            assert_eq!(names(&unreadable, None), None, "{unreadable}");
        }
        for other in [
            json!({ "eventType": "Microsoft.Storage.BlobCreated" }),
            json!({ "type": "Microsoft.Resources.ResourceWriteSuccess", "subject": "" }),
        ] {
            assert_eq!(names(&other, None).unwrap(), [""; 0], "{other}");
        }
    }

    /// Texts that get past the first checks more often than chance would have it.
    fn text() -> impl Strategy<Value = String> {
        prop_oneof![
            any::<String>(),
            "(/[a-zA-Z0-9._\\u{0}-\\u{3f}]{0,8}){0,12}",
            Just(set("Web")),
            Just(set("Web/virtualMachines/1")),
            Just(format!(
                "{GROUP}/providers/Microsoft.Compute/virtualMachines/x"
            )),
            Just("Microsoft.Resources.ResourceWriteSuccess".to_owned()),
            Just(json!({ "resourceUri": set("Db") }).to_string()),
        ]
    }

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            text().prop_map(Value::from),
        ];
        let key = prop_oneof![
            any::<String>(),
            proptest::sample::select(vec!["eventType", "type", "subject", "data", "resourceUri",])
                .prop_map(str::to_owned),
        ];
        leaf.prop_recursive(4, 64, 6, move |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Value::Array),
                prop::collection::btree_map(key.clone(), inner, 0..6)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn no_value_whatever_makes_it_panic_or_name_an_upstream_that_is_not_configured(
            event in value(),
            mode in prop_oneof![Just(None), Just(Some(Mode::Uniform)), Just(Some(Mode::Flexible))],
        ) {
            let known = upstreams();
            if let EventMeaning::LookAt(keys) = meaning(&event, &known, &|_| mode) {
                prop_assert!(!keys.is_empty());
                for key in keys {
                    prop_assert!(known.iter().any(|upstream| upstream.key == key));
                }
            }
        }

        #[test]
        fn members_that_are_not_ours_to_read_change_nothing(extra in value(), id in text()) {
            let plain = written(&id);
            let mut full = plain.clone();
            for member in ["id", "topic", "eventTime", "claims", "dataVersion"] {
                full[member] = extra.clone();
            }
            prop_assert_eq!(names(&plain, None), names(&full, None));
        }
    }
}
