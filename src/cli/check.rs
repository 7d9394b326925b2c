//! `check`: the doctor. Tries what a pass needs, one thing after the other, goes on after a
//! failure, and says what to do about each.

mod certificate;
mod clock;
mod finding;
mod identity;
mod nginx;
mod reach;
mod remedy;
mod scale_sets;
mod schedule;
mod secret;
mod upstreams;
mod zones;

use std::process::ExitCode;
use std::time::Duration;

use tokio::time::Instant;

use self::finding::{Check, Findings, Remedy};
use super::{Common, Format};
use crate::config::{self, Config, ConfigSource, Environment};
use crate::model::ScaleSetId;
use crate::services::Services;

/// Everything at most; each step has its own limits.
const DEADLINE: Duration = Duration::from_secs(120);

/// What the doctor works with.
struct Doctor<'a> {
    config: &'a Config,
    environment: &'a Environment,
    services: &'a Services,
    /// Asks without credentials.
    client: reqwest::Client,
    deadline: Instant,
}

impl Doctor<'_> {
    /// The configured sets, each once, in the configuration's order.
    fn sets(&self) -> impl Iterator<Item = &ScaleSetId> {
        let upstreams = self.config.upstreams.iter();
        let all: Vec<&ScaleSetId> = upstreams
            .flat_map(|upstream| &upstream.sources)
            .map(|source| &source.set)
            .collect();
        let is_first = {
            let all = all.clone();
            move |(place, set): &(usize, &ScaleSetId)| !all[..*place].contains(set)
        };
        all.into_iter()
            .enumerate()
            .filter(is_first)
            .map(|(_, set)| set)
    }
}

/// Checks everything. Exit 0, or 1 where anything failed.
pub(super) async fn check(common: &Common, format: Format) -> anyhow::Result<ExitCode> {
    let mut findings = Findings::new(format);
    let environment = Environment::from_process();
    match config::load(common.config.as_deref(), &environment) {
        Ok(config) => {
            let source = ConfigSource::choose(common.config.as_deref(), &environment);
            configured(&config, &source, &mut findings);
            schedule::examine(&mut findings);
            examine(&config, &environment, &mut findings).await;
        }
        Err(error) => {
            let subject = format!("configuration `{}`", error.origin);
            for problem in &error.problems {
                let text = match problem.path.as_str() {
                    "" => problem.message.clone(),
                    path => format!("`{path}`: {}", problem.message),
                };
                findings.failed(Check::Configuration, &subject, text, Remedy::default());
            }
            schedule::examine(&mut findings);
            nothing_else(&mut findings);
        }
    }
    Ok(findings.finish())
}

fn nothing_else(findings: &mut Findings) {
    findings.skipped(Check::StartUp, "everything else", "not examined");
}

fn configured(config: &Config, source: &ConfigSource, findings: &mut Findings) {
    let subject = match source {
        ConfigSource::File(path) => format!("configuration `{}`", path.display()),
        ConfigSource::Setting(_) => "configuration `VMSS_SYNC_CONFIG`".to_owned(),
    };
    let names: Vec<String> = config
        .upstreams
        .iter()
        .map(|upstream| format!("`{}`", upstream.key.name.escape_debug()))
        .collect();
    let text = format!("can be used; upstreams: {}", names.join(", "));
    findings.ok(Check::Configuration, &subject, text);
    for warning in &config.warnings {
        findings.warning(Check::Configuration, &subject, warning, Remedy::default());
    }
}

async fn examine(config: &Config, environment: &Environment, findings: &mut Findings) {
    let services = Services::new(config).map_err(|error| error.to_string());
    let client = reach::client().map_err(|error| crate::azure::chain(&error));
    let (services, client) = match (services, client) {
        (Ok(services), Ok(client)) => (services, client),
        (Err(error), _) | (_, Err(error)) => {
            let remedy = Remedy::new(
                "`SSL_CERT_FILE` must name a readable file of certificates in PEM; without it the system's are used",
            );
            findings.failed(Check::StartUp, "start-up", error, remedy);
            nothing_else(findings);
            return;
        }
    };
    let doctor = Doctor {
        config,
        environment,
        services: &services,
        client,
        deadline: Instant::now() + DEADLINE,
    };
    let principal = identity::examine(&doctor, findings).await;
    let listings = scale_sets::examine(&doctor, principal.as_ref(), findings).await;
    let doubts = secret::examine(&doctor, principal.as_ref(), findings).await;
    if nginx::examine(&doctor, doubts.as_deref(), findings).await {
        upstreams::examine(&doctor, &listings, findings).await;
    } else {
        let text = "not examined: NGINX does not answer this program";
        findings.skipped(Check::UpstreamExists, "upstreams", text);
    }
}
