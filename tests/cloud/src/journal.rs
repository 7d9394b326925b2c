//! The record of every request that reached the simulated cloud.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

/// Which of the simulated services a request reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Service {
    /// Azure Resource Manager.
    Arm,
    /// Azure Key Vault.
    Vault,
    /// The App Service managed identity endpoint.
    Identity,
    /// The NGINX Plus API.
    Nginx,
    /// An OpenTelemetry collector.
    Collector,
    /// A host that nobody has any business calling: whatever arrives here is a leak.
    Foreign,
}

/// One request, as it arrived, and the status it was answered with.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// The service that was called.
    pub service: Service,
    /// The HTTP method.
    pub method: String,
    /// The path, undecoded.
    pub path: String,
    /// The query string, undecoded and without the question mark; empty when there was none.
    pub query: String,
    /// The body as text, when there was one.
    pub body: Option<String>,
    /// The body as it came.
    pub bytes: Vec<u8>,
    /// The headers, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The place of this request among all requests of this cloud, from 1.
    pub at: u64,
    /// The status of the answer; none while unanswered, and when the connection was dropped.
    pub status: Option<u16>,
    /// The Azure permission that a Resource Manager request asks for.
    pub action: Option<String>,
}

impl Recorded {
    /// The value of a header, by its lower-case name.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }

    /// Whether the request asks for a change.
    #[must_use]
    pub fn is_write(&self) -> bool {
        !matches!(self.method.as_str(), "GET" | "HEAD")
    }
}

/// The list of requests, and a signal that it has changed.
pub(crate) struct Journal {
    entries: Mutex<Entries>,
    changed: watch::Sender<u64>,
}

#[derive(Default)]
struct Entries {
    next: u64,
    list: Vec<Recorded>,
}

impl Journal {
    pub(crate) fn new() -> Self {
        Self {
            entries: Mutex::default(),
            changed: watch::Sender::new(0),
        }
    }

    /// Adds a request and returns its number.
    pub(crate) fn begin(&self, mut recorded: Recorded) -> u64 {
        let mut entries = self.lock();
        entries.next += 1;
        let at = entries.next;
        recorded.at = at;
        entries.list.push(recorded);
        drop(entries);
        self.changed.send_modify(|version| *version += 1);
        at
    }

    /// Notes how a request was answered.
    pub(crate) fn finish(&self, at: u64, status: u16) {
        if let Some(entry) = self.lock().list.iter_mut().rfind(|entry| entry.at == at) {
            entry.status = Some(status);
        }
        self.changed.send_modify(|version| *version += 1);
    }

    pub(crate) fn all(&self) -> Vec<Recorded> {
        self.lock().list.clone()
    }

    pub(crate) fn clear(&self) {
        self.lock().list.clear();
    }

    /// A receiver that is told about every change.
    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    fn lock(&self) -> MutexGuard<'_, Entries> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
