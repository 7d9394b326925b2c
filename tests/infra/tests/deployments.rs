//! What whole deployments make: who may do what, what is closed, and what comes before what.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a failure is a failed test"
)]

use std::collections::{BTreeMap, BTreeSet};

use bicep::Project;
use bicep::evaluate::{Azure, Deployed, Deployment, deploy};
use bicep::tree::{Expr, ExprKind, ItemKind};
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

/// Who gets which role where, in words.
fn grants(deployment: &Deployment) -> BTreeSet<String> {
    let roles: BTreeMap<String, String> = deployment
        .of("Microsoft.Authorization/roleDefinitions")
        .map(|role| {
            let name = role.body["properties"]["roleName"].as_str().unwrap();
            let words: Vec<&str> = name.split(' ').take(3).collect();
            (
                role.id.rsplit('/').next().unwrap().to_owned(),
                words.join(" "),
            )
        })
        .chain(
            // As Microsoft numbers them.
            [
                (
                    "b7e6dc6d-f1e8-4753-8033-0f276bb0955b",
                    "Storage Blob Data Owner",
                ),
                (
                    "ba92f5b4-2d11-453d-a403-e96b0029c9fe",
                    "Storage Blob Data Contributor",
                ),
                (
                    "3913510d-42f4-4e42-8a64-420c390055eb",
                    "Monitoring Metrics Publisher",
                ),
                (
                    "4633458b-17de-408a-b874-0445c86b69e6",
                    "Key Vault Secrets User",
                ),
            ]
            .map(|(id, name)| (id.to_owned(), name.to_owned())),
        )
        .collect();
    let assignments = deployment.of("Microsoft.Authorization/roleAssignments");
    let grants = assignments.map(|assignment| {
        let properties = &assignment.body["properties"];
        assert_eq!(properties["principalType"], "ServicePrincipal");
        let principal = properties["principalId"].as_str().unwrap();
        let who = match principal.split('/').rev().nth(1) {
            Some("userAssignedIdentities") => "the app",
            Some("systemTopics") => "the topic",
            _ => principal,
        };
        let role = properties["roleDefinitionId"].as_str().unwrap();
        let role = &roles[role.rsplit('/').next().unwrap()];
        let below: Vec<&str> = assignment.scope.split('/').skip(4).collect();
        let place = match below.as_slice() {
            [group] => (*group).to_owned(),
            [group, _, _, rest @ ..] => format!("{group}/{}", rest.join("/")),
            _ => panic!("{}", assignment.scope),
        };
        format!("{who}: {role} at {place}")
    });
    grants.collect()
}

#[test]
fn nobody_gets_more_than_this() {
    let deployment = deployed(&everything());
    let storage = one(&deployment, "Microsoft.Storage/storageAccounts");
    let storage = storage.id.rsplit('/').next().unwrap();
    let vault = deployment.outputs["keyVaultName"].as_str().unwrap();
    let expected = [
        format!("the app: Storage Blob Data Owner at rg-app/storageAccounts/{storage}"),
        "the app: Monitoring Metrics Publisher at rg-app/components/app-insights".to_owned(),
        format!("the app: Key Vault Secrets User at rg-app/vaults/{vault}"),
        "the app: nginx-vmss-sync Uniform reader at my-resource-group/virtualMachineScaleSets/backend-one-vmss".to_owned(),
        "the app: nginx-vmss-sync Flexible reader at my-resource-group".to_owned(),
        format!(
            "the topic: Storage Blob Data Contributor at rg-app/storageAccounts/{storage}/blobServices/default/containers/dead-letters"
        ),
    ];
    assert_eq!(grants(&deployment), expected.into());
}

