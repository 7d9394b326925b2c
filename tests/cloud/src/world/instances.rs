//! Single instances and their network interfaces, changed one by one.

use serde_json::Value;

use super::{
    Health, Instance, InstanceRef, IpConfiguration, Nic, OrchestrationMode, PowerState,
    Provisioning, World,
};

impl World {
    /// One instance of a set, as it is now.
    #[must_use]
    pub fn instance(&self, name: &str, which: impl Into<InstanceRef>) -> Instance {
        self.change(name, which, |instance| instance.clone())
    }

    /// Sets the power state.
    pub fn set_power(&self, name: &str, which: impl Into<InstanceRef>, power: PowerState) {
        self.change(name, which, |instance| instance.power = power);
    }

    /// Sets the provisioning state.
    pub fn set_provisioning(
        &self,
        name: &str,
        which: impl Into<InstanceRef>,
        provisioning: Provisioning,
    ) {
        self.change(name, which, |instance| instance.provisioning = provisioning);
    }

    /// Sets what the health extension reports; none is a set without the extension.
    pub fn set_health(&self, name: &str, which: impl Into<InstanceRef>, health: Option<Health>) {
        self.change(name, which, |instance| instance.health = health);
    }

    /// The instance is being deleted: still listed, and still serving.
    pub fn mark_deleting(&self, name: &str, which: impl Into<InstanceRef>) {
        self.set_provisioning(name, which, Provisioning::Deleting);
    }

    /// The instance is gone, its address is free and its software answers no more. The set's
    /// capacity stays as it was.
    pub fn delete_instance(&self, name: &str, which: impl Into<InstanceRef>) {
        let which = which.into();
        self.with(|state| {
            let set = state.compute.set(name);
            let place = place(&set.instances, &which);
            set.instances.remove(place);
            state.compute.close_dead_backends();
        });
    }

    /// The end of [`World::mark_deleting`]; another name for [`World::delete_instance`].
    pub fn finish_delete(&self, name: &str, which: impl Into<InstanceRef>) {
        self.delete_instance(name, which);
    }

    /// Gives the instance a second network interface that is not the primary one.
    pub fn add_nic(&self, name: &str, which: impl Into<InstanceRef>, address: &str) {
        self.change(name, which, |instance| {
            let Some(first) = instance.nics.first() else {
                panic!("the instance has no NIC")
            };
            let nic_name = format!("{}-{}", first.name, instance.nics.len());
            let stem = first.id.rsplit_once('/').map_or("", |(stem, _)| stem);
            instance.nics.push(Nic {
                id: format!("{stem}/{nic_name}"),
                name: nic_name,
                primary: Some(false),
                configurations: vec![IpConfiguration {
                    name: "ipconfig1".to_owned(),
                    address: Some(address.to_owned()),
                    primary: true,
                    ipv6: false,
                }],
                found: true,
            });
        });
    }

    /// Gives the first network interface one more IP configuration that is not the primary one.
    pub fn add_ip_configuration(&self, name: &str, which: impl Into<InstanceRef>, address: &str) {
        self.change(name, which, |instance| {
            let Some(nic) = instance.nics.first_mut() else {
                panic!("the instance has no NIC")
            };
            nic.configurations.push(IpConfiguration {
                name: format!("ipconfig{}", nic.configurations.len() + 1),
                address: Some(address.to_owned()),
                primary: false,
                ipv6: address.contains(':'),
            });
        });
    }

    /// Replaces the address of the primary IP configuration; an IPv6 address makes it an IPv6
    /// configuration, none makes it a configuration without an address.
    pub fn set_address(&self, name: &str, which: impl Into<InstanceRef>, address: Option<&str>) {
        self.change(name, which, |instance| {
            let configuration = instance
                .nics
                .first_mut()
                .and_then(|nic| nic.configurations.first_mut());
            let Some(configuration) = configuration else {
                panic!("the instance has no NIC")
            };
            configuration.address = address.map(str::to_owned);
            configuration.ipv6 = address.is_some_and(|address| address.contains(':'));
        });
    }

    /// Takes all network interfaces from the instance, as early in its creation.
    pub fn drop_nics(&self, name: &str, which: impl Into<InstanceRef>) {
        self.change(name, which, |instance| instance.nics.clear());
    }

    /// The machine still names its network interfaces, but Resource Manager finds them no more:
    /// the routine race of a deletion.
    pub fn hide_nics(&self, name: &str, which: impl Into<InstanceRef>) {
        self.change(name, which, |instance| {
            for nic in &mut instance.nics {
                nic.found = false;
            }
        });
    }

    /// Moves the network interfaces of a Flexible instance to another resource group.
    pub fn move_nics(&self, name: &str, which: impl Into<InstanceRef>, group: &str) {
        let which = which.into();
        self.with(|state| {
            let set = state.compute.set(name);
            assert_eq!(set.mode, OrchestrationMode::Flexible, "only Flexible NICs can be elsewhere");
            let subscription = set.subscription.clone();
            let place = place(&set.instances, &which);
            for nic in &mut set.instances[place].nics {
                nic.id = format!(
                    "/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.Network/networkInterfaces/{}",
                    nic.name
                );
            }
            state.compute.known_groups.insert((subscription.to_lowercase(), group.to_lowercase()));
        });
    }

    /// A network interface in the cloud's own group that belongs to no machine.
    pub fn add_orphan_nic(&self, nic_name: &str, address: &str) {
        self.with(|state| {
            let (subscription, group) =
                (state.compute.subscription.clone(), state.compute.group.clone());
            let id = format!(
                "/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.Network/networkInterfaces/{nic_name}"
            );
            let configuration = IpConfiguration {
                name: "ipconfig1".to_owned(),
                address: Some(address.to_owned()),
                primary: true,
                ipv6: false,
            };
            let nic = Nic {
                name: nic_name.to_owned(),
                id,
                primary: Some(true),
                configurations: vec![configuration],
                found: true,
            };
            state.compute.orphans.push(nic);
        });
    }

    /// Prints this in the VM list in place of the instance; none prints the instance again.
    pub fn set_raw_vm(&self, name: &str, which: impl Into<InstanceRef>, raw: Option<Value>) {
        self.change(name, which, |instance| instance.raw_vm = raw);
    }

    /// Prints this in the NIC list in place of the instance's first NIC.
    pub fn set_raw_nic(&self, name: &str, which: impl Into<InstanceRef>, raw: Option<Value>) {
        self.change(name, which, |instance| instance.raw_nic = raw);
    }

    /// Changes anything about an instance.
    pub fn change<T>(
        &self,
        name: &str,
        which: impl Into<InstanceRef>,
        change: impl FnOnce(&mut Instance) -> T,
    ) -> T {
        let which = which.into();
        self.with(|state| {
            let set = state.compute.set(name);
            let place = place(&set.instances, &which);
            let result = change(&mut set.instances[place]);
            state.compute.close_dead_backends();
            result
        })
    }
}

fn place(instances: &[Instance], which: &InstanceRef) -> usize {
    let found = match which {
        InstanceRef::Place(place) => (*place < instances.len()).then_some(*place),
        InstanceRef::Id(id) => instances
            .iter()
            .position(|instance| instance.instance_id == *id || instance.name == *id),
    };
    found.unwrap_or_else(|| panic!("there is no instance {which:?} among {}", instances.len()))
}
