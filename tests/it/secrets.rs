//! No secret is ever told: not in the log at its most talkative, not in a reply, not in a plan, not
//! in what a collector receives.

use base64::Engine as _;
use simulated_cloud::functions_host::{Handler, run};
use simulated_cloud::{Cloud, Fault, FaultHandle, Match, Recorded, Service};

use crate::host_contract::PATIENCE;
use crate::safety_support::{SET, SET_MACHINES, SET_NICS, assert_no_leak, call, reconcile};
use crate::support::{Running, binary, environment, uniform_cloud, web};

/// The key that a collector asks for, as `OTEL_EXPORTER_OTLP_HEADERS` has it.
const COLLECTOR_KEY: &str = "the-collectors-canary-key";

fn encoded(key: &str) -> String {
    base64::engine::general_purpose::STANDARD.encode(key)
}

/// Every secret that this cloud has given out or knows.
fn secrets(cloud: &Cloud, keys: &[&str]) -> Vec<String> {
    let tokens = cloud.world().issued_tokens();
    // Of a token its claims may be told, its last part never.
    let signature = |token: &String| token.rsplit('.').next().unwrap_or_default().to_owned();
    let mut secrets: Vec<String> = tokens.iter().map(signature).collect();
    secrets.extend(tokens);
    secrets.push(cloud.identity_header());
    secrets.push(COLLECTOR_KEY.to_owned());
    for key in keys {
        secrets.push((*key).to_owned());
        secrets.push(encoded(key));
        // The same without its padding, and in the other alphabet.
        secrets.push(base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(key));
    }
    secrets
}

fn assert_untold(what: &str, text: &str, secrets: &[String]) {
    for secret in secrets {
        if let Some(place) = text.find(secret.as_str()) {
            let line = text[..place].matches('\n').count();
            let line = text
                .lines()
                .nth(line)
                .unwrap_or_default()
                .replace(secret, "<SECRET>");
            panic!("{what} tells a secret: {line}");
        }
    }
}

/// What the collector received, apart from the header that is its own key. Texts in protobuf stand
/// there as they are.
fn exported(cloud: &Cloud) -> String {
    let mut text = String::new();
    for request in cloud.requests_to(Service::Collector) {
        text += &format!("{} {} ", request.path, request.query);
        for (name, value) in request.headers.iter().filter(|(name, _)| name != "api-key") {
            text += &format!("{name}: {value} ");
        }
        text += &String::from_utf8_lossy(&request.bytes);
        text.push('\n');
    }
    text
}

/// The secrets were in play: each has reached the service it is for. Without this, a run in which
/// nothing happened would tell no secret, either.
fn assert_in_play(cloud: &Cloud, keys: &[&str]) {
    let sent = |service: Service, header: &str| -> Vec<String> {
        let requests = cloud.requests_to(service);
        let values = requests.iter().filter_map(|request| request.header(header));
        values.map(str::to_owned).collect()
    };
    let issued = cloud.world().issued_tokens();
    for service in [Service::Arm, Service::Vault] {
        let tokens = sent(service, "authorization");
        let known = |token: &String| issued.iter().any(|issued| token.ends_with(issued.as_str()));
        assert!(tokens.iter().any(known), "{service:?} got a token");
    }
    let keys_sent = sent(Service::Nginx, "authorization");
    for key in keys {
        let sent = format!("ApiKey {}", encoded(key));
        assert!(keys_sent.contains(&sent), "NGINX got `{key}`");
    }
    assert!(sent(Service::Identity, "x-identity-header").contains(&cloud.identity_header()));
}

fn talkative(cloud: &Cloud, yaml: &str, filter: &str, format: &str) -> Vec<(String, String)> {
    let mut env = environment(cloud, yaml);
    let headers = format!("api-key={COLLECTOR_KEY}");
    for (name, value) in [
        ("RUST_LOG", filter),
        ("LOG_FORMAT", format),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", &cloud.collector_endpoint()),
        ("OTEL_EXPORTER_OTLP_HEADERS", &headers),
        ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "http/json"),
    ] {
        env.push((name.to_owned(), value.to_owned()));
    }
    env
}

/// The rounds of [`trouble`].
const ROUNDS: usize = 15;

