//! Those who mean harm in the environment, on the way to Azure and NGINX, and Azure and NGINX
//! themselves.

#![allow(clippy::unwrap_used, reason = "tests")]

use serde_json::json;
use simulated_cloud::functions_host::Handler;
use simulated_cloud::{Cloud, Fault, Match, Service};

use crate::safety_support::{
    NONE, SET_NICS, assert_no_leak, call, failing_tick, filled, reconcile, tick,
};
use crate::support::{Running, binary, environment, sorted, uniform_cloud, web};

#[tokio::test(flavor = "multi_thread")]
async fn proxies_of_the_environment_are_not_used() {
    let cloud = uniform_cloud(2).await;
    let proxy = cloud.foreign_url().replace("https://", "http://");
    let mut env = environment(&cloud, &cloud.config_yaml(&[web()]));
    for name in ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"] {
        env.push((name.to_owned(), proxy.clone()));
        env.push((name.to_lowercase(), proxy.clone()));
    }
    env.push(("NO_PROXY".to_owned(), String::new()));
    let handler = Handler::spawn(binary(), env).await;
    let running = Running { cloud, handler };
    tick(&running).await;
    assert_eq!(running.http("web").len(), 2);
    assert_no_leak(&running.cloud);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_sent_where_the_certificate_is_not_of_a_trusted_authority() {
    let cloud = uniform_cloud(2).await;
    let other = Cloud::start().await;
    let mut env = environment(&cloud, &cloud.config_yaml(&[web()]));
    let authority = other.ca_pem_path().to_string_lossy().into_owned();
    env.retain(|(name, _)| name != "SSL_CERT_FILE");
    env.push(("SSL_CERT_FILE".to_owned(), authority));
    let handler = Handler::spawn(binary(), env).await;
    let running = Running { cloud, handler };
    let lines = failing_tick(&running).await;
    assert!(lines.to_lowercase().contains("certificate"), "{lines}");
    for service in [Service::Arm, Service::Vault, Service::Nginx] {
        assert!(running.cloud.requests_to(service).is_empty(), "{service:?}");
    }
}

fn listed(body: &str) -> Fault {
    Fault::Status {
        code: 200,
        body: body.to_owned(),
        headers: Vec::new(),
    }
}

/// A removal names a server by its id: where ids are missing or double, it could hit a good one.
#[tokio::test(flavor = "multi_thread")]
async fn a_list_of_servers_of_which_two_have_one_id_is_not_acted_on() {
    let running = filled(uniform_cloud(2).await, &[web()]).await;
    let good = running.http("web");
    let servers = Match::nginx().method("GET").path("/servers");
    for body in [
        json!([{ "server": "10.9.9.9:80" }, { "server": good[0] }]),
        json!([{ "id": null, "server": "10.9.9.9:80" }]),
        json!([{ "id": 1, "server": "10.9.9.9:80" }, { "id": 1, "server": good[0] }]),
        json!([{ "id": "1", "server": "10.9.9.9:80" }]),
        json!([{ "id": -1, "server": "10.9.9.9:80" }]),
        json!([{ "id": 1.5, "server": "10.9.9.9:80" }]),
        json!([{ "id": 1, "server": null }]),
        json!({ "0": { "id": 1, "server": "10.9.9.9:80" } }),
    ] {
        running
            .cloud
            .fault(servers.clone(), listed(&body.to_string()), None);
        let lines = failing_tick(&running).await;
        assert!(lines.contains("cannot be understood"), "{body}: {lines}");
        running.cloud.clear_faults();
        assert_eq!(running.writes(), NONE, "{body}");
    }
    tick(&running).await;
    assert_eq!(sorted(running.http("web")), sorted(good));
}

/// Whoever could answer for Resource Manager must not be able to point traffic at the machine
/// itself, at the platform's services or at a public host.
#[tokio::test(flavor = "multi_thread")]
async fn an_interface_with_an_address_that_is_no_private_one_adds_no_server() {
    let running = filled(uniform_cloud(2).await, &[web()]).await;
    let before = sorted(running.http("web"));
    let set = running.world().set_id("web-vmss");
    for address in [
        "127.0.0.1",
        "169.254.169.254",
        "168.63.129.16",
        "8.8.8.8",
        "0.0.0.0",
        "255.255.255.255",
        "224.0.0.1",
        "100.128.0.1",
        "192.0.2.1",
        "::1",
        "fe80::1",
        "2001:db8::1",
        "::ffff:10.0.0.9",
        "::ffff:127.0.0.1",
        "10.0.0.9:81",
        "10.0.0.9/24",
        "010.0.0.9",
        "0x0a000009",
        "10.0.0.9 weight=100",
        "evil.example",
        "",
    ] {
        let nics: Vec<_> = (0..2)
            .map(|n| {
                json!({
                    "id": format!("{set}/virtualMachines/{n}/networkInterfaces/nic"),
                    "properties": { "primary": true, "ipConfigurations": [
                        { "properties": { "primary": true, "privateIPAddress": address } }
                    ] },
                })
            })
            .collect();
        let body = json!({ "value": nics }).to_string();
        running.cloud.fault(call(SET_NICS), listed(&body), None);
        let _ = running.handler.timer_tick().await;
        running.cloud.clear_faults();
        assert_eq!(sorted(running.http("web")), before, "{address}");
        let adds = running
            .writes()
            .into_iter()
            .filter(|line| line.starts_with("POST"));
        assert_eq!(adds.collect::<Vec<_>>(), NONE, "{address}");
    }
}

