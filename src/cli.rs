//! The command line.

mod check;
mod help;
mod options;
mod output;
mod plan;
mod progress;
mod serve;
mod style;
mod sync;

use std::process::ExitCode;

use anyhow::Context as _;
use clap::Parser as _;

pub use options::{Command, Common, Format, Options, normalize};

use crate::config::{Config, Environment};
use crate::telemetry::{self, LogTarget, Trigger};

/// Runs the program with the process's arguments.
///
/// # Errors
///
/// Anything that keeps the command from doing its work, as one chain of causes.
pub async fn run(arguments: Vec<String>) -> anyhow::Result<ExitCode> {
    let in_functions = std::env::var_os("FUNCTIONS_CUSTOMHANDLER_PORT").is_some();
    let options = match Options::try_parse_from(normalize(arguments)) {
        Ok(options) => options,
        Err(error) => {
            // Help and version are results; anything else is an error, and 2 is taken by `plan`.
            let code = if error.use_stderr() { 1 } else { 0 };
            error.print().context("the message cannot be printed")?;
            return Ok(ExitCode::from(code));
        }
    };
    let Options { command, common } = options;
    let command = match command {
        Some(command) => command,
        None if in_functions => Command::Serve,
        // The old agent has no sub-commands: its command line means `sync --watch`.
        None if common.config.is_some() => Command::Sync { watch: true },
        None => {
            use clap::CommandFactory as _;
            output::tell(&Options::command().render_help().to_string());
            return Ok(ExitCode::FAILURE);
        }
    };
    let target = match (&common.log_path, &command) {
        (Some(path), _) => LogTarget::File(path.clone()),
        (None, Command::Serve) => LogTarget::Stdout,
        (None, _) => LogTarget::Stderr,
    };
    // The handler listens before anything else can go wrong.
    let listener = match command {
        Command::Serve => Some(serve::listen().await?),
        _ => None,
    };
    telemetry::start(&target).with_context(|| match &common.log_path {
        Some(path) => format!(
            "the log file `{}` cannot be opened; see that its directory exists and may be written to",
            path.display()
        ),
        None => "the log cannot be started".to_owned(),
    })?;
    if let Some(listener) = listener {
        return serve::serve(listener, &common).await;
    }
    let (trigger, span) = match command {
        Command::Serve => anyhow::bail!("there is no listener"),
        Command::Sync { watch } => (Trigger::Sync, (!watch).then_some("sync")),
        Command::Plan { .. } => (Trigger::Plan, Some("plan")),
        Command::Check { .. } => (Trigger::Check, Some("check")),
    };
    let ended = telemetry::command(trigger, span, run_command(command, &common)).await;
    telemetry::finish().await;
    ended
}

async fn run_command(command: Command, common: &Common) -> anyhow::Result<ExitCode> {
    match command {
        Command::Serve => anyhow::bail!("there is no listener"),
        Command::Sync { watch } => sync::sync(&load(common)?, watch, common).await,
        Command::Plan { format } => plan::plan(&load(common)?, format).await,
        Command::Check { format } => check::check(common, format).await,
    }
}

/// Names the command that looks for causes, after one that failed.
fn hint_at_check() {
    output::tell("hint: `nginx-vmss-sync check` looks for the cause and says what to do");
}

/// Loads the configuration and tells its warnings.
fn load(common: &Common) -> anyhow::Result<Config> {
    let environment = Environment::from_process();
    let config = crate::config::load(common.config.as_deref(), &environment)
        .map_err(|error| anyhow::anyhow!(error.lines().join("\n")))?;
    for warning in &config.warnings {
        tracing::warn!("{warning}");
    }
    Ok(config)
}
