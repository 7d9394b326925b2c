//! The laws of the plan, over random worlds. Each is a promise of the README; the worlds are small
//! so that addresses collide. `PROPTEST_CASES` overrides how many are tried.

mod asg_sync;
mod convergence;
mod form;
mod generate;
mod ownership;
mod removal;
mod simulate;
mod world;

use proptest::test_runner::Config;

/// Ten thousand worlds per law, unless `PROPTEST_CASES` says otherwise.
fn cases() -> Config {
    match std::env::var_os("PROPTEST_CASES") {
        Some(_) => Config::default(),
        None => Config::with_cases(10_000),
    }
}
