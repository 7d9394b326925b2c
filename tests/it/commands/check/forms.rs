//! What the findings look like: text, colours, JSON; the schedule; the document.

use serde_json::{Value, json};

use super::{examine_with, output_with};
use crate::support::{uniform_cloud, web};

#[tokio::test(flavor = "multi_thread")]
async fn as_text_every_finding_is_a_line_with_its_remedy_below() {
    let cloud = uniform_cloud(2).await;
    cloud.world().disable_writes(true);
    let output = output_with(&cloud, &["check"], &cloud.config_yaml(&[web()]), &[]).await;
    assert_eq!(output.code, Some(1), "{output:?}");
    let lines: Vec<&str> = output.stdout.lines().collect();
    let place = lines
        .iter()
        .position(|line| line.starts_with("failed   NGINX at `localhost`: the API is read-only"));
    let place = place.unwrap_or_else(|| panic!("{output:?}"));
    assert_eq!(
        lines[place + 1..place + 3],
        [
            "         remedy: allow changes in the `location` of the API:",
            "           api write=on;",
        ]
    );
    let last = lines.last().expect("a line");
    assert!(
        last.starts_with("1 failed, 0 warnings, ") && last.ends_with(" ok, 1 skipped"),
        "{last}"
    );
    for line in &lines {
        let graded = [
            "ok       ",
            "warning  ",
            "failed   ",
            "skipped  ",
            "         ",
        ];
        let known = graded.iter().any(|start| line.starts_with(start));
        assert!(known || line.is_empty() || line == last, "{line}");
    }
    assert!(
        !output.stdout.contains('\u{1b}'),
        "colours are for terminals"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn colours_can_be_forced_and_forbidden() {
    let cloud = uniform_cloud(1).await;
    let yaml = cloud.config_yaml(&[web()]);
    let green = "\u{1b}[32mok      \u{1b}[0m configuration";
    for (settings, coloured) in [
        (&[("CLICOLOR_FORCE", "1")][..], true),
        (&[("CLICOLOR_FORCE", "0")], false),
        (&[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")], false),
    ] {
        let output = output_with(&cloud, &["check"], &yaml, settings).await;
        assert_eq!(
            output.stdout.contains(green),
            coloured,
            "{settings:?}: {output:?}"
        );
        assert_eq!(output.stdout.contains('\u{1b}'), coloured, "{settings:?}");
    }
    let settings = [("CLICOLOR_FORCE", "1")];
    let args = ["check", "--format", "json"];
    let output = output_with(&cloud, &args, &yaml, &settings).await;
    assert!(!output.stdout.contains('\u{1b}'), "{output:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn as_json_it_is_what_the_document_says() {
    let cloud = uniform_cloud(2).await;
    cloud.world().disable_writes(true);
    let report = examine_with(&cloud, &cloud.config_yaml(&[web()]), &[]).await;
    let keys = |value: &Value| -> Vec<String> {
        value
            .as_object()
            .expect("an object")
            .keys()
            .cloned()
            .collect()
    };
    assert_eq!(
        keys(&report.body),
        ["counts", "findings", "ok", "schema", "version"]
    );
    assert_eq!(report.body["schema"], "nginx-vmss-sync/check/1");
    assert_eq!(report.body["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(
        keys(&report.body["counts"]),
        ["failed", "ok", "skipped", "warning"]
    );
    assert_eq!(report.body["counts"]["failed"], 1);
    let findings = report.body["findings"].as_array().expect("a list");
    let total: u64 = ["failed", "ok", "skipped", "warning"]
        .iter()
        .filter_map(|grade| report.body["counts"][grade].as_u64())
        .sum();
    assert_eq!(findings.len() as u64, total);
    for finding in findings {
        let expected = ["check", "grade", "paste", "remedy", "subject", "text"];
        assert_eq!(keys(finding), expected);
    }
    let failed = findings.iter().find(|one| one["grade"] == "failed");
    let failed = failed.expect("a failure");
    assert_eq!(failed["check"], "nginx.write");
    assert_eq!(failed["subject"], "NGINX at localhost");
    assert_eq!(
        failed["remedy"],
        "allow changes in the `location` of the API:"
    );
    assert_eq!(failed["paste"], json!(["api write=on;"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_timers_schedule_is_judged_as_the_host_judges_it() {
    let cloud = uniform_cloud(1).await;
    let yaml = cloud.config_yaml(&[web()]);
    let in_functions = ("FUNCTIONS_WORKER_RUNTIME", "custom");
    for (settings, grade, parts) in [
        (
            &[("RECONCILE_SCHEDULE", "0 */5 * * * *")][..],
            "ok",
            &["`0 */5 * * * *`"][..],
        ),
        (
            &[("RECONCILE_SCHEDULE", "every minute")],
            "failed",
            &["it has 2 fields", "'RECONCILE_SCHEDULE=0 * * * * *'"],
        ),
        (
            &[("RECONCILE_SCHEDULE", "00:01:00")],
            "warning",
            &["App Service plan"],
        ),
        (
            &[in_functions],
            "failed",
            &["is not set", "az functionapp config appsettings set"],
        ),
    ] {
        let report = examine_with(&cloud, &yaml, settings).await;
        report.only("schedule", grade, parts);
        assert_eq!(
            report.code,
            Some(i32::from(grade == "failed")),
            "{settings:?}"
        );
    }
    // Outside Functions nobody needs one.
    let report = examine_with(&cloud, &yaml, &[]).await;
    assert_eq!(report.of("schedule", "failed"), Vec::<String>::new());
}
