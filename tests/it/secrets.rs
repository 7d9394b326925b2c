//! No secret is ever told: not in the log at its most talkative, not in a reply, not in a plan.

use base64::Engine as _;
use simulated_cloud::functions_host::{Handler, run};
use simulated_cloud::{Cloud, Fault, Match, Service};

use crate::safety_support::{SET, SET_NICS, assert_no_leak, call, reconcile};
use crate::support::{Running, binary, environment, uniform_cloud, web};

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
    for key in keys {
        secrets.push((*key).to_owned());
        secrets.push(encoded(key));
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

fn talkative(cloud: &Cloud, yaml: &str, filter: &str, format: &str) -> Vec<(String, String)> {
    let mut env = environment(cloud, yaml);
    env.push(("RUST_LOG".to_owned(), filter.to_owned()));
    env.push(("LOG_FORMAT".to_owned(), format.to_owned()));
    env
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handler_that_logs_everything_tells_no_secret_in_good_times_and_in_bad() {
    for format in ["text", "json"] {
        let cloud = uniform_cloud(3).await;
        let world = cloud.world();
        let first = cloud.api_key();
        let keys = [first.as_str(), "the-second-canary-key"];
        let env = talkative(&cloud, &cloud.config_yaml(&[web()]), "trace", format);
        let handler = Handler::spawn(binary(), env).await;
        let running = Running { cloud, handler };
        let mut told = String::new();
        for round in 0..9 {
            running.cloud.clear_faults();
            match round {
                1 => world.scale("web-vmss", 5),
                2 => world.rotate_key(keys[1], true),
                3 => world.revoke_tokens(),
                4 => drop(running.cloud.fault(call(SET), Fault::status(401), None)),
                5 => {
                    let link = format!("{}/next", running.cloud.foreign_url());
                    drop(
                        running
                            .cloud
                            .fault(call(SET_NICS), Fault::ForeignNextLink(link), None),
                    );
                }
                6 => {
                    world.revoke_tokens();
                    drop(
                        running
                            .cloud
                            .fault(Match::identity(), Fault::TruncatedJson, None),
                    );
                }
                7 => world.rotate_key("nobody-knows-this-one", false),
                8 => {
                    drop(
                        running
                            .cloud
                            .fault(Match::vault(), Fault::TruncatedJson, None),
                    );
                }
                _ => {}
            }
            told += &running.handler.timer_tick().await.text;
            told += &reconcile(&running, "{}").await.1.to_string();
            told += &running.handler.http("Status", "GET", None, &[]).await.text;
        }
        let secrets = secrets(&running.cloud, &keys);
        assert!(secrets.len() > 6, "several tokens were given out");
        assert_untold("a reply", &told, &secrets);
        let stdout = running.handler.stdout_lines();
        assert!(
            stdout.iter().any(|line| line.contains("TRACE")),
            "it logs everything"
        );
        assert_untold("stdout", &stdout.join("\n"), &secrets);
        assert_untold(
            "stderr",
            &running.handler.stderr_lines().join("\n"),
            &secrets,
        );
        assert_no_leak(&running.cloud);
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
    let plans: [&[&str]; 2] = [&["plan"], &["plan", "--format", "json"]];
    for yaml in [&vault, &environment_key, &in_header, &both, &misplaced] {
        for arguments in plans.into_iter().chain([&["check"][..], &["sync"][..]]) {
            let mut env = talkative(&cloud, yaml, "trace", "text");
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
            Service::Foreign => false,
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
