//! One upstream: both orchestration modes, all sizes, all kinds of change.

use std::time::Duration;

use anyhow::{Result, ensure};
use simulated_cloud::{Flavour, UpstreamEntry, UpstreamKind};

use crate::floor::RoundTrips;
use crate::result::{self, Report};
use crate::stage::{self, Mode, Sample, Stage};
use crate::{Latency, Options};

pub(crate) const SET: &str = "web-vmss";
pub(crate) const UPSTREAM: &str = "web";

/// Measures every kind of change, and holds those that have a limit against it.
pub(crate) async fn measure(
    options: &Options,
    latency: Latency,
    report: &mut Report,
) -> Result<()> {
    report.head(&format!(
        "One upstream, from an event's arrival to NGINX being right; {}",
        result::name(latency)
    ));
    let mut lateness = Vec::new();
    for mode in Mode::BOTH {
        for size in options.sizes() {
            lateness.extend(changes(options, latency, mode, size, report).await?);
        }
        let size = options.sizes().last().copied().unwrap_or(1);
        for (flavour, full) in [(Flavour::Native, false), (Flavour::NginxAaas, true)] {
            lateness.extend(variant(options, latency, mode, size, flavour, full, report).await?);
        }
    }
    lateness.sort();
    for percent in [50, 99] {
        let late = result::milliseconds(result::percentile(&lateness, percent));
        let what = format!("An answer is late, {}, p{percent}", result::name(latency));
        report.figure(&what, late, "ms");
    }
    Ok(())
}

/// A stage with one upstream that is as it should be, its connections warm.
pub(crate) async fn warm_stage(
    options: &Options,
    latency: Latency,
    mode: Mode,
    size: usize,
    flavour: Flavour,
) -> Result<Stage> {
    let cloud = stage::cloud(flavour);
    let world = cloud.world();
    mode.add(&world, SET, size);
    world.add_upstream(UpstreamKind::Http, UPSTREAM);
    let upstreams = [UpstreamEntry::http(UPSTREAM, SET)];
    let stage = Stage::start(&options.handler, cloud, latency, &upstreams).await?;
    for _ in 0..2 {
        stage.event(SET).await?;
    }
    stage.is_right(UPSTREAM, SET)?;
    Ok(stage)
}

/// Samples of one kind, and the processor time of all of them.
#[derive(Default)]
struct Samples {
    samples: Vec<Sample>,
    processor: Duration,
}

impl Samples {
    async fn take(&mut self, stage: &Stage) -> Result<()> {
        let before = stage.processor_time()?;
        let sample = stage.event(SET).await?;
        self.processor += stage.processor_time()?.saturating_sub(before);
        self.samples.push(sample);
        stage.is_right(UPSTREAM, SET)
    }
}

async fn changes(
    options: &Options,
    latency: Latency,
    mode: Mode,
    size: usize,
    report: &mut Report,
) -> Result<Vec<Duration>> {
    let stage = warm_stage(options, latency, mode, size, Flavour::NginxAaas).await?;
    let world = stage.world();
    let _ = stage.cloud.take_lateness();
    let (mut fill, mut nothing) = (Samples::default(), Samples::default());
    let (mut added, mut removed) = (Samples::default(), Samples::default());
    for _ in 0..options.samples(if size > 100 { 3 } else { 10 }) {
        stage::clear(&world, UPSTREAM);
        fill.take(&stage).await?;
    }
    for _ in 0..options.samples(20) {
        world.scale(SET, size - 1);
        removed.take(&stage).await?;
        world.scale(SET, size);
        added.take(&stage).await?;
    }
    for _ in 0..options.samples(50) {
        nothing.take(&stage).await?;
    }
    let part = result::name(latency);
    for (kind, samples, writes) in [
        ("first fill", &fill, size),
        ("one added", &added, 1),
        ("one removed", &removed, 1),
        ("nothing changed", &nothing, 0),
    ] {
        let what = format!("{}, {size}: {kind}", mode.name());
        let round_trips = RoundTrips::of_pass(writes);
        let floor = match kind {
            "one removed" => round_trips.with_a_last_look().at(latency),
            _ => round_trips.at(latency),
        };
        let processor = Some(samples.processor);
        let row = report.row(&part, &what, &samples.samples, floor, processor);
        for sample in &samples.samples {
            ensure!(
                sample.calls.azure == 3 && sample.calls.access == 0,
                "{what}: {:?} instead of 3 calls to Azure",
                sample.calls
            );
            ensure!(
                sample.calls.nginx_writes == writes,
                "{what}: {:?}",
                sample.calls
            );
        }
        if let Some(ratio) = row.ratio {
            match (kind, size) {
                ("nothing changed", _) => report.limit(what, ratio, 1.15, "x floor"),
                ("first fill", 100) => report.limit(what, ratio, 1.3, "x floor"),
                _ => {}
            }
        }
    }
    Ok(stage.cloud.take_lateness())
}

/// Nothing changed, with NGINX Plus's own replies or with Azure's documents in full.
async fn variant(
    options: &Options,
    latency: Latency,
    mode: Mode,
    size: usize,
    flavour: Flavour,
    full: bool,
    report: &mut Report,
) -> Result<Vec<Duration>> {
    let stage = warm_stage(options, latency, mode, size, flavour).await?;
    stage.world().print_full_documents(full);
    stage.event(SET).await?;
    let _ = stage.cloud.take_lateness();
    let mut nothing = Samples::default();
    for _ in 0..options.samples(30) {
        nothing.take(&stage).await?;
    }
    let how = if full { "full documents" } else { "NGINX Plus" };
    let what = format!("{}, {size}: nothing changed, {how}", mode.name());
    let floor = RoundTrips::of_pass(0).at(latency);
    let part = result::name(latency);
    let processor = Some(nothing.processor);
    let row = report.row(&part, &what, &nothing.samples, floor, processor);
    if let Some(ratio) = row.ratio {
        report.limit(what, ratio, 1.15, "x floor");
    }
    Ok(stage.cloud.take_lateness())
}
