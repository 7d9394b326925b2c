//! What the judges of `tests/contract` and `tests/judges` agree on: one neutral form of what a
//! reader has understood of Resource Manager's replies, and what it should have understood.
//!
//! The judges are Microsoft's own: the generated Rust models (`tests/models`), the Python SDKs
//! (`tests/judges/azure_sdk.py`, over the `serve-cloud` program here); and NGINX's specification
//! (`tests/judges/nginx_proxy.py`, over the same program).
#![forbid(unsafe_code)]

mod reading;
mod truth;

pub use reading::{Address, Interface, InterfaceReference, Machine, ScaleSet};
pub use truth::{interface, interfaces, machine, machines, scale_set, serving_addresses};
