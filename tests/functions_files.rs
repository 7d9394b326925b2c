//! The files that the Functions host reads, held against each other and against the contract.
//!
//! The host tells of most mistakes in them by leaving a function out, in a log that nobody has
//! open; so they are found here.
#![expect(
    clippy::unwrap_used,
    reason = "a file that cannot be read fails the test, as it should"
)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

/// The functions, and the triggers by which they are called.
const FUNCTIONS: [(&str, &str); 4] = [
    ("Reconcile", "httpTrigger"),
    ("ReconcileTimer", "timerTrigger"),
    ("Status", "httpTrigger"),
    ("VmssScaleEvent", "eventGridTrigger"),
];

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: impl AsRef<Path>) -> Value {
    let path = repository().join(path);
    let text =
        fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn function(name: &str) -> Value {
    read(
        PathBuf::from("function-app")
            .join(name)
            .join("function.json"),
    )
}

fn bindings(name: &str) -> Vec<Value> {
    function(name)["bindings"]
        .as_array()
        .unwrap_or_else(|| panic!("{name} has no bindings"))
        .clone()
}

/// The values of `local.settings.sample.json`.
fn settings() -> serde_json::Map<String, Value> {
    read("local.settings.sample.json")["Values"]
        .as_object()
        .unwrap()
        .clone()
}

/// `^[a-zA-Z][a-zA-Z0-9]{0,127}$`, the host's rule for the name of a binding.
fn is_binding_name(name: &str) -> bool {
    name.len() <= 128
        && name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.chars().all(|c| c.is_ascii_alphanumeric())
}

/// `^[a-z][a-z0-9_\-]{0,127}$` in any case and not `host`, the host's rule for a function.
fn is_function_name(name: &str) -> bool {
    name.len() <= 128
        && name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'))
        && !name.eq_ignore_ascii_case("host")
}

/// The names in `%NAME%` within a text.
fn references(text: &str) -> Vec<&str> {
    text.split('%').skip(1).step_by(2).collect()
}

#[test]
fn the_folders_are_the_functions_and_hold_function_json_alone() {
    let names = |folder: &Path| -> BTreeSet<String> {
        fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect()
    };
    let folder = repository().join("function-app");
    assert_eq!(
        names(&folder),
        FUNCTIONS.map(|(name, _)| name.to_owned()).into()
    );
    for (name, _) in FUNCTIONS {
        assert_eq!(
            names(&folder.join(name)),
            ["function.json".to_owned()].into(),
            "{name}"
        );
        assert!(is_function_name(name), "{name}");
    }
}

#[test]
fn every_function_has_exactly_one_trigger_and_it_is_its_own() {
    for (name, trigger) in FUNCTIONS {
        let triggers: Vec<Value> = bindings(name)
            .into_iter()
            .filter(|binding| binding["type"].as_str().unwrap().ends_with("Trigger"))
            .collect();
        assert_eq!(triggers.len(), 1, "{name}");
        assert_eq!(triggers[0]["type"], trigger, "{name}");
        assert_eq!(triggers[0]["direction"], "in", "{name}");
    }
}

#[test]
fn every_binding_has_a_name_that_the_host_accepts_and_no_other_has() {
    for (function, _) in FUNCTIONS {
        let mut names = BTreeSet::new();
        for binding in bindings(function) {
            let name = binding["name"].as_str().unwrap().to_owned();
            assert!(is_binding_name(&name), "{function}: {name}");
            assert!(names.insert(name.clone()), "{function}: {name} twice");
        }
    }
}

#[test]
fn the_event_and_the_timer_are_bound_as_the_handler_reads_them() {
    let event = json!({ "type": "eventGridTrigger", "direction": "in", "name": "event" });
    assert_eq!(function("VmssScaleEvent"), json!({ "bindings": [event] }));
    let timer = json!({
        "type": "timerTrigger",
        "direction": "in",
        "name": "timer",
        "schedule": "%RECONCILE_SCHEDULE%",
    });
    assert_eq!(function("ReconcileTimer"), json!({ "bindings": [timer] }));
}

#[test]
fn the_http_functions_ask_for_a_key_and_take_one_method_each() {
    for (name, method) in [("Reconcile", "post"), ("Status", "get")] {
        let request = json!({
            "type": "httpTrigger",
            "direction": "in",
            "name": "req",
            "authLevel": "function",
            "methods": [method],
        });
        let response = json!({ "type": "http", "direction": "out", "name": "res" });
        assert_eq!(
            function(name),
            json!({ "bindings": [request, response] }),
            "{name}"
        );
    }
}

#[test]
fn every_setting_that_a_function_refers_to_is_in_the_sample() {
    let settings = settings();
    let mut referred = BTreeSet::new();
    for (name, _) in FUNCTIONS {
        for binding in bindings(name) {
            for value in binding
                .as_object()
                .unwrap()
                .values()
                .filter_map(Value::as_str)
            {
                referred.extend(references(value).into_iter().map(str::to_owned));
            }
        }
    }
    assert_eq!(referred, ["RECONCILE_SCHEDULE".to_owned()].into());
    for name in referred {
        assert!(settings.contains_key(&name), "{name}");
    }
}

#[test]
fn host_json_names_the_handler_and_the_bundle_with_event_grid() {
    let host = read("host.json");
    assert_eq!(host["version"], "2.0");
    let description = &host["customHandler"]["description"];
    // A plain name: the Core Tools set the executable bit on the entry that is called exactly so.
    assert_eq!(description["defaultExecutablePath"], "handler");
    let bundle = &host["extensionBundle"];
    assert_eq!(bundle["id"], "Microsoft.Azure.Functions.ExtensionBundle");
    assert_eq!(bundle["version"], "[4.*, 5.0.0)");
}

/// The keys of `host.json` that a host of version 4 reads, as far as we might want them, and the
/// kind of each value. A key that it does not know it passes over in silence.
const HOST_KEYS: [(&str, &str); 18] = [
    ("/version", "text"),
    ("/functionTimeout", "text"),
    ("/telemetryMode", "text"),
    ("/customHandler", "object"),
    ("/customHandler/description", "object"),
    ("/customHandler/description/defaultExecutablePath", "text"),
    ("/customHandler/description/workingDirectory", "text"),
    ("/customHandler/description/arguments", "list"),
    ("/extensionBundle", "object"),
    ("/extensionBundle/id", "text"),
    ("/extensionBundle/version", "text"),
    ("/logging", "object"),
    ("/logging/logLevel", "object"),
    ("/logging/logLevel/default", "text"),
    ("/logging/applicationInsights", "object"),
    ("/logging/applicationInsights/samplingSettings", "object"),
    (
        "/logging/applicationInsights/samplingSettings/isEnabled",
        "bool",
    ),
    (
        "/logging/applicationInsights/samplingSettings/excludedTypes",
        "text",
    ),
];

#[test]
fn host_json_has_only_keys_that_the_host_reads_with_values_of_their_kind() {
    fn visit(value: &Value, path: &str, found: &mut Vec<(String, &'static str)>) {
        let kind = match value {
            Value::String(_) => "text",
            Value::Bool(_) => "bool",
            Value::Array(_) => "list",
            Value::Object(_) => "object",
            Value::Number(_) | Value::Null => "another",
        };
        found.push((path.to_owned(), kind));
        for (name, value) in value.as_object().into_iter().flatten() {
            visit(value, &format!("{path}/{name}"), found);
        }
    }
    let mut found = Vec::new();
    visit(&read("host.json"), "", &mut found);
    for (path, kind) in &found[1..] {
        let known = HOST_KEYS.iter().find(|(known, _)| known == path);
        assert_eq!(known.map(|(_, kind)| kind), Some(kind), "{path}");
    }
}

#[test]
fn host_json_leaves_http_requests_in_the_envelope_that_the_handler_reads() {
    let custom = &read("host.json")["customHandler"];
    for mode in [
        "enableForwardingHttpRequest",
        "enableProxyingHttpRequest",
        "http",
    ] {
        assert!(custom.get(mode).is_none(), "{mode}");
    }
}

#[test]
fn the_host_waits_longer_than_a_pass_takes_but_not_for_ever() {
    let host = read("host.json");
    let parts: Vec<u64> = host["functionTimeout"]
        .as_str()
        .unwrap()
        .split(':')
        .map(|part| part.parse().unwrap())
        .collect();
    let [hours, minutes, seconds] = parts[..] else {
        panic!("not hh:mm:ss: {parts:?}")
    };
    let timeout = hours * 3_600 + minutes * 60 + seconds;
    // On a timeout the host kills the handler with all its invocations. The timer's deadline is
    // 60 s; the Consumption plan allows 10 minutes at most.
    assert!((120..=600).contains(&timeout), "{timeout} s");
}

#[test]
fn no_request_and_no_exception_is_lost_to_sampling() {
    let sampling = read("host.json")["logging"]["applicationInsights"]["samplingSettings"].clone();
    assert_eq!(
        sampling,
        json!({ "isEnabled": true, "excludedTypes": "Request;Exception" })
    );
}

#[test]
fn the_sample_is_unencrypted_and_its_values_are_texts() {
    assert_eq!(read("local.settings.sample.json")["IsEncrypted"], false);
    // `func` refuses a file whose values are numbers, booleans or objects.
    for (name, value) in settings() {
        assert!(value.is_string(), "{name}");
    }
}

#[test]
fn the_sample_has_the_settings_of_the_host_and_of_the_handler() {
    let settings = settings();
    assert_eq!(settings["FUNCTIONS_WORKER_RUNTIME"], "custom");
    assert_eq!(
        settings["AzureWebJobsStorage"],
        "UseDevelopmentStorage=true"
    );
    for name in [
        "RECONCILE_SCHEDULE",
        "VMSS_SYNC_CONFIG",
        "NGINXAAS_DATAPLANE_API_KEY",
        "AZURE_CLIENT_ID",
        "RUST_LOG",
    ] {
        assert!(
            settings.get(name).is_some_and(|value| value != ""),
            "{name}"
        );
    }
    // It would compete with VMSS_SYNC_CONFIG.
    assert!(!settings.contains_key("VMSS_SYNC_CONFIG_PATH"));
}

#[test]
fn the_samples_schedule_has_the_six_fields_that_every_plan_accepts() {
    let settings = settings();
    let schedule = settings["RECONCILE_SCHEDULE"].as_str().unwrap();
    let fields: Vec<&str> = schedule.split(' ').collect();
    assert_eq!(fields.len(), 6, "{schedule}");
    // A schedule below a minute would lose the monitor that makes up for missed ticks.
    assert!(
        fields[0].parse::<u8>().is_ok_and(|second| second < 60),
        "{schedule}"
    );
}

#[test]
fn the_real_local_settings_cannot_be_committed() {
    let ignored = fs::read_to_string(repository().join(".gitignore")).unwrap();
    assert!(
        ignored
            .lines()
            .any(|line| line.trim_start_matches('/') == "local.settings.json")
    );
}
