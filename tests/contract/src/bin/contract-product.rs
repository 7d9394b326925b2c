//! The product's command line, built here from its library so that the judges in this package
//! always judge what is checked out.
#![forbid(unsafe_code)]

use std::process::ExitCode;

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    nginx_vmss_sync::cli::run(std::env::args().collect()).await
}
