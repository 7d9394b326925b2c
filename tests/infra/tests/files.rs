//! The files of `infra/` as they are.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a failure is a failed test"
)]

use std::collections::BTreeSet;

use bicep::check::{Table, check, used};
use bicep::tree::{File, ItemKind, Type, description};
use bicep::{Problem, Project};

fn infra() -> Project {
    Project::load(&bicep::infra()).unwrap_or_else(|problems| panic!("{}", lines(&problems)))
}

fn table() -> Table {
    Table::parse(include_str!("resources.txt")).unwrap()
}

fn lines(problems: &[Problem]) -> String {
    let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
    lines.join("\n")
}

#[test]
fn the_checker_finds_no_fault_in_them() {
    let problems = check(&infra(), &table());
    assert!(problems.is_empty(), "{}", lines(&problems));
}

#[test]
fn every_row_of_the_table_is_used() {
    let used = used(&infra());
    let used = Table::parse(&used.join("\n")).unwrap().lines();
    let under = |parent: &str| {
        let prefix = format!("{}.", parent.trim_end_matches(".*"));
        used.iter().any(|line| line.starts_with(&prefix))
    };
    for row in table().lines() {
        let is_used = used.contains(&row) || (row.ends_with(".*") && under(&row));
        assert!(is_used, "`{row}` is not used");
    }
}

#[test]
fn every_module_is_used() {
    let project = infra();
    let mut called = BTreeSet::new();
    for file in project.files() {
        for item in &file.items {
            if let ItemKind::Module { path, .. } = &item.kind {
                called.insert(path.rsplit('/').next().unwrap().to_owned());
            }
        }
    }
    let modules = project.files().filter(|file| {
        let folder = file.path.parent().and_then(|parent| parent.file_name());
        folder.is_some_and(|folder| folder == "modules")
    });
    let modules: BTreeSet<String> = modules.map(File::file_name).collect();
    assert_eq!(modules, called);
}

#[test]
fn every_parameter_and_output_of_the_template_and_every_type_is_described() {
    let project = infra();
    let mut undescribed = Vec::new();
    for name in ["main.bicep", "types.bicep"] {
        let file = project.named(name).unwrap();
        for item in &file.items {
            let wanted = matches!(
                item.kind,
                ItemKind::Param { .. } | ItemKind::Output { .. } | ItemKind::Type(_)
            );
            if wanted && item.description().is_none_or(str::is_empty) {
                undescribed.push(item.name.clone());
            }
            if let ItemKind::Type(Type::Object(fields)) = &item.kind {
                for field in fields {
                    if description(&field.decorators).is_none_or(str::is_empty) {
                        undescribed.push(format!("{}.{}", item.name, field.name));
                    }
                }
            }
        }
    }
    assert_eq!(undescribed, Vec::<String>::new());
}

/// A deployment keeps what it is told for ever, unless the parameter says that it is a secret.
#[test]
fn what_carries_the_api_key_is_secure_wherever_it_goes() {
    let project = infra();
    let mut secure = BTreeSet::new();
    for file in project.files() {
        for item in file.params().filter(|item| item.is("secure")) {
            secure.insert(format!("{} {}", file.file_name(), item.name));
        }
    }
    let expected = [
        "api-key-secret.bicep keyText",
        "api-key.bicep keyText",
        "main.bicep newApiKey",
    ];
    assert_eq!(secure, expected.map(str::to_owned).into());
    let main = project.named("main.bicep").unwrap();
    let key = |symbol: &str| {
        let ItemKind::Module { body, .. } = &main.item(symbol).unwrap().kind else {
            panic!("{symbol} is no module")
        };
        body.property("params")
            .unwrap()
            .property("keyText")
            .cloned()
    };
    let new_key = bicep::tree::ExprKind::Name("newApiKey".to_owned());
    for symbol in ["apiKey", "apiKeySecret"] {
        assert_eq!(key(symbol).unwrap().kind, new_key, "{symbol}");
    }
}
