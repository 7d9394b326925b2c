//! What a reply says, and what stands in the log beside it.

use serde_json::json;
use simulated_cloud::{Fault, Match, UpstreamEntry, UpstreamKind};

use super::{assert_done, assert_failed, envelope, written};
use crate::support::{Running, uniform_cloud, web};

#[tokio::test(flavor = "multi_thread")]
async fn a_success_has_exactly_the_hosts_shape_with_a_line_per_upstream() {
    let cloud = uniform_cloud(1).await;
    cloud.world().add_upstream(UpstreamKind::Http, "api");
    let api = UpstreamEntry::http("api", "web-vmss").on_port(8080);
    let running = Running::start(cloud, &[web(), api]).await;
    let address = running.world().addresses("web-vmss", 80).remove(0);
    let host = address.trim_end_matches(":80");
    let reply = running.event("web-vmss").await;
    assert_done(&reply, "first");
    let line = |name: &str, added: &str| {
        format!(
            "Updated HTTP servers of {name} for group web-vmss ; Added: [{added}], Removed: [], Updated: []"
        )
    };
    let first = [line("web", &address), line("api", &format!("{host}:8080"))];
    assert_eq!(
        reply.body,
        json!({ "Outputs": {}, "Logs": first, "ReturnValue": null })
    );
    let again = running.handler.timer_tick().await;
    assert_done(&again, "again");
    let second = [line("web", ""), line("api", "")];
    assert_eq!(
        again.body,
        json!({ "Outputs": {}, "Logs": second, "ReturnValue": null })
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_pass_is_a_failed_invocation_with_the_same_lines_on_stdout() {
    let running = Running::start(uniform_cloud(2).await, &[web()]).await;
    running.world().remove_upstream(UpstreamKind::Http, "web");
    let event = running.event("web-vmss").await;
    let tick = running.handler.timer_tick().await;
    for reply in [event, tick] {
        assert_failed(&reply, "no such upstream");
        assert_eq!(reply.logs().len(), 1, "{}", reply.text);
        assert!(
            reply.logs()[0].contains("UpstreamNotFound"),
            "{}",
            reply.text
        );
        running.assert_on_stdout(&reply.logs()).await;
    }
    assert_eq!(running.handler.stderr_lines(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn one_failed_upstream_fails_the_invocation_and_stops_no_other() {
    let cloud = uniform_cloud(2).await;
    let lost = UpstreamEntry::http("lost", "web-vmss");
    let running = Running::start(cloud, &[lost, web()]).await;
    let reply = running.event("web-vmss").await;
    assert_failed(&reply, "one of two");
    running.assert_follows("the other one");
    assert!(reply.logs()[0].starts_with("Couldn't fully update HTTP servers of lost "));
    assert!(reply.logs()[1].starts_with("Updated HTTP servers of web "));
    running.assert_on_stdout(&reply.logs()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_set_that_does_not_exist_or_cannot_be_read_fails_the_invocation() {
    let running = Running::start(uniform_cloud(2).await, &[web()]).await;
    let set = running.world().set_id("web-vmss");
    running
        .world()
        .deny_action("Microsoft.Compute/virtualMachineScaleSets/read");
    assert_failed(&running.handler.scale_set_written(&set).await, "forbidden");
    running
        .world()
        .allow_action("Microsoft.Compute/virtualMachineScaleSets/read");
    running.world().remove_set("web-vmss");
    let reply = running.handler.scale_set_written(&set).await;
    assert_failed(&reply, "deleted");
    running.assert_on_stdout(&reply.logs()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_held_on_purpose_is_a_success_that_says_why() {
    let running = Running::start(uniform_cloud(3).await, &[web()]).await;
    assert_done(&running.event("web-vmss").await, "filled");
    let before = running.http("web");
    running.world().scale("web-vmss", 0);
    running.world().set_capacity("web-vmss", Some(3));
    let reply = running.event("web-vmss").await;
    assert_done(&reply, "held");
    assert_eq!(running.http("web"), before);
    let held = format!("Held: [{}]", before.join(" "));
    assert!(reply.logs()[0].contains(&held), "{}", reply.text);
    running.assert_on_stdout(&reply.logs()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_names_the_invocation_and_what_caused_it() {
    let running = Running::start(uniform_cloud(1).await, &[web()]).await;
    let header = "X-Azure-Functions-InvocationId";
    let event = envelope("event", &written(&running.world().set_id("web-vmss")));
    let timer = envelope("timer", &json!({}));
    for (n, (path, body)) in [("/VmssScaleEvent", event), ("/ReconcileTimer", timer)]
        .into_iter()
        .enumerate()
    {
        running.world().scale("web-vmss", 1 + n);
        let id = format!("7d5a2f0c-0000-4000-8000-00000000000{n}");
        let (status, ..) = running
            .send(
                "POST",
                path,
                &[(header, &id)],
                body.to_string().into_bytes(),
            )
            .await;
        assert_eq!(status, 200);
        running.assert_on_stdout(std::slice::from_ref(&id)).await;
        let stdout = running.handler.stdout_lines();
        let line = stdout
            .iter()
            .find(|line| line.contains(&id))
            .expect("the line");
        assert!(line.contains("Added: ["), "{line}");
        assert!(line.contains(["event", "timer"][n]), "{line}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_another_system_says_cannot_forge_a_line_of_the_log() {
    let running = Running::start(uniform_cloud(1).await, &[web()]).await;
    let forged = "no\n2026-01-01T00:00:00Z  INFO forged\u{1b}[31m\r\nand more";
    let fault = Fault::arm_error(403, "AuthorizationFailed", forged);
    running.cloud.fault(Match::arm(), fault, None);
    let reply = running.event("web-vmss").await;
    assert_failed(&reply, "forged");
    running.assert_on_stdout(&reply.logs()).await;
    for line in running.handler.stdout_lines() {
        assert!(!line.contains('\u{1b}'), "{line:?}");
        assert!(
            !line.starts_with("2026-01-01T00:00:00Z  INFO forged"),
            "{line:?}"
        );
    }
    let id = "x\u{9}y ERROR forged";
    let body = envelope("event", &json!(1)).to_string().into_bytes();
    let (status, ..) = running
        .send(
            "POST",
            "/VmssScaleEvent",
            &[("X-Azure-Functions-InvocationId", id)],
            body,
        )
        .await;
    assert_eq!(status, 200);
}
