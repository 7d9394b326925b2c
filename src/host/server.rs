//! The listening side: connections, and how long and how many.
//!
//! The host is the only one who has business here, and the port is on loopback; but whoever else
//! runs on the machine can connect. A peer that sends slowly or not at all costs one connection
//! for a limited time, and when there are too many, the longest idle ones give way.

use std::collections::VecDeque;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::middleware::{self, Next};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, Semaphore};
use tokio::time::timeout;

use super::functions::App;
use super::router::router;

/// A request's head at most; the host's has half a kilobyte.
const HEAD_LIMIT_BYTES: usize = 64 * 1024;
/// Headers of a request at most; the host sends a handful.
const HEADERS: usize = 64;

/// How long and how many.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Until a request's head is complete, counted from the connection or the reply before. It
    /// must outlast the minute for which the host keeps an idle connection: one that closes while
    /// the host sends on it is a failed invocation.
    pub head: Duration,
    /// Until a request's body is complete.
    pub body: Duration,
    /// Connections at a time.
    pub connections: usize,
}

impl Default for Limits {
    /// Half of the files that the process may open are for connections from the host; the other
    /// half is for the way out.
    fn default() -> Self {
        let files = std::fs::read_to_string("/proc/self/limits");
        let files = files.ok().and_then(|table| open_files(&table));
        Self {
            head: Duration::from_secs(150),
            body: Duration::from_secs(30),
            connections: (files.unwrap_or(1_024) / 2).clamp(32, 4_096),
        }
    }
}

/// The soft limit of open files in `/proc/self/limits`.
fn open_files(table: &str) -> Option<usize> {
    let line = table
        .lines()
        .find_map(|line| line.strip_prefix("Max open files"))?;
    let soft = line.split_whitespace().next()?;
    soft.parse()
        .ok()
        .or((soft == "unlimited").then_some(usize::MAX))
}

/// One connection, as far as others need to know it.
#[derive(Default)]
struct Connection {
    /// Requests whose reply is not made yet: 0 or 1.
    busy: AtomicUsize,
    give_way: Notify,
}

/// The connections, the longest idle first.
#[derive(Default)]
struct Connections(Mutex<VecDeque<Arc<Connection>>>);

impl Connections {
    fn add(&self) -> Arc<Connection> {
        let connection = Arc::new(Connection::default());
        self.lock().push_back(Arc::clone(&connection));
        connection
    }

    fn remove(&self, gone: &Arc<Connection>) {
        self.lock().retain(|known| !Arc::ptr_eq(known, gone));
    }

    /// It has just become idle, so it is the last to give way.
    fn idle(&self, connection: &Arc<Connection>) {
        let mut all = self.lock();
        if let Some(place) = all.iter().position(|known| Arc::ptr_eq(known, connection)) {
            all.remove(place);
            all.push_back(Arc::clone(connection));
        }
    }

    /// Ends the longest idle connection, if one is idle.
    fn make_room(&self) {
        let all = self.lock();
        let idle = all.iter().find(|one| one.busy.load(Ordering::Acquire) == 0);
        if let Some(idle) = idle {
            idle.give_way.notify_one();
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, VecDeque<Arc<Connection>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Serves the handler for as long as the process lives.
pub async fn serve(listener: TcpListener, app: Arc<App>, limits: Limits) {
    let router = router(app, limits);
    let slots = Arc::new(Semaphore::new(limits.connections));
    let connections = Arc::new(Connections::default());
    loop {
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                // No descriptor is free, or the peer has gone already.
                tracing::warn!("a connection cannot be accepted: {error}");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let slot = match Arc::clone(&slots).try_acquire_owned() {
            Ok(slot) => slot,
            Err(_) => {
                let slot = room(&slots, &connections).await;
                let Some(slot) = slot else { return };
                slot
            }
        };
        let router = router.clone();
        let connections = Arc::clone(&connections);
        tokio::spawn(async move {
            let connection = connections.add();
            connect(stream, router, limits, &connections, &connection).await;
            connections.remove(&connection);
            drop(slot);
        });
    }
}

/// Waits until a connection has ended. Where all are busy that takes as long as a pass; the backlog
/// keeps who comes meanwhile.
async fn room(
    slots: &Arc<Semaphore>,
    connections: &Connections,
) -> Option<tokio::sync::OwnedSemaphorePermit> {
    loop {
        connections.make_room();
        let slot = Arc::clone(slots).acquire_owned();
        // The one that was to give way may have become busy.
        if let Ok(slot) = timeout(Duration::from_millis(50), slot).await {
            return slot.ok();
        }
    }
}

async fn connect(
    stream: TcpStream,
    router: Router,
    limits: Limits,
    connections: &Arc<Connections>,
    connection: &Arc<Connection>,
) {
    let _ = stream.set_nodelay(true);
    let (all, own) = (Arc::clone(connections), Arc::clone(connection));
    let router = router.layer(middleware::from_fn(move |request: Request, next: Next| {
        let (all, own) = (Arc::clone(&all), Arc::clone(&own));
        async move {
            own.busy.fetch_add(1, Ordering::AcqRel);
            let busy = Busy(all, own);
            let response = next.run(request).await;
            drop(busy);
            response
        }
    }));
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head)
        .max_headers(HEADERS)
        .max_buf_size(HEAD_LIMIT_BYTES)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    let mut served = pin!(served);
    loop {
        tokio::select! {
            ended = &mut served => {
                if let Err(error) = ended {
                    tracing::debug!("a connection ended: {error}");
                }
                return;
            }
            () = connection.give_way.notified() => {
                if connection.busy.load(Ordering::Acquire) == 0 {
                    tracing::debug!("an idle connection gives way to a new one");
                    return;
                }
            }
        }
    }
}

/// Ends with the request, also with one whose caller has gone.
struct Busy(Arc<Connections>, Arc<Connection>);

impl Drop for Busy {
    fn drop(&mut self) {
        self.1.busy.fetch_sub(1, Ordering::AcqRel);
        self.0.idle(&self.1);
    }
}

#[cfg(test)]
mod tests;
