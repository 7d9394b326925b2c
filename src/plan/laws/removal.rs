//! When a server may be taken out.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::cases;
use super::generate::worlds;
use super::world::World;
use crate::model::{PeerState, Phase, Policy, ServerAddress};
use crate::plan::{HoldReason, RemoveWhy, Step};

/// The steps that take something out, done or held.
fn leavers(world: &World) -> usize {
    let plan = world.plan();
    let held = plan.held.iter().map(|held| &held.step);
    plan.steps
        .iter()
        .chain(held)
        .filter(|step| step.takes_out())
        .count()
}

fn is_down_or_gone(world: &World) -> bool {
    !world.ours().any(|server| world.in_service(server))
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn nothing_is_taken_out_on_an_incomplete_listing(world in worlds(), which in 0_usize..3) {
        prop_assert_eq!(leavers(&world.made_incomplete(which)), 0);
    }

    #[test]
    fn nothing_is_taken_out_while_a_source_was_not_listed_at_all(
        world in worlds(),
        fewer in 1_usize..=3,
    ) {
        let plan = world.plan_from(world.listings.len().saturating_sub(fewer));
        prop_assert!(!plan.steps.iter().any(Step::takes_out));
        prop_assert!(!plan.held.iter().any(|held| held.step.takes_out()));
    }

    #[test]
    fn an_incomplete_listing_still_adds_and_updates(world in worlds(), which in 0_usize..3) {
        let world = world.made_whole();
        let upserts = |world: &World| -> Vec<Step> {
            let upsert = |step: &Step| matches!(step, Step::Add { .. } | Step::Undrain { .. } | Step::Patch { .. });
            world.plan().steps.into_iter().filter(upsert).collect()
        };
        prop_assert_eq!(upserts(&world), upserts(&world.clone().made_incomplete(which)));
    }

    #[test]
    fn an_upstream_is_never_emptied_unless_every_set_wants_none(world in worlds()) {
        let plan = world.plan();
        let moments = world.moments(&plan.steps);
        if world.is_released() {
            return Ok(());
        }
        for moment in &moments {
            if is_down_or_gone(&world) {
                let any = moment.ours().next().is_some();
                prop_assert!(any || world.ours().next().is_none(), "{:?}", plan.steps);
            } else {
                prop_assert!(!is_down_or_gone(moment), "{:?}", plan.steps);
            }
        }
    }

    #[test]
    fn replacing_never_leaves_a_gap_even_where_emptying_is_allowed(world in worlds()) {
        let mut steps = world.plan().steps;
        steps.retain(|step| !step.takes_out());
        for moment in world.moments(&steps) {
            prop_assert!(is_down_or_gone(&world) || !is_down_or_gone(&moment), "{:?}", steps);
        }
    }

    #[test]
    fn a_mass_removal_is_never_unexplained(world in worlds()) {
        let percent = usize::from(world.upstream.max_removal_percent);
        let plan = world.plan();
        let within = leavers(&world) * 100 <= percent * world.ours().count();
        if within || world.capacities_agree() {
            let brake = |reason: HoldReason| matches!(reason, HoldReason::MassRemoval { .. });
            prop_assert!(!plan.held.iter().any(|held| brake(held.reason)), "{:?}", plan.held);
            return Ok(());
        }
        let phases = world.phases();
        for step in &plan.steps {
            let Step::Remove { id, address, .. } = step else { continue };
            let is_explained = match address {
                ServerAddress::Socket(address) => phases.contains_key(address),
                ServerAddress::Other(_) => false,
            };
            let twice = world.ours().filter(|server| server.address == *address).count() > 1;
            let given_up = world.peer(*id).is_some_and(|peer| peer.state != PeerState::Up);
            prop_assert!(is_explained || twice || given_up, "{:?}", step);
        }
    }

    #[test]
    fn while_a_running_instance_hides_its_address_nothing_that_is_up_goes_unexplained(
        world in worlds(),
    ) {
        let phases = world.phases();
        for step in &world.plan().steps {
            let Step::Remove { id, address, why, .. } = step else { continue };
            let explained = match address {
                ServerAddress::Socket(address) => phases.contains_key(address),
                ServerAddress::Other(_) => false,
            };
            let given_up = world.peer(*id).is_some_and(|peer| peer.state != PeerState::Up);
            let safe = explained || given_up || *why == RemoveWhy::Duplicate;
            prop_assert!(safe || !world.hides_an_address(), "{:?}", step);
        }
    }

    #[test]
    fn what_an_operator_may_release_leaves_something_in_service(world in worlds()) {
        let plan = world.plan();
        let released = plan.held.iter().filter(|held| held.reason.is_releasable());
        let released: Vec<Step> = released.map(|held| held.step.clone()).collect();
        // A forced pass carries out these alone; another pass may have carried out the others.
        let takes_out = plan.steps.iter().filter(|step| step.takes_out());
        let both: Vec<Step> = takes_out.chain(&released).cloned().collect();
        if released.is_empty() || world.is_released() {
            return Ok(());
        }
        for steps in [released, both] {
            prop_assert!(!is_down_or_gone(&world.after(&steps)), "{:?}", steps);
        }
    }

    #[test]
    fn a_brake_that_could_be_released_by_nginx_asks_nginx(mut world in worlds()) {
        world.peers = None;
        let plan = world.plan();
        let brake = |reason: HoldReason| {
            matches!(reason, HoldReason::MassRemoval { .. } | HoldReason::AddressUntold { .. })
        };
        let braked = plan.held.iter().any(|held| brake(held.reason));
        prop_assert!(!braked || plan.wants_peers);
    }

    #[test]
    fn an_instance_that_serves_or_starts_keeps_its_server(world in worlds()) {
        let phases = world.phases();
        let present: BTreeSet<_> = world.servers.iter().map(|server| server.address.clone()).collect();
        let plan = world.plan();
        let after = world.after(&plan.steps);
        for (address, phase) in phases {
            let address = ServerAddress::Socket(address);
            if matches!(phase, Phase::Leaving(_)) || !present.contains(&address) {
                continue;
            }
            prop_assert!(after.servers.iter().any(|server| server.address == address));
            for step in plan.steps.iter().filter(|step| *step.address() == address) {
                let harmless = match step {
                    Step::Drain { .. } => false,
                    Step::Remove { why, .. } => *why == RemoveWhy::Duplicate,
                    // A machine that only starts must not be missing even for a moment.
                    Step::Replace { .. } => phase == Phase::Serving || world.upstream.add_before_running,
                    Step::Add { .. } | Step::Patch { .. } | Step::Undrain { .. } => true,
                };
                prop_assert!(harmless, "{:?}", step);
            }
        }
    }

    #[test]
    fn upsert_only_takes_nothing_out_even_for_a_moment(world in worlds()) {
        let world = world.with_policy(Policy::UpsertOnly);
        let plan = world.plan();
        let deletes = |step: &Step| step.takes_out() || matches!(step, Step::Replace { .. });
        prop_assert!(!plan.steps.iter().any(deletes), "{:?}", plan.steps);
    }

    #[test]
    fn a_paused_upstream_is_left_as_it_is(world in worlds()) {
        let plan = world.with_policy(Policy::Paused).plan();
        prop_assert_eq!(&plan.steps, &[]);
        prop_assert!(plan.held.iter().all(|held| held.reason == HoldReason::Paused));
    }
}
