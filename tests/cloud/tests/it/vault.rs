//! Key Vault.

use simulated_cloud::Cloud;

use crate::client::{Response, send, token};

async fn get(cloud: &Cloud, path: &str, token: &str) -> Response {
    let url = format!("{}{path}", cloud.vault_endpoint());
    let bearer = format!("Bearer {token}");
    send(cloud, "GET", &url, &[("authorization", &bearer)], "")
        .await
        .unwrap()
}

#[tokio::test]
async fn a_secret_is_read_after_the_challenge() {
    let cloud = Cloud::start().await;
    let url = format!("{}?api-version=2025-07-01", cloud.vault_secret_id());
    let challenge = send(&cloud, "GET", &url, &[], "").await.unwrap();
    assert_eq!(challenge.status, 401);
    let header = challenge.header("www-authenticate");
    assert!(header.starts_with("Bearer authorization=\"https://login.microsoftonline.com/"));
    assert!(header.ends_with("resource=\"https://vault.azure.net\""));

    let token = token(&cloud, "https://vault.azure.net").await;
    let latest = "/secrets/nginxaas-dataplane-key/?api-version=2026-04-01";
    let reply = get(&cloud, latest, &token).await.json();
    assert_eq!(reply["value"], cloud.api_key());

    let first = cloud.world().api_key();
    cloud.world().rotate_key("another-key", true);
    assert_eq!(
        get(&cloud, latest, &token).await.json()["value"],
        "another-key"
    );
    let version = &cloud.world().secret_versions("nginxaas-dataplane-key")[0];
    let path = format!("/secrets/nginxaas-dataplane-key/{version}?api-version=7.4");
    assert_eq!(get(&cloud, &path, &token).await.json()["value"], first);
}

#[tokio::test]
async fn it_refuses_what_the_real_one_refuses() {
    let cloud = Cloud::start().await;
    let arm = token(&cloud, "https://management.azure.com").await;
    let good = token(&cloud, "https://vault.azure.net").await;
    let path = "/secrets/nginxaas-dataplane-key";
    let versioned = format!("{path}?api-version=7.4");
    assert_eq!(get(&cloud, &versioned, &arm).await.status, 401);
    assert_eq!(get(&cloud, path, &good).await.code(), "BadParameter");
    let missing = get(&cloud, "/secrets/other?api-version=7.4", &good).await;
    assert_eq!(
        (missing.status, missing.code().as_str()),
        (404, "SecretNotFound")
    );
    cloud.world().deny_secrets(true);
    let denied = get(&cloud, &versioned, &good).await;
    assert_eq!((denied.status, denied.code().as_str()), (403, "Forbidden"));
}

#[tokio::test]
async fn it_tells_when_a_secret_expires_and_gives_it_out_all_the_same() {
    let cloud = Cloud::start().await;
    let token = token(&cloud, "https://vault.azure.net").await;
    let path = "/secrets/nginxaas-dataplane-key?api-version=7.4";
    let world = cloud.world();
    let fresh = get(&cloud, path, &token).await.json();
    assert_eq!(fresh["attributes"].get("exp"), None);
    world.set_secret_expiry("nginxaas-dataplane-key", Some(1_000_000_000));
    world.set_secret_not_before("nginxaas-dataplane-key", Some(900_000_000));
    let expired = get(&cloud, path, &token).await.json();
    assert_eq!(expired["attributes"]["exp"], 1_000_000_000);
    assert_eq!(expired["attributes"]["nbf"], 900_000_000);
    assert_eq!(expired["value"], cloud.api_key());
}

#[tokio::test]
async fn its_refusal_names_the_secrets_id() {
    let cloud = Cloud::start().await;
    let token = token(&cloud, "https://vault.azure.net").await;
    cloud.world().deny_secrets(true);
    let path = "/secrets/nginxaas-dataplane-key?api-version=7.4";
    let refusal = get(&cloud, path, &token).await.json();
    assert_eq!(refusal["error"]["innererror"]["code"], "ForbiddenByRbac");
    let message = refusal["error"]["message"].as_str().unwrap();
    assert!(message.contains("/vaults/simulated-vault/secrets/nginxaas-dataplane-key'"));
}
