//! Resources: types, versions and property names from the table; parents, scopes, names.

use super::Check;
use super::table::{Table, paths, reads};
use crate::tree::{ExprKind, Item, ItemKind, Resource};

impl Check<'_> {
    pub(super) fn resources(&mut self, table: &Table) {
        for (item, resource) in self.file.resources() {
            self.resource(item, resource, table);
        }
        for (typed, path, place) in reads(self.file) {
            if !table.get(&typed).is_some_and(|known| known.contains(&path)) {
                self.problem(place, format!("`{path}` of {typed} is not in the table"));
            }
        }
    }

    fn resource(&mut self, item: &Item, resource: &Resource, table: &Table) {
        let typed = format!("{}@{}", resource.of, resource.version);
        let Some(known) = table.get(&typed) else {
            self.problem(item.place, format!("`{typed}` is not in the table"));
            return;
        };
        for (path, place) in paths(&resource.body) {
            if !known.contains(&path) {
                self.problem(place, format!("`{path}` of {typed} is not in the table"));
            }
        }
        let body = &resource.body;
        if body.property("name").is_none() {
            self.problem(item.place, "the resource has no name");
        }
        if resource.existing {
            for property in body.properties() {
                let name = property.fixed_name().unwrap_or_default();
                if !["name", "parent", "scope"].contains(&name) {
                    self.problem(
                        property.place,
                        format!("an existing resource has no `{name}`"),
                    );
                }
            }
        }
        let depth = resource.of.split('/').count() - 2;
        match body.property("parent").map(|parent| &parent.kind) {
            Some(ExprKind::Name(parent)) => {
                let of = match self.file.item(parent).map(|item| &item.kind) {
                    Some(ItemKind::Resource(parent)) => parent.of.as_str(),
                    _ => "",
                };
                if resource.of.rsplit_once('/').map(|(of, _)| of) != Some(of) {
                    self.problem(item.place, format!("`{parent}` is no parent of a {typed}"));
                }
            }
            Some(_) => self.problem(item.place, "the parent is no symbol"),
            None if depth > 0 => self.problem(item.place, format!("a {typed} needs a parent")),
            None => {}
        }
    }
}
