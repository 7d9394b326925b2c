//! One template in one resource group.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use serde_json::{Map, Value, json};

use super::accept::accepts;
use super::expressions::{Locals, Made, Val};
use super::{Azure, Deployed, Deployment, required};
use crate::project::Project;
use crate::tree::{Expr, ExprKind, File, ItemKind, Resource};

/// One template, with the values of its parameters.
pub struct Template<'p> {
    pub(super) project: &'p Project,
    pub(super) file: &'p File,
    pub(super) azure: &'p Azure,
    /// The resource group, as `resourceGroup()` tells it.
    pub(super) group: Value,
    symbols: RefCell<HashMap<String, Val>>,
    /// The names that are being evaluated, one for the sake of the other.
    open: RefCell<Vec<String>>,
    made: RefCell<Vec<Deployed>>,
    /// Deployments by group and name: two with one name would overwrite each other.
    deployments: RefCell<Vec<(String, String)>>,
}

/// A resource group as `resourceGroup()` tells it, and its subscription.
pub(super) fn group(subscription: &str, name: &str) -> Value {
    json!({
        "id": format!("/subscriptions/{subscription}/resourceGroups/{name}"),
        "name": name,
        "location": "westeurope",
        "subscription": subscription,
    })
}

impl<'p> Template<'p> {
    /// A template with these values for its parameters.
    ///
    /// # Errors
    ///
    /// A parameter is missing or unknown, or its type refuses the value.
    pub fn new(
        project: &'p Project,
        file: &'p File,
        azure: &'p Azure,
        group: Value,
        given: &Map<String, Value>,
    ) -> Result<Self, String> {
        let name = file.file_name();
        if let Some(missing) = required(file).find(|required| !given.contains_key(*required)) {
            return Err(format!("{name}: the parameter {missing} is missing"));
        }
        if let Some(unknown) = given.keys().find(|given| file.param(given).is_none()) {
            return Err(format!("{name}: there is no parameter {unknown}"));
        }
        let template = Self {
            project,
            file,
            azure,
            group,
            symbols: RefCell::default(),
            open: RefCell::default(),
            made: RefCell::default(),
            deployments: RefCell::default(),
        };
        for item in file.params() {
            let ItemKind::Param {
                of: Some(of),
                value,
            } = &item.kind
            else {
                continue;
            };
            let value = match (given.get(&item.name), value) {
                (Some(value), _) => value.clone(),
                // A default may refer to a parameter further down.
                (None, Some(_)) => continue,
                (None, None) => Value::Null,
            };
            let path = format!("{name}: {}", item.name);
            accepts(project, file, of, &item.decorators, &value, &path)?;
            let symbol = Val::Json(value);
            template
                .symbols
                .borrow_mut()
                .insert(item.name.clone(), symbol);
        }
        Ok(template)
    }

    /// Evaluates everything.
    ///
    /// # Errors
    ///
    /// What cannot be evaluated.
    pub fn deploy(self) -> Result<Deployment, String> {
        let mut outputs = Map::new();
        for item in &self.file.items {
            match &item.kind {
                ItemKind::Resource(_) | ItemKind::Module { .. } | ItemKind::Param { .. } => {
                    self.symbol(&item.name)?;
                }
                ItemKind::Output { of, value } => {
                    let value = self.value(value, &Locals::default())?;
                    let path = format!("{}: output {}", self.file.file_name(), item.name);
                    accepts(self.project, self.file, of, &[], &value, &path)?;
                    outputs.insert(item.name.clone(), value);
                }
                _ => {}
            }
        }
        let resources = self.made.into_inner();
        for (place, resource) in resources.iter().enumerate() {
            if resources[..place]
                .iter()
                .any(|other| other.id == resource.id)
            {
                return Err(format!("{} is deployed twice", resource.id));
            }
        }
        Ok(Deployment { resources, outputs })
    }

    /// What a name stands for; evaluated when first asked for.
    pub(super) fn symbol(&self, name: &str) -> Result<Val, String> {
        if let Some(known) = self.symbols.borrow().get(name) {
            return Ok(known.clone());
        }
        let item = self
            .file
            .item(name)
            .ok_or_else(|| format!("{}: there is no {name}", self.file.file_name()))?;
        if self.open.borrow().iter().any(|open| open == name) {
            return Err(format!(
                "{}: {name} depends on itself",
                self.file.file_name()
            ));
        }
        self.open.borrow_mut().push(name.to_owned());
        let none = Locals::default();
        let value = match &item.kind {
            ItemKind::Var(value) => self.val(value, &none)?,
            ItemKind::Param {
                of: Some(of),
                value: Some(value),
            } => {
                let value = self.value(value, &none)?;
                let path = format!("{}: {name}", self.file.file_name());
                accepts(self.project, self.file, of, &item.decorators, &value, &path)?;
                Val::Json(value)
            }
            ItemKind::Resource(resource) => self.each(&resource.body, |body, locals, there| {
                let made = self.resource(name, resource, body, locals, there)?;
                Ok(Val::Resource(Rc::new(made)))
            })?,
            ItemKind::Module { path, body } => self.each(body, |body, locals, there| {
                if !there {
                    return Ok(Val::Module(None));
                }
                let outputs = self.module(path, body, locals)?;
                Ok(Val::Module(Some(Rc::new(outputs))))
            })?,
            _ => return Err(format!("{}: {name} is no value", self.file.file_name())),
        };
        self.open.borrow_mut().pop();
        self.symbols
            .borrow_mut()
            .insert(name.to_owned(), value.clone());
        Ok(value)
    }

