//! Real requests through the simulated NGINX to simulated instances.

mod backend;
mod load;
mod proxy;

pub(crate) use backend::Backend;
pub(crate) use load::start as start_load;
pub use load::{TrafficCount, TrafficHandle};
pub(crate) use proxy::serve as serve_proxy;
