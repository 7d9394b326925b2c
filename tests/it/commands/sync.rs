//! `sync`: one pass.

use simulated_cloud::{Gate, Match, UpstreamEntry, UpstreamKind};

use super::{PATIENCE, added, command, command_with, file, hold_writes, start, terminal, writes};
use crate::support::{environment, flexible_cloud, sorted, uniform_cloud, web};

#[tokio::test(flavor = "multi_thread")]
async fn it_runs_one_pass_and_prints_its_lines_on_stdout_alone() {
    for cloud in [uniform_cloud(3).await, flexible_cloud(3).await] {
        let addresses = cloud.world().addresses("web-vmss", 80);
        let output = command(&cloud, &["sync"], &[web()]).await;
        assert_eq!(output.code, Some(0), "{output:?}");
        assert_eq!(output.stdout.trim_end(), added(&addresses));
        assert!(
            !output.stderr.contains("Updated HTTP servers"),
            "{output:?}"
        );
        let servers = cloud.world().server_addresses(UpstreamKind::Http, "web");
        assert_eq!(sorted(servers), sorted(addresses));
        cloud.clear_requests();
        let output = command(&cloud, &["sync"], &[web()]).await;
        assert_eq!(output.code, Some(0), "{output:?}");
        assert_eq!(output.stdout.trim_end(), added(&[]));
        assert_eq!(writes(&cloud), Vec::<String>::new());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn it_prints_a_line_per_upstream_and_exits_with_1_where_one_failed() {
    let cloud = uniform_cloud(1).await;
    let lost = UpstreamEntry::http("lost", "web-vmss");
    let output = command(&cloud, &["sync"], &[lost, web()]).await;
    assert_eq!(output.code, Some(1), "{output:?}");
    let lines: Vec<&str> = output.stdout.lines().collect();
    assert_eq!(lines.len(), 2, "{output:?}");
    assert!(
        lines[0].starts_with("Couldn't fully update HTTP servers of lost "),
        "{output:?}"
    );
    assert!(lines[0].contains("UpstreamNotFound"), "{output:?}");
    assert_eq!(lines[1], added(&cloud.world().addresses("web-vmss", 80)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_held_change_is_no_failure() {
    let cloud = uniform_cloud(2).await;
    assert_eq!(command(&cloud, &["sync"], &[web()]).await.code, Some(0));
    let before = cloud.world().server_addresses(UpstreamKind::Http, "web");
    cloud.world().scale("web-vmss", 0);
    cloud.world().set_capacity("web-vmss", Some(2));
    let output = command(&cloud, &["sync"], &[web()]).await;
    assert_eq!(output.code, Some(0), "{output:?}");
    assert!(
        output
            .stdout
            .contains(&format!("Held: [{}]", before.join(" "))),
        "{output:?}"
    );
    assert_eq!(
        cloud.world().server_addresses(UpstreamKind::Http, "web"),
        before
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unusable_configuration_is_told_on_stderr_with_all_its_problems() {
    let cloud = uniform_cloud(1).await;
    let yaml = cloud.config_yaml(&[web().with("prot", "80").with("max_conns", "many")]);
    for args in [&["sync"][..], &["sync", "--watch"], &["plan"]] {
        let output = command_with(&cloud, args, &yaml).await;
        assert_eq!(output.code, Some(1), "{args:?}: {output:?}");
        assert_eq!(output.stdout, "", "{args:?}");
        for place in ["upstreams[0].prot", "upstreams[0].max_conns"] {
            assert!(output.stderr.contains(place), "{args:?}: {output:?}");
        }
    }
    assert_eq!(cloud.requests().len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_option_names_the_file_and_wins_over_the_settings() {
    let cloud = uniform_cloud(2).await;
    let path = file(&cloud, "named.yaml", &cloud.config_yaml(&[web()]));
    let path = path.to_string_lossy();
    for option in [
        vec!["--config".to_owned(), path.to_string()],
        vec!["-config_path".to_owned(), path.to_string()],
        vec![format!("--config={path}")],
        vec![format!("-config_path={path}")],
        vec![format!("config_path={path}")],
    ] {
        let mut args = vec!["sync"];
        args.extend(option.iter().map(String::as_str));
        let output = command_with(&cloud, &args, "nonsense: true").await;
        assert_eq!(output.code, Some(0), "{option:?}: {output:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_file_gets_the_lines_too_and_is_appended_to() {
    let cloud = uniform_cloud(1).await;
    let path = file(&cloud, "agent.log", "an older line\n");
    let text = path.to_string_lossy().into_owned();
    let output = command(&cloud, &["sync", "--log-path", &text], &[web()]).await;
    assert_eq!(output.code, Some(0), "{output:?}");
    let line = added(&cloud.world().addresses("web-vmss", 80));
    assert_eq!(output.stdout.trim_end(), line);
    assert_eq!(output.stderr, "");
    let log = std::fs::read_to_string(&path).expect("a log");
    assert!(
        log.starts_with("an older line\n") && log.contains(&line),
        "{log}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_file_that_cannot_be_opened_is_told() {
    let cloud = uniform_cloud(1).await;
    let output = command(
        &cloud,
        &["sync", "--log-path", "/nonexistent/x.log"],
        &[web()],
    )
    .await;
    assert_eq!(output.code, Some(1), "{output:?}");
    assert!(output.stderr.contains("/nonexistent/x.log"), "{output:?}");
    assert_eq!(cloud.requests().len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_terminal_sees_each_upstream_as_it_ends_and_a_pipe_does_not() {
    let cloud = uniform_cloud(2).await;
    cloud.world().add_upstream(UpstreamKind::Stream, "tcp");
    let entries = [web(), UpstreamEntry::stream("tcp", "web-vmss", 53)];
    let piped = command(&cloud, &["sync"], &entries).await;
    assert_eq!(
        (piped.code, piped.stderr.as_str()),
        (Some(0), ""),
        "{piped:?}"
    );
    cloud.world().scale("web-vmss", 3);
    let env = environment(&cloud, &cloud.config_yaml(&entries));
    let shown = terminal(&["sync"], &env).await;
    assert_eq!(shown.code, Some(0), "{shown:?}");
    let lines: Vec<&str> = shown.stdout.lines().collect();
    assert_eq!(lines[0], "reading NGINX and Azure, upstreams: 2");
    for name in ["http upstream `web`", "stream upstream `tcp`"] {
        let told = |line: &&str| {
            line.starts_with('[')
                && line.contains("/2] ")
                && line.contains(name)
                && line.contains("changed, 1 added, 0 removed, 0 updated (")
        };
        assert!(lines[1..3].iter().any(told), "{shown:?}");
    }
    let results = lines[3..]
        .iter()
        .filter(|line| line.starts_with("Updated "));
    assert_eq!(results.count(), 2, "{shown:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pipe_is_told_what_a_long_pass_waits_for() {
    let cloud = uniform_cloud(1).await;
    let gate = cloud.gate(Match::nginx().method("POST"));
    let process = start(&cloud, &["sync"], &cloud.config_yaml(&[web()]));
    gate.arrived().await;
    let line = "still working after 5 s, waiting for upstream `web`";
    assert!(process.wait_for_line(line, PATIENCE).await);
    gate.release();
    let output = process.finish(PATIENCE).await.expect("it ends");
    assert_eq!(output.code, Some(0), "{output:?}");
    let told: Vec<&str> = output.stderr.lines().collect();
    assert_eq!(told[0], line);
    assert!(
        told[1].starts_with("[1/1] http upstream `web`: changed, 1 added"),
        "{told:?}"
    );
    assert_eq!(
        output.stdout.trim_end(),
        added(&cloud.world().addresses("web-vmss", 80))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signal_lets_the_running_step_end_and_the_exit_says_that_not_all_was_done() {
    for signal in ["TERM", "INT"] {
        let cloud = uniform_cloud(30).await;
        let gates = hold_writes(&cloud);
        let process = start(&cloud, &["sync"], &cloud.config_yaml(&[web()]));
        for gate in &gates {
            gate.arrived().await;
        }
        process.signal(signal).await;
        let line = "a signal:";
        assert!(process.wait_for_line(line, PATIENCE).await, "{signal}");
        gates.iter().for_each(Gate::release);
        let output = process.finish(PATIENCE).await.expect("the signal ends it");
        assert_eq!(output.code, Some(1), "{signal}: {output:?}");
        let servers = cloud.world().server_addresses(UpstreamKind::Http, "web");
        assert_eq!(servers.len(), gates.len(), "{signal}: {servers:?}");
        assert!(output.stdout.contains("stopped by a signal"), "{output:?}");
        for server in &servers {
            assert!(output.stdout.contains(server), "{signal}: {output:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_signal_waits_for_nothing() {
    let cloud = uniform_cloud(2).await;
    let gate = cloud.gate(Match::nginx().method("POST"));
    let process = start(&cloud, &["sync"], &cloud.config_yaml(&[web()]));
    gate.arrived().await;
    process.signal("TERM").await;
    assert!(process.wait_for_line("a signal:", PATIENCE).await);
    process.signal("TERM").await;
    let output = process.finish(PATIENCE).await.expect("the signal ends it");
    assert_eq!(
        (output.code, output.stdout.as_str()),
        (Some(1), ""),
        "{output:?}"
    );
    drop(gate);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_pass_names_the_doctor_on_stderr() {
    let cloud = uniform_cloud(1).await;
    cloud.world().remove_upstream(UpstreamKind::Http, "web");
    let output = command(&cloud, &["sync"], &[web()]).await;
    assert_eq!(output.code, Some(1), "{output:?}");
    assert!(
        output.stderr.contains("`nginx-vmss-sync check`"),
        "{output:?}"
    );
}
