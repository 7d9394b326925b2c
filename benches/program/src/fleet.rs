//! Many upstreams in one timer pass.

use std::collections::BTreeMap;

use anyhow::{Result, ensure};
use simulated_cloud::{Cloud, Flavour, Recorded, Service, UpstreamEntry, UpstreamKind};

use crate::floor::RoundTrips;
use crate::result::Report;
use crate::stage::{self, Mode, Sample, Stage};
use crate::{Latency, Options};

/// Upstreams and the sets that feed them.
const FLEETS: [(usize, usize); 3] = [(1, 1), (20, 20), (200, 50)];
const INSTANCES: usize = 10;

pub(crate) async fn measure(options: &Options, report: &mut Report) -> Result<()> {
    let latency = options.latency();
    report.head(&format!(
        "Many upstreams in one timer pass, {INSTANCES} instances a set, nothing changed"
    ));
    let mut single = None;
    for (upstreams, sets) in FLEETS {
        let stage = fleet(options, latency, upstreams, sets).await?;
        for _ in 0..2 {
            stage.tick().await?;
        }
        let mut samples: Vec<Sample> = Vec::new();
        let before = stage.processor_time()?;
        for _ in 0..options.samples(20) {
            samples.push(stage.tick().await?);
            each_set_is_listed_once(&stage.cloud, sets)?;
        }
        let processor = stage.processor_time()?.saturating_sub(before);
        let what = format!("{upstreams} upstreams on {sets} sets");
        let floor = RoundTrips::of_pass(0).at(latency);
        let row = report.row("fleet", &what, &samples, floor, Some(processor));
        let one = *single.get_or_insert(row.p50_ms);
        if upstreams == 200 {
            report.limit(what, row.p50_ms / one, 3.0, "x one upstream");
        }
    }
    Ok(())
}

async fn fleet(
    options: &Options,
    latency: Latency,
    upstreams: usize,
    sets: usize,
) -> Result<Stage> {
    let cloud = stage::cloud(Flavour::NginxAaas);
    let world = cloud.world();
    for set in 0..sets {
        Mode::BOTH[set % 2].add(&world, &set_name(set), INSTANCES);
    }
    let mut entries = Vec::new();
    for number in 0..upstreams {
        let (name, set) = (format!("up-{number}"), set_name(number % sets));
        world.add_upstream(UpstreamKind::Http, &name);
        stage::fill(&world, &name, &set);
        entries.push(UpstreamEntry::http(&name, &set));
    }
    Stage::start(&options.handler, cloud, latency, &entries).await
}

fn set_name(number: usize) -> String {
    format!("set-{number}")
}

/// That no question was asked twice, and that every set was asked about.
fn each_set_is_listed_once(cloud: &Cloud, sets: usize) -> Result<()> {
    let requests: Vec<Recorded> = cloud.requests_to(Service::Arm);
    let mut asked: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for request in &requests {
        *asked.entry((&request.path, &request.query)).or_default() += 1;
    }
    for ((path, query), times) in &asked {
        ensure!(
            *times == 1,
            "{path}?{query} was asked {times} times in one pass"
        );
    }
    for set in 0..sets {
        let own = format!("/virtualMachineScaleSets/{}", set_name(set));
        let models = asked
            .keys()
            .filter(|(path, _)| path.ends_with(&own))
            .count();
        ensure!(models == 1, "{own} was read {models} times");
    }
    // Uniform: the set, its machines, its interfaces. Flexible: the set, its machines; and the
    // interfaces once for all of them.
    let (uniform, flexible) = (sets.div_ceil(2), sets / 2);
    let expected = 3 * uniform + 2 * flexible + flexible.min(1);
    ensure!(
        requests.len() == expected,
        "{} calls to Azure instead of {expected}",
        requests.len()
    );
    Ok(())
}
