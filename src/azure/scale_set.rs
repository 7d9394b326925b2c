//! The inventory: scale sets and their instances, by list calls only.
//!
//! Calls per pass depend on pages, never on instances. Uniform: the set, its interfaces, its
//! machines. Flexible: the set, the machines that name it, the interfaces of their resource group
//! (shared by the group's sets). They run side by side once the set's orchestration mode, which
//! never changes, is known.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex};

use futures::StreamExt as _;
use futures::future::join_all;
use futures::stream::{BoxStream, FuturesUnordered};
use tokio::sync::OnceCell;
use tokio::time::Instant;
use url::Url;

use super::assemble::{self, States};
use super::listing::{Items, decode, malformed};
use super::resource_manager::{Permission, ResourceManager, failure};
use super::wire::{Interface, Machine, ScaleSet};
use crate::model::{
    ArrivingWhy, CompleteListing, Listing, Phase, ReadFailure, ReadFailureKind, ResourceId,
    ScaleSetId,
};
use crate::reconcile::{Inventory, Mode};

const COMPUTE_API: &str = "2024-07-01";
/// The only version Microsoft's own clients ask the interfaces of a set with.
const SET_INTERFACES_API: &str = "2018-10-01";
const NETWORK_API: &str = "2023-09-01";
/// Interfaces outside their machine's resource group that are looked up one by one, at most.
const SINGLE_LOOKUPS: usize = 16;

const READ_SET: Permission = Permission {
    action: "Microsoft.Compute/virtualMachineScaleSets/read",
    what: "the scale set",
};
const LIST_SET_INTERFACES: Permission = Permission {
    action: "Microsoft.Compute/virtualMachineScaleSets/networkInterfaces/read",
    what: "the scale set's network interfaces",
};
const LIST_SET_MACHINES: Permission = Permission {
    action: "Microsoft.Compute/virtualMachineScaleSets/virtualMachines/read",
    what: "the scale set's instances",
};
const LIST_MACHINES: Permission = Permission {
    action: "Microsoft.Compute/virtualMachines/read",
    what: "the virtual machines of the scale set",
};
const LIST_INTERFACES: Permission = Permission {
    action: "Microsoft.Network/networkInterfaces/read",
    what: "the network interfaces of the resource group",
};

/// The inventory of scale sets.
#[derive(Debug)]
pub struct ScaleSets {
    manager: ResourceManager,
    modes: Mutex<BTreeMap<ScaleSetId, Mode>>,
    /// The sets whose instance states may not be read, and what is missing.
    states_forbidden: Mutex<BTreeMap<ScaleSetId, String>>,
}

/// One resource group's interfaces, listed at most once a pass.
type GroupInterfaces = Mutex<HashMap<(String, String), Arc<OnceCell<Items<Interface>>>>>;

impl Inventory for ScaleSets {
    fn list(
        &self,
        sets: BTreeSet<ScaleSetId>,
        deadline: Instant,
    ) -> BoxStream<'_, (ScaleSetId, Listing)> {
        let groups = Arc::new(GroupInterfaces::default());
        let listings: FuturesUnordered<_> = sets
            .into_iter()
            .map(|set| {
                let groups = Arc::clone(&groups);
                async move {
                    let listing = self.read(&set, &groups, deadline).await;
                    (set, listing)
                }
            })
            .collect();
        listings.boxed()
    }

    fn mode(&self, set: &ScaleSetId) -> Option<Mode> {
        self.modes.lock().ok()?.get(set).copied()
    }
}

impl ScaleSets {
    /// Makes the inventory; nothing is read yet.
    #[must_use]
    pub fn new(manager: ResourceManager) -> Self {
        Self {
            manager,
            modes: Mutex::default(),
            states_forbidden: Mutex::default(),
        }
    }

    /// What is missing for reading the states of a set's instances, where a pass has found that out.
    #[must_use]
    pub fn states_forbidden(&self, set: &ScaleSetId) -> Option<String> {
        self.states_forbidden.lock().ok()?.get(set).cloned()
    }

