//! The promises of the parsers under inputs made from a seed: the fixtures of `fuzz/seeds`, and
//! what becomes of them when bytes are changed, cut, doubled and mixed.

use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use super::*;

type Target = fn(&[u8]);

/// Every target, by the name of its file in `fuzz/fuzz_targets` and its folder in `fuzz/seeds`.
const TARGETS: [(&str, &[Target]); 9] = [
    ("arm_flexible", &[flexible_page]),
    ("arm_uniform", &[uniform_machines, uniform_interfaces]),
    ("configuration", &[configuration]),
    ("event", &[event]),
    ("invocation", &[invocation]),
    ("nginx_replies", &[nginx_error, nginx_peers]),
    ("nginx_servers", &[nginx_servers]),
    ("nginx_time", &[nginx_time]),
    ("resource_id", &[resource_id]),
];

fn repository() -> std::path::PathBuf {
    env!("CARGO_MANIFEST_DIR").into()
}

fn seeds(target: &str) -> Vec<Vec<u8>> {
    let folder = repository().join("fuzz/seeds").join(target);
    let mut files: Vec<_> = std::fs::read_dir(&folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    let seeds: Vec<_> = files
        .iter()
        .map(|file| std::fs::read(file).unwrap())
        .collect();
    assert!(!seeds.is_empty(), "{target} has no seeds");
    seeds
}

/// One change of an input.
#[derive(Debug, Clone)]
enum Change {
    Put(Index, u8),
    Insert(Index, Vec<u8>),
    Cut(Index, usize),
    Double(Index, usize),
    Mix(Index, Index, usize),
}

fn change() -> impl Strategy<Value = Change> {
    // What grammars are made of, more often than chance would have it.
    let pieces = [
        "{}",
        "[]",
        "\"\"",
        "null",
        "/",
        "//",
        "..",
        ":",
        ",",
        "\n",
        "\r\n",
        "\u{202e}",
        "\u{1b}[2J",
        "-1",
        "18446744073709551616",
        "1e999",
        "true",
        "\\u0000",
        "@evil.example",
        "%2f",
        "#",
        "?",
    ];
    let piece = prop_oneof![
        proptest::sample::select(pieces.to_vec()).prop_map(|piece| piece.as_bytes().to_vec()),
        proptest::collection::vec(any::<u8>(), 1..6),
    ];
    let (at, length) = (any::<Index>(), 1..40_usize);
    prop_oneof![
        (at.clone(), any::<u8>()).prop_map(|(at, byte)| Change::Put(at, byte)),
        (at.clone(), piece).prop_map(|(at, piece)| Change::Insert(at, piece)),
        (at.clone(), length.clone()).prop_map(|(at, length)| Change::Cut(at, length)),
        (at.clone(), length.clone()).prop_map(|(at, length)| Change::Double(at, length)),
        (at.clone(), at, length).prop_map(|(at, from, length)| Change::Mix(at, from, length)),
    ]
}

fn changed(mut data: Vec<u8>, changes: &[Change]) -> Vec<u8> {
    for change in changes {
        let length = data.len();
        let span = |at: &Index, wanted: usize| {
            let start = at.index(length + 1);
            start..(start + wanted).min(length)
        };
        match change {
            Change::Put(at, byte) if length > 0 => data[at.index(length)] = *byte,
            Change::Put(_, byte) => data.push(*byte),
            Change::Insert(at, piece) => {
                let at = at.index(length + 1);
                data.splice(at..at, piece.iter().copied());
            }
            Change::Cut(at, wanted) => drop(data.drain(span(at, *wanted))),
            Change::Double(at, wanted) => {
                let span = span(at, *wanted);
                let piece = data[span.clone()].to_vec();
                data.splice(span.end..span.end, piece);
            }
            Change::Mix(at, from, wanted) => {
                let piece = data[span(from, *wanted)].to_vec();
                let at = at.index(length + 1);
                data.splice(at..at, piece);
            }
        }
    }
    data
}

/// The same inputs every time; `FUZZ_CASES` asks for more of them.
fn runner() -> TestRunner {
    let cases = std::env::var("FUZZ_CASES").map_or(400, |text| text.parse().unwrap());
    let config = Config {
        cases,
        failure_persistence: None,
        max_shrink_iters: 4_000,
        ..Config::default()
    };
    TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &[7; 32]))
}

