//! App settings, and the configuration in them.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{SUBSCRIPTION, configuration, deployed, file, settings};

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
fn every_setting_of_the_readme_is_one_that_the_host_or_the_program_reads() {
    let code = variables_of_the_code();
    let schedule = file("function-app/ReconcileTimer/function.json");
    let of_the_host = ["AzureWebJobsStorage", "FUNCTIONS_WORKER_RUNTIME"];
    for name in documented_settings() {
        let is_read = code.contains(&name)
            || schedule.contains(&format!("%{name}%"))
            || of_the_host.contains(&name.as_str());
        assert!(is_read, "nobody reads {name}");
    }
}

#[test]
fn what_the_platform_sets_itself_the_template_leaves_alone() {
    let settings = settings(&deployed("AzureCloud", &json!({})));
    for name in settings.keys() {
        let platform = ["IDENTITY_", "WEBSITE_", "FUNCTIONS_CUSTOMHANDLER_"];
        assert!(
            !platform.iter().any(|start| name.starts_with(start)),
            "{name}"
        );
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
