//! The NGINX Plus API.

use std::sync::{Arc, Mutex};

use serde_json::json;
use simulated_cloud::{Change, Cloud, Flavour, PeerState, Server, UpstreamKind};

use crate::client::{nginx, send};

const HTTP: UpstreamKind = UpstreamKind::Http;

async fn cloud() -> Cloud {
    let cloud = Cloud::start().await;
    cloud.world().add_upstream(HTTP, "app");
    cloud.world().add_upstream(UpstreamKind::Stream, "tcp");
    cloud
}

#[tokio::test]
async fn servers_are_added_changed_and_removed() {
    let cloud = cloud().await;
    let body = r#"{"server":"10.0.0.1:80","fail_timeout":"1m"}"#;
    let added = nginx(&cloud, "POST", "http/upstreams/app/servers/", body).await;
    assert_eq!(added.status, 201);
    assert_eq!(added.json()["fail_timeout"], "60s");
    assert_eq!(added.json()["weight"], 1);
    let again = nginx(&cloud, "POST", "http/upstreams/app/servers", body).await;
    assert_eq!((again.status, again.code().as_str()), (409, "EntryExists"));

    let path = "http/upstreams/app/servers/0";
    let changed = nginx(&cloud, "PATCH", path, r#"{"max_conns":5,"drain":true}"#).await;
    assert_eq!(
        (changed.status, &changed.json()["max_conns"]),
        (200, &json!(5))
    );
    assert!(cloud.world().servers(HTTP, "app")[0].drain);
    let status = nginx(&cloud, "GET", "http/upstreams/app/", "").await.json();
    assert_eq!(status["peers"][0]["state"], "draining");

    let removed = nginx(&cloud, "DELETE", path, "").await;
    assert_eq!((removed.status, removed.json()), (200, json!([])));
    assert_eq!(
        nginx(&cloud, "DELETE", path, "").await.code(),
        "UpstreamServerNotFound"
    );
    assert_eq!(cloud.world().violations(), Vec::<String>::new());
}

#[tokio::test]
async fn refusals_have_the_codes_of_the_specification() {
    let cloud = cloud().await;
    let world = cloud.world();
    let fixed = Server {
        is_static: true,
        ..Server::at("10.0.0.9:80")
    };
    let id = world.put_server(HTTP, "app", fixed);
    let child = Server {
        parent: Some(7),
        ..Server::at("10.0.0.8:80")
    };
    let child = world.put_server(HTTP, "app", child);
    world.set_no_backup(HTTP, "app", true);
    let app = "http/upstreams/app/servers/";
    let one = format!("{app}{id}");
    let child = format!("{app}{child}");
    for (method, path, body, status, code) in [
        (
            "POST",
            app,
            r#"{"server":"10.0.0.1:80","srv":1}"#,
            400,
            "UpstreamConfFormatError",
        ),
        (
            "POST",
            app,
            r#"{"server":"10.0.0.1:80","id":1}"#,
            400,
            "UpstreamConfFormatError",
        ),
        ("POST", app, r"{}", 400, "UpstreamConfFormatError"),
        (
            "POST",
            app,
            r#"{"server":{}}"#,
            400,
            "UpstreamConfFormatError",
        ),
        (
            "POST",
            app,
            r#"{"server":"10.0.0.1:port"}"#,
            400,
            "UpstreamBadAddress",
        ),
        (
            "POST",
            app,
            r#"{"server":"fd00::1:80:x"}"#,
            400,
            "UpstreamBadAddress",
        ),
        (
            "POST",
            app,
            r#"{"server":"10.0.0.1","weight":0}"#,
            400,
            "UpstreamBadWeight",
        ),
        (
            "POST",
            app,
            r#"{"server":"10.0.0.1","max_conns":-1}"#,
            400,
            "UpstreamBadMaxConns",
        ),
        (
            "POST",
            app,
            r#"{"server":"10.0.0.1","fail_timeout":"5ms"}"#,
            400,
            "UpstreamBadFailTimeout",
        ),
        (
            "POST",
            app,
            r#"{"server":"10.0.0.1","slow_start":"x"}"#,
            400,
            "UpstreamBadSlowStart",
        ),
        (
            "POST",
            app,
            r#"{"server":"10.0.0.1","backup":true}"#,
            400,
            "UpstreamNoBackup",
        ),
        ("POST", app, "[", 415, "JsonError"),
        (
            "PATCH",
            &one,
            r#"{"max_conns":1}"#,
            400,
            "UpstreamServerImmutable",
        ),
        (
            "PATCH",
            &one,
            r#"{"backup":true}"#,
            400,
            "UpstreamConfFormatError",
        ),
        ("DELETE", &one, "", 400, "UpstreamServerImmutable"),
        ("DELETE", &child, "", 400, "UpstreamServerImmutable"),
        (
            "DELETE",
            "http/upstreams/app/servers/x",
            "",
            400,
            "UpstreamBadServerId",
        ),
        (
            "GET",
            "http/upstreams/none/servers/",
            "",
            404,
            "UpstreamNotFound",
        ),
        ("GET", "https/upstreams/", "", 404, "PathNotFound"),
        (
            "POST",
            "stream/upstreams/tcp/servers/",
            r#"{"server":"10.0.0.1"}"#,
            400,
            "UpstreamBadAddress",
        ),
        (
            "POST",
            "stream/upstreams/tcp/servers/",
            r#"{"server":"10.0.0.1:1","drain":true}"#,
            400,
            "UpstreamConfFormatError",
        ),
        (
            "POST",
            "stream/upstreams/tcp/servers/",
            r#"{"server":"10.0.0.1:1","route":"a"}"#,
            400,
            "UpstreamConfFormatError",
        ),
    ] {
        let reply = nginx(&cloud, method, path, body).await;
        assert_eq!(
            (reply.status, reply.code().as_str()),
            (status, code),
            "{method} {path} {body}"
        );
    }
    world.disable_writes(true);
    let reply = nginx(&cloud, "POST", app, r#"{"server":"10.0.0.1:80"}"#).await;
    assert_eq!(
        (reply.status, reply.code().as_str()),
        (405, "MethodDisabled")
    );
    world.set_upstream_static(HTTP, "app", true);
    assert_eq!(nginx(&cloud, "GET", app, "").await.code(), "UpstreamStatic");
    let version = format!("{}/99/", cloud.api_endpoint());
    world.require_key(false);
    let reply = send(&cloud, "GET", &version, &[], "").await.unwrap();
    assert_eq!(reply.code(), "UnknownVersion");
}

#[tokio::test]
async fn the_key_is_asked_for_and_can_be_rotated() {
    let cloud = cloud().await;
    let url = format!("{}/", cloud.api_endpoint());
    let refused = send(&cloud, "GET", &url, &[], "").await.unwrap();
    assert_eq!(
        (refused.status, refused.header("content-type")),
        (401, "text/html")
    );
    cloud.world().answer_unauthorized_as_json(true);
    let refused = send(&cloud, "GET", &url, &[], "").await.unwrap();
    assert_eq!(refused.code(), "Unauthorized");
    assert_eq!(nginx(&cloud, "GET", "", "").await.status, 200);
    cloud.world().require_key(false);
    let plain = format!("{}/", cloud.api_endpoint_http());
    let versions = send(&cloud, "GET", &plain, &[], "").await.unwrap().json();
    assert_eq!(versions[8], 9);
}

#[tokio::test]
async fn nginxaas_answers_with_six_fields_and_echoes_times() {
    let cloud = cloud().await;
    cloud.world().set_flavour(Flavour::NginxAaas);
    let body = r#"{"server":"10.0.0.1:80","fail_timeout":"1m"}"#;
    let added = nginx(&cloud, "POST", "http/upstreams/app/servers/", body)
        .await
        .json();
    assert_eq!(added.as_object().unwrap().len(), 6);
    assert_eq!(added["fail_timeout"], "1m");
    assert!(added["id"].as_u64().unwrap() >= 100_000_000);
}

#[tokio::test]
async fn a_full_zone_refuses_more_servers() {
    let cloud = cloud().await;
    cloud.world().set_zone_capacity(HTTP, "app", Some(1));
    let app = "http/upstreams/app/servers/";
    assert_eq!(
        nginx(&cloud, "POST", app, r#"{"server":"10.0.0.1:80"}"#)
            .await
            .status,
        201
    );
    let full = nginx(&cloud, "POST", app, r#"{"server":"10.0.0.2:80"}"#).await;
    assert_eq!(
        (full.status, full.code().as_str()),
        (500, "UpstreamOutOfMemory")
    );
    cloud.world().set_out_of_memory_status(400);
    assert_eq!(
        nginx(&cloud, "POST", app, r#"{"server":"10.0.0.2:80"}"#)
            .await
            .status,
        400
    );
}

#[tokio::test]
async fn every_write_is_shown_to_the_hook_and_broken_invariants_are_kept() {
    let cloud = cloud().await;
    let seen = Arc::new(Mutex::new(Vec::new()));
    let (kept, world) = (Arc::clone(&seen), cloud.world());
    cloud.world().on_nginx_write(move |write| {
        // The hook may look at the world.
        assert_eq!(world.servers(write.kind, &write.upstream), write.servers);
        kept.lock().unwrap().push(write.change.clone());
        if write.servers.is_empty() {
            Err("emptied".to_owned())
        } else {
            Ok(())
        }
    });
    let app = "http/upstreams/app/servers/";
    nginx(&cloud, "POST", app, r#"{"server":"10.0.0.1:80"}"#).await;
    nginx(&cloud, "PATCH", &format!("{app}0"), r#"{"down":true}"#).await;
    nginx(&cloud, "DELETE", &format!("{app}0"), "").await;
    nginx(&cloud, "DELETE", "http/upstreams/app/", "").await;
    let seen = seen.lock().unwrap();
    assert!(matches!(
        seen.as_slice(),
        [Change::Added(_), Change::Changed { .. }, Change::Removed(_)]
    ));
    let violations = cloud.world().violations();
    assert_eq!(
        violations,
        ["emptied", "the statistics of upstream app were reset"]
    );
}

#[tokio::test]
async fn the_status_tells_states_and_connections_as_set() {
    let cloud = cloud().await;
    let world = cloud.world();
    world.put_server(HTTP, "app", Server::at("10.0.0.1:80"));
    world.set_peer_state(HTTP, "app", "10.0.0.1:80", Some(PeerState::Unhealthy));
    world.set_active(HTTP, "app", "10.0.0.1:80", Some(3));
    let all = nginx(&cloud, "GET", "http/upstreams/?fields=peers", "")
        .await
        .json();
    let peer = &all["app"]["peers"][0];
    assert_eq!(
        (peer["state"].as_str(), peer["active"].as_u64()),
        (Some("unhealthy"), Some(3))
    );
    let names = nginx(&cloud, "GET", "http/upstreams/?fields=", "")
        .await
        .json();
    assert_eq!(names, json!(["app"]));
    world.hide_status(true);
    assert_eq!(
        nginx(&cloud, "GET", "http/upstreams/app/", "").await.status,
        404
    );
}

#[tokio::test]
async fn a_draining_server_stays_so_where_drain_false_is_ignored() {
    let cloud = cloud().await;
    let world = cloud.world();
    let id = world.put_server(
        HTTP,
        "app",
        Server {
            drain: true,
            ..Server::at("10.0.0.1:80")
        },
    );
    let path = format!("http/upstreams/app/servers/{id}");
    world.ignore_drain_false(true);
    nginx(&cloud, "PATCH", &path, r#"{"drain":false}"#).await;
    assert!(world.servers(HTTP, "app")[0].drain);
    world.ignore_drain_false(false);
    nginx(&cloud, "PATCH", &path, r#"{"drain":false}"#).await;
    assert!(!world.servers(HTTP, "app")[0].drain);
}

#[tokio::test]
async fn a_zone_tells_its_pages_and_holds_what_they_hold() {
    let cloud = cloud().await;
    cloud.world().set_zone_size(HTTP, "app", 20);
    let empty = nginx(&cloud, "GET", "slabs/app", "").await.json();
    assert_eq!(empty["pages"], json!({"used": 3, "free": 1}));
    let mut statuses = Vec::new();
    for place in 1..=3 {
        let body = format!(r#"{{"server":"10.0.0.{place}:80"}}"#);
        let reply = nginx(&cloud, "POST", "http/upstreams/app/servers", &body).await;
        statuses.push(reply.status);
    }
    assert_eq!(statuses, [201, 201, 500]);
    let full = nginx(&cloud, "GET", "slabs/app", "").await.json();
    assert_eq!(full["pages"]["free"], 0);
    assert_eq!(full["slots"]["1024"]["fails"], 1);
    let all = nginx(&cloud, "GET", "slabs/", "").await.json();
    assert_eq!(all.as_object().unwrap().len(), 2);
    let unknown = nginx(&cloud, "GET", "slabs/other", "").await;
    assert_eq!(
        (unknown.status, unknown.code().as_str()),
        (404, "SlabNotFound")
    );
    cloud.world().hide_slabs(true);
    assert_eq!(nginx(&cloud, "GET", "slabs/app", "").await.status, 404);
}

#[tokio::test]
async fn health_checks_are_counted_where_they_are_configured() {
    let cloud = cloud().await;
    cloud
        .world()
        .put_server(HTTP, "app", Server::at("10.0.0.1:80"));
    let checks = async || {
        let status = nginx(&cloud, "GET", "http/upstreams/app/", "").await.json();
        status["peers"][0]["health_checks"]["checks"].as_u64()
    };
    assert_eq!(checks().await, Some(1));
    cloud.world().set_health_checked(HTTP, "app", false);
    assert_eq!(checks().await, Some(0));
}
