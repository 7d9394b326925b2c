//! The rest of a machine's and of an interface's document, which no reader here wants.
//!
//! It is the same for all, and put into the printed text: to build it a thousand times would cost
//! more than everything else that the simulation does.

use std::sync::LazyLock;

use bytes::Bytes;
use serde_json::{Value, json};

use crate::answer::Answer;

/// A property that every machine has and no interface, and the other way round.
const OF_MACHINES: &str = "\"vmId\":";
const OF_INTERFACES: &str = "\"enableIPForwarding\":";

static MACHINE: LazyLock<String> = LazyLock::new(|| before(OF_MACHINES, &machine()));
static INTERFACE: LazyLock<String> = LazyLock::new(|| before(OF_INTERFACES, &interface()));

/// The same list with its items in full.
pub(super) fn fill(answer: &Answer) -> Answer {
    let text = String::from_utf8_lossy(&answer.body);
    let text = text.replace(OF_MACHINES, &MACHINE);
    let text = text.replace(OF_INTERFACES, &INTERFACE);
    Answer {
        body: Bytes::from(text),
        ..answer.clone()
    }
}

/// The members of an object as text, and `next` after them.
fn before(next: &str, object: &Value) -> String {
    let members = object.as_object().into_iter().flatten();
    let members = members.map(|(name, value)| format!("{}:{value},", json!(name)));
    members.chain([next.to_owned()]).collect()
}

fn machine() -> Value {
    let status = |code: &str, text: &str| {
        json!({
            "code": code,
            "level": "Info",
            "displayStatus": "Ready",
            "message": text,
            "time": "2025-11-03T09:20:11.0000000+00:00",
        })
    };
    let extension = |name: &str, publisher: &str, settings: Value| {
        json!({
            "name": name,
            "type": "Microsoft.Compute/virtualMachines/extensions",
            "location": "westeurope",
            "properties": {
                "autoUpgradeMinorVersion": true,
                "enableAutomaticUpgrade": true,
                "suppressFailures": false,
                "provisioningState": "Succeeded",
                "publisher": publisher,
                "type": name,
                "typeHandlerVersion": "1.0",
                "settings": settings,
                "instanceView": {
                    "name": name,
                    "type": format!("{publisher}.{name}"),
                    "typeHandlerVersion": "1.0.27",
                    "statuses": [status("ProvisioningState/succeeded", "Enable succeeded")],
                },
            },
        })
    };
    let disk = "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/rg-app/\
                providers/Microsoft.Compute/disks/web-vmss_OsDisk_1_5f2c0f5e8d2a4b1c9e7d";
    let key =
        "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABgQ".to_owned() + &"c0mEoNwH4tAb0uTtH1s".repeat(28);
    json!({
        "hardwareProfile": {"vmSize": "Standard_D2s_v5"},
        "additionalCapabilities": {"hibernationEnabled": false, "ultraSSDEnabled": false},
        "securityProfile": {
            "securityType": "TrustedLaunch",
            "uefiSettings": {"secureBootEnabled": true, "vTpmEnabled": true},
        },
        "storageProfile": {
            "imageReference": {
                "publisher": "canonical",
                "offer": "ubuntu-24_04-lts",
                "sku": "server",
                "version": "latest",
                "exactVersion": "24.04.202510010",
            },
            "osDisk": {
                "osType": "Linux",
                "name": "web-vmss_OsDisk_1_5f2c0f5e8d2a4b1c9e7d",
                "createOption": "FromImage",
                "caching": "ReadWrite",
                "diskSizeGB": 30,
                "deleteOption": "Delete",
                "managedDisk": {"id": disk, "storageAccountType": "Premium_LRS"},
            },
            "dataDisks": [{
                "lun": 0,
                "name": "web-vmss_lun_0_2_77ad4d2a4b1c9e7d",
                "createOption": "Empty",
                "caching": "None",
                "diskSizeGB": 64,
                "toBeDetached": false,
                "managedDisk": {"id": disk, "storageAccountType": "Premium_LRS"},
            }],
            "diskControllerType": "SCSI",
        },
        "osProfile": {
            "computerName": "web-vmss000001",
            "adminUsername": "operator",
            "secrets": [],
            "allowExtensionOperations": true,
            "requireGuestProvisionSignal": true,
            "linuxConfiguration": {
                "disablePasswordAuthentication": true,
                "ssh": {"publicKeys": [
                    {"path": "/home/operator/.ssh/authorized_keys", "keyData": key},
                ]},
                "provisionVMAgent": true,
                "patchSettings": {"patchMode": "ImageDefault", "assessmentMode": "ImageDefault"},
            },
        },
        "diagnosticsProfile": {"bootDiagnostics": {"enabled": true}},
        "resourcesInFull": [
            extension("HealthExtension", "Microsoft.ManagedServices", json!({
                "protocol": "http", "port": 80, "requestPath": "/healthz",
                "intervalInSeconds": 5, "numberOfProbes": 1, "gracePeriod": 600,
            })),
            extension("AzureMonitorLinuxAgent", "Microsoft.Azure.Monitor", json!({})),
            extension("CustomScript", "Microsoft.Azure.Extensions", json!({"timestamp": 1})),
        ],
        "view": {
            "vmAgent": {
                "vmAgentVersion": "2.15.0.1",
                "statuses": [status("ProvisioningState/succeeded", "Guest Agent is running")],
                "extensionHandlers": [],
            },
            "disks": [
                {"name": "os", "statuses": [status("ProvisioningState/succeeded", "")]},
                {"name": "data", "statuses": [status("ProvisioningState/succeeded", "")]},
            ],
            "bootDiagnostics": {},
            "hyperVGeneration": "V2",
            "osName": "ubuntu",
            "osVersion": "24.04",
        },
    })
}

fn interface() -> Value {
    let network = "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/rg-app/\
                   providers/Microsoft.Network";
    json!({
        "resourceGuid": "8a0e9d4e-6f3b-4d6e-9d1c-1f6a0d3f4b5c",
        "macAddress": "00-0D-3A-BC-12-34",
        "nicType": "Standard",
        "auxiliaryMode": "None",
        "auxiliarySku": "None",
        "disableTcpStateTracking": false,
        "vnetEncryptionSupported": false,
        "hostedWorkloads": [],
        "tapConfigurations": [],
        "networkSecurityGroup": {"id": format!("{network}/networkSecurityGroups/nsg-app")},
        "subnetInFull": {"id": format!("{network}/virtualNetworks/vnet-app/subnets/backends")},
    })
}
