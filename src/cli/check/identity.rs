//! Which identity speaks to Azure.

use std::time::Duration;

use tokio::time::Instant;

use super::Doctor;
use super::finding::{Check, Findings, Remedy};
use super::remedy::function_app;
use crate::azure::{Assigned, IdentityKind, Principal};

const SUBJECT: &str = "identity";
/// A login of the Azure CLI may take seconds.
const PATIENCE: Duration = Duration::from_secs(20);

/// Gets a token and says whose it is; `None` where there is none.
pub(super) async fn examine(doctor: &Doctor<'_>, findings: &mut Findings) -> Option<Principal> {
    let identity = &doctor.services.identity;
    let audience = &doctor.config.resource_manager.audience;
    let deadline = doctor.deadline.min(Instant::now() + PATIENCE);
    match identity.principal(audience, deadline).await {
        Ok(principal) => {
            let text = describe(identity.kind(), identity.client_id(), &principal);
            findings.ok(Check::Identity, SUBJECT, text);
            Some(principal)
        }
        Err(error) => {
            let text = format!("no token from {} ({error})", identity.kind());
            let remedy = remedy(identity.kind(), identity.client_id());
            findings.failed(Check::Identity, SUBJECT, text, remedy);
            None
        }
    }
}

fn describe(kind: IdentityKind, wanted: Option<&str>, principal: &Principal) -> String {
    let mut text = kind.to_string();
    let mut say = |part: String| {
        text.push_str(", ");
        text.push_str(&part);
    };
    match &principal.resource {
        Some((name, Assigned::ByUser)) => say(format!("user-assigned `{name}`")),
        Some((name, Assigned::BySystem)) => say(format!("system-assigned, of `{name}`")),
        None => {}
    }
    let ids = [
        ("client id", principal.client_id.as_deref().or(wanted)),
        ("object id", principal.object_id.as_deref()),
        ("tenant", principal.tenant.as_deref()),
    ];
    for (name, id) in ids {
        if let Some(id) = id {
            say(format!("{name} `{id}`"));
        }
    }
    text
}

fn remedy(kind: IdentityKind, client_id: Option<&str>) -> Remedy {
    let app = function_app();
    let log_in = "log in with the Azure CLI, or set `AZURE_TOKEN_CREDENTIALS=ManagedIdentityCredential` on an Azure machine:";
    match (kind, client_id) {
        (IdentityKind::Platform, Some(id)) => Remedy::new(format!(
            "`AZURE_CLIENT_ID` is `{id}`; assign the identity with this client id to the function app, or correct the setting:"
        ))
        .paste([
            format!("az functionapp identity show {app}"),
            format!(
                "az functionapp identity assign {app} --identities \"$(az identity list --query \"[?clientId=='{id}'].id\" --output tsv)\""
            ),
        ]),
        (IdentityKind::Platform, None) => Remedy::new(
            "give the function app an identity of its own, or name a user-assigned one in `AZURE_CLIENT_ID`:",
        )
        .paste([format!("az functionapp identity assign {app}")]),
        (IdentityKind::Machine, _) => Remedy::new(
            "give this machine an identity; one of several is chosen by `AZURE_CLIENT_ID`:",
        )
        .paste(["az vm identity assign --name VM --resource-group GROUP"]),
        (IdentityKind::Developer, _) => Remedy::new(log_in).paste(["az login"]),
        (IdentityKind::DeveloperThenMachine, _) => {
            Remedy::new("give this machine an identity, or log in with the Azure CLI:").paste([
                "az vm identity assign --name VM --resource-group GROUP",
                "az login",
            ])
        }
    }
}
