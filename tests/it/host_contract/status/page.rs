//! The page: who gets it, what it may load, and what it does with other people's words.

use simulated_cloud::{Fault, Match, Server};

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn the_accept_header_chooses_between_json_and_a_page() {
    let running = Running::start(uniform_cloud(1).await, &[web()]).await;
    assert_done(&running.event("web-vmss").await, "event");
    for accept in ["application/json", "*/*", "text/plain"] {
        json_body(&status(&running, &[("Accept", accept)]).await);
    }
    let browser = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
    for (name, accept) in [
        ("Accept", browser),
        ("accept", "text/html"),
        ("ACCEPT", "Text/HTML"),
    ] {
        let page = page(&status(&running, &[(name, accept)]).await);
        assert!(page.starts_with("<!doctype html>"), "{page}");
        for address in running.http("web") {
            assert!(page.contains(&address), "{page}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_escapes_whatever_others_have_written() {
    let cloud = uniform_cloud(1).await;
    let evil = "<img src=x onerror=alert(1)>\"'&";
    cloud.world().add_upstream(UpstreamKind::Http, evil);
    let named = UpstreamEntry::http(&json!(evil).to_string(), "web-vmss");
    let running = Running::start(cloud, &[named]).await;
    let script = "<script>alert('x')</script>";
    let fault = Fault::arm_error(403, "AuthorizationFailed", script);
    running.cloud.fault(Match::arm(), fault, None);
    let reply = running.event("web-vmss").await;
    assert_failed(&reply, "forbidden");
    assert!(reply.logs()[0].contains(script), "{}", reply.text);
    let page = page(&status(&running, &[("Accept", "text/html")]).await);
    assert!(
        !page.contains("<script") && !page.contains("<img"),
        "{page}"
    );
    let escaped = "&lt;img src=x onerror=alert(1)&gt;&quot;&#39;&amp;";
    assert!(page.contains(escaped), "{page}");
    assert!(
        page.contains("&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;"),
        "{page}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_accept_headers_weights_decide() {
    let running = Running::start(uniform_cloud(1).await, &[web()]).await;
    for accept in [
        "text/html;q=0.5, application/json",
        "text/html, application/json",
        "text/html;q=0, */*",
        "application/xhtml+xml",
        "text/html;q=nonsense",
    ] {
        json_body(&status(&running, &[("Accept", accept)]).await);
    }
    for accept in [
        "text/*;q=0.4, application/json;q=0.3",
        "*/*, application/json;q=0.9",
    ] {
        page(&status(&running, &[("Accept", accept)]).await);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn its_headers_forbid_everything_but_its_own_style_sheet() {
    let running = Running::start(uniform_cloud(1).await, &[web()]).await;
    for accept in ["text/html", "application/json"] {
        let reply = status(&running, &[("Accept", accept)]).await;
        for (name, value) in [
            ("Cache-Control", "no-store"),
            ("X-Content-Type-Options", "nosniff"),
            ("Referrer-Policy", "no-referrer"),
            ("Vary", "Accept"),
        ] {
            assert_eq!(reply.http_header(name).as_deref(), Some(value), "{name}");
        }
        let policy = reply.http_header("Content-Security-Policy").unwrap();
        let mut directives: Vec<&str> = policy.split("; ").collect();
        directives.retain(|directive| !directive.starts_with("style-src 'sha256-"));
        let rest = [
            "default-src 'none'",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
        ];
        assert_eq!(directives, rest);
        assert!(!policy.contains("unsafe"), "{policy}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn it_needs_nothing_from_outside_and_runs_nothing() {
    let running = Running::start(uniform_cloud(2).await, &[web()]).await;
    assert_done(&running.event("web-vmss").await, "event");
    let page = read_page(&running).await;
    for part in [
        "<script",
        "<link",
        "<img",
        "<iframe",
        "<object",
        "<form",
        "http://",
        "https://",
        "url(",
        "@import",
        "src=",
        "style=",
        "javascript:",
        " onload",
        " onclick",
        "http-equiv",
    ] {
        assert!(!page.contains(part), "{part}");
    }
    for part in [
        "<html lang=\"en\">",
        "<main>",
        "<svg",
        "<title id=",
        "<desc id=",
        "role=\"img\"",
    ] {
        assert!(page.contains(part), "{part}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn marks_that_turn_a_text_around_are_made_visible() {
    let running = Running::start(uniform_cloud(1).await, &[web()]).await;
    let world = running.world();
    world.put_server(
        UpstreamKind::Http,
        "web",
        Server::at("\u{202e}gpj.example:80"),
    );
    world.change("web-vmss", 0, |instance| {
        instance.name = "a\u{2067}b".to_owned();
    });
    let page = read_page(&running).await;
    assert!(page.contains("\\u{202e}gpj.example"), "{page}");
    let turning = ['\u{202e}', '\u{2067}'];
    assert!(!page.contains(turning), "{page}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_held_stands_there_with_the_body_that_releases_it() {
    let running = Running::start(uniform_cloud(3).await, &[web()]).await;
    assert_done(&running.event("web-vmss").await, "filled");
    running.world().scale("web-vmss", 1);
    running.world().set_capacity("web-vmss", Some(3));
    assert_done(&running.event("web-vmss").await, "held");
    let page = read_page(&running).await;
    assert!(page.contains("2 changes held"), "{page}");
    assert!(
        page.contains("more than max_removal_percent 50 allows unexplained"),
        "{page}"
    );
    let begin = page.find("<pre><code>").expect("the body") + "<pre><code>".len();
    let end = page[begin..].find("</code>").expect("its end");
    let body = page[begin..begin + end].replace("&quot;", "\"");
    let (status, report) = crate::safety_support::reconcile(&running, &body).await;
    assert_eq!(
        (status, &report["outcome"]),
        (200, &json!("changed")),
        "{body}"
    );
    running.assert_follows("released");
    let page = read_page(&running).await;
    assert!(page.contains("released by an operator"), "{page}");
    assert!(!page.contains("<pre>"), "{page}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_worst_upstream_comes_first() {
    let cloud = uniform_cloud(1).await;
    let lost = UpstreamEntry::http("lost", "web-vmss");
    let running = Running::start(cloud, &[web(), lost]).await;
    let _ = running.handler.timer_tick().await;
    let page = read_page(&running).await;
    let place = |name: &str| page.find(&format!("<bdi>{name}</bdi></h2>")).unwrap();
    assert!(place("lost") < place("web"), "{page}");
    assert!(page.contains("1 of 2 upstreams: failed"), "{page}");
    let body = read(&running).await;
    assert_eq!(
        body["upstreams"][0]["name"], "web",
        "JSON keeps the configuration's order"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn of_very_many_servers_it_shows_those_that_deserve_a_look_and_stays_small() {
    let running = Running::start(uniform_cloud(600).await, &[web()]).await;
    assert_done(&running.event("web-vmss").await, "filled");
    let odd = running
        .world()
        .instance("web-vmss", 599)
        .server(80)
        .unwrap();
    let unhealthy = Some(simulated_cloud::PeerState::Unhealthy);
    running
        .world()
        .set_peer_state(UpstreamKind::Http, "web", &odd, unhealthy);
    let page = read_page(&running).await;
    assert!(
        page.contains("599 servers with nothing to report"),
        "{page:.3000}"
    );
    let first = page.find("<td role=\"cell\" class=\"nowrap\">").unwrap();
    assert!(page[..first].contains(&odd), "the odd one comes first");
    assert!(page.contains("100 more are in the JSON only"), "bounded");
    assert!(page.len() < 400_000, "{}", page.len());
    let body = read(&running).await;
    assert_eq!(
        body["upstreams"][0]["members"].as_array().unwrap().len(),
        600
    );
}
