//! From machines and network interfaces to instances.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::wire::{Interface, IpConfigurationProperties, Machine};
use crate::model::{Address, ArrivingWhy, Instance, LeavingWhy, NoAddress, Phase, ResourceId};

/// What a machine's states say.
#[derive(Debug, Clone)]
pub(super) struct States {
    pub(super) phase: Phase,
    pub(super) counted: bool,
    pub(super) healthy: bool,
    /// Whether Azure tells that the machine was provisioned and has power, so that it must have a
    /// network interface.
    pub(super) runs: bool,
}

impl States {
    /// What holds where states are not told: present, so serving.
    pub(super) fn untold() -> Self {
        Self {
            phase: Phase::Serving,
            counted: true,
            healthy: false,
            runs: false,
        }
    }

    fn deleting() -> Self {
        Self {
            phase: Phase::Leaving(LeavingWhy::Deleting),
            counted: false,
            healthy: false,
            runs: false,
        }
    }
}

/// Reads a machine's provisioning, power and health states. A state that is missing or unknown
/// never takes a machine out: in rare cases Azure does not tell the power state of a running one.
pub(super) fn states(machine: &Machine) -> States {
    let Some(properties) = &machine.properties else {
        return States::untold();
    };
    let view = properties.instance_view.as_ref();
    let codes: Vec<String> = view
        .and_then(|view| view.statuses.as_ref())
        .into_iter()
        .flatten()
        .filter_map(|status| status.code.as_deref().map(str::to_lowercase))
        .collect();
    let provisioning = properties
        .provisioning_state
        .as_deref()
        .unwrap_or_default()
        .to_lowercase();
    let deleting_code = codes.iter().any(|code| {
        code == "provisioningstate/deleting" || code.starts_with("provisioningstate/deleting/")
    });
    if provisioning == "deleting" || deleting_code {
        return States::deleting();
    }
    let power = codes
        .iter()
        .find_map(|code| code.strip_prefix("powerstate/"));
    let phase = match power {
        Some("creating" | "starting") => Phase::Arriving(ArrivingWhy::Starting),
        None if provisioning == "creating" => Phase::Arriving(ArrivingWhy::Starting),
        Some("stopping" | "stopped") => Phase::Leaving(LeavingWhy::Stopped),
        Some("deallocating" | "deallocated") => Phase::Leaving(LeavingWhy::Deallocated),
        Some(state) if state.starts_with("hibernat") => Phase::Leaving(LeavingWhy::Deallocated),
        Some(_) | None => Phase::Serving,
    };
    let healthy = view
        .and_then(|view| view.vm_health.as_ref()?.status.as_ref()?.code.as_deref())
        .is_some_and(|code| code.eq_ignore_ascii_case("HealthState/healthy"));
    States {
        phase,
        counted: true,
        healthy,
        runs: power == Some("running") && provisioning == "succeeded",
    }
}

/// The instances of a Uniform set. `machines` is `None` where they may not be read; an interface
/// without a machine then has the states `interface_alone`.
pub(super) fn uniform(
    machines: Option<&[Machine]>,
    interfaces: &[Interface],
    interface_alone: &States,
) -> Vec<Instance> {
    let mut by_instance: BTreeMap<String, Vec<&Interface>> = BTreeMap::new();
    for interface in interfaces {
        if let Some(key) = uniform_instance(interface) {
            by_instance.entry(key).or_default().push(interface);
        }
    }
    let mut instances = Vec::new();
    for machine in machines.unwrap_or_default() {
        let id = machine.id.as_deref().and_then(ResourceId::parse);
        let key = id
            .as_ref()
            .and_then(|id| id.name_of("virtualmachines"))
            .unwrap_or_default();
        let own = by_instance.remove(key).unwrap_or_default();
        let name = machine.name.clone().unwrap_or_else(|| key.to_owned());
        let states = states(machine);
        let unlisted = own.is_empty() && states.runs;
        let mut instance = instance(&name, states, &own);
        if unlisted {
            instance.address = Address::Missing(NoAddress::InterfaceUnlisted);
        }
        instances.push(instance);
    }
    for (key, own) in by_instance {
        instances.push(instance(
            &format!("instance {key}"),
            interface_alone.clone(),
            &own,
        ));
    }
    instances
}

