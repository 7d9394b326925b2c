//! Scale sets: made, scaled, removed, looked at.

use super::model::join;
use super::{
    ComputeState, Instance, IpConfiguration, Nic, OrchestrationMode, PowerState, Provisioning,
    ScaleSet, World,
};
use crate::random;

/// A scale set to be made.
#[derive(Clone, Debug)]
pub struct SetSpec {
    /// `name`, `group/name` or `subscription/group/name`.
    pub name: String,
    /// Its orchestration mode.
    pub mode: OrchestrationMode,
    /// How many instances it begins with, all running.
    pub instances: usize,
}

impl World {
    /// Makes a Uniform scale set with `instances` running instances.
    pub fn add_uniform_set(&self, name: &str, instances: usize) {
        let mode = OrchestrationMode::Uniform;
        self.add_set(&SetSpec {
            name: name.to_owned(),
            mode,
            instances,
        });
    }

    /// Makes a Flexible scale set with `instances` running instances.
    pub fn add_flexible_set(&self, name: &str, instances: usize) {
        let mode = OrchestrationMode::Flexible;
        self.add_set(&SetSpec {
            name: name.to_owned(),
            mode,
            instances,
        });
    }

    /// Makes a scale set; its resource group and subscription come into being with it.
    pub fn add_set(&self, spec: &SetSpec) {
        self.with(|state| {
            let compute = &mut state.compute;
            assert!(
                compute.find(&spec.name).is_none(),
                "scale set {:?} exists",
                spec.name
            );
            let mut parts = spec.name.rsplitn(3, '/');
            let name = parts.next().unwrap_or_default().to_owned();
            let group = parts.next().unwrap_or(&compute.group).to_owned();
            let subscription = parts.next().unwrap_or(&compute.subscription).to_owned();
            compute
                .known_groups
                .insert((subscription.to_lowercase(), group.to_lowercase()));
            let mode_text = match spec.mode {
                OrchestrationMode::Uniform => "Uniform",
                OrchestrationMode::Flexible => "Flexible",
            };
            compute.sets.push(ScaleSet {
                subscription,
                group,
                name,
                mode: spec.mode,
                mode_text: Some(mode_text.to_owned()),
                capacity: Some(0),
                instances: Vec::new(),
                next_number: 0,
            });
            compute.resize(&spec.name, spec.instances, Pace::AtOnce);
        });
    }

    /// Brings a set to `count` instances at once: new ones run, superfluous ones (the youngest)
    /// are gone. The capacity follows.
    pub fn scale(&self, name: &str, count: usize) {
        self.with(|state| state.compute.resize(name, count, Pace::AtOnce));
    }

    /// Begins to bring a set to `count` instances, as Azure does: new ones are being created,
    /// superfluous ones are being deleted and still serve. [`World::settle`] ends it.
    pub fn begin_scale(&self, name: &str, count: usize) {
        self.with(|state| state.compute.resize(name, count, Pace::Begin));
    }

    /// Ends what [`World::begin_scale`] or [`World::mark_deleting`] began: instances that were
    /// being created run, those being deleted are gone.
    pub fn settle(&self, name: &str) {
        self.with(|state| {
            let set = state.compute.set(name);
            set.instances
                .retain(|instance| instance.provisioning != Provisioning::Deleting);
            for instance in &mut set.instances {
                if instance.provisioning == Provisioning::Creating {
                    instance.provisioning = Provisioning::Succeeded;
                    instance.power = PowerState::Running;
                }
            }
            state.compute.close_dead_backends();
        });
    }

    /// Overrides the capacity that the set reports; none reports no capacity.
    pub fn set_capacity(&self, name: &str, capacity: Option<u64>) {
        self.with(|state| state.compute.set(name).capacity = capacity);
    }

    /// Overrides what `orchestrationMode` prints; none leaves the property out.
    pub fn set_mode_text(&self, name: &str, text: Option<&str>) {
        self.with(|state| state.compute.set(name).mode_text = text.map(str::to_owned));
    }

    /// Deletes a set with all its instances.
    pub fn remove_set(&self, name: &str) {
        self.with(|state| {
            let key = state.compute.key(name);
            state.compute.sets.retain(|set| !set.is_at(&key));
            state.compute.close_dead_backends();
        });
    }

    /// The ARM id of a set.
    #[must_use]
    pub fn set_id(&self, name: &str) -> String {
        self.with(|state| state.compute.set(name).id())
    }

