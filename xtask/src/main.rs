//! The repository's own commands, `cargo xtask <command>`:
//!
//! - `package` makes the zip that is deployed: a binary that starts on every image ([`portable`],
//!   [`linkage`]), staged with the host's files ([`script_root`]) and packed ([`archive`]), with its bill of materials
//!   ([`sbom`]) beside it;
//! - `soak` runs the handler for hours against the simulated cloud ([`soak`], `tests/soak`);
//! - `bench` measures that binary as a whole ([`mod@bench`]);
//! - `start` runs the function app on this machine with the Core Tools ([`start`]).

mod archive;
mod bench;
mod cargo;
mod linkage;
mod package;
mod portable;
mod sbom;
mod script_root;
mod soak;
mod start;
#[cfg(test)]
mod supply_chain;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

/// Packages the function app, or starts it on this machine.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Build a binary that starts on every Functions image and write target/nginx-vmss-sync.zip
    ///
    /// Its software bill of materials (CycloneDX) is written beside it, as nginx-vmss-sync.cdx.json.
    Package {
        /// How to build it: `auto` takes the first of the others that this machine has the tools for
        #[arg(long, value_enum, default_value_t)]
        build: portable::Choice,
    },
    /// Run the handler for a set time against the simulated cloud, and judge everything it does
    ///
    /// Prints a table, writes target/soak.json, and exits with 1 if an invariant was broken.
    Soak {
        /// How long, in minutes
        #[arg(long, default_value = "10")]
        minutes: String,
        /// How many times faster than a busy real deployment
        #[arg(long, default_value = "50")]
        rate: String,
        /// What the dice begin with
        #[arg(long, default_value = "1")]
        seed: String,
        /// Run the release build instead of the debug build
        #[arg(long)]
        release: bool,
    },
    /// Measure the whole program against the simulated cloud; docs/performance.md explains it
    ///
    /// Prints a table with the floor beside each time, and writes target/bench/bench.json.
    Bench {
        #[command(flatten)]
        options: bench::Options,
    },
    /// Stage the function app into target/function-app and run `func start` there
    ///
    /// Takes local.settings.json from the repository's root, or the sample where there is none.
    Start {
        /// Run the release build instead of the debug build
        #[arg(long)]
        release: bool,
        /// Arguments for `func start`, e.g. `-- --port 7072`
        #[arg(last = true)]
        func_arguments: Vec<String>,
    },
}

fn main() -> ExitCode {
    let repository = repository();
    match run(&Arguments::parse().command, &repository) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: &Command, repository: &Path) -> Result<ExitCode> {
    match command {
        Command::Package { build } => package::run(repository, *build).map(|()| ExitCode::SUCCESS),
        Command::Soak {
            minutes,
            rate,
            seed,
            release,
        } => soak::run(
            repository,
            *release,
            &[("--minutes", minutes), ("--rate", rate), ("--seed", seed)],
        ),
        Command::Bench { options } => bench::run(repository, options),
        Command::Start {
            release,
            func_arguments,
        } => start::run(repository, *release, func_arguments),
    }
}

/// The repository's root. Cargo says at run time where this package lies; the path of the build
/// serves when the binary is called without Cargo.
fn repository() -> PathBuf {
    let package = std::env::var_os("CARGO_MANIFEST_DIR")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
    package
        .parent()
        .map_or_else(|| package.clone(), Path::to_path_buf)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn what_follows_two_dashes_belongs_to_func() {
        let arguments =
            Arguments::parse_from(["xtask", "start", "--release", "--", "--port", "7072"]);
        let Command::Start {
            release,
            func_arguments,
        } = arguments.command
        else {
            panic!("not start: {arguments:?}");
        };
        assert!(release);
        assert_eq!(func_arguments, ["--port", "7072"]);
    }
}
