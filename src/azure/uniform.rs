//! The instances of a Uniform set: children of the set, with their own listings.

use tokio::time::Instant;
use url::Url;

use super::assemble::{self, States};
use super::listing::{Items, malformed};
use super::resource_manager::Permission;
use super::scale_set::{COMPUTE_API, Listed, ScaleSets, append_query, odd_item};
use super::wire::{Interface, Machine};
use crate::model::{ArrivingWhy, Phase, ReadFailure, ReadFailureKind, ScaleSetId};

/// The only version Microsoft's own clients ask the interfaces of a set with.
const SET_INTERFACES_API: &str = "2018-10-01";

pub(super) const LIST_SET_INTERFACES: Permission = Permission {
    action: "Microsoft.Compute/virtualMachineScaleSets/networkInterfaces/read",
    what: "the scale set's network interfaces",
};

pub(super) const LIST_SET_MACHINES: Permission = Permission {
    action: "Microsoft.Compute/virtualMachineScaleSets/virtualMachines/read",
    what: "the scale set's instances",
};

impl ScaleSets {
    pub(super) async fn uniform(&self, set: &ScaleSetId, deadline: Instant) -> Listed {
        let (interfaces, machines) = (self.set_interfaces_url(set), self.set_machines_url(set));
        let (interfaces, machines) = futures::join!(
            self.manager
                .list::<Interface>(interfaces, LIST_SET_INTERFACES, deadline),
            self.manager
                .list::<Machine>(machines, LIST_SET_MACHINES, deadline),
        );
        // Azure answers 404 for the children of a Uniform set without instances. Whether the set
        // itself exists is told by the read beside this one.
        let (interfaces, not_found) = empty_if_not_found(interfaces);
        let (machines, no_machines) = empty_if_not_found(machines);
        let odd = odd_item(&machines.items, interfaces.items.iter())
            .or_else(|| stray_interface(&interfaces.items));
        let forbidden = machines
            .failure
            .as_ref()
            .is_some_and(|failed| failed.kind == ReadFailureKind::Denied)
            && machines.items.is_empty();
        if forbidden {
            self.tell_forbidden(set, machines.failure.as_ref());
            let instances = assemble::uniform(None, &interfaces.items, &States::untold());
            return Listed {
                instances,
                failure: interfaces.failure.or(odd),
                only_if_empty: not_found,
            };
        }
        let interface_alone = States {
            phase: Phase::Arriving(ArrivingWhy::InterfaceOnly),
            ..States::untold()
        };
        Listed {
            instances: assemble::uniform(
                Some(&machines.items),
                &interfaces.items,
                &interface_alone,
            ),
            failure: interfaces.failure.or(machines.failure).or(odd).or_else(|| {
                // One "not found" beside items of the other list is no empty set.
                let counted = |machine: &Machine| assemble::states(machine).counted;
                let not_found = not_found.filter(|_| machines.items.iter().any(counted));
                not_found.or_else(|| no_machines.filter(|_| !interfaces.items.is_empty()))
            }),
            only_if_empty: None,
        }
    }

    pub(super) fn set_interfaces_url(&self, set: &ScaleSetId) -> Url {
        self.set_url(set, &["networkInterfaces"], SET_INTERFACES_API)
    }

    pub(super) fn set_machines_url(&self, set: &ScaleSetId) -> Url {
        let mut url = self.set_url(set, &["virtualMachines"], COMPUTE_API);
        append_query(&mut url, "$expand=instanceView");
        url
    }

    fn tell_forbidden(&self, set: &ScaleSetId, failed: Option<&ReadFailure>) {
        let Some(failed) = failed else { return };
        let first = self
            .states_forbidden
            .lock()
            .is_ok_and(|mut told| told.insert(set.clone(), failed.message.clone()).is_none());
        if first {
            tracing::warn!(
                set = %set,
                "instance states cannot be read, working from network interfaces alone: a stopped instance stays \
                 in its upstream. {failed}"
            );
        }
    }
}

/// Takes "not found" for an empty list, and gives it back beside.
fn empty_if_not_found<T>(listed: Items<T>) -> (Items<T>, Option<ReadFailure>) {
    let not_found = |failed: &ReadFailure| failed.kind == ReadFailureKind::NotFound;
    match listed.failure {
        Some(failed) if not_found(&failed) && listed.items.is_empty() => {
            (Items::none(), Some(failed))
        }
        _ => (listed, None),
    }
}

/// An interface in a Uniform set's own list that does not say whose it is.
fn stray_interface(interfaces: &[Interface]) -> Option<ReadFailure> {
    let is_stray = |interface: &Interface| assemble::uniform_instance(interface).is_none();
    let text = "an interface does not tell its instance";
    interfaces
        .iter()
        .any(is_stray)
        .then(|| malformed(LIST_SET_INTERFACES, text))
}
