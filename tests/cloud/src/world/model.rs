//! Instances and their network interfaces, as data.

use serde_json::Value;

/// How a scale set manages its instances.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OrchestrationMode {
    /// Instances are children of the set.
    Uniform,
    /// Instances are ordinary virtual machines that point to the set.
    Flexible,
}

/// The power state of an instance, as its instance view tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PowerState {
    /// `PowerState/creating`.
    Creating,
    /// `PowerState/starting`.
    Starting,
    /// `PowerState/running`.
    Running,
    /// `PowerState/stopping`.
    Stopping,
    /// `PowerState/stopped`.
    Stopped,
    /// `PowerState/deallocating`.
    Deallocating,
    /// `PowerState/deallocated`.
    Deallocated,
    /// The instance view has no power state at all.
    NotTold,
    /// Any other text after `PowerState/`.
    Other(String),
}

impl PowerState {
    /// The status code, when there is one.
    #[must_use]
    pub fn code(&self) -> Option<String> {
        let text = match self {
            Self::Creating => "creating",
            Self::Starting => "starting",
            Self::Running => "running",
            Self::Stopping => "stopping",
            Self::Stopped => "stopped",
            Self::Deallocating => "deallocating",
            Self::Deallocated => "deallocated",
            Self::NotTold => return None,
            Self::Other(text) => text,
        };
        Some(format!("PowerState/{text}"))
    }
}

/// The provisioning state of an instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Provisioning {
    /// Being created.
    Creating,
    /// Being changed; it serves meanwhile.
    Updating,
    /// The last operation succeeded.
    Succeeded,
    /// The last operation failed; it may well serve.
    Failed,
    /// Being deleted.
    Deleting,
    /// Moving between hosts.
    Migrating,
}

/// What the Application Health extension says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    /// `HealthState/healthy`.
    Healthy,
    /// `HealthState/unhealthy`.
    Unhealthy,
    /// `HealthState/Initializing`.
    Initializing,
    /// `HealthState/Unknown`.
    Unknown,
}

/// One IP configuration of a network interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IpConfiguration {
    /// Its name.
    pub name: String,
    /// The private address; none while Azure has not assigned one.
    pub address: Option<String>,
    /// Whether it is the interface's primary configuration.
    pub primary: bool,
    /// Whether it is an IPv6 configuration.
    pub ipv6: bool,
}

/// One network interface of an instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Nic {
    /// Its name.
    pub name: String,
    /// Its ARM id.
    pub id: String,
    /// The `primary` flag; none prints no flag.
    pub primary: Option<bool>,
    /// Its IP configurations.
    pub configurations: Vec<IpConfiguration>,
    /// Whether Resource Manager finds it; a NIC that is referenced and not found is the routine
    /// race of a VM that is going away.
    pub found: bool,
}

/// One instance of a scale set, as it is now.
#[derive(Clone, Debug)]
pub struct Instance {
    /// The instance's number within its set; never used twice.
    pub number: u64,
    /// `web_0` for Uniform, `web_1a2b3c4d` for Flexible.
    pub name: String,
    /// The number as text for Uniform, the VM's name for Flexible.
    pub instance_id: String,
    /// The ARM id of the virtual machine.
    pub id: String,
    /// Its power state.
    pub power: PowerState,
    /// Its provisioning state.
    pub provisioning: Provisioning,
    /// What the health extension reports; none without the extension.
    pub health: Option<Health>,
    /// Its network interfaces, the primary one first.
    pub nics: Vec<Nic>,
    /// Printed in place of the VM's own JSON.
    pub raw_vm: Option<Value>,
    /// Printed in place of the JSON of its first NIC.
    pub raw_nic: Option<Value>,
    pub(crate) vm_id: String,
}

impl Instance {
    /// The address that traffic should be sent to: the primary configuration of the primary NIC.
    #[must_use]
    pub fn address(&self) -> Option<&str> {
        let nic = match self.nics.as_slice() {
            [only] => only,
            several => several.iter().find(|nic| nic.primary == Some(true))?,
        };
        let configurations = &nic.configurations;
        let primary = configurations
            .iter()
            .find(|configuration| configuration.primary);
        primary
            .or(configurations.first())
            .and_then(|chosen| chosen.address.as_deref())
    }

    /// The address with a port, IPv6 in brackets.
    #[must_use]
    pub fn server(&self, port: u16) -> Option<String> {
        self.address().map(|address| join(address, port))
    }

    /// Whether it should receive traffic: running (or not told), and not being deleted.
    #[must_use]
    pub fn is_serving(&self) -> bool {
        matches!(self.power, PowerState::Running | PowerState::NotTold)
            && self.provisioning != Provisioning::Deleting
    }

    /// Whether its software answers requests: a machine that is being deleted or stopped still
    /// does, one that is not up yet or is off does not.
    #[must_use]
    pub fn answers(&self) -> bool {
        !matches!(
            self.power,
            PowerState::Creating
                | PowerState::Starting
                | PowerState::Stopped
                | PowerState::Deallocating
                | PowerState::Deallocated
        )
    }
}

/// `address:port`, IPv6 in brackets.
pub(crate) fn join(address: &str, port: u16) -> String {
    if address.contains(':') {
        format!("[{address}]:{port}")
    } else {
        format!("{address}:{port}")
    }
}

/// Points at one instance of a set: by its place in the list, its instance id, or itself.
#[derive(Clone, Debug)]
pub enum InstanceRef {
    /// The place in the set's list, from 0.
    Place(usize),
    /// The instance id or the VM's name.
    Id(String),
}

impl From<usize> for InstanceRef {
    fn from(place: usize) -> Self {
        Self::Place(place)
    }
}

impl From<&str> for InstanceRef {
    fn from(id: &str) -> Self {
        Self::Id(id.to_owned())
    }
}

impl From<&Instance> for InstanceRef {
    fn from(instance: &Instance) -> Self {
        Self::Id(instance.instance_id.clone())
    }
}
