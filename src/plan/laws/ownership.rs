//! What a plan may touch, and what it may bring in.

use proptest::prelude::*;

use super::cases;
use super::generate::worlds;
use crate::model::{Kind, Server, ServerAddress};
use crate::plan::Step;

fn id(step: &Step) -> Option<u64> {
    match step {
        Step::Add { .. } => None,
        Step::Patch { id, .. }
        | Step::Undrain { id, .. }
        | Step::Replace { id, .. }
        | Step::Drain { id, .. }
        | Step::Remove { id, .. } => Some(*id),
    }
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn a_server_that_is_not_ours_is_never_touched(world in worlds()) {
        let plan = world.plan();
        let after = world.after(&plan.steps);
        for server in world.servers.iter().filter(|server| !world.is_ours(server)) {
            prop_assert!(after.servers.contains(server), "{:?}", server);
            let steps = plan.steps.iter().chain(plan.held.iter().map(|held| &held.step));
            prop_assert!(steps.filter_map(id).all(|id| id != server.id), "{:?}", server);
        }
    }

    #[test]
    fn no_address_is_added_that_is_there_or_is_added_twice(world in worlds()) {
        let plan = world.plan();
        // The simulated NGINX refuses duplicates.
        world.after(&plan.steps);
        for step in plan.steps.iter().filter(|step| matches!(step, Step::Add { .. })) {
            let there = world.servers.iter().any(|server| server.address == *step.address());
            prop_assert!(!there, "{:?}", step);
        }
    }

    #[test]
    fn only_a_wanted_address_of_an_accepted_network_is_brought_in(world in worlds()) {
        let phases = world.phases();
        for step in world.plan().steps {
            if matches!(step, Step::Add { .. } | Step::Replace { .. } | Step::Undrain { .. }) {
                let ServerAddress::Socket(address) = step.address() else {
                    return Err(TestCaseError::fail(format!("{step:?}")));
                };
                prop_assert!(world.accepts(address.ip()), "{:?}", step);
                prop_assert!(world.is_wanted(*address, &phases[address]), "{:?}", step);
            }
        }
    }

    #[test]
    fn what_the_configuration_does_not_set_stays_as_the_operator_set_it(world in worlds()) {
        let optional = world.upstream.parameters.optional;
        let plan = world.plan();
        let after = world.after(&plan.steps);
        for server in &world.servers {
            let twice = world.servers.iter().filter(|other| other.address == server.address).count() > 1;
            // A replaced server comes back with another id.
            let same = |other: &&Server| other.id == server.id || (!twice && other.address == server.address);
            let Some(later) = after.servers.iter().find(same) else { continue };
            // This process sets a stream server down on its way out, and remembers it.
            let our_doing = world.upstream.key.kind == Kind::Stream
                && world.drains.contains_key(&server.address);
            prop_assert!(server.down == later.down || our_doing && !later.down);
            prop_assert_eq!(later.weight, match optional.weight {
                Some(ours) if later.weight == ours => ours,
                _ => server.weight,
            });
            prop_assert_eq!(later.backup, match optional.backup {
                Some(ours) if later.backup == ours => ours,
                _ => server.backup,
            });
        }
        for step in &plan.steps {
            let (Step::Undrain { id, parameters, .. } | Step::Replace { id, parameters, .. }) = step else {
                continue;
            };
            // NGINX may need both to be added again; the operator's settings go along.
            let server = world.servers.iter().find(|server| server.id == *id).unwrap();
            let again = parameters.optional;
            prop_assert_eq!(again.weight.unwrap_or(1), optional.weight.unwrap_or(server.weight));
            prop_assert_eq!(again.backup.unwrap_or(false), optional.backup.unwrap_or(server.backup));
        }
    }

    #[test]
    fn an_update_names_only_what_differs_and_changes_it_to_what_is_configured(world in worlds()) {
        let ours = &world.upstream.parameters;
        for step in world.plan().steps {
            let Step::Patch { id, changes, .. } = &step else { continue };
            let server = world.servers.iter().find(|server| server.id == *id).unwrap();
            let differs = |found: u64, wanted: u64| (found != wanted).then_some(wanted);
            prop_assert_eq!(changes.max_conns, differs(server.max_conns, ours.max_conns));
            prop_assert_eq!(changes.max_fails, differs(server.max_fails, ours.max_fails));
            let differs = |found, wanted| (found != wanted).then_some(wanted);
            prop_assert_eq!(changes.fail_timeout, differs(server.fail_timeout, ours.fail_timeout));
            prop_assert_eq!(changes.slow_start, differs(server.slow_start, ours.slow_start));
            let weight = ours.optional.weight.filter(|weight| *weight != server.weight);
            prop_assert_eq!(changes.weight, weight);
            prop_assert!(!changes.is_empty());
        }
    }
}
