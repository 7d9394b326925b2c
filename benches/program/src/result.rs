//! The table, the limits, and the JSON.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result};
use serde::Serialize;

use crate::stage::{Calls, Sample};
use crate::{Latency, Options};

/// One line of the table.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Row {
    pub(crate) part: String,
    pub(crate) what: String,
    samples: usize,
    pub(crate) p50_ms: f64,
    p99_ms: f64,
    floor_ms: f64,
    /// The median over the floor; none where the floor is nothing.
    pub(crate) ratio: Option<f64>,
    azure_calls: usize,
    access_calls: usize,
    nginx_reads: usize,
    nginx_writes: usize,
    /// Processor time of the program per pass.
    processor_ms: Option<f64>,
}

/// One figure that has a limit.
#[derive(Debug, Clone, Serialize)]
struct Limit {
    what: String,
    found: f64,
    limit: f64,
    unit: &'static str,
    kept: bool,
}

#[derive(Debug, Serialize)]
pub(crate) struct Report {
    azure_ms: u64,
    nginx_ms: u64,
    processors: usize,
    binary_bytes: u64,
    remarks: Vec<String>,
    pub(crate) rows: Vec<Row>,
    figures: BTreeMap<String, f64>,
    limits: Vec<Limit>,
}

impl Report {
    pub(crate) fn new(options: &Options) -> Result<Self> {
        let binary = &options.handler;
        let metadata = fs::metadata(binary)
            .with_context(|| format!("`{}` cannot be read", binary.display()))?;
        Ok(Self {
            azure_ms: options.azure_ms,
            nginx_ms: options.nginx_ms,
            processors: std::thread::available_parallelism().map_or(1, usize::from),
            binary_bytes: metadata.len(),
            remarks: Vec::new(),
            rows: Vec::new(),
            figures: BTreeMap::new(),
            limits: Vec::new(),
        })
    }

    pub(crate) fn binary_bytes(&self) -> u64 {
        self.binary_bytes
    }

    /// Begins a table.
    pub(crate) fn head(&self, title: &str) {
        println!("\n{title}\n");
        println!(
            "| what | n | p50 ms | p99 ms | floor ms | ratio | Azure | access | NGINX reads | writes | CPU ms |"
        );
        println!("| --- | --: | --: | --: | --: | --: | --: | --: | --: | --: | --: |");
    }

    /// Adds a line: the samples, the floor, and the processor time of all samples together.
    pub(crate) fn row(
        &mut self,
        part: &str,
        what: &str,
        samples: &[Sample],
        floor: Duration,
        processor: Option<Duration>,
    ) -> Row {
        let mut times: Vec<Duration> = samples.iter().map(|sample| sample.took).collect();
        times.sort();
        let p50_ms = milliseconds(percentile(&times, 50));
        let floor_ms = milliseconds(floor);
        let calls = samples
            .last()
            .map_or_else(Calls::default, |last| last.calls);
        let row = Row {
            part: part.to_owned(),
            what: what.to_owned(),
            samples: samples.len(),
            p50_ms,
            p99_ms: milliseconds(percentile(&times, 99)),
            floor_ms,
            ratio: (floor_ms > 0.0).then(|| p50_ms / floor_ms),
            azure_calls: calls.azure,
            access_calls: calls.access,
            nginx_reads: calls.nginx_reads,
            nginx_writes: calls.nginx_writes,
            processor_ms: processor.map(|time| milliseconds(time) / samples.len().max(1) as f64),
        };
        let number =
            |value: Option<f64>| value.map_or("-".to_owned(), |value| format!("{value:.2}"));
        println!(
            "| {} | {} | {:.1} | {:.1} | {:.0} | {} | {} | {} | {} | {} | {} |",
            row.what,
            row.samples,
            row.p50_ms,
            row.p99_ms,
            row.floor_ms,
            number(row.ratio),
            row.azure_calls,
            row.access_calls,
            row.nginx_reads,
            row.nginx_writes,
            number(row.processor_ms),
        );
        self.rows.push(row.clone());
        row
    }

    /// A figure without a floor.
    pub(crate) fn figure(&mut self, what: &str, value: f64, unit: &str) {
        println!("{what}: {value:.2} {unit}");
        self.figures.insert(format!("{what} [{unit}]"), value);
    }

    pub(crate) fn remark(&mut self, text: &str) {
        println!("Note: {text}");
        self.remarks.push(text.to_owned());
    }

    /// Holds a figure against its limit.
    pub(crate) fn limit(
        &mut self,
        what: impl Into<String>,
        found: f64,
        limit: f64,
        unit: &'static str,
    ) {
        self.limits.push(Limit {
            what: what.into(),
            found,
            limit,
            unit,
            kept: found <= limit,
        });
    }

    /// Prints what has a limit; returns whether all are kept.
    pub(crate) fn print_limits(&self) -> bool {
        println!("\nLimits\n\n| what | found | at most | |\n| --- | --: | --: | --- |");
        for limit in &self.limits {
            println!(
                "| {} | {:.2} {} | {:.2} | {} |",
                limit.what,
                limit.found,
                limit.unit,
                limit.limit,
                if limit.kept { "kept" } else { "MISSED" },
            );
        }
        self.limits.iter().all(|limit| limit.kept)
    }

    pub(crate) fn write(&self, path: &Path) -> Result<()> {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::write(path, serde_json::to_string_pretty(self)?)?;
        println!("\nWrote {}", path.display());
        Ok(())
    }
}

pub(crate) fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1_000.0
}

/// The nearest rank of sorted times; nothing of none.
pub(crate) fn percentile(sorted: &[Duration], percent: usize) -> Duration {
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    sorted.get(rank - 1).copied().unwrap_or_default()
}

/// How a latency is named.
pub(crate) fn name(latency: Latency) -> String {
    format!(
        "Azure {} ms, NGINX {} ms",
        latency.azure.as_millis(),
        latency.nginx.as_millis()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_values_that_were_measured() {
        let times: Vec<Duration> = (1..=10).map(Duration::from_millis).collect();
        assert_eq!(percentile(&times, 50), Duration::from_millis(5));
        assert_eq!(percentile(&times, 99), Duration::from_millis(10));
        assert_eq!(percentile(&times[..1], 99), Duration::from_millis(1));
        assert_eq!(percentile(&[], 50), Duration::ZERO);
    }
}
