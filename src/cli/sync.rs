//! `sync` and `sync --watch`.

use std::process::ExitCode;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::{Instant, sleep, timeout};

use super::output::print;
use super::progress::Progress;
use super::{Common, hint_at_check};
use crate::config::Config;
use crate::reconcile::{Intent, Outcome, PassReport, Reconciler, Scope};
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
    let keys = config.upstreams.iter().map(|upstream| upstream.key.clone());
    let progress = Progress::new(keys, watch);
    let listener = progress.clone();
    services
        .reconciler
        .on_report(move |report| listener.end(report));
    let mut runner = Runner {
        reconciler: &services.reconciler,
        progress,
        signals: Signals::new()?,
    };
    if !watch {
        return Ok(once(&mut runner, common).await);
    }
    tracing::info!("nginx-vmss-sync version {}", env!("CARGO_PKG_VERSION"));
    loop {
        let (report, stopped) = runner.pass().await;
        if let Some(report) = report {
            tell(&report, common, false);
        }
        if stopped {
            break;
        }
        tokio::select! {
            () = sleep(config.sync_interval) => {}
            () = runner.signals.next() => break,
        }
    }
    tracing::info!("stopped by a signal");
    Ok(ExitCode::SUCCESS)
}

/// One pass. Exit 0 done or held, 1 failed or cut short.
async fn once(runner: &mut Runner<'_>, common: &Common) -> ExitCode {
    let (report, stopped) = runner.pass().await;
    let failed = match &report {
        None => true,
        Some(report) => {
            tell(report, common, true);
            report.outcome() == Outcome::Failed
        }
    };
    if failed && !stopped {
        hint_at_check();
    }
    if failed {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    }
}

/// SIGTERM and SIGINT.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn new() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

struct Runner<'a> {
    reconciler: &'a Reconciler,
    progress: Progress,
    signals: Signals,
}

impl Runner<'_> {
    /// Runs one pass; after a signal its running step ends and no other begins. Tells what was
    /// done, and whether a signal came. A second signal waits for nothing.
    async fn pass(&mut self) -> (Option<PassReport>, bool) {
        self.progress.begin();
        let deadline = Instant::now() + PASS;
        let pass = self.reconciler.pass(&Scope::All, &Intent::Apply, deadline);
        tokio::pin!(pass);
        tokio::select! {
            report = &mut pass => return (Some(report), false),
            () = self.progress.remind() => {}
            () = self.signals.next() => {}
        }
        self.reconciler.stop();
        tracing::info!("a signal: the running step ends, and no other begins");
        let report = tokio::select! {
            report = timeout(GRACE, &mut pass) => report.ok(),
            () = self.signals.next() => None,
        };
        (report, true)
    }
}

/// Prints the lines that are a result: all of a single pass, of a watch those that tell something.
fn tell(report: &PassReport, common: &Common, all: bool) {
    for upstream in &report.upstreams {
        if all || upstream.outcome() != Outcome::Unchanged {
            print(&format!("{}\n", upstream.line()));
        }
    }
    // On a terminal the lines stand on standard output already.
    if common.log_path.is_some() {
        report.log();
    }
}
