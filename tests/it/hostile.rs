//! Those who mean harm: on the loopback port, in the environment, on the way to Azure and NGINX,
//! and Azure and NGINX themselves.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::json;
use simulated_cloud::functions_host::Handler;
use simulated_cloud::{Cloud, Fault, Match, Service};

use crate::safety_support::{
    NONE, SET_NICS, assert_no_leak, call, failing_tick, filled, reconcile, tick,
};
use crate::support::{Running, binary, environment, sorted, uniform_cloud, web};

/// Sends bytes as they are; everything that comes back until the handler closes.
fn raw(running: &Running, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", running.handler.port())).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(60)))
        .unwrap();
    // It may have been refused before all of it was sent.
    let _ = stream.write_all(bytes);
    let mut read = Vec::new();
    let _ = stream.read_to_end(&mut read);
    String::from_utf8_lossy(&read).into_owned()
}

fn replies(text: &str) -> Vec<&str> {
    text.match_indices("HTTP/1.1 ")
        .map(|(at, _)| text[at..].lines().next().unwrap())
        .collect()
}

/// Two readers of one byte stream must not see different requests: whatever is ambiguous is
/// refused and the connection closed, so that nothing behind it is taken for a request.
#[tokio::test(flavor = "multi_thread")]
async fn a_request_of_doubtful_length_is_refused_and_nothing_behind_it_is_taken_for_another() {
    let running = Running::start(uniform_cloud(1).await, &[web()]).await;
    let smuggled = "POST /ReconcileTimer HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{}";
    let length = smuggled.len();
    for (what, headers, body) in [
        (
            "two lengths",
            "Content-Length: 0\r\nContent-Length: 44\r\n".to_owned(),
            smuggled.to_owned(),
        ),
        (
            "a list of lengths",
            "Content-Length: 0, 44\r\n".to_owned(),
            smuggled.to_owned(),
        ),
        (
            "a signed length",
            format!("Content-Length: +{length}\r\n"),
            smuggled.to_owned(),
        ),
        (
            "a negative length",
            "Content-Length: -1\r\n".to_owned(),
            smuggled.to_owned(),
        ),
        (
            "a length in hexadecimal",
            "Content-Length: 0x0\r\n".to_owned(),
            smuggled.to_owned(),
        ),
        (
            "a coding that is not known",
            "Transfer-Encoding: xchunked\r\n".to_owned(),
            format!("0\r\n\r\n{smuggled}"),
        ),
        (
            "chunked and not last",
            "Transfer-Encoding: chunked, identity\r\n".to_owned(),
            format!("0\r\n\r\n{smuggled}"),
        ),
        (
            "a blank before the colon",
            "Transfer-Encoding : chunked\r\n".to_owned(),
            format!("0\r\n\r\n{smuggled}"),
        ),
        (
            "a folded header",
            "Transfer-Encoding:\r\n chunked\r\n".to_owned(),
            format!("0\r\n\r\n{smuggled}"),
        ),
        (
            "a chunk size with a sign",
            "Transfer-Encoding: chunked\r\n".to_owned(),
            format!("+0\r\n\r\n{smuggled}"),
        ),
        (
            "a chunk size that overflows",
            "Transfer-Encoding: chunked\r\n".to_owned(),
            format!("FFFFFFFFFFFFFFFFF\r\n{smuggled}"),
        ),
        (
            "a chunk longer than its size",
            "Transfer-Encoding: chunked\r\n".to_owned(),
            format!("1\r\n{{}}\r\n0\r\n\r\n{smuggled}"),
        ),
    ] {
        let head = format!("POST /none HTTP/1.1\r\nHost: a\r\n{headers}\r\n{body}");
        let reply = raw(&running, head.as_bytes());
        let lines = replies(&reply);
        assert!(lines.len() <= 1, "{what}: {lines:?}");
        assert!(
            lines.iter().all(|line| !line.contains(" 200 ")),
            "{what}: {lines:?}"
        );
        assert_eq!(running.cloud.requests().len(), 0, "{what}: a pass ran");
    }
    // Of both, chunked counts, and the connection does not outlive the request.
    let both = format!(
        "POST /none HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{smuggled}"
    );
    let reply = raw(&running, both.as_bytes());
    assert!(replies(&reply).len() <= 1, "{reply}");
    assert_eq!(running.cloud.requests().len(), 0, "a pass ran");
    tick(&running).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_http_1_and_only_the_known_paths_are_served() {
    let running = Running::start(uniform_cloud(1).await, &[web()]).await;
    let post = |target: &str| {
        format!(
            "POST {target} HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{{}}"
        )
    };
    for request in [
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_owned(),
        "GET / HTTP/0.9\r\n\r\n".to_owned(),
        "\u{16}\u{3}\u{1}\0\u{5}hello".to_owned(),
        "CONNECT 127.0.0.1:80 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".to_owned(),
        post("/ReconcileTimer/../Reconcile"),
        post("//ReconcileTimer"),
        post("/%52econcileTimer"),
        post("/ReconcileTimer%2f"),
        post("http://evil.example/x"),
        post("*"),
    ] {
        let reply = raw(&running, request.as_bytes());
        let lines = replies(&reply);
        assert!(
            lines.len() <= 1 && lines.iter().all(|line| !line.contains(" 200 ")),
            "{request:?}: {reply}"
        );
    }
    assert_eq!(running.cloud.requests().len(), 0, "a pass ran");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_of_a_web_page_is_refused() {
    let running = Running::start(uniform_cloud(1).await, &[web()]).await;
    for function in ["VmssScaleEvent", "ReconcileTimer", "Reconcile", "Status"] {
        for origin in ["https://evil.example", "null", "http://127.0.0.1"] {
            let request = format!(
                "POST /{function} HTTP/1.1\r\nHost: 127.0.0.1\r\nOrigin: {origin}\r\nContent-Type: text/plain\r\n\
                 Connection: close\r\nContent-Length: 2\r\n\r\n{{}}"
            );
            let reply = raw(&running, request.as_bytes());
            assert_eq!(
                replies(&reply),
                ["HTTP/1.1 403 Forbidden"],
                "{function} {origin}"
            );
        }
    }
    assert_eq!(running.cloud.requests().len(), 0, "a pass ran");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_of_status_runs_no_script_and_loads_nothing() {
    let running = Running::start(uniform_cloud(1).await, &[web()]).await;
    for accept in ["text/html", "application/json"] {
        let reply = running
            .handler
            .http("Status", "GET", None, &[("Accept", accept)])
            .await;
        let headers = &reply.body["Outputs"]["res"]["headers"];
        let policy = headers["Content-Security-Policy"].as_str().unwrap();
        for directive in [
            "default-src 'none'",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
        ] {
            assert!(policy.contains(directive), "{policy}");
        }
        for weak in ["script-src", "unsafe-eval", "http:", "https:", "*"] {
            assert!(!policy.contains(weak), "{policy}");
        }
        assert_eq!(headers["X-Content-Type-Options"], "nosniff");
        assert_eq!(headers["Cache-Control"], "no-store");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn json_of_any_depth_wherever_it_stands_does_no_harm() {
    let running = filled(uniform_cloud(1).await, &[web()]).await;
    let deep = "[".repeat(1_000_000) + &"]".repeat(1_000_000);
    let open = "{\"a\":".repeat(300_000);
    for deep in [deep, open] {
        let text = json!(deep);
        for body in [
            deep.clone(),
            format!("{{\"Data\":{deep}}}"),
            format!("{{\"Data\":{{\"event\":{deep}}}}}"),
            json!({ "Data": { "event": text } }).to_string(),
            json!({ "Data": { "event": { "eventType": "Microsoft.Resources.ResourceWriteSuccess", "data": text } } })
                .to_string(),
            json!({ "Data": { "req": { "Body": text } } }).to_string(),
            format!("{{\"Data\":{{\"req\":{deep}}}}}"),
        ] {
            for path in ["/VmssScaleEvent", "/Reconcile", "/Status"] {
                let reply = running.handler.post_raw(path, body.clone().into_bytes()).await;
                assert_eq!(reply.status, 200, "{path}: {}", reply.text);
            }
        }
    }
    tick(&running).await;
}

/// The handler's largest resident memory so far, in bytes.
fn peak_memory(running: &Running) -> u64 {
    let status = format!("/proc/{}/status", running.handler.id());
    let status = std::fs::read_to_string(status).unwrap();
    let line = status
        .lines()
        .find(|line| line.starts_with("VmHWM"))
        .unwrap();
    let kibibytes = line.split_whitespace().nth(1).unwrap();
    kibibytes.parse::<u64>().unwrap() * 1024
}

/// Numbers in a list take sixteen times their bytes once they are decoded.
#[tokio::test(flavor = "multi_thread")]
async fn many_large_bodies_at_once_cost_memory_for_a_few() {
    let running = Running::start(uniform_cloud(1).await, &[web()]).await;
    let wide = |bytes: usize| "1,".repeat(bytes / 2) + "1";
    let event = |bytes: usize| format!("{{\"Data\":{{\"event\":[{}]}}}}", wide(bytes)).into_bytes();
    let request = |bytes: usize| {
        let body = json!(format!("[{}]", wide(bytes)));
        json!({ "Data": { "req": { "Body": body } } })
            .to_string()
            .into_bytes()
    };
    let mebibyte = 1024 * 1024;
    let calls = (0..24).map(|n| match n % 3 {
        0 => ("/VmssScaleEvent", event(8 * mebibyte - 100)),
        1 => ("/VmssScaleEvent", event(2 * mebibyte - 100)),
        _ => ("/Reconcile", request(2 * mebibyte - 100)),
    });
    let sent = calls.map(|(path, body)| running.handler.post_raw(path, body));
    for reply in futures::future::join_all(sent).await {
        assert_eq!(reply.status, 200, "{}", reply.text);
    }
    let peak = peak_memory(&running);
    assert!(peak < 512 * 1024 * 1024, "{} MiB", peak / 1024 / 1024);
    tick(&running).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_that_do_nothing_keep_nobody_out() {
    let cloud = uniform_cloud(1).await;
    // A machine that lets a process open few files.
    let script = cloud.directory().join("few-files");
    let program = binary();
    let text = format!(
        "#!/bin/sh\nulimit -n 256 || exit 1\nexec '{}'\n",
        program.display()
    );
    std::fs::write(&script, text).unwrap();
    let executable = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(&script, executable).unwrap();
    let env = environment(&cloud, &cloud.config_yaml(&[web()]));
    let handler = Handler::spawn(script, env).await;
    let running = Running { cloud, handler };
    let mut idle = Vec::new();
    for n in 0..600 {
        let connected = TcpStream::connect(("127.0.0.1", running.handler.port()));
        let mut stream = connected.unwrap();
        if n % 2 == 0 {
            let _ = stream.write_all(b"POST /Reconcile HTTP/1.1\r\nHost: ");
        }
        idle.push(stream);
    }
    tick(&running).await;
    assert_eq!(running.http("web").len(), 1);
    drop(idle);
}

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
        "100.64.0.1",
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
