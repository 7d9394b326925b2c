//! What must hold of any page of Resource Manager.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use url::Url;

use super::assemble::{self, States};
use super::listing::{self, Items};
use super::resource_manager::Permission;
use super::wire::{Interface, Machine};
use crate::fuzzing::assert_one_line;
use crate::model::{Instance, ResourceId};

const PERMISSION: Permission = Permission {
    action: "an action",
    what: "the list",
};

/// Reads a page; a link to a further one stays on the endpoint, and what is said of an odd page is
/// one line.
fn page<T: DeserializeOwned>(data: &[u8]) -> Vec<T> {
    let Ok(endpoint) = Url::parse("https://management.example/") else {
        return Vec::new();
    };
    let mut listed = Items::none();
    match listing::page(data, PERMISSION, &endpoint, &mut listed) {
        Ok(Some(next)) => {
            assert_eq!(next.origin(), endpoint.origin());
            assert!(next.username().is_empty() && next.password().is_none());
        }
        Ok(None) => {}
        Err(failed) => assert_one_line(&failed.to_string()),
    }
    if let Some(failed) = &listed.failure {
        assert_one_line(&failed.to_string());
    }
    listed.items
}

fn assert_sound(instances: &[Instance]) {
    for instance in instances {
        assert_one_line(&instance.name);
        assert!(instance.name.chars().count() <= 101, "{}", instance.name);
    }
}

/// A page of the machines of a Uniform set: one instance each.
///
/// # Panics
///
/// If a promise is broken.
pub fn uniform_machines(data: &[u8]) {
    let machines: Vec<Machine> = page(data);
    let instances = assemble::uniform(Some(&machines), &[], &States::untold());
    assert_eq!(instances.len(), machines.len());
    assert_sound(&instances);
}

/// A page of the interfaces of a Uniform set, whose machines may not be read: never more instances
/// than interfaces.
///
/// # Panics
///
/// If a promise is broken.
pub fn uniform_interfaces(data: &[u8]) {
    let interfaces: Vec<Interface> = page(data);
    let instances = assemble::uniform(None, &interfaces, &States::untold());
    assert!(instances.len() <= interfaces.len());
    assert_sound(&instances);
}

/// A page of a Flexible set's machines, a line feed, and a page of interfaces: one instance for
/// each machine.
///
/// # Panics
///
/// If a promise is broken.
pub fn flexible_page(data: &[u8]) {
    let mut pages = data.splitn(2, |byte| *byte == b'\n');
    let machines: Vec<Machine> = page(pages.next().unwrap_or_default());
    let interfaces: Vec<Interface> = page(pages.next().unwrap_or_default());
    let known: BTreeMap<ResourceId, Interface> = interfaces
        .into_iter()
        .filter_map(|nic| Some((ResourceId::parse(nic.id.as_deref()?)?, nic)))
        .collect();
    let instances = assemble::flexible(&machines, &known);
    assert_eq!(instances.len(), machines.len());
    assert_sound(&instances);
}

#[cfg(test)]
pub(crate) fn items(data: &[u8]) -> usize {
    let first = data.split(|byte| *byte == b'\n').next().unwrap_or_default();
    page::<Machine>(first).len()
}
