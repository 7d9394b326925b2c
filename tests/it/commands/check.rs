//! `check`: the doctor.

mod azure;
mod forms;
mod nginx;
mod reach;
mod secret;
mod upstreams;

use serde_json::Value;
use simulated_cloud::functions_host::{Output, run};
use simulated_cloud::{Cloud, Service, UpstreamEntry};

use crate::support::{binary, environment, flexible_cloud, uniform_cloud, web};

/// What `check --format json` found.
struct Report {
    code: Option<i32>,
    body: Value,
    stderr: String,
}

impl Report {
    /// The findings of one check with this grade, each as its subject, text, remedy and lines to be
    /// pasted.
    fn of(&self, check: &str, grade: &str) -> Vec<String> {
        let findings = self.body["findings"].as_array().expect("findings");
        let wanted = findings
            .iter()
            .filter(|one| one["check"] == check && one["grade"] == grade);
        wanted.map(as_text).collect()
    }

    /// The only finding of one check, which has this grade and holds all of `parts`.
    fn only(&self, check: &str, grade: &str, parts: &[&str]) {
        let findings = self.of(check, grade);
        assert_eq!(findings.len(), 1, "{check} {grade}: {:#}", self.body);
        for part in parts {
            assert!(
                findings[0].contains(part),
                "{part} is not in {}",
                findings[0]
            );
        }
    }

