//! The NGINX Plus API, version 9, of NGINX Plus and of NGINXaaS.

mod client;
mod errors;
mod key;
mod wire;

pub use client::NginxPlus;
pub use key::ApiKey;
