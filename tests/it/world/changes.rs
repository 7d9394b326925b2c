//! What happens to the world, and which faults are in force.

use std::collections::BTreeSet;

use simulated_cloud::{Instance, Provisioning, Server, UpstreamKind, World};

use super::faults::AzureFault;
use super::script::{SETS, Step};
use super::stage::Stage;
use super::watch::Doubt;

impl Stage {
    /// Changes the world.
    pub(super) fn change(&mut self, step: &Step) {
        let world = self.world.clone();
        match step {
            Step::Scale {
                set,
                to,
                at_once,
                reuse,
            } => {
                let before = addresses(&world, set);
                let fresh = to.saturating_sub(before.len());
                for _ in 0..if *reuse { fresh } else { 0 } {
                    self.freed
                        .pop()
                        .into_iter()
                        .for_each(|address| world.use_address_next(&address));
                }
                if *at_once {
                    world.scale(set, *to);
                } else {
                    world.begin_scale(set, *to);
                }
                self.freed
                    .extend(before.difference(&addresses(&world, set)).cloned());
            }
            Step::Settle(set) => {
                let before = addresses(&world, set);
                world.settle(set);
                self.freed
                    .extend(before.difference(&addresses(&world, set)).cloned());
            }
            Step::Evict { set, nth } => {
                if let Some(found) = pick(world.instances(set), *nth, |_| true) {
                    world.delete_instance(set, &found);
                    self.freed.extend(found.address().map(str::to_owned));
                }
            }
            Step::MarkDeleting { set, nth } => {
                if let Some(found) = pick(world.instances(set), *nth, |_| true) {
                    world.mark_deleting(set, &found);
                }
            }
            Step::FinishDelete(set) => {
                if let Some(found) = pick(world.instances(set), 0, is_deleting) {
                    world.finish_delete(set, &found);
                    self.freed.extend(found.address().map(str::to_owned));
                }
            }
            Step::Power { set, nth, power } => {
                if let Some(found) = pick(world.instances(set), *nth, |_| true) {
                    world.set_power(set, &found, power.clone());
                }
            }
            Step::PageSize(size) => world.set_page_size(*size),
            Step::Drift { nth } => {
                let servers = world.server_addresses(UpstreamKind::Http, "web");
                if let Some(address) = servers.get(nth % servers.len().max(1)) {
                    let drift = |server: &mut Server| server.max_fails = 7;
                    world.change_server(UpstreamKind::Http, "web", address, drift);
                }
            }
            Step::RotateKey => world.rotate_key("another-key", true),
            Step::RevokeTokens => world.revoke_tokens(),
            _ => {}
        }
    }

    /// Makes a fault happen.
    pub(super) fn strike(&mut self, fault: &AzureFault) {
        let AzureFault {
            site,
            also,
            skip,
            times,
            fault,
            doubt,
        } = fault;
        // Of several rules that fit, the oldest wins: only a site's first one surely strikes.
        let first = !self.struck.contains(site);
        self.struck.push(*site);
        self.struck.extend(also);
        let (set, doubt) = (site.set(), *doubt);
        self.watch.doubt(set, |known| {
            known.lies |= doubt.lies;
            known.blind |= doubt.blind;
        });
        for site in [Some(*site), *also].into_iter().flatten() {
            let matches = site.matches().skip(*skip);
            let _ = self.cloud.fault(matches, fault.clone(), *times);
        }
        self.watch
            .doubt(set, |known| known.broken |= doubt.broken && first);
    }

    /// Ends all faults.
    pub(super) fn end_faults(&mut self) {
        for set in SETS {
            self.watch.doubt(set, |known| known.broken = false);
        }
        self.cloud.clear_faults();
        self.struck.clear();
        for set in SETS {
            self.watch.doubt(set, |known| *known = Doubt::default());
        }
    }
}

fn addresses(world: &World, set: &str) -> BTreeSet<String> {
    let instances = world.instances(set);
    instances
        .iter()
        .filter_map(Instance::address)
        .map(str::to_owned)
        .collect()
}

fn is_deleting(instance: &Instance) -> bool {
    instance.provisioning == Provisioning::Deleting
}

/// The nth of the instances that fit, counted round and round.
fn pick(instances: Vec<Instance>, nth: usize, fits: fn(&Instance) -> bool) -> Option<Instance> {
    let fitting: Vec<Instance> = instances.into_iter().filter(fits).collect();
    let count = fitting.len().max(1);
    fitting.into_iter().nth(nth % count)
}
