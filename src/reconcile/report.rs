//! What a pass did, as data. Log lines, replies, `Status` and `plan` are renderings of it.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::time::Duration;

use crate::model::{Kind, ServerAddress, UpstreamKey};
use crate::plan::{Held, Note};
use crate::telemetry::Origin;

/// How a pass ended for one upstream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// Nothing had to change.
    Unchanged,
    /// Everything that had to change was changed.
    Changed,
    /// A change was held on purpose.
    Held,
    /// Something failed; what could be done was done.
    Failed,
}

impl Outcome {
    /// The outcome's stable name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unchanged => "unchanged",
            Self::Changed => "changed",
            Self::Held => "held",
            Self::Failed => "failed",
        }
    }
}

/// Kinds of failure that often pass by themselves, or only follow from another. The rest stays
/// until somebody acts.
const TRANSIENT: [&str; 7] = [
    "adds_failed",
    "connection",
    "malformed",
    "server",
    "stopped",
    "throttled",
    "timeout",
];
/// After so many failed passes in a row a failure no longer counts as passing by itself.
const LASTING: u32 = 3;

/// One thing that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The kind, stable across wordings.
    pub kind: &'static str,
    /// What an operator reads.
    pub message: String,
}

/// What a pass did to one upstream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpstreamReport {
    /// The upstream.
    pub key: UpstreamKey,
    /// Its scale sets, joined by commas.
    pub groups: String,
    /// Servers added.
    pub added: Vec<ServerAddress>,
    /// Servers deleted.
    pub removed: Vec<ServerAddress>,
    /// Servers changed, or put back into service.
    pub updated: Vec<ServerAddress>,
    /// Servers that were told to drain, or are still draining.
    pub draining: Vec<ServerAddress>,
    /// Those of them that this pass told to.
    pub drained: Vec<ServerAddress>,
    /// Changes that were held.
    pub held: Vec<Held>,
    /// The name of the held changes, for `{"force":"<digest>"}`.
    pub digest: Option<String>,
    /// What else an operator would ask about.
    pub notes: Vec<Note>,
    /// What failed.
    pub failures: Vec<Failure>,
    /// The servers NGINX has now, as far as this pass knows.
    pub servers: Vec<ServerAddress>,
    /// Whether NGINX's servers could be read at all.
    pub servers_read: bool,
    /// What a pass would do, where this one was only to say so.
    pub planned: Option<Vec<crate::plan::Step>>,
    /// Whether this upstream's held plan was released by its digest.
    pub forced: bool,
    /// What there is, server by server, where this pass was to look at it
    /// ([`Intent::Survey`](super::Intent::Survey)).
    pub survey: Option<super::Survey>,
    /// How many passes of this process have failed for this upstream in a row, this one included.
    pub failed_in_a_row: u32,
}

impl UpstreamReport {
    /// An empty report.
    #[must_use]
    pub fn new(key: UpstreamKey, groups: String) -> Self {
        Self {
            key,
            groups,
            added: Vec::new(),
            removed: Vec::new(),
            updated: Vec::new(),
            draining: Vec::new(),
            drained: Vec::new(),
            held: Vec::new(),
            digest: None,
            notes: Vec::new(),
            failures: Vec::new(),
            servers: Vec::new(),
            servers_read: false,
            planned: None,
            forced: false,
            survey: None,
            failed_in_a_row: 0,
        }
    }

    /// Notes a failure, once.
    pub fn fail(&mut self, kind: &'static str, message: impl Into<String>) {
        let failure = Failure {
            kind,
            message: message.into(),
        };
        if !self.failures.contains(&failure) {
            self.failures.push(failure);
        }
    }

