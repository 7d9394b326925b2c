//! A retelling of the call pattern of nginx-asg-sync, the agent that this program replaces: one
//! call after the other, two calls per instance of a Flexible set, one write at a time.
//!
//! Told kindly: the token is there already, connections are kept, and nothing is computed.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::{Certificate, Method};
use serde_json::{Value, json};
use simulated_cloud::{Cloud, Flavour, UpstreamKind};

use crate::floor::RoundTrips;
use crate::matrix::{SET, UPSTREAM, warm_stage};
use crate::result::{Report, Row};
use crate::stage::{self, Calls, Mode, Sample};
use crate::{Latency, Options};

const SIZE: usize = 100;

pub(crate) async fn measure(options: &Options, report: &mut Report) -> Result<()> {
    let latency = options.latency();
    report.head(&format!(
        "The old agent's calls beside ours, {SIZE} instances"
    ));
    for mode in Mode::BOTH {
        for (kind, writes) in [("nothing changed", 0), ("first fill", SIZE)] {
            let old = old(options, latency, mode, writes, report).await?;
            let ours = ours(options, latency, mode, writes, report).await?;
            let ratio = old.p50_ms / ours.p50_ms;
            let what = format!("{}, {SIZE}: {kind}: times faster", mode.name());
            report.figure(&what, ratio, "x");
            if mode == Mode::Flexible && writes == 0 {
                // At least 50 times: told the other way round, so that every limit is an upper one.
                report.limit(
                    format!("{what}, as a share"),
                    1.0 / ratio,
                    1.0 / 50.0,
                    "of its time",
                );
            }
        }
    }
    Ok(())
}

async fn old(
    options: &Options,
    latency: Latency,
    mode: Mode,
    writes: usize,
    report: &mut Report,
) -> Result<Row> {
    let cloud = stage::cloud(Flavour::NginxAaas);
    let world = cloud.world();
    mode.add(&world, SET, SIZE);
    world.add_upstream(UpstreamKind::Http, UPSTREAM);
    if writes == 0 {
        stage::fill(&world, UPSTREAM, SET);
    }
    let client = Client::new(&cloud).await?;
    // The connections, and nothing else, are warm.
    client.pass(&cloud, mode).await?;
    stage::pace(&cloud, latency);
    let mut samples = Vec::new();
    for _ in 0..options.samples(3).min(if options.quick { 1 } else { 3 }) {
        if writes > 0 {
            stage::clear(&world, UPSTREAM);
        }
        cloud.clear_requests();
        let began = Instant::now();
        client.pass(&cloud, mode).await?;
        samples.push(Sample {
            took: began.elapsed(),
            calls: Calls::count(&cloud.requests()),
        });
        ensure!(
            world.server_addresses(UpstreamKind::Http, UPSTREAM) == world.addresses(SET, 80),
            "the retelling did not do its work"
        );
    }
    let expected = if mode == Mode::Flexible {
        2 + 2 * SIZE
    } else {
        2
    };
    let calls = samples
        .first()
        .map_or_else(Calls::default, |sample| sample.calls);
    ensure!(
        calls.azure == expected,
        "{} calls instead of {expected}",
        calls.azure
    );
    let what = format!("{}, {SIZE}: {}, old agent", mode.name(), kind(writes));
    let floor = RoundTrips::of_pass(writes).at(latency);
    Ok(report.row("old agent", &what, &samples, floor, None))
}

async fn ours(
    options: &Options,
    latency: Latency,
    mode: Mode,
    writes: usize,
    report: &mut Report,
) -> Result<Row> {
    let stage = warm_stage(options, latency, mode, SIZE, Flavour::NginxAaas).await?;
    let mut samples = Vec::new();
    for _ in 0..options.samples(10) {
        if writes > 0 {
            stage::clear(&stage.world(), UPSTREAM);
        }
        samples.push(stage.event(SET).await?);
        stage.is_right(UPSTREAM, SET)?;
    }
    let what = format!("{}, {SIZE}: {}, ours", mode.name(), kind(writes));
    let floor = RoundTrips::of_pass(writes).at(latency);
    Ok(report.row("old agent", &what, &samples, floor, None))
}

fn kind(writes: usize) -> &'static str {
    if writes == 0 {
        "nothing changed"
    } else {
        "first fill"
    }
}

/// An HTTP client that has a token and the key.
pub(crate) struct Client {
    http: reqwest::Client,
    token: String,
    key: String,
    nginx: String,
}

