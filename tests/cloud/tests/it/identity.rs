//! The managed identity endpoint.

use simulated_cloud::{Cloud, Service};

use crate::client::{arm, send, token};

#[tokio::test]
async fn a_token_needs_the_header_the_version_and_a_known_identity() {
    let cloud = Cloud::start().await;
    let header = cloud.identity_header();
    let good = format!(
        "{}?api-version=2019-08-01&resource=https://management.azure.com",
        cloud.identity_endpoint()
    );
    let ask = async |url: &str, header: &str| {
        send(&cloud, "GET", url, &[("x-identity-header", header)], "")
            .await
            .unwrap()
    };
    assert_eq!(ask(&good, "wrong").await.status, 401);
    assert_eq!(
        ask(&good.replace("2019-08-01", "2017-09-01"), &header)
            .await
            .status,
        400
    );
    assert_eq!(
        ask(&format!("{good}&client_id=unknown"), &header)
            .await
            .status,
        400
    );

    let reply = ask(&good, &header).await.json();
    assert!(
        reply["expires_on"]
            .as_str()
            .unwrap()
            .parse::<u64>()
            .unwrap()
            > 1_700_000_000
    );
    assert_eq!(reply["token_type"], "Bearer");

    cloud.world().add_user_assigned("A-Client");
    assert_eq!(
        ask(&format!("{good}&client_id=a-client"), &header)
            .await
            .status,
        200
    );
    cloud.world().set_system_assigned(false);
    assert_eq!(ask(&good, &header).await.status, 400);
    assert_eq!(cloud.requests_to(Service::Identity).len(), 6);
}

#[tokio::test]
async fn resource_manager_takes_only_a_valid_token_for_itself() {
    let cloud = Cloud::start().await;
    cloud.world().add_uniform_set("web", 1);
    let url = format!(
        "{}{}?api-version=2024-07-01",
        cloud.resource_manager_endpoint(),
        cloud.world().set_id("web")
    );
    let ask =
        async |headers: &[(&str, &str)]| send(&cloud, "GET", &url, headers, "").await.unwrap();

    let reply = ask(&[]).await;
    assert_eq!(
        (reply.status, reply.code().as_str()),
        (401, "AuthenticationFailed")
    );
    assert!(
        reply
            .header("www-authenticate")
            .starts_with("Bearer authorization_uri=")
    );

    let vault = format!("Bearer {}", token(&cloud, "https://vault.azure.net").await);
    let reply = ask(&[("authorization", &vault)]).await;
    assert_eq!(reply.code(), "InvalidAuthenticationTokenAudience");

    let good = format!(
        "Bearer {}",
        token(&cloud, "https://management.azure.com/").await
    );
    assert_eq!(ask(&[("authorization", &good)]).await.status, 200);
    cloud.world().revoke_tokens();
    assert_eq!(
        ask(&[("authorization", &good)]).await.code(),
        "InvalidAuthenticationToken"
    );

    cloud.world().set_token_lifetime(std::time::Duration::ZERO);
    let reply = arm(
        &cloud,
        "Microsoft.Compute/virtualMachines?api-version=2024-07-01",
    )
    .await;
    assert_eq!(reply.code(), "ExpiredAuthenticationToken");
    assert_eq!(cloud.world().issued_tokens().len(), 3);
}

#[tokio::test]
async fn a_token_says_whose_it_is_and_is_a_secret_by_its_last_part() {
    use base64::Engine as _;
    let cloud = Cloud::start().await;
    let token = token(&cloud, "https://vault.azure.net").await;
    let parts: Vec<&str> = token.split('.').collect();
    assert_eq!(parts.len(), 3);
    let claims = base64::engine::general_purpose::URL_SAFE_NO_PAD
        .decode(parts[1])
        .unwrap();
    let claims: serde_json::Value = serde_json::from_slice(&claims).unwrap();
    assert_eq!(claims["oid"], cloud.world().object_id());
    assert_eq!(claims["aud"], "https://vault.azure.net");
    assert!(
        claims["xms_mirid"]
            .as_str()
            .unwrap()
            .contains("/Microsoft.Web/sites/")
    );
    assert!(parts[2].starts_with("simulated-token-"));
}
