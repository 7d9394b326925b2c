//! The product's requests, sent again by a plain client.

use std::process::{Command, Stdio};

use simulated_cloud::{Cloud, Service, UpstreamEntry, UpstreamKind};

/// What was answered to one request.
pub(crate) struct Reply {
    /// The path and the query.
    pub(crate) target: String,
    pub(crate) status: u16,
    pub(crate) body: Vec<u8>,
}

/// What the product's `plan` said.
pub(crate) struct Plan {
    pub(crate) code: Option<i32>,
    pub(crate) output: String,
    /// The servers that it would add, sorted.
    pub(crate) added: Vec<String>,
}

/// Runs the product's `plan` for one scale set and an empty upstream.
pub(crate) fn plan(cloud: &Cloud, set: &str) -> Plan {
    cloud.world().add_upstream(UpstreamKind::Http, "upstream");
    let config = cloud.config_yaml(&[UpstreamEntry::http("upstream", set)]);
    let output = Command::new(env!("CARGO_BIN_EXE_contract-product"))
        .args(["plan", "--format", "text"])
        .envs(cloud.handler_env())
        .env("VMSS_SYNC_CONFIG", config)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    // A line begins with the server; what follows says why.
    let added = text
        .lines()
        .filter_map(|line| line.trim().strip_prefix("+ ")?.split_whitespace().next());
    let mut added: Vec<String> = added.map(str::to_owned).collect();
    added.sort();
    let log = String::from_utf8_lossy(&output.stderr);
    Plan {
        code: output.status.code(),
        output: format!("{text}{log}"),
        added,
    }
}

/// Every request that reached Resource Manager so far, each once, sent again with a token of the
/// cloud's own.
pub(crate) async fn replies(cloud: &Cloud) -> Vec<Reply> {
    let client = client(cloud);
    let token = token(cloud, &client).await;
    let mut targets: Vec<String> = Vec::new();
    for request in cloud.requests_to(Service::Arm) {
        assert_eq!(request.method, "GET", "{}", request.path);
        let target = format!("{}?{}", request.path, request.query);
        if !targets.contains(&target) {
            targets.push(target);
        }
    }
    let mut replies = Vec::new();
    for target in targets {
        let url = format!("{}{target}", cloud.resource_manager_endpoint());
        let response = client.get(url).bearer_auth(&token).send().await.unwrap();
        let status = response.status().as_u16();
        let body = response.bytes().await.unwrap().to_vec();
        replies.push(Reply {
            target,
            status,
            body,
        });
    }
    replies
}

fn client(cloud: &Cloud) -> reqwest::Client {
    let authority = reqwest::Certificate::from_pem(cloud.ca_pem().as_bytes()).unwrap();
    reqwest::Client::builder()
        .tls_certs_only([authority])
        .no_proxy()
        .build()
        .unwrap()
}

async fn token(cloud: &Cloud, client: &reqwest::Client) -> String {
    let url = format!(
        "{}?api-version=2019-08-01&resource={}",
        cloud.identity_endpoint(),
        cloud.arm_audience()
    );
    let request = client
        .get(url)
        .header("x-identity-header", cloud.identity_header());
    let body = request.send().await.unwrap().bytes().await.unwrap();
    let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
    body["access_token"].as_str().unwrap().to_owned()
}