    /// How it ended.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        if !self.failures.is_empty() {
            Outcome::Failed
        } else if self.held.iter().any(|held| !held.reason.is_policy()) {
            Outcome::Held
        } else if self.has_changed() {
            Outcome::Changed
        } else {
            Outcome::Unchanged
        }
    }

    /// How many changes a guard holds; what a policy holds back is as the operator wants it.
    #[must_use]
    pub fn held_by_guards(&self) -> usize {
        let held = self.held.iter().filter(|held| !held.reason.is_policy());
        held.count()
    }

    /// Whether somebody must act: what failed does not pass by itself, or has not.
    #[must_use]
    pub fn needs_someone(&self) -> bool {
        let transient = |failure: &Failure| TRANSIENT.contains(&failure.kind);
        !self.failures.is_empty()
            && (self.failed_in_a_row >= LASTING || !self.failures.iter().all(transient))
    }

    /// Whether anything was written.
    #[must_use]
    pub fn has_changed(&self) -> bool {
        let changes = [&self.added, &self.removed, &self.updated, &self.drained];
        changes.iter().any(|servers| !servers.is_empty())
    }

    /// The line for this upstream, in nginx-asg-sync's wording.
    #[must_use]
    pub fn line(&self) -> String {
        let kind = match self.key.kind {
            Kind::Http | Kind::Stream => self.key.kind.log_word(),
        };
        let name = self.key.name.escape_debug();
        let verb = if self.failures.is_empty() {
            "Updated"
        } else {
            "Couldn't fully update"
        };
        let mut line = format!(
            "{verb} {kind} servers of {name} for group {} ; Added: {}, Removed: {}, Updated: {}",
            self.groups,
            list(&self.added),
            list(&self.removed),
            list(&self.updated)
        );
        // Writing to a String cannot fail.
        if !self.draining.is_empty() {
            let _ = write!(line, ", Draining: {}", list(&self.draining));
        }
        let mut told = Vec::new();
        for held in &self.held {
            if told.contains(&held.reason) {
                continue;
            }
            told.push(held.reason);
            let same = self.held.iter().filter(|other| other.reason == held.reason);
            let addresses: Vec<ServerAddress> =
                same.map(|other| other.step.address().clone()).collect();
            let _ = write!(
                line,
                ", Held: {} ({}; {})",
                list(&addresses),
                held.reason,
                held.reason.release()
            );
        }
        if let Some(digest) = &self.digest {
            let _ = write!(line, ", Digest: {digest}");
        }
        for failure in &self.failures {
            let _ = write!(line, ", Failed: {}: {}", failure.kind, failure.message);
        }
        line
    }
}

/// Addresses as Go prints a slice: in brackets, separated by blanks.
fn list(addresses: &[ServerAddress]) -> String {
    let texts: Vec<String> = addresses.iter().map(ToString::to_string).collect();
    format!("[{}]", texts.join(" "))
}

/// What one pass did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PassReport {
    /// When it began, since the Unix epoch.
    pub started: Duration,
    /// How long it took.
    pub took: Duration,
    /// On whose behalf it ran.
    pub origin: Option<Origin>,
    /// Every upstream that was looked at, in the configuration's order.
    pub upstreams: Vec<UpstreamReport>,
    /// The requests it sent.
    pub calls: super::Calls,
}

impl PassReport {
    /// The worst outcome of its upstreams.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        let outcomes = self.upstreams.iter().map(UpstreamReport::outcome);
        outcomes.max().unwrap_or(Outcome::Unchanged)
    }

    /// One line per upstream.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        self.upstreams.iter().map(UpstreamReport::line).collect()
    }

    /// Logs the pass: one line per upstream, for all who share it, at the level that its outcome
    /// deserves. What has not changed is not worth a line at info, unless the pass failed: the host
    /// drops the body of a failed reply, and with it everybody's lines.
    pub fn log(&self) {
        let trigger = self.origin.as_ref().map(|origin| origin.trigger.name());
        let invocation = self.origin.as_ref().and_then(Origin::invocations);
        let invocation = invocation.map(tracing::field::display);
        let took_ms = u64::try_from(self.took.as_millis()).unwrap_or(u64::MAX);
        let failed = self.outcome() == Outcome::Failed;
        for upstream in &self.upstreams {
            let outcome = upstream.outcome();
            let line = upstream.line();
            let kinds = upstream.failures.iter().map(|failure| failure.kind);
            let kinds: Vec<&str> = kinds.collect::<BTreeSet<_>>().into_iter().collect();
            let failures = (!kinds.is_empty()).then(|| kinds.join(","));
            // Queries rely on the names, and those for text on the order: docs/observability.md.
            macro_rules! say {
                ($level:ident) => {
                    tracing::$level!(
                        upstream = upstream.key.name,
                        kind = upstream.key.kind.path(),
                        outcome = outcome.name(),
                        added = upstream.added.len(),
                        removed = upstream.removed.len(),
                        updated = upstream.updated.len(),
                        drained = upstream.drained.len(),
                        held = upstream.held.len(),
                        digest = upstream.digest,
                        failures,
                        took_ms,
                        trigger,
                        invocation,
                        "{line}"
                    )
                };
            }
            match outcome {
                Outcome::Failed if upstream.needs_someone() => say!(error),
                Outcome::Failed | Outcome::Held => say!(warn),
                Outcome::Changed => say!(info),
                Outcome::Unchanged if failed => say!(info),
                Outcome::Unchanged => say!(debug),
            }
            for note in &upstream.notes {
                tracing::debug!(upstream = %upstream.key.name, "{}: {}", note.subject, note.text);
            }
        }
    }
}
