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
        Some(path) => path,
        None => binary::build()?,
    };
    let stage = Stage::set(&binary).await?;
    match options.mode {
        Mode::Story => story::play(&stage).await,
        Mode::Serve => serve::serve(stage).await,
    }
}
