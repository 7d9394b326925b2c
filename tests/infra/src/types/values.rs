//! Values as they are written, against the types of the data. What only a deployment knows is taken
//! for right.

use crate::problem::Place;
use crate::tree::{Expr, ExprKind, File, ItemKind, Property, Type};

use super::schema::{Object, Schema};

type Found = Vec<(Place, String)>;

/// What Bicep itself reads of a resource's body.
const OF_BICEP: [&str; 3] = ["scope", "parent", "dependsOn"];

/// The body of a resource.
pub(super) fn body(file: &File, schema: &Schema, body: &Expr, found: &mut Found) {
    let check = Values { file, schema };
    check.object(schema.body(), body, body.properties(), &OF_BICEP, found);
}

struct Values<'a> {
    file: &'a File,
    schema: &'a Schema,
}

impl Values<'_> {
    fn object(
        &self,
        of: Object<'_>,
        at: &Expr,
        properties: &[Property],
        but: &[&str],
        found: &mut Found,
    ) {
        let given = |name: &str| {
            let mut all = properties.iter();
            all.find(|property| property.fixed_name() == Some(name))
        };
        let chosen = of.discriminator().and_then(given);
        let chosen = chosen.and_then(|property| property.value.text());
        let Some(known) = of.properties(chosen) else {
            let discriminator = of.discriminator().unwrap_or_default();
            let chosen = chosen.unwrap_or("nothing");
            found.push((at.place, format!("`{discriminator}` cannot be {chosen}")));
            return;
        };
        for property in properties {
            let Some(name) = property.fixed_name() else {
                if of.additional().is_none() {
                    found.push((property.place, "a computed name".to_owned()));
                }
                continue;
            };
            if but.contains(&name) {
                continue;
            }
            let known = known.iter().find(|known| known.name == name);
            match (known, of.additional()) {
                (Some(known), _) if known.is_read_only() => {
                    found.push((property.place, format!("`{name}` cannot be set")));
                }
                (Some(known), _) => self.value(known.of, &property.value, found),
                (None, Some(additional)) => self.value(additional, &property.value, found),
                (None, None) => {
                    found.push((property.place, format!("there is no property `{name}`")));
                }
            }
        }
        for known in known {
            let optional = !known.is_required() || known.is_read_only();
            if !optional && given(known.name).is_none() {
                found.push((at.place, format!("`{}` is required", known.name)));
            }
        }
    }

    fn value(&self, of: &str, value: &Expr, found: &mut Found) {
        match &value.kind {
            ExprKind::Ternary { yes, no, .. } => {
                self.value(of, yes, found);
                self.value(of, no, found);
            }
            ExprKind::For { body, .. } => match of.strip_suffix("[]") {
                Some(inner) => self.value(inner, body, found),
                None => found.push((value.place, format!("an array is not a {of}"))),
            },
            ExprKind::Call(call) if call.name == "union" => {
                for argument in &call.arguments {
                    self.value(of, argument, found);
                }
            }
            ExprKind::Name(name) => match self.file.item(name).map(|item| &item.kind) {
                Some(ItemKind::Var(inner)) => self.value(of, inner, found),
                Some(ItemKind::Param {
                    of: Some(given), ..
                }) if !base(given).is_none_or(|given| may_be(of, given)) => {
                    found.push((value.place, format!("`{name}` is not a {of}")));
                }
                _ => {}
            },
            ExprKind::Object(properties) => match self.schema.object(of) {
                Some(object) => self.object(object, value, properties, &[], found),
                None if of == "any" || of == "object" => {}
                None => found.push((value.place, format!("an object is not a {of}"))),
            },
            ExprKind::Array(items) => match of.strip_suffix("[]") {
                Some(inner) => {
                    for item in items {
                        self.value(inner, item, found);
                    }
                }
                None if of == "any" || of == "array" => {}
                None => found.push((value.place, format!("an array is not a {of}"))),
            },
            ExprKind::Text(_) => match value.text() {
                Some(text) if !allows(of, text) => {
                    found.push((value.place, format!("`{text}` is not a {of}")));
                }
                None if !may_be(of, "string") => {
                    found.push((value.place, format!("a string is not a {of}")));
                }
                _ => {}
            },
            ExprKind::Number(_) if !may_be(of, "int") => {
                found.push((value.place, format!("a number is not a {of}")));
            }
            ExprKind::Bool(_) if !may_be(of, "bool") => {
                found.push((value.place, format!("a bool is not a {of}")));
            }
            _ => {}
        }
    }
}

/// Whether a text may stand for a type. An enumeration that is open to future values, `A | string`,
/// allows today's only: a value outside is more likely a slip than a foresight.
fn allows(of: &str, text: &str) -> bool {
    let members: Vec<&str> = of.split(" | ").collect();
    match members.as_slice() {
        [one] => *one == "string" || *one == "any" || *one == text,
        members => members.contains(&text),
    }
}

/// Whether a value of a kind may stand for a type.
fn may_be(of: &str, kind: &str) -> bool {
    let is_enumeration = of.contains(" | ") && !of.ends_with("[]");
    let is_primitive = ["string", "int", "bool", "any"].contains(&of);
    of == kind
        || of == "any"
        || (kind == "string" && (is_enumeration || !is_primitive && !of.ends_with("[]")))
}

fn base(of: &Type) -> Option<&str> {
    match of {
        Type::Named(name) if ["string", "int", "bool"].contains(&name.as_str()) => Some(name),
        _ => None,
    }
}
