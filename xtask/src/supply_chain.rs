//! What holds of the lock file and of the workflows. cargo-deny checks more (`.ci/deny`); this runs
//! in every `cargo test`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap()
        .to_owned()
}

/// The fields of each package in the lock file.
fn locked() -> Vec<BTreeMap<String, String>> {
    let lock = std::fs::read_to_string(repository().join("Cargo.lock")).unwrap();
    let field = |line: &str| {
        let (key, value) = line.split_once(" = \"")?;
        Some((key.to_owned(), value.trim_end_matches('"').to_owned()))
    };
    let packages = lock.split("[[package]]").skip(1);
    packages
        .map(|package| package.lines().filter_map(field).collect())
        .collect()
}

#[test]
fn every_package_comes_from_this_repository_or_with_a_hash_from_the_one_registry() {
    let mut sources = BTreeSet::new();
    let mut own = BTreeSet::new();
    for package in locked() {
        match package.get("source") {
            None => {
                own.insert(package["name"].clone());
            }
            Some(source) => {
                assert!(source.starts_with("registry+"), "{source}");
                assert_eq!(package["checksum"].len(), 64, "{}", package["name"]);
                sources.insert(source.clone());
            }
        }
    }
    assert_eq!(sources.len(), 1, "{sources:?}");
    for name in own {
        let manifests = [
            "",
            "xtask/",
            "tests/cloud/",
            "tests/sandbox/",
            "tests/infra/",
            "tests/browser/",
            "tests/soak/",
            "tests/contract/",
            "benches/program/",
        ];
        let line = format!("name = \"{name}\"");
        let is_here = manifests.iter().any(|folder| {
            let manifest = repository().join(format!("{folder}Cargo.toml"));
            std::fs::read_to_string(manifest).is_ok_and(|text| text.lines().any(|l| l == line))
        });
        assert!(is_here, "{name}");
    }
}

#[test]
fn there_is_one_http_stack_and_one_tls_stack() {
    let versions = |name: &str| {
        let packages = locked().into_iter();
        packages.filter(|package| package["name"] == name).count()
    };
    for one in [
        "hyper",
        "h2",
        "http",
        "reqwest",
        "rustls",
        "hyper-rustls",
        "aws-lc-rs",
        "tokio",
    ] {
        assert_eq!(versions(one), 1, "{one}");
    }
    for none in [
        "native-tls",
        "openssl",
        "openssl-sys",
        "boring",
        "curl",
        "ureq",
        "isahc",
        "surf",
        "webpki-roots",
        "serde_yaml",
    ] {
        assert_eq!(versions(none), 0, "{none}");
    }
}

#[test]
fn every_action_is_pinned_to_a_commit_and_no_workflow_has_permissions_by_default() {
    let mut actions = 0;
    for entry in std::fs::read_dir(repository().join(".github/workflows")).unwrap() {
        let path = entry.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        let name = path.display();
        assert!(text.contains("\npermissions: {}\n"), "{name}");
        for line in text.lines() {
            let Some((_, action)) = line.split_once("uses: ") else {
                continue;
            };
            actions += 1;
            let (action, version) = action.split_once(" # v").unwrap();
            let (_, commit) = action.split_once('@').unwrap();
            let is_hash = commit.len() == 40 && commit.chars().all(|c| c.is_ascii_hexdigit());
            assert!(is_hash, "{name}: {action}");
            assert_eq!(version.split('.').count(), 3, "{name}: {action}");
        }
        // The token stays in memory: no later step can read it from the checkout.
        let checkouts = text.matches("actions/checkout@").count();
        let without = text.matches("persist-credentials: false").count();
        assert_eq!(checkouts, without, "{name}");
    }
    assert!(actions >= 6, "{actions}");
}
