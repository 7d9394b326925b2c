//! Memory and the binary.

use anyhow::Result;
use simulated_cloud::{Flavour, UpstreamEntry, UpstreamKind};

use crate::result::Report;
use crate::stage::{self, Mode, Stage};
use crate::{Latency, Options, process};

const UPSTREAMS: usize = 20;
const PASSES: usize = 10;

pub(crate) async fn measure(options: &Options, report: &mut Report) -> Result<()> {
    let size = options.sizes().last().copied().unwrap_or(1);
    println!("\nMemory after {PASSES} passes, Azure's documents in full\n");
    let cloud = stage::cloud(Flavour::NginxAaas);
    let idle = Stage::start(
        &options.handler,
        cloud,
        Latency::NONE,
        &[UpstreamEntry::http("web", "web-vmss")],
    )
    .await?;
    let resident = process::memory(idle.handler.id())?;
    report.figure(
        "Resident before the first pass",
        megabytes(resident.now),
        "MB",
    );
    drop(idle);
    for (mode, sets) in [
        (Mode::Uniform, 1),
        (Mode::Flexible, 1),
        (Mode::Uniform, UPSTREAMS),
        (Mode::Flexible, UPSTREAMS),
    ] {
        let stage = many(options, mode, sets, size).await?;
        for _ in 0..PASSES {
            stage.tick().await?;
        }
        let memory = process::memory(stage.handler.id())?;
        let what = format!(
            "{UPSTREAMS} upstreams on {sets} {} {} of {size}",
            mode.name(),
            if sets == 1 { "set" } else { "sets" }
        );
        report.figure(&format!("{what}: resident"), megabytes(memory.now), "MB");
        report.figure(&format!("{what}: peak"), megabytes(memory.peak), "MB");
        report.limit(format!("{what}: peak"), megabytes(memory.peak), 32.0, "MB");
    }
    let binary = megabytes(report.binary_bytes());
    report.figure("Binary", binary, "MB");
    report.limit("Binary", binary, 8.0, "MB");
    Ok(())
}

async fn many(options: &Options, mode: Mode, sets: usize, size: usize) -> Result<Stage> {
    let cloud = stage::cloud(Flavour::NginxAaas);
    let world = cloud.world();
    world.print_full_documents(true);
    for set in 0..sets {
        mode.add(&world, &format!("set-{set}"), size);
    }
    let mut entries = Vec::new();
    for number in 0..UPSTREAMS {
        let (name, set) = (format!("up-{number}"), format!("set-{}", number % sets));
        world.add_upstream(UpstreamKind::Http, &name);
        stage::fill(&world, &name, &set);
        entries.push(UpstreamEntry::http(&name, &set));
    }
    Stage::start(&options.handler, cloud, Latency::NONE, &entries).await
}

fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}
