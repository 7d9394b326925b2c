//! The whole program, measured: the binary that ships, as its own process, against the simulated
//! cloud with round trips of a chosen length.
//!
//! `cargo xtask bench` builds both and runs this. `docs/performance.md` explains what is measured
//! and holds the latest result.

#![forbid(unsafe_code)]

mod cold;
mod fleet;
mod floor;
mod matrix;
mod memory;
mod old_agent;
mod process;
mod result;
mod simulator;
mod stage;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, Result};
use clap::Parser;

use result::Report;

/// What is measured, and how long.
#[derive(Debug, Clone, Parser)]
#[command(name = "cargo xtask bench", about = "Measures the whole program")]
pub(crate) struct Options {
    /// The handler's binary
    #[arg(long)]
    pub(crate) handler: PathBuf,
    /// Where the results go as JSON
    #[arg(long)]
    pub(crate) json: PathBuf,
    /// Small sizes and few samples: shows that everything works, in half a minute
    #[arg(long)]
    pub(crate) quick: bool,
    /// Only these parts; all of them where none is named
    #[arg(long, value_enum)]
    pub(crate) only: Vec<Part>,
    /// Only scale sets of this many instances, in the parts that measure several
    #[arg(long, value_name = "INSTANCES", value_parser = clap::value_parser!(u16).range(1..=5_000))]
    pub(crate) size: Option<u16>,
    /// The round trip to Azure, in milliseconds
    #[arg(long, default_value_t = 50)]
    pub(crate) azure_ms: u64,
    /// The round trip to NGINX, in milliseconds
    #[arg(long, default_value_t = 20)]
    pub(crate) nginx_ms: u64,
    /// Exit with 1 where a figure misses its limit
    #[arg(long)]
    pub(crate) check: bool,
}

/// The parts of the measurement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Part {
    /// What the simulated cloud itself costs
    Simulator,
    /// One upstream: both orchestration modes, all sizes, all kinds of change
    Matrix,
    /// The same without any latency: what the program itself needs
    Zero,
    /// Many upstreams in one timer pass
    Fleet,
    /// From the start of the process
    Cold,
    /// Memory and the binary
    Memory,
    /// The call pattern of the agent that this program replaces
    OldAgent,
}

impl Options {
    fn wants(&self, part: Part) -> bool {
        self.only.is_empty() || self.only.contains(&part)
    }

    pub(crate) fn latency(&self) -> Latency {
        Latency {
            azure: Duration::from_millis(self.azure_ms),
            nginx: Duration::from_millis(self.nginx_ms),
        }
    }

    /// The numbers of instances that are measured.
    pub(crate) fn sizes(&self) -> Vec<usize> {
        match self.size {
            Some(size) => vec![size.into()],
            None if self.quick => vec![1, 10, 100],
            None => vec![1, 10, 100, 1_000],
        }
    }

    /// `full` samples, or a few of them.
    pub(crate) fn samples(&self, full: usize) -> usize {
        if self.quick { full.min(3) } else { full }
    }
}

/// How long a round trip takes, the service's own work included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Latency {
    /// To Resource Manager, Key Vault and the identity endpoint.
    pub(crate) azure: Duration,
    /// To NGINX.
    pub(crate) nginx: Duration,
}

impl Latency {
    /// No latency: what remains is the program's own time, and the simulation's.
    pub(crate) const NONE: Self = Self {
        azure: Duration::ZERO,
        nginx: Duration::ZERO,
    };
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let options = Options::parse();
    match run(&options).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) if !options.check => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Measures, prints and writes; returns whether every figure keeps its limit.
async fn run(options: &Options) -> Result<bool> {
    let mut report = Report::new(options)?;
    if cfg!(debug_assertions) {
        report.remark("the simulated cloud is not optimized here: times are not comparable");
    }
    if options.wants(Part::Simulator) {
        simulator::measure(options, &mut report).await?;
    }
    if options.wants(Part::Matrix) {
        matrix::measure(options, options.latency(), &mut report).await?;
    }
    if options.wants(Part::Zero) {
        matrix::measure(options, Latency::NONE, &mut report).await?;
    }
    if options.wants(Part::Fleet) {
        fleet::measure(options, &mut report).await?;
    }
    if options.wants(Part::Cold) {
        cold::measure(options, &mut report).await?;
    }
    if options.wants(Part::Memory) {
        memory::measure(options, &mut report).await?;
    }
    if options.wants(Part::OldAgent) {
        old_agent::measure(options, &mut report).await?;
    }
    let kept = report.print_limits();
    report
        .write(&options.json)
        .with_context(|| format!("`{}` cannot be written", options.json.display()))?;
    Ok(kept)
}
