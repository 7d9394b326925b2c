//! Which reads of a scale set Azure allows, each tried on its own: what `check` shows.

use serde::de::IgnoredAny;
use tokio::time::Instant;

use super::flexible::{LIST_INTERFACES, LIST_MACHINES};
use super::page::PageReader;
use super::refusal::{Reason, Refusal, scope_of};
use super::resource_manager::Permission;
use super::scale_set::{READ_SET, ScaleSets, mode_of};
use super::uniform::{LIST_SET_INTERFACES, LIST_SET_MACHINES};
use crate::model::{ReadFailureKind, ScaleSetId};
use crate::reconcile::{Inventory as _, Mode};

/// The role actions that a pass needs for a set of this mode.
#[must_use]
pub const fn actions(mode: Mode) -> [&'static str; 3] {
    match mode {
        Mode::Uniform => [
            READ_SET.action,
            LIST_SET_MACHINES.action,
            LIST_SET_INTERFACES.action,
        ],
        Mode::Flexible => [
            READ_SET.action,
            LIST_MACHINES.action,
            LIST_INTERFACES.action,
        ],
    }
}

/// What was found out about the reads of one set.
#[derive(Debug, Clone)]
pub struct Inspection {
    /// How it manages its instances, where that can be told.
    pub mode: Option<Mode>,
    /// Every read that was tried.
    pub reads: Vec<Read>,
}

/// One read that was tried.
#[derive(Debug, Clone)]
pub struct Read {
    /// The role action that it needs.
    pub action: &'static str,
    /// The narrowest scope at which a role serves it.
    pub scope: String,
    /// The mode whose sets need it, where not every set does and this set's mode is not known.
    pub needed_by: Option<Mode>,
    /// Azure's answer.
    pub outcome: Result<(), Refusal>,
}

impl ScaleSets {
    /// Tries every read that a pass makes of this set, and goes on after one that is refused.
    ///
    /// Where the set itself may not be read its mode is not known, so the reads of both modes are
    /// tried; what they answer usually tells the mode.
    pub async fn inspect(&self, set: &ScaleSetId, deadline: Instant) -> Inspection {
        let scope = scope_of(&self.set_url(set, &[], ""));
        let own = |outcome: Result<(), Refusal>| Read {
            action: READ_SET.action,
            scope: scope.clone(),
            needed_by: None,
            outcome,
        };
        match self.try_model(set, deadline).await {
            Ok(model) => {
                let mode = mode_of(&model);
                let (first, second) = self.reads_of(set, mode, deadline).await;
                Inspection {
                    mode: Some(mode),
                    reads: vec![own(Ok(())), first.read, second.read],
                }
            }
            Err(refusal) if refusal.reason == Reason::Denied => {
                let ((set_machines, set_interfaces), (machines, interfaces)) = futures::join!(
                    self.reads_of(set, Mode::Uniform, deadline),
                    self.reads_of(set, Mode::Flexible, deadline),
                );
                let mode = self.mode(set).or_else(|| {
                    // A Flexible set's interfaces are not listed below it, and only a Flexible
                    // set's machines name it.
                    if set_interfaces.found {
                        Some(Mode::Uniform)
                    } else {
                        machines.items.then_some(Mode::Flexible)
                    }
                });
                let mut reads = vec![own(Err(refusal))];
                let tried = [
                    (Mode::Uniform, set_machines.read),
                    (Mode::Uniform, set_interfaces.read),
                    (Mode::Flexible, machines.read),
                    (Mode::Flexible, interfaces.read),
                ];
                for (needed_by, read) in tried {
                    match mode {
                        Some(mode) if mode != needed_by => {}
                        Some(_) => reads.push(read),
                        None => reads.push(Read {
                            needed_by: Some(needed_by),
                            ..read
                        }),
                    }
                }
                Inspection { mode, reads }
            }
            Err(refusal) => Inspection {
                mode: self.mode(set),
                reads: vec![own(Err(refusal))],
            },
        }
    }

    /// The two listings of a mode: machines and interfaces.
    async fn reads_of(&self, set: &ScaleSetId, mode: Mode, deadline: Instant) -> (Tried, Tried) {
        let (machines, interfaces) = match mode {
            Mode::Uniform => (
                (self.set_machines_url(set), LIST_SET_MACHINES),
                (self.set_interfaces_url(set), LIST_SET_INTERFACES),
            ),
            Mode::Flexible => (
                (self.members_url(set, true), LIST_MACHINES),
                (self.group_interfaces_url(set), LIST_INTERFACES),
            ),
        };
        futures::join!(
            self.try_list(machines, deadline),
            self.try_list(interfaces, deadline)
        )
    }

    /// Tries one listing; its first page tells enough.
    async fn try_list(
        &self,
        (url, permission): (url::Url, Permission),
        deadline: Instant,
    ) -> Tried {
        let answer = self
            .manager
            .try_get::<PageReader<IgnoredAny>>(&url, permission, deadline)
            .await;
        let found = answer.is_ok();
        let (items, outcome) = match answer {
            Ok(page) => (
                page.finish().is_ok_and(|page| !page.items.is_empty()),
                Ok(()),
            ),
            // Azure checks the permission first, and may then find a list without items not there.
            Err(refusal) if refusal.failure.kind == ReadFailureKind::NotFound => (false, Ok(())),
            Err(refusal) => (false, Err(refusal)),
        };
        let read = Read {
            action: permission.action,
            scope: scope_of(&url),
            needed_by: None,
            outcome,
        };
        Tried { read, found, items }
    }
}

struct Tried {
    read: Read,
    /// Whether there was a list, with items or without.
    found: bool,
    /// Whether it had items.
    items: bool,
}
