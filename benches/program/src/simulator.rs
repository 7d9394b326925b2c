//! What the simulated cloud itself costs: the time of its largest answers, asked for by a client
//! that does nothing with them.

use std::time::{Duration, Instant};

use anyhow::Result;
use simulated_cloud::{Flavour, UpstreamKind};

use crate::Options;
use crate::old_agent::Client;
use crate::result::{Report, milliseconds, percentile};
use crate::stage::{self, Mode};

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
    for (what, url, full) in [
        ("The set", format!("{set}?api-version=2024-07-01"), false),
        ("All machines", machines.clone(), false),
        ("All interfaces", interfaces.clone(), false),
        ("All machines in full", machines, true),
        ("All interfaces in full", interfaces, true),
        ("All servers", servers, false),
    ] {
        world.print_full_documents(full);
        let mut times: Vec<Duration> = Vec::new();
        let mut bytes = 0;
        for _ in 0..options.samples(20) {
            let began = Instant::now();
            bytes = client.get(&url).await?.len();
            times.push(began.elapsed());
        }
        times.sort();
        let p50 = milliseconds(percentile(&times, 50));
        report.figure(&format!("{what}, {} kB, p50", bytes / 1000), p50, "ms");
    }
    Ok(())
}
