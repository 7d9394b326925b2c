//! Functions, parameters, outputs and roles by their names.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::{deployed, file, project};

/// The functions and the types of their triggers.
fn triggers() -> BTreeMap<String, String> {
    let folder = bicep::repository().join("function-app");
    let mut triggers = BTreeMap::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let text = std::fs::read_to_string(path.join("function.json")).unwrap();
        let function: Value = serde_json::from_str(&text).unwrap();
        let mut bindings = function["bindings"].as_array().unwrap().iter();
        let trigger = bindings.find_map(|binding| {
            let of = binding["type"].as_str()?;
            of.ends_with("Trigger").then(|| of.to_owned())
        });
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        triggers.insert(name, trigger.unwrap());
    }
    triggers
}

#[test]
fn the_template_and_the_script_name_functions_that_exist_with_the_triggers_they_need() {
    let triggers = triggers();
    let more = json!({ "deployEvents": true, "alwaysReadyInstances": 1 });
    let deployment = deployed("AzureCloud", &more);
    let event = deployment.outputs["eventFunctionName"].as_str().unwrap();
    assert_eq!(triggers[event], "eventGridTrigger");
    let subscription = deployment
        .of("Microsoft.EventGrid/systemTopics/eventSubscriptions")
        .next()
        .unwrap();
    let destination = &subscription.body["properties"]["destination"]["properties"];
    let id = deployment.outputs["functionAppId"].as_str().unwrap();
    assert_eq!(destination["resourceId"], format!("{id}/functions/{event}"));
    let site = deployment.of("Microsoft.Web/sites").next().unwrap();
    let scale = &site.body["properties"]["functionAppConfig"]["scaleAndConcurrency"];
    assert_eq!(
        scale["alwaysReady"],
        json!([{ "name": format!("function:{event}"), "instanceCount": 1 }])
    );
    for output in ["reconcileUrl", "statusUrl"] {
        let url = deployment.outputs[output].as_str().unwrap();
        let function = url.rsplit('/').next().unwrap();
        assert_eq!(triggers[function], "httpTrigger", "{url}");
    }
    let script = file("infra/deploy.sh");
    let line = script
        .lines()
        .find_map(|line| line.strip_prefix("readonly functions=\""));
    let named: BTreeSet<&str> = line.unwrap().trim_end_matches('"').split(' ').collect();
    assert_eq!(named, triggers.keys().map(String::as_str).collect());
}

/// The words that follow `before` in a text, up to what is no letter.
fn words_after<'t>(text: &'t str, before: &str) -> BTreeSet<&'t str> {
    let after = text.split(before).skip(1);
    let words = after.map(|rest| {
        rest.split(|c: char| !c.is_ascii_alphanumeric())
            .next()
            .unwrap()
    });
    words.filter(|word| !word.is_empty()).collect()
}

#[test]
fn the_script_and_its_page_use_parameters_and_outputs_that_the_template_has() {
    let project = project();
    let main = project.named("main.bicep").unwrap();
    let (script, page) = (file("infra/deploy.sh"), file("infra/README.md"));
    let mut outputs = BTreeSet::new();
    for text in [&script, &page] {
        outputs.extend(words_after(text, "properties.outputs."));
        outputs.extend(words_after(text, "$(output "));
    }
    assert!(outputs.contains("functionAppName"), "{outputs:?}");
    for output in outputs {
        assert!(main.output(output).is_some(), "there is no output {output}");
    }
    let mut given = BTreeSet::new();
    for text in [&script, &page] {
        for line in text.lines().filter(|line| line.contains('=')) {
            for word in line.split(|c: char| !c.is_ascii_alphanumeric() && c != '=') {
                if let Some((name, "true" | "false")) = word.split_once('=')
                    && name.chars().any(|c| c.is_ascii_uppercase())
                {
                    given.insert(name.to_owned());
                }
            }
        }
    }
    assert!(given.contains("deployEvents"), "{given:?}");
    for name in given {
        assert!(main.param(&name).is_some(), "there is no parameter {name}");
    }
}

#[test]
fn the_readmes_roles_are_those_of_the_template() {
    let readme = file("README.md");
    let row = |mode: &str| -> BTreeSet<String> {
        let mut rows = readme.lines();
        let row = rows.find(|line| line.starts_with(&format!("| {mode} | `Microsoft.")));
        let cell = row.unwrap().split('|').nth(2).unwrap();
        cell.split('`')
            .skip(1)
            .step_by(2)
            .map(str::to_owned)
            .collect()
    };
    let deployment = deployed("AzureCloud", &json!({}));
    let mut modes = BTreeSet::new();
    for role in deployment.of("Microsoft.Authorization/roleDefinitions") {
        let name = role.body["properties"]["roleName"].as_str().unwrap();
        let mode = ["Uniform", "Flexible"]
            .into_iter()
            .find(|mode| name.contains(mode))
            .unwrap();
        let actions = role.body["properties"]["permissions"][0]["actions"]
            .as_array()
            .unwrap();
        let actions = actions
            .iter()
            .map(|action| action.as_str().unwrap().to_owned());
        assert_eq!(actions.collect::<BTreeSet<_>>(), row(mode), "{mode}");
        modes.insert(mode);
    }
    assert_eq!(modes, BTreeSet::from(["Flexible", "Uniform"]));
}
