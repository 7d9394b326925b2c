//! The command line: `sync`, `plan`, `check`, and nginx-asg-sync's way of starting.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a failure is a failed test"
)]

mod check;
mod golden;
mod mistakes;
mod plan;
mod sync;
mod usage;
mod watch;

use std::path::PathBuf;
use std::time::Duration;

use simulated_cloud::functions_host::{Output, Process, run};
use simulated_cloud::{Cloud, Gate, Match, Service, UpstreamEntry};

use crate::support::{binary, environment};

/// How long a line or an end may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// Runs a command to its end, with the configuration of these upstreams.
async fn command(cloud: &Cloud, args: &[&str], upstreams: &[UpstreamEntry]) -> Output {
    let env = environment(cloud, &cloud.config_yaml(upstreams));
    run(binary(), args, &env, None).await
}

/// The same with this configuration.
async fn command_with(cloud: &Cloud, args: &[&str], yaml: &str) -> Output {
    run(binary(), args, &environment(cloud, yaml), None).await
}

/// Runs a command on a terminal of its own, to its end; what it prints on stderr is on stdout, too.
///
/// `script` comes with every Debian and Ubuntu.
async fn terminal(args: &[&str], env: &[(String, String)]) -> Output {
    let program = binary();
    let line = format!("{} {}", program.display(), args.join(" "));
    let args = ["--quiet", "--return", "--command", &line, "/dev/null"];
    let output = run("script", &args, env, None).await;
    Output {
        stdout: output.stdout.replace('\r', ""),
        ..output
    }
}

/// Starts a command that runs until a signal.
fn start(cloud: &Cloud, args: &[&str], yaml: &str) -> Process {
    Process::spawn(binary(), args, &environment(cloud, yaml), None).expect("the program starts")
}

/// Ends a command with a signal.
async fn stop(process: Process, signal: &str) -> Output {
    process.signal(signal).await;
    process.finish(PATIENCE).await.expect("the signal ends it")
}

/// Writes a file that goes away with the cloud.
fn file(cloud: &Cloud, name: &str, text: &str) -> PathBuf {
    let path = cloud.directory().join(name);
    std::fs::write(&path, text).expect("the file is written");
    path
}

/// Holds the writes that a pass begins side by side: as many as may run at once.
fn hold_writes(cloud: &Cloud) -> Vec<Gate> {
    (0..8)
        .map(|_| cloud.gate(Match::nginx().method("POST")))
        .collect()
}

/// The line of a change that adds these servers to `web`.
fn added(addresses: &[String]) -> String {
    format!(
        "Updated HTTP servers of web for group web-vmss ; Added: [{}], Removed: [], Updated: []",
        addresses.join(" ")
    )
}

/// The writes that reached NGINX, as `METHOD path`.
fn writes(cloud: &Cloud) -> Vec<String> {
    let requests = cloud.requests_to(Service::Nginx);
    let writes = requests.iter().filter(|request| request.is_write());
    writes
        .map(|request| format!("{} {}", request.method, request.path))
        .collect()
}
