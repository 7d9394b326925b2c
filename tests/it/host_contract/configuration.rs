//! A handler whose configuration cannot be used.

use simulated_cloud::functions_host::{Handler, Reply};
use simulated_cloud::{Cloud, UpstreamEntry};

use super::{PATIENCE, assert_failed, assert_json};
use crate::support::{Running, binary, environment, uniform_cloud, web};

/// One reply of every function.
async fn every_function(handler: &Handler, set: &str) -> Vec<(&'static str, Reply)> {
    vec![
        ("VmssScaleEvent", handler.scale_set_written(set).await),
        ("ReconcileTimer", handler.timer_tick().await),
        (
            "Reconcile",
            handler.http("Reconcile", "POST", None, &[]).await,
        ),
        ("Status", handler.http("Status", "GET", None, &[]).await),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn it_stays_up_answers_the_ping_and_fails_every_invocation_with_all_problems() {
    let cloud = uniform_cloud(2).await;
    let broken = UpstreamEntry::http("web", "web-vmss")
        .with("max_fials", "3")
        .with("fail_timeout", "soon")
        .with("policy", "never");
    let yaml = cloud.config_yaml_with(&[("api_endpiont", "https://x.example/nplus")], &[broken]);
    let running = Running::with_yaml(cloud, &yaml).await;
    let ping = running.handler.get("/").await;
    assert_eq!(ping.status, 200);
    assert_json(&ping, "ping");
    let set = running.world().set_id("web-vmss");
    let places = [
        "api_endpiont",
        "upstreams[0].max_fials",
        "upstreams[0].fail_timeout",
        "upstreams[0].policy",
    ];
    for (name, reply) in every_function(&running.handler, &set).await {
        assert_failed(&reply, name);
        for place in places {
            let told = reply.logs().iter().any(|line| line.contains(place));
            assert!(told, "{name} does not tell {place}: {:#?}", reply.logs());
        }
        running.assert_on_stdout(&reply.logs()).await;
    }
    assert_eq!(running.handler.exited(), None);
    assert_eq!(running.handler.get("/").await.status, 200);
    running.assert_silent("an unusable configuration");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_failed_invocation_leaves_its_lines_on_stdout() {
    let running = Running::with_yaml(uniform_cloud(1).await, "nonsense: true").await;
    let count = |lines: Vec<String>| {
        lines
            .iter()
            .filter(|line| line.contains("nonsense"))
            .count()
    };
    assert_failed(&running.handler.timer_tick().await, "first");
    assert_failed(&running.handler.timer_tick().await, "second");
    let last = running.handler.timer_tick().await;
    assert_failed(&last, "third");
    running.assert_on_stdout(&last.logs()).await;
    // Once at the start, and once for each invocation; the last line may still be on its way.
    assert!(count(running.handler.stdout_lines()) >= 3);
    assert_eq!(running.handler.stderr_lines(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_reply_of_an_http_function_tells_its_caller_the_problems() {
    let running = Running::with_yaml(uniform_cloud(1).await, "upstreams: 3").await;
    let reply = running.handler.http("Reconcile", "POST", None, &[]).await;
    assert_failed(&reply, "Reconcile");
    let (status, body) = reply.http_response().expect("an HTTP response");
    assert_eq!(status, 500);
    assert!(body.to_string().contains("upstreams"), "{body}");
}

async fn spawn(cloud: &Cloud, change: impl FnOnce(&mut Vec<(String, String)>)) -> Handler {
    let mut env = environment(cloud, &cloud.config_yaml(&[web()]));
    change(&mut env);
    let directory = cloud.directory();
    Handler::try_spawn(binary(), env, Some(&directory))
        .await
        .expect("the handler is up")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_configuration_is_told_like_a_wrong_one() {
    let cloud = uniform_cloud(1).await;
    let handler = spawn(&cloud, |env| {
        env.retain(|(name, _)| name != "VMSS_SYNC_CONFIG");
    })
    .await;
    for (name, reply) in every_function(&handler, &cloud.world().set_id("web-vmss")).await {
        assert_failed(&reply, name);
        let told = reply
            .logs()
            .iter()
            .any(|line| line.contains("VMSS_SYNC_CONFIG"));
        assert!(told, "{name}: {:?}", reply.logs());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trust_store_that_cannot_be_read_is_told_like_a_wrong_configuration() {
    let cloud = uniform_cloud(1).await;
    let handler = spawn(&cloud, |env| {
        env.retain(|(name, _)| name != "SSL_CERT_FILE");
        env.push(("SSL_CERT_FILE".to_owned(), "/nonexistent/ca.pem".to_owned()));
    })
    .await;
    assert_eq!(handler.get("/").await.status, 200);
    let reply = handler.timer_tick().await;
    assert_failed(&reply, "no trust store");
    assert!(
        handler.wait_for_line(&reply.logs()[0], PATIENCE).await,
        "{:?}",
        reply.logs()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_configuration_is_found_by_setting_by_path_and_in_the_working_directory() {
    let cloud = uniform_cloud(2).await;
    let directory = cloud.directory();
    let yaml = cloud.config_yaml(&[web()]);
    std::fs::write(directory.join("config.yaml"), &yaml).expect("written");
    std::fs::write(directory.join("elsewhere.yaml"), &yaml).expect("written");
    let elsewhere = directory
        .join("elsewhere.yaml")
        .to_string_lossy()
        .into_owned();
    for named in [Some(elsewhere), None] {
        let handler = spawn(&cloud, |env| {
            env.retain(|(name, _)| name != "VMSS_SYNC_CONFIG");
            env.extend(
                named
                    .clone()
                    .map(|path| ("VMSS_SYNC_CONFIG_PATH".to_owned(), path)),
            );
        })
        .await;
        let reply = handler.timer_tick().await;
        assert!(reply.succeeded(), "{named:?}: {}", reply.text);
    }
}
