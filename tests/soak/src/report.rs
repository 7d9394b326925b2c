//! What a run amounted to.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde_json::{Value, json};

use crate::pace::Action;
use crate::vitals::Vitals;

/// Memory may grow by so much between the second quarter of a run and the last: the allocator
/// keeps what the largest storm took.
const RSS_SLACK_KIB: u64 = 8 * 1024;
/// Descriptors and threads of calm moments may differ by so much: idle connections come and go.
const COUNT_SLACK: u64 = 8;
/// Descriptors at any time: a storm has a connection for each of its events.
pub(crate) const DESCRIPTORS_AT_MOST: u64 = 700;

#[derive(Debug, Default)]
pub(crate) struct Report {
    pub(crate) rate: f64,
    pub(crate) seed: u64,
    pub(crate) took: Duration,
    pub(crate) actions: BTreeMap<String, u64>,
    pub(crate) invocations: u64,
    pub(crate) failed_invocations: u64,
    pub(crate) requests: u64,
    pub(crate) writes: usize,
    pub(crate) joint: usize,
    pub(crate) calms: u64,
    pub(crate) processor_seconds: f64,
    pub(crate) vitals: Vec<Vitals>,
    pub(crate) slowest: Duration,
    pub(crate) violations: Vec<String>,
}

impl Report {
    pub(crate) fn count(&mut self, action: Action) {
        *self.actions.entry(format!("{action:?}")).or_default() += 1;
    }

    /// Looks for growth in the handler that lived.
    pub(crate) fn judge_vitals(&mut self) {
        let calm: Vec<Vitals> = self
            .vitals
            .iter()
            .filter(|look| look.calm)
            .copied()
            .collect();
        let most = self.vitals.iter().map(|look| look.descriptors).max();
        if most.is_some_and(|most| most > DESCRIPTORS_AT_MOST) {
            self.violations
                .push(format!("{most:?} descriptors were open"));
        }
        // Four looks in a quarter at least, or chance decides.
        if calm.len() < 16 {
            return;
        }
        let quarter = calm.len() / 4;
        let (early, late) = (&calm[quarter..2 * quarter], &calm[3 * quarter..]);
        let mut compare = |what: &str, of: fn(&Vitals) -> u64, slack: u64| {
            let (before, after) = (median(early, of), median(late, of));
            if after > before + slack {
                let text = format!("{what} grew from {before} to {after}");
                self.violations.push(text);
            }
        };
        let tenth = median(early, |look| look.rss_kib) / 10;
        compare(
            "resident memory (KiB)",
            |look| look.rss_kib,
            tenth.max(RSS_SLACK_KIB),
        );
        compare(
            "the number of descriptors",
            |look| look.descriptors,
            COUNT_SLACK,
        );
        compare("the number of sockets", |look| look.sockets, COUNT_SLACK);
        compare("the number of threads", |look| look.threads, COUNT_SLACK);
    }

    pub(crate) fn json(&self) -> Value {
        json!({
            "rate": self.rate,
            "seed": self.seed,
            "took_s": self.took.as_secs(),
            "actions": self.actions,
            "invocations": self.invocations,
            "failed_invocations": self.failed_invocations,
            "requests": self.requests,
            "writes": self.writes,
            "joint": self.joint,
            "calms": self.calms,
            "processor_s": self.processor_seconds,
            "slowest_ms": u64::try_from(self.slowest.as_millis()).unwrap_or(u64::MAX),
            "violations": self.violations,
            "vitals": self.vitals.iter().map(Vitals::json).collect::<Vec<_>>(),
        })
    }
}

fn median(looks: &[Vitals], of: fn(&Vitals) -> u64) -> u64 {
    let mut values: Vec<u64> = looks.iter().map(of).collect();
    values.sort_unstable();
    values.get(values.len() / 2).copied().unwrap_or_default()
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let minutes = self.took.as_secs_f64() / 60.0;
        writeln!(
            f,
            "Soak: {minutes:.1} min at {} x, seed {}",
            self.rate, self.seed
        )?;
        let mut row = |name: &str, value: String| writeln!(f, "  {name:<28} {value}");
        for (action, count) in &self.actions {
            row(action, count.to_string())?;
        }
        row("invocations", self.invocations.to_string())?;
        row("  that failed", self.failed_invocations.to_string())?;
        row("  slowest", format!("{:.1} s", self.slowest.as_secs_f64()))?;
        row("requests to the cloud", self.requests.to_string())?;
        row("writes judged", self.writes.to_string())?;
        row("joint emptyings (no lock)", self.joint.to_string())?;
        row("calms reached", self.calms.to_string())?;
        row("processor time", format!("{:.1} s", self.processor_seconds))?;
        let calm: Vec<Vitals> = self
            .vitals
            .iter()
            .filter(|look| look.calm)
            .copied()
            .collect();
        for (name, of) in [
            ("RSS, KiB", (|look| look.rss_kib) as fn(&Vitals) -> u64),
            ("descriptors", |look| look.descriptors),
            ("sockets", |look| look.sockets),
            ("threads", |look| look.threads),
        ] {
            let most = self.vitals.iter().map(of).max().unwrap_or_default();
            let quarters: Vec<String> = calm
                .chunks(calm.len().div_ceil(4).max(1))
                .map(|quarter| median(quarter, of).to_string())
                .collect();
            row(
                &format!("{name}, calm, by quarter"),
                format!("{} (at most {most})", quarters.join(" ")),
            )?;
        }
        match self.violations.len() {
            0 => write!(f, "  no invariant was broken"),
            count => {
                write!(f, "  BROKEN: {count}")?;
                self.violations
                    .iter()
                    .try_for_each(|line| write!(f, "\n  - {line}"))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(rss: impl Fn(u64) -> u64, descriptors: impl Fn(u64) -> u64) -> Report {
        let look = |n| Vitals {
            rss_kib: rss(n),
            descriptors: descriptors(n),
            threads: 4,
            calm: true,
            ..Vitals::default()
        };
        let mut report = Report {
            vitals: (0..40).map(look).collect(),
            ..Report::default()
        };
        report.judge_vitals();
        report
    }

    #[test]
    fn a_process_that_grows_is_found_and_one_that_does_not_passes() {
        let flat = report(|n| 30_000 + n % 3 * 1_000, |n| 20 + n % 4);
        assert_eq!(flat.violations, Vec::<String>::new());
        // Growth at the start is warming up.
        let warming = report(|n| 20_000 + n.min(9) * 3_000, |_| 20);
        assert_eq!(warming.violations, Vec::<String>::new());
        let leak = report(|n| 30_000 + n * 1_000, |_| 20);
        assert_eq!(leak.violations.len(), 1, "{:?}", leak.violations);
        let handles = report(|_| 30_000, |n| 20 + n);
        assert_eq!(handles.violations.len(), 1, "{:?}", handles.violations);
    }

    #[test]
    fn the_table_and_the_json_have_the_same_figures() {
        let report = report(|_| 30_000, |_| 21);
        assert!(report.to_string().contains("30000 30000 30000 30000"));
        assert_eq!(report.json()["vitals"][0]["descriptors"], 21);
    }
}
