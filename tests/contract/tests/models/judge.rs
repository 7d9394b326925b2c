//! One world, and the judgement on everything that was read of it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;

use contract::{Address, Interface, Machine};
use simulated_cloud::{Cloud, OrchestrationMode, World};

use crate::microsoft::{self, Page};
use crate::ours;
use crate::replay::{self, Reply};

/// The calls that the product makes. A new one needs a judge here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Call {
    Set,
    SetInterfaces,
    SetMachines,
    GroupMachines,
    GroupMachinesPlain,
    GroupInterfaces,
    Interface,
}

impl Call {
    fn of(target: &str) -> Self {
        let (path, query) = target.split_once('?').unwrap();
        let (_, provider_path) = path.split_once("/providers/").unwrap();
        let provider_path = provider_path.to_lowercase();
        let segments: Vec<&str> = provider_path.split('/').collect();
        let expanded = query.to_lowercase().contains("$expand=instanceview");
        match segments.as_slice() {
            ["microsoft.compute", "virtualmachinescalesets", _] => Self::Set,
            [
                "microsoft.compute",
                "virtualmachinescalesets",
                _,
                "networkinterfaces",
            ] => Self::SetInterfaces,
            [
                "microsoft.compute",
                "virtualmachinescalesets",
                _,
                "virtualmachines",
            ] => {
                assert!(expanded, "states were not asked for: {target}");
                Self::SetMachines
            }
            ["microsoft.compute", "virtualmachines"] if expanded => Self::GroupMachines,
            ["microsoft.compute", "virtualmachines"] => Self::GroupMachinesPlain,
            ["microsoft.network", "networkinterfaces"] => Self::GroupInterfaces,
            ["microsoft.network", "networkinterfaces", _] => Self::Interface,
            _ => panic!("no judge for {target}"),
        }
    }
}

/// A world with one scale set to be read, and what is special about it.
pub(crate) struct Case {
    cloud: Cloud,
    set: &'static str,
    mode: OrchestrationMode,
    mode_told: bool,
    expanded_without_interfaces: bool,
    fails: bool,
    pages: usize,
    calls: BTreeSet<Call>,
    refused: BTreeSet<Call>,
    orphans: Vec<Interface>,
    others: Vec<&'static str>,
}

impl Case {
    pub(crate) fn new(set: &'static str, mode: OrchestrationMode, instances: usize) -> Self {
        let cloud = Cloud::start_now();
        let calls = match mode {
            OrchestrationMode::Uniform => {
                cloud.world().add_uniform_set(set, instances);
                BTreeSet::from([Call::Set, Call::SetInterfaces, Call::SetMachines])
            }
            OrchestrationMode::Flexible => {
                cloud.world().add_flexible_set(set, instances);
                BTreeSet::from([Call::Set, Call::GroupMachines, Call::GroupInterfaces])
            }
        };
        Self {
            cloud,
            set,
            mode,
            mode_told: true,
            expanded_without_interfaces: false,
            fails: false,
            pages: 1,
            calls,
            refused: BTreeSet::new(),
            orphans: Vec::new(),
            others: Vec::new(),
        }
    }

    pub(crate) fn world(&self) -> World {
        self.cloud.world()
    }

    /// The machine list has this many pages.
    pub(crate) fn expect_pages(mut self, pages: usize) -> Self {
        self.pages = pages;
        self
    }

    /// The product makes this call, too.
    pub(crate) fn expect_call(mut self, call: Call) -> Self {
        self.calls.insert(call);
        self
    }

    /// This call, and none but this, is refused. What would follow on it is not asked.
    pub(crate) fn expect_refused(mut self, call: Call) -> Self {
        if call == Call::Set {
            self.calls.clear();
        }
        self.calls.remove(&call);
        self.refused.insert(call);
        self
    }

    /// The product cannot do its work here.
    pub(crate) fn expect_failure(mut self) -> Self {
        self.fails = true;
        self
    }

    /// The set does not tell its mode.
    pub(crate) fn without_mode(mut self) -> Self {
        self.mode_told = false;
        self
    }

    /// The expanded machine list does not name interfaces.
    pub(crate) fn expanded_without_interfaces(mut self) -> Self {
        self.expanded_without_interfaces = true;
        self
    }

    /// The resource group has another Flexible set.
    pub(crate) fn with_other(mut self, name: &'static str, instances: usize) -> Self {
        self.world().add_flexible_set(name, instances);
        self.others.push(name);
        self
    }

    /// The resource group has an interface that belongs to nobody.
    pub(crate) fn with_orphan(mut self, name: &str, address: &str) -> Self {
        self.world().add_orphan_nic(name, address);
        let id = format!(
            "/subscriptions/{}/resourceGroups/{}/providers/Microsoft.Network/networkInterfaces/{name}",
            self.cloud.subscription_id(),
            self.cloud.resource_group()
        );
        self.orphans.push(Interface {
            id: id.to_lowercase(),
            provisioning: Some("Succeeded".to_owned()),
            primary: Some(true),
            machine: None,
            addresses: vec![Address {
                address: Some(address.to_owned()),
                primary: Some(true),
            }],
        });
        self
    }

