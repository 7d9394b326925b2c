//! `sync` and `sync --watch`.

use std::process::ExitCode;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio::time::{Instant, sleep, timeout};

use super::Common;
use crate::config::Config;
use crate::reconcile::{Intent, Outcome, PassReport, Scope};
use crate::services::Services;

/// One pass at most.
const PASS: Duration = Duration::from_secs(60);
/// How long a pass may finish its step after a signal: longer than any one write.
const GRACE: Duration = Duration::from_secs(7);

/// Runs one pass, or passes until a signal.
pub(super) async fn sync(
    config: &Config,
    watch: bool,
    common: &Common,
) -> anyhow::Result<ExitCode> {
    let services = Services::new(config)?;
    let reconciler = &services.reconciler;
    if !watch {
        let report = reconciler
            .pass(&Scope::All, &Intent::Apply, Instant::now() + PASS)
            .await;
        tell(&report, common, true);
        let failed = report.outcome() == Outcome::Failed;
        return Ok(if failed {
            ExitCode::FAILURE
        } else {
            ExitCode::SUCCESS
        });
    }
    tracing::info!("nginx-vmss-sync version {}", env!("CARGO_PKG_VERSION"));
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    loop {
        let pass = reconciler.pass(&Scope::All, &Intent::Apply, Instant::now() + PASS);
        tokio::pin!(pass);
        let stop = async {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
        };
        tokio::pin!(stop);
        tokio::select! {
            report = &mut pass => {
                tell(&report, common, false);
                tokio::select! {
                    () = sleep(config.sync_interval) => {}
                    () = &mut stop => break,
                }
            }
            () = &mut stop => {
                reconciler.stop();
                tracing::info!("a signal: the running step ends, and no other begins");
                if let Ok(report) = timeout(GRACE, &mut pass).await {
                    tell(&report, common, false);
                }
                break;
            }
        }
    }
    tracing::info!("stopped by a signal");
    Ok(ExitCode::SUCCESS)
}

/// Prints the lines that are a result: all of a single pass, of a watch those that tell something.
fn tell(report: &PassReport, common: &Common, all: bool) {
    for upstream in &report.upstreams {
        if all || upstream.outcome() != Outcome::Unchanged {
            println!("{}", upstream.line());
        }
    }
    // On a terminal the lines stand on standard output already.
    if common.log_path.is_some() {
        report.log();
    }
}