#[test]
fn no_input_made_from_a_fixture_breaks_a_promise_of_its_parser() {
    for (name, targets) in TARGETS {
        let seeds = seeds(name);
        for seed in &seeds {
            targets.iter().for_each(|target| target(seed));
        }
        let input = (
            proptest::sample::select(seeds),
            proptest::collection::vec(change(), 1..8),
        );
        let ended = runner().run(&input, |(seed, changes)| {
            let data = changed(seed, &changes);
            targets.iter().for_each(|target| target(&data));
            Ok(())
        });
        if let Err(found) = ended {
            panic!("{name}: {found}");
        }
    }
}

#[test]
fn no_bytes_at_all_break_a_promise_of_a_parser() {
    let input = proptest::collection::vec(any::<u8>(), 0..80);
    let ended = runner().run(&input, |data| {
        for (_, targets) in TARGETS {
            targets.iter().for_each(|target| target(&data));
        }
        Ok(())
    });
    if let Err(found) = ended {
        panic!("{found}");
    }
}

/// The fixtures must get past the first checks, or the changes of them test nothing.
#[test]
fn the_fixtures_are_what_their_parsers_take() {
    let all = |target: &str, takes: &dyn Fn(&[u8]) -> bool| {
        let seeds = seeds(target);
        assert!(seeds.iter().any(|seed| takes(seed)), "{target}");
    };
    let text = |data: &[u8]| String::from_utf8(data.to_vec()).unwrap();
    all("configuration", &|data| {
        config::parse(&text(data), "seed", &Environment::default()).is_ok()
    });
    all("nginx_time", &|data| {
        text(data).parse::<NginxTime>().is_ok()
    });
    all("resource_id", &|data| {
        ResourceId::parse(&text(data)).is_some()
    });
    all("nginx_servers", &|data| crate::nginx::fuzzing::reads(data));
    all("event", &|data| crate::host::fuzzing::concerns_us(data));
    all("invocation", &|data| {
        let call: serde_json::Value = serde_json::from_slice(data).unwrap();
        call["Data"].is_object()
    });
    for target in ["arm_uniform", "arm_flexible"] {
        all(target, &|data| crate::azure::fuzzing::items(data) > 1);
    }
}

#[test]
fn every_target_has_its_file_and_its_fixtures_and_no_file_is_without_a_target() {
    for (folder, extension) in [("fuzz_targets", ".rs"), ("seeds", "")] {
        let entries = std::fs::read_dir(repository().join("fuzz").join(folder)).unwrap();
        let mut found: Vec<String> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .map(|name| name.trim_end_matches(extension).to_owned())
            .collect();
        found.sort();
        assert_eq!(found, TARGETS.map(|(name, _)| name), "{folder}");
    }
}

/// What the simulated cloud answers and what its host sends: the fixtures of `fuzz/seeds`.
/// `UPDATE_SEEDS=1` writes them anew; without it they are made and taken all the same.
#[tokio::test(flavor = "multi_thread")]
async fn what_the_simulated_cloud_answers_and_sends_breaks_no_promise() {
    for (target, name, data) in fixtures().await {
        let (_, targets) = TARGETS.iter().find(|(known, _)| *known == target).unwrap();
        targets.iter().for_each(|target| target(&data));
        if std::env::var_os("UPDATE_SEEDS").is_some() {
            let folder = repository().join("fuzz/seeds").join(target);
            std::fs::create_dir_all(&folder).unwrap();
            std::fs::write(folder.join(name), &data).unwrap();
        }
    }
}

