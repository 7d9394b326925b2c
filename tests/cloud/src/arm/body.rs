//! The JSON of scale sets, machines and network interfaces.

use serde_json::{Value, json};

use super::list::Item;
use crate::world::{
    Health, Instance, IpConfiguration, Nic, OrchestrationMode, Provisioning, ScaleSet,
};

/// A scale set.
pub(super) fn scale_set(set: &ScaleSet) -> Value {
    let mut body = json!({
        "id": set.id(),
        "name": set.name,
        "type": "Microsoft.Compute/virtualMachineScaleSets",
        "location": "westeurope",
        "sku": {"name": "Standard_D2s_v5", "tier": "Standard"},
        "properties": {
            "provisioningState": "Succeeded",
            "overprovision": false,
            "singlePlacementGroup": false,
            "platformFaultDomainCount": 1,
            "timeCreated": "2025-11-03T09:12:44.0000000+00:00",
        },
    });
    if let Some(capacity) = set.capacity {
        body["sku"]["capacity"] = json!(capacity);
    }
    if let Some(mode) = &set.mode_text {
        body["properties"]["orchestrationMode"] = json!(mode);
    }
    body
}

/// The instance view of a scale set, which counts and names nobody.
pub(super) fn scale_set_view(set: &ScaleSet) -> Value {
    json!({
        "virtualMachine": {"statusesSummary": [
            {"code": "ProvisioningState/succeeded", "count": set.instances.len()},
        ]},
        "statuses": [{"code": "ProvisioningState/succeeded", "level": "Info"}],
    })
}

/// A Flexible machine, as the list of virtual machines shows it.
pub(super) fn machine(set: &ScaleSet, instance: &Instance, expand: bool) -> Value {
    if let Some(raw) = &instance.raw_vm {
        return raw.clone();
    }
    let mut body = json!({
        "name": instance.name,
        "id": instance.id,
        "type": "Microsoft.Compute/virtualMachines",
        "location": "westeurope",
        "tags": {},
        "properties": {
            "vmId": instance.vm_id,
            "provisioningState": provisioning(instance.provisioning),
            "virtualMachineScaleSet": {"id": set.id()},
            "networkProfile": network_profile(instance),
            "timeCreated": "2025-11-03T09:12:50.3138469+00:00",
        },
    });
    if expand {
        body["properties"]["instanceView"] = instance_view(instance);
    }
    body
}

/// One entry of a set's own machine list. A Flexible set tells nothing but ids.
pub(super) fn scale_set_machine(set: &ScaleSet, instance: &Instance, expand: bool) -> Value {
    if let Some(raw) = &instance.raw_vm {
        return raw.clone();
    }
    if set.mode == OrchestrationMode::Flexible {
        return json!({
            "name": instance.name,
            "instanceId": instance.instance_id,
            "id": format!("{}/virtualMachines/{}", set.id(), instance.name),
            "type": "Microsoft.Compute/virtualMachineScaleSets/virtualMachines",
            "location": "westeurope",
        });
    }
    let mut body = json!({
        "name": instance.name,
        "instanceId": instance.instance_id,
        "id": instance.id,
        "type": "Microsoft.Compute/virtualMachineScaleSets/virtualMachines",
        "location": "westeurope",
        "sku": {"name": "Standard_D2s_v5", "tier": "Standard"},
        "properties": {
            "latestModelApplied": true,
            "vmId": instance.vm_id,
            "provisioningState": provisioning(instance.provisioning),
            "networkProfile": network_profile(instance),
            "timeCreated": "2025-11-03T09:12:50.3138469+00:00",
        },
    });
    if expand {
        body["properties"]["instanceView"] = instance_view(instance);
    }
    body
}

fn network_profile(instance: &Instance) -> Value {
    if instance.nics.is_empty() {
        return Value::Null;
    }
    let nics = instance.nics.iter().map(|nic| match nic.primary {
        Some(primary) => json!({"id": nic.id, "properties": {"primary": primary}}),
        None => json!({"id": nic.id}),
    });
    json!({"networkInterfaces": nics.collect::<Vec<_>>()})
}

