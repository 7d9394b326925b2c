//! Documents that can be used.

use super::*;
use crate::config::{KEYS, UPSTREAM_KEYS};
use crate::model::{Kind, NginxTime, OptionalParameters, Ownership, Policy, UpstreamKey};

/// In the shape of nginx-asg-sync's Azure file, trailing blanks and all.
const ASG_SYNC: &str = "\
# sync of two backends
cloud_provider: Azure
subscription_id: my_subscription
resource_group_name: my_group

api_endpoint: https://my-deployment.eastus.nginxaas.net/nplus
sync_interval: 5s

custom_headers:
  Content-Type: application/json
  Authorization: ApiKey c2VjcmV0

upstreams:
  - name: backend-one
    virtual_machine_scale_set: one-vmss
    port: 80
    kind: http
    max_conns: 0
    max_fails: 1
    fail_timeout: 10s
    slow_start: 0s\x20
  - name: backend-two\x20\x20
    virtual_machine_scale_set: two-vmss
    port: 8080
    kind: stream
    max_conns: 100
    max_fails: 3
    fail_timeout: 30s
    slow_start: 10s
";

#[test]
fn the_file_of_nginx_asg_sync_works_unchanged() {
    let config = read(ASG_SYNC).unwrap();
    assert_eq!(
        config.api_endpoint.as_str(),
        "https://my-deployment.eastus.nginxaas.net/nplus"
    );
    assert_eq!(config.sync_interval, Duration::from_secs(5));
    let headers: Vec<_> = config.custom_headers.into_iter().collect();
    assert_eq!(
        headers,
        [("content-type".into(), "application/json".into())]
    );
    let ApiKeySource::Header(header) = config.api_key else {
        panic!("{:?}", config.api_key)
    };
    assert_eq!(header.expose_secret(), "ApiKey c2VjcmV0");
    assert_eq!(
        config.warnings,
        [
            "the API key stands in `custom_headers.Authorization`: move it to Key Vault and set `api_key_secret`"
        ]
    );

    let [one, two] = &config.upstreams[..] else {
        panic!("{:?}", config.upstreams)
    };
    assert_eq!(
        one.key,
        UpstreamKey {
            kind: Kind::Http,
            name: "backend-one".into()
        }
    );
    assert_eq!(
        two.key,
        UpstreamKey {
            kind: Kind::Stream,
            name: "backend-two".into()
        }
    );
    assert_eq!((one.sources[0].port, two.sources[0].port), (80, 8080));
    let set = &two.sources[0].set;
    assert_eq!(
        (&*set.subscription, &*set.resource_group, &*set.name),
        ("my_subscription", "my_group", "two-vmss")
    );
    assert_eq!(
        (two.parameters.max_conns, two.parameters.max_fails),
        (100, 3)
    );
    assert_eq!(two.parameters.fail_timeout, NginxTime::from_seconds(30));
    assert_eq!(two.parameters.slow_start, NginxTime::from_seconds(10));
}

#[test]
fn what_is_left_out_has_the_documented_default() {
    let config = read(SMALL).unwrap();
    assert_eq!(
        config.resource_manager.endpoint.as_str(),
        "https://management.azure.com/"
    );
    assert_eq!(
        config.resource_manager.audience,
        "https://management.azure.com"
    );
    assert_eq!(config.sync_interval, Duration::from_secs(5));
    assert!(config.custom_headers.is_empty());
    assert!(matches!(config.api_key, ApiKeySource::None));
    let upstream = &config.upstreams[0];
    assert_eq!(
        (upstream.parameters.max_conns, upstream.parameters.max_fails),
        (0, 1)
    );
    assert_eq!(
        upstream.parameters.fail_timeout,
        NginxTime::from_seconds(10)
    );
    assert_eq!(upstream.parameters.slow_start, NginxTime::from_seconds(0));
    assert_eq!(upstream.parameters.optional, OptionalParameters::default());
    assert_eq!(upstream.max_removal_percent, 50);
    assert_eq!(upstream.drain_timeout, Duration::from_secs(30));
    assert!(!upstream.add_before_running && !upstream.require_healthy);
    assert_eq!(
        (upstream.ownership, upstream.policy),
        (Ownership::Exclusive, Policy::Sync)
    );
    assert!(upstream.networks.is_empty());
}

