//! What a process uses: memory, descriptors, threads, processor time.

use std::time::Duration;

use serde_json::{Value, json};

/// One look at a process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Vitals {
    /// Since the beginning of the run.
    pub(crate) at: Duration,
    pub(crate) rss_kib: u64,
    pub(crate) descriptors: u64,
    pub(crate) sockets: u64,
    pub(crate) threads: u64,
    /// Whether nothing was under way: the only looks that can be compared.
    pub(crate) calm: bool,
}

impl Vitals {
    /// Looks at a process; none if it has gone.
    pub(crate) fn of(process: u32, at: Duration, calm: bool) -> Option<Self> {
        let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
        let mut vitals = Self {
            at,
            rss_kib: field(&status, "VmRSS:")?,
            threads: field(&status, "Threads:")?,
            calm,
            ..Self::default()
        };
        for entry in std::fs::read_dir(format!("/proc/{process}/fd")).ok()? {
            vitals.descriptors += 1;
            let target = entry
                .ok()
                .and_then(|entry| std::fs::read_link(entry.path()).ok());
            let is_socket =
                target.is_some_and(|path| path.to_string_lossy().starts_with("socket:"));
            vitals.sockets += u64::from(is_socket);
        }
        Some(vitals)
    }

    pub(crate) fn json(&self) -> Value {
        json!({
            "at_s": self.at.as_secs(),
            "rss_kib": self.rss_kib,
            "descriptors": self.descriptors,
            "sockets": self.sockets,
            "threads": self.threads,
            "calm": self.calm,
        })
    }
}

fn field(status: &str, name: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

/// Seconds of processor time that a process has used.
pub(crate) fn processor_seconds(process: u32) -> Option<f64> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // The name in parentheses may hold blanks; user and system time are the 12th and 13th after it.
    let mut after = stat.rsplit(") ").next()?.split_whitespace().skip(11);
    let ticks = after.next()?.parse::<f64>().ok()? + after.next()?.parse::<f64>().ok()?;
    // Linux counts for programs in hundredths, whatever the machine.
    Some(ticks / 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_can_be_looked_at() {
        let own = std::process::id();
        let vitals = Vitals::of(own, Duration::ZERO, true).unwrap();
        assert!(vitals.rss_kib > 500 && vitals.threads >= 1 && vitals.descriptors >= 3);
        assert!(processor_seconds(own).is_some());
        assert_eq!(Vitals::of(u32::MAX, Duration::ZERO, true), None);
    }
}
