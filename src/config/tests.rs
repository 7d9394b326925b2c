//! What a configuration may say, and what is said about one that cannot be used.

mod connections;
mod documents;
mod merging;
mod problems;

use std::time::Duration;

use secrecy::ExposeSecret as _;

use super::{ApiKeySource, Config, ConfigError, Environment, parse};

/// The smallest document that can be used.
const SMALL: &str = "\
subscription_id: sub-1
resource_group_name: web-rg
api_endpoint: https://lb.example/nplus
upstreams:
  - name: backend
    kind: http
    port: 80
    virtual_machine_scale_set: web
";

fn read(text: &str) -> Result<Config, ConfigError> {
    parse(text, "test", &Environment::default())
}

fn read_with_key(text: &str, key: &str) -> Result<Config, ConfigError> {
    let environment = Environment {
        api_key: Some(key.to_owned().into()),
        ..Environment::default()
    };
    parse(text, "test", &environment)
}

/// The problems, each as an operator reads it.
fn problems(result: Result<Config, ConfigError>) -> Vec<String> {
    let error = result.expect_err("it can be used");
    error.problems.iter().map(ToString::to_string).collect()
}

/// The small document with more keys of the document.
fn with(keys: &str) -> String {
    format!("{keys}\n{SMALL}")
}

/// The small document with more keys of its upstream, `|`-separated.
fn with_upstream(keys: &str) -> String {
    keys.split('|')
        .fold(SMALL.to_owned(), |text, key| format!("{text}    {key}\n"))
}

/// The small document with other values.
fn instead(key: &str, value: &str) -> String {
    let lines = SMALL.lines().map(|line| match line.split_once(':') {
        Some((before, _)) if before.trim_start_matches([' ', '-']) == key => {
            format!("{before}: {value}\n")
        }
        _ => format!("{line}\n"),
    });
    lines.collect()
}
