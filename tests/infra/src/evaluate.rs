//! What a deployment sends to Resource Manager.
//!
//! A template is evaluated with its modules, for given parameters, as Resource Manager would do it.
//! What only Azure knows (an object id, an endpoint) is a placeholder that names its resource and
//! property, unless [`Azure::known`] tells it.

mod accept;
mod expressions;
mod functions;
mod template;

use std::collections::BTreeMap;

use serde_json::{Map, Value};

pub(crate) use accept::{accepts, declared};
pub(crate) use expressions::parameters as deploy_parameters;
pub use functions::FUNCTIONS;
pub use template::Template;

use crate::project::Project;
use crate::tree::ItemKind;

/// Where a deployment happens.
#[derive(Debug, Clone)]
pub struct Azure {
    /// The cloud's name, as `environment().name` tells it.
    pub cloud: String,
    /// The subscription that the deployment is sent to.
    pub subscription: String,
    /// The resource group that it is sent to.
    pub group: String,
    /// Values that only Azure knows, by resource type and property path.
    pub known: BTreeMap<(String, String), Value>,
}

/// One resource of a deployment.
#[derive(Debug, Clone, PartialEq)]
pub struct Deployed {
    /// The template's file name.
    pub template: String,
    /// Its symbolic name there.
    pub symbol: String,
    /// Its type.
    pub of: String,
    /// Its api-version.
    pub version: String,
    /// Its resource id.
    pub id: String,
    /// What it extends: the resource or resource group that it is made in.
    pub scope: String,
    /// What is sent: everything but the id's parts.
    pub body: Value,
}

/// A deployment.
#[derive(Debug, Clone, Default)]
pub struct Deployment {
    /// What it makes or changes; not what it only refers to.
    pub resources: Vec<Deployed>,
    /// The outputs of the template.
    pub outputs: Map<String, Value>,
}

impl Deployment {
    /// The resources of a type.
    pub fn of<'a>(&'a self, of: &'a str) -> impl Iterator<Item = &'a Deployed> {
        self.resources
            .iter()
            .filter(move |resource| resource.of == of)
    }
}

/// Deploys the template that a parameters file is for; `more` are further parameters, as on the
/// command line.
///
/// # Errors
///
/// What cannot be evaluated, or a parameter that its type refuses.
pub fn deploy(
    project: &Project,
    parameters: &str,
    more: &Map<String, Value>,
    azure: &Azure,
) -> Result<Deployment, String> {
    let file = project
        .named(parameters)
        .ok_or_else(|| format!("there is no {parameters}"))?;
    let using = file.using.as_deref().unwrap_or_default();
    let template = project
        .relative(file, using)
        .ok_or_else(|| format!("{parameters} is for {using}, which is not there"))?;
    let mut given = expressions::parameters(file)?;
    given.extend(more.clone());
    let group = template::group(&azure.subscription, &azure.group);
    Template::new(project, template, azure, group, &given)?.deploy()
}

/// Evaluates one module on its own.
///
/// # Errors
///
/// What cannot be evaluated, or a parameter that its type refuses.
pub fn deploy_module(
    project: &Project,
    module: &str,
    given: &Map<String, Value>,
    azure: &Azure,
) -> Result<Deployment, String> {
    let template = project
        .named(module)
        .ok_or_else(|| format!("there is no {module}"))?;
    let group = template::group(&azure.subscription, &azure.group);
    Template::new(project, template, azure, group, given)?.deploy()
}

/// The names of a template's parameters that must be given.
pub fn required(file: &crate::File) -> impl Iterator<Item = &str> {
    file.params().filter_map(|item| match &item.kind {
        ItemKind::Param { of, value: None }
            if !matches!(of, Some(crate::tree::Type::Nullable(_))) =>
        {
            Some(item.name.as_str())
        }
        _ => None,
    })
}
