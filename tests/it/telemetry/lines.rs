//! The log's lines: whose they are, how loud, and that the same reason is the same line.

use std::collections::BTreeMap;

use serde_json::Value;
use simulated_cloud::functions_host::run;
use simulated_cloud::{Cloud, Fault, Match, PowerState, UpstreamKind};

use super::{INVOCATION, Running};
use crate::host_contract::PATIENCE;
use crate::safety_support::{SET, SET_MACHINES, SET_NICS, address_of, call, filled};
use crate::support::{binary, environment, uniform_cloud, web};

async fn logging(cloud: Cloud, variables: &[(&str, &str)]) -> Running {
    let yaml = cloud.config_yaml(&[web()]);
    let variables = variables
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Running::with_variables(cloud, &yaml, variables.collect()).await
}

/// A line of the text format, taken apart.
#[derive(Debug)]
struct Line {
    level: String,
    text: String,
    fields: BTreeMap<String, String>,
}

fn line(text: &str) -> Line {
    let (_, rest) = text.split_once(' ').expect("a timestamp");
    let (level, rest) = rest.trim_start().split_once(' ').expect("a level");
    let mut fields = BTreeMap::new();
    let mut message = rest;
    // Fields stand at the end; none of those asked for here has a blank in it.
    while let Some((before, last)) = message.rsplit_once(' ')
        && let Some((name, value)) = last.split_once('=')
        && name.chars().all(|c| c.is_ascii_lowercase() || c == '_')
    {
        fields.insert(name.to_owned(), value.to_owned());
        message = before;
    }
    Line {
        level: level.to_owned(),
        text: message.to_owned(),
        fields,
    }
}

fn lines_from(running: &Running, start: usize) -> Vec<Line> {
    let lines = running.handler.stdout_lines();
    lines[start..].iter().map(|text| line(text)).collect()
}

const ID: &str = "7d5a2f0c-0000-4000-8000-000000000009";

