//! The templates of `infra/`, evaluated, against the running handler.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a failure is a failed test"
)]

mod alerts;
mod events;
mod roles;

use bicep::Project;
use bicep::evaluate::{Azure, Deployment, deploy_module};
use serde_json::Value;
use simulated_cloud::Cloud;

/// What a module makes in the simulated cloud's resource group.
fn module(cloud: &Cloud, name: &str, parameters: &Value) -> Deployment {
    let azure = Azure {
        cloud: "AzureCloud".to_owned(),
        subscription: cloud.subscription_id(),
        group: cloud.resource_group(),
        known: std::collections::BTreeMap::new(),
    };
    let project = Project::load(&bicep::infra()).expect("the templates are without fault");
    let parameters = parameters.as_object().expect("an object");
    deploy_module(&project, name, parameters, &azure).unwrap_or_else(|error| panic!("{error}"))
}

/// The texts of a JSON list.
fn texts(list: &Value) -> Vec<String> {
    let items = list.as_array().expect("a list").iter();
    items
        .map(|item| item.as_str().expect("a text").to_owned())
        .collect()
}
