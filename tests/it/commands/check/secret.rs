//! The API key in Key Vault and elsewhere.

use std::time::{SystemTime, UNIX_EPOCH};

use simulated_cloud::{Cloud, Fault, Match};

use super::{examine, examine_with};
use crate::support::{uniform_cloud, web};

const NAME: &str = "nginxaas-dataplane-key";
const DAY: i64 = 24 * 3_600;

fn in_days(days: i64) -> Option<u64> {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("after 1970");
    Some(now.as_secs().saturating_add_signed(days * DAY + 3_600))
}

/// A refusal in the vault's form.
fn refusal(inner: &str) -> Fault {
    let body = format!(
        "{{\"error\":{{\"code\":\"Forbidden\",\"message\":\"no\",\"innererror\":{{\"code\":\"{inner}\"}}}}}}"
    );
    Fault::Status {
        code: 403,
        body,
        headers: Vec::new(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_date_of_expiry_is_told_and_judged() {
    for (days, grade, part) in [
        (400, "ok", "in 400 days"),
        (31, "ok", "in 31 days"),
        (29, "warning", "in 29 days"),
        (0, "warning", "in 0 days"),
        (-1, "failed", "expired on"),
    ] {
        let cloud = uniform_cloud(1).await;
        cloud.world().set_secret_expiry(NAME, in_days(days));
        let report = examine(&cloud, &[web()]).await;
        report.only("secret.expiry", grade, &[NAME, part]);
        assert_eq!(report.code, Some(i32::from(grade == "failed")));
        if grade != "ok" {
            report.only("secret.expiry", grade, &["az keyvault secret set"]);
        }
    }
    let cloud = uniform_cloud(1).await;
    let report = examine(&cloud, &[web()]).await;
    report.only("secret.expiry", "ok", &["tells no date of expiry"]);
    cloud.world().set_secret_expiry(NAME, in_days(400));
    cloud.world().set_secret_not_before(NAME, in_days(3));
    let report = examine(&cloud, &[web()]).await;
    report.assert_sound();
    report.only("secret.expiry", "warning", &["is meant to be used from"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_way_of_not_being_readable_has_its_own_remedy() {
    // The vault names its own id in its refusal, and the role is assigned exactly there.
    let cloud = uniform_cloud(1).await;
    cloud.world().deny_secrets(true);
    let report = examine(&cloud, &[web()]).await;
    let assignment = format!(
        "az role assignment create --assignee-object-id {} --assignee-principal-type ServicePrincipal --role 'Key Vault Secrets User' \
         --scope /subscriptions/00000000-0000-0000-0000-000000000001/resourcegroups/rg-app/providers/microsoft.keyvault/vaults/simulated-vault/secrets/{NAME}",
        cloud.world().object_id()
    );
    report.assert_failed(&["secret.readable"]);
    report.only(
        "secret.readable",
        "failed",
        &["`Key Vault Secrets User`", &assignment],
    );
    report.only("nginx.key", "skipped", &["there is no key to ask with"]);

    let cloud = uniform_cloud(1).await;
    cloud.world().disable_secrets(true);
    let report = examine(&cloud, &[web()]).await;
    report.only(
        "secret.readable",
        "failed",
        &[
            "it is disabled",
            "set-attributes --vault-name localhost",
            "--enabled true",
        ],
    );

    let cloud = uniform_cloud(1).await;
    cloud.world().remove_secret(NAME);
    let report = examine(&cloud, &[web()]).await;
    report.only(
        "secret.readable",
        "failed",
        &[
            "there is no such secret",
            "az keyvault secret list",
            "az keyvault secret set",
        ],
    );

    let cloud = uniform_cloud(1).await;
    cloud.world().set_secret(NAME, " \n");
    let report = examine(&cloud, &[web()]).await;
    report.only(
        "secret.readable",
        "failed",
        &["its value is empty", "az keyvault secret set"],
    );

    for (inner, parts) in [
        (
            "AccessDenied",
            ["access policy", "az keyvault set-policy --name localhost"],
        ),
        (
            "ForbiddenByFirewall",
            ["the vault's firewall", "az keyvault network-rule add"],
        ),
        (
            "ForbiddenByConnection",
            ["the vault's firewall", "private endpoint"],
        ),
        (
            "ForbiddenByRbac",
            [
                "Key Vault Secrets User",
                "$(az keyvault show --name localhost",
            ],
        ),
    ] {
        let cloud = uniform_cloud(1).await;
        let reads = Match::vault().path("api-version").skip(1);
        let _fault = cloud.fault(reads, refusal(inner), None);
        let report = examine(&cloud, &[web()]).await;
        report.only("secret.readable", "failed", &parts);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vault_that_is_not_reached_says_at_which_step() {
    let cloud = uniform_cloud(1).await;
    let nowhere = "https://127.0.0.1:1/secrets/key";
    let yaml = cloud.config_yaml_with(&[("api_key_secret", nowhere)], &[web()]);
    let report = examine_with(&cloud, &yaml, &[]).await;
    report.assert_failed(&["secret.readable"]);
    report.only(
        "secret.readable",
        "failed",
        &["no connection to `127.0.0.1` at port 1", "`api_key_secret`"],
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn blanks_around_the_key_are_a_warning_wherever_it_stands() {
    let cloud = uniform_cloud(1).await;
    let padded = format!("{}\n", cloud.api_key());
    cloud.world().set_secret(NAME, &padded);
    let report = examine(&cloud, &[web()]).await;
    report.assert_sound();
    report.only(
        "key.form",
        "warning",
        &["blanks or a line break", "`printf %s`"],
    );
    report.only("nginx.key", "ok", &["accepted"]);

    let yaml = cloud.config_yaml_with(&[("api_key_secret", "")], &[web()]);
    let settings = [("NGINXAAS_DATAPLANE_API_KEY", padded.as_str())];
    let report = examine_with(&cloud, &yaml, &settings).await;
    report.assert_sound();
    report.only("key.form", "warning", &["NGINXAAS_DATAPLANE_API_KEY"]);
    let key = cloud.api_key();
    let settings = [("NGINXAAS_DATAPLANE_API_KEY", key.as_str())];
    let report = examine_with(&cloud, &yaml, &settings).await;
    report.assert_sound();
    assert_eq!(report.of("key.form", "warning"), Vec::<String>::new());
}

/// The key as it would be stored by mistake, and what is said of it.
async fn wrong_form(cloud: &Cloud, stored: &str) -> super::Report {
    cloud.world().set_secret(NAME, stored);
    examine(cloud, &[web()]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_in_the_wrong_form_is_tried_in_the_right_one() {
    let cloud = uniform_cloud(1).await;
    let key = cloud.api_key();
    for (stored, part) in [
        (super::encoded(&key), "in base64 already"),
        (
            format!("ApiKey {}", super::encoded(&key)),
            "begins with `ApiKey`",
        ),
        (format!("\"{key}\""), "quotation marks"),
    ] {
        let report = wrong_form(&cloud, &stored).await;
        report.assert_failed(&["key.form"]);
        report.only("key.form", "failed", &["accepted otherwise", part]);
    }
    // In the wrong form and wrong, too: no false comfort.
    let report = wrong_form(&cloud, &super::encoded("some-other-key")).await;
    report.assert_failed(&["nginx.key"]);
    report.only(
        "nginx.key",
        "failed",
        &["in base64 already", "api-key create"],
    );
    let report = wrong_form(&cloud, "short").await;
    report.only("nginx.key", "failed", &["shorter than the 12 characters"]);
}
