//! The event subscription's filter lets everything through that the handler acts on; what else it
//! lets through, the handler ignores.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use simulated_cloud::Cloud;
use simulated_cloud::functions_host::{cloud_event, event_grid};

use super::{module, texts};
use crate::safety_support::{cloud, tick};
use crate::support::{Running, web};

/// The properties of the event subscription for the set `web-vmss`.
fn subscription(cloud: &Cloud, uniform: bool, sets: &[&str]) -> Value {
    let (uniform_sets, flexible_sets) = if uniform {
        (sets, &[][..])
    } else {
        (&[][..], sets)
    };
    let given = json!({
        "topicName": "topic",
        "subscriptionName": "vmss-sync",
        "functionId": "/app/functions/VmssScaleEvent",
        "uniformSets": uniform_sets,
        "flexibleSets": flexible_sets,
        "deadLetterStorageId": "/account",
        "deadLetterContainerName": "dead-letters",
    });
    let made = module(cloud, "event-subscription.bicep", &given);
    let [subscription] = made.resources.as_slice() else {
        panic!("{made:?}")
    };
    subscription.body["properties"].clone()
}

/// Whether Event Grid delivers an event through a filter, by its rules: an empty part lets all
/// through; one advanced filter asks for one of its values, all must agree; texts are compared
/// without case; what the event does not have fits nothing.
fn delivers(filter: &Value, event: &Value) -> bool {
    let known = ["includedEventTypes", "advancedFilters"];
    for part in filter.as_object().unwrap().keys() {
        assert!(
            known.contains(&part.as_str()),
            "this test does not know {part}"
        );
    }
    let lower = |value: &Value| value.as_str().unwrap_or_default().to_lowercase();
    let types = texts(&filter["includedEventTypes"]);
    let kind = lower(&event["eventType"]);
    if !types.iter().any(|other| other.to_lowercase() == kind) {
        return false;
    }
    filter["advancedFilters"]
        .as_array()
        .unwrap()
        .iter()
        .all(|one| {
            assert_eq!(one["operatorType"], "StringContains");
            let pointer = format!("/{}", one["key"].as_str().unwrap().replace('.', "/"));
            let Some(value) = event.pointer(&pointer).filter(|value| value.is_string()) else {
                return false;
            };
            let value = lower(value);
            let mut wanted = texts(&one["values"]).into_iter();
            wanted.any(|wanted| value.contains(&wanted.to_lowercase()))
        })
}

/// Kinds of events: all of `Microsoft.Resources`, and some that are none.
fn kinds() -> Vec<String> {
    let mut kinds = Vec::new();
    for what in ["Write", "Delete", "Action"] {
        for end in ["Success", "Failure", "Cancel"] {
            kinds.push(format!("Microsoft.Resources.Resource{what}{end}"));
        }
    }
    for other in [
        "Microsoft.Resources.ResourceWriteStarted",
        "Microsoft.Resources.ResourceReadSuccess",
        "Microsoft.ResourceNotifications.Resources.CreatedOrUpdated",
        "Microsoft.KeyVault.SecretNewVersionCreated",
        "Microsoft.Storage.BlobCreated",
        "Microsoft.EventGrid.SubscriptionValidationEvent",
    ] {
        kinds.push(other.to_owned());
    }
    kinds
}

/// Resources of the set's group and of others.
fn resources(cloud: &Cloud) -> Vec<String> {
    let group = format!(
        "/subscriptions/{}/resourceGroups/{}",
        cloud.subscription_id(),
        cloud.resource_group()
    );
    let compute = format!("{group}/providers/Microsoft.Compute");
    let mut ids: Vec<String> = [
        "virtualMachineScaleSets/web-vmss",
        "virtualMachineScaleSets/web-vmss/virtualMachines/3",
        "virtualMachineScaleSets/web-vmss/extensions/health",
        "virtualMachineScaleSets/web-vmss2",
        "virtualMachineScaleSets/other",
        "virtualMachineScaleSets/other/virtualMachines/3",
        "virtualMachines/web-vmss_1a2b",
        "virtualMachines/web-vmss_1a2b/extensions/health",
        "disks/web-vmss",
        "availabilitySets/web-vmss",
    ]
    .iter()
    .map(|below| format!("{compute}/{below}"))
    .collect();
    for below in [
        "Microsoft.Network/networkInterfaces/nic-7",
        "Microsoft.Network/publicIPAddresses/web-vmss",
        "Microsoft.Resources/deployments/web-vmss",
        "Microsoft.Storage/storageAccounts/webvmss",
        "Microsoft.Insights/autoscaleSettings/web-vmss",
    ] {
        ids.push(format!("{group}/providers/{below}"));
    }
    for id in ids.clone() {
        ids.push(id.to_uppercase());
        ids.push(id.replace(&cloud.resource_group(), "rg-elsewhere"));
    }
    ids
}

