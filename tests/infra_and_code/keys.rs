//! The types of the configuration, against the handler's keys and what it accepts.

use bicep::tree::{Call, ExprKind, Field, ItemKind, Type};
use nginx_vmss_sync::config::{Environment, KEYS, UPSTREAM_KEYS, parse};
use serde_json::{Value, json};

use super::{SUBSCRIPTION, project};

/// The fields of a type of `types.bicep`.
fn fields(name: &str) -> Vec<Field> {
    let project = project();
    let types = project.named("types.bicep").unwrap();
    match &types.item(name).unwrap().kind {
        ItemKind::Type(Type::Object(fields)) => fields.clone(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_types_of_the_configuration_have_the_handlers_keys_in_their_order() {
    // Filled in by the template.
    let filled_in = ["subscription_id", "resource_group_name", "api_endpoint"];
    for (name, keys) in [
        ("syncConfiguration", &KEYS[..]),
        ("syncUpstream", &UPSTREAM_KEYS[..]),
    ] {
        let fields = fields(name);
        let names: Vec<&str> = fields.iter().map(|field| field.name.as_str()).collect();
        let expected: Vec<&str> = keys.iter().map(|key| key.name).collect();
        assert_eq!(names, expected, "{name}");
        for (field, key) in fields.iter().zip(keys) {
            let required = key.default == "required" && !filled_in.contains(&key.name);
            let nullable = matches!(field.of, Type::Nullable(_));
            assert_eq!(nullable, !required, "{name}.{}", key.name);
        }
    }
}

/// A configuration that the handler accepts, with one key set as it is tried.
fn with(name: &str, key: &str, value: &Value) -> Value {
    let mut upstream = json!({
        "name": "w", "kind": "http", "port": 80, "virtual_machine_scale_set": "s",
        "networks": ["10.0.0.0/8"],
    });
    let mut document = json!({
        "subscription_id": SUBSCRIPTION,
        "resource_group_name": "g",
        "api_endpoint": "https://n.example/nplus",
        "api_key_secret": "https://v.vault.azure.net/secrets/k",
    });
    if name == "syncUpstream" {
        upstream[key] = value.clone();
    } else {
        document[key] = value.clone();
    }
    document["upstreams"] = json!([upstream]);
    document
}

fn accepts(document: &Value) -> bool {
    parse(&document.to_string(), "test", &Environment::default()).is_ok()
}

/// The limit that a decorator sets.
fn limit(decorators: &[Call], name: &str) -> Option<i64> {
    let decorator = decorators.iter().find(|decorator| decorator.name == name)?;
    match decorator.arguments.first()?.kind {
        ExprKind::Number(limit) => Some(limit),
        _ => None,
    }
}

#[test]
fn every_value_that_the_types_allow_the_handler_accepts_and_what_lies_beyond_it_refuses() {
    let mut tried = 0;
    for name in ["syncConfiguration", "syncUpstream"] {
        for field in fields(name) {
            let of = match field.of {
                Type::Nullable(inner) => *inner,
                of => of,
            };
            let key = field.name.as_str();
            if let Type::Union(members) = &of {
                for member in members {
                    let Type::Text(text) = member else {
                        panic!("{key}: {member:?}")
                    };
                    assert!(
                        accepts(&with(name, key, &text.as_str().into())),
                        "{key}: {text}"
                    );
                    tried += 1;
                }
                assert!(!accepts(&with(name, key, &"another".into())), "{key}");
            }
            for (decorator, step) in [("minValue", -1), ("maxValue", 1)] {
                if let Some(limit) = limit(&field.decorators, decorator) {
                    assert!(accepts(&with(name, key, &limit.into())), "{key}: {limit}");
                    let beyond = limit + step;
                    assert!(
                        !accepts(&with(name, key, &beyond.into())),
                        "{key}: {beyond}"
                    );
                    tried += 1;
                }
            }
        }
    }
    assert!(tried > 10, "{tried}");
}
