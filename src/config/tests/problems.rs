//! Documents that cannot be used, and what is said about them.

use proptest::prelude::*;

use super::*;

#[test]
fn every_problem_is_reported_at_once_with_its_path_and_the_nearest_key() {
    let text = "\
cloud_provder: Azure
sync_interval: 0s
api_endpoint: 7
upstreams:
  - name: one
    kind: udp
    port: 70000
    virtual_machine_scaleset: web
  - just a text
  - name: three
    kind: http
    port: eighty
    virtual_machine_scale_set: web
    backup: 1
    fail_timeout: 10 fortnights
    networks: [10.0.0.0/8, nonsense]
";
    let mut found = problems(read(text));
    found.sort();
    assert_eq!(
        found,
        [
            "api_endpoint: must be a text, not a whole number",
            "cloud_provder: unknown key; did you mean `cloud_provider`?",
            "resource_group_name: is required, e.g. `resource_group_name: my-resource-group`",
            "subscription_id: is required, e.g. `subscription_id: 00000000-0000-0000-0000-000000000000`",
            "sync_interval: must be more than 0",
            "upstreams[0].kind: `udp` is not one of `http`, `stream`",
            "upstreams[0].port: 70000 is out of range: 1 to 65535",
            "upstreams[0].virtual_machine_scale_set: is required, e.g. `virtual_machine_scale_set: backend-one-vmss`",
            "upstreams[0].virtual_machine_scaleset: unknown key; did you mean `virtual_machine_scale_set`?",
            "upstreams[1]: must be a mapping (`key: value`), not a text",
            "upstreams[2].backup: must be true or false, not a whole number",
            "upstreams[2].fail_timeout: `10 fortnights` is not a time: use a number with one of ms, s, m, h, d, w, M, y, e.g. `10s`",
            "upstreams[2].networks[1]: is not a network in CIDR form, e.g. `10.1.0.0/16`",
            "upstreams[2].port: must be a whole number, not a text",
        ]
    );
}

#[test]
fn the_lines_of_an_error_name_the_document() {
    let error = parse("[]", "config.yaml", &Environment::default()).unwrap_err();
    let line = "configuration (config.yaml): must be a mapping (`key: value`), not a list";
    assert_eq!(error.lines(), [line]);
    assert_eq!(
        error.to_string(),
        "the configuration (config.yaml) cannot be used: must be a mapping (`key: value`), not a list"
    );
}

#[test]
fn an_unknown_key_that_resembles_none_gets_the_list_of_keys() {
    let found = problems(read(&with("zzz: 1")));
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(
        found[0].starts_with("zzz: unknown key; the keys here are cloud_provider, cloud,"),
        "{found:?}"
    );
}

#[test]
fn a_missing_subscription_is_one_problem_however_many_upstreams_lack_it() {
    let entry = "  - {name: NAME, kind: http, port: 80, virtual_machine_scale_set: web}\n";
    let entries = ["one", "two", "three"]
        .map(|name| entry.replace("NAME", name))
        .concat();
    let text = format!(
        "resource_group_name: rg\napi_endpoint: https://lb.example/nplus\nupstreams:\n{entries}"
    );
    assert_eq!(
        problems(read(&text)),
        [
            "subscription_id: is required, e.g. `subscription_id: 00000000-0000-0000-0000-000000000000`"
        ]
    );
}

#[test]
fn an_upstream_with_a_subscription_of_its_own_needs_none_of_the_document() {
    let text = with_upstream("subscription_id: own").replace("subscription_id: sub-1\n", "");
    assert_eq!(
        read(&text).unwrap().upstreams[0].sources[0]
            .set
            .subscription,
        "own"
    );
}

#[test]
fn a_value_of_the_wrong_type_or_out_of_range_is_refused() {
    for (key, problem) in [
        ("max_conns: -1", "-1 is out of range: 0 to 2147483647"),
        (
            "max_fails: 1.5",
            "must be a whole number, not a number with a fraction",
        ),
        ("weight: 0", "0 is out of range: 1 to 65535"),
        ("weight: '5'", "must be a whole number, not a text"),
        ("backup: maybe", "must be true or false, not a text"),
        ("max_removal_percent: 101", "101 is out of range: 0 to 100"),
        ("drain_timeout: 2h", "must be at most 1h"),
        (
            "drain_timeout: -5",
            "`-5` is not a time: use a number with one of ms, s, m, h, d, w, M, y, e.g. `10s`",
        ),
        (
            "fail_timeout: 1500ms",
            "must be whole seconds: NGINX stores no fraction",
        ),
        ("slow_start: [1]", "must be a text, not a list"),
        (
            "add_before_running: yes please",
            "must be true or false, not a text",
        ),
        (
            "require_healthy: {}",
            "must be true or false, not a mapping",
        ),
        (
            "ownership: mine",
            "`mine` is not one of `exclusive`, `scoped`",
        ),
        ("ownership: true", "must be a text, not true or false"),
        (
            "policy: delete_all",
            "`delete_all` is not one of `sync`, `upsert_only`, `paused`",
        ),
        (
            "networks: 10.0.0.0/8",
            "must be a list of CIDRs, not a text",
        ),
        (
            "subscription_id: a/b",
            "`a/b` is not a subscription id (a GUID); `az account show --query id` prints it",
        ),
        ("subscription_id: ''", "is empty"),
    ] {
        let name = key.split(':').next().unwrap();
        assert_eq!(
            problems(read(&with_upstream(key))),
            [format!("upstreams[0].{name}: {problem}")]
        );
    }
    for (key, value, problem) in [
        ("port", "0", "0 is out of range: 1 to 65535"),
        ("port", "~", "is required, e.g. `port: 80`"),
        ("kind", "~", "is required: `http` or `stream`"),
        ("name", "12", "must be a text, not a whole number"),
        (
            "virtual_machine_scale_set",
            "../x",
            "`../x` cannot be an Azure name: up to 90 letters, digits, `-`, `_`, `.` and parentheses",
        ),
    ] {
        let found = problems(read(&instead(key, value)));
        assert_eq!(found[0], format!("upstreams[0].{key}: {problem}"));
    }
}