#[test]
fn every_key_is_read() {
    let text = "\
cloud_provider: azure
cloud: azurechina
resource_manager_endpoint: https://arm.example:444
resource_manager_audience: https://arm.audience/
subscription_id: sub-1
resource_group_name: web-rg
api_endpoint: http://lb.example/api/
allow_insecure_endpoint: true
api_key_secret: https://v.vault.azure.cn/secrets/key/0a1b
custom_headers: {X-One: 1}
sync_interval: 1m30s
upstreams:
  - name: backend
    kind: Stream
    port: 65535
    virtual_machine_scale_set: web
    subscription_id: sub-2
    resource_group_name: other-rg
    max_conns: 7
    max_fails: 0
    fail_timeout: 1m
    slow_start: 500ms
    weight: 5
    backup: true
    max_removal_percent: 0
    drain_timeout: 0s
    add_before_running: true
    require_healthy: true
    ownership: scoped
    networks: [10.1.2.3/16, 'fd00::/8']
    policy: upsert_only
";
    for key in KEYS.iter().chain(&UPSTREAM_KEYS) {
        assert!(
            text.contains(&format!("{}:", key.name)),
            "{} is not tried",
            key.name
        );
    }
    let config = read(text).unwrap();
    assert_eq!(
        config.resource_manager.endpoint.as_str(),
        "https://arm.example:444/"
    );
    assert_eq!(config.resource_manager.audience, "https://arm.audience/");
    assert_eq!(config.api_endpoint.as_str(), "http://lb.example/api");
    let ApiKeySource::KeyVault(secret) = &config.api_key else {
        panic!("{:?}", config.api_key)
    };
    assert_eq!(secret.vault.as_str(), "https://v.vault.azure.cn/");
    assert_eq!(
        (&*secret.name, secret.version.as_deref()),
        ("key", Some("0a1b"))
    );
    assert_eq!(config.custom_headers["x-one"], "1");
    assert_eq!(config.sync_interval, Duration::from_secs(90));
    let upstream = &config.upstreams[0];
    assert_eq!(upstream.key.kind, Kind::Stream);
    let source = &upstream.sources[0];
    assert_eq!(
        (&*source.set.subscription, &*source.set.resource_group),
        ("sub-2", "other-rg")
    );
    assert_eq!(source.port, 65_535);
    assert_eq!(
        (upstream.parameters.max_conns, upstream.parameters.max_fails),
        (7, 0)
    );
    assert_eq!(
        upstream.parameters.fail_timeout,
        NginxTime::from_seconds(60)
    );
    assert_eq!(upstream.parameters.slow_start, "500ms".parse().unwrap());
    let optional = OptionalParameters {
        weight: Some(5),
        backup: Some(true),
    };
    assert_eq!(upstream.parameters.optional, optional);
    assert_eq!(
        (upstream.max_removal_percent, upstream.drain_timeout),
        (0, Duration::ZERO)
    );
    assert!(upstream.add_before_running && upstream.require_healthy);
    assert_eq!(
        (upstream.ownership, upstream.policy),
        (Ownership::Scoped, Policy::UpsertOnly)
    );
    assert_eq!(
        upstream.networks,
        ["10.1.0.0/16".parse().unwrap(), "fd00::/8".parse().unwrap()]
    );
}

#[test]
fn a_json_document_is_read_just_as_well() {
    let json = r#"{"subscription_id": "sub-1", "resource_group_name": "web-rg",
        "api_endpoint": "https://lb.example/nplus",
        "upstreams": [{"name": "backend", "kind": "http", "port": 80,
                       "virtual_machine_scale_set": "web", "networks": ["8.8.8.0/24"]}]}"#;
    let config = read(json).unwrap();
    assert_eq!(
        config.upstreams[0].networks,
        ["8.8.8.0/24".parse().unwrap()]
    );
    assert_eq!(
        config.upstreams[0].sources,
        read(SMALL).unwrap().upstreams[0].sources
    );
}

#[test]
fn a_null_counts_as_left_out() {
    let text = format!(
        "{}sync_interval: ~\ncustom_headers:\n",
        with_upstream("weight: null|policy: ~|networks:")
    );
    let config = read(&text).unwrap();
    assert_eq!(config.sync_interval, Duration::from_secs(5));
    assert_eq!(config.upstreams, read(SMALL).unwrap().upstreams);
}

#[test]
fn a_bare_number_is_a_time_in_seconds() {
    let text = format!(
        "{}sync_interval: 7\n",
        with_upstream("fail_timeout: 20|slow_start: 0|drain_timeout: 5")
    );
    let config = read(&text).unwrap();
    assert_eq!(config.sync_interval, Duration::from_secs(7));
    assert_eq!(
        config.upstreams[0].parameters.fail_timeout,
        NginxTime::from_seconds(20)
    );
    assert_eq!(config.upstreams[0].drain_timeout, Duration::from_secs(5));
}

#[test]
fn a_cloud_brings_its_endpoint_and_audience() {
    for (cloud, endpoint) in [
        ("AzurePublic", "https://management.azure.com"),
        ("azureusgovernment", "https://management.usgovcloudapi.net"),
        ("AzureChina", "https://management.chinacloudapi.cn"),
    ] {
        let found = read(&with(&format!("cloud: {cloud}")))
            .unwrap()
            .resource_manager;
        assert_eq!(
            (found.endpoint.as_str(), &*found.audience),
            (&*format!("{endpoint}/"), endpoint)
        );
    }
}

#[test]
fn the_configuration_of_the_sample_settings_can_be_used() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/local.settings.sample.json");
    let text = std::fs::read_to_string(path).unwrap();
    let settings: serde_json::Value = serde_json::from_str(&text).unwrap();
    let setting = |name: &str| settings["Values"][name].as_str();
    let environment = Environment {
        api_key: setting("NGINXAAS_DATAPLANE_API_KEY").map(|key| key.to_owned().into()),
        ..Environment::default()
    };
    let config = parse(
        setting("VMSS_SYNC_CONFIG").unwrap(),
        "the sample",
        &environment,
    )
    .unwrap();
    assert!(!matches!(config.api_key, ApiKeySource::None));
    assert_eq!(config.warnings, [""; 0]);
}
