//! `serve`: the custom handler.

use std::net::Ipv4Addr;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context as _, bail};
use tokio::net::TcpListener;

use super::Common;
use crate::config::{self, ConfigError, Environment, Problem};
use crate::host::{self, App, Limits};
use crate::reconcile::Reconciler;
use crate::services::Services;

const PORT_VARIABLE: &str = "FUNCTIONS_CUSTOMHANDLER_PORT";

/// Binds the port that the host has chosen: on the loopback address the host dials, never wider.
pub(super) async fn listen() -> anyhow::Result<TcpListener> {
    let text = match std::env::var(PORT_VARIABLE) {
        Ok(text) => text,
        Err(_) => bail!(
            "`{PORT_VARIABLE}` is not set: the Functions host sets it; to try the handler by hand, \
             set it to a free port, e.g. `{PORT_VARIABLE}=8080 nginx-vmss-sync serve`"
        ),
    };
    let port: u16 = text
        .trim()
        .parse()
        .ok()
        .filter(|port| *port != 0)
        .with_context(|| {
            format!(
                "`{PORT_VARIABLE}` is `{}`, which is not a port; write a number from 1 to 65535",
                text.escape_debug()
            )
        })?;
    TcpListener::bind((Ipv4Addr::LOCALHOST, port))
        .await
        .with_context(|| {
            format!(
                "`127.0.0.1:{port}` cannot be listened on; choose another port, or end the process that has it"
            )
        })
}

/// Serves until the host kills the process. An unusable configuration does not end it: a process
/// that dies is started again three times and then taken for dead, without a word about why.
pub(super) async fn serve(listener: TcpListener, common: &Common) -> anyhow::Result<ExitCode> {
    let app = Arc::new(App::default());
    let preparation = tokio::spawn(prepare(common.clone()));
    let prepared = Arc::clone(&app);
    tokio::spawn(async move {
        // Invocations wait for this: a panic must not leave them waiting for ever.
        let ready = preparation
            .await
            .unwrap_or_else(|error| Err(start_up(format!("a fault of this program: {error}"))));
        if let Err(error) = &ready {
            for line in error.lines() {
                tracing::error!("{line}");
            }
        }
        prepared.set(ready);
    });
    host::serve(listener, app, Limits::default()).await;
    bail!("the server ended")
}

/// Reads the configuration and puts the parts together.
async fn prepare(common: Common) -> Result<Arc<Reconciler>, ConfigError> {
    tracing::info!("nginx-vmss-sync version {}", env!("CARGO_PKG_VERSION"));
    let environment = Environment::from_process();
    let config = config::load(common.config.as_deref(), &environment)?;
    for warning in &config.warnings {
        tracing::warn!("{warning}");
    }
    let services = Services::new(&config).map_err(|error| start_up(error.to_string()))?;
    tracing::info!(
        upstreams = config.upstreams.len(),
        "ready as {}",
        services.identity.kind()
    );
    Ok(services.reconciler)
}

fn start_up(message: String) -> ConfigError {
    ConfigError {
        origin: "start-up".to_owned(),
        problems: vec![Problem {
            path: String::new(),
            message,
        }],
    }
}
