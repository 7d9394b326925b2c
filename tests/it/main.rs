//! Behaviour, through real sockets and TLS: the handler process against the simulated cloud.

mod api_key;
mod azure_calls;
mod azure_reads;
mod azure_states;
mod coalescing;
mod commands;
mod crash_points;
mod draining;
mod faults;
mod guards;
mod host_contract;
mod hostile;
mod hostile_services;
mod infra;
mod nginx_writes;
mod passes;
mod policies;
mod races;
mod safety_support;
mod secrets;
mod side_by_side;
mod support;
mod telemetry;
mod traffic;
mod undraining;
mod world;
