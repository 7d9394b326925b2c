//! The managed identity endpoint, as App Service and Functions offer it on loopback.

use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::answer::{Answer, Seen};
use crate::random;
use crate::world::{State, Token};

/// The path of the endpoint.
pub(crate) const PATH: &str = "/MSI/token";

/// Answers one request.
pub(crate) fn answer(state: &mut State, seen: &Seen) -> Answer {
    let access = &mut state.access;
    if seen.path.trim_end_matches('/') != PATH {
        return Answer::html(404, "Not Found");
    }
    if seen.method != "GET" {
        return refusal(405, "Only GET is allowed.");
    }
    match seen.header("x-identity-header") {
        Some(header) if header == access.identity_header => {}
        _ => return refusal(401, "The X-IDENTITY-HEADER header is missing or wrong."),
    }
    if seen.parameter("api-version").as_deref() != Some("2019-08-01") {
        return refusal(
            400,
            "The api-version query parameter is missing or not supported.",
        );
    }
    let Some(resource) = seen.parameter("resource") else {
        return refusal(400, "The resource query parameter is missing.");
    };
    let client_id = seen.parameter("client_id").map(|id| id.to_lowercase());
    let known = match &client_id {
        Some(id) => access.user_assigned.contains(id),
        None => access.system_assigned,
    };
    if !known {
        return refusal(
            400,
            "No Managed Identity found for specified ClientId/ResourceId/PrincipalId.",
        );
    }
    let audience = resource.trim_end_matches('/').to_owned();
    if audience != access.arm_audience && audience != access.vault_audience {
        return refusal(
            400,
            &format!("The resource principal named {resource} was not found."),
        );
    }
    let client = client_id.clone();
    let client_id = client_id.unwrap_or_else(|| access.principal.clone());
    let token = token(&json!({
        "aud": audience,
        "tid": access.tenant,
        "oid": access.object_id(client.as_deref()),
        "appid": client_id,
        "idtyp": "app",
        "xms_mirid": mirid(client.as_deref()),
    }));
    let expires = SystemTime::now() + access.token_lifetime;
    let expires_on = expires
        .duration_since(UNIX_EPOCH)
        .map_or(0, |time| time.as_secs());
    access
        .tokens
        .insert(token.clone(), Token { audience, expires });
    access.issued.push(token.clone());
    let body = json!({
        "access_token": token,
        "expires_on": expires_on.to_string(),
        "resource": resource,
        "token_type": "Bearer",
        "client_id": client_id,
    });
    Answer::json(200, &body)
}

/// A token in the shape of Entra's, a JWT. What makes it secret is its last part, which is no
/// signature of anything.
fn token(claims: &Value) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let header = json!({"typ": "JWT", "alg": "RS256"});
    let secret = format!("simulated-token-{}", random::hex(24));
    format!("{}.{}.{secret}", part(&header), part(claims))
}

/// The resource that a managed identity belongs to.
fn mirid(client_id: Option<&str>) -> String {
    let group = "/subscriptions/00000000-0000-0000-0000-000000000001/resourcegroups/rg-app";
    match client_id {
        None => format!("{group}/providers/Microsoft.Web/sites/simulated-app"),
        Some(id) => format!(
            "{group}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/identity-{id}"
        ),
    }
}

fn refusal(status: u16, message: &str) -> Answer {
    Answer::json(status, &json!({"statusCode": status, "message": message}))
}
