//! What the simulated cloud itself costs: the time of its largest answers, asked for by a client
//! that does nothing with them. On a machine of two processors that is most of what a pass over a
//! thousand instances takes beyond its round trips.

use std::time::{Duration, Instant};

use anyhow::Result;
use simulated_cloud::{Flavour, UpstreamKind};

use crate::Options;
use crate::floor::RoundTrips;
use crate::old_agent::Client;
use crate::result::{self, Report, milliseconds, percentile};
use crate::stage::{self, Calls, Mode, Sample};

pub(crate) async fn measure(options: &Options, report: &mut Report) -> Result<()> {
    let size = options.sizes().last().copied().unwrap_or(1);
    println!("\nThe simulated cloud alone, no latency, {size} instances\n");
    let cloud = stage::cloud(Flavour::NginxAaas);
    let world = cloud.world();
    Mode::Uniform.add(&world, "web-vmss", size);
    world.add_upstream(UpstreamKind::Http, "web");
    stage::fill(&world, "web", "web-vmss");
    let client = Client::new(&cloud).await?;
    let set = format!(
        "{}{}",
        cloud.resource_manager_endpoint(),
        world.set_id("web-vmss")
    );
    let machines = format!("{set}/virtualMachines?api-version=2024-07-01&$expand=instanceView");
    let interfaces = format!("{set}/networkInterfaces?api-version=2018-10-01");
    let servers = format!("{}/9/http/upstreams/web/servers/", cloud.api_endpoint());
    let model = format!("{set}?api-version=2024-07-01");
    for (what, url, full) in [
        ("The set", &model, false),
        ("All machines", &machines, false),
        ("All interfaces", &interfaces, false),
        ("All machines in full", &machines, true),
        ("All interfaces in full", &interfaces, true),
        ("All servers", &servers, false),
    ] {
        world.print_full_documents(full);
        let mut times: Vec<Duration> = Vec::new();
        let mut bytes = 0;
        for _ in 0..options.samples(20) {
            let began = Instant::now();
            bytes = client.get(url).await?.len();
            times.push(began.elapsed());
        }
        times.sort();
        let p50 = milliseconds(percentile(&times, 50));
        report.figure(&format!("{what}, {} kB, p50", bytes / 1000), p50, "ms");
    }

    let latency = options.latency();
    report.head(&format!(
        "A pass's reads, thrown away as they arrive; {}",
        result::name(latency)
    ));
    stage::pace(&cloud, latency);
    let floor = RoundTrips::of_pass(0).at(latency);
    for (how, full) in [("", false), (", full documents", true)] {
        world.print_full_documents(full);
        let mut samples = Vec::new();
        for _ in 0..options.samples(30) {
            cloud.clear_requests();
            let began = Instant::now();
            client.get(&servers).await?;
            tokio::try_join!(
                client.get(&model),
                client.get(&machines),
                client.get(&interfaces)
            )?;
            samples.push(Sample {
                took: began.elapsed(),
                calls: Calls::count(&cloud.requests()),
            });
        }
        let what = format!("Uniform, {size}: thrown away{how}");
        report.row("thrown away", &what, &samples, floor, None);
    }
    Ok(())
}
