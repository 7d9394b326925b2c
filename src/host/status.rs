//! `Status`: what this process has done, and what NGINX and Azure say now.
//!
//! ```text
//! LiveReadings ─ a shared, bounded reading ─┐
//! History ────── what this process did ─────┼─> Snapshot ─> JSON, or a page
//! Process ────── whose view it is ──────────┘
//! ```
//!
//! Instances share no memory, so what is remembered is one process's view, and says so; servers and
//! instances are read when somebody asks.

mod accept;
mod budget;
mod history;
mod json;
mod live;
mod page;
mod process;
mod snapshot;

use serde_json::Value;

use super::envelope::HttpAnswer;
use crate::model::Upstream;

pub(super) use accept::Form;
pub(super) use history::History;
pub(super) use live::{LiveReadings, Reading};
pub(super) use page::CONTENT_SECURITY_POLICY;

/// Renders statuses of this process.
#[derive(Debug)]
pub(super) struct Status {
    process: process::Process,
}

impl Status {
    /// For this process, which has just started.
    pub(super) fn new() -> Self {
        Self {
            process: process::Process::current(),
        }
    }

    /// The answer in the form that the request's headers prefer.
    pub(super) fn answer(
        &self,
        headers: Option<&Value>,
        upstreams: &[Upstream],
        history: &History,
        reading: &Reading,
    ) -> HttpAnswer {
        let process = self.process.clone();
        let snapshot = snapshot::Snapshot::new(process, upstreams, history, reading);
        let accept = headers.map(|headers| super::header(headers, "accept"));
        match Form::preferred(accept.unwrap_or_default()) {
            Form::Json => HttpAnswer::json(200, &json::status(&snapshot)),
            Form::Page => HttpAnswer::page(page::page(&snapshot)),
        }
    }
}
