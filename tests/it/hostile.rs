//! Those who mean harm on the loopback port.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::json;
use simulated_cloud::functions_host::Handler;

use crate::safety_support::{filled, tick};
use crate::support::{Running, binary, environment, uniform_cloud, web};

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