impl Client {
    pub(crate) async fn new(cloud: &Cloud) -> Result<Self> {
        let authority = Certificate::from_pem(cloud.ca_pem().as_bytes())?;
        let http = reqwest::Client::builder()
            .no_proxy()
            .tls_certs_only([authority])
            .timeout(Duration::from_secs(60))
            .build()?;
        let url = format!(
            "{}?api-version=2019-08-01&resource={}",
            cloud.identity_endpoint(),
            cloud.arm_audience()
        );
        let request = http
            .get(url)
            .header("x-identity-header", cloud.identity_header());
        let reply: Value = serde_json::from_slice(&request.send().await?.bytes().await?)?;
        let token = reply["access_token"].as_str().context("no token")?;
        Ok(Self {
            http,
            token: format!("Bearer {token}"),
            key: format!("ApiKey {}", STANDARD.encode(cloud.api_key())),
            nginx: cloud.api_endpoint(),
        })
    }

    pub(crate) async fn get(&self, url: &str) -> Result<Vec<u8>> {
        self.call(Method::GET, url, None).await
    }

    async fn call(&self, method: Method, url: &str, body: Option<&Value>) -> Result<Vec<u8>> {
        let of_nginx = url.starts_with(&self.nginx);
        let access = if of_nginx { &self.key } else { &self.token };
        let mut request = self
            .http
            .request(method, url)
            .header("authorization", access);
        if let Some(body) = body {
            request = request
                .header("content-type", "application/json")
                .body(body.to_string());
        }
        let reply = request.send().await?;
        let status = reply.status();
        let bytes = reply.bytes().await?;
        ensure!(
            status.is_success(),
            "{url}: {status} {}",
            String::from_utf8_lossy(&bytes)
        );
        Ok(bytes.to_vec())
    }

    async fn json(&self, url: &str) -> Result<Value> {
        Ok(serde_json::from_slice(&self.get(url).await?)?)
    }

    /// Everything in the agent's order: the set, its instances, NGINX, one write after the other.
    async fn pass(&self, cloud: &Cloud, mode: Mode) -> Result<()> {
        let endpoint = cloud.resource_manager_endpoint();
        let set = format!("{endpoint}{}", cloud.world().set_id(SET));
        self.json(&format!("{set}?api-version=2024-07-01")).await?;
        let mut wanted = Vec::new();
        match mode {
            Mode::Uniform => {
                let list = format!("{set}/networkInterfaces?api-version=2018-10-01");
                let interfaces = self.json(&list).await?;
                wanted.extend(items(&interfaces["value"]).map(address));
            }
            Mode::Flexible => {
                let group = format!(
                    "{endpoint}/subscriptions/{}/resourceGroups/{}",
                    cloud.subscription_id(),
                    cloud.resource_group()
                );
                let machines = format!(
                    "{group}/providers/Microsoft.Compute/virtualMachines?api-version=2024-07-01"
                );
                let machines = self.json(&machines).await?;
                for machine in items(&machines["value"]) {
                    let id = machine["id"].as_str().unwrap_or_default();
                    let machine = format!("{endpoint}{id}?api-version=2024-07-01");
                    let machine = self.json(&machine).await?;
                    let profile = &machine["properties"]["networkProfile"];
                    for reference in items(&profile["networkInterfaces"]) {
                        let id = reference["id"].as_str().unwrap_or_default();
                        let interface = format!("{endpoint}{id}?api-version=2023-09-01");
                        wanted.push(address(&self.json(&interface).await?));
                    }
                }
            }
        }
        let servers = format!("{}/9/http/upstreams/{UPSTREAM}/servers/", self.nginx);
        let found = self.json(&servers).await?;
        let found: Vec<&str> = items(&found)
            .filter_map(|server| server["server"].as_str())
            .collect();
        for server in wanted {
            if !found.contains(&server.as_str()) {
                let body = json!({"server": server, "max_fails": 1, "fail_timeout": "10s"});
                self.call(Method::POST, &servers, Some(&body)).await?;
            }
        }
        Ok(())
    }
}

fn items(list: &Value) -> impl Iterator<Item = &Value> {
    list.as_array().into_iter().flatten()
}

fn address(interface: &Value) -> String {
    let first = &interface["properties"]["ipConfigurations"][0]["properties"];
    let address = first["privateIPAddress"].as_str().unwrap_or_default();
    format!("{address}:80")
}
