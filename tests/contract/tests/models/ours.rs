//! The replies as our own wire types read them.

use contract::{Address, Interface, InterfaceReference, Machine, ScaleSet};
use nginx_vmss_sync::azure::{PageReader, wire};
use serde::de::DeserializeOwned;

use crate::microsoft::Page;

pub(crate) fn scale_set(body: &[u8]) -> ScaleSet {
    let set: wire::ScaleSet = read(body);
    ScaleSet {
        capacity: set.sku.and_then(|sku| sku.capacity),
        mode: set
            .properties
            .and_then(|properties| properties.orchestration_mode),
    }
}

/// The machines of a Uniform set or of a resource group.
pub(crate) fn machines(body: &[u8]) -> Page<Machine> {
    page(body, machine_of)
}

fn machine_of(machine: wire::Machine) -> Machine {
    let properties = machine.properties.unwrap();
    let view = properties.instance_view;
    let (statuses, health) = view
        .map(|view| (view.statuses, view.vm_health))
        .unwrap_or_default();
    let references = properties
        .network_profile
        .and_then(|profile| profile.network_interfaces);
    let references = references
        .into_iter()
        .flatten()
        .map(|reference| InterfaceReference {
            id: reference.id.unwrap().to_lowercase(),
            primary: reference
                .properties
                .and_then(|properties| properties.primary),
        });
    Machine {
        id: machine.id.unwrap().to_lowercase(),
        name: machine.name.unwrap(),
        provisioning: properties.provisioning_state,
        statuses: statuses
            .into_iter()
            .flatten()
            .filter_map(|status| status.code)
            .collect(),
        health: health.and_then(|health| health.status?.code),
        interfaces: references.collect(),
    }
}

/// The interfaces of a scale set or of a resource group.
pub(crate) fn interfaces(body: &[u8]) -> Page<Interface> {
    page(body, interface_of)
}

pub(crate) fn interface(body: &[u8]) -> Interface {
    interface_of(read(body))
}

fn interface_of(interface: wire::Interface) -> Interface {
    let properties = interface.properties.unwrap();
    let configurations = properties.ip_configurations.unwrap_or_default();
    let addresses = configurations.into_iter().map(|configuration| {
        let properties = configuration.properties.unwrap();
        Address {
            address: properties.private_ip_address,
            primary: properties.primary,
        }
    });
    Interface {
        id: interface.id.unwrap().to_lowercase(),
        provisioning: properties.provisioning_state,
        primary: properties.primary,
        machine: properties
            .virtual_machine
            .map(|machine| machine.id.unwrap().to_lowercase()),
        addresses: addresses.collect(),
    }
}

/// The code and the message of a refusal.
pub(crate) fn refusal(body: &[u8]) -> (String, String) {
    read::<wire::ErrorBody>(body).parts()
}

fn page<T: DeserializeOwned, U>(body: &[u8], item: impl Fn(T) -> U) -> Page<U> {
    let page = PageReader::<T>::read(body).unwrap();
    assert_eq!(page.odd, None);
    (page.items.into_iter().map(item).collect(), page.next_link)
}

fn read<T: DeserializeOwned>(body: &[u8]) -> T {
    serde_json::from_slice(body).unwrap()
}
