//! Reads, checks and evaluates the Bicep files of `infra/`.
//!
//! The Bicep compiler is a .NET program that none of our registries carries. What stands in for it:
//!
//! - [`syntax`]: Bicep's public tree-sitter grammar; [`read`] makes a small [`tree`] of what it
//!   finds. A construct that is not known here is a problem, never skipped.
//! - [`check`]: what the compiler would refuse: unknown symbols, functions, types, modules,
//!   parameters and outputs, properties that are not in the table, values that are not known when
//!   a deployment starts, circles.
//! - [`evaluate`]: what a deployment with given parameters sends to Resource Manager, so that tests
//!   can hold roles, filters and settings against the running program.
//! - [`types`]: the resources against Microsoft's own type data, where CI has fetched it.
//!
//! It knows the part of Bicep that `infra/` uses, and refuses the rest.
#![forbid(unsafe_code)]

pub mod check;
pub mod evaluate;
pub mod problem;
pub mod project;
pub mod read;
pub mod syntax;
pub mod tree;
pub mod types;

use std::path::PathBuf;

pub use problem::{Place, Problem};
pub use project::Project;
pub use tree::File;

/// The directory of the templates.
#[must_use]
pub fn infra() -> PathBuf {
    repository().join("infra")
}

/// The root of the repository.
#[must_use]
pub fn repository() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..")
}