/// Whether the handler does anything at all about an event.
async fn acts_on(running: &Running, event: &Value) -> bool {
    running.cloud.clear_requests();
    let reply = running.handler.event(event).await;
    assert!(reply.succeeded(), "{event}: {}", reply.text);
    !running.cloud.requests().is_empty()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_filter_delivers_every_event_that_the_handler_acts_on() {
    for uniform in [true, false] {
        let running = Running::start(cloud(uniform, 1).await, &[web()]).await;
        // An event before the first pass has learned the mode is taken more seriously than it need be.
        tick(&running).await;
        let filter = subscription(&running.cloud, uniform, &["web-vmss"])["filter"].clone();
        let mut acted = BTreeSet::new();
        let mut ignored_though_delivered = 0;
        for kind in kinds() {
            for id in resources(&running.cloud) {
                let event = event_grid(&kind, &id, "Microsoft.Compute/x/write");
                let acts = acts_on(&running, &event).await;
                let delivered = delivers(&filter, &event);
                assert!(
                    delivered || !acts,
                    "uniform {uniform}: {kind} of {id} is not delivered"
                );
                if acts {
                    acted.insert(kind.clone());
                } else if delivered {
                    ignored_though_delivered += 1;
                }
            }
        }
        let included: BTreeSet<String> = texts(&filter["includedEventTypes"]).into_iter().collect();
        assert_eq!(included, acted, "uniform {uniform}");
        // Longer names of sets, and other groups, which a topic of this group does not see.
        assert!(ignored_though_delivered > 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_filter_keeps_out_what_is_about_something_else() {
    for uniform in [true, false] {
        let cloud = cloud(uniform, 1).await;
        let filter = subscription(&cloud, uniform, &["web-vmss"])["filter"].clone();
        let delivered = resources(&cloud).into_iter().filter(|id| {
            delivers(
                &filter,
                &event_grid("Microsoft.Resources.ResourceWriteSuccess", id, "x"),
            )
        });
        let names: BTreeSet<String> = delivered
            .filter(|id| id.contains(&format!("/{}/", cloud.resource_group())))
            .map(|id| id.split("/providers/").nth(1).unwrap().to_owned())
            .collect();
        let mut expected = vec![
            "Microsoft.Compute/virtualMachineScaleSets/web-vmss",
            "Microsoft.Compute/virtualMachineScaleSets/web-vmss/extensions/health",
            "Microsoft.Compute/virtualMachineScaleSets/web-vmss/virtualMachines/3",
            // A filter compares beginnings and parts only.
            "Microsoft.Compute/virtualMachineScaleSets/web-vmss2",
        ];
        if !uniform {
            expected.extend([
                "Microsoft.Compute/virtualMachines/web-vmss_1a2b",
                "Microsoft.Compute/virtualMachines/web-vmss_1a2b/extensions/health",
                "Microsoft.Network/networkInterfaces/nic-7",
            ]);
        }
        let expected: BTreeSet<String> = expected.into_iter().map(str::to_owned).collect();
        assert_eq!(names, expected, "uniform {uniform}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn either_schema_of_an_event_means_the_same_to_the_handler() {
    let running = Running::start(cloud(false, 1).await, &[web()]).await;
    tick(&running).await;
    for id in resources(&running.cloud) {
        let kind = "Microsoft.Resources.ResourceDeleteSuccess";
        let event = acts_on(&running, &event_grid(kind, &id, "x/delete")).await;
        let cloud = acts_on(&running, &cloud_event(kind, &id, "x/delete")).await;
        assert_eq!(event, cloud, "{id}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn however_many_sets_the_filter_keeps_the_limits_of_event_grid() {
    let cloud = cloud(true, 0).await;
    for count in [1, 22, 23, 24, 200] {
        let names: Vec<String> = (0..count)
            .map(|n| format!("{}{n}", "s".repeat(60)))
            .collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        for uniform in [true, false] {
            let filter = subscription(&cloud, uniform, &names)["filter"].clone();
            let filters = filter["advancedFilters"].as_array().unwrap();
            let values = filters.iter().flat_map(|one| texts(&one["values"]));
            let values: Vec<String> = values.collect();
            assert!(values.len() <= 25, "{}", values.len());
            assert!(values.iter().all(|value| value.len() <= 512));
            for name in &names {
                let id = format!(
                    "/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/virtualMachineScaleSets/{name}"
                );
                let event = event_grid("Microsoft.Resources.ResourceWriteSuccess", &id, "x/write");
                assert!(delivers(&filter, &event), "{name}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn events_come_one_at_a_time_and_are_given_up_before_they_are_worthless() {
    let cloud = cloud(true, 0).await;
    let subscription = subscription(&cloud, true, &["web-vmss"]);
    assert_eq!(subscription["destination"]["endpointType"], "AzureFunction");
    let destination = &subscription["destination"]["properties"];
    assert_eq!(destination["maxEventsPerBatch"], 1);
    assert_eq!(subscription["eventDeliverySchema"], "EventGridSchema");
    let retry = &subscription["retryPolicy"];
    assert!((1..=30).contains(&retry["maxDeliveryAttempts"].as_i64().unwrap()));
    assert!((1..=1_440).contains(&retry["eventTimeToLiveInMinutes"].as_i64().unwrap()));
}
