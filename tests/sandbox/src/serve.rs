//! `--serve`: everything runs, and the user plays.

use std::fmt::Write as _;
use std::net::Ipv4Addr;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::control;
use crate::stage::{BACKENDS, ONE, Stage, TWO};

/// Prints how to use the stage and serves the control plane for as long as it is polled.
pub(crate) async fn serve(stage: &Stage) -> Result<(), String> {
    let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .await
        .map_err(|error| format!("cannot open the control port: {error}"))?;
    let address = listener.local_addr().map_err(|error| error.to_string())?;
    let env_file = stage.cloud.directory().join("env.sh");
    std::fs::write(&env_file, exports(&stage.env))
        .map_err(|error| format!("cannot write {}: {error}", env_file.display()))?;

    println!(
        "{}",
        guide(
            stage,
            &format!("http://{address}"),
            &env_file.display().to_string()
        )
    );

    let control = axum::serve(
        listener,
        control::router(stage.cloud.world(), Arc::clone(&stage.handler)),
    );
    control.await.map_err(|error| error.to_string())
}

fn exports(env: &[(String, String)]) -> String {
    let mut text = String::new();
    for (name, value) in env {
        let _ = writeln!(text, "export {name}='{value}'");
    }
    text
}

fn guide(stage: &Stage, control: &str, env_file: &str) -> String {
    let cloud = &stage.cloud;
    let ca = cloud.ca_pem_path().display().to_string();
    let handler = format!("http://127.0.0.1:{}", stage.handler.port());
    let key = STANDARD.encode(cloud.api_key());
    let servers = format!(
        "{}/9/http/upstreams/{}/servers/",
        cloud.api_endpoint(),
        ONE.upstream
    );
    let identity = format!(
        "{}?api-version=2019-08-01&resource={}",
        cloud.identity_endpoint(),
        cloud.arm_audience()
    );
    let set = format!(
        "{}{}?api-version=2024-07-01",
        cloud.resource_manager_endpoint(),
        cloud.world().set_id(ONE.set)
    );
    let timer = "{\"Data\":{\"timer\":{}},\"Metadata\":{}}";
    let mut traffic = String::new();
    for backend in BACKENDS {
        let port = cloud.traffic_port(backend.upstream);
        let _ = writeln!(
            traffic,
            "  curl -s http://127.0.0.1:{port}/   # through {}",
            backend.upstream
        );
    }
    format!(
        "\
Everything runs until Ctrl-C. Lines below are ready to be pasted into a shell.

Addresses
  Resource Manager   {arm}
  Key Vault          {vault}
  identity           {identity_endpoint}
  NGINX Plus API     {api}
  handler            {handler}
  control            {control}

Files
  configuration      {config}
  CA certificate     {ca}
  environment        {env_file}   (source it before `nginx-vmss-sync …` or `func start`)

{exports}
Scale a set, as Azure would (`begin` and `settle` do it in two halves)
  curl -s -X POST {control}/scale/{one}/3
  curl -s -X POST {control}/begin/{two}/1
  curl -s -X POST {control}/settle/{two}

Tell the handler, as the Functions host would
  curl -s -X POST {handler}/ReconcileTimer -H 'Content-Type: application/json' -d '{timer}'

See the status page in a browser, or as JSON
  {control}/status
  curl -s {control}/status

See what NGINX has, and send it requests
  curl -s {control}/
  curl -s --cacert {ca} -H 'Authorization: ApiKey {key}' {servers}
{traffic}
Look at the simulated Azure
  TOKEN=$(curl -s -H 'X-IDENTITY-HEADER: {identity_header}' '{identity}' | sed 's/.*\"access_token\":\"\\([^\"]*\\)\".*/\\1/')
  curl -s --cacert {ca} -H \"Authorization: Bearer $TOKEN\" '{set}'

Run the other commands
  (. {env_file}; {binary} plan)
  (. {env_file}; {binary} check)
  (. {env_file}; {binary} sync --watch)",
        binary = stage.binary.display(),
        arm = cloud.resource_manager_endpoint(),
        vault = cloud.vault_endpoint(),
        identity_endpoint = cloud.identity_endpoint(),
        api = cloud.api_endpoint(),
        config = stage.config.display(),
        exports = exports(&stage.env),
        one = ONE.set,
        two = TWO.set,
        identity_header = cloud.identity_header(),
    )
}