    /// Runs the product, sends its requests again, and judges every reply.
    pub(crate) async fn judge(self) {
        let plan = replay::plan(&self.cloud, self.set);
        let mut by_call: BTreeMap<Call, Vec<Reply>> = BTreeMap::new();
        let mut refused = BTreeSet::new();
        for reply in replay::replies(&self.cloud).await {
            let call = Call::of(&reply.target);
            if reply.status == 200 {
                by_call.entry(call).or_default().push(reply);
            } else {
                assert_eq!(microsoft::refusal(&reply.body), ours::refusal(&reply.body));
                refused.insert(call);
            }
        }
        assert_eq!(refused, self.refused, "refused calls: {}", plan.output);
        let made: BTreeSet<Call> = by_call.keys().copied().collect();
        assert_eq!(made, self.calls, "calls: {}", plan.output);
        for (call, replies) in &by_call {
            self.judge_call(*call, replies);
        }
        assert_eq!(
            plan.code == Some(1),
            self.fails,
            "the product: {}",
            plan.output
        );
        if !self.fails {
            let wanted = contract::serving_addresses(&self.world(), self.set, 80);
            assert_eq!(plan.added, wanted, "the product: {}", plan.output);
        }
    }

    fn judge_call(&self, call: Call, replies: &[Reply]) {
        let world = self.world();
        match call {
            Call::Set => {
                let mut wanted = contract::scale_set(&world, self.set, self.mode);
                wanted.mode = wanted.mode.filter(|_| self.mode_told);
                let [reply] = replies else {
                    panic!("{} replies", replies.len())
                };
                assert_eq!(microsoft::scale_set(&reply.body), wanted, "Microsoft");
                assert_eq!(ours::scale_set(&reply.body), wanted, "ours");
            }
            Call::SetMachines => {
                assert_eq!(replies.len(), self.pages, "pages");
                let wanted = contract::machines(&world, self.set);
                listing(
                    call,
                    replies,
                    microsoft::set_machines,
                    ours::machines,
                    wanted,
                );
            }
            Call::GroupMachines => {
                assert_eq!(replies.len(), self.pages, "pages");
                let mut wanted = contract::machines(&world, self.set);
                if self.expanded_without_interfaces {
                    wanted
                        .iter_mut()
                        .for_each(|machine| machine.interfaces.clear());
                }
                listing(
                    call,
                    replies,
                    microsoft::group_machines,
                    ours::machines,
                    wanted,
                );
            }
            Call::GroupMachinesPlain => {
                let mut wanted: Vec<Machine> = contract::machines(&world, self.set);
                for machine in &mut wanted {
                    machine.statuses.clear();
                    machine.health = None;
                }
                listing(
                    call,
                    replies,
                    microsoft::group_machines,
                    ours::machines,
                    wanted,
                );
            }
            Call::SetInterfaces => {
                let wanted = contract::interfaces(&world, self.set);
                listing(
                    call,
                    replies,
                    microsoft::interfaces,
                    ours::interfaces,
                    wanted,
                );
            }
            Call::GroupInterfaces => {
                let mut wanted = self.here(true);
                wanted.extend(self.orphans.iter().cloned());
                listing(
                    call,
                    replies,
                    microsoft::interfaces,
                    ours::interfaces,
                    wanted,
                );
            }
            Call::Interface => {
                let wanted = self.here(false);
                assert_eq!(replies.len(), wanted.len());
                for reply in replies {
                    let read = microsoft::interface(&reply.body);
                    assert_eq!(read, ours::interface(&reply.body), "Microsoft, ours");
                    assert!(wanted.contains(&read), "{read:?} is not among {wanted:?}");
                }
            }
        }
    }

    /// The interfaces of all Flexible sets that are in the cloud's own group, or that are not.
    fn here(&self, here: bool) -> Vec<Interface> {
        let world = self.world();
        let group = format!("/resourcegroups/{}/", self.cloud.resource_group()).to_lowercase();
        let mut interfaces = contract::interfaces(&world, self.set);
        for other in &self.others {
            interfaces.extend(contract::interfaces(&world, other));
        }
        interfaces.retain(|interface| interface.id.contains(&group) == here);
        interfaces
    }
}

/// Every page read by both; together they are what the world says, and the links lead on.
fn listing<T: Ord + Debug + Clone>(
    call: Call,
    replies: &[Reply],
    microsoft: impl Fn(&[u8]) -> Page<T>,
    ours: impl Fn(&[u8]) -> Page<T>,
    mut wanted: Vec<T>,
) {
    let (mut read, last) = (Vec::new(), replies.len() - 1);
    for (place, reply) in replies.iter().enumerate() {
        let (items, next) = microsoft(&reply.body);
        assert_eq!(
            (items.clone(), next.clone()),
            ours(&reply.body),
            "{call:?}: Microsoft, ours"
        );
        assert_eq!(
            next.is_some(),
            place < last,
            "{call:?}: the link of page {place}"
        );
        read.extend(items);
    }
    read.sort();
    wanted.sort();
    assert_eq!(read, wanted, "{call:?}: read, the world");
}
