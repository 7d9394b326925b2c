//! Each upstream: existence, servers, zone, health checks.

use simulated_cloud::{Cloud, Server, UpstreamEntry, UpstreamKind};

use super::examine;
use crate::support::{uniform_cloud, web};

const HTTP: UpstreamKind = UpstreamKind::Http;

/// A cloud whose instances are the servers of `web`.
async fn filled(instances: usize) -> Cloud {
    let cloud = uniform_cloud(instances).await;
    for address in cloud.world().addresses("web-vmss", 80) {
        cloud.world().put_server(HTTP, "web", Server::at(&address));
    }
    cloud
}

#[tokio::test(flavor = "multi_thread")]
async fn the_nearest_names_are_told_first_and_not_all_of_them() {
    let cloud = uniform_cloud(1).await;
    for name in [
        "backend-one",
        "backend-two",
        "admin",
        "metrics",
        "static",
        "login",
        "cdn",
    ] {
        cloud.world().add_upstream(HTTP, name);
    }
    let wrong = UpstreamEntry::http("backend_one", "web-vmss");
    let report = examine(&cloud, &[wrong]).await;
    report.assert_failed(&["upstream.exists"]);
    report.only(
        "upstream.exists",
        "failed",
        &["(NGINX has `backend-one`, `backend-two`)"],
    );
    // Nothing is like it: then what to add is told.
    let strange = UpstreamEntry::http("zzzzzz", "web-vmss");
    let report = examine(&cloud, &[strange]).await;
    report.only(
        "upstream.exists",
        "failed",
        &["add it to NGINX's configuration:", "zone zzzzzz 64k;"],
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_list_of_names_the_upstream_itself_is_told() {
    let cloud = uniform_cloud(1).await;
    cloud.world().hide_status(true);
    let report = examine(&cloud, &[UpstreamEntry::http("wbe", "web-vmss")]).await;
    report.assert_failed(&["upstream.exists"]);
    report.only(
        "upstream.exists",
        "failed",
        &["add it to NGINX's configuration:"],
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn servers_that_are_no_instances_are_a_warning() {
    let cloud = filled(2).await;
    examine(&cloud, &[web()])
        .await
        .only("upstream.servers", "ok", &["none is static"]);
    let stranger = Server {
        is_static: true,
        ..Server::at("172.31.9.9:80")
    };
    cloud.world().put_server(HTTP, "web", stranger);
    let report = examine(&cloud, &[web()]).await;
    report.assert_sound();
    report.only(
        "upstream.servers",
        "warning",
        &[
            "no instance has the address of `172.31.9.9:80`",
            "`server` lines",
        ],
    );
    // Outside the networks that are ours it is nobody's business.
    let scoped = web()
        .with("ownership", "scoped")
        .with("networks", "[10.20.0.0/16]");
    let report = examine(&cloud, &[scoped]).await;
    report.only("upstream.servers", "ok", &["none is static"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn servers_of_nginxs_configuration_are_a_warning() {
    let cloud = filled(1).await;
    let resolved = Server {
        parent: Some(0),
        ..Server::at("172.31.9.9:80")
    };
    cloud.world().put_server(HTTP, "web", resolved);
    cloud
        .world()
        .put_server(HTTP, "web", Server::at("backend.example:80"));
    let report = examine(&cloud, &[web()]).await;
    report.assert_sound();
    report.only(
        "upstream.servers",
        "warning",
        &["`172.31.9.9:80`, `backend.example:80` stand in NGINX's configuration"],
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_zone_is_judged_by_the_sets_capacity() {
    for (kibibytes, grade, parts) in [
        (
            1_024,
            "ok",
            &["(1024k)", "enough for twice the capacity (24)"][..],
        ),
        (
            64,
            "warning",
            &[
                "(64k)",
                "less than twice the capacity (24)",
                "zone web 128k;",
            ],
        ),
        (
            20,
            "failed",
            &["(20k)", "the sets want 12 now", "zone web 128k;"],
        ),
    ] {
        let cloud = uniform_cloud(12).await;
        cloud.world().set_zone_size(HTTP, "web", kibibytes);
        let report = examine(&cloud, &[web()]).await;
        report.only("upstream.zone", grade, parts);
        assert_eq!(report.code, Some(i32::from(grade == "failed")));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn capacity_counts_and_not_the_instances_of_the_moment() {
    let cloud = uniform_cloud(2).await;
    cloud.world().set_zone_size(HTTP, "web", 64);
    examine(&cloud, &[web()])
        .await
        .only("upstream.zone", "ok", &["(4)"]);
    cloud.world().set_capacity("web-vmss", Some(100));
    let report = examine(&cloud, &[web()]).await;
    report.assert_failed(&["upstream.zone"]);
    report.only(
        "upstream.zone",
        "failed",
        &["the sets want 100 now", "zone web 1m;"],
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn servers_that_are_in_a_zone_fit_in_it_whatever_is_estimated() {
    let cloud = filled(12).await;
    cloud.world().set_zone_size(HTTP, "web", 20);
    let report = examine(&cloud, &[web()]).await;
    report.assert_sound();
    report.only(
        "upstream.zone",
        "warning",
        &["holds about 12 servers", "(24)"],
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_zone_that_was_full_is_a_warning() {
    let cloud = uniform_cloud(30).await;
    cloud.world().set_zone_size(HTTP, "web", 64);
    let synced = super::super::command(&cloud, &["sync"], &[web()]).await;
    assert_eq!(synced.code, Some(1), "{synced:?}");
    cloud.world().scale("web-vmss", 3);
    let synced =
        super::super::command(&cloud, &["sync"], &[web().with("drain_timeout", "0s")]).await;
    assert_eq!(synced.code, Some(0), "{synced:?}");
    let report = examine(&cloud, &[web()]).await;
    report.assert_sound();
    report.only(
        "upstream.zone",
        "warning",
        &["was full", "times since NGINX started"],
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn missing_health_checks_are_a_warning_once_there_are_servers() {
    let cloud = uniform_cloud(1).await;
    let report = examine(&cloud, &[web()]).await;
    report.only("upstream.health_checks", "skipped", &["it has none yet"]);
    let cloud = filled(2).await;
    let report = examine(&cloud, &[web()]).await;
    report.only("upstream.health_checks", "ok", &["2 of 2 servers"]);
    cloud.world().set_health_checked(HTTP, "web", false);
    let report = examine(&cloud, &[web()]).await;
    report.assert_sound();
    report.only(
        "upstream.health_checks",
        "warning",
        &["not health-checked", "health_check interval=5s mandatory;"],
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_api_does_not_tell_is_skipped_and_no_failure() {
    let cloud = filled(2).await;
    cloud.world().hide_status(true);
    cloud.world().hide_slabs(true);
    let report = examine(&cloud, &[web()]).await;
    report.assert_sound();
    report.only(
        "upstream.zone",
        "skipped",
        &["4 servers, needs `zone web 64k`"],
    );
    report.only(
        "upstream.health_checks",
        "skipped",
        &["does not tell of health checks"],
    );
}
