//! Settings, functions, bindings and configuration keys: `infra/`, `function-app/`, the sample
//! settings, the README and the code say the same.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a failure is a failed test"
)]

use std::collections::{BTreeMap, BTreeSet};

use bicep::Project;
use bicep::evaluate::{Azure, Deployment, deploy};
use bicep::tree::{Call, ExprKind, Field, ItemKind, Type};
use nginx_vmss_sync::config::{Config, Environment, KEYS, UPSTREAM_KEYS, parse};
use serde_json::{Map, Value, json};

const SUBSCRIPTION: &str = "aaaa0000-0000-0000-0000-000000000001";

fn project() -> Project {
    Project::load(&bicep::infra()).expect("the templates are without fault")
}

fn azure(cloud: &str) -> Azure {
    let endpoint = (
        "Nginx.NginxPlus/nginxDeployments".to_owned(),
        "properties.dataplaneApiEndpoint".to_owned(),
    );
    Azure {
        cloud: cloud.to_owned(),
        subscription: SUBSCRIPTION.to_owned(),
        group: "rg-app".to_owned(),
        known: BTreeMap::from([(endpoint, "https://n.westeurope.nginxaas.net/".into())]),
    }
}

/// The sample's deployment with some parameters more, or others.
fn deployed(cloud: &str, more: &Value) -> Deployment {
    let more: &Map<String, Value> = more.as_object().unwrap();
    let deployment = deploy(&project(), "main.sample.bicepparam", more, &azure(cloud));
    deployment.unwrap_or_else(|error| panic!("{error}"))
}

/// The app settings of a deployment.
fn settings(deployment: &Deployment) -> Map<String, Value> {
    let mut found = deployment.of("Microsoft.Web/sites/config");
    let settings = found.next().expect("settings");
    assert!(found.next().is_none());
    settings.body["properties"].as_object().unwrap().clone()
}

/// What the handler makes of the configuration in the app settings.
fn configuration(cloud: &str, more: &Value) -> Config {
    let settings = settings(&deployed(cloud, more));
    let text = settings["VMSS_SYNC_CONFIG"].as_str().unwrap();
    let read = parse(text, "VMSS_SYNC_CONFIG", &Environment::default());
    read.unwrap_or_else(|error| panic!("{:#?} of {text}", error.lines()))
}

fn file(path: &str) -> String {
    let path = bicep::repository().join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The names between backquotes in the first column of the README's table of settings.
fn documented_settings() -> BTreeSet<String> {
    let readme = file("README.md");
    let section = readme.split("\n### Settings\n").nth(1).unwrap();
    let section = section.split("\n#").next().unwrap();
    let rows = section.lines().filter(|line| line.starts_with("| `"));
    let cells = rows.map(|row| row.split('|').nth(1).unwrap());
    let names = cells.flat_map(|cell| cell.split('`').skip(1).step_by(2));
    names.map(str::to_owned).collect()
}

/// The environment variables that the program reads by name, from its source.
fn variables_of_the_code() -> BTreeSet<String> {
    fn sources(directory: &std::path::Path, texts: &mut String) {
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                sources(&path, texts);
            } else {
                texts.push_str(&std::fs::read_to_string(path).unwrap());
            }
        }
    }
    let mut texts = String::new();
    sources(&bicep::repository().join("src"), &mut texts);
    let literals = texts.split('"').skip(1);
    let is_variable = |text: &&str| {
        text.contains('_')
            && text.starts_with(|first: char| first.is_ascii_uppercase())
            // Of the build.
            && !text.starts_with("CARGO_")
            && text
                .chars()
                .all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_')
    };
    literals.filter(is_variable).map(str::to_owned).collect()
}

/// Settings of the Functions host, which the handler does not read.
const OF_THE_HOST: [&str; 5] = [
    "APPLICATIONINSIGHTS_AUTHENTICATION_STRING",
    "APPLICATIONINSIGHTS_CONNECTION_STRING",
    "AzureWebJobsStorage__blobServiceUri",
    "AzureWebJobsStorage__clientId",
    "AzureWebJobsStorage__credential",
];

#[test]
fn every_app_setting_is_one_that_the_host_or_the_handler_reads() {
    let settings = settings(&deployed("AzureCloud", &json!({})));
    let (code, documented) = (variables_of_the_code(), documented_settings());
    let schedule = file("function-app/ReconcileTimer/function.json");
    for name in settings.keys() {
        if OF_THE_HOST.contains(&name.as_str()) {
            continue;
        }
        let is_read = code.contains(name) || schedule.contains(&format!("%{name}%"));
        assert!(is_read, "nobody reads {name}");
        assert!(documented.contains(name), "{name} is not in the README");
    }
    for name in OF_THE_HOST {
        assert!(settings.contains_key(name), "{name}");
    }
    assert!(settings.values().all(Value::is_string));
}

