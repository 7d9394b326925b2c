//! `check`: the doctor. Tries every read that a pass makes, and says what to do about each that
//! fails.

use std::collections::BTreeSet;
use std::process::ExitCode;
use std::time::Duration;

use futures::StreamExt as _;
use serde_json::json;
use tokio::time::Instant;

use super::{Common, Format};
use crate::config::{self, Config, Environment};
use crate::model::{Listing, ScaleSetId};
use crate::reconcile::{Balancer as _, Inventory as _};
use crate::services::Services;

const DEADLINE: Duration = Duration::from_secs(60);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Grade {
    Ok,
    Warning,
    Failed,
}

impl Grade {
    const fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Failed => "failed",
        }
    }
}

#[derive(Debug, Default)]
struct Findings(Vec<(Grade, String, String)>);

impl Findings {
    fn add(&mut self, grade: Grade, subject: impl Into<String>, text: impl Into<String>) {
        self.0.push((grade, subject.into(), text.into()));
    }

    fn print(&self, format: Format) -> ExitCode {
        let failed = self.0.iter().any(|(grade, ..)| *grade == Grade::Failed);
        match format {
            Format::Text => {
                for (grade, subject, text) in &self.0 {
                    println!("{:<8} {subject}: {text}", grade.name());
                }
            }
            Format::Json => {
                let findings: Vec<_> = self
                    .0
                    .iter()
                    .map(|(grade, subject, text)| {
                        json!({ "grade": grade.name(), "subject": subject, "text": text })
                    })
                    .collect();
                println!("{:#}", json!({ "ok": !failed, "findings": findings }));
            }
        }
        if failed {
            ExitCode::FAILURE
        } else {
            ExitCode::SUCCESS
        }
    }
}

/// Checks everything. Exit 0 or 1.
pub(super) async fn check(common: &Common, format: Format) -> anyhow::Result<ExitCode> {
    let mut findings = Findings::default();
    let environment = Environment::from_process();
    let config = match config::load(common.config.as_deref(), &environment) {
        Ok(config) => config,
        Err(error) => {
            for problem in &error.problems {
                let subject = format!("configuration ({})", error.origin);
                findings.add(Grade::Failed, subject, problem.to_string());
            }
            return Ok(findings.print(format));
        }
    };
    let count = config.upstreams.len();
    findings.add(Grade::Ok, "configuration", format!("{count} upstreams"));
    for warning in &config.warnings {
        findings.add(Grade::Warning, "configuration", warning);
    }
    match Services::new(&config) {
        Ok(services) => examine(&config, &services, &mut findings).await,
        Err(error) => findings.add(Grade::Failed, "start-up", error.to_string()),
    }
    Ok(findings.print(format))
}

async fn examine(config: &Config, services: &Services, findings: &mut Findings) {
    let deadline = Instant::now() + DEADLINE;
    findings.add(Grade::Ok, "identity", services.identity.kind().to_string());
    if let Some(vault) = services.key.vault() {
        match vault.read(deadline).await {
            Ok(_) => findings.add(Grade::Ok, "API key", "read from Key Vault"),
            Err(error) => findings.add(Grade::Failed, "API key", error.to_string()),
        }
    }
    let subject = format!("NGINX at {}", services.nginx.host());
    match services.nginx.versions(deadline).await {
        Ok(versions) if versions.contains(&9) => {
            findings.add(Grade::Ok, subject, "reachable, key accepted, API version 9");
        }
        Ok(versions) => findings.add(
            Grade::Failed,
            subject,
            format!(
                "offers API versions {versions:?}, 9 is needed: update NGINX Plus to R30 or later"
            ),
        ),
        Err(error) => findings.add(Grade::Failed, subject, error.to_string()),
    }
    for upstream in &config.upstreams {
        match services.nginx.servers(&upstream.key, deadline).await {
            Ok(servers) => findings.add(
                Grade::Ok,
                upstream.key.to_string(),
                format!("exists, {} servers", servers.len()),
            ),
            Err(error) => findings.add(Grade::Failed, upstream.key.to_string(), error.to_string()),
        }
    }
    let sets: BTreeSet<ScaleSetId> = config
        .upstreams
        .iter()
        .flat_map(|upstream| &upstream.sources)
        .map(|source| source.set.clone())
        .collect();
    let mut listings = services.inventory.list(sets, deadline);
    while let Some((set, listing)) = listings.next().await {
        let subject = format!("scale set {set}");
        match listing {
            Listing::Complete(listing) => {
                let capacity = listing
                    .capacity
                    .map_or_else(|| "not told".to_owned(), |n| n.to_string());
                let count = listing.instances.len();
                if let Some(missing) = services.inventory.states_forbidden(&set) {
                    let text = format!(
                        "instance states cannot be read, so a stopped instance stays in its upstream: {missing}"
                    );
                    findings.add(Grade::Warning, subject.clone(), text);
                }
                findings.add(
                    Grade::Ok,
                    subject,
                    format!("{count} instances, capacity {capacity}"),
                );
            }
            Listing::Incomplete { failure, .. } => {
                findings.add(Grade::Failed, subject, failure.message);
            }
        }
    }
}
