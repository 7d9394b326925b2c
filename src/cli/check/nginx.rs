//! NGINX: whether it is reached, is the API that is meant, accepts the key and takes changes.

use std::time::SystemTime;

use time::OffsetDateTime;

use super::finding::{Check, Findings, Remedy};
use super::reach::Reached;
use super::{Doctor, clock, reach, remedy};
use crate::config::ApiKeySource;
use crate::nginx::{KeyDoubt, WriteAccess};
use crate::reconcile::{Balancer as _, BalancerError, BalancerErrorKind as Failure};
use crate::telemetry::Service;

/// A certificate that expires within this time is worth a word: renewal is late.
const CERTIFICATE_DAYS: i64 = 14;

/// Examines NGINX; `false` where there is no sense in asking about upstreams.
pub(super) async fn examine(
    doctor: &Doctor<'_>,
    doubts: Option<&[KeyDoubt]>,
    findings: &mut Findings,
) -> bool {
    let endpoint = &doctor.config.api_endpoint;
    let host = endpoint.host_str().unwrap_or_default();
    let subject = format!("NGINX at `{host}`");
    match reach::reach(&doctor.client, Service::Nginx, endpoint).await {
        Ok(reached) => {
            findings.ok(Check::NginxReachable, &subject, "answers");
            certificate(&subject, reached, findings);
            clock::examine(findings, Check::NginxClock, "NGINX", reached.seconds_ahead);
        }
        Err(error) => {
            let remedy = error.remedy(host, "`api_endpoint`");
            findings.failed(Check::NginxReachable, &subject, error.text, remedy);
            tell_doubts(doubts.unwrap_or_default(), findings);
            return false;
        }
    }
    match doctor.services.nginx.versions(doctor.deadline).await {
        Ok(versions) => accepted(doctor, &subject, Some(versions), findings).await,
        Err(error) => match error.kind {
            Failure::Denied => {
                refused(doctor, doubts.unwrap_or_default(), error, findings).await;
                false
            }
            Failure::Key => {
                let text = "not examined: there is no key to ask with";
                findings.skipped(Check::NginxKey, &subject, text);
                false
            }
            // An API without a list of versions may be one all the same.
            _ if answers_for_upstreams(doctor).await => {
                accepted(doctor, &subject, None, findings).await
            }
            _ => {
                elsewhere(doctor, &subject, error, findings).await;
                false
            }
        },
    }
}

fn certificate(subject: &str, reached: Reached, findings: &mut Findings) {
    let Some(end) = reached.certificate_ends else {
        return;
    };
    let days = (end - OffsetDateTime::from(SystemTime::now())).whole_days();
    let text = format!("certificate is valid until {}", end.date());
    if days < CERTIFICATE_DAYS {
        let text = format!("{text}, for {days} days");
        let remedy = Remedy::new("renew it; every pass fails once it has expired");
        findings.warning(Check::NginxCertificate, subject, text, remedy);
    } else {
        findings.ok(Check::NginxCertificate, subject, text);
    }
}

fn tell_doubts(doubts: &[KeyDoubt], findings: &mut Findings) {
    for doubt in doubts {
        findings.warning(
            Check::KeyForm,
            "API key",
            doubt.to_string(),
            Remedy::default(),
        );
    }
}

/// Whether NGINX knows upstreams, be it only to say that one is not there.
async fn answers_for_upstreams(doctor: &Doctor<'_>) -> bool {
    let Some(upstream) = doctor.config.upstreams.first() else {
        return false;
    };
    match doctor
        .services
        .nginx
        .servers(&upstream.key, doctor.deadline)
        .await
    {
        Ok(_) => true,
        Err(error) => matches!(
            error.kind,
            Failure::UpstreamNotFound | Failure::UpstreamStatic
        ),
    }
}

/// The key is accepted. Goes on with the version and write access.
async fn accepted(
    doctor: &Doctor<'_>,
    subject: &str,
    versions: Option<Vec<u64>>,
    findings: &mut Findings,
) -> bool {
    let text = match doctor.config.api_key {
        ApiKeySource::None => "none is asked for",
        _ => "accepted",
    };
    findings.ok(Check::NginxKey, "API key", text);
    let build = doctor.services.nginx.build(doctor.deadline).await;
    let build = build.map_or_else(String::new, |build| format!(" ({build})"));
    match versions {
        Some(versions) if !versions.contains(&9) => {
            findings.failed(
                Check::NginxVersion,
                subject,
                format!("offers the API versions {versions:?}; version 9 is needed{build}"),
                Remedy::new("update NGINX Plus to release 30 or later"),
            );
            return false;
        }
        Some(_) => {
            findings.ok(
                Check::NginxVersion,
                subject,
                format!("offers API version 9{build}"),
            );
        }
        None => {
            let text = format!("answers to API version 9, and lists no versions{build}");
            findings.ok(Check::NginxVersion, subject, text);
        }
    }
    write_access(doctor, subject, findings).await;
    true
}