    /// The capacity that a set reports.
    #[must_use]
    pub fn capacity(&self, name: &str) -> Option<u64> {
        self.with(|state| state.compute.set(name).capacity)
    }

    /// The instances of a set, oldest first.
    #[must_use]
    pub fn instances(&self, name: &str) -> Vec<Instance> {
        self.with(|state| state.compute.set(name).instances.clone())
    }

    /// `address:port` of every instance that has an address, sorted.
    #[must_use]
    pub fn addresses(&self, name: &str, port: u16) -> Vec<String> {
        sorted(self.instances(name).iter(), port)
    }

    /// `address:port` of every instance that should receive traffic, sorted.
    #[must_use]
    pub fn serving_addresses(&self, name: &str, port: u16) -> Vec<String> {
        let instances = self.instances(name);
        sorted(
            instances.iter().filter(|instance| instance.is_serving()),
            port,
        )
    }

    /// The next instance that is made gets this address instead of a fresh one: Azure may give an
    /// address again as soon as it is free.
    pub fn use_address_next(&self, address: &str) {
        self.with(|state| state.compute.force_address(address));
    }
}

fn sorted<'a>(instances: impl Iterator<Item = &'a Instance>, port: u16) -> Vec<String> {
    let mut list: Vec<String> = instances
        .filter_map(Instance::address)
        .map(|address| join(address, port))
        .collect();
    list.sort();
    list
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Pace {
    AtOnce,
    Begin,
}

impl ComputeState {
    fn resize(&mut self, name: &str, count: usize, pace: Pace) {
        self.set(name).capacity = Some(count as u64);
        let staying: Vec<usize> = places_of_staying(self.set(name));
        for _ in staying.len()..count {
            self.create(name, pace);
        }
        let leaving = staying.get(count..).unwrap_or_default();
        let set = self.set(name);
        for place in leaving.iter().rev() {
            match pace {
                Pace::AtOnce => drop(set.instances.remove(*place)),
                Pace::Begin => set.instances[*place].provisioning = Provisioning::Deleting,
            }
        }
        self.close_dead_backends();
    }

    fn create(&mut self, name: &str, pace: Pace) {
        let address = self.address();
        let set = self.set(name);
        let number = set.next_number;
        set.next_number += 1;
        let suffix = random::hex(4);
        let set_id = set.id();
        let group = format!(
            "/subscriptions/{}/resourceGroups/{}",
            set.subscription, set.group
        );
        let (vm_name, instance_id, id, nic_name, nic_id) = match set.mode {
            OrchestrationMode::Uniform => {
                let id = format!("{set_id}/virtualMachines/{number}");
                let nic_id = format!("{id}/networkInterfaces/nic0");
                let vm_name = format!("{}_{number}", set.name);
                (vm_name, number.to_string(), id, "nic0".to_owned(), nic_id)
            }
            OrchestrationMode::Flexible => {
                let vm_name = format!("{}_{suffix}", set.name);
                let id = format!("{group}/providers/Microsoft.Compute/virtualMachines/{vm_name}");
                let nic = format!("{}-nic-{suffix}", set.name);
                let nic_id = format!("{group}/providers/Microsoft.Network/networkInterfaces/{nic}");
                (vm_name.clone(), vm_name, id, nic, nic_id)
            }
        };
        let (power, provisioning) = match pace {
            Pace::AtOnce => (PowerState::Running, Provisioning::Succeeded),
            Pace::Begin => (PowerState::Creating, Provisioning::Creating),
        };
        let configuration = IpConfiguration {
            name: "ipconfig1".to_owned(),
            address: Some(address),
            primary: true,
            ipv6: false,
        };
        set.instances.push(Instance {
            number,
            name: vm_name,
            instance_id,
            id,
            power,
            provisioning,
            health: None,
            nics: vec![Nic {
                name: nic_name,
                id: nic_id,
                primary: Some(true),
                configurations: vec![configuration],
                found: true,
            }],
            raw_vm: None,
            raw_nic: None,
            vm_id: random::guid(),
        });
    }
}

fn places_of_staying(set: &ScaleSet) -> Vec<usize> {
    let staying = |instance: &Instance| instance.provisioning != Provisioning::Deleting;
    let places = set.instances.iter().enumerate();
    places
        .filter(|(_, instance)| staying(instance))
        .map(|(place, _)| place)
        .collect()
}
