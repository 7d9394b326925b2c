//! The handler process, started and invoked as the host does it.

use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use serde_json::Value;

use super::client::{self, Call};
use super::process::Process;
use super::reply::Reply;
use super::{envelope, events};
use crate::random;

/// How often the host asks whether the handler is up.
const READINESS_INTERVAL: Duration = Duration::from_millis(25);

/// How long the host waits for the handler to come up.
const READINESS_LIMIT: Duration = Duration::from_secs(30);

/// How often a port is chosen when the first ones turn out to be taken.
const PORT_ATTEMPTS: u32 = 3;

/// How long an invocation may take here; the host itself would wait for minutes.
const INVOCATION_LIMIT: Duration = Duration::from_secs(120);

/// The handler did not come up.
#[derive(Debug)]
pub struct SpawnError {
    reason: String,
    output: Vec<String>,
}

impl SpawnError {
    fn is_taken_port(&self) -> bool {
        self.output
            .iter()
            .any(|line| line.contains("already in use"))
    }
}

impl std::fmt::Display for SpawnError {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            formatter,
            "{}; it printed:\n{}",
            self.reason,
            self.output.join("\n")
        )
    }
}

impl std::error::Error for SpawnError {}

/// A running handler. Killed when dropped.
#[derive(Debug)]
pub struct Handler {
    process: Process,
    port: u16,
}

impl Handler {
    /// Starts the handler and waits until it answers `GET /`.
    ///
    /// # Panics
    ///
    /// When it does not come up; see [`Handler::try_spawn`].
    pub async fn spawn(binary: impl AsRef<Path>, env: Vec<(String, String)>) -> Self {
        match Self::try_spawn(binary, env, None).await {
            Ok(handler) => handler,
            Err(error) => panic!("{error}"),
        }
    }

    /// Starts the handler in `directory` and waits until it answers `GET /`.
    ///
    /// The port is free when it is chosen, but somebody may be faster (the host has the same
    /// race), so a handler that finds its port taken is started again.
    ///
    /// # Errors
    ///
    /// When it cannot be started, ends early, or does not answer within 30 seconds.
    pub async fn try_spawn(
        binary: impl AsRef<Path>,
        env: Vec<(String, String)>,
        directory: Option<&Path>,
    ) -> Result<Self, SpawnError> {
        let mut attempts = PORT_ATTEMPTS;
        loop {
            attempts -= 1;
            match Self::spawn_once(binary.as_ref(), env.clone(), directory).await {
                Err(error) if attempts > 0 && error.is_taken_port() => {}
                outcome => return outcome,
            }
        }
    }

    async fn spawn_once(
        binary: &Path,
        mut env: Vec<(String, String)>,
        directory: Option<&Path>,
    ) -> Result<Self, SpawnError> {
        let port = free_port();
        for kind in ["CUSTOMHANDLER", "HTTPWORKER"] {
            env.push((format!("FUNCTIONS_{kind}_PORT"), port.to_string()));
        }
        env.push((
            "FUNCTIONS_CUSTOMHANDLER_WORKER_ID".to_owned(),
            random::guid(),
        ));
        env.push(("FUNCTIONS_HTTPWORKER_ID".to_owned(), random::guid()));
        let process = Process::spawn(binary, &[], &env, directory).map_err(|error| {
            let reason = format!("cannot start {}: {error}", binary.display());
            SpawnError {
                reason,
                output: Vec::new(),
            }
        })?;
        let handler = Self { process, port };
        let ready = tokio::time::timeout(READINESS_LIMIT, handler.until_ready()).await;
        let reason = match ready {
            Ok(Ok(())) => return Ok(handler),
            Ok(Err(code)) => format!("the handler ended with {code:?} before it was ready"),
            Err(_) => "the handler did not answer GET / in time".to_owned(),
        };
        handler.process.kill().await;
        let mut output = handler.stdout_lines();
        output.extend(handler.stderr_lines());
        Err(SpawnError { reason, output })
    }

    /// Asks every 25 ms, as the host does; any HTTP reply counts as ready.
    async fn until_ready(&self) -> Result<(), Option<i32>> {
        let mut ticks = tokio::time::interval(READINESS_INTERVAL);
        loop {
            ticks.tick().await;
            if let Some(code) = self.process.exited() {
                return Err(code);
            }
            if self.get("/").await.status != 0 {
                return Ok(());
            }
        }
    }

    /// The process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// The port that the handler listens on.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// A plain GET, such as the host's ping.
    pub async fn get(&self, path: &str) -> Reply {
        let call = Call {
            method: "GET",
            path,
            headers: &[],
            body: None,
        };
        exchange(self.port, call).await
    }

