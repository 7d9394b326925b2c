//! The laws of the plan, over random worlds. Each is a promise of the README; the worlds are small
//! so that addresses collide. `PROPTEST_CASES` overrides how many are tried.

mod asg_sync;
mod census;
mod convergence;
mod form;
mod generate;
mod ownership;
mod removal;
mod simulate;
mod world;

use proptest::test_runner::{Config, RngAlgorithm};

/// Ten thousand worlds per law, unless `PROPTEST_CASES` says otherwise.
fn cases() -> Config {
    let default = Config::default();
    let overridden = std::env::var_os("PROPTEST_CASES").is_some();
    Config {
        cases: if overridden { default.cases } else { 10_000 },
        // Unoptimized, the default generator of random numbers takes longer than the laws.
        rng_algorithm: RngAlgorithm::XorShift,
        ..default
    }
}