#[test]
fn several_groups_and_subscriptions_each_get_their_own_role_topic_and_subscription() {
    let mut more = everything();
    more["scaleSetGroups"] = json!([
        { "resourceGroupName": "rg-a", "uniformSets": ["u1", "u2"] },
        { "resourceGroupName": "rg-b", "flexibleSets": ["f1"], "subscriptionId": THERE },
    ]);
    let deployment = deployed(&more);
    let of_sets: Vec<String> = grants(&deployment)
        .into_iter()
        .filter(|grant| grant.contains("reader"))
        .collect();
    assert_eq!(
        of_sets,
        [
            "the app: nginx-vmss-sync Flexible reader at rg-b",
            "the app: nginx-vmss-sync Uniform reader at rg-a/virtualMachineScaleSets/u1",
            "the app: nginx-vmss-sync Uniform reader at rg-a/virtualMachineScaleSets/u2",
        ]
    );
    let group = |subscription: &str, name: &str| {
        format!("/subscriptions/{subscription}/resourceGroups/{name}")
    };
    for (of, expected) in [
        ("Microsoft.Authorization/roleDefinitions", 2),
        ("Microsoft.EventGrid/systemTopics", 3),
        ("Microsoft.EventGrid/systemTopics/eventSubscriptions", 3),
    ] {
        let ids: Vec<&str> = deployment
            .of(of)
            .map(|resource| resource.id.as_str())
            .collect();
        assert_eq!(ids.len(), expected, "{ids:?}");
        for place in [group(HERE, "rg-a"), group(THERE, "rg-b")] {
            let here = ids.iter().filter(|id| id.starts_with(&format!("{place}/")));
            assert_eq!(here.count(), 1, "{of} in {place}");
        }
    }
    for role in deployment.of("Microsoft.Authorization/roleDefinitions") {
        assert_eq!(
            role.body["properties"]["assignableScopes"],
            json!([role.scope])
        );
        let assigned = role.scope.split('/').nth(2).unwrap();
        let mut uses = deployment.of("Microsoft.Authorization/roleAssignments");
        let id = role.id.rsplit('/').next().unwrap();
        let full = format!(
            "/subscriptions/{assigned}/providers/Microsoft.Authorization/roleDefinitions/{id}"
        );
        assert!(uses.any(|one| one.body["properties"]["roleDefinitionId"] == full.as_str()));
    }
}

#[test]
fn an_existing_vault_is_left_as_it_is_and_only_its_secret_is_opened() {
    let mut more = everything();
    more["existingKeyVault"] = json!({
        "name": "kv-own", "resourceGroupName": "rg-kv", "subscriptionId": THERE, "existingSystemTopicName": "own-topic",
    });
    let deployment = deployed(&more);
    assert_eq!(deployment.of("Microsoft.KeyVault/vaults").count(), 0);
    let grant =
        "the app: Key Vault Secrets User at rg-kv/vaults/kv-own/secrets/nginxaas-dataplane-key";
    assert!(
        grants(&deployment).contains(grant),
        "{:#?}",
        grants(&deployment)
    );
    let secret = one(&deployment, "Microsoft.KeyVault/vaults/secrets");
    assert!(
        secret
            .id
            .starts_with(&format!("/subscriptions/{THERE}/resourceGroups/rg-kv/"))
    );
    let topics: Vec<&Deployed> = deployment.of("Microsoft.EventGrid/systemTopics").collect();
    assert_eq!(topics.len(), 1, "that of the resource group: {topics:?}");
    let mut subscriptions = deployment.of("Microsoft.EventGrid/systemTopics/eventSubscriptions");
    assert!(subscriptions.any(|one| one.id.contains("/systemTopics/own-topic/")));
}

