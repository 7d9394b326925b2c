//! What whole deployments make: who may do what, what is closed, and what comes before what.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a failure is a failed test"
)]

mod access;
mod shape;

use std::collections::BTreeMap;

use bicep::Project;
use bicep::evaluate::{Azure, Deployed, Deployment, deploy};
use serde_json::{Value, json};

const HERE: &str = "aaaa0000-0000-0000-0000-000000000001";
const THERE: &str = "bbbb0000-0000-0000-0000-000000000002";
const TOPIC: &str = "cccc0000-0000-0000-0000-000000000003";

fn try_deploy(more: &Value) -> Result<Deployment, String> {
    let project = Project::load(&bicep::infra()).expect("the templates are without fault");
    let azure = Azure {
        cloud: "AzureCloud".to_owned(),
        subscription: HERE.to_owned(),
        group: "rg-app".to_owned(),
        known: BTreeMap::new(),
    };
    let more = more.as_object().unwrap();
    deploy(&project, "main.sample.bicepparam", more, &azure)
}

fn deployed(more: &Value) -> Deployment {
    try_deploy(more).unwrap_or_else(|error| panic!("{error}"))
}

/// Everything that can be switched on.
fn everything() -> Value {
    json!({
        "functionAppName": "app",
        "deployEvents": true,
        "alertActionGroupIds": ["/somebody"],
        "rotateApiKey": true,
        "apiKeySlot": "b",
        "alwaysReadyInstances": 1,
        "subnetId": "/subnet",
    })
}

fn one<'d>(deployment: &'d Deployment, of: &'d str) -> &'d Deployed {
    let mut found = deployment.of(of);
    let one = found.next().unwrap_or_else(|| panic!("no {of}"));
    assert!(found.next().is_none(), "more than one {of}");
    one
}

#[test]
fn the_first_deployment_makes_the_topics_but_subscribes_nothing_and_rotates_no_key() {
    let deployment = deployed(&json!({ "alertActionGroupIds": ["/somebody"] }));
    for of in [
        "Microsoft.EventGrid/systemTopics/eventSubscriptions",
        "Microsoft.Insights/scheduledQueryRules",
        "Microsoft.KeyVault/vaults/secrets",
        "Nginx.NginxPlus/nginxDeployments/apiKeys",
    ] {
        assert_eq!(deployment.of(of).count(), 0, "{of}");
    }
    assert_eq!(deployment.of("Microsoft.EventGrid/systemTopics").count(), 1);
    assert!(
        access::grants(&deployment)
            .iter()
            .any(|grant| grant.starts_with("the topic: "))
    );
}

#[test]
fn a_new_key_goes_to_the_slot_named_and_into_the_vault_and_both_expire_together() {
    let mut more = everything();
    more["apiKeyLifetimeDays"] = json!(90);
    let deployment = deployed(&more);
    let key = one(&deployment, "Nginx.NginxPlus/nginxDeployments/apiKeys");
    assert!(key.id.ends_with("/my-nginxaas-group/providers/Nginx.NginxPlus/nginxDeployments/my-nginxaas/apiKeys/vmss-sync-b"));
    let secret = one(&deployment, "Microsoft.KeyVault/vaults/secrets");
    assert_eq!(
        key.body["properties"]["secretText"],
        secret.body["properties"]["value"]
    );
    let ends = key.body["properties"]["endDateTime"].as_str().unwrap();
    assert!(ends.ends_with("P90D"), "{ends}");
    assert!(secret.body["properties"]["attributes"]["exp"].is_i64());
    assert!(position(&deployment, key) < position(&deployment, secret));
}

fn position(deployment: &Deployment, resource: &Deployed) -> usize {
    let mut all = deployment.resources.iter();
    all.position(|other| other.id == resource.id).unwrap()
}

#[test]
fn names_keep_azures_limits_however_long_the_apps_name() {
    for name in ["abc", &"a".repeat(32)] {
        let mut more = everything();
        more["functionAppName"] = name.into();
        let deployment = deployed(&more);
        for resource in &deployment.resources {
            let name = resource.id.rsplit('/').next().unwrap();
            let limit = match resource.of.rsplit('/').next().unwrap() {
                "storageAccounts" | "vaults" => 3..=24,
                "sites" | "serverfarms" => 2..=40,
                "workspaces" => 4..=63,
                "systemTopics" => 3..=128,
                "eventSubscriptions" => 3..=64,
                "userAssignedIdentities" => 3..=128,
                "apiKeys" => 1..=30,
                _ => 1..=260,
            };
            assert!(limit.contains(&name.len()), "{}: {name}", resource.of);
        }
    }
}

#[test]
fn parameters_that_make_no_sense_are_refused_before_anything_is_made() {
    for (wrong, expected) in [
        (json!({ "scaleSetGroups": [] }), "@minLength(1)"),
        (
            json!({ "scaleSetGroups": [{ "uniformSets": ["u"] }] }),
            "resourceGroupName",
        ),
        (
            json!({ "scaleSetGroups": [{ "resourceGroupName": "g", "sets": ["u"] }] }),
            "`sets`",
        ),
        (
            json!({ "configuration": { "upstreams": [] } }),
            "@minLength(1)",
        ),
        (json!({ "configuration": { "upstream": [] } }), "`upstream`"),
        (json!({ "apiKeySlot": "c" }), "@allowed"),
        (json!({ "apiKeyLifetimeDays": 731 }), "@maxValue(730)"),
        (json!({ "instanceMemoryMB": 1024 }), "@allowed"),
        (json!({ "maximumInstanceCount": 39 }), "@minValue(40)"),
        (json!({ "alertAfterMinutes": 20 }), "@allowed"),
        (json!({ "logFormat": "xml" }), "@allowed"),
        (json!({ "functionAppName": "ab" }), "@minLength(3)"),
        (json!({ "location": 5 }), "location"),
        (json!({ "loction": "westeurope" }), "no parameter loction"),
    ] {
        let error = try_deploy(&wrong).expect_err(&wrong.to_string());
        assert!(error.contains(expected), "{error} instead of {expected}");
    }
}

/// The same resource group twice would overwrite its own subscription.
#[test]
fn a_resource_group_that_stands_twice_is_told() {
    let wrong = json!({ "scaleSetGroups": [
        { "resourceGroupName": "g", "uniformSets": ["u"] },
        { "resourceGroupName": "g", "flexibleSets": ["f"] },
    ] });
    let error = try_deploy(&wrong).expect_err("deployed twice");
    assert!(error.contains("is deployed twice"), "{error}");
}