    /// Applies `make` to the object inside a loop and a condition, once for each round, and tells
    /// it whether the condition holds.
    fn each(
        &self,
        body: &Expr,
        make: impl Fn(&Expr, &Locals, bool) -> Result<Val, String>,
    ) -> Result<Val, String> {
        let one = |body: &Expr, locals: &Locals| match &body.kind {
            ExprKind::If { condition, body } => make(body, locals, self.truth(condition, locals)?),
            _ => make(body, locals, true),
        };
        let none = Locals::default();
        match &body.kind {
            ExprKind::For { body: inner, .. } => {
                let rounds = self.rounds(body, &none)?;
                let made = rounds.iter().map(|locals| one(inner, locals));
                Ok(Val::List(made.collect::<Result<_, _>>()?))
            }
            _ => one(body, &none),
        }
    }

    fn resource(
        &self,
        symbol: &str,
        resource: &Resource,
        body: &Expr,
        locals: &Locals,
        there: bool,
    ) -> Result<Made, String> {
        let part = |name: &str| body.property(name).map(|part| self.val(part, locals));
        let name = match part("name") {
            Some(Ok(Val::Json(Value::String(name)))) => name,
            Some(Err(error)) => return Err(error),
            _ => return Err(self.at(body, &format!("{symbol} has no name"))),
        };
        let id_of = |part: Option<Result<Val, String>>| match part {
            Some(Ok(Val::Resource(other))) => Ok(Some(other.id.clone())),
            Some(Ok(_)) => Err(self.at(body, "a scope or parent that is no resource")),
            Some(Err(error)) => Err(error),
            None => Ok(None),
        };
        let here = self.group["id"].as_str().unwrap_or_default().to_owned();
        let of = resource.of.as_str();
        let (scope, id) = match id_of(part("parent"))? {
            Some(parent) => {
                let kind = of.rsplit('/').next().unwrap_or_default();
                let id = format!("{parent}/{kind}/{name}");
                (parent, id)
            }
            None => {
                let scope = id_of(part("scope"))?.unwrap_or(here);
                let id = format!("{scope}/providers/{of}/{name}");
                (scope, id)
            }
        };
        let made = Made {
            id,
            name,
            of: of.to_owned(),
            version: resource.version.clone(),
            there: there || resource.existing,
            body: if there && !resource.existing {
                self.object(body, &["name", "scope", "parent", "dependsOn"], locals)?
            } else {
                Value::Null
            },
        };
        if there && !resource.existing {
            self.made.borrow_mut().push(Deployed {
                template: self.file.file_name(),
                symbol: symbol.to_owned(),
                of: made.of.clone(),
                version: made.version.clone(),
                id: made.id.clone(),
                scope,
                body: made.body.clone(),
            });
        }
        Ok(made)
    }

    fn module(
        &self,
        path: &str,
        body: &Expr,
        locals: &Locals,
    ) -> Result<Map<String, Value>, String> {
        let file = self
            .project
            .relative(self.file, path)
            .ok_or_else(|| self.at(body, &format!("there is no {path}")))?;
        let value = |name: &str| match body.property(name) {
            Some(expr) => self.value(expr, locals).map(Some),
            None => Ok(None),
        };
        let group = value("scope")?.unwrap_or_else(|| self.group.clone());
        let name = value("name")?.unwrap_or_default();
        let deployment = (group["id"].to_string(), name.to_string());
        if name
            .as_str()
            .is_none_or(|name| name.is_empty() || name.len() > 64)
            || self.deployments.borrow().contains(&deployment)
        {
            return Err(self.at(body, &format!("the deployment name {name} is unusable")));
        }
        self.deployments.borrow_mut().push(deployment);
        let given = match body.property("params") {
            Some(params) => {
                let mut given = Map::new();
                for property in params.properties() {
                    let name = property.fixed_name().unwrap_or_default().to_owned();
                    given.insert(name, self.value(&property.value, locals)?);
                }
                given
            }
            None => Map::new(),
        };
        let deployment = Template::new(self.project, file, self.azure, group, &given)?.deploy()?;
        self.made.borrow_mut().extend(deployment.resources);
        Ok(deployment.outputs)
    }
}
