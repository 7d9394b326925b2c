//! What depends on what: no circles, and no `dependsOn` that says what a reference says already.

use std::collections::{BTreeMap, BTreeSet};

use super::{Check, expressions, references};
use crate::tree::{Expr, ExprKind, ItemKind};

impl Check<'_> {
    pub(super) fn graph(&mut self) {
        let mut edges: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for item in &self.file.items {
            if matches!(item.kind, ItemKind::Output { .. }) {
                continue;
            }
            let found = expressions(&item.kind).into_iter().flat_map(references);
            edges
                .entry(item.name.as_str())
                .or_default()
                .extend(found.map(|(name, _)| name));
        }
        for item in &self.file.items {
            let mut reached = BTreeSet::new();
            let mut next: Vec<&str> = edges
                .get(item.name.as_str())
                .into_iter()
                .flatten()
                .copied()
                .collect();
            while let Some(name) = next.pop() {
                if reached.insert(name) {
                    next.extend(edges.get(name).into_iter().flatten());
                }
            }
            if reached.contains(item.name.as_str()) {
                self.problem(item.place, format!("`{}` depends on itself", item.name));
            }
            if let ItemKind::Resource(crate::tree::Resource { body, .. })
            | ItemKind::Module { body, .. } = &item.kind
            {
                self.depends_on(body);
            }
        }
    }

    fn depends_on(&mut self, body: &Expr) {
        let Some(list) = body.property("dependsOn") else {
            return;
        };
        let ExprKind::Array(items) = &list.kind else {
            self.problem(list.place, "`dependsOn` is no list");
            return;
        };
        let others: BTreeSet<&str> = body
            .properties()
            .iter()
            .filter(|property| property.fixed_name() != Some("dependsOn"))
            .flat_map(|property| references(&property.value))
            .map(|(name, _)| name)
            .collect();
        for item in items {
            let name = match &item.kind {
                ExprKind::Name(name) => name.as_str(),
                _ => "",
            };
            match self.file.item(name).map(|item| &item.kind) {
                Some(ItemKind::Resource(_) | ItemKind::Module { .. }) if others.contains(name) => {
                    let text = format!("`{name}` is referred to, so it is waited for anyway");
                    self.problem(item.place, text);
                }
                Some(ItemKind::Resource(_) | ItemKind::Module { .. }) => {}
                _ => self.problem(item.place, "`dependsOn` names no resource and no module"),
            }
        }
    }
}
