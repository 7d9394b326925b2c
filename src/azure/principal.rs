//! Who an access token speaks for: what `check` tells of the identity, and never the token.
//!
//! The token is Entra's to read, and its form may change without notice: everything here is
//! optional, and only shown.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;

use super::Identity;
use crate::telemetry::clean;

use azure_core::credentials::TokenCredential as _;
use tokio::time::{Instant, timeout_at};

/// Whoever a token speaks for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Principal {
    /// The object id of the service principal or user: what a role is assigned to.
    pub object_id: Option<String>,
    /// The client id of the application or managed identity.
    pub client_id: Option<String>,
    /// The tenant's id.
    pub tenant: Option<String>,
    /// The name of the resource whose managed identity this is, and whether that resource is a
    /// user-assigned identity.
    pub resource: Option<(String, Assigned)>,
    /// Whether it is a person.
    pub is_user: bool,
}

/// How a managed identity came to its resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Assigned {
    /// It came with the resource.
    BySystem,
    /// It is a resource of its own.
    ByUser,
}

#[derive(Debug, Default, Deserialize)]
struct Claims {
    oid: Option<String>,
    appid: Option<String>,
    azp: Option<String>,
    tid: Option<String>,
    idtyp: Option<String>,
    /// Delegated permissions: only a person's token has them.
    scp: Option<String>,
    /// The resource id of a managed identity's resource.
    xms_mirid: Option<String>,
}

impl Principal {
    /// Reads a token's claims, without checking it: it came from the credential itself.
    #[must_use]
    pub fn of_token(token: &str) -> Self {
        let claims = token.split('.').nth(1).and_then(|part| {
            let bytes = URL_SAFE_NO_PAD.decode(part.trim_end_matches('=')).ok()?;
            serde_json::from_slice::<Claims>(&bytes).ok()
        });
        let claims = claims.unwrap_or_default();
        let resource = claims.xms_mirid.as_deref().and_then(|id| {
            let by_user = id
                .to_lowercase()
                .contains("/providers/microsoft.managedidentity/userassignedidentities/");
            let assigned = if by_user {
                Assigned::ByUser
            } else {
                Assigned::BySystem
            };
            let name = id.rsplit('/').next().and_then(plain)?;
            Some((name, assigned))
        });
        Self {
            object_id: claims.oid.as_deref().and_then(plain),
            client_id: claims.appid.or(claims.azp).as_deref().and_then(plain),
            tenant: claims.tid.as_deref().and_then(plain),
            resource,
            is_user: claims.idtyp.as_deref() == Some("user")
                || (claims.idtyp.is_none() && claims.scp.is_some()),
        }
    }
}

/// A claim that can be shown, and stand in a command: ids and names of Azure's have no others.
fn plain(text: &str) -> Option<String> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let fits = !text.is_empty() && text.len() <= 130 && text.chars().all(allowed);
    fits.then(|| text.to_owned())
}

impl Identity {
    /// Gets a token for this audience and says who it speaks for.
    ///
    /// # Errors
    ///
    /// No token could be had; the text says why.
    pub async fn principal(&self, audience: &str, deadline: Instant) -> Result<Principal, String> {
        let scope = format!("{audience}/.default");
        let scopes = [scope.as_str()];
        match timeout_at(deadline, self.get_token(&scopes, None)).await {
            Ok(Ok(token)) => Ok(Principal::of_token(token.token.secret())),
            Ok(Err(error)) => Err(clean(&super::chain(&error), 400)),
            Err(_) => Err("no answer in time".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(claims: &str) -> String {
        format!("header.{}.signature", URL_SAFE_NO_PAD.encode(claims))
    }

    #[test]
    fn a_managed_identitys_token_says_whose_it_is() {
        let principal = Principal::of_token(&token(
            r#"{"oid":"11-22","appid":"33-44","tid":"55","idtyp":"app","xms_mirid":"/subscriptions/s/resourcegroups/g/providers/Microsoft.ManagedIdentity/userAssignedIdentities/sync-id"}"#,
        ));
        assert_eq!(
            principal,
            Principal {
                object_id: Some("11-22".into()),
                client_id: Some("33-44".into()),
                tenant: Some("55".into()),
                resource: Some(("sync-id".into(), Assigned::ByUser)),
                is_user: false,
            }
        );
        let app = token(
            r#"{"xms_mirid":"/subscriptions/s/resourcegroups/g/providers/Microsoft.Web/sites/app"}"#,
        );
        assert_eq!(
            Principal::of_token(&app).resource,
            Some(("app".into(), Assigned::BySystem))
        );
    }

    #[test]
    fn a_person_is_told_from_an_application() {
        assert!(Principal::of_token(&token(r#"{"idtyp":"user"}"#)).is_user);
        assert!(Principal::of_token(&token(r#"{"scp":"user_impersonation"}"#)).is_user);
        assert!(!Principal::of_token(&token(r#"{"idtyp":"app"}"#)).is_user);
    }

    #[test]
    fn what_is_no_token_or_could_not_stand_in_a_command_says_nothing() {
        for text in [
            "",
            "opaque",
            "a.b.c",
            "a..c",
            &token("[]"),
            &token(r#"{"oid":7}"#),
        ] {
            assert_eq!(Principal::of_token(text), Principal::default(), "{text}");
        }
        let hostile = token(r#"{"oid":"$(rm -rf ~)","tid":"\u001b[31m","appid":"a b"}"#);
        assert_eq!(Principal::of_token(&hostile), Principal::default());
    }
}
