//! Values against type data in Microsoft's form: one fault at a time. `.ci/infra` does the same to
//! `infra/` itself with Microsoft's own data.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a failure is a failed test"
)]

use std::path::Path;

use bicep::{Project, types};

const MAIN: &str = r"param region string
param count int
param more object

var size = 3

resource store 'Store/accounts@2025-01-01' = {
  name: 'store'
  location: region
  tags: {
    any: 'thing'
  }
  properties: union(more, {
    tier: empty(more) ? 'Hot' : 'Cold'
    size: size
    open: true
    hosts: [
      'a'
    ]
    target: {
      kind: 'Blob'
      container: 'c'
    }
    rules: [for i in [1, 2]: {
      name: 'rule${i}'
      days: count
    }]
  })
}

output state string = store.properties.state
";

fn found(from: &str, to: &str) -> Vec<String> {
    assert_eq!(MAIN.matches(from).count(), 1, "`{from}`");
    let text = MAIN.replace(from, to);
    let project = Project::from_texts(&[("main.bicep", text.as_str())]).unwrap();
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/types");
    let schemas = types::load(Some(&data)).unwrap();
    let problems = types::check(&project, &schemas);
    problems
        .iter()
        .map(|problem| problem.text.clone())
        .collect()
}

#[test]
fn a_resource_that_is_as_the_data_says_has_no_fault() {
    assert_eq!(found("size = 3", "size = 3"), [""; 0]);
}

#[test]
fn every_fault_is_found() {
    for (from, to, expected) in [
        (
            "Store/accounts@",
            "Store/acounts@",
            "no type data for Store/acounts",
        ),
        (
            "@2025-01-01",
            "@2026-01-01",
            "checked with 2025-01-01, not with 2026-01-01",
        ),
        ("    open: true", "    opened: true", "no property `opened`"),
        ("  location: region\n", "", "`location` is required"),
        ("      name: 'rule${i}'\n", "", "`name` is required"),
        ("    open: true", "    open: 'true'", "`true` is not a bool"),
        ("    open: true", "    open: 1", "a number is not a bool"),
        (
            "    size: size",
            "    size: region",
            "`region` is not a int",
        ),
        ("size = 3", "size = 'three'", "`three` is not a int"),
        ("'Cold'", "'Warm'", "`Warm` is not a Cold | Hot | string"),
        ("'Cold'", "true", "a bool is not a Cold | Hot | string"),
        ("      'a'\n", "      2\n", "a number is not a string"),
        ("    any: 'thing'", "    any: 5", "a number is not a string"),
        ("kind: 'Blob'", "kind: 'Table'", "`kind` cannot be Table"),
        ("kind: 'Blob'", "kind: 'Queue'", "no property `container`"),
        ("      kind: 'Blob'\n", "", "`kind` cannot be nothing"),
        (
            "    open: true",
            "    state: 'made'",
            "`state` cannot be set",
        ),
        ("days: count", "days: region", "`region` is not a int"),
        ("days: count", "days: {}", "an object is not a int"),
        ("days: count", "dais: count", "no property `dais`"),
        (
            "store.properties.state",
            "store.properties.stade",
            "has no `properties.stade`",
        ),
    ] {
        let found = found(from, to);
        assert!(
            found.iter().any(|text| text.contains(expected)),
            "`{from}` -> `{to}`: {found:?} without `{expected}`"
        );
    }
}