    /// The names of all checks with this grade, each once.
    fn graded(&self, grade: &str) -> Vec<&str> {
        let findings = self.body["findings"].as_array().expect("findings");
        let graded = findings.iter().filter(|one| one["grade"] == grade);
        let mut names: Vec<&str> = graded.filter_map(|one| one["check"].as_str()).collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    /// Nothing failed, and the exit says so.
    fn assert_sound(&self) {
        assert_eq!(self.graded("failed"), [""; 0], "{:#}", self.body);
        assert_eq!((self.code, &self.body["ok"]), (Some(0), &Value::Bool(true)));
    }

    /// Exactly these checks failed, and the exit says so.
    fn assert_failed(&self, checks: &[&str]) {
        assert_eq!(self.graded("failed"), checks, "{:#}", self.body);
        assert_eq!(
            (self.code, &self.body["ok"]),
            (Some(1), &Value::Bool(false))
        );
    }
}

fn as_text(finding: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let lines = finding["paste"].as_array().into_iter().flatten();
    let mut parts = vec![
        text(&finding["subject"]),
        text(&finding["text"]),
        text(&finding["remedy"]),
    ];
    parts.extend(lines.map(text));
    parts.join("\n")
}

/// Runs `check` with this configuration and these settings besides the usual ones; whatever it
/// finds, it changes nothing.
async fn examine_with(cloud: &Cloud, yaml: &str, settings: &[(&str, &str)]) -> Report {
    let output = output_with(cloud, &["check", "--format", "json"], yaml, settings).await;
    let body = serde_json::from_str(&output.stdout);
    Report {
        code: output.code,
        body: body.unwrap_or_else(|error| panic!("{error}: {output:?}")),
        stderr: output.stderr,
    }
}

async fn output_with(
    cloud: &Cloud,
    args: &[&str],
    yaml: &str,
    settings: &[(&str, &str)],
) -> Output {
    let world = cloud.world();
    cloud.clear_requests();
    world.on_nginx_write(|write| Err(format!("upstream {} was changed", write.upstream)));
    let mut env = environment(cloud, yaml);
    for (name, value) in settings {
        env.retain(|(known, _)| known != name);
        env.push(((*name).to_owned(), (*value).to_owned()));
    }
    let output = run(binary(), args, &env, None).await;
    assert_eq!(world.violations(), Vec::<String>::new());
    for request in cloud.requests_to(Service::Nginx) {
        assert!(
            !request.is_write() || request.body.as_deref() == Some("{}"),
            "{request:?}"
        );
    }
    output
}

async fn examine(cloud: &Cloud, upstreams: &[UpstreamEntry]) -> Report {
    examine_with(cloud, &cloud.config_yaml(upstreams), &[]).await
}

/// A cloud of either mode.
async fn cloud_of(uniform: bool, instances: usize) -> Cloud {
    if uniform {
        uniform_cloud(instances).await
    } else {
        flexible_cloud(instances).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sound_installation_passes_every_check() {
    for uniform in [true, false] {
        let cloud = cloud_of(uniform, 3).await;
        let synced = super::command(&cloud, &["sync"], &[web()]).await;
        assert_eq!(synced.code, Some(0), "{synced:?}");
        let name = "nginxaas-dataplane-key";
        cloud.world().set_secret_expiry(name, Some(4_000_000_000));
        let report = examine_with(
            &cloud,
            &cloud.config_yaml(&[web()]),
            &[("RECONCILE_SCHEDULE", "0 * * * * *")],
        )
        .await;
        report.assert_sound();
        assert_eq!(report.graded("warning"), [""; 0], "{:#}", report.body);
        assert_eq!(report.graded("skipped"), [""; 0], "{:#}", report.body);
        assert_eq!(
            report.graded("ok"),
            [
                "azure.clock",
                "azure.permission",
                "azure.reachable",
                "azure.scale_set",
                "configuration",
                "identity",
                "nginx.certificate",
                "nginx.clock",
                "nginx.key",
                "nginx.reachable",
                "nginx.version",
                "nginx.write",
                "schedule",
                "secret.expiry",
                "secret.readable",
                "upstream.exists",
                "upstream.health_checks",
                "upstream.servers",
                "upstream.zone",
            ]
        );
        assert_eq!(report.stderr, "");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_failure_does_not_keep_the_others_from_being_found() {
    let cloud = uniform_cloud(2).await;
    let name = "nginxaas-dataplane-key";
    cloud.world().set_secret_expiry(name, Some(1_735_689_600));
    cloud.world().disable_writes(true);
    cloud.set_clock(Service::Arm, 900);
    let lost = UpstreamEntry::http("api", "lost-vmss");
    let report = examine(&cloud, &[web(), lost]).await;
    report.assert_failed(&[
        "azure.clock",
        "azure.scale_set",
        "nginx.write",
        "secret.expiry",
        "upstream.exists",
    ]);
    report.only("azure.scale_set", "failed", &["lost-vmss"]);
    report.only("azure.scale_set", "ok", &["web-vmss"]);
    report.only("upstream.exists", "failed", &["http upstream api"]);
    report.only("upstream.exists", "ok", &["http upstream web"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_problem_of_the_configuration_is_a_finding_and_nothing_is_asked() {
    let cloud = uniform_cloud(1).await;
    let entry = web().with("max_fials", "1").with("policy", "never");
    let yaml = cloud.config_yaml_with(&[("api_endpoint", "")], &[entry]);
    let report = examine_with(&cloud, &yaml, &[]).await;
    report.assert_failed(&["configuration"]);
    let findings = report.of("configuration", "failed");
    for part in [
        "`upstreams[0].max_fials`: unknown key; did you mean `max_fails`?",
        "`upstreams[0].policy`",
        "`api_endpoint`: is required",
    ] {
        assert!(
            findings.iter().any(|one| one.contains(part)),
            "{part}: {findings:?}"
        );
    }
    report.only("start_up", "skipped", &["everything else"]);
    assert_eq!(cloud.requests().len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_configuration_warns_of_is_a_warning() {
    let cloud = uniform_cloud(1).await;
    let header = format!(
        "{{Authorization: \"ApiKey {}\"}}",
        encoded(&cloud.api_key())
    );
    let yaml = cloud.config_yaml_with(
        &[("api_key_secret", ""), ("custom_headers", &header)],
        &[web()],
    );
    let report = examine_with(&cloud, &yaml, &[]).await;
    report.assert_sound();
    report.only("configuration", "warning", &["move it to Key Vault"]);
    report.only("secret.readable", "ok", &["API key", "custom_headers"]);
}

fn encoded(text: &str) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(text)
}