/// The instance view of a machine.
pub(super) fn instance_view(instance: &Instance) -> Value {
    let state = provisioning(instance.provisioning).to_lowercase();
    let mut statuses = vec![json!({
        "code": format!("ProvisioningState/{state}"),
        "level": "Info",
        "displayStatus": format!("Provisioning {state}"),
    })];
    if let Some(code) = instance.power.code() {
        let text = code.replace("PowerState/", "VM ");
        statuses.push(json!({"code": code, "level": "Info", "displayStatus": text}));
    }
    let mut view = json!({"statuses": statuses});
    if let Some(health) = instance.health {
        let code = match health {
            Health::Healthy => "HealthState/healthy",
            Health::Unhealthy => "HealthState/unhealthy",
            Health::Initializing => "HealthState/Initializing",
            Health::Unknown => "HealthState/Unknown",
        };
        view["vmHealth"] = json!({"status": {"code": code, "level": "Info"}});
    }
    view
}

fn provisioning(state: Provisioning) -> &'static str {
    match state {
        Provisioning::Creating => "Creating",
        Provisioning::Updating => "Updating",
        Provisioning::Succeeded => "Succeeded",
        Provisioning::Failed => "Failed",
        Provisioning::Deleting => "Deleting",
        Provisioning::Migrating => "Migrating",
    }
}

/// The NICs of an instance that Resource Manager finds.
pub(super) fn instance_nics(instance: &Instance) -> Vec<Item> {
    listed_nics(instance, |_| true)
}

/// Those of them that are wanted; a raw override stands in for the first.
pub(super) fn listed_nics(instance: &Instance, wanted: impl Fn(&Nic) -> bool) -> Vec<Item> {
    let nics = instance.nics.iter().zip(0_u64..);
    let found = nics.filter(|(nic, _)| nic.found && wanted(nic));
    let items = found.map(|(nic, place)| {
        let raw = instance.raw_nic.as_ref().filter(|_| place == 0);
        let body = raw
            .cloned()
            .unwrap_or_else(|| self::nic(nic, Some(instance)));
        Item {
            place: instance.number * 100 + place,
            body,
        }
    });
    items.collect()
}

/// A network interface, with or without a machine.
pub(super) fn nic(nic: &Nic, owner: Option<&Instance>) -> Value {
    let deleting = owner.is_some_and(|owner| owner.provisioning == Provisioning::Deleting);
    let configurations: Vec<Value> = nic
        .configurations
        .iter()
        .map(|found| configuration_body(&nic.id, found))
        .collect();
    let mut body = json!({
        "name": nic.name,
        "id": nic.id,
        "etag": "W/\"a64060d5-4dea-4379-a11d-b23cd49a3c8d\"",
        "properties": {
            "provisioningState": if deleting { "Deleting" } else { "Succeeded" },
            "ipConfigurations": configurations,
            "dnsSettings": {"dnsServers": [], "appliedDnsServers": []},
            "enableAcceleratedNetworking": false,
            "enableIPForwarding": false,
        },
    });
    if let Some(primary) = nic.primary {
        body["properties"]["primary"] = json!(primary);
    }
    if let Some(owner) = owner {
        body["properties"]["virtualMachine"] = json!({"id": owner.id});
    }
    body
}

fn configuration_body(nic_id: &str, configuration: &IpConfiguration) -> Value {
    let mut body = json!({
        "name": configuration.name,
        "id": format!("{nic_id}/ipConfigurations/{}", configuration.name),
        "properties": {
            "provisioningState": "Succeeded",
            "privateIPAllocationMethod": "Dynamic",
            "primary": configuration.primary,
            "privateIPAddressVersion": if configuration.ipv6 { "IPv6" } else { "IPv4" },
        },
    });
    if let Some(address) = &configuration.address {
        body["properties"]["privateIPAddress"] = json!(address);
    }
    body
}
