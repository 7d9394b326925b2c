//! From the start of the process.

use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use simulated_cloud::{Flavour, UpstreamEntry, UpstreamKind};

use crate::Options;
use crate::floor::RoundTrips;
use crate::matrix::{self, SET, UPSTREAM};
use crate::result::{Report, milliseconds, percentile};
use crate::stage::{self, Mode, Sample, Stage};

/// How often a listening socket is looked for.
const GLANCE: Duration = Duration::from_micros(200);
const PATIENCE: Duration = Duration::from_secs(10);

pub(crate) async fn measure(options: &Options, report: &mut Report) -> Result<()> {
    let latency = options.latency();
    report.head("From the start of the process, 10 instances, nothing changed");
    for mode in Mode::BOTH {
        let cloud = stage::cloud(Flavour::NginxAaas);
        let world = cloud.world();
        mode.add(&world, SET, 10);
        world.add_upstream(UpstreamKind::Http, UPSTREAM);
        stage::fill(&world, UPSTREAM, SET);
        let upstreams = [UpstreamEntry::http(UPSTREAM, SET)];
        let (mut cold, mut warm): (Vec<Sample>, Vec<Sample>) = (Vec::new(), Vec::new());
        let mut stage = Stage::start(&options.handler, cloud, latency, &upstreams).await?;
        for _ in 0..options.samples(10) {
            cold.push(stage.event(SET).await?);
            for _ in 0..3 {
                warm.push(stage.event(SET).await?);
            }
            stage.handler.kill().await;
            stage = Stage::start(&options.handler, stage.cloud, latency, &upstreams).await?;
        }
        let name = mode.name();
        let floor = RoundTrips::of_pass(0).in_a_new_process().at(latency);
        let first = report.row("cold", &format!("{name}: first pass"), &cold, floor, None);
        let floor = RoundTrips::of_pass(0).at(latency);
        let later = report.row("cold", &format!("{name}: later passes"), &warm, floor, None);
        // The token, and two calls to the vault: it refuses the first to say what it wants a token for.
        let identity_and_secret = 3.0 * milliseconds(latency.azure);
        report.limit(
            format!("{name}: first pass, less a later one, the token and the vault's two calls"),
            first.p50_ms - later.p50_ms - identity_and_secret,
            50.0,
            "ms",
        );
    }
    let mut times = Vec::new();
    for _ in 0..options.samples(30) {
        times.push(listening(options).await?);
    }
    times.sort();
    println!();
    let p50 = milliseconds(percentile(&times, 50));
    report.figure("Listening after exec, p50", p50, "ms");
    let p99 = milliseconds(percentile(&times, 99));
    report.figure("Listening after exec, p99", p99, "ms");
    report.limit("Listening after exec, p50", p50, 20.0, "ms");
    Ok(())
}

/// The time from before the process is made until its socket accepts a connection.
async fn listening(options: &Options) -> Result<Duration> {
    let cloud = stage::cloud(Flavour::NginxAaas);
    cloud.world().add_uniform_set(matrix::SET, 1);
    let upstreams = [UpstreamEntry::http(UPSTREAM, SET)];
    let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?
        .local_addr()?
        .port();
    let mut command = Command::new(&options.handler);
    command
        .env_clear()
        .envs(stage::environment(&cloud, &upstreams))
        .env("FUNCTIONS_CUSTOMHANDLER_PORT", port.to_string())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let began = Instant::now();
    let mut child = command.spawn().context("the handler cannot be started")?;
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let took = loop {
        if TcpStream::connect(address).is_ok() {
            break began.elapsed();
        }
        if began.elapsed() > PATIENCE {
            let _ = child.kill();
            bail!("the handler does not listen");
        }
        std::thread::sleep(GLANCE);
    };
    child.kill()?;
    child.wait()?;
    Ok(took)
}