#[tokio::test(flavor = "multi_thread")]
async fn every_line_of_an_invocation_names_it_whatever_layer_it_comes_from() {
    for format in ["text", "json"] {
        let filter = "warn,nginx_vmss_sync=debug";
        let running = logging(
            uniform_cloud(2).await,
            &[("RUST_LOG", filter), ("LOG_FORMAT", format)],
        )
        .await;
        assert!(running.handler.wait_for_line("ready as", PATIENCE).await);
        let before = running.handler.stdout_lines().len();
        // Each of these makes a layer below say something.
        let once = Some(1);
        running.cloud.fault(call(SET), Fault::status(500), once);
        running.cloud.fault(
            call(SET_MACHINES),
            Fault::arm_error(403, "AuthorizationFailed", "no"),
            None,
        );
        running
            .cloud
            .fault(Match::nginx().method("GET"), Fault::Reset, once);
        assert!(running.tick_with(&[(INVOCATION, ID)]).await.succeeded());
        running.world().rotate_key("another", true);
        assert!(running.tick_with(&[(INVOCATION, ID)]).await.succeeded());
        let told = [
            "Azure call is tried again",
            "NGINX call is tried again",
            "instance states cannot be read",
            "NGINX refused the API key; it was read again",
            "Updated HTTP servers of web",
        ];
        for told in told {
            assert!(
                running.handler.wait_for_line(told, PATIENCE).await,
                "{told}"
            );
        }
        let stdout = running.handler.stdout_lines();
        for text in &stdout[before..] {
            if format == "json" {
                let line: Value = serde_json::from_str(text).unwrap_or_else(|_| panic!("{text}"));
                assert_eq!(line["invocation"], ID, "{text}");
                assert_eq!(line["trigger"], "timer", "{text}");
            } else {
                let line = line(text);
                assert_eq!(
                    line.fields.get("invocation").map(String::as_str),
                    Some(ID),
                    "{text}"
                );
                assert_eq!(
                    line.fields.get("trigger").map(String::as_str),
                    Some("timer"),
                    "{text}"
                );
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_pass_that_several_share_names_each_of_them() {
    let running = filled(uniform_cloud(2).await, &[web()]).await;
    running.cloud.fault(
        call(SET_NICS),
        Fault::arm_error(403, "AuthorizationFailed", "no"),
        None,
    );
    let gate = running.cloud.gate(Match::arm().path(SET_NICS));
    let ids: Vec<String> = (0..3)
        .map(|n| format!("0000000{n}-0000-4000-8000-000000000000"))
        .collect();
    let invocations = ids
        .iter()
        .map(|id| async { running.event_with(&[(INVOCATION, id)]).await });
    let opened = async {
        gate.arrived().await;
        for _ in 0..20 {
            running.handler.get("/").await;
        }
        gate.release();
    };
    let (replies, ()) = tokio::join!(futures::future::join_all(invocations), opened);
    // The host throws the bodies of failed replies away, so each must be found on stdout.
    for (reply, id) in replies.iter().zip(&ids) {
        assert_eq!(reply.status, 500, "{}", reply.text);
        assert!(running.handler.wait_for_line(id, PATIENCE).await, "{id}");
    }
    let lines = lines_from(&running, 0);
    let failed = lines.iter().filter(|line| line.level == "ERROR");
    let named: Vec<&str> = failed
        .filter_map(|line| line.fields.get("invocation"))
        .flat_map(|ids| ids.split(','))
        .collect();
    for id in &ids {
        assert!(named.contains(&id.as_str()), "{id}: {lines:#?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pass_that_changes_nothing_says_nothing_and_one_that_does_has_its_numbers() {
    let running = logging(uniform_cloud(3).await, &[]).await;
    assert!(running.tick_with(&[(INVOCATION, ID)]).await.succeeded());
    assert!(running.handler.wait_for_line("Added: [", PATIENCE).await);
    let before = running.handler.stdout_lines().len();
    for _ in 0..3 {
        assert!(running.tick_with(&[]).await.succeeded());
        assert!(running.event_with(&[]).await.succeeded());
    }
    running.world().scale("web-vmss", 4);
    assert!(running.event_with(&[(INVOCATION, ID)]).await.succeeded());
    let last = "outcome=changed added=1";
    assert!(running.handler.wait_for_line(last, PATIENCE).await);
    let lines = lines_from(&running, before);
    assert_eq!(lines.len(), 1, "{lines:#?}");
    let Line {
        level,
        text,
        fields,
    } = &lines[0];
    assert_eq!(level, "INFO");
    assert!(
        text.starts_with("Updated HTTP servers of web for group web-vmss ; Added: ["),
        "{text}"
    );
    let expected = [
        ("upstream", "web"),
        ("kind", "http"),
        ("outcome", "changed"),
        ("added", "1"),
        ("removed", "0"),
        ("updated", "0"),
        ("drained", "0"),
        ("held", "0"),
        ("trigger", "event"),
        ("invocation", ID),
    ];
    for (name, value) in expected {
        assert_eq!(
            fields.get(name).map(String::as_str),
            Some(value),
            "{fields:?}"
        );
    }
    assert!(fields["took_ms"].parse::<u32>().is_ok(), "{fields:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drain_is_told_when_it_begins_and_when_it_ends_and_not_in_between() {
    let running = filled(uniform_cloud(2).await, &[web()]).await;
    let world = running.world();
    let leaving = address_of(&world, "web-vmss", 1);
    let before = running.handler.stdout_lines().len();
    world.set_active(UpstreamKind::Http, "web", &leaving, Some(3));
    world.set_power("web-vmss", 1, PowerState::Stopping);
    for _ in 0..3 {
        assert!(running.tick_with(&[]).await.succeeded());
    }
    world.delete_instance("web-vmss", 1);
    assert!(running.tick_with(&[]).await.succeeded());
    let removed = format!("Removed: [{leaving}]");
    assert!(running.handler.wait_for_line(&removed, PATIENCE).await);
    let lines = lines_from(&running, before);
    let [begins, ends] = &lines[..] else {
        panic!("{lines:#?}")
    };
    assert!(
        begins.text.ends_with(&format!("Draining: [{leaving}]")),
        "{begins:?}"
    );
    assert_eq!(begins.fields["drained"], "1", "{begins:?}");
    assert!(ends.text.contains(&removed), "{ends:?}");
    assert_eq!(ends.fields["drained"], "0", "{ends:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_held_is_the_same_warning_every_time_with_its_digest() {
    let running = filled(uniform_cloud(4).await, &[web()]).await;
    for _ in 0..3 {
        running.world().delete_instance("web-vmss", 1);
    }
    let before = running.handler.stdout_lines().len();
    for _ in 0..3 {
        assert!(running.tick_with(&[]).await.succeeded());
    }
    let lines = || lines_from(&running, before);
    while lines().len() < 3 {
        tokio::task::yield_now().await;
    }
    let texts: Vec<String> = lines().into_iter().map(|line| line.text).collect();
    assert_eq!(
        texts,
        [texts[0].clone(), texts[0].clone(), texts[0].clone()]
    );
    for line in lines() {
        assert_eq!(line.level, "WARN", "{line:?}");
        assert_eq!(line.fields["held"], "3", "{line:?}");
        let digest = &line.fields["digest"];
        assert!(line.text.contains(&format!("Digest: {digest}")), "{line:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_that_may_pass_is_a_warning_until_it_lasts_and_any_other_an_error_at_once() {
    let lasting = Fault::status(500);
    let denied = Fault::arm_error(403, "AuthorizationFailed", "no");
    for (fault, expected) in [
        (lasting, ["WARN", "WARN", "ERROR", "WARN"]),
        (denied, ["ERROR", "ERROR", "ERROR", "ERROR"]),
    ] {
        let running = filled(uniform_cloud(2).await, &[web()]).await;
        let mut levels = Vec::new();
        for round in 0..4 {
            let before = running.handler.stdout_lines().len();
            if round == 3 {
                // A success in between: it begins anew.
                running.cloud.clear_faults();
                assert!(running.tick_with(&[]).await.succeeded());
            }
            running.cloud.fault(call(SET_NICS), fault.clone(), None);
            assert_eq!(running.tick_with(&[]).await.status, 500);
            while running.handler.stdout_lines().len() == before {
                tokio::task::yield_now().await;
            }
            levels.extend(
                lines_from(&running, before)
                    .into_iter()
                    .map(|line| line.level),
            );
        }
        assert_eq!(levels, expected);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_of_the_logs_settings_cannot_be_followed_is_told() {
    let running = logging(
        uniform_cloud(1).await,
        &[
            ("RUST_LOG", "nginx_vmss_sync=loud"),
            ("LOG_FORMAT", "logfmt"),
        ],
    )
    .await;
    for told in [
        "WARN RUST_LOG=`nginx_vmss_sync=loud` cannot be read",
        "WARN LOG_FORMAT=`logfmt` is not known: `text` is used",
        "INFO ready as",
    ] {
        assert!(
            running.handler.wait_for_line(told, PATIENCE).await,
            "{told}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn names_and_messages_of_other_systems_make_no_second_line() {
    let forged = "x\n2026-01-01T00:00:00.000Z  INFO forged\r\u{1b}[31m\u{85}forged\u{2028}forged";
    let is_forged = |line: &str| line.starts_with("forged") || line.starts_with("2026-01-01");
    for format in ["text", "json"] {
        let running = logging(
            uniform_cloud(1).await,
            &[("RUST_LOG", "trace"), ("LOG_FORMAT", format)],
        )
        .await;
        for fault in [
            Fault::arm_error(403, forged, forged),
            Fault::arm_error(429, forged, forged),
        ] {
            running.cloud.fault(Match::arm(), fault, None);
            assert_eq!(running.event_with(&[]).await.status, 500);
            running.cloud.clear_faults();
        }
        running.cloud.fault(
            Match::nginx(),
            Fault::nginx_error(400, forged, forged),
            None,
        );
        assert_eq!(running.event_with(&[]).await.status, 500);
        running.cloud.clear_faults();
        let stdout = running.handler.stdout_lines();
        assert!(
            stdout.iter().any(|line| line.contains("forged")),
            "it was in play"
        );
        for text in &stdout {
            assert!(
                !is_forged(text) && !text.contains(['\u{1b}', '\r', '\u{85}']),
                "{text:?}"
            );
            assert!(
                format == "text" || serde_json::from_str::<Value>(text).is_ok(),
                "{text:?}"
            );
        }
    }
    // On the terminal and in a file.
    let cloud = uniform_cloud(1).await;
    cloud.fault(Match::arm(), Fault::arm_error(403, forged, forged), None);
    let log = cloud.directory().join("forged.log");
    let path = log.to_string_lossy().into_owned();
    let env = environment(&cloud, &cloud.config_yaml(&[web()]));
    let output = run(binary(), &["sync", "--log-path", &path], &env, None).await;
    let log = std::fs::read_to_string(log).unwrap_or_default();
    for told in [&output.stdout, &log] {
        assert!(
            told.contains("forged") && !told.lines().any(is_forged),
            "{told}"
        );
    }
}
