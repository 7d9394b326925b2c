//! The instances of a Uniform set: children of the set, with their own listings.

use std::collections::BTreeMap;

use tokio::time::Instant;
use url::Url;

use super::assemble::{self, Nic, States};
use super::listing::{Items, malformed};
use super::page::PageReader;
use super::resource_manager::Permission;
use super::scale_set::{COMPUTE_API, Listed, ScaleSets, append_query, odd_item};
use super::wire::{Interface, Machine};
use crate::model::{
    Address, ArrivingWhy, Instance, NoAddress, Phase, ReadFailure, ReadFailureKind, ResourceId,
    ScaleSetId,
};

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
                .list::<Interface, MemberNic>(interfaces, LIST_SET_INTERFACES, deadline),
            self.manager
                .list::<Machine, Member>(machines, LIST_SET_MACHINES, deadline),
        );
        // Azure answers 404 for the children of a Uniform set without instances. Whether the set
        // itself exists is told by the read beside this one.
        let (interfaces, not_found) = empty_if_not_found(interfaces);
        let (machines, no_machines) = empty_if_not_found(machines);
        let odd = odd_item(
            machines.items.iter().any(|machine| machine.is_odd),
            interfaces
                .items
                .iter()
                .any(|interface| interface.nic.is_odd),
        )
        .or_else(|| stray_interface(&interfaces.items));
        let forbidden = machines
            .failure
            .as_ref()
            .is_some_and(|failed| failed.kind == ReadFailureKind::Denied)
            && machines.items.is_empty();
        if forbidden {
            self.tell_forbidden(set, machines.failure.as_ref());
            let instances = instances(Vec::new(), interfaces.items, &States::untold());
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
        let any_counted = machines.items.iter().any(|member| member.states.counted);
        let any_interface = !interfaces.items.is_empty();
        Listed {
            instances: instances(machines.items, interfaces.items, &interface_alone),
            failure: interfaces.failure.or(machines.failure).or(odd).or_else(|| {
                // One "not found" beside items of the other list is no empty set.
                let not_found = not_found.filter(|_| any_counted);
                not_found.or_else(|| no_machines.filter(|_| any_interface))
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

/// What a pass computes of one page of each listing; see [`super::instances`].
pub(super) fn of_pages(
    machines: &[u8],
    interfaces: &[u8],
) -> Result<Vec<Instance>, serde_json::Error> {
    let members = PageReader::<Machine, Member>::read(machines)?.items;
    let interfaces = PageReader::<Interface, MemberNic>::read(interfaces)?.items;
    Ok(instances(members, interfaces, &States::untold()))
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
fn stray_interface(interfaces: &[MemberNic]) -> Option<ReadFailure> {
    let text = "an interface does not tell its instance";
    interfaces
        .iter()
        .any(|interface| interface.of.is_none())
        .then(|| malformed(LIST_SET_INTERFACES, text))
}

/// What is kept of a machine.
#[derive(Debug)]
struct Member {
    /// Its instance id.
    key: String,
    name: String,
    states: States,
    /// Nothing is told of it.
    is_odd: bool,
}

impl From<Machine> for Member {
    fn from(machine: Machine) -> Self {
        let id = machine.id.as_deref().and_then(ResourceId::parse);
        let key = id.as_ref().and_then(|id| id.name_of("virtualmachines"));
        let key = key.unwrap_or_default();
        Self {
            key: key.to_owned(),
            name: assemble::named(machine.name.as_deref().unwrap_or(key)),
            states: assemble::states(&machine),
            is_odd: machine.properties.is_none(),
        }
    }
}

/// What is kept of an interface.
#[derive(Debug)]
struct MemberNic {
    /// The id of the instance it belongs to, where it tells one.
    of: Option<String>,
    nic: Nic,
}

impl From<Interface> for MemberNic {
    fn from(interface: Interface) -> Self {
        Self {
            of: instance_of(&interface),
            nic: Nic::from(&interface),
        }
    }
}

/// The instance id an interface belongs to: from its own id, else from the machine it names, which
/// appears as `.../virtualMachines/3` or as `.../virtualMachines/set_3`.
fn instance_of(interface: &Interface) -> Option<String> {
    let own = interface.id.as_deref().and_then(ResourceId::parse);
    if let Some(instance) = own.as_ref().and_then(|id| id.name_of("virtualmachines")) {
        return Some(instance.to_owned());
    }
    let machine = interface
        .properties
        .as_ref()?
        .virtual_machine
        .as_ref()?
        .id
        .as_deref()?;
    let machine = ResourceId::parse(machine)?;
    let name = machine.name_of("virtualmachines")?;
    Some(name.rsplit('_').next().unwrap_or(name).to_owned())
}

/// The instances of the set. An interface without a machine has the states `interface_alone`.
fn instances(
    members: Vec<Member>,
    interfaces: Vec<MemberNic>,
    interface_alone: &States,
) -> Vec<Instance> {
    let mut by_instance: BTreeMap<String, Vec<Nic>> = BTreeMap::new();
    for MemberNic { of, nic } in interfaces {
        if let Some(key) = of {
            by_instance.entry(key).or_default().push(nic);
        }
    }
    let mut instances = Vec::with_capacity(members.len());
    for member in members {
        let own = by_instance.remove(&member.key).unwrap_or_default();
        let unlisted = own.is_empty() && member.states.runs;
        let mut instance = assemble::instance(member.name, member.states, &own);
        if unlisted {
            instance.address = Address::Missing(NoAddress::InterfaceUnlisted);
        }
        instances.push(instance);
    }
    for (key, own) in by_instance {
        let name = assemble::named(&format!("instance {key}"));
        instances.push(assemble::instance(name, interface_alone.clone(), &own));
    }
    instances
}