    /// Delivers one event (or, as an array, a batch) to `VmssScaleEvent`.
    pub async fn event(&self, event: &Value) -> Reply {
        self.invoke(
            "VmssScaleEvent",
            &envelope::event("VmssScaleEvent", "event", event),
        )
        .await
    }

    /// Tells the handler that a scale set was written, as after any scaling.
    pub async fn scale_set_written(&self, set_id: &str) -> Reply {
        let operation = "Microsoft.Compute/virtualMachineScaleSets/write";
        let kind = "Microsoft.Resources.ResourceWriteSuccess";
        self.event(&events::event_grid(kind, set_id, operation))
            .await
    }

    /// A tick of `ReconcileTimer`.
    pub async fn timer_tick(&self) -> Reply {
        let body = envelope::timer("ReconcileTimer", "timer", false);
        self.invoke("ReconcileTimer", &body).await
    }

    /// An HTTP request to an HTTP function (`Reconcile`, `Status`), its binding called `req`.
    pub async fn http(
        &self,
        function: &str,
        method: &str,
        body: Option<&str>,
        headers: &[(&str, &str)],
    ) -> Reply {
        self.invoke(
            function,
            &envelope::http(function, "req", method, headers, body),
        )
        .await
    }

    /// Posts any envelope to a function.
    pub async fn invoke(&self, function: &str, envelope: &Value) -> Reply {
        self.post_raw(&format!("/{function}"), envelope.to_string().into_bytes())
            .await
    }

    /// Posts any bytes to any path, with the host's headers and a chunked body.
    pub async fn post_raw(&self, path: &str, body: Vec<u8>) -> Reply {
        self.post_with(path, body, &[]).await
    }

    /// The same with further headers: `x-azure-functions-invocationid` for a known id, or
    /// `traceparent`, which the host's HTTP client adds where the host traces.
    pub async fn post_with(&self, path: &str, body: Vec<u8>, more: &[(&str, &str)]) -> Reply {
        let id = "x-azure-functions-invocationid";
        let mut headers = vec![
            ("content-type", "application/json; charset=utf-8".to_owned()),
            ("user-agent", "Azure-Functions-Host/4.1037.0".to_owned()),
            ("x-azure-functions-hostversion", "4.1037.0".to_owned()),
        ];
        if !more.iter().any(|(name, _)| *name == id) {
            headers.push((id, random::guid()));
        }
        headers.extend(
            more.iter()
                .map(|(name, value)| (*name, (*value).to_owned())),
        );
        let body = Some(Bytes::from(body));
        exchange(
            self.port,
            Call {
                method: "POST",
                path,
                headers: &headers,
                body,
            },
        )
        .await
    }

    /// The lines on stdout so far.
    #[must_use]
    pub fn stdout_lines(&self) -> Vec<String> {
        self.process.stdout_lines()
    }

    /// The lines on stderr so far.
    #[must_use]
    pub fn stderr_lines(&self) -> Vec<String> {
        self.process.stderr_lines()
    }

    /// Waits until a line on stdout or stderr holds `part`, at most `limit`.
    pub async fn wait_for_line(&self, part: &str, limit: Duration) -> bool {
        self.process.wait_for_line(part, limit).await
    }

    /// The exit code, if the handler has ended.
    #[must_use]
    pub fn exited(&self) -> Option<Option<i32>> {
        self.process.exited()
    }

    /// Sends a signal by name, for example `TERM`.
    pub async fn signal(&self, name: &str) {
        self.process.signal(name).await;
    }

    /// SIGKILL, the only way in which the host ends a handler.
    pub async fn kill(&self) {
        self.process.kill().await;
    }
}

async fn exchange(port: u16, call: Call<'_>) -> Reply {
    match client::send(port, call, INVOCATION_LIMIT).await {
        Ok(raw) => Reply::judge(&raw),
        Err(reason) => Reply::broken(reason),
    }
}

/// Binds a port and lets it go again, as the host does.
///
/// Below the ports that the system hands out by itself: one of those may be taken at once by a
/// simulated service of another test, which would then answer in the handler's place.
fn free_port() -> u16 {
    const FIRST: u16 = 15_000;
    const COUNT: u16 = 15_000;
    let bound = (0..100).find_map(|_| {
        let offset = u16::try_from(random::number() % u64::from(COUNT)).unwrap_or_default();
        TcpListener::bind((Ipv4Addr::LOCALHOST, FIRST + offset)).ok()
    });
    let address = bound.expect("a free port").local_addr();
    address.expect("a bound socket has an address").port()
}
