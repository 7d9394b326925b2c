//! Whether a value is one of a type, with the decorators that narrow it.

use serde_json::Value;

use crate::project::Project;
use crate::tree::{Call, ExprKind, File, Item, ItemKind, Type};

/// Whether `value` is one of the type `of`, as `file` knows types.
///
/// # Errors
///
/// What does not fit, with its path.
pub(crate) fn accepts(
    project: &Project,
    file: &File,
    of: &Type,
    decorators: &[Call],
    value: &Value,
    path: &str,
) -> Result<(), String> {
    let refuse = |what: &str| Err(format!("{path}: {value} is not {what}"));
    let fits = match of {
        Type::Nullable(inner) => {
            if value.is_null() {
                return Ok(());
            }
            return accepts(project, file, inner, decorators, value, path);
        }
        Type::Text(text) => value == text,
        Type::Number(number) => value.as_i64() == Some(*number),
        Type::Union(members) => members
            .iter()
            .any(|member| accepts(project, file, member, &[], value, path).is_ok()),
        Type::Array(inner) => {
            let Some(items) = value.as_array() else {
                return refuse("an array");
            };
            for (place, item) in items.iter().enumerate() {
                accepts(project, file, inner, &[], item, &format!("{path}[{place}]"))?;
            }
            true
        }
        Type::Object(fields) => {
            let Some(object) = value.as_object() else {
                return refuse("an object");
            };
            let known = |name: &String| fields.iter().any(|field| field.name == *name);
            if let Some(name) = object.keys().find(|name| !known(name)) {
                return Err(format!("{path}: `{name}` is not known"));
            }
            for field in fields {
                let value = object.get(&field.name).unwrap_or(&Value::Null);
                let path = format!("{path}.{}", field.name);
                accepts(project, file, &field.of, &field.decorators, value, &path)?;
            }
            true
        }
        Type::Named(name) => match name.as_str() {
            "string" => value.is_string(),
            "int" => value.is_i64(),
            "bool" => value.is_boolean(),
            "object" => value.is_object(),
            "array" => value.is_array(),
            _ => {
                let (file, item) = declared(project, file, name)
                    .ok_or_else(|| format!("{path}: there is no type {name}"))?;
                let ItemKind::Type(of) = &item.kind else {
                    return Err(format!("{path}: {name} is no type"));
                };
                return accepts(project, file, of, &item.decorators, value, path);
            }
        },
    };
    if !fits {
        return refuse(&format!("{of:?}"));
    }
    for decorator in decorators {
        if !narrowed(decorator, value) {
            return refuse(&format!(
                "allowed by @{}({})",
                decorator.name,
                limit(decorator).map_or_else(String::new, |limit| limit.to_string())
            ));
        }
    }
    Ok(())
}

/// The declaration of a type, here or where it is imported from.
#[must_use]
pub(crate) fn declared<'p>(
    project: &'p Project,
    file: &'p File,
    name: &str,
) -> Option<(&'p File, &'p Item)> {
    let is_type = |item: &&Item| item.name == name && matches!(item.kind, ItemKind::Type(_));
    if let Some(item) = file.items.iter().find(is_type) {
        return Some((file, item));
    }
    file.items.iter().find_map(|item| match &item.kind {
        ItemKind::Import { names, from } if names.iter().any(|other| other == name) => {
            let from = project.relative(file, from)?;
            let item = from.items.iter().find(is_type)?;
            item.is("export").then_some((from, item))
        }
        _ => None,
    })
}

fn limit(decorator: &Call) -> Option<i64> {
    match decorator.arguments.first()?.kind {
        ExprKind::Number(limit) => Some(limit),
        _ => None,
    }
}

fn narrowed(decorator: &Call, value: &Value) -> bool {
    let length = match value {
        Value::String(text) => text.chars().count(),
        Value::Array(items) => items.len(),
        _ => 0,
    };
    let length = i64::try_from(length).unwrap_or(i64::MAX);
    let number = value.as_i64().unwrap_or_default();
    match (decorator.name.as_str(), limit(decorator)) {
        ("minLength", Some(limit)) => length >= limit,
        ("maxLength", Some(limit)) => length <= limit,
        ("minValue", Some(limit)) => number >= limit,
        ("maxValue", Some(limit)) => number <= limit,
        ("allowed", _) => match decorator.arguments.first().map(|argument| &argument.kind) {
            Some(ExprKind::Array(allowed)) => allowed.iter().any(|allowed| match &allowed.kind {
                ExprKind::Number(allowed) => value.as_i64() == Some(*allowed),
                _ => value.as_str().is_some() && value.as_str() == allowed.text(),
            }),
            _ => false,
        },
        _ => true,
    }
}
