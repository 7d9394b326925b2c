//! `docs/observability.md` says what the code does: its tables are held against the code.
//!
//! `UPDATE_DOCS=1 cargo test --test it telemetry::document` writes them anew.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::PathBuf;

use nginx_vmss_sync::telemetry::names::{Attribute, Metric, SpanName};
use simulated_cloud::functions_host::run;

use crate::safety_support::filled;
use crate::support::{binary, uniform_cloud, web};

fn path() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("docs/observability.md")
}

fn document() -> String {
    std::fs::read_to_string(path()).unwrap()
}

fn list(attributes: &[Attribute]) -> String {
    let names: Vec<String> = attributes
        .iter()
        .map(|name| format!("`{}`", name.name()))
        .collect();
    names.join(", ")
}

fn metrics() -> String {
    let mut table =
        "| metric | kind | unit | what it measures | split by |\n| --- | --- | --- | --- | --- |\n"
            .to_owned();
    for metric in Metric::ALL {
        writeln!(
            table,
            "| `{}` | {} | `{}` | {} | {} |",
            metric.name(),
            metric.kind().name(),
            metric.unit(),
            metric.meaning(),
            list(metric.attributes())
        )
        .unwrap();
    }
    table
}

fn spans() -> String {
    let mut table = "| span | kind | attributes |\n| --- | --- | --- |\n".to_owned();
    for span in SpanName::ALL {
        let (name, kind) = (span.name(), span.kind());
        writeln!(table, "| {name} | {kind} | {} |", list(span.attributes())).unwrap();
    }
    table
}

fn attributes() -> String {
    let mut table = "| attribute | meaning |\n| --- | --- |\n".to_owned();
    for attribute in Attribute::ALL {
        writeln!(
            table,
            "| `{}` | {} |",
            attribute.name(),
            attribute.meaning()
        )
        .unwrap();
    }
    table
}

/// The place and the text between two markers.
fn marked<'a>(text: &'a str, name: &str) -> (usize, &'a str) {
    let begin = format!("<!-- {name} -->\n");
    let end = format!("<!-- end of {name} -->");
    let start = text.find(&begin).unwrap_or_else(|| panic!("no {begin}")) + begin.len();
    let length = text[start..].find(&end).unwrap();
    (start, &text[start..start + length])
}

#[test]
fn the_tables_of_names_are_those_of_the_code() {
    for (name, expected) in [
        ("metrics", metrics()),
        ("spans", spans()),
        ("attributes", attributes()),
    ] {
        let mut text = document();
        let (start, found) = marked(&text, name);
        if std::env::var_os("UPDATE_DOCS").is_some() {
            text.replace_range(start..start + found.len(), &expected);
            std::fs::write(path(), text).unwrap();
        } else {
            assert_eq!(
                found, expected,
                "run UPDATE_DOCS=1 cargo test --test it telemetry::document"
            );
        }
    }
}

#[test]
fn every_name_is_listed_and_used() {
    let all: BTreeSet<Attribute> = Attribute::ALL.into_iter().collect();
    let metrics = Metric::ALL.iter().flat_map(|metric| metric.attributes());
    let spans = SpanName::ALL.iter().flat_map(|span| span.attributes());
    assert_eq!(all, metrics.chain(spans).copied().collect());
    assert_eq!(all.len(), Attribute::ALL.len());
    let mut names: Vec<&str> = Attribute::ALL.iter().map(|name| name.name()).collect();
    let listed = names.clone();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names, listed, "by name, each once");
}

/// The queries take a line of text apart by the names of its fields, in their order.
#[tokio::test(flavor = "multi_thread")]
async fn the_querys_pattern_fits_the_lines_of_the_log() {
    let text = document();
    let pattern = text
        .lines()
        .find(|line| line.contains("| parse message with"))
        .expect("a pattern");
    let names: Vec<&str> = pattern.split('"').skip(1).step_by(2).collect();
    assert!(names.len() > 5, "{pattern}");
    let running = filled(uniform_cloud(2).await, &[web()]).await;
    running
        .handler
        .wait_for_line("outcome=changed", crate::host_contract::PATIENCE)
        .await;
    let stdout = running.handler.stdout_lines();
    let line = stdout
        .iter()
        .find(|line| line.contains("outcome=changed"))
        .expect("the line");
    let mut rest = line.as_str();
    for name in names {
        let at = rest
            .find(name)
            .unwrap_or_else(|| panic!("`{name}` is not where it should be: {line}"));
        rest = &rest[at + name.len()..];
    }
}

#[tokio::test]
async fn the_help_names_the_variables() {
    let output = run(binary(), &["--help"], &[], None).await;
    for name in ["RUST_LOG", "LOG_FORMAT", "OTEL_"] {
        assert!(output.stdout.contains(name), "{name}");
    }
}
