//! What a pass is doing, on standard error: a line per upstream as it ends.
//!
//! A terminal gets every line. A pipe or a file gets none, unless the pass takes long: then
//! somebody wonders.

use std::collections::BTreeSet;
use std::io::IsTerminal as _;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::output::tell;
use crate::model::UpstreamKey;
use crate::reconcile::{Outcome, UpstreamReport};

/// From here on a pass takes long.
const LONG: Duration = Duration::from_secs(5);
/// The time between two lines that nothing else is told in.
const PAUSE: Duration = Duration::from_secs(10);
/// Upstreams named in one line.
const NAMES: usize = 5;

/// The progress of the running pass.
#[derive(Debug, Clone)]
pub(super) struct Progress(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    upstreams: BTreeSet<UpstreamKey>,
    waiting: BTreeSet<UpstreamKey>,
    began: Instant,
    /// Whether every line is told from the beginning.
    talkative: bool,
    told: bool,
}

impl Progress {
    /// For passes over these upstreams. A watch is quiet on a terminal, too: its passes follow
    /// each other.
    pub(super) fn new(upstreams: impl Iterator<Item = UpstreamKey>, watch: bool) -> Self {
        Self(Arc::new(Mutex::new(State {
            upstreams: upstreams.collect(),
            waiting: BTreeSet::new(),
            began: Instant::now(),
            talkative: !watch && std::io::stderr().is_terminal(),
            told: false,
        })))
    }

    fn with<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// A pass begins.
    pub(super) fn begin(&self) {
        self.with(|state| {
            state.waiting = state.upstreams.clone();
            state.began = Instant::now();
            state.told = state.talkative;
            if state.talkative {
                let count = state.upstreams.len();
                tell(&format!("reading NGINX and Azure, upstreams: {count}"));
            }
        });
    }

    /// An upstream has ended.
    pub(super) fn end(&self, report: &UpstreamReport) {
        self.with(|state| {
            state.waiting.remove(&report.key);
            if state.told {
                tell(&state.line(report));
            }
        });
    }

    /// Says now and then what a long pass waits for; never ends.
    pub(super) async fn remind(&self) {
        let mut next = self.with(|state| state.began) + LONG;
        loop {
            sleep_until(next).await;
            self.with(|state| {
                state.told = true;
                if !state.waiting.is_empty() {
                    tell(&state.reminder());
                }
            });
            next += PAUSE;
        }
    }
}

impl State {
    fn line(&self, report: &UpstreamReport) -> String {
        let done = self.upstreams.len() - self.waiting.len();
        let mut text = format!(
            "[{done}/{}] {} upstream `{}`: {}",
            self.upstreams.len(),
            report.key.kind.path(),
            report.key.name.escape_debug(),
            report.outcome().name()
        );
        if report.outcome() != Outcome::Unchanged {
            text.push_str(&format!(
                ", {} added, {} removed, {} updated",
                report.added.len(),
                report.removed.len(),
                report.updated.len()
            ));
        }
        let took = self.began.elapsed().as_secs_f32();
        text.push_str(&format!(" ({took:.1} s)"));
        text
    }

    fn reminder(&self) -> String {
        let names: Vec<String> = self
            .waiting
            .iter()
            .take(NAMES)
            .map(|key| format!("`{}`", key.name.escape_debug()))
            .collect();
        let more = match self.waiting.len() - names.len() {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        format!(
            "still working after {} s, waiting for upstream {}{more}",
            self.began.elapsed().as_secs(),
            names.join(", ")
        )
    }
}
