//! The inventory: scale sets and their instances, by list calls only.
//!
//! Calls per pass depend on pages, never on instances. Uniform: the set, its interfaces, its
//! machines. Flexible: the set, the machines that name it, the interfaces of their resource group
//! (shared by the group's sets). They run side by side once the set's orchestration mode, which
//! never changes, is known.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex};

use futures::StreamExt as _;
use futures::future::BoxFuture;
use futures::stream::{BoxStream, FuturesUnordered};
use tokio::sync::OnceCell;
use tokio::time::Instant;
use url::Url;

use super::flexible::{Group, LIST_INTERFACES, LIST_MACHINES};
use super::listing::{decode, malformed};
use super::refusal::{Reason, Refusal};
use super::resource_manager::{Permission, ResourceManager, failure};
use super::wire::ScaleSet;
use crate::model::{CompleteListing, Listing, ReadFailure, ReadFailureKind, ScaleSetId};
use crate::reconcile::{Inventory, Mode};

pub(super) const COMPUTE_API: &str = "2024-07-01";

pub(super) const READ_SET: Permission = Permission {
    action: "Microsoft.Compute/virtualMachineScaleSets/read",
    what: "the scale set",
};

/// The inventory of scale sets.
#[derive(Debug)]
pub struct ScaleSets {
    pub(super) manager: ResourceManager,
    modes: Mutex<BTreeMap<ScaleSetId, Mode>>,
    /// The sets whose instance states may not be read, and what is missing.
    pub(super) states_forbidden: Mutex<BTreeMap<ScaleSetId, String>>,
}

/// Each resource group's interfaces, listed at most once a pass and shared by its sets.
pub(super) type GroupInterfaces = Mutex<HashMap<(String, String), Arc<OnceCell<Group>>>>;

impl Inventory for ScaleSets {
    fn prepare(&self, deadline: Instant) -> BoxFuture<'_, ()> {
        Box::pin(self.manager.prepare(deadline))
    }

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
        let read = self.try_model(set, deadline).await;
        read.map_err(|refusal| match refusal.failure.kind {
            ReadFailureKind::NotFound => refusal.saying("; its servers are kept").failure,
            _ => refusal.failure,
        })
    }

    pub(super) async fn try_model(
        &self,
        set: &ScaleSetId,
        deadline: Instant,
    ) -> Result<ScaleSet, Refusal> {
        let url = self.set_url(set, &[], COMPUTE_API);
        let read = self.manager.try_get(&url, READ_SET, deadline).await;
        let body: Vec<u8> = read.map_err(|refusal| not_found(set, refusal))?;
        Ok(decode(&body, READ_SET)?)
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

    /// The URL of a scale set, or of what lies below it.
    pub(super) fn set_url(&self, set: &ScaleSetId, below: &[&str], version: &str) -> Url {
        let set_path = ["Microsoft.Compute", "virtualMachineScaleSets", &set.name];
        self.url(set, &[&set_path[..], below].concat(), version)
    }

    pub(super) fn url(&self, set: &ScaleSetId, provider_path: &[&str], version: &str) -> Url {
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

/// What the listings of one set yielded.
pub(super) struct Listed {
    pub(super) instances: Vec<crate::model::Instance>,
    pub(super) failure: Option<ReadFailure>,
    /// A failure unless the set wants no instances: its interfaces were not found, and its machines
    /// could not be asked.
    pub(super) only_if_empty: Option<ReadFailure>,
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
pub(super) fn append_query(url: &mut Url, pairs: &str) {
    let query = match url.query() {
        Some(query) => format!("{query}&{pairs}"),
        None => pairs.to_owned(),
    };
    url.set_query(Some(&query));
}

/// Says where a scale set was looked for, and how to find it.
fn not_found(set: &ScaleSetId, refusal: Refusal) -> Refusal {
    let ScaleSetId {
        subscription,
        resource_group,
        name,
    } = set;
    let found_by = format!(
        "`az vmss list --subscription {subscription} --query \"[?name=='{name}'].id\" --output tsv` finds it"
    );
    let message = match refusal.reason {
        Reason::NoResourceGroup => format!(
            "scale set `{name}`: its resource group `{resource_group}` was not found in subscription `{subscription}`; \
             correct `resource_group_name` ({found_by})"
        ),
        Reason::NoResource => format!(
            "scale set `{name}` was not found in resource group `{resource_group}` of subscription `{subscription}`; \
             correct `virtual_machine_scale_set` or `resource_group_name` ({found_by})"
        ),
        _ => return refusal,
    };
    Refusal {
        failure: failure(refusal.failure.kind, message),
        ..refusal
    }
}

pub(super) fn mode_of(model: &ScaleSet) -> Mode {
    let mode = model
        .properties
        .as_ref()
        .and_then(|properties| properties.orchestration_mode.as_deref());
    match mode {
        Some(mode) if mode.eq_ignore_ascii_case("Flexible") => Mode::Flexible,
        _ => Mode::Uniform,
    }
}

/// An item that can be decoded, because everything is optional, and that tells nothing all the
/// same: its machine or its address is not known.
pub(super) fn odd_item(machine: bool, interface: bool) -> Option<ReadFailure> {
    let text = "an item without its properties";
    if machine {
        Some(malformed(LIST_MACHINES, text))
    } else {
        interface.then(|| malformed(LIST_INTERFACES, text))
    }
}
