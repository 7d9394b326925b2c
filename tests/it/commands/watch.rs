//! `sync --watch`, and the old agent's command line, which means the same.

use simulated_cloud::{Cloud, Gate, Match, Service, UpstreamKind};

use super::{PATIENCE, added, command, file, hold_writes, start, stop, writes};
use crate::support::{sorted, uniform_cloud, web};

/// A configuration that repeats every second.
fn every_second(cloud: &Cloud) -> String {
    cloud.config_yaml_with(&[("sync_interval", "1s")], &[web()])
}

#[tokio::test(flavor = "multi_thread")]
async fn it_repeats_until_a_signal_and_then_exits_with_0() {
    for signal in ["TERM", "INT"] {
        let cloud = uniform_cloud(2).await;
        let first = cloud.world().addresses("web-vmss", 80);
        let process = start(&cloud, &["sync", "--watch"], &every_second(&cloud));
        assert!(
            process.wait_for_line(&added(&first), PATIENCE).await,
            "{signal}"
        );
        cloud.world().scale("web-vmss", 4);
        let mut second = cloud.world().addresses("web-vmss", 80);
        second.retain(|address| !first.contains(address));
        assert!(
            process.wait_for_line(&added(&second), PATIENCE).await,
            "{signal}"
        );
        let output = stop(process, signal).await;
        assert_eq!(output.code, Some(0), "{signal}: {output:?}");
        // What changed, and nothing for the passes in which nothing did.
        let lines: Vec<&str> = output.stdout.lines().collect();
        assert_eq!(lines, [added(&first), added(&second)], "{signal}");
        assert!(
            !output.stderr.contains("Updated HTTP servers"),
            "{output:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn it_goes_on_after_a_failed_pass() {
    let cloud = uniform_cloud(2).await;
    cloud.world().remove_upstream(UpstreamKind::Http, "web");
    let process = start(&cloud, &["sync", "--watch"], &every_second(&cloud));
    assert!(
        process
            .wait_for_line("Couldn't fully update HTTP servers of web", PATIENCE)
            .await
    );
    cloud.world().add_upstream(UpstreamKind::Http, "web");
    let line = added(&cloud.world().addresses("web-vmss", 80));
    assert!(
        process.wait_for_line(&line, PATIENCE).await,
        "{:?}",
        process.stdout_lines()
    );
    let output = stop(process, "TERM").await;
    assert_eq!(output.code, Some(0), "{output:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signal_during_a_pass_lets_its_running_step_end_and_begins_no_other() {
    for signal in ["TERM", "INT"] {
        let cloud = uniform_cloud(30).await;
        let gates = hold_writes(&cloud);
        let process = start(&cloud, &["sync", "--watch"], &every_second(&cloud));
        for gate in &gates {
            gate.arrived().await;
        }
        process.signal(signal).await;
        assert!(process.wait_for_line("signal", PATIENCE).await, "{signal}");
        gates.iter().for_each(Gate::release);
        let output = process.finish(PATIENCE).await.expect("the signal ends it");
        assert_eq!(output.code, Some(0), "{signal}: {output:?}");
        let servers = cloud.world().server_addresses(UpstreamKind::Http, "web");
        assert_eq!(writes(&cloud).len(), 8, "{signal}");
        assert_eq!(servers.len(), 8, "{signal}");
        // What it did before the signal is told.
        let line = output.stdout.lines().next().expect("a line");
        let (done, not_done) = line.split_once("Failed: ").expect("what was left to do");
        for server in &servers {
            assert!(
                done.contains(server) && !not_done.contains(&format!("{server}:")),
                "{line}"
            );
        }
        // And the next pass does the rest.
        let next = command(&cloud, &["sync"], &[web()]).await;
        assert_eq!(next.code, Some(0), "{next:?}");
        assert_eq!(
            sorted(cloud.world().server_addresses(UpstreamKind::Http, "web")),
            sorted(cloud.world().addresses("web-vmss", 80))
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signal_ends_it_even_while_nobody_answers() {
    let cloud = uniform_cloud(2).await;
    let gate = cloud.gate(Match::arm());
    let process = start(&cloud, &["sync", "--watch"], &every_second(&cloud));
    gate.arrived().await;
    let output = stop(process, "TERM").await;
    assert_eq!(output.code, Some(0), "{output:?}");
    assert_eq!(writes(&cloud), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_old_agents_command_line_watches_and_logs_into_its_file() {
    let cloud = uniform_cloud(2).await;
    let config = file(&cloud, "config.yaml", &every_second(&cloud));
    let log = cloud.directory().join("nginx-asg-sync.log");
    let args = [
        format!("config_path={}", config.display()),
        format!("-log_path={}", log.display()),
    ];
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let process = start(&cloud, &args, "nonsense: true");
    let first = cloud.world().addresses("web-vmss", 80);
    assert!(
        process.wait_for_line(&added(&first), PATIENCE).await,
        "{:?}",
        process.stderr_lines()
    );
    cloud.world().scale("web-vmss", 3);
    let mut second = cloud.world().addresses("web-vmss", 80);
    second.retain(|address| !first.contains(address));
    assert!(process.wait_for_line(&added(&second), PATIENCE).await);
    let output = stop(process, "TERM").await;
    assert_eq!(output.code, Some(0), "{output:?}");
    assert_eq!(output.stderr, "");
    let log = std::fs::read_to_string(log).expect("a log");
    assert!(
        log.contains(&added(&first)) && log.contains(&added(&second)),
        "{log}"
    );
    assert_eq!(cloud.requests_to(Service::Foreign).len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_pass_stands_in_the_log_file_with_its_reason() {
    let cloud = uniform_cloud(2).await;
    cloud.world().remove_upstream(UpstreamKind::Http, "web");
    let log = cloud.directory().join("watch.log");
    let path = log.to_string_lossy().into_owned();
    let args = ["sync", "--watch", "--log-path", &path];
    let process = start(&cloud, &args, &every_second(&cloud));
    assert!(process.wait_for_line("UpstreamNotFound", PATIENCE).await);
    assert_eq!(stop(process, "TERM").await.code, Some(0));
    let log = std::fs::read_to_string(log).expect("a log");
    assert!(
        log.contains("ERROR") && log.contains("UpstreamNotFound"),
        "{log}"
    );
}
