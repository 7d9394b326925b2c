//! A bounded load of requests in the background, and the count of what became of them.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper::Request;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// The pause of a client between two requests.
const PAUSE: Duration = Duration::from_millis(5);

/// How many reasons of failed requests are kept.
const KEPT_FAILURES: usize = 20;

/// What became of the requests so far.
#[derive(Clone, Debug, Default)]
pub struct TrafficCount {
    /// Requests answered with 200.
    pub ok: u64,
    /// All others.
    pub failed: u64,
    /// The reasons of the first failures.
    pub failures: Vec<String>,
}

/// Clients that send requests until stopped.
#[derive(Debug)]
pub struct TrafficHandle {
    count: Arc<Mutex<TrafficCount>>,
    running: watch::Sender<bool>,
    progress: watch::Receiver<u64>,
    clients: Vec<JoinHandle<()>>,
}

impl TrafficHandle {
    /// The count so far.
    #[must_use]
    pub fn count(&self) -> TrafficCount {
        self.count
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Waits until `more` further requests have been answered, one way or the other.
    pub async fn wait_for(&self, more: u64) {
        let mut progress = self.progress.clone();
        let goal = *progress.borrow_and_update() + more;
        let _ = progress.wait_for(|done| *done >= goal).await;
    }

    /// Lets every client finish its request and counts.
    pub async fn stop(mut self) -> TrafficCount {
        self.running.send_replace(false);
        for client in self.clients.drain(..) {
            let _ = client.await;
        }
        self.count()
    }
}

impl Drop for TrafficHandle {
    fn drop(&mut self) {
        self.running.send_replace(false);
        for client in &self.clients {
            client.abort();
        }
    }
}

/// Starts `clients` clients that ask `path` of 127.0.0.1:`port`, one request at a time each.
pub(crate) fn start(
    runtime: &tokio::runtime::Handle,
    port: u16,
    path: &str,
    clients: usize,
) -> TrafficHandle {
    let count = Arc::new(Mutex::new(TrafficCount::default()));
    let running = watch::Sender::new(true);
    let done = Arc::new(watch::Sender::new(0));
    let progress = done.subscribe();
    let clients = (0..clients)
        .map(|_| {
            let (count, done) = (Arc::clone(&count), Arc::clone(&done));
            let (mut running, path) = (running.subscribe(), path.to_owned());
            runtime.spawn(async move {
                while *running.borrow_and_update() {
                    let outcome = ask(port, &path).await;
                    note(&count, outcome);
                    done.send_modify(|done| *done += 1);
                    let _ = tokio::time::timeout(PAUSE, running.changed()).await;
                }
            })
        })
        .collect();
    TrafficHandle {
        count,
        running,
        progress,
        clients,
    }
}

fn note(count: &Mutex<TrafficCount>, outcome: Result<(), String>) {
    let mut count = count.lock().unwrap_or_else(PoisonError::into_inner);
    match outcome {
        Ok(()) => count.ok += 1,
        Err(reason) => {
            count.failed += 1;
            if count.failures.len() < KEPT_FAILURES {
                count.failures.push(reason);
            }
        }
    }
}

async fn ask(port: u16, path: &str) -> Result<(), String> {
    let text = |error: &dyn std::error::Error| error.to_string();
    let stream = TcpStream::connect(("127.0.0.1", port))
        .await
        .map_err(|error| text(&error))?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .map_err(|error| text(&error))?;
    let connection = tokio::spawn(connection);
    let request = Request::get(path)
        .header("host", "localhost")
        .body(Empty::<Bytes>::new());
    let response = sender
        .send_request(request.unwrap())
        .await
        .map_err(|error| text(&error))?;
    let status = response.status();
    let body = response
        .into_body()
        .collect()
        .await
        .map_err(|error| text(&error))?
        .to_bytes();
    drop(sender);
    let _ = connection.await;
    if status == 200 {
        return Ok(());
    }
    Err(format!("{status}: {}", String::from_utf8_lossy(&body)))
}
