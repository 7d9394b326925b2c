//! Resource Manager's JSON, as far as this program reads it.
//!
//! Everything is optional and unknown fields are ignored, because the service adds, omits and
//! nulls fields freely. The one exception is a page's `value` ([`super::PageReader`]): a page
//! without it is not an empty page.

use serde::Deserialize;

/// A scale set.
#[derive(Debug, Clone, Deserialize)]
pub struct ScaleSet {
    /// `sku`
    pub sku: Option<Sku>,
    /// `properties`
    pub properties: Option<ScaleSetProperties>,
}

/// A scale set's `sku`.
#[derive(Debug, Clone, Deserialize)]
pub struct Sku {
    /// The target count.
    pub capacity: Option<u64>,
}

/// A scale set's `properties`.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ScaleSetProperties {
    /// `Uniform`, `Flexible`; absent means Uniform.
    pub orchestration_mode: Option<String>,
}

/// A virtual machine, of a Uniform set or on its own.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Machine {
    /// The resource id.
    pub id: Option<String>,
    /// The name.
    pub name: Option<String>,
    /// `properties`
    pub properties: Option<MachineProperties>,
}

/// A machine's `properties`.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MachineProperties {
    /// `Creating`, `Updating`, `Succeeded`, `Failed`, `Deleting`, …
    pub provisioning_state: Option<String>,
    /// With `$expand=instanceView`.
    pub instance_view: Option<InstanceView>,
    /// The Flexible set that the machine belongs to.
    pub virtual_machine_scale_set: Option<Reference>,
    /// Absent for the instances of some listings.
    pub network_profile: Option<NetworkProfile>,
}

/// The run-time view of a machine.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct InstanceView {
    /// `ProvisioningState/…`, `PowerState/…`
    pub statuses: Option<Vec<Status>>,
    /// The Application Health extension's word.
    pub vm_health: Option<MachineHealth>,
}

/// One status.
#[derive(Debug, Clone, Deserialize)]
pub struct Status {
    /// E.g. `PowerState/running`.
    pub code: Option<String>,
}

/// The health of a machine.
#[derive(Debug, Clone, Deserialize)]
pub struct MachineHealth {
    /// `HealthState/healthy`, …
    pub status: Option<Status>,
}

/// The interfaces of a machine.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NetworkProfile {
    /// References, not the interfaces themselves.
    pub network_interfaces: Option<Vec<InterfaceReference>>,
}

/// A reference to an interface.
#[derive(Debug, Clone, Deserialize)]
pub struct InterfaceReference {
    /// The interface's id.
    pub id: Option<String>,
    /// `properties`
    pub properties: Option<InterfaceReferenceProperties>,
}

/// A reference's `properties`.
#[derive(Debug, Clone, Deserialize)]
pub struct InterfaceReferenceProperties {
    /// Whether it is the machine's primary interface.
    pub primary: Option<bool>,
}

/// A network interface.
#[derive(Debug, Clone, Deserialize)]
pub struct Interface {
    /// The resource id.
    pub id: Option<String>,
    /// `properties`
    pub properties: Option<InterfaceProperties>,
}

/// An interface's `properties`.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct InterfaceProperties {
    /// `Succeeded`, `Updating`, `Deleting`, `Failed`
    pub provisioning_state: Option<String>,
    /// Whether it is the machine's primary interface.
    pub primary: Option<bool>,
    /// The machine it is attached to.
    pub virtual_machine: Option<Reference>,
    /// The addresses.
    pub ip_configurations: Option<Vec<IpConfiguration>>,
}

/// A reference to any resource.
#[derive(Debug, Clone, Deserialize)]
pub struct Reference {
    /// The resource's id.
    pub id: Option<String>,
}

/// One address of an interface.
#[derive(Debug, Clone, Deserialize)]
pub struct IpConfiguration {
    /// `properties`
    pub properties: Option<IpConfigurationProperties>,
}

/// An address's `properties`.
#[derive(Debug, Clone, Deserialize)]
pub struct IpConfigurationProperties {
    /// The address.
    #[serde(rename = "privateIPAddress")]
    pub private_ip_address: Option<String>,
    /// Whether it is the interface's primary address.
    pub primary: Option<bool>,
}

/// An error body: inside an `error` envelope, or bare as Compute throttles.
#[derive(Debug, Deserialize)]
pub struct ErrorBody {
    /// The envelope.
    pub error: Option<ErrorDetail>,
    /// The bare form.
    pub code: Option<String>,
    /// The bare form.
    pub message: Option<String>,
}

/// What an error says.
#[derive(Debug, Deserialize)]
pub struct ErrorDetail {
    /// E.g. `AuthorizationFailed`.
    pub code: Option<String>,
    /// For people.
    pub message: Option<String>,
}

impl ErrorBody {
    /// The code and the message, whichever form it came in.
    #[must_use]
    pub fn parts(self) -> (String, String) {
        let (code, message) = match self.error {
            Some(detail) => (detail.code, detail.message),
            None => (self.code, self.message),
        };
        (code.unwrap_or_default(), message.unwrap_or_default())
    }
}
