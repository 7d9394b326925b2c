//! The migration promise: where no guard has a reason to fire, the outcome is nginx-asg-sync's.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::cases;
use super::generate::whole_worlds;
use super::world::World;
use crate::model::{
    Address, Listing, NginxTime, OptionalParameters, Ownership, Phase, ServerAddress,
};
use std::net::SocketAddr;

/// `max_conns`, `max_fails`, `fail_timeout`, `slow_start`: all that nginx-asg-sync knows.
type Four = (u64, u64, NginxTime, NginxTime);

fn servers(world: &World) -> BTreeMap<ServerAddress, Four> {
    let four = |server: &crate::model::Server| {
        (
            server.max_conns,
            server.max_fails,
            server.fail_timeout,
            server.slow_start,
        )
    };
    world
        .servers
        .iter()
        .map(|server| (server.address.clone(), four(server)))
        .collect()
}

/// nginx-asg-sync: what the scale sets list is desired, whatever its state. Add what is missing,
/// delete what is not desired, update what differs.
fn asg_sync(world: &World) -> BTreeMap<ServerAddress, Four> {
    let ours = &world.upstream.parameters;
    let configured = (
        ours.max_conns,
        ours.max_fails,
        ours.fail_timeout,
        ours.slow_start,
    );
    let desired: Vec<ServerAddress> = desired(world);
    let mut nginx = servers(world);
    for address in &desired {
        nginx.entry(address.clone()).or_insert(configured);
    }
    nginx.retain(|address, _| desired.contains(address));
    for parameters in nginx.values_mut() {
        if *parameters != configured {
            *parameters = configured;
        }
    }
    nginx
}

fn desired(world: &World) -> Vec<ServerAddress> {
    let sources = world.upstream.sources.iter().zip(&world.listings);
    let addresses = sources.flat_map(|(source, listing)| {
        listing
            .instances()
            .iter()
            .filter_map(|instance| match instance.address {
                Address::Known(ip) => Some(SocketAddr::new(ip, source.port).into()),
                Address::Missing(_) => None,
            })
    });
    addresses.collect()
}

/// Worlds that nginx-asg-sync knows: everything listed serves on a private address, nothing
/// drains, NGINX lists an address once, and the operator has set nothing aside.
fn plain_worlds() -> impl Strategy<Value = World> {
    whole_worlds().prop_map(|mut world| {
        world.upstream.ownership = Ownership::Exclusive;
        world.upstream.networks.clear();
        world.upstream.require_healthy = false;
        world.upstream.parameters.optional = OptionalParameters::default();
        world.drains.clear();
        world.peers = None;
        let mut seen = Vec::new();
        world.servers.retain_mut(|server| {
            (server.draining, server.fixed) = (false, false);
            let first = !seen.contains(&server.address);
            seen.push(server.address.clone());
            first
        });
        for listing in &mut world.listings {
            let Listing::Complete(listing) = listing else {
                continue;
            };
            for instance in &mut listing.instances {
                (instance.phase, instance.counted) = (Phase::Serving, true);
                if instance.address == Address::Known("8.8.8.8".parse().unwrap()) {
                    instance.address = Address::Known("10.0.0.5".parse().unwrap());
                }
                if instance.address == Address::Known("169.254.169.254".parse().unwrap()) {
                    instance.address = Address::Known("192.168.0.6".parse().unwrap());
                }
            }
        }
        world
    })
}

/// Whether the guards of section 4 have a reason to hold something.
fn is_guarded(world: &World) -> bool {
    let desired = desired(world);
    let going = world
        .servers
        .iter()
        .filter(|server| !desired.contains(&server.address))
        .count();
    let within =
        going * 100 <= usize::from(world.upstream.max_removal_percent) * world.servers.len();
    let held = |address: &ServerAddress| {
        world
            .servers
            .iter()
            .find(|server| server.address == *address)
    };
    let in_service = desired
        .iter()
        .any(|address| held(address).is_none_or(|server| !server.down));
    // Where nothing was in service before, it is enough that something stays.
    let enough = in_service
        || world.servers.iter().all(|server| server.down)
            && desired.iter().any(|address| held(address).is_some());
    let emptied = going > 0 && !enough && !world.is_released();
    let hidden = going > 0 && world.hides_an_address();
    emptied || hidden || !(within || world.capacities_agree())
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn where_no_guard_has_a_reason_the_outcome_is_that_of_nginx_asg_sync(world in plain_worlds()) {
        let plan = world.plan();
        let guarded = is_guarded(&world);
        prop_assert_eq!(guarded, !plan.held.is_empty(), "{:?}", plan);
        if !guarded {
            prop_assert_eq!(servers(&world.after(&plan.steps)), asg_sync(&world));
        }
    }
}
