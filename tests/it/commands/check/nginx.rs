//! NGINX: key, version, write access.

use simulated_cloud::{Cloud, Fault, Flavour, Match, Server, Service, UpstreamEntry, UpstreamKind};

use super::{examine, examine_with};
use crate::support::{uniform_cloud, web};

/// The writes that reached NGINX: method, last segment of the path, body and status.
fn tried(cloud: &Cloud) -> Vec<(String, String, Option<String>, Option<u16>)> {
    let requests = cloud.requests_to(Service::Nginx);
    let writes = requests
        .into_iter()
        .filter(simulated_cloud::Recorded::is_write);
    writes
        .map(|request| {
            let last = request
                .path
                .rsplit('/')
                .next()
                .unwrap_or_default()
                .to_owned();
            (request.method, last, request.body, request.status)
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn write_access_is_found_out_by_one_refused_change_and_nothing_changes() {
    for flavour in [Flavour::Native, Flavour::NginxAaas] {
        for allowed in [true, false] {
            let cloud = uniform_cloud(2).await;
            let world = cloud.world();
            world.set_flavour(flavour);
            world.put_server(UpstreamKind::Http, "web", Server::at("10.20.0.4:80"));
            world.put_server(UpstreamKind::Http, "web", Server::at("10.20.0.5:80"));
            world.disable_writes(!allowed);
            let before = world.servers(UpstreamKind::Http, "web");
            let report = examine(&cloud, &[web()]).await;
            if allowed {
                report.assert_sound();
                report.only("nginx.write", "ok", &["takes changes"]);
            } else {
                report.assert_failed(&["nginx.write"]);
                report.only("nginx.write", "failed", &["read-only", "api write=on;"]);
            }
            let status = if allowed { 404 } else { 405 };
            let patch = ("PATCH".to_owned(), "9007199254740991".to_owned());
            assert_eq!(
                tried(&cloud),
                [(patch.0, patch.1, Some("{}".to_owned()), Some(status))]
            );
            assert_eq!(world.servers(UpstreamKind::Http, "web"), before);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_that_refuses_changes_is_told_as_that_and_a_broken_answer_as_unknown() {
    for (fault, grade) in [
        (Fault::HtmlError(403), "failed"),
        (Fault::HtmlError(405), "failed"),
        (Fault::HtmlError(400), "ok"),
        (Fault::HtmlError(500), "warning"),
    ] {
        let cloud = uniform_cloud(1).await;
        let _fault = cloud.fault(Match::nginx().method("PATCH"), fault, None);
        let report = examine(&cloud, &[web()]).await;
        report.only("nginx.write", grade, &["NGINX at localhost"]);
        assert_eq!(report.code, Some(i32::from(grade == "failed")));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn write_access_is_tried_at_an_upstream_that_is_there() {
    let cloud = uniform_cloud(1).await;
    let lost = UpstreamEntry::http("lost", "web-vmss");
    let report = examine(&cloud, &[lost.clone(), web()]).await;
    report.only("nginx.write", "ok", &["takes changes"]);
    let cloud = uniform_cloud(1).await;
    let report = examine(&cloud, &[lost]).await;
    report.only(
        "nginx.write",
        "skipped",
        &["none of the upstreams is there"],
    );
    assert_eq!(tried(&cloud), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_key_is_told_whatever_the_refusal_looks_like() {
    for json in [false, true] {
        let cloud = uniform_cloud(1).await;
        cloud.world().answer_unauthorized_as_json(json);
        cloud.world().rotate_key("another-key", false);
        let report = examine(&cloud, &[web()]).await;
        report.assert_failed(&["nginx.key"]);
        report.only(
            "nginx.key",
            "failed",
            &[
                "does not accept the API key",
                "expired",
                "api-key create",
                "az keyvault secret set",
            ],
        );
        report.only("upstream.exists", "skipped", &["not examined"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_key_is_told_where_one_is_asked_for_and_only_there() {
    let cloud = uniform_cloud(1).await;
    let yaml = cloud.config_yaml_with(&[("api_key_secret", "")], &[web()]);
    let report = examine_with(&cloud, &yaml, &[]).await;
    report.assert_failed(&["nginx.key"]);
    report.only(
        "nginx.key",
        "failed",
        &["no key was sent", "api_key_secret: https://"],
    );
    cloud.world().require_key(false);
    let report = examine_with(&cloud, &yaml, &[]).await;
    report.assert_sound();
    report.only("nginx.key", "ok", &["none is asked for"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_api_is_told_and_one_that_lists_no_versions_is_asked_otherwise() {
    let versions = || Match::nginx().path("/nplus/");
    let cloud = uniform_cloud(1).await;
    let old = Fault::Status {
        code: 200,
        body: "[1,2,3,4,5,6,7,8]".to_owned(),
        headers: Vec::new(),
    };
    let _fault = cloud.fault(versions(), old, Some(1));
    let report = examine(&cloud, &[web()]).await;
    report.assert_failed(&["nginx.version"]);
    report.only(
        "nginx.version",
        "failed",
        &["version 9 is needed", "release 30"],
    );

    for answer in [Fault::HtmlError(404), Fault::HtmlError(400)] {
        let cloud = uniform_cloud(1).await;
        let _fault = cloud.fault(versions(), answer, Some(1));
        let report = examine(&cloud, &[web()]).await;
        report.assert_sound();
        report.only(
            "nginx.version",
            "ok",
            &["answers to API version 9, and lists no versions"],
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_path_is_told_with_the_right_one() {
    let cloud = uniform_cloud(1).await;
    let whole = cloud.api_endpoint();
    let origin = whole.trim_end_matches("/nplus");
    for wrong in [
        origin.to_owned(),
        format!("{origin}/nplus/9"),
        format!("{origin}/elsewhere"),
    ] {
        let yaml = cloud.config_yaml_with(&[("api_endpoint", &wrong)], &[web()]);
        let report = examine_with(&cloud, &yaml, &[]).await;
        report.assert_failed(&["nginx.endpoint"]);
        let right = format!("api_endpoint: {whole}");
        report.only(
            "nginx.endpoint",
            "failed",
            &[&wrong, "correct `api_endpoint`", &right],
        );
    }
}
