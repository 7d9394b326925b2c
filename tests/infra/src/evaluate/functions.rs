//! Bicep's functions, as far as `infra/` uses them.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use serde_json::{Map, Value, json};

use super::Azure;

/// Every function that is known here, with the least and the greatest number of arguments.
pub const FUNCTIONS: [(&str, usize, usize); 21] = [
    ("concat", 1, usize::MAX),
    ("contains", 2, 2),
    ("dateTimeAdd", 2, 3),
    ("dateTimeToEpoch", 1, 1),
    ("empty", 1, 1),
    ("endsWith", 2, 2),
    ("environment", 0, 0),
    ("filter", 2, 2),
    ("flatten", 1, 1),
    ("guid", 1, usize::MAX),
    ("length", 1, 1),
    ("map", 2, 2),
    ("newGuid", 0, 0),
    ("resourceGroup", 0, 2),
    ("string", 1, 1),
    ("subscription", 0, 0),
    ("subscriptionResourceId", 2, usize::MAX),
    ("toLower", 1, 1),
    ("union", 1, usize::MAX),
    ("uniqueString", 1, usize::MAX),
    ("utcNow", 0, 1),
];

/// Calls a function that needs no more than its arguments and where it is called.
pub(super) fn call(
    name: &str,
    arguments: &[Value],
    azure: &Azure,
    group: &Value,
) -> Result<Value, String> {
    let bad = || Err(format!("{name}{arguments:?}"));
    Ok(match (name, arguments) {
        ("concat", lists) if lists.iter().all(Value::is_array) => lists
            .iter()
            .filter_map(Value::as_array)
            .flatten()
            .cloned()
            .collect(),
        ("concat", texts) => texts.iter().map(text).collect::<String>().into(),
        ("contains", [Value::Array(items), item]) => items.contains(item).into(),
        ("contains", [Value::Object(object), Value::String(key)]) => {
            object.contains_key(key).into()
        }
        ("contains", [Value::String(text), Value::String(part)]) => text.contains(part).into(),
        ("dateTimeAdd", [base, span, ..]) => format!("{}+{}", text(base), text(span)).into(),
        ("dateTimeToEpoch", [_]) => 1_800_000_000.into(),
        ("empty", [value]) => match value {
            Value::Null => true,
            Value::String(text) => text.is_empty(),
            Value::Array(items) => items.is_empty(),
            Value::Object(object) => object.is_empty(),
            _ => return bad(),
        }
        .into(),
        ("endsWith", [Value::String(text), Value::String(end)]) => {
            text.to_lowercase().ends_with(&end.to_lowercase()).into()
        }
        ("environment", []) => environment(&azure.cloud),
        ("flatten", [Value::Array(lists)]) => lists
            .iter()
            .filter_map(Value::as_array)
            .flatten()
            .cloned()
            .collect(),
        ("guid", parts) => guid(parts).into(),
        ("length", [Value::Array(items)]) => items.len().into(),
        ("length", [Value::String(text)]) => text.chars().count().into(),
        ("newGuid", []) => "9d7c1b1e-0000-4000-8000-00000000beef".into(),
        ("resourceGroup", []) => group.clone(),
        ("resourceGroup", [Value::String(name)]) => {
            super::template::group(&azure.subscription, name)
        }
        ("resourceGroup", [Value::String(subscription), Value::String(name)]) => {
            super::template::group(subscription, name)
        }
        ("string", [Value::String(text)]) => text.as_str().into(),
        ("string", [value]) => value.to_string().into(),
        ("subscription", []) => json!({
            "id": format!("/subscriptions/{}", text(&group["subscription"])),
            "subscriptionId": group["subscription"],
            "tenantId": "00000000-0000-0000-0000-0000000000aa",
        }),
        ("subscriptionResourceId", [Value::String(of), Value::String(name)]) => format!(
            "/subscriptions/{}/providers/{of}/{name}",
            text(&group["subscription"])
        )
        .into(),
        ("toLower", [Value::String(text)]) => text.to_lowercase().into(),
        ("union", [first, rest @ ..]) => {
            let mut all = first.clone();
            for more in rest {
                merge(&mut all, more);
            }
            all
        }
        ("uniqueString", parts) => guid(parts).replace('-', "")[..13].into(),
        ("utcNow", _) => "2026-01-05T10:15:02Z".into(),
        _ => return bad(),
    })
}

/// A value by its key or its place.
pub(super) fn get<'v>(value: &'v Value, key: &Value) -> Option<&'v Value> {
    match (value, key) {
        (Value::Object(object), Value::String(key)) => object.get(key),
        (Value::Array(items), Value::Number(place)) => {
            items.get(usize::try_from(place.as_u64()?).ok()?)
        }
        _ => None,
    }
}

/// A value inside a text.
pub(super) fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

/// Not Azure's hash, but as deterministic.
fn guid(parts: &[Value]) -> String {
    let mut hasher = DefaultHasher::new();
    for part in parts {
        text(part).hash(&mut hasher);
    }
    let first = hasher.finish();
    "more".hash(&mut hasher);
    let digits = format!("{first:016x}{:016x}", hasher.finish());
    let [a, b, c, d, e] = [(0, 8), (8, 12), (12, 16), (16, 20), (20, 32)]
        .map(|(from, to)| digits.get(from..to).unwrap_or_default());
    format!("{a}-{b}-{c}-{d}-{e}")
}

/// Objects are merged, everything else is replaced.
fn merge(into: &mut Value, more: &Value) {
    match (into, more) {
        (Value::Object(into), Value::Object(more)) => {
            for (key, value) in more {
                merge(into.entry(key.clone()).or_insert(Value::Null), value);
            }
        }
        (into, more) => *into = more.clone(),
    }
}

fn environment(cloud: &str) -> Value {
    let vault = match cloud {
        "AzureUSGovernment" => ".vault.usgovcloudapi.net",
        "AzureChinaCloud" => ".vault.azure.cn",
        _ => ".vault.azure.net",
    };
    let mut environment = Map::new();
    environment.insert("name".to_owned(), cloud.into());
    environment.insert("suffixes".to_owned(), json!({ "keyvaultDns": vault }));
    environment.into()
}
