//! Events as Azure Event Grid delivers them for a resource group.

use serde_json::{Value, json};

use crate::random;

/// The time that is written into events. It is no news to the handler, which must not rely on it.
const TIME: &str = "2026-08-20T10:00:00.1234567Z";

/// An event in the Event Grid schema, for example `("Microsoft.Resources.ResourceWriteSuccess",
/// id, "Microsoft.Compute/virtualMachineScaleSets/write")`.
#[must_use]
pub fn event_grid(event_type: &str, resource_id: &str, operation: &str) -> Value {
    json!({
        "id": random::guid(),
        "topic": scope(resource_id),
        "subject": resource_id,
        "eventType": event_type,
        "eventTime": TIME,
        "data": data(event_type, resource_id, operation),
        "dataVersion": "2",
        "metadataVersion": "1",
    })
}

/// The same event in the CloudEvents 1.0 schema.
#[must_use]
pub fn cloud_event(event_type: &str, resource_id: &str, operation: &str) -> Value {
    json!({
        "specversion": "1.0",
        "id": random::guid(),
        "source": scope(resource_id),
        "subject": resource_id,
        "type": event_type,
        "time": TIME,
        "data": data(event_type, resource_id, operation),
    })
}

/// Subscription and resource group of an ARM id.
fn scope(resource_id: &str) -> String {
    resource_id.split('/').take(5).collect::<Vec<_>>().join("/")
}

fn data(event_type: &str, resource_id: &str, operation: &str) -> Value {
    let subscription = resource_id.split('/').nth(2).unwrap_or_default();
    let method = match operation.rsplit('/').next() {
        Some("write") => "PUT",
        Some("delete") => "DELETE",
        _ => "POST",
    };
    let status = if event_type.ends_with("Success") {
        "Succeeded"
    } else {
        "Failed"
    };
    json!({
        "authorization": {
            "scope": resource_id,
            "action": operation,
            "evidence": {"role": "Contributor", "principalType": "ServicePrincipal"},
        },
        "claims": {"aud": "https://management.core.windows.net/", "ver": "1.0"},
        "correlationId": random::guid(),
        "httpRequest": {
            "clientRequestId": random::guid(),
            "clientIpAddress": "203.0.113.7",
            "method": method,
            "url": format!("https://management.azure.com{resource_id}?api-version=2024-07-01"),
        },
        "resourceProvider": "Microsoft.Compute",
        "resourceUri": resource_id,
        "operationName": operation,
        "status": status,
        "subscriptionId": subscription,
        "tenantId": random::guid(),
    })
}
