//! What the kernel knows of a process.

use std::fs;
use std::time::Duration;

use anyhow::{Context as _, Result};

/// The processor time of all threads so far.
pub(crate) fn processor_time(id: u32) -> Result<Duration> {
    let mut nanoseconds = 0;
    let tasks = format!("/proc/{id}/task");
    for task in fs::read_dir(&tasks).with_context(|| format!("{tasks} cannot be read"))? {
        // A thread may have ended meanwhile.
        let Ok(text) = fs::read_to_string(task?.path().join("schedstat")) else {
            continue;
        };
        let first = text.split_whitespace().next().unwrap_or_default();
        nanoseconds += first
            .parse::<u64>()
            .context("schedstat does not begin with a number")?;
    }
    Ok(Duration::from_nanos(nanoseconds))
}

/// Resident memory in bytes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Memory {
    pub(crate) now: u64,
    pub(crate) peak: u64,
}

pub(crate) fn memory(id: u32) -> Result<Memory> {
    let path = format!("/proc/{id}/status");
    let text = fs::read_to_string(&path).with_context(|| format!("{path} cannot be read"))?;
    let field = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name));
        let kilobytes =
            line.and_then(|line| line.trim().trim_end_matches("kB").trim().parse().ok());
        kilobytes
            .map(|kilobytes: u64| kilobytes * 1024)
            .with_context(|| format!("{path} has no {name}"))
    };
    Ok(Memory {
        now: field("VmRSS:")?,
        peak: field("VmHWM:")?,
    })
}