type Fixture = (&'static str, String, Vec<u8>);

async fn fixtures() -> Vec<Fixture> {
    use simulated_cloud::{Cloud, PowerState, Server, UpstreamEntry, UpstreamKind};

    let cloud = Cloud::start().await;
    let world = cloud.world();
    world.add_uniform_set("web-vmss", 2);
    world.add_flexible_set("db-vmss", 2);
    world.set_power("web-vmss", 1, PowerState::Deallocated);
    for (kind, name) in [(UpstreamKind::Http, "web"), (UpstreamKind::Stream, "db")] {
        world.add_upstream(kind, name);
        world.put_server(kind, name, Server::at("10.0.0.4:80"));
        world.put_server(kind, name, Server::at("[fd00::4]:8080"));
    }
    let (set, db) = (world.set_id("web-vmss"), world.set_id("db-vmss"));
    let mut found: Vec<Fixture> = Vec::new();
    let mut add = |target: &'static str, name: &str, data: &[u8]| {
        found.push((target, name.to_owned(), data.to_vec()));
    };

    let group = set.split("/providers/").next().unwrap();
    let arm = Arm::login(&cloud).await;
    let machines = format!("{set}/virtualMachines?api-version=2024-07-01&$expand=instanceView");
    add("arm_uniform", "machines", &arm.get(&machines).await);
    let nics = format!("{set}/networkInterfaces?api-version=2018-10-01");
    add("arm_uniform", "interfaces", &arm.get(&nics).await);
    world.set_page_size(1);
    add("arm_uniform", "first-page", &arm.get(&nics).await);
    world.set_page_size(100);
    let filter = format!("'virtualMachineScaleSet/id' eq '{db}'").replace(' ', "%20");
    let members = format!(
        "{group}/providers/Microsoft.Compute/virtualMachines?api-version=2024-07-01\
         &$filter={filter}&$expand=instanceView"
    );
    let all =
        format!("{group}/providers/Microsoft.Network/networkInterfaces?api-version=2023-09-01");
    let both = [arm.get(&members).await, arm.get(&all).await].join(&b'\n');
    add("arm_flexible", "machines-and-interfaces", &both);

    for (kind, name) in [("http", "web"), ("stream", "db")] {
        let list = format!("9/{kind}/upstreams/{name}/servers/");
        add("nginx_servers", name, &arm.nginx(&list).await);
        let status = arm.nginx(&format!("9/{kind}/upstreams/{name}/")).await;
        add("nginx_replies", &format!("peers-{name}"), &status);
    }
    let missing = arm.nginx("9/http/upstreams/none/servers/").await;
    add(
        "nginx_replies",
        "missing",
        &[&[0, 104], &missing[..]].concat(),
    );

    let plain = cloud.config_yaml(&[UpstreamEntry::http("web", "web-vmss")]);
    add("configuration", "small", plain.as_bytes());
    let rich = UpstreamEntry::stream("db", "db-vmss", 5432)
        .with("max_conns", "10")
        .with("fail_timeout", "1m30s")
        .with("ownership", "scoped")
        .with("networks", "[10.1.0.0/16, \"fd00::/8\"]")
        .with("policy", "upsert_only");
    let rich = cloud.config_yaml_with(
        &[
            ("sync_interval", "1m30s"),
            ("custom_headers", "{X-A: \"b\"}"),
            ("cloud", "AzureChina"),
        ],
        &[
            rich,
            UpstreamEntry::http("web", "group/web-vmss").with("weight", "3"),
        ],
    );
    add("configuration", "rich", rich.as_bytes());

    host_fixtures(&mut add, &set);
    for (n, time) in ["10s", "1m30s", "0", "1h 15m", "500ms", "1y"]
        .iter()
        .enumerate()
    {
        add("nginx_time", &format!("time-{n}"), time.as_bytes());
    }
    let instance = format!("{set}/virtualMachines/3/networkInterfaces/nic0/ipConfigurations/a");
    for (n, id) in [&set, &instance, &db.to_uppercase()].iter().enumerate() {
        add("resource_id", &format!("id-{n}"), id.as_bytes());
    }
    found
}

