#![forbid(unsafe_code)]
#![doc = "placeholder"]
pub mod azure;
pub mod config;
pub mod model;
pub mod nginx;
pub mod plan;
pub mod reconcile;
pub mod telemetry;
