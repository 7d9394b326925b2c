//! The alert rules' queries find in the log of a real handler what they are there for, and nothing
//! else.

use std::time::Duration;

use serde_json::{Value, json};
use simulated_cloud::UpstreamEntry;
use simulated_cloud::functions_host::Handler;

use super::module;
use crate::safety_support::{cloud, three_of_four_vanish};
use crate::support::{Running, binary, environment, web};

/// The rules by their names' ends.
fn rule(running: &Running, name: &str) -> Value {
    let given = json!({
        "location": "westeurope",
        "tags": {},
        "name": "app",
        "applicationInsightsId": "/insights",
        "actionGroupIds": ["/somebody"],
        "windowMinutes": 15,
    });
    let made = module(&running.cloud, "alerts.bicep", &given);
    let mut rules = made.resources.iter();
    let rule = rules.find(|rule| rule.id.ends_with(&format!("/app-{name}")));
    let rule = rule.unwrap_or_else(|| panic!("there is no rule {name}"));
    rule.body["properties"]["criteria"]["allOf"][0].clone()
}

/// The texts of a query, escapes resolved.
fn quoted(query: &str) -> Vec<String> {
    let mut texts = Vec::new();
    let mut characters = query.chars();
    while characters.by_ref().any(|character| character == '"') {
        let mut text = String::new();
        loop {
            match characters.next().expect("the text ends") {
                '"' => break,
                '\\' => text.push(characters.next().expect("an escaped character")),
                character => text.push(character),
            }
        }
        texts.push(text);
    }
    texts
}

/// The lines of a log that the query `traces | where message contains .. or message contains ..`
/// counts.
fn counted(query: &str, lines: &[String]) -> Vec<String> {
    let texts = quoted(query);
    let wheres: Vec<String> = texts
        .iter()
        .map(|text| format!("message contains {}", Value::from(text.as_str())))
        .collect();
    let form = format!(
        "traces | where {} | summarize count_ = count()",
        wheres.join(" or ")
    );
    assert_eq!(query, form, "this test knows only queries of this form");
    let fits = |line: &&String| {
        let line = line.to_lowercase();
        texts.iter().any(|text| line.contains(&text.to_lowercase()))
    };
    lines.iter().filter(fits).cloned().collect()
}

/// The same handler with a log of this format.
async fn with_log(running: Running, format: &str, entry: &UpstreamEntry) -> Running {
    let cloud = running.cloud;
    let mut env = environment(&cloud, &cloud.config_yaml(std::slice::from_ref(entry)));
    env.push(("LOG_FORMAT".to_owned(), format.to_owned()));
    let handler = Handler::spawn(binary(), env).await;
    Running { cloud, handler }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_held_change_is_counted_once_a_pass_in_either_format_of_the_log() {
    for format in ["text", "json"] {
        let (running, _) = three_of_four_vanish(web()).await;
        let running = with_log(running, format, &web()).await;
        let reply = running.handler.timer_tick().await;
        assert!(reply.succeeded(), "{}", reply.text);
        assert!(
            running
                .handler
                .wait_for_line("Held: [", Duration::from_secs(10))
                .await
        );
        let rule = rule(&running, "held");
        let query = rule["query"].as_str().unwrap();
        let mut told = running.handler.stdout_lines();
        // The host logs the lines of a reply as well.
        told.extend(reply.logs());
        let found = counted(query, &told);
        assert_eq!(found.len(), 1, "{format}: {found:#?} of {told:#?}");
        assert!(found[0].contains("Held: ["), "{found:?}");
        assert_eq!(
            (&rule["operator"], &rule["threshold"]),
            (&json!("GreaterThanOrEqual"), &json!(1))
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_held_against_the_operators_will_is_not_counted() {
    for format in ["text", "json"] {
        let upsert = web().with("policy", "upsert_only");
        for (entry, failing) in [(web(), false), (web(), true), (upsert, false)] {
            let running = Running::start(cloud(true, 3).await, std::slice::from_ref(&entry)).await;
            running.handler.timer_tick().await;
            running.world().scale("web-vmss", 1);
            if failing {
                running.world().remove_set("web-vmss");
            }
            let running = with_log(running, format, &entry).await;
            let reply = running.handler.timer_tick().await;
            assert_eq!(reply.succeeded(), !failing, "{}", reply.text);
            let mut told = running.handler.stdout_lines();
            told.extend(reply.logs());
            let rule = rule(&running, "held");
            let found = counted(rule["query"].as_str().unwrap(), &told);
            assert_eq!(found, [""; 0], "{format}: {entry:?}");
        }
    }
}

/// The host makes a request of each invocation: its name is the function's, and it succeeds where
/// the reply does.
#[tokio::test(flavor = "multi_thread")]
async fn the_rules_about_requests_name_functions_that_run_passes() {
    let running = Running::start(cloud(true, 1).await, &[web()]).await;
    for (name, functions, success) in [
        ("no-pass", &["ReconcileTimer"][..], "true"),
        (
            "failed",
            &["ReconcileTimer", "VmssScaleEvent", "Reconcile"],
            "false",
        ),
    ] {
        let rule = rule(&running, name);
        let query = rule["query"].as_str().unwrap();
        let texts = quoted(query);
        let (last, named) = texts.split_last().unwrap();
        assert!(named.iter().eq(functions), "{query}");
        assert_eq!(last, success, "{query}");
        // The column is a text in one schema of Application Insights and a bool in the other.
        let end = format!(" and tostring(success) =~ \"{success}\" | summarize count_ = count()");
        assert!(
            query.starts_with("requests | where name ") && query.ends_with(&end),
            "{query}"
        );
        for function in functions {
            let folder = bicep::repository().join("function-app").join(function);
            assert!(folder.join("function.json").is_file(), "{function}");
        }
    }
    // A sum over no rows is a row with 0: below 1 means that no pass has succeeded.
    let rule = rule(&running, "no-pass");
    assert_eq!(
        (&rule["operator"], &rule["threshold"]),
        (&json!("LessThan"), &json!(1))
    );
}
