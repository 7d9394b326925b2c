//! The instances of a Flexible set: virtual machines of its resource group that name it.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use futures::future::join_all;
use tokio::sync::OnceCell;
use tokio::time::Instant;
use url::Url;

use super::assemble::{self, Nic, States};
use super::listing::{Items, decode, malformed};
use super::page::PageReader;
use super::resource_manager::{Permission, failure};
use super::scale_set::{COMPUTE_API, GroupInterfaces, Listed, ScaleSets, append_query, odd_item};
use super::wire::{Interface, Machine};
use crate::model::{
    Address, Instance, NoAddress, Phase, ReadFailure, ReadFailureKind, ResourceId, ScaleSetId,
};

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
        let cell = self.group_cell(set, groups)?;
        let (members, group) = futures::join!(
            self.members(set, deadline),
            cell.get_or_init(|| self.group(set, deadline))
        );
        let mut failed = members.failure.or_else(|| group.failure.clone());
        let members = members.items;
        let mut elsewhere: HashMap<ResourceId, Nic> = HashMap::new();
        if group.failure.is_none() {
            let missing: BTreeSet<&ResourceId> = members
                .iter()
                .filter(|member| member.states.counted)
                .flat_map(Member::references)
                .map(|reference| &reference.id)
                .filter(|id| !group.nics.contains_key(id))
                .collect();
            let lookup = self.look_up(&missing, deadline).await;
            failed = failed.or(lookup.failure);
            elsewhere.extend(lookup.items);
        }
        let find = |id: &ResourceId| group.nics.get(id).or_else(|| elsewhere.get(id)).copied();
        let odd = odd_item(
            members.iter().any(|member| member.is_odd),
            members
                .iter()
                .flat_map(Member::references)
                .filter_map(|reference| find(&reference.id))
                .any(|nic| nic.is_odd),
        );
        Ok(Listed {
            failure: failed.or(odd),
            instances: members
                .into_iter()
                .map(|member| member.instance(find))
                .collect(),
            only_if_empty: None,
        })
    }

    /// The machines that name the set as theirs, with their states and interfaces.
    async fn members(&self, set: &ScaleSetId, deadline: Instant) -> Items<Member> {
        let list = |url: Url| {
            self.manager
                .list::<Machine, Member>(url, LIST_MACHINES, deadline)
        };
        let mut listed = list(self.members_url(set, true)).await;
        let lacks_profile = |member: &Member| {
            let creating = matches!(member.states.phase, Phase::Arriving(_));
            member.references.is_none() && !creating && member.states.counted
        };
        // An expanded reply may lack parts of the model: then the plain one has them.
        if listed.failure.is_none() && listed.items.iter().any(lacks_profile) {
            let plain = list(self.members_url(set, false)).await;
            let twins = plain.items.into_iter();
            let mut twins: HashMap<String, Vec<Reference>> = twins
                .filter_map(|twin| Some((twin.key?, twin.references?)))
                .collect();
            for member in &mut listed.items {
                if !member.is_odd && member.references.is_none() {
                    let twin = member.key.as_ref().and_then(|key| twins.remove(key));
                    member.references = twin;
                }
            }
            listed.failure = plain.failure;
        }
        // Were the filter not honoured, the rest may lack as well as add.
        let own = ResourceId::parse(&set.path());
        let all = listed.items.len();
        listed
            .items
            .retain(|member| member.set.is_none() || member.set == own);
        if listed.items.len() < all {
            let strangers = || malformed(LIST_MACHINES, "machines of another scale set are in it");
            listed.failure.get_or_insert_with(strangers);
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

    fn group_cell(
        &self,
        set: &ScaleSetId,
        groups: &GroupInterfaces,
    ) -> Result<Arc<OnceCell<Group>>, ReadFailure> {
        let key = (
            set.subscription.to_lowercase(),
            set.resource_group.to_lowercase(),
        );
        let message = || "the list of interfaces is not available".to_owned();
        groups
            .lock()
            .map(|mut groups| Arc::clone(groups.entry(key).or_default()))
            .map_err(|_| failure(ReadFailureKind::Malformed, message()))
    }

    async fn group(&self, set: &ScaleSetId, deadline: Instant) -> Group {
        let url = self.group_interfaces_url(set);
        let listed = self
            .manager
            .list::<Interface, GroupNic>(url, LIST_INTERFACES, deadline)
            .await;
        let nics = listed.items.into_iter();
        Group {
            nics: nics.filter_map(GroupNic::known).collect(),
            failure: listed.failure,
        }
    }

    /// Interfaces that their group's list does not show: attached from another group, or in a
    /// race with their creation or deletion. Not found means that machine alone has none.
    async fn look_up(
        &self,
        missing: &BTreeSet<&ResourceId>,
        deadline: Instant,
    ) -> Items<(ResourceId, Nic)> {
        let mut looked_up = Items::none();
        if missing.len() > SINGLE_LOOKUPS {
            let message = format!(
                "the list of network interfaces lacks {} that machines refer to; nothing is removed on its strength",
                missing.len()
            );
            looked_up.failure = Some(failure(ReadFailureKind::Malformed, message));
        }
        let lookups = missing.iter().take(SINGLE_LOOKUPS).map(|&id| async move {
            let Some(url) = self.interface_url(id) else {
                return (id, Ok(None));
            };
            let got = self.manager.get::<Vec<u8>>(&url, LIST_INTERFACES, deadline);
            let answer = match got.await {
                Ok(body) => decode::<Interface>(&body, LIST_INTERFACES).map(Some),
                Err(failed) if failed.kind == ReadFailureKind::NotFound => Ok(None),
                Err(failed) => Err(failed),
            };
            (id, answer)
        });
        for (id, answer) in join_all(lookups).await {
            match answer {
                Ok(Some(interface)) => {
                    looked_up.items.push((id.clone(), Nic::from(&interface)));
                }
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

/// What a pass computes of one page of each listing; see [`super::instances`].
pub(super) fn of_pages(
    machines: &[u8],
    interfaces: &[u8],
) -> Result<Vec<Instance>, serde_json::Error> {
    let members = PageReader::<Machine, Member>::read(machines)?.items;
    let nics = PageReader::<Interface, GroupNic>::read(interfaces)?.items;
    let nics: HashMap<ResourceId, Nic> = nics.into_iter().filter_map(GroupNic::known).collect();
    let find = |id: &ResourceId| nics.get(id).copied();
    let members = members.into_iter();
    Ok(members.map(|member| member.instance(find)).collect())
}

/// The interfaces of a resource group.
#[derive(Debug)]
pub(super) struct Group {
    nics: HashMap<ResourceId, Nic>,
    failure: Option<ReadFailure>,
}

/// What is kept of an interface.
#[derive(Debug)]
struct GroupNic {
    id: Option<ResourceId>,
    nic: Nic,
}

impl GroupNic {
    fn known(self) -> Option<(ResourceId, Nic)> {
        Some((self.id?, self.nic))
    }
}

impl From<Interface> for GroupNic {
    fn from(interface: Interface) -> Self {
        Self {
            id: interface.id.as_deref().and_then(ResourceId::parse),
            nic: Nic::from(&interface),
        }
    }
}

/// What is kept of a machine.
#[derive(Debug)]
struct Member {
    /// What tells it from the group's other machines: the end of its id, in lower case.
    key: Option<String>,
    name: String,
    states: States,
    /// The set that it says it belongs to.
    set: Option<ResourceId>,
    /// `None` where the reply leaves them out.
    references: Option<Vec<Reference>>,
    /// Nothing is told of it.
    is_odd: bool,
}

/// A machine's word that an interface is its own.
#[derive(Debug)]
struct Reference {
    id: ResourceId,
    is_primary: bool,
}

impl From<Machine> for Member {
    fn from(machine: Machine) -> Self {
        let id = machine.id.as_deref();
        let key = id.map(|id| id.rsplit('/').next().unwrap_or_default());
        let name = machine.name.as_deref().or(key);
        Self {
            key: key.map(str::to_lowercase),
            name: assemble::named(name.unwrap_or_default()),
            states: assemble::states(&machine),
            set: set_of(&machine),
            references: references(&machine),
            is_odd: machine.properties.is_none(),
        }
    }
}

fn set_of(machine: &Machine) -> Option<ResourceId> {
    let set = machine
        .properties
        .as_ref()?
        .virtual_machine_scale_set
        .as_ref();
    ResourceId::parse(set?.id.as_deref()?)
}

fn references(machine: &Machine) -> Option<Vec<Reference>> {
    let profile = machine.properties.as_ref()?.network_profile.as_ref()?;
    let references = profile.network_interfaces.as_ref()?.iter();
    Some(
        references
            .filter_map(|reference| {
                let id = ResourceId::parse(reference.id.as_deref()?)?;
                let properties = reference.properties.as_ref();
                let primary = properties.and_then(|properties| properties.primary);
                Some(Reference {
                    id,
                    is_primary: primary == Some(true),
                })
            })
            .collect(),
    )
}

impl Member {
    fn references(&self) -> &[Reference] {
        self.references.as_deref().unwrap_or_default()
    }

    fn instance(self, find: impl Fn(&ResourceId) -> Option<Nic>) -> Instance {
        let references = self.references();
        let marked = references.iter().find(|reference| reference.is_primary);
        // The machine says which interface is primary; another one does not stand in for it.
        let nics: Vec<Nic> = match marked {
            Some(marked) => find(&marked.id).into_iter().collect(),
            None => references.iter().filter_map(|own| find(&own.id)).collect(),
        };
        // One that is named and not found goes away with its machine; that a running one has none
        // at all is a contradiction.
        let unlisted = references.is_empty() && self.states.runs;
        let mut instance = assemble::instance(self.name, self.states, &nics);
        if unlisted {
            instance.address = Address::Missing(NoAddress::InterfaceUnlisted);
        }
        instance
    }
}