    async fn read(&self, set: &ScaleSetId, groups: &GroupInterfaces, deadline: Instant) -> Listing {
        let (model, listed) = match self.mode(set) {
            Some(mode) => {
                futures::join!(
                    self.model(set, deadline),
                    self.instances(set, mode, groups, deadline)
                )
            }
            None => match self.model(set, deadline).await {
                Ok(model) => {
                    let listed = self.instances(set, mode_of(&model), groups, deadline).await;
                    (Ok(model), listed)
                }
                Err(failed) => return incomplete(set, Vec::new(), failed),
            },
        };
        let model = match model {
            Ok(model) => model,
            Err(failed) => {
                let seen = listed.map(|listed| listed.instances).unwrap_or_default();
                return incomplete(set, seen, failed);
            }
        };
        let mode = mode_of(&model);
        // A set that was deleted and made anew may have changed its mode after all.
        let listed = if self.learn(set, mode) {
            listed
        } else {
            self.instances(set, mode, groups, deadline).await
        };
        let capacity = model.sku.and_then(|sku| sku.capacity);
        match listed {
            Ok(listed) => {
                let failed = listed
                    .failure
                    .or(listed.only_if_empty.filter(|_| capacity != Some(0)));
                match failed {
                    None => Listing::Complete(CompleteListing {
                        set: set.clone(),
                        capacity,
                        instances: listed.instances,
                    }),
                    Some(failed) => incomplete(set, listed.instances, failed),
                }
            }
            Err(failed) => incomplete(set, Vec::new(), failed),
        }
    }

    /// Remembers the mode; false if another one was assumed.
    fn learn(&self, set: &ScaleSetId, mode: Mode) -> bool {
        self.modes.lock().is_ok_and(|mut modes| {
            modes
                .insert(set.clone(), mode)
                .is_none_or(|old| old == mode)
        })
    }

    async fn model(&self, set: &ScaleSetId, deadline: Instant) -> Result<ScaleSet, ReadFailure> {
        let url = self.url(
            set,
            &["Microsoft.Compute", "virtualMachineScaleSets", &set.name],
            COMPUTE_API,
        );
        let body = self.manager.get(&url, READ_SET, deadline).await.map_err(|failed| {
            if failed.kind != ReadFailureKind::NotFound {
                return failed;
            }
            failure(
                ReadFailureKind::NotFound,
                format!(
                    "scale set {} was not found in resource group {} of subscription {}; its servers are kept ({})",
                    set.name, set.resource_group, set.subscription, failed.message
                ),
            )
        })?;
        decode(&body, READ_SET)
    }

    async fn instances(
        &self,
        set: &ScaleSetId,
        mode: Mode,
        groups: &GroupInterfaces,
        deadline: Instant,
    ) -> Result<Listed, ReadFailure> {
        match mode {
            Mode::Uniform => Ok(self.uniform(set, deadline).await),
            Mode::Flexible => self.flexible(set, groups, deadline).await,
        }
    }

    async fn uniform(&self, set: &ScaleSetId, deadline: Instant) -> Listed {
        let base = ["Microsoft.Compute", "virtualMachineScaleSets", &set.name];
        let interfaces = self.url(
            set,
            &[&base[..], &["networkInterfaces"]].concat(),
            SET_INTERFACES_API,
        );
        let mut machines = self.url(
            set,
            &[&base[..], &["virtualMachines"]].concat(),
            COMPUTE_API,
        );
        append_query(&mut machines, "$expand=instanceView");
        let (interfaces, machines) = futures::join!(
            self.manager
                .list::<Interface>(interfaces, LIST_SET_INTERFACES, deadline),
            self.manager
                .list::<Machine>(machines, LIST_SET_MACHINES, deadline),
        );
        // Azure answers 404 for the children of a Uniform set without instances. Whether the set
        // itself exists is told by the read beside this one.
        let (interfaces, not_found) = empty_if_not_found(interfaces);
        let (machines, no_machines) = empty_if_not_found(machines);
        let odd = odd_item(&machines.items, interfaces.items.iter())
            .or_else(|| stray_interface(&interfaces.items));
        let forbidden = machines
            .failure
            .as_ref()
            .is_some_and(|failed| failed.kind == ReadFailureKind::Denied)
            && machines.items.is_empty();
        if forbidden {
            self.tell_forbidden(set, machines.failure.as_ref());
            let instances = assemble::uniform(None, &interfaces.items, &States::untold());
            return Listed {
                instances,
                failure: interfaces.failure.or(odd),
                only_if_empty: not_found,
            };
        }
        let interface_alone = States {
            phase: Phase::Arriving(ArrivingWhy::InterfaceOnly),
            ..States::untold()
        };
        Listed {
            instances: assemble::uniform(
                Some(&machines.items),
                &interfaces.items,
                &interface_alone,
            ),
            failure: interfaces.failure.or(machines.failure).or(odd).or_else(|| {
                // One "not found" beside items of the other list is no empty set.
                let counted = |machine: &Machine| assemble::states(machine).counted;
                let not_found = not_found.filter(|_| machines.items.iter().any(counted));
                not_found.or_else(|| no_machines.filter(|_| !interfaces.items.is_empty()))
            }),
            only_if_empty: None,
        }
    }

