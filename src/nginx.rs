//! The NGINX Plus API, version 9, of NGINX Plus and of NGINXaaS.

mod client;
mod errors;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;
mod inspect;
mod key;
mod key_doubts;
mod operations;
mod throttle;
mod wire;

pub use client::NginxPlus;
pub use inspect::{RunTime, WriteAccess};
pub use key::ApiKey;
pub use key_doubts::KeyDoubt;
pub use operations::servers;
