//! Where a plan leads.

use std::net::SocketAddr;

use proptest::prelude::*;

use super::cases;
use super::generate::{whole_worlds, worlds};
use super::world::World;
use crate::model::{Kind, Phase, Policy, Server, ServerAddress};
use crate::plan::Step;

/// Checks one server of ours after a pass against what its instance asks for.
fn check(before: &World, after: &World, server: &Server, phase: Option<&Phase>) {
    let upstream = &after.upstream;
    let Some(phase) = phase else {
        panic!("no instance explains {server:?}")
    };
    if let Phase::Leaving(_) = phase {
        assert_eq!(upstream.key.kind, Kind::Http, "{server:?}");
        assert!(!upstream.drain_timeout.is_zero(), "{server:?}");
        assert!(!after.in_service(server), "{server:?}");
        return;
    }
    let ours = &upstream.parameters;
    assert_eq!(
        (
            server.max_conns,
            server.max_fails,
            server.fail_timeout,
            server.slow_start
        ),
        (
            ours.max_conns,
            ours.max_fails,
            ours.fail_timeout,
            ours.slow_start
        )
    );
    assert!(
        ours.optional
            .weight
            .is_none_or(|weight| weight == server.weight),
        "{server:?}"
    );
    let ServerAddress::Socket(address) = server.address else {
        panic!("{server:?}")
    };
    if before.is_wanted(address, phase) && !server.down {
        assert!(after.in_service(server), "{server:?}");
        let twice = before
            .servers
            .iter()
            .filter(|other| other.address == server.address)
            .count()
            > 1;
        let earlier = before
            .servers
            .iter()
            .find(|earlier| earlier.id == server.id);
        let served = earlier.is_none_or(|earlier| before.in_service(earlier));
        let backup = ours.optional.backup;
        assert!(
            twice || !served || backup.is_none_or(|backup| backup == server.backup),
            "{server:?}"
        );
    }
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn a_plan_that_no_guard_holds_leads_to_the_desired_servers(world in whole_worlds()) {
        let plan = world.plan();
        if !plan.held.is_empty() {
            return Ok(());
        }
        let after = world.after(&plan.steps);
        let phases = world.phases();
        for server in after.ours() {
            let phase = match &server.address {
                ServerAddress::Socket(address) => phases.get(address),
                ServerAddress::Other(_) => None,
            };
            check(&world, &after, server, phase);
            let same = after.ours().filter(|other| other.address == server.address);
            prop_assert_eq!(same.count(), 1);
        }
        let held = |world: &World, address: SocketAddr| {
            world.servers.iter().any(|server| server.address == address.into())
        };
        for (address, phase) in &phases {
            let wanted = world.is_wanted(*address, phase);
            let keeps = !matches!(phase, Phase::Leaving(_)) && held(&world, *address);
            if wanted || keeps {
                prop_assert!(held(&after, *address), "{address} is missing");
            } else if !matches!(phase, Phase::Leaving(_)) {
                prop_assert!(!held(&after, *address), "{address} was added too early");
            }
        }
    }

    #[test]
    fn a_second_pass_does_nothing_but_what_the_first_one_held(world in worlds()) {
        let world = world.without_twins();
        let first = world.plan();
        let second = world.after(&first.steps).plan();
        let postponed = |step: &Step| {
            let was_held = first.held.iter().any(|held| {
                held.step.verb() == step.verb() && held.step.address() == step.address()
            });
            // A replacement waits until its server is back in service and stands there once.
            was_held || matches!(step, Step::Replace { .. })
        };
        prop_assert!(second.steps.iter().all(postponed), "{:?} after {:?}", second, first);
        if first.held.is_empty() {
            prop_assert!(second.held.iter().all(|held| postponed(&held.step)), "{:?}", second);
        }
    }

    #[test]
    fn passes_come_to_rest(world in worlds()) {
        let mut world = world.without_twins();
        let mut passes = 0;
        loop {
            let plan = world.plan();
            if plan.steps.is_empty() {
                break;
            }
            passes += 1;
            prop_assert!(passes <= 4, "still {:?}", plan);
            world = world.after(&plan.steps).drained();
        }
        prop_assert_eq!(world.plan(), world.plan());
    }

    #[test]
    fn a_drain_that_has_run_out_leaves_nothing_of_its_instance(world in whole_worlds()) {
        let first = world.plan();
        let drained = world.after(&first.steps).drained();
        let second = drained.plan();
        if !first.held.is_empty() || !second.held.is_empty() {
            return Ok(());
        }
        let phases = drained.phases();
        let after = drained.after(&second.steps);
        for server in after.ours() {
            let ServerAddress::Socket(address) = server.address else { panic!("{server:?}") };
            prop_assert!(!matches!(phases[&address], Phase::Leaving(_)), "{:?} stays", server);
        }
    }

    #[test]
    fn what_every_set_wants_empty_is_emptied(world in whole_worlds()) {
        let mut world = world;
        for listing in &mut world.listings {
            if let crate::model::Listing::Complete(listing) = listing {
                listing.capacity = Some(0);
                listing.instances.clear();
            }
        }
        let plan = world.plan();
        prop_assert!(plan.held.is_empty(), "{:?}", plan.held);
        prop_assert_eq!(world.after(&plan.steps).ours().count(), 0);
    }

    #[test]
    fn a_policy_holds_steps_and_invents_none(world in worlds()) {
        let all = |policy: Policy| {
            let plan = world.clone().with_policy(policy).plan();
            let held = plan.held.into_iter().map(|held| held.step);
            let mut all: Vec<Step> = plan.steps.into_iter().chain(held).collect();
            all.sort_by_key(|step| format!("{step:?}"));
            all
        };
        let sync = all(Policy::Sync);
        prop_assert_eq!(&sync, &all(Policy::UpsertOnly));
        prop_assert_eq!(&sync, &all(Policy::Paused));
    }
}
