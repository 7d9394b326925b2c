//! Values of expressions.

use std::rc::Rc;

use serde_json::{Map, Value};

use super::functions::{self, get, text};
use super::template::Template;
use crate::tree::{Call, Expr, ExprKind, File, ItemKind, Part};

/// A resource as other declarations see it.
#[derive(Debug)]
pub(super) struct Made {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) of: String,
    pub(super) version: String,
    /// Whether Azure has it: false where its condition does not hold.
    pub(super) there: bool,
    pub(super) body: Value,
}

/// What a symbol or an expression stands for.
#[derive(Debug, Clone)]
pub(super) enum Val {
    Json(Value),
    Resource(Rc<Made>),
    /// A property that Azure tells once the resource is made.
    Property(Rc<Made>, String),
    /// A module's outputs; none where its condition does not hold.
    Module(Option<Rc<Map<String, Value>>>),
    List(Vec<Val>),
}

/// The names of loops and lambdas around an expression.
#[derive(Debug, Clone, Default)]
pub(super) struct Locals(Vec<(String, Value)>);

impl Locals {
    pub(super) fn with(&self, name: &str, value: Value) -> Self {
        let mut locals = self.clone();
        locals.0.push((name.to_owned(), value));
        locals
    }

    fn get(&self, name: &str) -> Option<&Value> {
        let mut locals = self.0.iter().rev();
        locals
            .find(|(other, _)| other == name)
            .map(|(_, value)| value)
    }
}

/// The values of a parameters file, which are literals.
pub(crate) fn parameters(file: &File) -> Result<Map<String, Value>, String> {
    let mut values = Map::new();
    for item in file.params() {
        if let ItemKind::Param {
            value: Some(value), ..
        } = &item.kind
        {
            values.insert(item.name.clone(), literal(value)?);
        }
    }
    Ok(values)
}

fn literal(value: &Expr) -> Result<Value, String> {
    Ok(match &value.kind {
        ExprKind::Number(number) => (*number).into(),
        ExprKind::Bool(yes) => (*yes).into(),
        ExprKind::Null => Value::Null,
        ExprKind::Array(items) => items.iter().map(literal).collect::<Result<_, _>>()?,
        ExprKind::Object(properties) => {
            let mut object = Map::new();
            for property in properties {
                let name = property.fixed_name().ok_or("a computed name")?;
                object.insert(name.to_owned(), literal(&property.value)?);
            }
            object.into()
        }
        _ => value
            .text()
            .ok_or_else(|| format!("line {}: not a literal", value.place.line))?
            .into(),
    })
}

