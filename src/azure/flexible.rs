//! The instances of a Flexible set: virtual machines of its resource group that name it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures::future::join_all;
use tokio::time::Instant;
use url::Url;

use super::assemble;
use super::listing::{Items, decode};
use super::resource_manager::{Permission, failure};
use super::scale_set::{COMPUTE_API, GroupInterfaces, Listed, ScaleSets, append_query, odd_item};
use super::wire::{Interface, Machine};
use crate::model::{Phase, ReadFailure, ReadFailureKind, ResourceId, ScaleSetId};

const NETWORK_API: &str = "2023-09-01";

/// Interfaces outside their machine's resource group that are looked up one by one, at most.
const SINGLE_LOOKUPS: usize = 16;

pub(super) const LIST_MACHINES: Permission = Permission {
    action: "Microsoft.Compute/virtualMachines/read",
    what: "the virtual machines of the scale set",
};

pub(super) const LIST_INTERFACES: Permission = Permission {
    action: "Microsoft.Network/networkInterfaces/read",
    what: "the network interfaces of the resource group",
};

impl ScaleSets {
    pub(super) async fn flexible(
        &self,
        set: &ScaleSetId,
        groups: &GroupInterfaces,
        deadline: Instant,
    ) -> Result<Listed, ReadFailure> {
        let (machines, interfaces) = futures::join!(
            self.members(set, deadline),
            self.group_interfaces(set, groups, deadline)
        );
        let mut failed = machines.failure.or_else(|| interfaces.failure.clone());
        let known = &interfaces.items;
        let mut found: BTreeMap<ResourceId, Interface> = known
            .iter()
            .filter_map(|nic| Some((ResourceId::parse(nic.id.as_deref()?)?, nic.clone())))
            .collect();
        if interfaces.failure.is_none() {
            let missing: BTreeSet<ResourceId> = machines
                .items
                .iter()
                .filter(|machine| assemble::states(machine).counted)
                .filter_map(assemble::references)
                .flatten()
                .map(|(id, _)| id)
                .filter(|id| !found.contains_key(id))
                .collect();
            let lookup = self.look_up(&missing, deadline).await;
            failed = failed.or(lookup.failure);
            found.extend(lookup.items);
        }
        let of_ours = machines.items.iter().filter_map(assemble::references);
        let ours = of_ours.flatten().filter_map(|(id, _)| found.get(&id));
        Ok(Listed {
            failure: failed.or_else(|| odd_item(&machines.items, ours)),
            instances: assemble::flexible(&machines.items, &found),
            only_if_empty: None,
        })
    }

    /// The machines that name the set as theirs, with their states and interfaces.
    async fn members(&self, set: &ScaleSetId, deadline: Instant) -> Items<Machine> {
        let mut listed: Items<Machine> = self
            .manager
            .list(self.members_url(set, true), LIST_MACHINES, deadline)
            .await;
        let lacks_profile = |machine: &Machine| {
            let creating = matches!(assemble::states(machine).phase, Phase::Arriving(_));
            assemble::references(machine).is_none()
                && !creating
                && assemble::states(machine).counted
        };
        // An expanded reply may lack parts of the model: then the plain one has them.
        if listed.failure.is_none() && listed.items.iter().any(lacks_profile) {
            let plain = self.members_url(set, false);
            let plain: Items<Machine> = self.manager.list(plain, LIST_MACHINES, deadline).await;
            for machine in &mut listed.items {
                let twin = plain.items.iter().find(|other| same_id(other, machine));
                let profile = twin
                    .and_then(|twin| twin.properties.as_ref())
                    .and_then(|properties| properties.network_profile.clone());
                if let (Some(properties), Some(profile)) = (&mut machine.properties, profile) {
                    properties.network_profile.get_or_insert(profile);
                }
            }
            listed.failure = plain.failure;
        }
        listed
    }

    /// The machines that name the set as theirs.
    pub(super) fn members_url(&self, set: &ScaleSetId, with_states: bool) -> Url {
        let mut url = self.url(set, &["Microsoft.Compute", "virtualMachines"], COMPUTE_API);
        // The quotes around the property's name belong to the expression.
        let id = set.path().replace('\'', "''");
        let expand = if with_states {
            "&$expand=instanceView"
        } else {
            ""
        };
        append_query(
            &mut url,
            &format!("$filter='virtualMachineScaleSet/id' eq '{id}'{expand}"),
        );
        url
    }

    pub(super) fn group_interfaces_url(&self, set: &ScaleSetId) -> Url {
        let path = ["Microsoft.Network", "networkInterfaces"];
        self.url(set, &path, NETWORK_API)
    }

    async fn group_interfaces(
        &self,
        set: &ScaleSetId,
        groups: &GroupInterfaces,
        deadline: Instant,
    ) -> Items<Interface> {
        let key = (
            set.subscription.to_lowercase(),
            set.resource_group.to_lowercase(),
        );
        let Some(cell) = groups
            .lock()
            .ok()
            .map(|mut groups| Arc::clone(groups.entry(key).or_default()))
        else {
            let message = "the list of interfaces is not available".to_owned();
            return Items {
                items: vec![],
                failure: Some(failure(ReadFailureKind::Malformed, message)),
            };
        };
        let url = self.group_interfaces_url(set);
        cell.get_or_init(|| self.manager.list(url, LIST_INTERFACES, deadline))
            .await
            .clone()
    }

    /// Interfaces that their group's list does not show: attached from another group, or in a
    /// race with their creation or deletion. Not found means that machine alone has none.
    async fn look_up(
        &self,
        missing: &BTreeSet<ResourceId>,
        deadline: Instant,
    ) -> Items<(ResourceId, Interface)> {
        let mut looked_up = Items::none();
        if missing.len() > SINGLE_LOOKUPS {
            let message = format!(
                "the list of network interfaces lacks {} that machines refer to; nothing is removed on its strength",
                missing.len()
            );
            looked_up.failure = Some(failure(ReadFailureKind::Malformed, message));
        }
        let lookups = missing.iter().take(SINGLE_LOOKUPS).map(|id| async move {
            let Some(url) = self.interface_url(id) else {
                return (id, Ok(None));
            };
            let answer = match self.manager.get(&url, LIST_INTERFACES, deadline).await {
                Ok(body) => decode::<Interface>(&body, LIST_INTERFACES).map(Some),
                Err(failed) if failed.kind == ReadFailureKind::NotFound => Ok(None),
                Err(failed) => Err(failed),
            };
            (id, answer)
        });
        for (id, answer) in join_all(lookups).await {
            match answer {
                Ok(Some(interface)) => looked_up.items.push((id.clone(), interface)),
                Ok(None) => {}
                Err(failed) => looked_up.failure = Some(failed),
            }
        }
        looked_up
    }

    /// The URL of one interface, built from the id's checked parts.
    fn interface_url(&self, id: &ResourceId) -> Option<Url> {
        if id.top_type() != "microsoft.network/networkinterfaces" {
            return None;
        }
        let name = id.name_of("networkinterfaces")?;
        let set = ScaleSetId {
            subscription: id.subscription().to_owned(),
            resource_group: id.resource_group().to_owned(),
            name: String::new(),
        };
        Some(self.url(
            &set,
            &["Microsoft.Network", "networkInterfaces", name],
            NETWORK_API,
        ))
    }
}

fn same_id(a: &Machine, b: &Machine) -> bool {
    let id = |machine: &Machine| machine.id.as_deref().map(str::to_lowercase);
    id(a).is_some() && id(a) == id(b)
}
