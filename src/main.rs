//! The `nginx-vmss-sync` program: see the library for everything it does.
#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("nginx-vmss-sync: the runtime cannot be started: {error}");
            return ExitCode::FAILURE;
        }
    };
    // The names of files are what could be anything else.
    let arguments = std::env::args_os().map(std::ffi::OsString::into_string);
    let Ok(arguments) = arguments.collect() else {
        eprintln!("nginx-vmss-sync: an argument is not UTF-8");
        return ExitCode::FAILURE;
    };
    match runtime.block_on(nginx_vmss_sync::cli::run(arguments)) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("nginx-vmss-sync: {error:#}");
            ExitCode::FAILURE
        }
    }
}
