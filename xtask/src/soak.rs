//! `cargo xtask soak`: builds the handler and the program in `tests/soak`, and runs the one with
//! the other.

use std::path::Path;
use std::process::{Command, ExitCode};

use anyhow::{Context as _, Result};

use crate::cargo;

/// Runs the soak with these options.
///
/// # Errors
///
/// A build failed, or the program cannot be started.
pub(crate) fn run(
    repository: &Path,
    release: bool,
    options: &[(&str, &String)],
) -> Result<ExitCode> {
    let mut build = Command::new(cargo::cargo());
    build.args(["build", "--locked"]);
    if release {
        build.arg("--release");
    }
    let handler = cargo::build(build, repository)?;
    let mut soak = Command::new(cargo::cargo());
    soak.args(["run", "--locked", "--quiet", "--package", "soak", "--"])
        .arg("--handler")
        .arg(&handler)
        .arg("--json")
        .arg(repository.join("target/soak.json"))
        .current_dir(repository);
    for (name, value) in options {
        soak.arg(name).arg(value);
    }
    let status = soak.status().context("the soak cannot be started")?;
    Ok(if status.success() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
