//! `plan`: what a pass would change, without changing it.

use serde_json::{Value, json};
use simulated_cloud::functions_host::run;
use simulated_cloud::{Server, UpstreamKind};

use super::{command, terminal, writes};
use crate::support::{binary, environment, flexible_cloud, sorted, uniform_cloud, web};

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
        let plus = format!("+ {added} ");
        assert!(
            lines.iter().any(|line| line.starts_with(&plus)),
            "{output:?}"
        );
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

#[tokio::test(flavor = "multi_thread")]
async fn json_has_the_keys_of_its_document_and_a_reason_for_everything() {
    let cloud = uniform_cloud(3).await;
    assert_eq!(command(&cloud, &["sync"], &[web()]).await.code, Some(0));
    let world = cloud.world();
    let addresses = world.addresses("web-vmss", 80);
    world.change_server(UpstreamKind::Http, "web", &addresses[0], |server| {
        server.max_conns = 9;
        server.slow_start = "30s".to_owned();
    });
    world.delete_instance("web-vmss", 2);
    world.delete_instance("web-vmss", 1);
    world.begin_scale("web-vmss", 2);
    world.set_capacity("web-vmss", Some(9));
    let output = command(&cloud, &["plan", "--format", "json"], &[web()]).await;
    assert_eq!(output.code, Some(2), "{output:?}");
    let plan: Value = serde_json::from_str(&output.stdout).expect("JSON");
    let keys = |value: &Value| -> Vec<String> {
        let object = value.as_object().expect("an object");
        object.keys().cloned().collect()
    };
    assert_eq!(keys(&plan), ["outcome", "schema", "upstreams", "version"]);
    assert_eq!(plan["schema"], "nginx-vmss-sync/plan/1");
    assert_eq!(plan["outcome"], "held");
    let upstream = &plan["upstreams"][0];
    assert_eq!(
        keys(upstream),
        [
            "added",
            "digest",
            "draining",
            "failures",
            "held",
            "kind",
            "name",
            "notes",
            "outcome",
            "planned",
            "removed",
            "scale_sets",
            "servers",
            "updated"
        ]
    );
    assert_eq!(upstream["scale_sets"], "web-vmss");
    let planned = upstream["planned"].as_array().expect("a list");
    assert_eq!(planned.len(), 1, "{upstream:#}");
    assert_eq!(keys(&planned[0]), ["action", "changes", "reason", "server"]);
    assert_eq!(
        planned[0]["changes"],
        json!({ "max_conns": 0, "slow_start": "0s" })
    );
    assert_eq!(
        keys(&upstream["held"][0]),
        ["action", "reason", "release", "server"]
    );
    assert_eq!(keys(&upstream["notes"][0]), ["subject", "text"]);
    for (list, reason) in [("planned", "reason"), ("held", "reason"), ("notes", "text")] {
        for item in upstream[list].as_array().expect("a list") {
            assert_ne!(item[reason].as_str().expect("a reason"), "", "{list}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_terminal_gets_colours_unless_it_is_told_not_to() {
    let cloud = uniform_cloud(1).await;
    let added = format!("+ {}", cloud.world().addresses("web-vmss", 80)[0]);
    let green = format!("\u{1b}[32m{added}");
    let yaml = cloud.config_yaml(&[web()]);
    for (setting, coloured) in [
        (None, true),
        (Some(("NO_COLOR", "1")), false),
        (Some(("NO_COLOR", "")), true),
        (Some(("TERM", "dumb")), false),
    ] {
        let mut env = environment(&cloud, &yaml);
        env.extend(setting.map(|(name, value)| (name.to_owned(), value.to_owned())));
        let output = terminal(&["plan"], &env).await;
        assert_eq!(output.code, Some(2), "{output:?}");
        assert!(output.stdout.contains(&added), "{output:?}");
        assert_eq!(output.stdout.contains(&green), coloured, "{setting:?}");
        assert_eq!(output.stdout.contains('\u{1b}'), coloured, "{setting:?}");
    }
    let mut env = environment(&cloud, &yaml);
    env.push(("CLICOLOR_FORCE".to_owned(), "1".to_owned()));
    let output = run(binary(), &["plan"], &env, None).await;
    assert!(output.stdout.contains(&green), "{output:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_plan_names_the_doctor_on_stderr() {
    let cloud = uniform_cloud(1).await;
    cloud.world().remove_upstream(UpstreamKind::Http, "web");
    let output = command(&cloud, &["plan"], &[web()]).await;
    assert_eq!(output.code, Some(1), "{output:?}");
    assert!(
        output.stderr.contains("`nginx-vmss-sync check`"),
        "{output:?}"
    );
}