/// Which private addresses a set has is Azure's to say. But even a whole pool swapped in one answer
/// is added before it is removed.
#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_swaps_every_address_never_leaves_fewer_servers_than_before() {
    let running = filled(uniform_cloud(4).await, &[web()]).await;
    running.world().on_nginx_write(|write| {
        if write.servers.len() < 4 {
            return Err(format!("fewer than before: {:?}", write.servers));
        }
        Ok(())
    });
    let set = running.world().set_id("web-vmss");
    let nics: Vec<_> = (0..4)
        .map(|n| {
            json!({
                "id": format!("{set}/virtualMachines/{n}/networkInterfaces/nic"),
                "properties": { "primary": true, "ipConfigurations": [
                    { "properties": { "primary": true, "privateIPAddress": format!("10.66.0.{n}") } }
                ] },
            })
        })
        .collect();
    let body = json!({ "value": nics }).to_string();
    running.cloud.fault(call(SET_NICS), listed(&body), None);
    tick(&running).await;
    let swapped: Vec<String> = (0..4).map(|n| format!("10.66.0.{n}:80")).collect();
    assert_eq!(sorted(running.http("web")), swapped);
    assert_no_leak(&running.cloud);
}

#[tokio::test(flavor = "multi_thread")]
async fn texts_of_others_make_one_line_each_in_the_log_whatever_is_in_them() {
    let cloud = uniform_cloud(2).await;
    let mut env = environment(&cloud, &cloud.config_yaml(&[web()]));
    env.push(("RUST_LOG".to_owned(), "debug".to_owned()));
    let handler = Handler::spawn(binary(), env).await;
    let running = Running { cloud, handler };
    let forged = "x\r\n2030-01-01T00:00:00Z ERROR FORGED\u{1b}[2J\u{202e}\u{2028}FORGED\u{85}\u{0}";
    let nginx = Match::nginx().method("GET").path("/servers");
    let server = json!([{ "id": 1, "server": forged }]).to_string();
    let set = running.world().set_id("web-vmss");
    let machine = json!({ "value": [{ "id": format!("{set}/virtualMachines/0"), "name": forged,
        "properties": { "provisioningState": forged } }] })
    .to_string();
    let faults = [
        (Match::arm(), Fault::arm_error(403, forged, forged)),
        (Match::arm(), Fault::arm_error(429, forged, forged)),
        (
            Match::arm(),
            listed(&json!({ "value": [forged] }).to_string()),
        ),
        (
            Match::arm(),
            listed(&json!({ "value": [], "nextLink": forged }).to_string()),
        ),
        (
            Match::arm().path("web-vmss/virtualMachines"),
            listed(&machine),
        ),
        (
            Match::arm(),
            Fault::Redirect("https://evil.example/FORGED".to_owned()),
        ),
        (nginx.clone(), Fault::nginx_error(500, forged, forged)),
        (nginx.clone(), Fault::nginx_error(404, forged, forged)),
        (nginx.clone(), listed(&server)),
        (
            nginx,
            listed(&json!([{ "id": 1, "server": "a", "slow_start": forged }]).to_string()),
        ),
        (Match::vault(), Fault::arm_error(403, forged, forged)),
        (Match::identity(), Fault::arm_error(400, forged, forged)),
    ];
    for (matches, fault) in faults.into_iter().rev() {
        running.cloud.fault(matches, fault, None);
        let _ = running.handler.timer_tick().await;
        let _ = reconcile(&running, &json!({ "upstreams": [forged] }).to_string()).await;
        running.cloud.clear_faults();
    }
    let target = "/FORGED%0d%0a2030-01-01T00:00:00Z";
    let _ = running
        .handler
        .post_raw(target, forged.as_bytes().to_vec())
        .await;
    let stdout = running.handler.stdout_lines();
    assert!(
        stdout.iter().any(|line| line.contains("FORGED")),
        "nothing was logged"
    );
    for line in stdout {
        // Every line begins with this process's own time.
        assert!(
            line.starts_with("20") && !line.starts_with("2030"),
            "{line:?}"
        );
        let odd = line
            .chars()
            .find(|c| c.is_control() || "\u{202e}\u{2028}".contains(*c));
        assert_eq!(odd, None, "{line:?}");
    }
}
