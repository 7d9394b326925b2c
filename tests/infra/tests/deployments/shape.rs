//! What is closed, and what comes before what.

use std::collections::BTreeSet;

use bicep::Project;
use bicep::tree::{Expr, ExprKind, ItemKind};
use serde_json::json;

use super::{deployed, everything, one};

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
