//! The threat model names a test for every control: each of them exists, and the source keeps what
//! no test of behaviour can see.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Every Rust file below a folder.
fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            if path.file_name().is_none_or(|name| name != "target") {
                sources(&path, found);
            }
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// The names of all tests: functions behind `#[test]`, `#[tokio::test…]`, or inside `proptest!`.
fn tests() -> BTreeSet<String> {
    let mut files = Vec::new();
    for folder in ["src", "tests", "xtask"] {
        sources(&root().join(folder), &mut files);
    }
    let mut tests = BTreeSet::new();
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        let mut marked = false;
        for line in text.lines().map(str::trim) {
            if line == "#[test]" || line.starts_with("#[tokio::test") {
                marked = true;
            } else if marked && !line.starts_with("#[") {
                let name = line.trim_start_matches("async ").strip_prefix("fn ");
                let name = name.and_then(|rest| rest.split('(').next());
                tests.extend(name.map(str::to_owned));
                marked = false;
            }
        }
    }
    tests
}

/// The rows of the table: control and test, both as they are written.
fn controls() -> Vec<[String; 4]> {
    let text = std::fs::read_to_string(root().join("docs/security.md")).unwrap();
    let table = text.split("<!-- controls -->\n").nth(1).unwrap();
    let table = table.split("<!-- end of controls -->").next().unwrap();
    let rows = table.lines().skip(2).map(|line| {
        let cells: Vec<String> = line
            .trim_matches('|')
            .split('|')
            .map(|cell| cell.trim().to_owned())
            .collect();
        cells
            .try_into()
            .unwrap_or_else(|_| panic!("not four cells: {line}"))
    });
    rows.collect()
}

#[test]
fn every_control_of_the_threat_model_names_a_test_that_exists() {
    let tests = tests();
    assert!(tests.len() > 300, "{} tests were found", tests.len());
    let controls = controls();
    assert!(controls.len() > 40, "{} controls", controls.len());
    for [_, control, _, test] in &controls {
        let name = test.trim_matches('`');
        assert!(tests.contains(name), "{control}: there is no test {name}");
    }
}

#[test]
fn every_control_names_a_place_that_exists_and_every_boundary_has_controls() {
    let mut boundaries: BTreeMap<String, usize> = BTreeMap::new();
    for [boundary, control, place, _] in controls() {
        *boundaries.entry(boundary).or_default() += 1;
        let path = place.trim_matches('`');
        let is_crate = ["hyper", "azure_identity", "everywhere"].contains(&path);
        assert!(is_crate || root().join(path).exists(), "{control}: {place}");
    }
    let named: Vec<&str> = boundaries.keys().map(String::as_str).collect();
    assert_eq!(named, ["0", "1", "2", "3", "4", "5", "supply"]);
}

#[test]
fn nothing_in_the_source_turns_off_the_check_of_certificates() {
    let mut files = Vec::new();
    sources(&root().join("src"), &mut files);
    assert!(files.len() > 40, "{} files", files.len());
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        for word in [
            "danger",
            "dangerous",
            "accept_invalid",
            "verify_none",
            "ServerCertVerifier",
        ] {
            assert!(!text.contains(word), "{}: {word}", file.display());
        }
    }
}
