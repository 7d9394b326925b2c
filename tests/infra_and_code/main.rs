//! Settings, functions, bindings and configuration keys: `infra/`, `function-app/`, the sample
//! settings, the README and the code say the same.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a failure is a failed test"
)]

mod keys;
mod names;
mod settings;

use std::collections::BTreeMap;

use bicep::Project;
use bicep::evaluate::{Azure, Deployment, deploy};
use nginx_vmss_sync::config::{Config, Environment, parse};
use serde_json::{Map, Value};

const SUBSCRIPTION: &str = "aaaa0000-0000-0000-0000-000000000001";

fn project() -> Project {
    Project::load(&bicep::infra()).expect("the templates are without fault")
}

fn azure(cloud: &str) -> Azure {
    let endpoint = (
        "Nginx.NginxPlus/nginxDeployments".to_owned(),
        "properties.dataplaneApiEndpoint".to_owned(),
    );
    Azure {
        cloud: cloud.to_owned(),
        subscription: SUBSCRIPTION.to_owned(),
        group: "rg-app".to_owned(),
        known: BTreeMap::from([(endpoint, "https://n.westeurope.nginxaas.net/".into())]),
    }
}

/// The sample's deployment with some parameters more, or others.
fn deployed(cloud: &str, more: &Value) -> Deployment {
    let more: &Map<String, Value> = more.as_object().unwrap();
    let deployment = deploy(&project(), "main.sample.bicepparam", more, &azure(cloud));
    deployment.unwrap_or_else(|error| panic!("{error}"))
}

/// The app settings of a deployment.
fn settings(deployment: &Deployment) -> Map<String, Value> {
    let mut found = deployment.of("Microsoft.Web/sites/config");
    let settings = found.next().expect("settings");
    assert!(found.next().is_none());
    settings.body["properties"].as_object().unwrap().clone()
}

/// What the handler makes of the configuration in the app settings.
fn configuration(cloud: &str, more: &Value) -> Config {
    let settings = settings(&deployed(cloud, more));
    let text = settings["VMSS_SYNC_CONFIG"].as_str().unwrap();
    let read = parse(text, "VMSS_SYNC_CONFIG", &Environment::default());
    read.unwrap_or_else(|error| panic!("{:#?} of {text}", error.lines()))
}

fn file(path: &str) -> String {
    let path = bicep::repository().join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
