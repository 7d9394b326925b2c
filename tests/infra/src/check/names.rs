//! Symbols, functions, types and decorators.

use std::collections::BTreeSet;

use super::{Check, expressions, references, walk};
use crate::evaluate::FUNCTIONS;
use crate::tree::{Call, ExprKind, Field, ItemKind, Type};

/// Decorators, and how many arguments they take.
const DECORATORS: [(&str, usize); 8] = [
    ("allowed", 1),
    ("description", 1),
    ("export", 0),
    ("maxLength", 1),
    ("maxValue", 1),
    ("minLength", 1),
    ("minValue", 1),
    ("secure", 0),
];

/// The types that nobody declares.
pub(super) const PRIMITIVES: [&str; 5] = ["string", "int", "bool", "object", "array"];

/// Functions that only the default of a parameter may call.
const DEFAULTS_ONLY: [&str; 2] = ["newGuid", "utcNow"];

impl Check<'_> {
    pub(super) fn names(&mut self) {
        self.declared_once();
        self.imports();
        self.unused();
        for item in &self.file.items {
            for decorator in &item.decorators {
                self.decorator(decorator);
            }
            match &item.kind {
                ItemKind::Param { of: Some(of), .. } | ItemKind::Output { of, .. } => {
                    self.type_is_known(of, item.place);
                }
                ItemKind::Type(of) => self.type_is_known(of, item.place),
                _ => {}
            }
            let is_default = matches!(item.kind, ItemKind::Param { .. });
            for expr in expressions(&item.kind) {
                for (name, place) in references(expr) {
                    match self.file.item(name).map(|item| &item.kind) {
                        Some(ItemKind::Param { .. }) => {}
                        Some(
                            ItemKind::Var(_) | ItemKind::Resource(_) | ItemKind::Module { .. },
                        ) if !is_default => {}
                        Some(
                            ItemKind::Var(_) | ItemKind::Resource(_) | ItemKind::Module { .. },
                        ) => {
                            self.problem(place, format!("a default cannot refer to `{name}`"));
                        }
                        _ => self.problem(place, format!("there is no `{name}`")),
                    }
                }
                let mut calls = Vec::new();
                walk(expr, &mut Vec::new(), &mut |expr, _| {
                    if let ExprKind::Call(call) = &expr.kind {
                        calls.push(call);
                    }
                });
                for call in calls {
                    self.call(call, is_default);
                }
            }
        }
    }

    fn declared_once(&mut self) {
        let mut symbols = BTreeSet::new();
        let mut outputs = BTreeSet::new();
        for item in &self.file.items {
            let names = match item.kind {
                ItemKind::Output { .. } => &mut outputs,
                _ => &mut symbols,
            };
            if !item.name.is_empty() && !names.insert(item.name.as_str()) {
                self.problem(item.place, format!("`{}` is declared twice", item.name));
            }
        }
    }

    fn imports(&mut self) {
        for item in &self.file.items {
            let ItemKind::Import { names, from } = &item.kind else {
                continue;
            };
            let Some(exporter) = self.project.relative(self.file, from) else {
                self.problem(item.place, format!("there is no file `{from}`"));
                continue;
            };
            for name in names {
                let exported = exporter.items.iter().any(|item| {
                    item.name == *name
                        && item.is("export")
                        && matches!(item.kind, ItemKind::Type(_))
                });
                if !exported {
                    self.problem(item.place, format!("`{from}` exports no `{name}`"));
                }
            }
        }
    }

    /// Parameters, variables and imports that nobody uses: the linter's commonest complaint, and
    /// often a misspelt name elsewhere.
    fn unused(&mut self) {
        let mut used: BTreeSet<String> = BTreeSet::new();
        for item in &self.file.items {
            for expr in expressions(&item.kind) {
                used.extend(
                    references(expr)
                        .into_iter()
                        .map(|(name, _)| name.to_owned()),
                );
            }
            if let ItemKind::Param { of: Some(of), .. }
            | ItemKind::Output { of, .. }
            | ItemKind::Type(of) = &item.kind
            {
                type_names(of, &mut |name| {
                    used.insert(name.to_owned());
                });
            }
        }
        for item in &self.file.items {
            match &item.kind {
                ItemKind::Param { .. } | ItemKind::Var(_) if !used.contains(&item.name) => {
                    self.problem(item.place, format!("`{}` is not used", item.name));
                }
                ItemKind::Import { names, .. } => {
                    for name in names.iter().filter(|name| !used.contains(*name)) {
                        self.problem(item.place, format!("`{name}` is not used"));
                    }
                }
                _ => {}
            }
        }
    }

    fn call(&mut self, call: &Call, is_default: bool) {
        let Call {
            place,
            name,
            arguments,
        } = call;
        let Some((_, least, most)) = FUNCTIONS.iter().find(|(known, ..)| known == name) else {
            self.problem(*place, format!("there is no function `{name}`"));
            return;
        };
        if !(*least..=*most).contains(&arguments.len()) {
            let text = format!("`{name}` does not take {} arguments", arguments.len());
            self.problem(*place, text);
        }
        if DEFAULTS_ONLY.contains(&name.as_str()) && !is_default {
            let text = format!("`{name}` may only stand in the default of a parameter");
            self.problem(*place, text);
        }
    }

    fn decorator(&mut self, call: &Call) {
        let known = DECORATORS.iter().find(|(known, _)| *known == call.name);
        match known {
            Some((_, arguments)) if *arguments == call.arguments.len() => {}
            _ => {
                let text = format!("`@{}` is not known in this form", call.name);
                self.problem(call.place, text);
            }
        }
    }

    fn type_is_known(&mut self, of: &Type, place: crate::Place) {
        let mut unknown = Vec::new();
        type_names(of, &mut |name| {
            let known = PRIMITIVES.contains(&name)
                || crate::evaluate::declared(self.project, self.file, name).is_some();
            if !known {
                unknown.push(name.to_owned());
            }
        });
        for name in unknown {
            self.problem(place, format!("there is no type `{name}`"));
        }
        let mut decorators = Vec::new();
        fields(of, &mut |field| decorators.extend(field.decorators.clone()));
        for decorator in decorators {
            self.decorator(&decorator);
        }
    }
}

/// The names in a type.
fn type_names(of: &Type, visit: &mut dyn FnMut(&str)) {
    match of {
        Type::Named(name) => visit(name),
        Type::Text(_) | Type::Number(_) => {}
        Type::Union(members) => members.iter().for_each(|member| type_names(member, visit)),
        Type::Array(inner) | Type::Nullable(inner) => type_names(inner, visit),
        Type::Object(fields) => fields.iter().for_each(|field| type_names(&field.of, visit)),
    }
}

fn fields(of: &Type, visit: &mut dyn FnMut(&Field)) {
    match of {
        Type::Object(all) => {
            for field in all {
                visit(field);
                fields(&field.of, visit);
            }
        }
        Type::Array(inner) | Type::Nullable(inner) => fields(inner, visit),
        _ => {}
    }
}
