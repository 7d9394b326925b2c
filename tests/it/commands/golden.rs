//! The text of `plan`, held against files that a reviewer can read.
//!
//! `UPDATE_GOLDEN=1 cargo test --test it golden` writes them anew.

use std::path::PathBuf;

use simulated_cloud::{Cloud, Flavour, PowerState, Server, UpstreamEntry, UpstreamKind};

use super::{command, writes};
use crate::support::{flexible_cloud, uniform_cloud, web};

const HTTP: UpstreamKind = UpstreamKind::Http;

/// Runs `plan` and holds its text against the file of this name.
async fn golden(name: &str, cloud: &Cloud, upstreams: &[UpstreamEntry], code: i32) {
    cloud.clear_requests();
    let output = command(cloud, &["plan"], upstreams).await;
    assert_eq!(output.code, Some(code), "{output:?}");
    assert_eq!(writes(cloud), Vec::<String>::new());
    // The names of Flexible instances are random.
    let mut text = output.stdout;
    for instance in cloud.world().instances("web-vmss") {
        let name = format!("web-vmss_{}", instance.number);
        text = text.replace(&instance.name, &name);
    }
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden/plan")
        .join(format!("{name}.txt"));
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::create_dir_all(path.parent().expect("a directory")).expect("made");
        std::fs::write(&path, &text).expect("written");
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(
        text, expected,
        "if this is meant: UPDATE_GOLDEN=1 cargo test --test it golden"
    );
}

async fn synced(cloud: &Cloud, upstreams: &[UpstreamEntry]) {
    let output = command(cloud, &["sync"], upstreams).await;
    assert_eq!(output.code, Some(0), "{output:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_of_change_has_its_line_and_reason() {
    let cloud = uniform_cloud(6).await;
    let world = cloud.world();
    let entry = web().with("weight", "5").with("backup", "false");
    synced(&cloud, std::slice::from_ref(&entry)).await;
    let addresses = world.addresses("web-vmss", 80);
    world.put_server(HTTP, "web", Server::at("172.31.9.9:80"));
    world.change_server(HTTP, "web", &addresses[0], |server| {
        server.max_fails = 7;
        server.fail_timeout = "1m".to_owned();
    });
    world.change_server(HTTP, "web", &addresses[1], |server| server.weight = 1);
    world.change_server(HTTP, "web", &addresses[2], |server| server.backup = true);
    world.change_server(HTTP, "web", &addresses[3], |server| server.drain = true);
    world.set_power("web-vmss", 4, PowerState::Stopping);
    world.scale("web-vmss", 7);
    world.begin_scale("web-vmss", 8);
    golden("changes", &cloud, &[entry], 2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_upstream_and_several_sets() {
    let cloud = flexible_cloud(2).await;
    let world = cloud.world();
    world.set_flavour(Flavour::NginxAaas);
    world.add_uniform_set("blue", 1);
    world.add_upstream(UpstreamKind::Stream, "tcp");
    let tcp = [
        UpstreamEntry::stream("tcp", "web-vmss", 5432),
        UpstreamEntry::stream("tcp", "blue", 6432),
    ];
    synced(&cloud, &[tcp[0].clone(), tcp[1].clone(), web()]).await;
    world.set_power("blue", 0, PowerState::Deallocated);
    world.scale("web-vmss", 3);
    golden(
        "stream",
        &cloud,
        &[tcp[0].clone(), tcp[1].clone(), web()],
        2,
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn held_changes_with_their_reason_and_what_releases_them() {
    let cloud = uniform_cloud(4).await;
    synced(&cloud, &[web()]).await;
    for _ in 0..3 {
        cloud.world().delete_instance("web-vmss", 1);
    }
    golden("held", &cloud, &[web()], 2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upstream_that_would_be_empty() {
    let cloud = uniform_cloud(2).await;
    synced(&cloud, &[web()]).await;
    cloud.world().scale("web-vmss", 0);
    cloud.world().set_capacity("web-vmss", Some(2));
    golden("would-empty", &cloud, &[web()], 2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_policy_holds_is_no_pending_change() {
    let cloud = uniform_cloud(3).await;
    synced(&cloud, &[web()]).await;
    cloud.world().scale("web-vmss", 2);
    let entry = web().with("policy", "upsert_only");
    golden("policy", &cloud, &[entry], 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_to_change_is_said_so() {
    let cloud = uniform_cloud(2).await;
    synced(&cloud, &[web()]).await;
    golden("nothing", &cloud, &[web()], 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_could_not_be_read_stands_beside_what_could() {
    let cloud = uniform_cloud(2).await;
    let lost = UpstreamEntry::http("lost", "web-vmss");
    golden("failed", &cloud, &[lost, web()], 1).await;
}
