//! What a reader should understand: the simulated world in the readers' form.

use simulated_cloud::{Health, Instance, Nic, OrchestrationMode, Provisioning, World};

use crate::reading::{Address, Interface, InterfaceReference, Machine, ScaleSet};

/// The scale set `name`.
#[must_use]
pub fn scale_set(world: &World, name: &str, mode: OrchestrationMode) -> ScaleSet {
    ScaleSet {
        capacity: world.capacity(name),
        mode: Some(format!("{mode:?}")),
    }
}

/// The machines of the scale set `name`, sorted.
#[must_use]
pub fn machines(world: &World, name: &str) -> Vec<Machine> {
    let mut machines: Vec<Machine> = world.instances(name).iter().map(machine).collect();
    machines.sort();
    machines
}

/// The network interfaces of the scale set `name` that Resource Manager finds, sorted.
#[must_use]
pub fn interfaces(world: &World, name: &str) -> Vec<Interface> {
    let instances = world.instances(name);
    let found = instances.iter().flat_map(|instance| {
        let nics = instance.nics.iter().filter(|nic| nic.found);
        nics.map(move |nic| interface(nic, Some(instance)))
    });
    let mut interfaces: Vec<Interface> = found.collect();
    interfaces.sort();
    interfaces
}

/// One machine, with its instance view.
#[must_use]
pub fn machine(instance: &Instance) -> Machine {
    let provisioning = format!("{:?}", instance.provisioning);
    let mut statuses = vec![format!("ProvisioningState/{}", provisioning.to_lowercase())];
    statuses.extend(instance.power.code());
    let health = instance.health.map(|health| match health {
        Health::Healthy => "HealthState/healthy",
        Health::Unhealthy => "HealthState/unhealthy",
        Health::Initializing => "HealthState/Initializing",
        Health::Unknown => "HealthState/Unknown",
    });
    let references = instance.nics.iter().map(|nic| InterfaceReference {
        id: nic.id.to_lowercase(),
        primary: nic.primary,
    });
    Machine {
        id: instance.id.to_lowercase(),
        name: instance.name.clone(),
        provisioning: Some(provisioning),
        statuses,
        health: health.map(str::to_owned),
        interfaces: references.collect(),
    }
}

/// One network interface, of a machine or without one.
#[must_use]
pub fn interface(nic: &Nic, owner: Option<&Instance>) -> Interface {
    let deleting = owner.is_some_and(|owner| owner.provisioning == Provisioning::Deleting);
    let configurations = nic.configurations.iter();
    let addresses = configurations.map(|configuration| Address {
        address: configuration.address.clone(),
        primary: Some(configuration.primary),
    });
    Interface {
        id: nic.id.to_lowercase(),
        provisioning: Some(if deleting { "Deleting" } else { "Succeeded" }.to_owned()),
        primary: nic.primary,
        machine: owner.map(|owner| owner.id.to_lowercase()),
        addresses: addresses.collect(),
    }
}

/// `address:port` of every instance that should be a server, sorted: in service, and its
/// interfaces are found.
#[must_use]
pub fn serving_addresses(world: &World, name: &str, port: u16) -> Vec<String> {
    let instances = world.instances(name);
    let serving = instances
        .iter()
        .filter(|instance| instance.is_serving() && instance.nics.iter().all(|nic| nic.found));
    let mut addresses: Vec<String> = serving
        .filter_map(|instance| instance.server(port))
        .collect();
    addresses.sort();
    addresses
}
