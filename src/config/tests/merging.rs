//! Several scale sets behind one upstream.

use super::*;
use crate::model::Kind;

fn two(first: &str, second: &str) -> String {
    let head = SMALL.split("upstreams").next().unwrap();
    format!("{head}upstreams:\n  - {{name: backend, {first}}}\n  - {{name: backend, {second}}}\n")
}

const WEB: &str = "kind: http, port: 80, virtual_machine_scale_set: web";
const API: &str = "kind: http, port: 8080, virtual_machine_scale_set: api";

#[test]
fn entries_of_one_upstream_are_sources_of_it() {
    let config = read(&two(WEB, API)).unwrap();
    let [upstream] = &config.upstreams[..] else {
        panic!("{:?}", config.upstreams)
    };
    let sources: Vec<(&str, u16)> = upstream
        .sources
        .iter()
        .map(|source| (&*source.set.name, source.port))
        .collect();
    assert_eq!(sources, [("web", 80), ("api", 8080)]);
    assert_eq!(upstream.group_names(), "web,api");
}

#[test]
fn one_set_may_serve_on_two_ports() {
    let config = read(&two(WEB, &WEB.replace("80", "81"))).unwrap();
    let ports: Vec<u16> = config.upstreams[0]
        .sources
        .iter()
        .map(|source| source.port)
        .collect();
    assert_eq!(ports, [80, 81]);
    assert_eq!(config.upstreams[0].group_names(), "web");
}

#[test]
fn one_name_of_two_kinds_is_two_upstreams() {
    let config = read(&two(WEB, &API.replace("http", "stream"))).unwrap();
    let kinds: Vec<Kind> = config
        .upstreams
        .iter()
        .map(|upstream| upstream.key.kind)
        .collect();
    assert_eq!(kinds, [Kind::Http, Kind::Stream]);
}

#[test]
fn the_same_source_twice_is_refused_whatever_its_case() {
    assert_eq!(
        problems(read(&two(WEB, &WEB.replace("web", "WEB")))),
        ["upstreams[1].virtual_machine_scale_set: is the same source as in upstreams[0]"]
    );
}

#[test]
fn parameters_that_differ_between_the_entries_of_one_upstream_are_refused_by_name() {
    let keys = [
        "max_conns: 5",
        "max_fails: 5",
        "fail_timeout: 5s",
        "slow_start: 5s",
        "weight: 5",
        "backup: true",
        "max_removal_percent: 5",
        "drain_timeout: 5s",
        "add_before_running: true",
        "require_healthy: true",
        "networks: [10.0.0.0/8]",
        "policy: paused",
    ];
    let expected: Vec<String> = keys
        .iter()
        .map(|key| {
            let name = key.split(':').next().unwrap();
            format!("upstreams[1].{name}: differs from upstreams[0], which feeds the same upstream: give both the same value")
        })
        .collect();
    assert_eq!(
        problems(read(&two(WEB, &format!("{API}, {}", keys.join(", "))))),
        expected
    );
    let scoped = format!("{API}, ownership: scoped, networks: [10.0.0.0/8]");
    assert_eq!(
        problems(read(&two(
            &format!("{WEB}, networks: [10.0.0.0/8]"),
            &scoped
        )))
        .len(),
        1
    );
}

#[test]
fn one_time_in_two_spellings_is_no_conflict() {
    let (first, second) = (
        format!("{WEB}, fail_timeout: 1m"),
        format!("{API}, fail_timeout: 60s"),
    );
    assert_eq!(read(&two(&first, &second)).unwrap().upstreams.len(), 1);
}
