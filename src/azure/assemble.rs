//! From machines and network interfaces to instances.

use std::net::IpAddr;

use super::wire::{Interface, IpConfigurationProperties, Machine, Status};
use crate::model::{Address, ArrivingWhy, Instance, LeavingWhy, NoAddress, Phase};

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
    let statuses = view.and_then(|view| view.statuses.as_deref());
    let codes = || {
        let codes = statuses.unwrap_or_default().iter();
        codes.filter_map(|status: &Status| status.code.as_deref())
    };
    let provisioning = properties.provisioning_state.as_deref().unwrap_or_default();
    let provisioning_is = |state: &str| provisioning.eq_ignore_ascii_case(state);
    let deleting_code = codes().any(|code| {
        after("provisioningstate/deleting", code)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    });
    if provisioning_is("deleting") || deleting_code {
        return States::deleting();
    }
    let power = codes().find_map(|code| after("powerstate/", code));
    let power_is = |states: &[&str]| {
        let power = power.unwrap_or_default();
        states.iter().any(|state| power.eq_ignore_ascii_case(state))
    };
    let phase =
        if power_is(&["creating", "starting"]) || power.is_none() && provisioning_is("creating") {
            Phase::Arriving(ArrivingWhy::Starting)
        } else if power_is(&["stopping", "stopped"]) {
            Phase::Leaving(LeavingWhy::Stopped)
        } else if power_is(&["deallocating", "deallocated"])
            || power.is_some_and(|state| after("hibernat", state).is_some())
        {
            Phase::Leaving(LeavingWhy::Deallocated)
        } else {
            Phase::Serving
        };
    let healthy = view
        .and_then(|view| view.vm_health.as_ref()?.status.as_ref()?.code.as_deref())
        .is_some_and(|code| code.eq_ignore_ascii_case("HealthState/healthy"));
    States {
        phase,
        counted: true,
        healthy,
        runs: power_is(&["running"]) && provisioning_is("succeeded"),
    }
}

/// What follows `start` in `text`, compared without case.
fn after<'a>(start: &str, text: &'a str) -> Option<&'a str> {
    let (head, rest) = text.split_at_checked(start.len())?;
    head.eq_ignore_ascii_case(start).then_some(rest)
}

/// What is kept of a network interface.
#[derive(Debug, Clone, Copy)]
pub(super) struct Nic {
    pub(super) is_primary: bool,
    pub(super) address: Option<IpAddr>,
    /// It is being deleted, and its instance with it.
    pub(super) is_going: bool,
    /// Nothing is told of it.
    pub(super) is_odd: bool,
}

impl From<&Interface> for Nic {
    fn from(interface: &Interface) -> Self {
        let properties = interface.properties.as_ref();
        Self {
            is_primary: properties.and_then(|properties| properties.primary) == Some(true),
            address: primary_address(interface),
            is_going: properties
                .and_then(|properties| properties.provisioning_state.as_deref())
                .is_some_and(|state| state.eq_ignore_ascii_case("Deleting")),
            is_odd: properties.is_none(),
        }
    }
}

/// A name as it is told: of one line, and not too long.
pub(super) fn named(name: &str) -> String {
    crate::telemetry::clean(name, 100)
}

/// The instance of a machine with these states and these interfaces.
pub(super) fn instance(name: String, states: States, nics: &[Nic]) -> Instance {
    let (states, address) = match primary(nics) {
        Err(why) => (states, Address::Missing(why)),
        Ok(nic) => {
            let states = if nic.is_going {
                States::deleting()
            } else {
                states
            };
            let missing = Address::Missing(NoAddress::NoPrivateAddress);
            (states, nic.address.map_or(missing, Address::Known))
        }
    };
    Instance {
        name,
        phase: states.phase,
        address,
        healthy: states.healthy,
        counted: states.counted,
    }
}

fn primary(nics: &[Nic]) -> Result<Nic, NoAddress> {
    match nics {
        [] => Err(NoAddress::NoInterface),
        [only] => Ok(*only),
        several => several
            .iter()
            .find(|nic| nic.is_primary)
            .copied()
            .ok_or(NoAddress::NoPrimaryInterface),
    }
}

/// The interface's primary address; where none is marked, the only IPv4 one, else the only one.
/// While the one that is marked has no address yet, no other stands in for it.
fn primary_address(interface: &Interface) -> Option<IpAddr> {
    let configurations = interface.properties.as_ref()?.ip_configurations.as_ref()?;
    let all = || {
        let configurations = configurations.iter();
        configurations.filter_map(|configuration| configuration.properties.as_ref())
    };
    let mut marked = all()
        .filter(|properties| properties.primary == Some(true))
        .peekable();
    if marked.peek().is_some() {
        return marked.find_map(ip);
    }
    fn only(mut candidates: impl Iterator<Item = IpAddr>) -> Option<IpAddr> {
        candidates.next().filter(|_| candidates.next().is_none())
    }
    let addresses = || all().filter_map(ip);
    only(addresses().filter(IpAddr::is_ipv4)).or_else(|| only(addresses()))
}

fn ip(properties: &IpConfigurationProperties) -> Option<IpAddr> {
    properties
        .private_ip_address
        .as_deref()?
        .trim()
        .parse()
        .ok()
}
