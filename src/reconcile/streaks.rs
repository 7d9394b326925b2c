//! How long an upstream has been failing: what passes by itself need not wake anybody, until it
//! does not pass.

use std::collections::BTreeMap;
use std::sync::Mutex;

use super::report::{Outcome, UpstreamReport};
use crate::model::UpstreamKey;

/// How many passes of this process have failed in a row, by upstream.
#[derive(Debug, Default)]
pub(super) struct Streaks(Mutex<BTreeMap<UpstreamKey, u32>>);

impl Streaks {
    /// Counts a pass that was to change something, and writes the count into its report.
    pub(super) fn count(&self, report: &mut UpstreamReport) {
        let Ok(mut streaks) = self.0.lock() else {
            return;
        };
        if report.outcome() == Outcome::Failed {
            let streak = streaks.entry(report.key.clone()).or_default();
            *streak = streak.saturating_add(1);
            report.failed_in_a_row = *streak;
        } else {
            streaks.remove(&report.key);
        }
    }
}
