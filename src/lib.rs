//! Keeps the servers of NGINX upstreams in step with Azure Virtual Machine Scale Sets.
//!
//! ```text
//! Event Grid ─┐                        ┌─ read  NGINX      (nginx)
//! timer ──────┼─> host ─> flight ─> pass ─ read  Azure      (azure)
//! operator ───┘   cli ────────────────┤  ├─ plan and guard  (plan: pure)
//!                                     │  └─ apply to NGINX  (reconcile)
//!                                     └─> report ─> log lines, replies, `Status`, `plan`
//! ```
//!
//! Where things are:
//!
//! - [`host`]: the Azure Functions custom-handler protocol; [`cli`]: the command line.
//! - [`reconcile`]: one pass, single flight in front of it, and its report. It asks Azure and
//!   NGINX through two traits.
//! - [`plan`] and [`model`]: pure. No clock, no I/O, no environment; same world, same plan.
//! - [`azure`] and [`nginx`]: the adapters. They do not know each other, save that the API key is
//!   read from Key Vault. Wire types end there.
//! - [`config`]: the configuration, read strictly; [`services`] puts the parts together.
//!
//! The promise everything else rests on: nothing is removed on the strength of an incomplete read.
//! It is held by a type: a removal needs a [`plan::WholePicture`].
#![forbid(unsafe_code)]

pub mod azure;
pub mod cli;
pub mod config;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
pub mod host;
pub mod model;
pub mod nginx;
pub mod plan;
pub mod reconcile;
mod retry_after;
pub mod services;
pub mod telemetry;
