//! Hosts that are not reached: each step to them is told apart.

use simulated_cloud::{Cloud, Service};

use super::{examine, examine_with};
use crate::support::{uniform_cloud, web};

/// A check of an NGINX at this endpoint.
async fn at(cloud: &Cloud, endpoint: &str) -> super::Report {
    let yaml = cloud.config_yaml_with(&[("api_endpoint", endpoint)], &[web()]);
    let report = examine_with(cloud, &yaml, &[]).await;
    report.assert_failed(&["nginx.reachable"]);
    report.only("upstream.exists", "skipped", &["not examined"]);
    report
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_without_an_address_is_told_as_that() {
    let cloud = uniform_cloud(1).await;
    // Longer than any label may be, so that no name server is asked.
    let name = format!("{}.test", "a".repeat(64));
    let report = at(&cloud, &format!("https://{name}/nplus")).await;
    let hint = format!("getent hosts {name}");
    report.only(
        "nginx.reachable",
        "failed",
        &["has no address", "correct `api_endpoint`", &hint],
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_connection_is_told_with_its_port() {
    let cloud = uniform_cloud(1).await;
    let report = at(&cloud, "https://127.0.0.1:1/nplus").await;
    report.only(
        "nginx.reachable",
        "failed",
        &[
            "no connection to `127.0.0.1` at port 1",
            "firewall, network security group",
        ],
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_without_tls_is_told_as_that() {
    let cloud = uniform_cloud(1).await;
    let plain = cloud.api_endpoint_http().replace("http://", "https://");
    let report = at(&cloud, &plain).await;
    report.only(
        "nginx.reachable",
        "failed",
        &["speaks no TLS", "the port or the scheme"],
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn certificate_trouble_is_told_by_its_kind() {
    let cloud = uniform_cloud(1).await;
    let whole = cloud.api_endpoint();
    cloud.present_certificate(Service::Nginx, &["localhost"], -3);
    let report = at(&cloud, &whole).await;
    report.only(
        "nginx.reachable",
        "failed",
        &["is not valid now", "expired", "renew the certificate"],
    );
    cloud.present_certificate(Service::Nginx, &["other.example"], 300);
    let report = at(&cloud, &whole).await;
    report.only(
        "nginx.reachable",
        "failed",
        &["is for other names", "other.example"],
    );
    cloud.present_authority(Service::Nginx);
    let report = at(&cloud, &whole).await;
    report.only(
        "nginx.reachable",
        "failed",
        &["certificate of an authority", "one of its own", "CA:FALSE"],
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_that_soon_expires_is_a_warning() {
    for (days, grade) in [(10, "warning"), (20, "ok")] {
        let cloud = uniform_cloud(1).await;
        cloud.present_certificate(Service::Nginx, &["localhost"], days);
        let report = examine(&cloud, &[web()]).await;
        report.assert_sound();
        report.only("nginx.certificate", grade, &["certificate is valid until"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_authority_that_is_not_trusted_is_told_for_every_host_with_the_variable_to_set() {
    let (cloud, other) = (uniform_cloud(1).await, Cloud::start().await);
    let yaml = cloud.config_yaml(&[web()]);
    let store = other.ca_pem_path().to_string_lossy().into_owned();
    let report = examine_with(&cloud, &yaml, &[("SSL_CERT_FILE", &store)]).await;
    report.assert_failed(&["azure.reachable", "nginx.reachable", "secret.readable"]);
    for check in ["azure.reachable", "nginx.reachable", "secret.readable"] {
        report.only(
            check,
            "failed",
            &[
                "an authority that this machine does not trust",
                "export SSL_CERT_FILE=",
            ],
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trust_store_that_cannot_be_read_is_told_and_ends_the_check() {
    let cloud = uniform_cloud(1).await;
    let yaml = cloud.config_yaml(&[web()]);
    let report = examine_with(&cloud, &yaml, &[("SSL_CERT_FILE", "/nonexistent/ca.pem")]).await;
    report.assert_failed(&["start_up"]);
    report.only(
        "start_up",
        "failed",
        &["HTTP client", "`SSL_CERT_FILE` must name"],
    );
    report.only("start_up", "skipped", &["everything else"]);
    assert_eq!(cloud.requests().len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_resource_manager_the_rest_is_examined() {
    let cloud = uniform_cloud(1).await;
    let nowhere = ("resource_manager_endpoint", "https://127.0.0.1:1");
    let yaml = cloud.config_yaml_with(&[nowhere], &[web()]);
    let report = examine_with(&cloud, &yaml, &[]).await;
    report.assert_failed(&["azure.reachable"]);
    report.only(
        "azure.reachable",
        "failed",
        &["`resource_manager_endpoint` or `cloud`"],
    );
    report.only("azure.scale_set", "skipped", &["not reached"]);
    report.only("nginx.key", "ok", &["accepted"]);
    report.only("upstream.exists", "ok", &["web"]);
}