#[test]
fn every_variable_that_the_handler_reads_is_set_documented_or_the_platforms() {
    let settings = settings(&deployed("AzureCloud", &json!({})));
    let platform = [
        "FUNCTIONS_CUSTOMHANDLER_PORT",
        "IDENTITY_ENDPOINT",
        "IDENTITY_HEADER",
    ];
    // Of a terminal, and of the tests.
    let elsewhere = ["NO_COLOR", "PROPTEST_CASES"];
    let documented = documented_settings();
    for name in variables_of_the_code() {
        if platform.contains(&name.as_str()) || elsewhere.contains(&name.as_str()) {
            assert!(!settings.contains_key(&name), "{name}");
            continue;
        }
        assert!(documented.contains(&name), "{name} is not in the README");
    }
}

#[test]
fn no_setting_is_one_that_flex_consumption_refuses_or_that_holds_a_secret() {
    let settings = settings(&deployed("AzureCloud", &json!({})));
    for name in [
        "FUNCTIONS_WORKER_RUNTIME",
        "FUNCTIONS_EXTENSION_VERSION",
        "WEBSITE_RUN_FROM_PACKAGE",
        "WEBSITE_CONTENTAZUREFILECONNECTIONSTRING",
        "AzureWebJobsStorage",
        "NGINXAAS_DATAPLANE_API_KEY",
    ] {
        assert!(!settings.contains_key(name), "{name}");
    }
    let deployment = deployed(
        "AzureCloud",
        &json!({ "rotateApiKey": true, "newApiKey": "Very-5ecret" }),
    );
    for resource in &deployment.resources {
        let holds = resource.body.to_string().contains("Very-5ecret");
        let may = ["apiKeys", "secrets"]
            .iter()
            .any(|of| resource.of.ends_with(&format!("/{of}")));
        assert_eq!(holds, may, "{}", resource.id);
    }
    let outputs = Value::Object(deployment.outputs).to_string();
    assert!(!outputs.contains("Very-5ecret"));
}

#[test]
fn the_samples_settings_and_the_templates_agree() {
    let sample: Value = serde_json::from_str(&file("local.settings.sample.json")).unwrap();
    let sample = sample["Values"].as_object().unwrap();
    let settings = settings(&deployed("AzureCloud", &json!({})));
    // On this machine: a key in a setting, an emulator's storage, and a worker that is named.
    let only_here = [
        "NGINXAAS_DATAPLANE_API_KEY",
        "AzureWebJobsStorage",
        "FUNCTIONS_WORKER_RUNTIME",
    ];
    for name in sample
        .keys()
        .filter(|name| !only_here.contains(&name.as_str()))
    {
        assert!(
            settings.contains_key(name),
            "the template does not set {name}"
        );
    }
    assert_eq!(settings["RECONCILE_SCHEDULE"], sample["RECONCILE_SCHEDULE"]);
    assert_eq!(settings["LOG_FORMAT"], sample["LOG_FORMAT"]);
}

#[test]
fn further_settings_are_kept_and_do_not_replace_those_of_the_template() {
    let more =
        json!({ "additionalSettings": { "SSL_CERT_FILE": "/ca.pem", "AZURE_CLIENT_ID": "x" } });
    let settings = settings(&deployed("AzureCloud", &more));
    assert_eq!(settings["SSL_CERT_FILE"], "/ca.pem");
    assert_ne!(settings["AZURE_CLIENT_ID"], "x");
}

#[test]
fn the_handler_reads_the_configuration_that_the_sample_deploys() {
    for (cloud, name, vault) in [
        ("AzureCloud", "AzurePublic", "vault.azure.net"),
        (
            "AzureUSGovernment",
            "AzureUSGovernment",
            "vault.usgovcloudapi.net",
        ),
        ("AzureChinaCloud", "AzureChina", "vault.azure.cn"),
    ] {
        let config = configuration(cloud, &json!({}));
        let sets = config
            .upstreams
            .iter()
            .flat_map(|upstream| &upstream.sources);
        let sets: Vec<String> = sets
            .map(|source| source.set.path().to_lowercase())
            .collect();
        let set = |name: &str| {
            format!(
                "/subscriptions/{SUBSCRIPTION}/resourcegroups/my-resource-group/providers/microsoft.compute/virtualmachinescalesets/{name}"
            )
        };
        assert_eq!(sets, [set("backend-one-vmss"), set("backend-two-vmss")]);
        let deployment = deployed(cloud, &json!({}));
        let text = settings(&deployment)["VMSS_SYNC_CONFIG"]
            .as_str()
            .unwrap()
            .to_owned();
        let written: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(
            written["api_endpoint"],
            "https://n.westeurope.nginxaas.net/nplus"
        );
        let secret = format!(
            "https://{}.{vault}/secrets/{}",
            deployment.outputs["keyVaultName"].as_str().unwrap(),
            deployment.outputs["apiKeySecretName"].as_str().unwrap()
        );
        assert_eq!(written["api_key_secret"], secret.as_str(), "{cloud}");
        assert_eq!(written["cloud"], name);
        assert_eq!(deployment.outputs["scaleSetsWithoutAccess"], json!([]));
    }
}

