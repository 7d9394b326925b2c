//! Key Vault: reading one secret, after the challenge that the real one begins with.

use std::time::SystemTime;

use serde_json::{Value, json};

use crate::answer::{Answer, Seen};
use crate::world::{AccessState, State};

/// The api-versions that are known here.
const VERSIONS: [&str; 9] = [
    "7.0",
    "7.1",
    "7.2",
    "7.3",
    "7.4",
    "7.5",
    "7.6",
    "2025-07-01",
    "2026-04-01",
];

/// The vault's id in Resource Manager, as a refusal names it.
const VAULT_ID: &str = "/subscriptions/00000000-0000-0000-0000-000000000001/resourcegroups/rg-app/providers/microsoft.keyvault/vaults/simulated-vault";

/// Answers one request.
pub(crate) fn answer(state: &mut State, seen: &Seen, _origin: &str) -> Answer {
    let access = &state.access;
    if let Err(challenge) = authenticate(access, seen) {
        return challenge;
    }
    let version = seen.parameter("api-version").unwrap_or_default();
    if !VERSIONS.contains(&version.as_str()) {
        return problem(
            400,
            "BadParameter",
            "api-version must be specified and supported",
            None,
        );
    }
    let segments = seen.segments();
    let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
    let (name, wanted) = match segments.as_slice() {
        ["secrets", name] => (*name, None),
        ["secrets", name, version] => (*name, Some(*version)),
        _ => return problem(404, "NotFound", "The resource was not found.", None),
    };
    if seen.method != "GET" {
        return problem(
            405,
            "MethodNotAllowed",
            "The simulated vault only reads.",
            None,
        );
    }
    if access.secrets_denied {
        let message = format!(
            "Caller is not authorized to perform action on resource.\r\n\
             If role assignments, deny assignments or role definitions were changed recently, please observe propagation time.\r\n\
             Caller: appid={0};oid={0};iss=https://sts.windows.net/{1}/\r\n\
             Action: 'Microsoft.KeyVault/vaults/secrets/getSecret/action'\r\n\
             Resource: '{VAULT_ID}/secrets/{name}'\r\n\
             Assignment: (not found)\r\nDenyAssignmentId: null\r\nDecisionReason: 'DeniedWithNoValidRBAC' \r\n\
             Vault: simulated-vault;location=westeurope\r\n",
            access.principal, access.tenant
        );
        return problem(403, "Forbidden", &message, Some("ForbiddenByRbac"));
    }
    let versions = access.secrets.get(&name.to_lowercase());
    let found = versions.and_then(|versions| match wanted {
        None => versions.last(),
        Some(id) => versions.iter().find(|version| version.version == id),
    });
    let Some(found) = found else {
        let message = format!(
            "A secret with (name/id) {name} was not found in this key vault. If you recently deleted this secret you may be able to recover it using the correct recovery command."
        );
        return problem(404, "SecretNotFound", &message, None);
    };
    if access.secrets_disabled {
        let message = "Operation get is not allowed on a disabled secret.";
        return problem(403, "Forbidden", message, Some("SecretDisabled"));
    }
    let id = format!("{}/secrets/{name}/{}", access.vault_origin, found.version);
    let mut body = json!({
        "value": found.value,
        "id": id,
        "attributes": {
            "enabled": true,
            "created": found.created,
            "updated": found.created,
            "recoveryLevel": "Recoverable+Purgeable",
            "recoverableDays": 90,
        },
        "tags": {},
    });
    for (name, time) in [("nbf", found.not_before), ("exp", found.expires)] {
        if let Some(time) = time {
            body["attributes"][name] = json!(time);
        }
    }
    Answer::json(200, &body)
}

fn authenticate(access: &AccessState, seen: &Seen) -> Result<(), Answer> {
    let token = seen
        .header("authorization")
        .and_then(|header| header.strip_prefix("Bearer "));
    let token = token.and_then(|token| access.tokens.get(token));
    let valid = token.is_some_and(|token| {
        token.audience == access.vault_audience && token.expires > SystemTime::now()
    });
    if valid {
        return Ok(());
    }
    let message = if seen.header("authorization").is_none() {
        "AKV10000: Request is missing a Bearer or PoP token."
    } else {
        "AKV10022: Invalid audience, or the token is not valid."
    };
    let challenge = format!(
        "Bearer authorization=\"https://login.microsoftonline.com/{}\", resource=\"{}\"",
        access.tenant, access.challenge_resource
    );
    Err(problem(401, "Unauthorized", message, None).with_header("www-authenticate", challenge))
}

fn problem(status: u16, code: &str, message: &str, inner: Option<&str>) -> Answer {
    let mut error: Value = json!({"code": code, "message": message});
    if let Some(inner) = inner {
        error["innererror"] = json!({"code": inner});
    }
    Answer::json(status, &json!({"error": error}))
}
