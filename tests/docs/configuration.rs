//! The configuration reference, held against the parser.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use nginx_vmss_sync::config::{Config, ConfigError, Environment, KEYS, Key, UPSTREAM_KEYS, parse};

use super::markdown::{Block, Page, as_code, code, codes};
use super::source::literals;
use super::{all_pages, files, page, root, updating};

const PAGE: &str = "docs/configuration.md";
/// Where the texts of the pages are said to come from.
const ORIGIN: &str = "VMSS_SYNC_CONFIG";

/// The smallest document that can be used, key by key.
const DOCUMENT: [(&str, &str); 3] = [
    ("subscription_id", "00000000-0000-0000-0000-000000000000"),
    ("resource_group_name", "web-rg"),
    ("api_endpoint", "https://lb.eastus.nginxaas.net/nplus"),
];
const UPSTREAM: [(&str, &str); 4] = [
    ("name", "web"),
    ("kind", "http"),
    ("port", "80"),
    ("virtual_machine_scale_set", "web-vmss"),
];

fn read(text: &str) -> Result<Config, ConfigError> {
    parse(text, ORIGIN, &Environment::default())
}

/// The smallest document with other or further lines, of the document or of its upstream.
fn with(of_document: &[&str], of_upstream: &[&str]) -> String {
    let sets = |lines: &[&str], key: &str| {
        let key = format!("{key}:");
        lines.iter().any(|line| line.starts_with(&key))
    };
    let mut text = String::new();
    for (key, value) in DOCUMENT.iter().filter(|(key, _)| !sets(of_document, key)) {
        writeln!(text, "{key}: {value}").unwrap();
    }
    for line in of_document {
        writeln!(text, "{line}").unwrap();
    }
    if sets(of_document, "upstreams") {
        return text;
    }
    text.push_str("upstreams:\n");
    let own = UPSTREAM.iter().filter(|(key, _)| !sets(of_upstream, key));
    let own = own.map(|(key, value)| format!("{key}: {value}"));
    let lines = own.chain(of_upstream.iter().map(ToString::to_string));
    for (number, line) in lines.enumerate() {
        writeln!(text, "  {} {line}", if number == 0 { '-' } else { ' ' }).unwrap();
    }
    text
}

/// The document with one row's example: of the document, or of an upstream.
fn with_example(keys: &[Key], example: &str) -> String {
    let lines: Vec<&str> = example.split("; ").collect();
    if keys.len() == KEYS.len() {
        with(&lines, &[])
    } else {
        with(&[], &lines)
    }
}

#[test]
fn every_key_has_its_row_with_the_default_of_the_code_and_an_example_that_is_accepted() {
    let page = page(PAGE);
    for (name, keys) in [("keys", &KEYS[..]), ("upstream keys", &UPSTREAM_KEYS[..])] {
        let rows = page.rows(name);
        let named: Vec<&str> = rows
            .iter()
            .filter_map(|(_, cells)| code(&cells[0]))
            .collect();
        let wanted: BTreeSet<&str> = keys.iter().map(|key| key.name).collect();
        assert_eq!(named.len(), wanted.len(), "{named:?}");
        assert_eq!(named.iter().copied().collect::<BTreeSet<_>>(), wanted);
        for (line, cells) in &rows {
            let at = page.at(*line);
            let [name, meaning, default, example] = &cells[..] else {
                panic!("{at}: {} cells", cells.len())
            };
            let name = code(name).unwrap();
            let key = keys.iter().find(|key| key.name == name).unwrap();
            assert!(meaning.len() > 10, "{at}: {name} is not explained");
            assert_eq!(default.trim_matches('`'), key.default, "{at}: {name}");
            let example = code(example).unwrap_or_else(|| panic!("{at}: no example"));
            assert!(example.contains(&format!("{name}: ")), "{at}: {example}");
            let text = with_example(keys, example);
            let problems = read(&text).err();
            assert_eq!(problems, None, "{at}: {example}\n{text}");
        }
    }
}

/// The problems that the program tells of a row's input.
fn told(table: &str, at: &str, input: &str) -> Vec<String> {
    let lines: Vec<&str> = input.split("; ").collect();
    let text = match table {
        "refused" => with(&lines, &[]),
        _ => with(&[], &lines),
    };
    let Err(error) = read(&text) else {
        panic!("{at}: {input} is accepted")
    };
    error.problems.iter().map(ToString::to_string).collect()
}