fn host_fixtures(add: &mut dyn FnMut(&'static str, &str, &[u8]), set: &str) {
    use serde_json::json;
    use simulated_cloud::functions_host::{cloud_event, event_grid};

    const WRITTEN: &str = "Microsoft.Resources.ResourceWriteSuccess";
    const WRITE: &str = "Microsoft.Compute/virtualMachineScaleSets/write";
    // The configuration of `UPSTREAMS` names this group.
    let ours = "/subscriptions/aaaa0000-0000-0000-0000-000000000001/resourceGroups/rg";
    let set = format!("{ours}{}", &set[set.find("/providers/").unwrap()..]);
    let grid = event_grid(WRITTEN, &set, WRITE);
    let cloud = cloud_event(WRITTEN, &set, WRITE);
    let batch = json!([grid, cloud]);
    for (name, event) in [("grid", &grid), ("cloud", &cloud), ("batch", &batch)] {
        add("event", name, event.to_string().as_bytes());
        let call = json!({ "Data": { "event": event.to_string() }, "Metadata": {} });
        add("invocation", name, call.to_string().as_bytes());
    }
    let headers = json!({ "Accept": ["text/html"] });
    for (name, body) in [
        (
            "forced",
            json!({ "force": "0123abcd", "upstreams": ["web"] }),
        ),
        ("dry", json!({ "dry_run": true })),
        (
            "webhook",
            json!({ "operation": "Scale Out", "context": {} }),
        ),
    ] {
        let request = json!({ "Method": "POST", "Headers": headers, "Body": body.to_string() });
        let call = json!({ "Data": { "req": request }, "Metadata": {} });
        add("invocation", name, call.to_string().as_bytes());
    }
}

/// A client of the simulated cloud.
struct Arm<'a> {
    cloud: &'a simulated_cloud::Cloud,
    http: reqwest::Client,
    token: String,
}

impl<'a> Arm<'a> {
    async fn login(cloud: &'a simulated_cloud::Cloud) -> Self {
        let env = cloud.handler_env();
        let value = |name: &str| {
            env.iter()
                .find(|(known, _)| known == name)
                .unwrap()
                .1
                .clone()
        };
        let pem = std::fs::read(value("SSL_CERT_FILE")).unwrap();
        let http = reqwest::Client::builder()
            .no_proxy()
            .tls_certs_only([reqwest::Certificate::from_pem(&pem).unwrap()])
            .build()
            .unwrap();
        let resource = "https%3A%2F%2Fmanagement.azure.com";
        let url = value("IDENTITY_ENDPOINT") + "?api-version=2019-08-01&resource=" + resource;
        let asked = http
            .get(url)
            .header("X-IDENTITY-HEADER", value("IDENTITY_HEADER"));
        let told = asked.send().await.unwrap().bytes().await.unwrap();
        let told: serde_json::Value = serde_json::from_slice(&told).unwrap();
        let token = told["access_token"].as_str().unwrap().to_owned();
        Self { cloud, http, token }
    }

    async fn get(&self, path: &str) -> Vec<u8> {
        let origin = self.cloud.resource_manager_endpoint();
        let url = format!("{}{path}", origin.trim_end_matches('/'));
        let reply = self
            .http
            .get(url)
            .bearer_auth(&self.token)
            .send()
            .await
            .unwrap();
        assert_eq!(reply.status().as_u16(), 200, "{path}");
        reply.bytes().await.unwrap().to_vec()
    }

    async fn nginx(&self, path: &str) -> Vec<u8> {
        use base64::Engine as _;

        let url = format!("{}/{path}", self.cloud.api_endpoint());
        let key = base64::engine::general_purpose::STANDARD.encode(self.cloud.api_key());
        let asked = self
            .http
            .get(url)
            .header("authorization", format!("ApiKey {key}"));
        asked.send().await.unwrap().bytes().await.unwrap().to_vec()
    }
}
