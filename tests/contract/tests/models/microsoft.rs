//! The replies as Microsoft's generated models read them.

use std::fmt::Debug;

use azure_mgmt_compute::package_2024_07_01::models as compute;
use azure_mgmt_network::package_2024_03::models as network;
use contract::{Address, Interface, InterfaceReference, Machine, ScaleSet};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// A page: its items, and the link to the next one.
pub(crate) type Page<T> = (Vec<T>, Option<String>);

pub(crate) fn scale_set(body: &[u8]) -> ScaleSet {
    let set: compute::VirtualMachineScaleSet = read(body);
    let mode = set
        .properties
        .and_then(|properties| properties.orchestration_mode);
    ScaleSet {
        capacity: set
            .sku
            .and_then(|sku| sku.capacity)
            .map(|capacity| capacity.try_into().unwrap()),
        mode: mode.map(|mode| word(&mode)),
    }
}

/// The machines of a Uniform set.
pub(crate) fn set_machines(body: &[u8]) -> Page<Machine> {
    let page: compute::VirtualMachineScaleSetVmListResult = read(body);
    let machines = page.value.into_iter().map(|machine| {
        let properties = machine.properties.unwrap();
        let view = properties.instance_view;
        let (statuses, health) = view
            .map(|view| (view.statuses, view.vm_health))
            .unwrap_or_default();
        machine_of(
            machine.resource,
            properties.provisioning_state,
            statuses,
            health,
            properties.network_profile,
        )
    });
    (machines.collect(), page.next_link)
}

/// The machines of a resource group.
pub(crate) fn group_machines(body: &[u8]) -> Page<Machine> {
    let page: compute::VirtualMachineListResult = read(body);
    let machines = page.value.into_iter().map(|machine| {
        let properties = machine.properties.unwrap();
        let view = properties.instance_view;
        let (statuses, health) = view
            .map(|view| (view.statuses, view.vm_health))
            .unwrap_or_default();
        machine_of(
            machine.resource,
            properties.provisioning_state,
            statuses,
            health,
            properties.network_profile,
        )
    });
    (machines.collect(), page.next_link)
}

fn machine_of(
    resource: compute::Resource,
    provisioning: Option<String>,
    statuses: Vec<compute::InstanceViewStatus>,
    health: Option<compute::VirtualMachineHealthStatus>,
    profile: Option<compute::NetworkProfile>,
) -> Machine {
    let references = profile
        .map(|profile| profile.network_interfaces)
        .unwrap_or_default();
    let references = references.into_iter().map(|reference| InterfaceReference {
        id: reference.sub_resource.id.unwrap().to_lowercase(),
        primary: reference
            .properties
            .and_then(|properties| properties.primary),
    });
    Machine {
        id: resource.id.unwrap().to_lowercase(),
        name: resource.name.unwrap(),
        provisioning,
        statuses: statuses
            .into_iter()
            .filter_map(|status| status.code)
            .collect(),
        health: health.and_then(|health| health.status?.code),
        interfaces: references.collect(),
    }
}

/// The interfaces of a scale set or of a resource group: the same model, and the api-version
/// 2018-10-01 that the scale sets' list is asked with is the model's own.
pub(crate) fn interfaces(body: &[u8]) -> Page<Interface> {
    let page: network::NetworkInterfaceListResult = read(body);
    (
        page.value.into_iter().map(interface_of).collect(),
        page.next_link,
    )
}

pub(crate) fn interface(body: &[u8]) -> Interface {
    interface_of(read(body))
}

fn interface_of(interface: network::NetworkInterface) -> Interface {
    let properties = interface.properties.unwrap();
    let addresses = properties
        .ip_configurations
        .into_iter()
        .map(|configuration| {
            let properties = configuration.properties.unwrap();
            Address {
                address: properties.private_ip_address,
                primary: properties.primary,
            }
        });
    Interface {
        id: interface.resource.id.unwrap().to_lowercase(),
        provisioning: properties.provisioning_state.as_ref().map(word),
        primary: properties.primary,
        machine: properties
            .virtual_machine
            .map(|machine| machine.id.unwrap().to_lowercase()),
        addresses: addresses.collect(),
    }
}

/// The code and the message of a refusal, as both providers' models read it.
pub(crate) fn refusal(body: &[u8]) -> (String, String) {
    let by_compute = read::<compute::CloudError>(body).error.unwrap();
    let by_network = read::<network::CloudError>(body).error.unwrap();
    let by_compute = (by_compute.code.unwrap(), by_compute.message.unwrap());
    assert_eq!(
        by_compute,
        (by_network.code.unwrap(), by_network.message.unwrap())
    );
    by_compute
}

/// Reads a document, and demands that the model has a place for everything in it: what the model
/// prints again must hold every field and every value, and no enumeration an unknown one.
fn read<T: DeserializeOwned + Serialize + Debug>(body: &[u8]) -> T {
    let text = String::from_utf8_lossy(body);
    let name = std::any::type_name::<T>().rsplit("::").next().unwrap();
    let model: T = match serde_json::from_slice(body) {
        Ok(model) => model,
        Err(error) => panic!("Microsoft's {name} cannot be read ({error}) from {text}"),
    };
    let told = format!("{model:?}");
    assert!(
        !told.contains("UnknownValue"),
        "{name} holds a value unknown to Microsoft: {told}"
    );
    let original: Value = serde_json::from_slice(body).unwrap();
    let printed = serde_json::to_value(&model).unwrap();
    let mut unknown = Vec::new();
    compare(name, &original, &printed, &mut unknown);
    assert!(
        unknown.is_empty(),
        "Microsoft's model does not know {unknown:?} of {text}"
    );
    model
}

fn compare(path: &str, original: &Value, printed: &Value, unknown: &mut Vec<String>) {
    match (original, printed) {
        (Value::Object(original), Value::Object(printed)) => {
            for (key, value) in original {
                let path = format!("{path}.{key}");
                match printed.get(key) {
                    Some(printed) => compare(&path, value, printed, unknown),
                    None if is_nothing(value) => {}
                    None => unknown.push(path),
                }
            }
        }
        (Value::Array(original), Value::Array(printed)) if original.len() == printed.len() => {
            for (place, (value, printed)) in original.iter().zip(printed).enumerate() {
                compare(&format!("{path}[{place}]"), value, printed, unknown);
            }
        }
        // The same instant, written in another way.
        (Value::String(_), Value::String(_)) if path.ends_with(".timeCreated") => {}
        _ if original == printed || (is_nothing(original) && is_nothing(printed)) => {}
        _ => unknown.push(format!("{path} = {original}, which became {printed}")),
    }
}

/// Models print neither nulls nor empty lists.
fn is_nothing(value: &Value) -> bool {
    value.is_null() || value.as_array().is_some_and(Vec::is_empty)
}

/// An enumeration's value as it is on the wire.
fn word<T: Serialize>(value: &T) -> String {
    serde_json::to_value(value)
        .unwrap()
        .as_str()
        .unwrap()
        .to_owned()
}
