//! Runs two handlers for a set time against the simulated cloud under continuous scaling, faults,
//! key rotations, token expiries, host restarts and event storms.
//!
//! The judge of the world test (`tests/it/world/watch.rs`) sees every write to NGINX. Each round ends
//! in a calm, after which the upstreams must hold exactly what serves. One handler lives as long as
//! the run, and its memory, descriptors and threads must not grow; the other one is killed and
//! started again as the host does it. `cargo xtask soak` builds the handler and calls this.

#![forbid(unsafe_code)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test program: a failure is a failed run"
)]

mod drive;
#[allow(dead_code, reason = "shared with the world test, which uses all of it")]
#[path = "../../it/world/faults.rs"]
mod faults;
mod pace;
mod report;
#[allow(dead_code, reason = "shared with the world test, which uses all of it")]
#[path = "../../it/world/script.rs"]
mod script;
#[allow(dead_code, reason = "shared with the world test, which uses all of it")]
#[path = "../../it/world/setting.rs"]
mod setting;
mod vitals;
#[allow(dead_code, reason = "shared with the world test, which uses all of it")]
#[path = "../../it/world/watch.rs"]
mod watch;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;

/// Runs handlers against the simulated cloud for a set time and judges everything they do.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask soak", bin_name = "cargo xtask soak")]
struct Arguments {
    /// How long, in minutes
    #[arg(long, default_value_t = 10.0)]
    minutes: f64,
    /// How many times faster than a busy real deployment
    #[arg(long, default_value_t = 50.0)]
    rate: f64,
    /// What the dice begin with
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// The handler's binary
    #[arg(long)]
    handler: PathBuf,
    /// Where the figures go, as JSON
    #[arg(long)]
    json: Option<PathBuf>,
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if !(arguments.minutes > 0.0 && arguments.rate > 0.0) {
        eprintln!("error: --minutes and --rate must be greater than 0");
        return ExitCode::FAILURE;
    }
    let mut report = drive::run(&arguments).await;
    report.judge_vitals();
    println!("{report}");
    if let Some(path) = &arguments.json
        && let Err(error) = std::fs::write(path, report.json().to_string() + "\n")
    {
        eprintln!("error: {} cannot be written: {error}", path.display());
        return ExitCode::FAILURE;
    }
    if report.violations.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }
}
