//! Whether the worlds are worth trying: a law over worlds in which nothing happens says nothing.

use std::collections::{BTreeMap, BTreeSet};

use proptest::strategy::{Strategy as _, ValueTree as _};
use proptest::test_runner::TestRunner;

use super::generate::worlds;
use crate::plan::Step;

#[test]
fn every_kind_of_step_and_of_hold_occurs() {
    let mut runner = TestRunner::deterministic();
    let strategy = worlds();
    let mut found: BTreeMap<String, usize> = BTreeMap::new();
    for _ in 0..2_000 {
        let world = strategy.new_tree(&mut runner).unwrap().current();
        let plan = world.plan();
        let mut labels: BTreeSet<String> = plan
            .steps
            .iter()
            .map(|step| match step {
                Step::Remove { why, .. } => format!("remove: {why:?}"),
                step => step.verb().to_owned(),
            })
            .collect();
        labels.extend(plan.held.iter().map(|held| {
            let reason = format!("{:?}", held.reason);
            format!("held: {}", reason.split(' ').next().unwrap_or_default())
        }));
        if plan.held.is_empty() && plan.steps.len() > 2 {
            labels.insert("unguarded".into());
        }
        if world.ours().next().is_some() && world.after(&plan.steps).ours().next().is_none() {
            labels.insert("emptied".into());
        }
        for label in labels {
            *found.entry(label).or_default() += 1;
        }
    }
    for label in [
        "add",
        "undrain",
        "update",
        "replace",
        "drain",
        "remove: Gone",
        "remove: Drained",
        "remove: Duplicate",
        "held: WouldEmpty",
        "held: MassRemoval",
        "held: AddressUntold",
        "held: LastInService",
        "held: UpsertOnly",
        "held: Paused",
        "unguarded",
        "emptied",
    ] {
        let count = found.get(label).copied().unwrap_or_default();
        assert!(count >= 10, "{label}: {count} of 2000; {found:?}");
    }
}