/// What goes wrong, round by round, after a first round in which nothing does. Those that spoil the
/// key come last: nothing else would be reached after them.
fn trouble(cloud: &Cloud, round: usize, key: &str) -> Vec<FaultHandle> {
    let world = cloud.world();
    match round {
        1 => world.scale("web-vmss", 5),
        2 => world.rotate_key(key, true),
        3 | 6 | 9 => world.revoke_tokens(),
        12 => world.rotate_key("nobody-knows-this-one", false),
        _ => {}
    }
    let faults = match round {
        4 => vec![(call(SET), Fault::status(401))],
        5 => {
            let link = format!("{}/next", cloud.foreign_url());
            vec![(call(SET_NICS), Fault::ForeignNextLink(link))]
        }
        6 => vec![(Match::identity(), Fault::TruncatedJson)],
        7 => vec![(
            Match::arm(),
            Fault::arm_error(403, "AuthorizationFailed", "no"),
        )],
        8 => vec![
            (call(SET_MACHINES), Fault::TruncatedJson),
            (call(SET_NICS), Fault::WrongTypes),
            (Match::collector(), Fault::status(401)),
        ],
        9 => vec![(Match::identity(), Fault::HtmlError(500))],
        10 => vec![
            (Match::arm(), Fault::Redirect(cloud.foreign_url())),
            (Match::collector(), Fault::Redirect(cloud.foreign_url())),
        ],
        11 => vec![
            (Match::nginx(), Fault::CutBody),
            (Match::collector(), Fault::Reset),
        ],
        13 => vec![(Match::vault(), Fault::TruncatedJson)],
        14 => vec![
            (Match::vault(), Fault::status(403)),
            (Match::nginx(), Fault::HtmlError(403)),
        ],
        _ => vec![],
    };
    let add = |(matches, fault)| cloud.fault(matches, fault, None);
    faults.into_iter().map(add).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handler_that_logs_everything_tells_no_secret_in_good_times_and_in_bad() {
    for format in ["text", "json"] {
        let cloud = uniform_cloud(3).await;
        let first = cloud.api_key();
        let keys = [first.as_str(), "the-second-canary-key"];
        let env = talkative(&cloud, &cloud.config_yaml(&[web()]), "trace", format);
        let handler = Handler::spawn(binary(), env).await;
        let running = Running { cloud, handler };
        let cloud = &running.cloud;
        let mut told = String::new();
        for round in 0..ROUNDS {
            cloud.clear_faults();
            let faults = trouble(cloud, round, keys[1]);
            let tick = running.handler.timer_tick().await;
            let goes_wrong = round > 11 || !faults.is_empty();
            assert_eq!(
                !tick.succeeded(),
                goes_wrong,
                "round {round}: {}",
                tick.text
            );
            told += &tick.text;
            told += &running.event("web-vmss").await.text;
            told += &reconcile(&running, "{}").await.1.to_string();
            told += &reconcile(&running, r#"{"dry_run":true}"#)
                .await
                .1
                .to_string();
            for accept in ["application/json", "text/html"] {
                let headers = [("accept", accept)];
                let status = running.handler.http("Status", "GET", None, &headers);
                told += &status.await.text;
            }
            // The key is not read again at once, and an export comes when its time has come.
            let begun = std::time::Instant::now();
            while faults.iter().any(|fault| fault.hits() == 0) {
                assert!(
                    begun.elapsed() < PATIENCE * 3,
                    "round {round}: nothing went wrong"
                );
                told += &running.handler.timer_tick().await.text;
            }
        }
        cloud.clear_faults();
        told += &running.handler.timer_tick().await.text;
        let collected = |requests: &[Recorded]| {
            let taken = |request: &&Recorded| {
                request.service == Service::Collector && request.status == Some(200)
            };
            let taken: Vec<&str> = requests
                .iter()
                .filter(taken)
                .map(|request| request.path.as_str())
                .collect();
            taken.contains(&"/v1/traces") && taken.contains(&"/v1/metrics")
        };
        assert!(
            cloud.wait_until(PATIENCE, collected).await,
            "both signals are exported"
        );

        assert_in_play(cloud, &keys);
        let collector_key = |request: &Recorded| request.header("api-key") == Some(COLLECTOR_KEY);
        assert!(
            cloud
                .requests_to(Service::Collector)
                .iter()
                .all(collector_key)
        );
        let secrets = secrets(cloud, &keys);
        let tokens = cloud.world().issued_tokens();
        assert!(
            tokens.len() >= 4,
            "several tokens were given out: {}",
            tokens.len()
        );
        let stdout = running.handler.stdout_lines();
        for talker in [
            "TRACE",
            "hyper",
            "typespec_client_core",
            "reqwest",
            "NGINX call",
        ] {
            let talks = stdout.iter().any(|line| line.contains(talker));
            assert!(talks, "it logs everything: {talker}");
        }
        assert_untold("a reply", &told, &secrets);
        assert_untold("stdout", &stdout.join("\n"), &secrets);
        assert_untold(
            "stderr",
            &running.handler.stderr_lines().join("\n"),
            &secrets,
        );
        assert_untold("an export", &exported(cloud), &secrets);
        assert!(
            exported(cloud).contains("nginx_vmss_sync.trigger"),
            "exports can be read"
        );
        assert_no_leak(cloud);
    }
}

/// The commands, with the key in each of its places.
#[tokio::test(flavor = "multi_thread")]
async fn no_command_tells_a_secret_wherever_the_key_comes_from() {
    let cloud = uniform_cloud(3).await;
    let key = cloud.api_key();
    let header = format!("{{Authorization: \"ApiKey {}\"}}", encoded(&key));
    let none = ("api_key_secret", "");
    let vault = cloud.config_yaml(&[web()]);
    let environment_key = cloud.config_yaml_with(&[none], &[web()]);
    let in_header = cloud.config_yaml_with(&[none, ("custom_headers", &header)], &[web()]);
    // A document that is refused, with the key in the wrong places.
    let both = cloud.config_yaml_with(&[("custom_headers", &header)], &[web()]);
    let misplaced =
        cloud.config_yaml_with(&[("api_key_secret", &key), ("api_key", &key)], &[web()]);
    let log = cloud.directory().join("commands.log");
    let log_path = log.to_string_lossy().into_owned();
    let commands: [&[&str]; 6] = [
        &["plan"],
        &["plan", "--format", "json"],
        &["check"],
        &["check", "--format", "json"],
        &["sync", "--log-path", &log_path],
        &["sync"],
    ];
    for yaml in [&vault, &environment_key, &in_header, &both, &misplaced] {
        for (place, arguments) in commands.into_iter().enumerate() {
            let format = ["text", "json"][place % 2];
            let mut env = talkative(&cloud, yaml, "trace", format);
            if yaml == &environment_key {
                env.push(("NGINXAAS_DATAPLANE_API_KEY".to_owned(), key.clone()));
            }
            let output = run(binary(), arguments, &env, None).await;
            let secrets = secrets(&cloud, &[&key]);
            assert_untold(&format!("{arguments:?}: stdout"), &output.stdout, &secrets);
            assert_untold(&format!("{arguments:?}: stderr"), &output.stderr, &secrets);
            let good = yaml != &both && yaml != &misplaced;
            assert_eq!(
                good,
                output.code != Some(1),
                "{arguments:?}: {}",
                output.stderr
            );
        }
    }
    assert_in_play(&cloud, &[&key]);
    let secrets = secrets(&cloud, &[&key]);
    let log = std::fs::read_to_string(log).expect("a log file");
    assert!(log.contains("TRACE"), "the log file has everything");
    assert_untold("the log file", &log, &secrets);
    assert_untold("an export", &exported(&cloud), &secrets);
    assert!(
        exported(&cloud).contains("http.request.method"),
        "exports can be read"
    );
    assert_no_leak(&cloud);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_doctor_tells_no_secret_whatever_it_finds() {
    const NAME: &str = "nginxaas-dataplane-key";
    type Trouble = fn(&Cloud, &str) -> String;
    let sound: Trouble = |cloud, _| cloud.config_yaml(&[web()]);
    let troubles: [(&str, Trouble, bool); 9] = [
        ("nothing", sound, true),
        (
            "stored in base64",
            |cloud, key| {
                cloud.world().set_secret(NAME, &encoded(key));
                cloud.config_yaml(&[web()])
            },
            false,
        ),
        (
            "stored as a header",
            |cloud, key| {
                let header = format!("ApiKey {}", encoded(key));
                cloud.world().set_secret(NAME, &header);
                cloud.config_yaml(&[web()])
            },
            false,
        ),
        (
            "stored in quotation marks",
            |cloud, key| {
                cloud.world().set_secret(NAME, &format!("\"{key}\""));
                cloud.config_yaml(&[web()])
            },
            false,
        ),
        (
            "stored with a line break",
            |cloud, key| {
                cloud.world().set_secret(NAME, &format!("{key}\n"));
                cloud.config_yaml(&[web()])
            },
            true,
        ),
        (
            "raw in a header",
            |cloud, key| {
                let header = format!("{{Authorization: \"ApiKey {key}\"}}");
                let top = [("api_key_secret", ""), ("custom_headers", header.as_str())];
                cloud.config_yaml_with(&top, &[web()])
            },
            false,
        ),
        (
            "refused",
            |cloud, _| {
                cloud.world().rotate_key("nobody-knows-this-one", false);
                cloud.config_yaml(&[web()])
            },
            false,
        ),
        (
            "no role anywhere",
            |cloud, _| {
                cloud.world().limit_roles_to(&[]);
                cloud.config_yaml(&[web()])
            },
            false,
        ),
        (
            "the wrong path",
            |cloud, _| {
                let endpoint = cloud.api_endpoint().replace("/nplus", "");
                cloud.config_yaml_with(&[("api_endpoint", &endpoint)], &[web()])
            },
            false,
        ),
    ];
    for (what, trouble, is_sound) in troubles {
        let cloud = uniform_cloud(2).await;
        let key = cloud.api_key();
        let yaml = trouble(&cloud, &key);
        for format in ["text", "json"] {
            let env = talkative(&cloud, &yaml, "trace", format);
            let output = run(binary(), &["check", "--format", format], &env, None).await;
            assert_eq!(
                output.code,
                Some(i32::from(!is_sound)),
                "{what}: {}",
                output.stdout
            );
            assert!(
                output.stderr.contains("TRACE"),
                "{what}: it logs everything"
            );
            let mut secrets = secrets(&cloud, &[&key, &encoded(&key)]);
            secrets.push("nobody-knows-this-one".to_owned());
            let tokens = cloud.world().issued_tokens();
            assert!(!tokens.is_empty(), "{what}: tokens were given out");
            assert_untold(&format!("{what}: stdout"), &output.stdout, &secrets);
            assert_untold(&format!("{what}: stderr"), &output.stderr, &secrets);
        }
        assert_no_leak(&cloud);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_credential_goes_only_where_it_belongs() {
    let running = Running::start(uniform_cloud(2).await, &[web()]).await;
    assert!(running.handler.timer_tick().await.succeeded());
    let authorization = format!("ApiKey {}", encoded(&running.cloud.api_key()));
    let requests = running.cloud.requests();
    for request in &requests {
        let sent = request.header("authorization").unwrap_or_default();
        let fits = match request.service {
            Service::Nginx => sent == authorization,
            Service::Arm => sent.starts_with("Bearer "),
            Service::Vault => sent.is_empty() || sent.starts_with("Bearer "),
            Service::Identity => sent.is_empty() && request.header("x-identity-header").is_some(),
            Service::Collector | Service::Foreign => false,
        };
        assert!(
            fits,
            "{:?} {} has the wrong credential",
            request.service, request.path
        );
        let identity = request.header("x-identity-header").is_some();
        assert_eq!(
            identity,
            request.service == Service::Identity,
            "{}",
            request.path
        );
    }
    // The vault's token is not Resource Manager's.
    let tokens = |service: Service| -> Vec<&str> {
        let of = requests.iter().filter(|request| request.service == service);
        of.filter_map(|request| request.header("authorization"))
            .collect()
    };
    let vault = tokens(Service::Vault);
    assert!(
        !vault.is_empty()
            && vault
                .iter()
                .all(|token| !tokens(Service::Arm).contains(token))
    );
}
