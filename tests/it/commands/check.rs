//! `check`: the doctor.

use serde_json::Value;
use simulated_cloud::functions_host::Output;
use simulated_cloud::{Cloud, UpstreamEntry, UpstreamKind};

use super::{command, command_with, writes};
use crate::support::{flexible_cloud, uniform_cloud, web};

/// Something is wrong: exit 1, and a finding that names all of `parts`, in both formats.
async fn finds(cloud: &Cloud, upstreams: &[UpstreamEntry], parts: &[&str]) {
    let text = command(cloud, &["check"], upstreams).await;
    assert_eq!(text.code, Some(1), "{text:?}");
    let named =
        |line: &str| line.starts_with("failed") && parts.iter().all(|part| line.contains(part));
    assert!(text.stdout.lines().any(named), "{parts:?}: {text:?}");
    let json = command(cloud, &["check", "--format", "json"], upstreams).await;
    assert_eq!(json.code, Some(1), "{json:?}");
    let report = report(&json);
    assert_eq!(report["ok"], false);
    let findings = report["findings"].as_array().expect("findings");
    let named = |one: &Value| {
        let text = format!("{} {}", one["subject"], one["text"]);
        one["grade"] == "failed" && parts.iter().all(|part| text.contains(part))
    };
    assert!(findings.iter().any(named), "{parts:?}: {report:#}");
    assert_eq!(writes(cloud), Vec::<String>::new());
}

