//! The simulated cloud, tried over its sockets.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a failure is a failed test"
)]

mod arm;
mod client;
mod faults;
mod functions_host;
mod identity;
mod nginx;
mod traffic;
mod vault;