/// The instance id an interface of a Uniform set belongs to: from its own id, else from the
/// machine it names, which appears as `.../virtualMachines/3` or as `.../virtualMachines/set_3`.
pub(super) fn uniform_instance(interface: &Interface) -> Option<String> {
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

/// The interfaces a machine of a Flexible set refers to: id, and whether it is the primary one.
pub(super) fn references(machine: &Machine) -> Option<Vec<(ResourceId, Option<bool>)>> {
    let profile = machine.properties.as_ref()?.network_profile.as_ref()?;
    let references = profile.network_interfaces.as_ref()?.iter();
    Some(
        references
            .filter_map(|reference| {
                let id = ResourceId::parse(reference.id.as_deref()?)?;
                Some((
                    id,
                    reference
                        .properties
                        .as_ref()
                        .and_then(|properties| properties.primary),
                ))
            })
            .collect(),
    )
}

/// The instances of a Flexible set, with the interfaces found for them.
pub(super) fn flexible(
    machines: &[Machine],
    interfaces: &BTreeMap<ResourceId, Interface>,
) -> Vec<Instance> {
    machines
        .iter()
        .map(|machine| {
            let references = references(machine).unwrap_or_default();
            let marked = references
                .iter()
                .find(|(_, primary)| *primary == Some(true));
            let chosen = marked.and_then(|(id, _)| interfaces.get(id));
            let own: Vec<&Interface> = references
                .iter()
                .filter_map(|(id, _)| interfaces.get(id))
                .collect();
            // The machine says which interface is primary; another one does not stand in for it.
            let own = if marked.is_some() {
                chosen.into_iter().collect()
            } else {
                own
            };
            let id = machine.id.clone().unwrap_or_default();
            let name = machine
                .name
                .clone()
                .unwrap_or_else(|| id.rsplit('/').next().unwrap_or_default().to_owned());
            instance(&name, states(machine), &own)
        })
        .collect()
}

fn instance(name: &str, states: States, interfaces: &[&Interface]) -> Instance {
    let name = crate::telemetry::clean(name, 100);
    let interface = match primary_interface(interfaces) {
        Ok(interface) => interface,
        Err(why) => return without(name, states, why),
    };
    let properties = interface.properties.as_ref();
    let going = properties
        .and_then(|properties| properties.provisioning_state.as_deref())
        .is_some_and(|state| state.eq_ignore_ascii_case("Deleting"));
    let States {
        phase,
        counted,
        healthy,
        ..
    } = if going { States::deleting() } else { states };
    let address = match primary_address(interface) {
        Some(ip) => Address::Known(ip),
        None => Address::Missing(NoAddress::NoPrivateAddress),
    };
    Instance {
        name,
        phase,
        address,
        healthy,
        counted,
    }
}

fn without(name: String, states: States, why: NoAddress) -> Instance {
    let States {
        phase,
        counted,
        healthy,
        ..
    } = states;
    Instance {
        name,
        phase,
        address: Address::Missing(why),
        healthy,
        counted,
    }
}

fn primary_interface<'a>(interfaces: &[&'a Interface]) -> Result<&'a Interface, NoAddress> {
    let is_primary = |interface: &&&Interface| {
        interface
            .properties
            .as_ref()
            .and_then(|properties| properties.primary)
            == Some(true)
    };
    match interfaces {
        [] => Err(NoAddress::NoInterface),
        [only] => Ok(only),
        several => several
            .iter()
            .find(is_primary)
            .copied()
            .ok_or(NoAddress::NoPrimaryInterface),
    }
}

/// The interface's primary address; where none is marked, the only IPv4 one, else the only one.
fn primary_address(interface: &Interface) -> Option<IpAddr> {
    let configurations = interface.properties.as_ref()?.ip_configurations.as_ref()?;
    let addresses: Vec<(IpAddr, bool)> = configurations
        .iter()
        .filter_map(|configuration| configuration.properties.as_ref())
        .filter_map(|properties| Some((ip(properties)?, properties.primary == Some(true))))
        .collect();
    let only = |candidates: Vec<IpAddr>| match candidates[..] {
        [ip] => Some(ip),
        _ => None,
    };
    let primary = addresses
        .iter()
        .find(|(_, primary)| *primary)
        .map(|(ip, _)| *ip);
    primary
        .or_else(|| {
            only(
                addresses
                    .iter()
                    .map(|(ip, _)| *ip)
                    .filter(IpAddr::is_ipv4)
                    .collect(),
            )
        })
        .or_else(|| only(addresses.iter().map(|(ip, _)| *ip).collect()))
}

fn ip(properties: &IpConfigurationProperties) -> Option<IpAddr> {
    properties
        .private_ip_address
        .as_deref()?
        .trim()
        .parse()
        .ok()
}
