//! Who may do what.

use std::collections::{BTreeMap, BTreeSet};

use bicep::evaluate::{Deployed, Deployment};
use serde_json::json;

use super::{HERE, THERE, TOPIC, deployed, everything, one};

/// Who gets which role where, in words.
pub(super) fn grants(deployment: &Deployment) -> BTreeSet<String> {
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
