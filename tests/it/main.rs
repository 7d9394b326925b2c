//! Behaviour, through real sockets and TLS: the handler process against the simulated cloud.

mod passes;
mod support;
mod draining;
mod guards;
mod safety_support;