fn report(output: &Output) -> Value {
    serde_json::from_str(&output.stdout).expect("JSON and nothing else")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sound_installation_passes_and_nothing_is_written() {
    for cloud in [uniform_cloud(3).await, flexible_cloud(3).await] {
        let text = command(&cloud, &["check"], &[web()]).await;
        assert_eq!(text.code, Some(0), "{text:?}");
        for subject in [
            "configuration",
            "identity",
            "API key",
            "NGINX at",
            "web",
            "scale set web-vmss",
        ] {
            let fine = |line: &str| line.starts_with("ok") && line.contains(subject);
            assert!(text.stdout.lines().any(fine), "{subject}: {text:?}");
        }
        assert!(!text.stdout.contains("failed"), "{text:?}");
        let json = command(&cloud, &["check", "--format", "json"], &[web()]).await;
        assert_eq!(
            (json.code, &report(&json)["ok"]),
            (Some(0), &Value::Bool(true))
        );
        assert_eq!(writes(&cloud), Vec::<String>::new());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_action_is_named_with_where_to_grant_it() {
    let uniform = ["", "/networkInterfaces"].map(|part| {
        (
            true,
            format!("Microsoft.Compute/virtualMachineScaleSets{part}/read"),
        )
    });
    let flexible = [
        (
            false,
            "Microsoft.Compute/virtualMachineScaleSets/read".to_owned(),
        ),
        (false, "Microsoft.Compute/virtualMachines/read".to_owned()),
        (false, "Microsoft.Network/networkInterfaces/read".to_owned()),
    ];
    for (is_uniform, action) in uniform.into_iter().chain(flexible) {
        let cloud = if is_uniform {
            uniform_cloud(1).await
        } else {
            flexible_cloud(1).await
        };
        cloud.world().deny_action(&action);
        let scope = format!(
            "/subscriptions/{}/resourceGroups/{}",
            cloud.subscription_id(),
            cloud.resource_group()
        );
        finds(
            &cloud,
            &[web()],
            &["scale set web-vmss", "grant", &action, &scope],
        )
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_documents_two_action_role_suffices_and_what_it_lacks_is_told_on_stdout() {
    let cloud = uniform_cloud(2).await;
    let action = "Microsoft.Compute/virtualMachineScaleSets/virtualMachines/read";
    cloud.world().deny_action(action);
    let output = command(&cloud, &["check"], &[web()]).await;
    assert_eq!(output.code, Some(0), "{output:?}");
    let told = |line: &str| line.starts_with("warning") && line.contains(action);
    assert!(output.stdout.lines().any(told), "{output:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_upstream_is_told_with_what_to_look_at() {
    let cloud = uniform_cloud(1).await;
    cloud.world().remove_upstream(UpstreamKind::Http, "web");
    finds(
        &cloud,
        &[web()],
        &["web", "no such upstream", "check its name"],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upstream_without_a_zone_is_told_with_what_to_write() {
    let cloud = uniform_cloud(1).await;
    cloud
        .world()
        .set_upstream_static(UpstreamKind::Http, "web", true);
    finds(&cloud, &[web()], &["web", "`zone`"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_key_is_told_with_what_to_look_at() {
    let cloud = uniform_cloud(1).await;
    cloud.world().rotate_key("another-key", false);
    finds(
        &cloud,
        &[web()],
        &["does not accept the API key", "expired"],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_secret_is_told_by_its_name() {
    let cloud = uniform_cloud(1).await;
    let name = cloud
        .vault_secret_id()
        .rsplit('/')
        .next()
        .expect("a name")
        .to_owned();
    cloud.world().remove_secret(&name);
    finds(&cloud, &[web()], &["API key", &name, "no such secret"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_that_may_not_be_read_is_told_with_the_role_to_grant() {
    let cloud = uniform_cloud(1).await;
    cloud.world().deny_secrets(true);
    finds(
        &cloud,
        &[web()],
        &["API key", "grant", "Key Vault Secrets User"],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_set_is_told_with_where_it_was_looked_for() {
    let cloud = uniform_cloud(1).await;
    let (subscription, group) = (cloud.subscription_id(), cloud.resource_group());
    let lost = UpstreamEntry::http("web", "lost-vmss");
    finds(
        &cloud,
        &[lost],
        &["lost-vmss", "not found", &subscription, &group],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_identity_is_told() {
    let cloud = uniform_cloud(1).await;
    cloud.world().set_system_assigned(false);
    finds(
        &cloud,
        &[web()],
        &["scale set web-vmss", "no token", "managed identity"],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_problem_of_the_configuration_is_a_finding() {
    let cloud = uniform_cloud(1).await;
    let entry = web().with("max_fials", "1").with("policy", "never");
    let yaml = cloud.config_yaml_with(&[("api_endpoint", "")], &[entry]);
    for format in ["text", "json"] {
        let output = command_with(&cloud, &["check", "--format", format], &yaml).await;
        assert_eq!(output.code, Some(1), "{output:?}");
        for place in [
            "upstreams[0].max_fials",
            "max_fails",
            "upstreams[0].policy",
            "api_endpoint",
        ] {
            assert!(output.stdout.contains(place), "{place}: {output:?}");
        }
    }
    assert_eq!(cloud.requests().len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_failure_does_not_keep_the_others_from_being_found() {
    let cloud = uniform_cloud(1).await;
    cloud.world().remove_upstream(UpstreamKind::Http, "web");
    let lost = UpstreamEntry::http("api", "lost-vmss");
    let output = command(&cloud, &["check"], &[web(), lost]).await;
    assert_eq!(output.code, Some(1), "{output:?}");
    let failed: Vec<&str> = output
        .stdout
        .lines()
        .filter(|line| line.starts_with("failed"))
        .collect();
    for subject in ["web", "api", "lost-vmss"] {
        assert!(
            failed.iter().any(|line| line.contains(subject)),
            "{subject}: {output:?}"
        );
    }
    assert!(
        output
            .stdout
            .lines()
            .any(|line| line.starts_with("ok") && line.contains("web-vmss"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_is_printed() {
    let cloud = uniform_cloud(1).await;
    let sound = command(&cloud, &["check"], &[web()]).await;
    let key = cloud.api_key();
    cloud.world().rotate_key("another-key", false);
    let refused = command(&cloud, &["check"], &[web()]).await;
    let mut secrets = cloud.world().issued_tokens();
    assert!(!secrets.is_empty());
    secrets.extend([key, cloud.identity_header()]);
    for output in [sound, refused] {
        for secret in &secrets {
            assert!(!output.stdout.contains(secret) && !output.stderr.contains(secret));
        }
    }
}