#[test]
fn what_the_configuration_says_itself_wins_and_text_is_taken_as_it_is() {
    let upstreams =
        json!([{ "name": "w", "kind": "stream", "port": 53, "virtual_machine_scale_set": "s" }]);
    let own = json!({
        "cloud": "AzureChina",
        "subscription_id": "bbbb0000-0000-0000-0000-000000000002",
        "resource_group_name": "theirs",
        "api_endpoint": "https://own.example/api",
        "api_key_secret": "https://own.vault.azure.cn/secrets/own",
        "upstreams": upstreams,
    });
    let deployment = deployed("AzureCloud", &json!({ "configuration": own }));
    let text = settings(&deployment)["VMSS_SYNC_CONFIG"]
        .as_str()
        .unwrap()
        .to_owned();
    assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), own);
    assert_eq!(
        deployment.outputs["scaleSetsWithoutAccess"],
        json!(["bbbb0000-0000-0000-0000-000000000002/theirs/s"])
    );
    let text = "# mine\nupstreams: []\n";
    let deployment = deployed("AzureCloud", &json!({ "configurationText": text }));
    assert_eq!(settings(&deployment)["VMSS_SYNC_CONFIG"], text);
}

/// The fields of a type of `types.bicep`.
fn fields(name: &str) -> Vec<Field> {
    let project = project();
    let types = project.named("types.bicep").unwrap();
    match &types.item(name).unwrap().kind {
        ItemKind::Type(Type::Object(fields)) => fields.clone(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_types_of_the_configuration_have_the_handlers_keys_in_their_order() {
    // Filled in by the template.
    let filled_in = ["subscription_id", "resource_group_name", "api_endpoint"];
    for (name, keys) in [
        ("syncConfiguration", &KEYS[..]),
        ("syncUpstream", &UPSTREAM_KEYS[..]),
    ] {
        let fields = fields(name);
        let names: Vec<&str> = fields.iter().map(|field| field.name.as_str()).collect();
        let expected: Vec<&str> = keys.iter().map(|key| key.name).collect();
        assert_eq!(names, expected, "{name}");
        for (field, key) in fields.iter().zip(keys) {
            let required = key.default == "required" && !filled_in.contains(&key.name);
            let nullable = matches!(field.of, Type::Nullable(_));
            assert_eq!(nullable, !required, "{name}.{}", key.name);
        }
    }
}

/// A configuration that the handler accepts, with one key set as it is tried.
fn with(name: &str, key: &str, value: &Value) -> Value {
    let mut upstream = json!({
        "name": "w", "kind": "http", "port": 80, "virtual_machine_scale_set": "s",
        "networks": ["10.0.0.0/8"],
    });
    let mut document = json!({
        "subscription_id": SUBSCRIPTION,
        "resource_group_name": "g",
        "api_endpoint": "https://n.example/nplus",
        "api_key_secret": "https://v.vault.azure.net/secrets/k",
    });
    if name == "syncUpstream" {
        upstream[key] = value.clone();
    } else {
        document[key] = value.clone();
    }
    document["upstreams"] = json!([upstream]);
    document
}

fn accepts(document: &Value) -> bool {
    parse(&document.to_string(), "test", &Environment::default()).is_ok()
}

/// The limit that a decorator sets.
fn limit(decorators: &[Call], name: &str) -> Option<i64> {
    let decorator = decorators.iter().find(|decorator| decorator.name == name)?;
    match decorator.arguments.first()?.kind {
        ExprKind::Number(limit) => Some(limit),
        _ => None,
    }
}

#[test]
fn every_value_that_the_types_allow_the_handler_accepts_and_what_lies_beyond_it_refuses() {
    let mut tried = 0;
    for name in ["syncConfiguration", "syncUpstream"] {
        for field in fields(name) {
            let of = match field.of {
                Type::Nullable(inner) => *inner,
                of => of,
            };
            let key = field.name.as_str();
            if let Type::Union(members) = &of {
                for member in members {
                    let Type::Text(text) = member else {
                        panic!("{key}: {member:?}")
                    };
                    assert!(
                        accepts(&with(name, key, &text.as_str().into())),
                        "{key}: {text}"
                    );
                    tried += 1;
                }
                assert!(!accepts(&with(name, key, &"another".into())), "{key}");
            }
            for (decorator, step) in [("minValue", -1), ("maxValue", 1)] {
                if let Some(limit) = limit(&field.decorators, decorator) {
                    assert!(accepts(&with(name, key, &limit.into())), "{key}: {limit}");
                    let beyond = limit + step;
                    assert!(
                        !accepts(&with(name, key, &beyond.into())),
                        "{key}: {beyond}"
                    );
                    tried += 1;
                }
            }
        }
    }
    assert!(tried > 10, "{tried}");
}

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
