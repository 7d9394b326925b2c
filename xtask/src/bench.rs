//! `cargo xtask bench`: the binary that ships, measured as a whole.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context as _, Result};
use clap::Args;

use crate::cargo;
use crate::portable::{self, Choice};

/// The package that measures.
const PACKAGE: &str = "bench-program";

/// What to measure, and how.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Small sizes, few samples and a simulated cloud that is not optimized: shows within a minute
    /// that everything works and that no call is made in vain; its times are worth nothing
    #[arg(long)]
    quick: bool,
    /// Measure this binary instead of building the one that ships
    #[arg(long, value_name = "PATH")]
    handler: Option<PathBuf>,
    /// How to build it, as for `package`
    #[arg(long, value_enum, default_value_t, conflicts_with = "handler")]
    build: Choice,
    /// Further arguments of the measurement; `-- --help` tells them
    #[arg(last = true)]
    arguments: Vec<String>,
}

/// Builds the handler and what measures it, and measures; returns what that exited with.
///
/// # Errors
///
/// A build failed, or the measurement cannot be started.
pub(crate) fn run(repository: &Path, options: &Options) -> Result<ExitCode> {
    let handler = match &options.handler {
        Some(path) => std::path::absolute(path)?,
        None => portable::build(repository, options.build)?,
    };
    let mut command = Command::new(cargo::cargo());
    command
        .args(["run", "--locked", "--package", PACKAGE])
        .current_dir(repository);
    if !options.quick {
        command.arg("--release");
    }
    command.arg("--").arg("--handler").arg(&handler);
    command
        .arg("--json")
        .arg(repository.join("target/bench/bench.json"));
    if options.quick {
        command.arg("--quick");
    }
    command.args(&options.arguments);
    let status = command.status().context("cargo cannot be started")?;
    Ok(status
        .code()
        .and_then(|code| u8::try_from(code).ok())
        .map_or(ExitCode::FAILURE, ExitCode::from))
}