#[test]
fn another_cloud_provider_is_refused_with_the_reason() {
    assert_eq!(
        problems(read(&with("cloud_provider: AWS"))),
        [
            "cloud_provider: `AWS` is not served: this program syncs Azure scale sets only; write `Azure`"
        ]
    );
}

#[test]
fn a_key_that_stands_there_twice_is_refused() {
    for text in [with("subscription_id: other"), with_upstream("port: 81")] {
        let found = problems(read(&text));
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].to_lowercase().contains("duplicate"), "{found:?}");
    }
}

#[test]
fn what_is_no_single_mapping_is_refused() {
    assert_eq!(problems(read("")), ["the document is empty"]);
    assert_eq!(
        problems(read("~")),
        ["must be a mapping (`key: value`), not nothing"]
    );
    let twice = format!("{SMALL}---\n{SMALL}");
    assert_eq!(
        problems(read(&twice)),
        ["there is more than one document; keep one"]
    );
    assert!(problems(read("a: [1, 2"))[0].starts_with("not a YAML document: "));
    assert_eq!(
        problems(read(&with("1: 2"))),
        ["a whole number is not a key"]
    );
}

#[test]
fn upstreams_must_be_a_list_with_something_in_it() {
    let head = SMALL.split("upstreams").next().unwrap();
    for (upstreams, problem) in [
        (
            "",
            "upstreams: is required: a list with at least one upstream",
        ),
        (
            "upstreams:",
            "upstreams: is required: a list with at least one upstream",
        ),
        ("upstreams: []", "upstreams: must have at least one entry"),
        (
            "upstreams: {name: one}",
            "upstreams: must be a list (`- name: ...`), not a mapping",
        ),
    ] {
        assert_eq!(problems(read(&format!("{head}{upstreams}\n")))[0], problem);
    }
}

#[test]
fn scoped_ownership_needs_networks() {
    assert_eq!(
        problems(read(&with_upstream("ownership: scoped"))),
        ["upstreams[0].networks: is required with `ownership: scoped`, e.g. `[10.1.0.0/16]`"]
    );
}

#[test]
fn control_characters_of_the_document_do_not_reach_a_message() {
    let found = problems(read(&with("\"a\\x1bb\\n\": 1\ncloud: \"x\\ny\"")));
    assert!(
        found.len() == 2 && !found.concat().chars().any(char::is_control),
        "{found:?}"
    );
}

#[test]
fn a_document_nested_without_end_is_refused_and_does_not_end_the_process() {
    let told = ["not a configuration: it is nested too deeply"];
    assert_eq!(problems(read(&"[".repeat(100_000))), told);
    assert_eq!(problems(read(&format!("{}a", "- ".repeat(50_000)))), told);
    let stairs: String = (0..10_000)
        .map(|depth| format!("{}a:\n", " ".repeat(depth)))
        .collect();
    assert_eq!(problems(read(&stairs)), told);
    // What is let through can be read, and torn down, on a small stack.
    let deepest = format!("{}{}", "- ".repeat(64), "[".repeat(64));
    assert!(read(&deepest).is_err());
    let stairs: String = (0..128)
        .map(|depth| format!("{0}a:\n{0}- b\n", " ".repeat(depth)))
        .collect();
    assert!(read(&stairs).is_err());
}

/// Lines that are nearly a configuration.
fn nearly() -> impl Strategy<Value = String> {
    let keys = crate::config::KEYS.map(|key| key.name);
    let own = crate::config::UPSTREAM_KEYS.map(|key| key.name);
    let all: Vec<&str> = keys.into_iter().chain(own).collect();
    let values = [
        "~",
        "1",
        "-7",
        "1.5",
        "text",
        "'",
        "[",
        "]",
        "{a: b}",
        "https://u:p@[::1]/%zz?q#f",
        "5s",
        "&a",
        "*a",
        "!!int x",
        "|",
        "\u{feff}",
    ];
    let indents = ["", "  ", "  - ", "    ", "\t", "? "];
    let line = (
        prop::sample::select(indents.to_vec()),
        prop::sample::select(all),
        prop::sample::select(values.to_vec()),
    );
    let line = line.prop_map(|(indent, key, value)| format!("{indent}{key}: {value}\n"));
    prop::collection::vec(line, 0..8).prop_map(|lines| lines.concat())
}

proptest! {
    #[test]
    fn no_text_makes_the_parser_panic(text in "\\PC{0,80}", lines in nearly()) {
        let _ = read(&text);
        let _ = read(&lines);
    }

    #[test]
    fn whatever_is_wrong_is_said(lines in nearly()) {
        if let Err(error) = read(&lines) {
            prop_assert!(!error.problems.is_empty());
            prop_assert!(error.problems.iter().all(|problem| !problem.message.is_empty()));
        }
    }
}

#[test]
fn a_name_that_would_change_the_path_or_hide_in_the_log_is_refused() {
    for name in [
        "\".\"",
        "\"..\"",
        "\"a\\u202eb\"",
        "\"a\\u2028b\"",
        "\"a\\nb\"",
    ] {
        let found = problems(read(&instead("name", name)));
        let expected = "upstreams[0].name: cannot be the name of an NGINX upstream";
        assert_eq!(found, [expected], "{name}");
    }
    assert!(read(&instead("name", "\"...\"")).is_ok());
}