#[test]
fn an_existing_topic_is_used_and_keeps_dead_letters_where_its_identity_is_told() {
    for principal in [None, Some(TOPIC)] {
        let mut more = everything();
        let mut topic = json!({ "name": "own-topic" });
        if let Some(principal) = principal {
            topic["principalId"] = principal.into();
        }
        more["alertActionGroupIds"] = json!([]);
        more["scaleSetGroups"] = json!([
            { "resourceGroupName": "rg-a", "uniformSets": ["u"], "existingSystemTopic": topic },
        ]);
        let deployment = deployed(&more);
        assert_eq!(deployment.of("Microsoft.EventGrid/systemTopics").count(), 0);
        let subscription = one(
            &deployment,
            "Microsoft.EventGrid/systemTopics/eventSubscriptions",
        );
        assert!(subscription.id.ends_with(
            "/rg-a/providers/Microsoft.EventGrid/systemTopics/own-topic/eventSubscriptions/app"
        ));
        let letters = subscription.body["properties"].get("deadLetterWithResourceIdentity");
        assert_eq!(letters.is_some(), principal.is_some());
        let granted = grants(&deployment);
        let granted = granted
            .iter()
            .any(|grant| grant.contains("Blob Data Contributor"));
        assert_eq!(granted, principal.is_some());
    }
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
        grants(&deployment)
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
fn nothing_is_open_that_can_be_closed() {
    let deployment = deployed(&everything());
    let properties = |of: &str| one(&deployment, of).body["properties"].clone();
    let storage = properties("Microsoft.Storage/storageAccounts");
    assert_eq!(storage["allowSharedKeyAccess"], false);
    assert_eq!(storage["allowBlobPublicAccess"], false);
    assert_eq!(storage["minimumTlsVersion"], "TLS1_2");
    assert_eq!(storage["supportsHttpsTrafficOnly"], true);
    assert_eq!(
        properties("Microsoft.Insights/components")["DisableLocalAuth"],
        true
    );
    assert_eq!(
        properties("Microsoft.KeyVault/vaults")["enableRbacAuthorization"],
        true
    );
    let site = properties("Microsoft.Web/sites");
    assert_eq!(site["httpsOnly"], true);
    assert_eq!(site["siteConfig"]["minTlsVersion"], "1.2");
    assert_eq!(site["virtualNetworkSubnetId"], "/subnet");
    let deployment = &site["functionAppConfig"]["deployment"]["storage"];
    assert_eq!(deployment["authentication"]["type"], "UserAssignedIdentity");
    assert_eq!(
        site["functionAppConfig"]["runtime"],
        json!({ "name": "custom", "version": "1.0" })
    );
    // Without a subnet the property is not sent at all.
    let site = deployed(&json!({}));
    let site = one(&site, "Microsoft.Web/sites").body["properties"].clone();
    assert!(site.get("virtualNetworkSubnetId").is_none());
    assert_eq!(
        site["functionAppConfig"]["scaleAndConcurrency"]["alwaysReady"],
        json!([])
    );
}

/// What a module waits for, through references and `dependsOn`, directly or not.
fn waits_for(symbol: &str) -> BTreeSet<String> {
    fn names(expr: &Expr, found: &mut BTreeSet<String>) {
        if let ExprKind::Name(name) = &expr.kind {
            found.insert(name.clone());
        }
        for child in expr.children() {
            names(child, found);
        }
    }
    let project = Project::load(&bicep::infra()).unwrap();
    let main = project.named("main.bicep").unwrap();
    let mut found = BTreeSet::new();
    let mut next = vec![symbol.to_owned()];
    while let Some(name) = next.pop() {
        let body = match main.item(&name).map(|item| &item.kind) {
            Some(ItemKind::Module { body, .. } | ItemKind::Var(body)) => body,
            _ => continue,
        };
        let mut more = BTreeSet::new();
        names(body, &mut more);
        next.extend(more.difference(&found).cloned());
        found.extend(more);
    }
    found
}

#[test]
fn the_app_comes_after_its_identity_and_every_role_and_the_events_after_the_app() {
    let app = waits_for("functionApp");
    for earlier in [
        "identity",
        "storage",
        "monitoring",
        "scaleSetAccess",
        "keyVaultAccess",
    ] {
        assert!(app.contains(earlier), "{earlier}");
    }
    let access = waits_for("keyVaultAccess");
    assert!(access.contains("apiKeySecret") && access.contains("keyVault"));
    assert!(waits_for("apiKeySecret").contains("apiKey"));
    let events = waits_for("eventSubscription");
    for earlier in ["functionApp", "eventTopic", "deadLetterAccess"] {
        assert!(events.contains(earlier), "{earlier}");
    }
    assert!(waits_for("apiKeyExpiryAlert").contains("keyVaultTopic"));
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
