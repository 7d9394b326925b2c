//! `plan`: what a pass would change, without changing it.

use serde_json::{Value, json};
use simulated_cloud::{Server, UpstreamKind};

use super::{command, writes};
use crate::support::{flexible_cloud, sorted, uniform_cloud, web};

#[tokio::test(flavor = "multi_thread")]
async fn it_shows_what_is_pending_with_exit_2_and_writes_nothing() {
    for cloud in [uniform_cloud(2).await, flexible_cloud(2).await] {
        let world = cloud.world();
        world.put_server(UpstreamKind::Http, "web", Server::at("172.31.9.9:80"));
        let kept = world.addresses("web-vmss", 80).remove(0);
        let stale = Server {
            max_fails: 7,
            ..Server::at(&kept)
        };
        world.put_server(UpstreamKind::Http, "web", stale);
        let before = world.servers(UpstreamKind::Http, "web");
        let output = command(&cloud, &["plan"], &[web()]).await;
        assert_eq!(output.code, Some(2), "{output:?}");
        let added = world.addresses("web-vmss", 80).remove(1);
        let lines: Vec<&str> = output.stdout.lines().map(str::trim).collect();
        assert!(
            lines[0].contains("web") && lines[0].contains("web-vmss"),
            "{output:?}"
        );
        assert!(lines.contains(&format!("+ {added}").as_str()), "{output:?}");
        assert!(
            lines.iter().any(|line| line.starts_with("- 172.31.9.9:80")),
            "{output:?}"
        );
        let patch = format!("~ {kept}");
        let patched = |line: &&str| line.starts_with(&patch) && line.contains("max_fails 1");
        assert!(lines.iter().any(patched), "{output:?}");
        assert!(
            !output.stdout.contains('\u{1b}'),
            "colours are for terminals"
        );
        assert_eq!(writes(&cloud), Vec::<String>::new());
        assert_eq!(world.servers(UpstreamKind::Http, "web"), before);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn json_has_every_step_for_programs() {
    let cloud = uniform_cloud(3).await;
    cloud
        .world()
        .put_server(UpstreamKind::Http, "web", Server::at("172.31.9.9:80"));
    let output = command(&cloud, &["plan", "--format", "json"], &[web()]).await;
    assert_eq!(output.code, Some(2), "{output:?}");
    let plan: Value = serde_json::from_str(&output.stdout).expect("JSON and nothing else");
    let upstream = &plan["upstreams"][0];
    assert_eq!(
        (&upstream["name"], &upstream["kind"]),
        (&json!("web"), &json!("http"))
    );
    let steps = upstream["planned"].as_array().expect("steps");
    let of = |action: &str| -> Vec<String> {
        let steps = steps.iter().filter(|step| step["action"] == action);
        sorted(
            steps
                .map(|step| step["server"].as_str().expect("text").to_owned())
                .collect(),
        )
    };
    assert_eq!(of("add"), sorted(cloud.world().addresses("web-vmss", 80)));
    assert_eq!(of("remove"), ["172.31.9.9:80"]);
    assert_eq!(steps.len(), 4);
    assert_eq!(writes(&cloud), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_to_change_is_exit_0() {
    let cloud = uniform_cloud(2).await;
    assert_eq!(command(&cloud, &["sync"], &[web()]).await.code, Some(0));
    cloud.clear_requests();
    let text = command(&cloud, &["plan"], &[web()]).await;
    assert_eq!(text.code, Some(0), "{text:?}");
    assert!(text.stdout.contains("nothing to change"), "{text:?}");
    let json = command(&cloud, &["plan", "--format", "json"], &[web()]).await;
    assert_eq!(json.code, Some(0), "{json:?}");
    let plan: Value = serde_json::from_str(&json.stdout).expect("JSON");
    assert_eq!(plan["upstreams"][0]["planned"], json!([]));
    assert_eq!(
        sorted(serde_json::from_value(plan["upstreams"][0]["servers"].clone()).expect("texts")),
        sorted(cloud.world().addresses("web-vmss", 80))
    );
    assert_eq!(writes(&cloud), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_held_change_is_pending_and_told_with_its_reason_and_digest() {
    let cloud = uniform_cloud(3).await;
    assert_eq!(command(&cloud, &["sync"], &[web()]).await.code, Some(0));
    let mut servers = cloud.world().server_addresses(UpstreamKind::Http, "web");
    cloud.world().scale("web-vmss", 1);
    cloud.world().set_capacity("web-vmss", Some(3));
    let kept = cloud.world().addresses("web-vmss", 80);
    servers.retain(|server| !kept.contains(server));
    cloud.clear_requests();
    let text = command(&cloud, &["plan"], &[web()]).await;
    assert_eq!(text.code, Some(2), "{text:?}");
    let json = command(&cloud, &["plan", "--format", "json"], &[web()]).await;
    assert_eq!(json.code, Some(2), "{json:?}");
    let plan: Value = serde_json::from_str(&json.stdout).expect("JSON");
    let upstream = &plan["upstreams"][0];
    let held = upstream["held"].as_array().expect("a list");
    let addresses = held
        .iter()
        .map(|held| held["server"].as_str().expect("text").to_owned());
    assert_eq!(sorted(addresses.collect()), sorted(servers));
    for held in held {
        let reason = held["reason"].as_str().expect("a reason");
        assert!(
            !reason.is_empty() && text.stdout.contains(reason),
            "{text:?}"
        );
    }
    let digest = upstream["digest"].as_str().expect("a digest");
    assert!(text.stdout.contains(digest), "{text:?}");
    assert_eq!(writes(&cloud), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_read_is_exit_1_with_the_reason_on_stdout() {
    let cloud = uniform_cloud(2).await;
    cloud
        .world()
        .deny_action("Microsoft.Compute/virtualMachineScaleSets/networkInterfaces/read");
    for format in ["text", "json"] {
        let output = command(&cloud, &["plan", "--format", format], &[web()]).await;
        assert_eq!(output.code, Some(1), "{output:?}");
        let action = "virtualMachineScaleSets/networkInterfaces/read";
        assert!(output.stdout.contains(action), "{output:?}");
    }
    assert_eq!(writes(&cloud), Vec::<String>::new());
}
