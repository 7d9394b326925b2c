//! The README says what the code does: its tables are held against the code.
//!
//! `UPDATE_README=1 cargo test --test readme` writes the configuration tables anew.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeSet;
use std::path::PathBuf;

use nginx_vmss_sync::config::{KEYS, Key, UPSTREAM_KEYS};

fn path() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("README.md")
}

fn readme() -> String {
    std::fs::read_to_string(path()).unwrap()
}

fn table(keys: &[Key]) -> String {
    let rows = keys
        .iter()
        .map(|key| format!("| `{}` | {} | {} |\n", key.name, key.meaning, key.default));
    format!(
        "| key | meaning | default |\n| --- | --- | --- |\n{}",
        rows.collect::<String>()
    )
}

/// The text between two markers.
fn marked<'a>(text: &'a str, name: &str) -> (usize, &'a str) {
    let begin = format!("<!-- {name} -->\n");
    let end = format!("<!-- end of {name} -->");
    let start = text.find(&begin).unwrap() + begin.len();
    let length = text[start..].find(&end).unwrap();
    (start, &text[start..start + length])
}

#[test]
fn the_configuration_tables_are_those_of_the_code() {
    for (name, keys) in [("keys", &KEYS[..]), ("upstream keys", &UPSTREAM_KEYS[..])] {
        let expected = table(keys);
        let mut text = readme();
        let (start, found) = marked(&text, name);
        if std::env::var_os("UPDATE_README").is_some() {
            text.replace_range(start..start + found.len(), &expected);
            std::fs::write(path(), text).unwrap();
        } else {
            assert_eq!(
                found, expected,
                "run UPDATE_README=1 cargo test --test readme"
            );
        }
    }
}

#[test]
fn every_direct_dependency_has_a_reason() {
    let manifest = std::fs::read_to_string(path().with_file_name("Cargo.toml")).unwrap();
    let section = manifest.split("\n[dependencies]\n").nth(1).unwrap();
    let section = section.split("\n[").next().unwrap();
    let dependencies: BTreeSet<&str> = section
        .lines()
        .filter_map(|line| line.split_once(" = "))
        .map(|(name, _)| name)
        .collect();
    assert!(dependencies.contains("azure_identity"));
    let text = readme();
    let (_, reasons) = marked(&text, "dependencies");
    let explained: BTreeSet<&str> = reasons
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split_once('`'))
        .map(|(name, _)| name)
        .collect();
    assert_eq!(explained, dependencies);
}

#[test]
fn every_function_and_setting_is_described() {
    let root = path();
    let functions = std::fs::read_dir(root.with_file_name("function-app")).unwrap();
    let sample =
        std::fs::read_to_string(root.with_file_name("local.settings.sample.json")).unwrap();
    let sample: serde_json::Value = serde_json::from_str(&sample).unwrap();
    let settings = sample["Values"].as_object().unwrap().keys().cloned();
    let text = readme();
    let names = functions.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    for name in names.chain(settings) {
        assert!(
            text.contains(&format!("`{name}`")),
            "{name} is not in the README"
        );
    }
}

#[test]
fn the_sample_settings_hold_a_configuration_that_is_accepted() {
    let sample =
        std::fs::read_to_string(path().with_file_name("local.settings.sample.json")).unwrap();
    let sample: serde_json::Value = serde_json::from_str(&sample).unwrap();
    let text = sample["Values"]["VMSS_SYNC_CONFIG"].as_str().unwrap();
    let environment = nginx_vmss_sync::config::Environment {
        api_key: sample["Values"]["NGINXAAS_DATAPLANE_API_KEY"]
            .as_str()
            .map(Into::into),
        ..Default::default()
    };
    let config = nginx_vmss_sync::config::parse(text, "the sample", &environment).unwrap();
    let names: Vec<&str> = config
        .upstreams
        .iter()
        .map(|upstream| upstream.key.name.as_str())
        .collect();
    assert_eq!(names, ["backend-one", "backend-two"]);
}
