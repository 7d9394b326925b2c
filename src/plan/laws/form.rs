//! What a plan looks like, and its digest.

use proptest::prelude::*;

use super::cases;
use super::generate::worlds;
use super::world::World;
use crate::model::{Kind, Listing, ServerAddress, UpstreamKey};
use crate::plan::{Held, Step, digest};

/// Shuffles, as `seed` says.
fn shuffle<T>(items: &mut [T], seed: u64) {
    let mut state = seed | 1;
    for last in (1..items.len()).rev() {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let other = (state >> 33) as usize % (last + 1);
        items.swap(last, other);
    }
}

/// The same world, told in another order.
fn retold(world: &World, seed: u64) -> World {
    let mut world = world.clone();
    shuffle(&mut world.servers, seed);
    shuffle(&mut world.upstream.sources, seed);
    shuffle(&mut world.listings, seed);
    shuffle(&mut world.upstream.networks, seed);
    shuffle(world.peers.as_deref_mut().unwrap_or_default(), seed);
    for listing in &mut world.listings {
        match listing {
            Listing::Complete(listing) => shuffle(&mut listing.instances, seed),
            Listing::Incomplete { seen, .. } => shuffle(seen, seed),
        }
    }
    world
}

fn rank(step: &Step) -> u8 {
    match step {
        Step::Add { .. } => 0,
        Step::Undrain { .. } => 1,
        Step::Patch { .. } => 2,
        Step::Replace { .. } => 3,
        Step::Drain { .. } => 4,
        Step::Remove { .. } => 5,
    }
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn the_order_in_which_the_world_is_told_does_not_matter(world in worlds(), seed in any::<u64>()) {
        let (plan, again) = (world.plan(), retold(&world, seed).plan());
        let key = &world.upstream.key;
        prop_assert_eq!(digest(key, &plan.held), digest(key, &again.held));
        prop_assert_eq!(plan, again);
    }

    #[test]
    fn adds_come_first_and_removals_last_each_by_address(world in worlds()) {
        let plan = world.plan();
        let keys: Vec<(u8, &ServerAddress)> =
            plan.steps.iter().map(|step| (rank(step), step.address())).collect();
        prop_assert!(keys.is_sorted(), "{:?}", plan.steps);
        prop_assert!(plan.notes.is_sorted());
    }

    #[test]
    fn no_step_is_both_done_and_held_or_stands_there_twice(world in worlds()) {
        let plan = world.plan();
        let all: Vec<&Step> =
            plan.steps.iter().chain(plan.held.iter().map(|held| &held.step)).collect();
        for (index, step) in all.iter().enumerate() {
            prop_assert!(!all[..index].contains(step), "{:?}", step);
        }
    }

    #[test]
    fn a_digest_names_the_held_steps_and_nothing_else(world in worlds()) {
        let plan = world.plan();
        let key = &world.upstream.key;
        let name = digest(key, &plan.held);
        let guarded: Vec<Held> =
            plan.held.iter().filter(|held| held.reason.is_releasable()).cloned().collect();
        prop_assert_eq!(name.is_some(), !guarded.is_empty());
        // What policies hold is not for release.
        prop_assert_eq!(digest(key, &guarded), name.clone());
        let Some(name) = name else { return Ok(()) };
        prop_assert!(name.len() == 12 && name.chars().all(|c| c.is_ascii_hexdigit()), "{}", name);

        for index in 0..guarded.len() {
            let mut fewer = guarded.clone();
            fewer.remove(index);
            prop_assert_ne!(digest(key, &fewer), Some(name.clone()));
            let mut other = guarded.clone();
            let address = ServerAddress::parse("10.9.9.9:99");
            other[index].step = Step::Add { address, parameters: world.upstream.parameters.clone() };
            prop_assert_ne!(digest(key, &other), Some(name.clone()));
        }
        let kind = if key.kind == Kind::Http { Kind::Stream } else { Kind::Http };
        prop_assert_ne!(digest(&UpstreamKey { kind, ..key.clone() }, &guarded), Some(name.clone()));
        let other = UpstreamKey { name: "other".into(), ..key.clone() };
        prop_assert_ne!(digest(&other, &guarded), Some(name));
    }

    #[test]
    fn a_digest_does_not_depend_on_nginx_ids(world in worlds()) {
        let mut renumbered = world.clone();
        // In the same order, because the lowest id of a duplicate stays.
        let renumber = |id: &mut u64| *id = *id * 3 + 1000;
        renumbered.servers.iter_mut().for_each(|server| renumber(&mut server.id));
        renumbered.peers.iter_mut().flatten().for_each(|peer| renumber(&mut peer.id));
        let key = &world.upstream.key;
        prop_assert_eq!(digest(key, &world.plan().held), digest(key, &renumbered.plan().held));
    }
}
