//! The API key: whether it can be read, how long it lasts, and whether it looks like a key.

use std::time::SystemTime;

use time::OffsetDateTime;

use super::finding::{Check, Findings, Remedy};
use super::{Doctor, reach, remedy};
use crate::azure::{KeyVault, KeyVaultError, KeyVaultTrouble, Principal, SecretFacts};
use crate::config::{ApiKeySource, SecretId};
use crate::nginx::KeyDoubt;
use crate::telemetry::Service;

/// A secret that expires within this time is worth a word.
const WARNING_DAYS: i64 = 30;

/// What the key's text looks like, where it could be read. Whether it matters is for NGINX to say.
pub(super) async fn examine(
    doctor: &Doctor<'_>,
    principal: Option<&Principal>,
    findings: &mut Findings,
) -> Option<Vec<KeyDoubt>> {
    let Some(vault) = doctor.services.key.vault() else {
        return in_the_open(doctor, findings).await;
    };
    let subject = subject(vault.id());
    let Some(principal) = principal else {
        let text = "not examined: there is no token to read it with";
        findings.skipped(Check::SecretReadable, &subject, text);
        return None;
    };
    match doctor.services.key.doubts(doctor.deadline).await {
        Ok(doubts) => {
            let version = match &vault.id().version {
                None => "newest version".to_owned(),
                Some(version) => {
                    format!("version `{version}`, also when there is a newer one")
                }
            };
            findings.ok(
                Check::SecretReadable,
                &subject,
                format!("can be read; {version}"),
            );
            facts(vault, findings);
            Some(doubts)
        }
        Err(error) => {
            unreadable(doctor, vault, principal, error, findings).await;
            None
        }
    }
}

fn subject(id: &SecretId) -> String {
    let host = id.vault.host_str().unwrap_or_default();
    format!("secret `{}` of `{host}`", id.name)
}

/// A key that the configuration or the environment holds.
async fn in_the_open(doctor: &Doctor<'_>, findings: &mut Findings) -> Option<Vec<KeyDoubt>> {
    let subject = "API key";
    match &doctor.config.api_key {
        ApiKeySource::Environment(_) => {
            let text = "stands in `NGINXAAS_DATAPLANE_API_KEY`";
            findings.ok(Check::SecretReadable, subject, text);
            if doctor.environment.api_key_padded {
                padded(subject, "`NGINXAAS_DATAPLANE_API_KEY`", findings);
            }
        }
        ApiKeySource::Header(_) => {
            let text = "stands in `custom_headers`";
            findings.ok(Check::SecretReadable, subject, text);
        }
        ApiKeySource::None | ApiKeySource::KeyVault(_) => {}
    }
    doctor.services.key.doubts(doctor.deadline).await.ok()
}

fn padded(subject: &str, place: &str, findings: &mut Findings) {
    findings.warning(
        Check::KeyForm,
        subject,
        format!("blanks or a line break stand around the value of {place}; they are cut off before it is used"),
        Remedy::new("store the key alone: `echo` adds a line break, `printf %s` does not"),
    );
}

/// What the vault tells besides the value.
fn facts(vault: &KeyVault, findings: &mut Findings) {
    let SecretFacts {
        expires,
        not_before,
        padded: is_padded,
    } = vault.facts();
    let subject = subject(vault.id());
    let now = OffsetDateTime::from(SystemTime::now());
    let renew = || remedy::new_key(Some(vault.id()));
    match expires {
        None => findings.ok(
            Check::SecretExpiry,
            &subject,
            "tells no date of expiry; give it the API key's own, and this check can warn",
        ),
        Some(end) if end <= now => {
            let text = format!("expired on {}; NGINXaaS keys expire, too", end.date());
            findings.failed(Check::SecretExpiry, &subject, text, renew());
        }
        Some(end) => {
            let days = (end - now).whole_days();
            let text = format!("expires on {}, in {days} days", end.date());
            if days < WARNING_DAYS {
                findings.warning(Check::SecretExpiry, &subject, text, renew());
            } else {
                findings.ok(Check::SecretExpiry, &subject, text);
            }
        }
    }
    if let Some(begin) = not_before.filter(|begin| *begin > now) {
        findings.warning(
            Check::SecretExpiry,
            &subject,
            format!("is meant to be used from {} on", begin.date()),
            Remedy::new("see whether the newest version is the one that NGINX knows already"),
        );
    }
    if is_padded {
        padded(&subject, "the secret", findings);
    }
}

async fn unreadable(
    doctor: &Doctor<'_>,
    vault: &KeyVault,
    principal: &Principal,
    error: KeyVaultError,
    findings: &mut Findings,
) {
    let id = vault.id();
    let host = id.vault.host_str().unwrap_or_default();
    let (name, secret) = (remedy::word(remedy::vault_name(id)), &id.name);
    let about = remedy::about(principal);
    let mut text = error.message;
    let remedy = match error.trouble {
        KeyVaultTrouble::NoRole(resource) => Remedy::new(format!(
            "assign the role; Azure needs some minutes to heed it{about}:"
        ))
        .paste([remedy::grant_secret(id, resource.as_ref(), principal)]),
        KeyVaultTrouble::NoPolicy => Remedy::new(format!("add an access policy{about}:"))
            .paste([remedy::grant_by_policy(id, principal)]),
        KeyVaultTrouble::Network => Remedy::new(
            "let the app's network in: a virtual network rule or a private endpoint, or an address:",
        )
        .paste([format!(
            "az keyvault network-rule add --name {name} --ip-address ADDRESS"
        )]),
        KeyVaultTrouble::Disabled => Remedy::new("enable it:").paste([format!(
            "az keyvault secret set-attributes --vault-name {name} --name {secret} --enabled true"
        )]),
        KeyVaultTrouble::NotFound => {
            Remedy::new("correct `api_key_secret`, or store the raw key; these are there:").paste([
                format!("az keyvault secret list --vault-name {name} --query \"[].name\" --output tsv"),
                remedy::store_key(id),
            ])
        }
        KeyVaultTrouble::Empty => {
            Remedy::new("store the raw key:").paste([remedy::store_key(id)])
        }
        // Often it is the way to the vault, and the SDK's words do not say which step of it.
        KeyVaultTrouble::Other => match reach::reach(&doctor.client, Service::KeyVault, &id.vault).await {
            Ok(_) => Remedy::new(
                "see whether it goes away by itself; `RUST_LOG=azure_core=debug` shows each try",
            ),
            Err(unreachable) => {
                let remedy = unreachable.remedy(host, "`api_key_secret`");
                text = unreachable.text;
                remedy
            }
        },
    };
    findings.failed(Check::SecretReadable, &subject(id), text, remedy);
}
