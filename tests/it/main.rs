//! Behaviour, through real sockets and TLS: the handler process against the simulated cloud.

mod passes;
mod support;
mod draining;
mod guards;
mod safety_support;
mod commands;
mod host_contract;
mod api_key;
mod nginx_writes;
mod traffic;
mod azure_calls;
mod azure_reads;
mod faults;
mod secrets;
mod azure_states;
mod policies;