/// The key is refused: wrong, expired, or in the wrong form, which can be tried.
async fn refused(
    doctor: &Doctor<'_>,
    doubts: &[KeyDoubt],
    error: BalancerError,
    findings: &mut Findings,
) {
    let subject = "API key";
    let secret = doctor.services.key.vault().map(crate::azure::KeyVault::id);
    if doctor
        .services
        .nginx
        .accepts_other_form(doctor.deadline)
        .await
        && let Some(doubt) = doubts.first()
    {
        let text = format!("refused as it is, and accepted otherwise: {doubt}");
        let mut remedy = Remedy::new("store the key in the right form:");
        remedy = match (secret, doubt) {
            (Some(id), KeyDoubt::Encoded) => remedy.paste([
                format!(
                    "key=$(az keyvault secret show --vault-name {} --name {} --query value --output tsv | base64 --decode)",
                    remedy::word(remedy::vault_name(id)),
                    id.name
                ),
                remedy::store_key(id),
            ]),
            (Some(id), _) => remedy.paste([
                "read -rs key   # the raw key, and nothing else".to_owned(),
                remedy::store_key(id),
            ]),
            (None, KeyDoubt::NotEncoded) => {
                remedy.paste(["printf %s 'THE-RAW-KEY' | base64 --wrap=0"])
            }
            (None, _) => remedy,
        };
        findings.failed(Check::KeyForm, subject, text, remedy);
        return;
    }
    let remedy = match doctor.config.api_key {
        ApiKeySource::None => {
            Remedy::new("store the raw key in Key Vault and name it in the configuration:")
                .paste(["api_key_secret: https://VAULT.vault.azure.net/secrets/NAME"])
        }
        _ => remedy::new_key(secret),
    };
    findings.failed(Check::NginxKey, subject, error.message, remedy);
}

/// There is no API where the configuration says; it may be at the customary path.
async fn elsewhere(
    doctor: &Doctor<'_>,
    subject: &str,
    error: BalancerError,
    findings: &mut Findings,
) {
    let endpoint = &doctor.config.api_endpoint;
    let text = match error.kind {
        Failure::PathNotFound => format!("there is no NGINX Plus API at `{endpoint}`"),
        _ => format!(
            "`{endpoint}` does not answer as an NGINX Plus API: {}",
            error.message
        ),
    };
    let remedy = match doctor.services.nginx.api_elsewhere(doctor.deadline).await {
        Some(url) => Remedy::new("correct `api_endpoint`; the API answers here:")
            .paste([format!("api_endpoint: {url}")]),
        None => Remedy::new(
            "correct `api_endpoint`: the data-plane endpoint of the NGINXaaS deployment with `/nplus`, \
             or the location with `api write=on;` of NGINX Plus",
        ),
    };
    findings.failed(Check::NginxEndpoint, subject, text, remedy);
}

/// Tries a change that changes nothing, at the first upstream that is there.
async fn write_access(doctor: &Doctor<'_>, subject: &str, findings: &mut Findings) {
    let nginx = &doctor.services.nginx;
    for upstream in &doctor.config.upstreams {
        if nginx.servers(&upstream.key, doctor.deadline).await.is_err() {
            continue;
        }
        match nginx.write_access(&upstream.key, doctor.deadline).await {
            WriteAccess::Granted => findings.ok(
                Check::NginxWrite,
                subject,
                "takes changes (tried with an empty one for a server that does not exist)",
            ),
            WriteAccess::Refused(error) => findings.failed(
                Check::NginxWrite,
                subject,
                error.message,
                Remedy::new("allow changes in the `location` of the API:").paste(["api write=on;"]),
            ),
            WriteAccess::Unknown(error) => findings.warning(
                Check::NginxWrite,
                subject,
                format!(
                    "whether it takes changes could not be found out: {}",
                    error.message
                ),
                Remedy::new("run the check again; `nginx-vmss-sync sync` shows it, too"),
            ),
        }
        return;
    }
    let text = "changes were not tried: none of the upstreams is there";
    findings.skipped(Check::NginxWrite, subject, text);
}