    fn tell_forbidden(&self, set: &ScaleSetId, failed: Option<&ReadFailure>) {
        let Some(failed) = failed else { return };
        let first = self
            .states_forbidden
            .lock()
            .is_ok_and(|mut told| told.insert(set.clone(), failed.message.clone()).is_none());
        if first {
            tracing::warn!(
                set = %set,
                "instance states cannot be read, working from network interfaces alone: a stopped instance stays \
                 in its upstream. {failed}"
            );
        }
    }

    async fn flexible(
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
        let url = |expand: &str| {
            let mut url = self.url(set, &["Microsoft.Compute", "virtualMachines"], COMPUTE_API);
            // The quotes around the property's name belong to the expression.
            let id = set.path().replace('\'', "''");
            append_query(
                &mut url,
                &format!("$filter='virtualMachineScaleSet/id' eq '{id}'{expand}"),
            );
            url
        };
        let mut listed: Items<Machine> = self
            .manager
            .list(url("&$expand=instanceView"), LIST_MACHINES, deadline)
            .await;
        let lacks_profile = |machine: &Machine| {
            let creating = matches!(assemble::states(machine).phase, Phase::Arriving(_));
            assemble::references(machine).is_none()
                && !creating
                && assemble::states(machine).counted
        };
        // An expanded reply may lack parts of the model: then the plain one has them.
        if listed.failure.is_none() && listed.items.iter().any(lacks_profile) {
            let plain: Items<Machine> = self.manager.list(url(""), LIST_MACHINES, deadline).await;
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
        let url = self.url(
            set,
            &["Microsoft.Network", "networkInterfaces"],
            NETWORK_API,
        );
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

    fn url(&self, set: &ScaleSetId, provider_path: &[&str], version: &str) -> Url {
        let mut url = self.manager.endpoint.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.clear();
            path.extend([
                "subscriptions",
                &set.subscription,
                "resourceGroups",
                &set.resource_group,
                "providers",
            ]);
            path.extend(provider_path);
        }
        append_query(&mut url, &format!("api-version={version}"));
        url
    }
}

struct Listed {
    instances: Vec<crate::model::Instance>,
    failure: Option<ReadFailure>,
    /// A failure unless the set wants no instances: its interfaces were not found, and its machines
    /// could not be asked.
    only_if_empty: Option<ReadFailure>,
}

fn incomplete(
    set: &ScaleSetId,
    seen: Vec<crate::model::Instance>,
    failure: ReadFailure,
) -> Listing {
    Listing::Incomplete {
        set: set.clone(),
        seen,
        failure,
    }
}

/// Appends to the query, with blanks as `%20`: a form encoder's `+` is not a blank to every part
/// of Resource Manager.
fn append_query(url: &mut Url, pairs: &str) {
    let query = match url.query() {
        Some(query) => format!("{query}&{pairs}"),
        None => pairs.to_owned(),
    };
    url.set_query(Some(&query));
}

fn mode_of(model: &ScaleSet) -> Mode {
    let mode = model
        .properties
        .as_ref()
        .and_then(|properties| properties.orchestration_mode.as_deref());
    match mode {
        Some(mode) if mode.eq_ignore_ascii_case("Flexible") => Mode::Flexible,
        _ => Mode::Uniform,
    }
}

/// Takes "not found" for an empty list, and gives it back beside.
fn empty_if_not_found<T>(listed: Items<T>) -> (Items<T>, Option<ReadFailure>) {
    let not_found = |failed: &ReadFailure| failed.kind == ReadFailureKind::NotFound;
    match listed.failure {
        Some(failed) if not_found(&failed) && listed.items.is_empty() => {
            (Items::none(), Some(failed))
        }
        _ => (listed, None),
    }
}

/// An item that can be decoded, because everything is optional, and that tells nothing all the
/// same: its machine or its address is not known.
fn odd_item<'a>(
    machines: &[Machine],
    mut interfaces: impl Iterator<Item = &'a Interface>,
) -> Option<ReadFailure> {
    let text = "an item without its properties";
    if machines.iter().any(|machine| machine.properties.is_none()) {
        return Some(malformed(LIST_MACHINES, text));
    }
    interfaces
        .any(|interface| interface.properties.is_none())
        .then(|| malformed(LIST_INTERFACES, text))
}

/// An interface in a Uniform set's own list that does not say whose it is.
fn stray_interface(interfaces: &[Interface]) -> Option<ReadFailure> {
    let is_stray = |interface: &Interface| assemble::uniform_instance(interface).is_none();
    let text = "an interface does not tell its instance";
    interfaces
        .iter()
        .any(is_stray)
        .then(|| malformed(LIST_SET_INTERFACES, text))
}

fn same_id(a: &Machine, b: &Machine) -> bool {
    let id = |machine: &Machine| machine.id.as_deref().map(str::to_lowercase);
    id(a).is_some() && id(a) == id(b)
}
