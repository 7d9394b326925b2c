//! What must hold of any page of Resource Manager.

use serde::de::DeserializeOwned;
use url::Url;

use super::listing::{self, Items};
use super::page::PageReader;
use super::resource_manager::Permission;
use super::wire::{Interface, Machine};
use crate::fuzzing::assert_one_line;
use crate::model::Instance;
use crate::reconcile::Mode;

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
    let mut reader = PageReader::<T, T>::default();
    reader.feed(data);
    match listing::take(reader, PERMISSION, &endpoint, &mut listed) {
        Ok(read) => {
            if let Some(next) = read.link {
                assert_eq!(next.origin(), endpoint.origin());
                assert!(next.username().is_empty() && next.password().is_none());
            }
        }
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

const EMPTY: &[u8] = br#"{"value":[]}"#;

/// A page of the machines of a Uniform set: one instance each.
///
/// # Panics
///
/// If a promise is broken.
pub fn uniform_machines(data: &[u8]) {
    let machines: Vec<Machine> = page(data);
    if let Ok(instances) = super::instances(Mode::Uniform, data, EMPTY) {
        assert_eq!(instances.len(), machines.len());
        assert_sound(&instances);
    }
}

/// A page of the interfaces of a Uniform set, whose machines may not be read: never more instances
/// than interfaces.
///
/// # Panics
///
/// If a promise is broken.
pub fn uniform_interfaces(data: &[u8]) {
    let interfaces: Vec<Interface> = page(data);
    if let Ok(instances) = super::instances(Mode::Uniform, EMPTY, data) {
        assert!(instances.len() <= interfaces.len());
        assert_sound(&instances);
    }
}

/// A page of a Flexible set's machines, a line feed, and a page of interfaces: one instance for
/// each machine.
///
/// # Panics
///
/// If a promise is broken.
pub fn flexible_page(data: &[u8]) {
    let mut pages = data.splitn(2, |byte| *byte == b'\n');
    let [first, second] = [(); 2].map(|()| pages.next().unwrap_or(EMPTY));
    let machines: Vec<Machine> = page(first);
    let _: Vec<Interface> = page(second);
    for interfaces in [second, EMPTY] {
        if let Ok(instances) = super::instances(Mode::Flexible, first, interfaces) {
            assert_eq!(instances.len(), machines.len());
            assert_sound(&instances);
        }
    }
}

#[cfg(test)]
pub(crate) fn items(data: &[u8]) -> usize {
    let first = data.split(|byte| *byte == b'\n').next().unwrap_or_default();
    page::<Machine>(first).len()
}
