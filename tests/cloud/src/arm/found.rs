//! Finding what a request names: scale sets, machines and network interfaces.

use serde_json::Value;

use super::body;
use super::list::Item;
use super::problem::Problem;
use super::route::Target;
use crate::world::{EmptyNicList, Instance, Nic, OrchestrationMode, ScaleSet, SetKey, State};

/// Looks things up in the resource group that a request names, and prints them.
pub(super) struct Found<'a> {
    pub(super) state: &'a State,
    pub(super) target: &'a Target,
}

impl<'a> Found<'a> {
    /// The scale set of that name.
    pub(super) fn set(&self, name: &str) -> Result<&'a ScaleSet, Problem> {
        let key = SetKey {
            subscription: self.target.subscription.to_lowercase(),
            group: self.target.group.to_lowercase(),
            name: name.to_lowercase(),
        };
        let missing = || {
            let kind = "Microsoft.Compute/virtualMachineScaleSets";
            Problem::no_resource(kind, name, &self.target.group)
        };
        self.state
            .compute
            .sets
            .iter()
            .find(|set| set.is_at(&key))
            .ok_or_else(missing)
    }

    pub(super) fn scale_set(&self, name: &str) -> Result<Value, Problem> {
        Ok(body::scale_set(self.set(name)?))
    }

    pub(super) fn scale_set_view(&self, name: &str) -> Result<Value, Problem> {
        Ok(body::scale_set_view(self.set(name)?))
    }

    pub(super) fn scale_set_nics(&self, name: &str) -> Result<Vec<Item>, Problem> {
        let set = self.uniform_set(name)?;
        if set.instances.is_empty() && self.state.compute.empty_nic_list == EmptyNicList::NotFound {
            return Err(Problem::nics_not_found(&set.id()));
        }
        Ok(set.instances.iter().flat_map(body::instance_nics).collect())
    }

    pub(super) fn scale_set_machines(
        &self,
        name: &str,
        expand: bool,
    ) -> Result<Vec<Item>, Problem> {
        let set = self.set(name)?;
        let machines = set.instances.iter();
        Ok(machines
            .map(|instance| Item {
                place: instance.number * 100,
                body: body::scale_set_machine(set, instance, expand),
            })
            .collect())
    }

    pub(super) fn scale_set_machine(
        &self,
        name: &str,
        id: &str,
        expand: bool,
    ) -> Result<Value, Problem> {
        let set = self.set(name)?;
        Ok(body::scale_set_machine(set, instance(set, id)?, expand))
    }

    pub(super) fn scale_set_machine_view(&self, name: &str, id: &str) -> Result<Value, Problem> {
        Ok(body::instance_view(instance(self.set(name)?, id)?))
    }

    pub(super) fn scale_set_machine_nics(
        &self,
        name: &str,
        id: &str,
    ) -> Result<Vec<Item>, Problem> {
        let set = self.uniform_set(name)?;
        Ok(body::instance_nics(instance(set, id)?))
    }

    pub(super) fn scale_set_machine_nic(
        &self,
        name: &str,
        id: &str,
        nic: &str,
    ) -> Result<Value, Problem> {
        let set = self.uniform_set(name)?;
        let owner = instance(set, id)?;
        let found = owner
            .nics
            .iter()
            .find(|found| found.name.eq_ignore_ascii_case(nic));
        let found = found.filter(|nic| nic.found);
        found
            .map(|found| body::nic(found, Some(owner)))
            .ok_or_else(|| {
                Problem::nics_not_found(&format!("{}/networkInterfaces/{nic}", owner.id))
            })
    }

    /// The machines of the group: all, or those of the set that the filter names.
    pub(super) fn machines(&self, of_set: Option<&str>, expand: bool) -> Vec<Item> {
        let sets = self
            .flexible_sets()
            .filter(|(_, set)| of_set.is_none_or(|id| set.id().eq_ignore_ascii_case(id)));
        sets.flat_map(|(place, set)| {
            set.instances.iter().map(move |instance| Item {
                place: place as u64 * 1_000_000_000 + instance.number * 100,
                body: self.machine_body(set, instance, expand),
            })
        })
        .collect()
    }

    pub(super) fn machine(&self, name: &str, expand: bool) -> Result<Value, Problem> {
        let (set, instance) = self.find_machine(name)?;
        Ok(self.machine_body(set, instance, expand))
    }

    pub(super) fn machine_view(&self, name: &str) -> Result<Value, Problem> {
        Ok(body::instance_view(self.find_machine(name)?.1))
    }

    /// The NICs of the group: those of Flexible machines, wherever these are, and the orphans.
    pub(super) fn nics(&self) -> Vec<Item> {
        let compute = &self.state.compute;
        let group = format!(
            "/subscriptions/{}/resourcegroups/{}/",
            self.target.subscription, self.target.group
        )
        .to_lowercase();
        let here = |nic: &Nic| nic.id.to_lowercase().starts_with(&group);
        let sets = compute.sets.iter().zip(0_u64..);
        let flexible = sets.filter(|(set, _)| set.mode == OrchestrationMode::Flexible);
        let owned = flexible.flat_map(|(set, place)| {
            set.instances
                .iter()
                .flat_map(|instance| body::listed_nics(instance, here))
                .map(move |item| Item {
                    place: place * 1_000_000_000 + item.place,
                    ..item
                })
        });
        let orphans = compute.orphans.iter().zip(1_000_000_000_000_u64..);
        let orphans = orphans.filter(|(orphan, _)| here(orphan));
        let orphans = orphans.map(|(orphan, place)| Item {
            place,
            body: body::nic(orphan, None),
        });
        owned.chain(orphans).collect()
    }

    pub(super) fn nic(&self, name: &str) -> Result<Value, Problem> {
        let wanted = |item: &Item| {
            item.body["name"]
                .as_str()
                .is_some_and(|found| found.eq_ignore_ascii_case(name))
        };
        let found = self.nics().into_iter().find(wanted);
        found.map(|item| item.body).ok_or_else(|| {
            let kind = "Microsoft.Network/networkInterfaces";
            Problem::no_resource(kind, name, &self.target.group)
        })
    }

    fn uniform_set(&self, name: &str) -> Result<&'a ScaleSet, Problem> {
        let set = self.set(name)?;
        match set.mode {
            OrchestrationMode::Uniform => Ok(set),
            OrchestrationMode::Flexible => Err(Problem::nics_not_found(&set.id())),
        }
    }

    fn flexible_sets(&self) -> impl Iterator<Item = (usize, &'a ScaleSet)> {
        let (subscription, group) = (&self.target.subscription, &self.target.group);
        self.state
            .compute
            .sets
            .iter()
            .enumerate()
            .filter(move |(_, set)| {
                set.mode == OrchestrationMode::Flexible
                    && set.subscription.eq_ignore_ascii_case(subscription)
                    && set.group.eq_ignore_ascii_case(group)
            })
    }

    fn find_machine(&self, name: &str) -> Result<(&'a ScaleSet, &'a Instance), Problem> {
        let mut machines = self
            .flexible_sets()
            .flat_map(|(_, set)| set.instances.iter().map(move |instance| (set, instance)));
        machines
            .find(|(_, instance)| instance.name.eq_ignore_ascii_case(name))
            .ok_or_else(|| {
                let kind = "Microsoft.Compute/virtualMachines";
                Problem::no_resource(kind, name, &self.target.group)
            })
    }

    fn machine_body(&self, set: &ScaleSet, instance: &Instance, expand: bool) -> Value {
        let mut body = body::machine(set, instance, expand);
        if expand
            && self.state.compute.expand_drops_profile
            && let Some(properties) = body.get_mut("properties").and_then(Value::as_object_mut)
        {
            properties.remove("networkProfile");
        }
        body
    }
}

fn instance<'a>(set: &'a ScaleSet, id: &str) -> Result<&'a Instance, Problem> {
    let mut instances = set.instances.iter();
    instances
        .find(|instance| instance.instance_id.eq_ignore_ascii_case(id))
        .ok_or_else(|| Problem::no_instance(id))
}
