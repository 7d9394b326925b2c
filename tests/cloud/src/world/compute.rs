//! All scale sets, and how Resource Manager shows them: the state behind the world's methods.

use std::collections::{BTreeSet, HashMap};

use tokio::sync::watch;

use super::{EmptyNicList, Instance, Nic, OrchestrationMode};
use crate::traffic::Backend;

/// Subscription, resource group and name, in lower case.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct SetKey {
    pub(crate) subscription: String,
    pub(crate) group: String,
    pub(crate) name: String,
}

/// One scale set.
pub(crate) struct ScaleSet {
    pub(crate) subscription: String,
    pub(crate) group: String,
    pub(crate) name: String,
    pub(crate) mode: OrchestrationMode,
    /// What `orchestrationMode` prints; none leaves the property out.
    pub(crate) mode_text: Option<String>,
    pub(crate) capacity: Option<u64>,
    pub(crate) instances: Vec<Instance>,
    pub(crate) next_number: u64,
}

impl ScaleSet {
    pub(crate) fn id(&self) -> String {
        format!(
            "/subscriptions/{}/resourceGroups/{}/providers/Microsoft.Compute/virtualMachineScaleSets/{}",
            self.subscription, self.group, self.name
        )
    }

    pub(crate) fn is_at(&self, key: &SetKey) -> bool {
        self.subscription.eq_ignore_ascii_case(&key.subscription)
            && self.group.eq_ignore_ascii_case(&key.group)
            && self.name.eq_ignore_ascii_case(&key.name)
    }
}

/// All that Resource Manager knows.
pub(crate) struct ComputeState {
    pub(crate) subscription: String,
    pub(crate) group: String,
    pub(crate) known_groups: BTreeSet<(String, String)>,
    pub(crate) sets: Vec<ScaleSet>,
    /// Network interfaces without a machine.
    pub(crate) orphans: Vec<Nic>,
    pub(crate) denied: BTreeSet<String>,
    /// Where the identity has its roles; none for everywhere.
    pub(crate) role_scopes: Option<Vec<String>>,
    /// Subscriptions that belong to another tenant than the identity.
    pub(crate) foreign_subscriptions: BTreeSet<String>,
    pub(crate) page_size: usize,
    pub(crate) upper_case_ids: bool,
    pub(crate) empty_nic_list: EmptyNicList,
    pub(crate) expand_needs_action: bool,
    pub(crate) expand_drops_profile: bool,
    pub(crate) spaces_in_next_link: bool,
    pub(crate) full_documents: bool,
    next_address: u32,
    forced_addresses: Vec<String>,
    pub(crate) backends: HashMap<String, Backend>,
    /// Counts how often held requests were let go.
    pub(crate) released: watch::Sender<u64>,
}

impl ComputeState {
    pub(crate) fn new() -> Self {
        let subscription = "00000000-0000-0000-0000-000000000001".to_owned();
        let group = "rg-app".to_owned();
        let known_groups = BTreeSet::from([(subscription.clone(), group.clone())]);
        Self {
            subscription,
            group,
            known_groups,
            sets: Vec::new(),
            orphans: Vec::new(),
            denied: BTreeSet::new(),
            role_scopes: None,
            foreign_subscriptions: BTreeSet::new(),
            page_size: 1000,
            upper_case_ids: false,
            empty_nic_list: EmptyNicList::default(),
            expand_needs_action: false,
            expand_drops_profile: false,
            spaces_in_next_link: false,
            full_documents: false,
            next_address: 0,
            forced_addresses: Vec::new(),
            backends: HashMap::new(),
            released: watch::Sender::new(0),
        }
    }

    /// The key that `name`, `group/name` or `subscription/group/name` stands for.
    pub(crate) fn key(&self, name: &str) -> SetKey {
        let mut parts = name.rsplitn(3, '/');
        let name = parts.next().unwrap_or_default().to_lowercase();
        let group = parts.next().unwrap_or(&self.group).to_lowercase();
        let subscription = parts.next().unwrap_or(&self.subscription).to_lowercase();
        SetKey {
            subscription,
            group,
            name,
        }
    }

    /// The set of that name, if it exists.
    pub(crate) fn find(&mut self, name: &str) -> Option<&mut ScaleSet> {
        let key = self.key(name);
        self.sets.iter_mut().find(|set| set.is_at(&key))
    }

    /// The set of that name; the test is wrong when there is none.
    pub(crate) fn set(&mut self, name: &str) -> &mut ScaleSet {
        self.find(name)
            .unwrap_or_else(|| panic!("there is no scale set {name:?}"))
    }

    /// A fresh private IPv4 address, or the next one that the test asked for.
    pub(crate) fn address(&mut self) -> String {
        if !self.forced_addresses.is_empty() {
            return self.forced_addresses.remove(0);
        }
        let number = self.next_address;
        self.next_address += 1;
        format!("10.20.{}.{}", number / 250, number % 250 + 4)
    }

    pub(crate) fn force_address(&mut self, address: &str) {
        self.forced_addresses.push(address.to_owned());
    }

    /// Whether requests to this address are answered by an instance.
    pub(crate) fn answers(&self, address: &str) -> bool {
        self.sets
            .iter()
            .flat_map(|set| &set.instances)
            .any(|instance| {
                instance.answers()
                    && instance
                        .nics
                        .iter()
                        .flat_map(|nic| &nic.configurations)
                        .any(|configuration| configuration.address.as_deref() == Some(address))
            })
    }
}
