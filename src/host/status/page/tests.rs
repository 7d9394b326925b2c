//! The page as a whole: bounded, escaped, honest about what it does not know.

use std::time::Duration;

use super::*;
use crate::config::{Environment, parse};
use crate::host::status::history::History;
use crate::host::status::live::Reading;
use crate::host::status::process::Process;
use crate::model::{Kind, ServerAddress, Upstream, UpstreamKey};
use crate::reconcile::{Calls, NoReport, PassReport, UpstreamReport};
use proptest::prelude::*;

fn upstreams(names: &[&str]) -> Vec<Upstream> {
    let mut text = "subscription_id: aaaa0000-0000-0000-0000-000000000001\n\
                    resource_group_name: Rg\n\
                    api_endpoint: https://n.example/nplus\n\
                    upstreams:\n"
        .to_owned();
    for name in names {
        let name = serde_json::to_string(name).unwrap();
        text += &format!(
            "  - {{name: {name}, kind: http, port: 80, virtual_machine_scale_set: set}}\n"
        );
    }
    parse(&text, "test", &Environment::default())
        .unwrap()
        .upstreams
}

fn report(name: &str) -> UpstreamReport {
    let key = UpstreamKey {
        kind: Kind::Http,
        name: name.to_owned(),
    };
    UpstreamReport::new(key, "set".to_owned())
}

fn pass(seconds_ago: u64, upstreams: Vec<UpstreamReport>) -> PassReport {
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap();
    PassReport {
        started: now - Duration::from_secs(seconds_ago),
        took: Duration::from_millis(5),
        upstreams,
        calls: Calls::default(),
        origin: None,
    }
}

fn rendered(upstreams: &[Upstream], history: &History, reading: &Reading) -> String {
    page(&Snapshot::new(
        Process::current(),
        upstreams,
        history,
        reading,
    ))
}

/// The tags of a page.
fn tags(html: &str) -> Vec<&str> {
    html.split('<')
        .skip(1)
        .map(|rest| rest.split('>').next().unwrap())
        .collect()
}

#[test]
fn nothing_but_literals_is_written_without_escape() {
    for source in [
        include_str!("../page.rs"),
        include_str!("chart.rs"),
        include_str!("servers.rs"),
        include_str!("table.rs"),
        include_str!("timeline.rs"),
        include_str!("upstream.rs"),
    ] {
        let calls: Vec<&str> = source.split(".raw(").skip(1).collect();
        assert!(calls.len() > 1);
        for call in calls {
            let literal = ["\"", "STYLE)", "env!(\"CARGO_PKG_VERSION\"))"];
            let call = call.trim_start();
            assert!(
                literal.iter().any(|start| call.starts_with(start)),
                "{call:.60}"
            );
        }
    }
}

#[test]
fn without_a_reading_it_shows_what_the_last_pass_left_and_says_so() {
    let upstreams = upstreams(&["web"]);
    let mut history = History::default();
    let missing = Reading::None(NoReport::DeadlinePassed);
    let html = rendered(&upstreams, &history, &missing);
    assert!(html.contains("no answer within 15 s"), "{html}");
    assert!(html.contains("servers not read"), "{html}");
    let mut web = report("web");
    web.servers = vec![ServerAddress::parse("10.0.0.4:80")];
    web.servers_read = true;
    history.note(&pass(60, vec![web]), "timer");
    let html = rendered(&upstreams, &history, &missing);
    assert!(html.contains("10.0.0.4:80"), "{html}");
    assert!(html.contains("after the last pass"), "{html}");
}

#[test]
fn hours_of_changes_are_one_drawing_of_sixty_slices_at_most() {
    let upstreams = upstreams(&["web"]);
    let mut history = History::default();
    for minute in (0..600).rev() {
        let mut web = report("web");
        web.servers_read = true;
        let address = ServerAddress::parse("10.0.0.4:80");
        match minute % 7 {
            0 | 3 => web.added = vec![address; 1 + minute % 4],
            2 => web.removed = vec![address; 2],
            4 if minute > 400 => web.fail("timeout", "no answer"),
            5 => web.updated = vec![address],
            _ => {}
        }
        history.note(&pass(minute as u64 * 60, vec![web]), "timer");
    }
    let live = Reading::Live(std::sync::Arc::new(pass(0, vec![report("web")])));
    let html = rendered(&upstreams, &history, &live);
    let slices = html.matches("<g><title>").count();
    assert!((30..=60).contains(&slices), "{slices}");
    assert!(html.contains("<desc id=\"cd\">In the last "), "{html}");
    assert!(html.len() < 100_000, "{}", html.len());
}

proptest! {
    /// Whatever the names and messages are, the page has the same tags as with harmless ones.
    #[test]
    fn no_data_adds_a_tag_or_an_attribute(name in "\\PC{1,40}", message in any::<String>()) {
        prop_assume!(!name.trim().is_empty());
        let with = |name: &str, message: &str| {
            let mut web = report(name);
            web.fail("malformed", message);
            let live = pass(5, vec![web]);
            let mut history = History::default();
            history.note(&live, "timer");
            let mut upstreams = upstreams(&["web", "other"]);
            upstreams[0].key.name = name.to_owned();
            rendered(&upstreams, &history, &Reading::Live(std::sync::Arc::new(live)))
        };
        let (evil, harmless) = (with(&name, &message), with("web", "x"));
        let strip = |html: &str| -> Vec<String> {
            let plain = |tag: &&str| !tag.starts_with("time") && !tag.starts_with("rect");
            tags(html).into_iter().filter(plain).map(str::to_owned).collect()
        };
        prop_assert_eq!(strip(&evil), strip(&harmless));
    }
}