#[test]
fn every_refused_input_is_refused_with_the_message_that_is_told() {
    let mut page = page(PAGE);
    for table in ["refused", "refused upstream"] {
        let rows = page.rows(table);
        assert!(rows.len() > 15, "only {} rows were found", rows.len());
        for (line, cells) in rows {
            let at = page.at(line);
            let input = code(&cells[0]).unwrap_or_else(|| panic!("{at}: no input"));
            let told = told(table, &at, input);
            let told: Vec<String> = told.iter().map(|problem| as_code(problem)).collect();
            let told = told.join("<br>");
            if updating() {
                let old = format!("| {} | {} |", cells[0], cells[1]);
                page.text = page
                    .text
                    .replace(&old, &format!("| {} | {told} |", cells[0]));
            } else {
                assert_eq!(
                    cells[1], told,
                    "{at}: run UPDATE_DOCS=1 cargo test --test docs"
                );
            }
        }
    }
    if updating() {
        std::fs::write(&page.path, &page.text).unwrap();
    }
}

/// The YAML blocks of a page: whole documents, and what stands before a list of problems.
fn yaml(page: &Page) -> Vec<Block> {
    let mut blocks = page.blocks();
    blocks.retain(|block| block.words().first() == Some(&"yaml"));
    blocks
}

/// Whether a block is a whole configuration, in YAML or JSON.
fn is_document(text: &str) -> bool {
    text.contains("upstreams:") || text.contains("\"upstreams\":")
}

#[test]
fn every_yaml_document_is_accepted() {
    let mut checked = 0;
    let docs = root().join("docs");
    for page in all_pages() {
        let ours = page.path.starts_with(&docs) || page.path == root().join("README.md");
        for block in yaml(&page) {
            if ours && block.info == "yaml" && is_document(&block.text) {
                checked += 1;
                let problems = read(&block.text).err();
                assert_eq!(problems, None, "{}", page.at(block.line));
            }
        }
    }
    assert!(checked > 8, "only {checked} documents were found");
}

#[test]
fn every_yaml_block_of_the_reference_is_a_whole_document_or_one_that_is_refused() {
    let mut page = page(PAGE);
    let blocks = page.blocks();
    for (place, block) in blocks.iter().enumerate() {
        let at = page.at(block.line);
        match block.info.as_str() {
            "yaml" => assert!(is_document(&block.text), "{at}"),
            "yaml refused" => {
                let told = &blocks[place + 1];
                let error = read(&block.text).expect_err(&at);
                let problems = error.lines().join("\n") + "\n";
                if updating() {
                    let old = format!("{}```\n\n```text\n{}```", block.text, told.text);
                    let new = format!("{}```\n\n```text\n{problems}```", block.text);
                    page.text = page.text.replace(&old, &new);
                } else {
                    assert_eq!(told.text, problems, "{at}");
                }
            }
            info => assert!(!info.starts_with("yaml"), "{at}: {info}"),
        }
    }
    if updating() {
        std::fs::write(&page.path, &page.text).unwrap();
    }
}

#[test]
fn every_variable_that_the_program_reads_is_in_the_documents() {
    let pages: String = files(&root().join("docs"), "md")
        .iter()
        .map(|path| std::fs::read_to_string(path).unwrap())
        .collect();
    let literals = literals();
    let is_name = |name: &&String| {
        name.contains('_') && name.chars().all(|c| c.is_ascii_uppercase() || c == '_')
    };
    // Cargo's are gone when the program runs; `WEBSITE_…` are the platform's, to tell itself by.
    let others = |name: &&String| name.starts_with("CARGO_") || name.starts_with("WEBSITE_");
    let read = literals.iter().filter(is_name);
    let read: BTreeSet<&String> = read.filter(|name| !others(name)).collect();
    assert!(
        read.iter().any(|name| *name == "VMSS_SYNC_CONFIG_PATH"),
        "{read:?}"
    );
    let missing: Vec<_> = read.iter().filter(|name| !pages.contains(**name)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn every_variable_of_the_reference_is_one_that_something_reads() {
    let page = page(PAGE);
    let rows = page.rows("environment");
    assert!(rows.len() > 9, "only {} rows were found", rows.len());
    let mut known = literals().join("\n");
    for file in [
        "host.json",
        "local.settings.sample.json",
        "function-app/ReconcileTimer/function.json",
    ] {
        known += &std::fs::read_to_string(root().join(file)).unwrap();
    }
    for (line, cells) in rows {
        for name in codes(&cells[0]) {
            assert!(
                known.contains(name),
                "{}: nothing reads {name}",
                page.at(line)
            );
        }
    }
}