impl Template<'_> {
    /// The value of an expression that is data.
    pub(super) fn value(&self, expr: &Expr, locals: &Locals) -> Result<Value, String> {
        let value = self.val(expr, locals)?;
        self.data(value).map_err(|error| self.at(expr, &error))
    }

    pub(super) fn at(&self, expr: &Expr, error: &str) -> String {
        if error.contains(".bicep:") {
            return error.to_owned();
        }
        let place = expr.place;
        format!(
            "{}:{}:{}: {error}",
            self.file.file_name(),
            place.line,
            place.column
        )
    }

    pub(super) fn truth(&self, expr: &Expr, locals: &Locals) -> Result<bool, String> {
        let value = self.value(expr, locals)?;
        value
            .as_bool()
            .ok_or_else(|| self.at(expr, &format!("{value} is neither true nor false")))
    }

    fn data(&self, value: Val) -> Result<Value, String> {
        match value {
            Val::Json(value) => Ok(value),
            Val::List(items) => items.into_iter().map(|item| self.data(item)).collect(),
            Val::Property(resource, path) => self.known(&resource, &path),
            Val::Resource(resource) => Err(format!("{} is used as a value", resource.id)),
            Val::Module(_) => Err("a module is used as a value".to_owned()),
        }
    }

    fn known(&self, resource: &Made, path: &str) -> Result<Value, String> {
        if !resource.there {
            return Err(format!("{path} of {}, which is not deployed", resource.id));
        }
        let pointer = format!("/{}", path.replace('.', "/"));
        if let Some(value) = resource.body.pointer(&pointer) {
            return Ok(value.clone());
        }
        let key = (resource.of.clone(), path.to_owned());
        Ok(self
            .azure
            .known
            .get(&key)
            .cloned()
            .unwrap_or_else(|| format!("<{path} of {}>", resource.id).into()))
    }

    pub(super) fn val(&self, expr: &Expr, locals: &Locals) -> Result<Val, String> {
        let json = |value: Value| Ok(Val::Json(value));
        match &expr.kind {
            ExprKind::Text(parts) => json(self.text(parts, locals)?.into()),
            ExprKind::Number(number) => json((*number).into()),
            ExprKind::Bool(yes) => json((*yes).into()),
            ExprKind::Null => json(Value::Null),
            ExprKind::Name(name) => match locals.get(name) {
                Some(value) => json(value.clone()),
                None => self.symbol(name),
            },
            ExprKind::Member { object, name, safe } => {
                let object = self.val(object, locals)?;
                self.member(object, name, *safe)
                    .map_err(|error| self.at(expr, &error))
            }
            ExprKind::Index { object, index } => {
                let index = self.value(index, locals)?;
                match self.val(object, locals)? {
                    Val::List(items) => {
                        let place = index.as_u64().and_then(|place| usize::try_from(place).ok());
                        let item = place.and_then(|place| items.get(place).cloned());
                        item.ok_or_else(|| self.at(expr, &format!("there is no [{index}]")))
                    }
                    object => match get(&self.data(object)?, &index) {
                        Some(value) => json(value.clone()),
                        None => Err(self.at(expr, &format!("there is no [{index}]"))),
                    },
                }
            }
            ExprKind::Call(call) => json(self.call(expr, call, locals)?),
            ExprKind::Lambda { .. } => Err(self.at(expr, "a lambda is used as a value")),
            ExprKind::Binary {
                operator,
                left,
                right,
            } => json(self.binary(expr, operator, left, right, locals)?),
            ExprKind::Not(inner) => json((!self.truth(inner, locals)?).into()),
            ExprKind::Ternary { condition, yes, no } => {
                let chosen = if self.truth(condition, locals)? {
                    yes
                } else {
                    no
                };
                self.val(chosen, locals)
            }
            ExprKind::Array(items) => {
                let items = items.iter().map(|item| self.value(item, locals));
                json(items.collect::<Result<_, _>>()?)
            }
            ExprKind::Object(_) => json(self.object(expr, &[], locals)?),
            ExprKind::For { body, .. } => {
                let rounds = self.rounds(expr, locals)?;
                let values = rounds.iter().map(|locals| self.value(body, locals));
                json(values.collect::<Result<_, _>>()?)
            }
            ExprKind::If { .. } => Err(self.at(expr, "a condition is used as a value")),
        }
    }

    /// The locals of each round of a loop.
    pub(super) fn rounds(&self, expr: &Expr, locals: &Locals) -> Result<Vec<Locals>, String> {
        let ExprKind::For {
            item, index, list, ..
        } = &expr.kind
        else {
            return Ok(vec![locals.clone()]);
        };
        let list = self.value(list, locals)?;
        let Value::Array(items) = list else {
            return Err(self.at(expr, &format!("{list} is no list")));
        };
        let rounds = items.into_iter().enumerate().map(|(place, value)| {
            let locals = locals.with(item, value);
            match index {
                Some(index) => locals.with(index, place.into()),
                None => locals,
            }
        });
        Ok(rounds.collect())
    }

    /// An object without the properties `but`; properties that are null are not sent.
    pub(super) fn object(
        &self,
        expr: &Expr,
        but: &[&str],
        locals: &Locals,
    ) -> Result<Value, String> {
        let mut object = Map::new();
        for property in expr.properties() {
            let name = self.text(&property.name, locals)?;
            if !but.contains(&name.as_str()) {
                let value = self.value(&property.value, locals)?;
                if !value.is_null() {
                    object.insert(name, value);
                }
            }
        }
        Ok(object.into())
    }

    fn text(&self, parts: &[Part], locals: &Locals) -> Result<String, String> {
        let parts = parts.iter().map(|part| match part {
            Part::Literal(literal) => Ok(literal.clone()),
            Part::Value(value) => Ok(text(&self.value(value, locals)?)),
        });
        parts.collect()
    }

    fn member(&self, object: Val, name: &str, safe: bool) -> Result<Val, String> {
        match object {
            Val::Resource(resource) => Ok(match name {
                "id" => Val::Json(resource.id.clone().into()),
                "name" => Val::Json(resource.name.clone().into()),
                "type" => Val::Json(resource.of.clone().into()),
                "apiVersion" => Val::Json(resource.version.clone().into()),
                _ => Val::Property(resource, name.to_owned()),
            }),
            Val::Property(resource, path) => Ok(Val::Property(resource, format!("{path}.{name}"))),
            Val::Module(outputs) if name == "outputs" => match outputs {
                Some(outputs) => Ok(Val::Json(Value::Object((*outputs).clone()))),
                None => Err("the module is not deployed".to_owned()),
            },
            Val::Module(_) => Err(format!("a module has no {name}")),
            Val::Json(Value::Null) if safe => Ok(Val::Json(Value::Null)),
            other => {
                let value = self.data(other)?;
                match value.get(name) {
                    Some(found) => Ok(Val::Json(found.clone())),
                    None if safe => Ok(Val::Json(Value::Null)),
                    None => Err(format!("there is no {name}")),
                }
            }
        }
    }

    fn binary(
        &self,
        expr: &Expr,
        operator: &str,
        left: &Expr,
        right: &Expr,
        locals: &Locals,
    ) -> Result<Value, String> {
        Ok(match operator {
            "&&" => (self.truth(left, locals)? && self.truth(right, locals)?).into(),
            "||" => (self.truth(left, locals)? || self.truth(right, locals)?).into(),
            "??" => match self.value(left, locals)? {
                Value::Null => self.value(right, locals)?,
                value => value,
            },
            _ => {
                let (left, right) = (self.value(left, locals)?, self.value(right, locals)?);
                match operator {
                    "==" => (left == right).into(),
                    "!=" => (left != right).into(),
                    ">" => (left.as_i64() > right.as_i64()).into(),
                    _ => return Err(self.at(expr, &format!("`{operator}` is not known"))),
                }
            }
        })
    }

    fn call(&self, expr: &Expr, call: &Call, locals: &Locals) -> Result<Value, String> {
        let name = call.name.as_str();
        if let ("map" | "filter", [list, lambda]) = (name, call.arguments.as_slice())
            && let ExprKind::Lambda { name: item, body } = &lambda.kind
        {
            let Value::Array(items) = self.value(list, locals)? else {
                return Err(self.at(list, "no list"));
            };
            let mut results = Vec::new();
            for value in items {
                let inner = locals.with(item, value.clone());
                if name == "map" {
                    results.push(self.value(body, &inner)?);
                } else if self.truth(body, &inner)? {
                    results.push(value);
                }
            }
            return Ok(results.into());
        }
        let arguments = call.arguments.iter().map(|value| self.value(value, locals));
        let arguments: Vec<Value> = arguments.collect::<Result<_, _>>()?;
        functions::call(name, &arguments, self.azure, &self.group)
            .map_err(|error| self.at(expr, &format!("{error} is not known")))
    }
}
