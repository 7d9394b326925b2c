//! The documents say what the program does: whatever in them can be held against the code is.
//!
//! - `links`: every relative link of every Markdown file leads to a file, every anchor to a heading.
//! - `messages`: a block marked `log` quotes messages; each must be one that the source has.
//! - `examples`: a block marked `log <name>` is what the program prints in the scenario `<name>`.
//! - `configuration`: every YAML block and every row of the reference goes through the real parser.
//! - `shell`: every shell block is well-formed.
//!
//! `UPDATE_DOCS=1 cargo test --test docs -- --test-threads 1` writes anew what the program prints: the
//! examples, and what is told of refused inputs.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a failure is a failed test"
)]

mod configuration;
mod examples;
mod links;
mod markdown;
mod messages;
mod names;
mod shell;
mod source;

use std::path::{Path, PathBuf};

use markdown::Page;

/// The repository.
fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Whether what the program prints is to be written into the pages.
fn updating() -> bool {
    std::env::var_os("UPDATE_DOCS").is_some()
}

/// One page, by its path below the repository.
fn page(path: &str) -> Page {
    Page::read(&root().join(path))
}

/// Every Markdown file of the repository, sorted.
fn all_pages() -> Vec<Page> {
    let paths = files(root(), "md");
    paths.iter().map(|path| Page::read(path)).collect()
}

/// The files below `directory` with this extension, sorted; nothing that was built or fetched.
fn files(directory: &Path, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut directories = vec![directory.to_owned()];
    while let Some(directory) = directories.pop() {
        for entry in std::fs::read_dir(&directory).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() {
                if !name.starts_with('.') && !["target", "node_modules"].contains(&name.as_str()) {
                    directories.push(path);
                }
            } else if path.extension().is_some_and(|found| found == extension) {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}
