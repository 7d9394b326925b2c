//! `cargo sandbox`: the handler at work, without Azure and without NGINX Plus.
//!
//! Starts the simulated cloud, builds and starts the handler, and plays the Azure Functions host:
//! either a story ([`story`]) or a stage that is left to the user ([`serve`]).

#![forbid(unsafe_code)]

mod binary;
mod control;
mod narrator;
mod options;
mod serve;
mod stage;
mod story;

use std::process::ExitCode;

use options::{Mode, Options};
use stage::Stage;

#[tokio::main]
async fn main() -> ExitCode {
    let options = match Options::parse(std::env::args().skip(1)) {
        Ok(Some(options)) => options,
        Ok(None) => {
            println!("{}", options::HELP);
            return ExitCode::SUCCESS;
        }
        Err(problem) => {
            eprintln!("sandbox: {problem}\n\n{}", options::HELP);
            return ExitCode::from(2);
        }
    };
    match run(options).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("\nsandbox: {problem}");
            ExitCode::FAILURE
        }
    }
}

async fn run(options: Options) -> Result<(), String> {
    let binary = match options.handler {
        Some(path) => std::path::absolute(path).map_err(|error| error.to_string())?,
        None => binary::build()?,
    };
    let stage = Stage::set(&binary).await?;
    // Leaving by return drops the stage, which ends the handler and removes its files.
    match options.mode {
        Mode::Story => tokio::select! {
            outcome = story::play(&stage) => outcome,
            () = interrupted() => Err("interrupted".to_owned()),
        },
        Mode::Serve => tokio::select! {
            outcome = serve::serve(&stage) => outcome,
            () = interrupted() => Ok(()),
        },
    }
}

/// Returns on Ctrl-C, and where there is such a thing on SIGTERM.
async fn interrupted() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminate) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = tokio::signal::ctrl_c() => {}
            }
            return;
        }
    }
    let _ = tokio::signal::ctrl_c().await;
}
