//! The table of resource types, api-versions and property names.
//!
//! One line per type, `Type@version`; below it, indented, the paths of its properties: those that
//! are sent and those that are read. Items of a list have the path of the list. A `*` stands for
//! any name, where names are data.

use std::collections::{BTreeMap, BTreeSet};

use super::{expressions, walk};
use crate::problem::Place;
use crate::project::Project;
use crate::tree::{Expr, ExprKind, File, ItemKind};

/// Property paths by type and version.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Table(BTreeMap<String, BTreeSet<String>>);

impl Table {
    /// Reads a table.
    ///
    /// # Errors
    ///
    /// A property that stands before the first type.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut table = Self::default();
        let mut current = None;
        for line in text.lines() {
            let entry = line.trim();
            if entry.is_empty() || entry.starts_with('#') {
                continue;
            }
            if line.starts_with(' ') {
                let known = current.and_then(|typed: &str| table.0.get_mut(typed));
                let known = known.ok_or_else(|| format!("`{entry}` belongs to no type"))?;
                known.insert(entry.to_owned());
            } else {
                table.0.entry(entry.to_owned()).or_default();
                current = Some(entry);
            }
        }
        Ok(table)
    }

    pub(super) fn get(&self, typed: &str) -> Option<Known<'_>> {
        self.0.get(typed).map(Known)
    }

    /// Its lines, as [`Table::parse`] reads them.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        let lines = self.0.iter().flat_map(|(typed, paths)| {
            let paths = paths.iter().map(|path| format!("  {path}"));
            std::iter::once(typed.clone()).chain(paths)
        });
        lines.collect()
    }
}

pub(super) struct Known<'t>(&'t BTreeSet<String>);

impl Known<'_> {
    pub(super) fn contains(&self, path: &str) -> bool {
        let parent = path.rsplit_once('.').map_or("", |(parent, _)| parent);
        self.0.contains(path) || self.0.contains(&format!("{parent}.*"))
    }
}

/// The paths of all properties below an object, and where they stand. Of a ternary, both branches;
/// of a call of `union`, all arguments.
pub(crate) fn paths(body: &Expr) -> Vec<(String, Place)> {
    let mut found = Vec::new();
    below(body, "", &mut found);
    found.retain(|(path, _)| !["name", "scope", "parent", "dependsOn"].contains(&path.as_str()));
    found
}

fn below(expr: &Expr, path: &str, found: &mut Vec<(String, Place)>) {
    match &expr.kind {
        ExprKind::Object(properties) => {
            for property in properties {
                let name = property.fixed_name().unwrap_or("*");
                let path = match path {
                    "" => name.to_owned(),
                    path => format!("{path}.{name}"),
                };
                found.push((path.clone(), property.place));
                if !["scope", "parent", "dependsOn"].contains(&path.as_str()) {
                    below(&property.value, &path, found);
                }
            }
        }
        ExprKind::Array(items) => items.iter().for_each(|item| below(item, path, found)),
        ExprKind::Ternary { yes, no, .. } => {
            below(yes, path, found);
            below(no, path, found);
        }
        ExprKind::Call(call) if call.name == "union" => {
            for argument in &call.arguments {
                below(argument, path, found);
            }
        }
        ExprKind::For { body, .. } | ExprKind::If { body, .. } => below(body, path, found),
        _ => {}
    }
}

/// Every property that a file reads from a resource, `symbol.a.b` and `symbol[i].a.b`: the type and
/// version, the path, and where.
pub(crate) fn reads(file: &File) -> Vec<(String, String, Place)> {
    let mut found = Vec::new();
    let exprs = file.items.iter().flat_map(|item| expressions(&item.kind));
    for expr in exprs {
        walk(expr, &mut Vec::new(), &mut |expr, locals| {
            let mut path = Vec::new();
            let mut inner = expr;
            while let ExprKind::Member { object, name, .. } = &inner.kind {
                path.insert(0, name.as_str());
                inner = object;
            }
            if let ExprKind::Index { object, .. } = &inner.kind {
                inner = object;
            }
            let ExprKind::Name(symbol) = &inner.kind else {
                return;
            };
            let path = path.join(".");
            if ["", "id", "name", "type", "apiVersion"].contains(&path.as_str())
                || locals.contains(&symbol.as_str())
            {
                return;
            }
            if let Some(ItemKind::Resource(resource)) = file.item(symbol).map(|item| &item.kind) {
                let typed = format!("{}@{}", resource.of, resource.version);
                found.push((typed, path, expr.place));
            }
        });
    }
    found
}

/// The lines of a table with exactly what a project uses.
#[must_use]
pub fn used(project: &Project) -> Vec<String> {
    let mut table = Table::default();
    for file in project.files() {
        for (_, resource) in file.resources() {
            let typed = format!("{}@{}", resource.of, resource.version);
            let known = table.0.entry(typed).or_default();
            known.extend(paths(&resource.body).into_iter().map(|(path, _)| path));
        }
        for (typed, path, _) in reads(file) {
            table.0.entry(typed).or_default().insert(path);
        }
    }
    table.lines()
}
