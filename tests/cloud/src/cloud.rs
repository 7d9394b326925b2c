//! Starting the simulated cloud; its record of requests, faults, gates and traffic.

mod addresses;

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::runtime::Runtime;
use tokio::task::AbortHandle;

use crate::faults::{Fault, FaultHandle, Faults, Match};
use crate::gate::{Gate, GateAt, Gates};
use crate::journal::{Journal, Recorded, Service};
use crate::listener::Bound;
use crate::pace::Pace;
use crate::pipeline::{self, Shared};
use crate::tls::{Authority, Presented};
use crate::traffic::{self, TrafficHandle};
use crate::world::World;

/// A running simulation: managed identity, Resource Manager, Key Vault and NGINX Plus, each on its
/// own loopback port. Everything ends when it is dropped.
///
/// It runs on threads of its own, so a test may block, use any kind of runtime, or none.
pub struct Cloud {
    shared: Arc<Shared>,
    authority: Authority,
    runtime: Option<Runtime>,
    tasks: Mutex<Vec<AbortHandle>>,
    traffic_ports: Mutex<HashMap<String, u16>>,
    origins: HashMap<Service, String>,
    nginx_http_origin: String,
    certificates: HashMap<Service, Arc<Presented>>,
    connections: HashMap<Service, Arc<AtomicU64>>,
}

impl Cloud {
    /// Starts a cloud without scale sets and without upstreams.
    ///
    /// Nothing is awaited; it is asynchronous so that it may become so.
    pub async fn start() -> Self {
        Self::start_now()
    }

    /// [`Cloud::start`] for code that is not asynchronous.
    #[must_use]
    pub fn start_now() -> Self {
        Self::start_offering(&[b"http/1.1"])
    }

    /// A cloud whose TLS services offer HTTP/2 as well, as Azure's do.
    #[must_use]
    pub fn start_with_http2() -> Self {
        Self::start_offering(&[b"h2", b"http/1.1"])
    }

    fn start_offering(protocols: &[&[u8]]) -> Self {
        let authority = Authority::new();
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("simulated-cloud")
            .enable_all()
            .build()
            .unwrap();
        let services = [
            (Service::Arm, Bound::new()),
            (Service::Vault, Bound::new()),
            (Service::Identity, Bound::new()),
            (Service::Nginx, Bound::new()),
            (Service::Collector, Bound::new()),
            (Service::Foreign, Bound::new()),
        ];
        let origins: HashMap<Service, String> = services
            .iter()
            .map(|(service, bound)| {
                let origin = match service {
                    Service::Identity => format!("http://127.0.0.1:{}", bound.port),
                    _ => format!("https://localhost:{}", bound.port),
                };
                (*service, origin)
            })
            .collect();
        let shared = Arc::new(Shared {
            world: World::new(&origins[&Service::Vault]),
            journal: Journal::new(),
            faults: Faults::default(),
            gates: Gates::default(),
            latency: Mutex::default(),
            clocks: Mutex::default(),
            pace: Pace::new(),
            origins: origins.clone(),
        });
        let mut tasks = Vec::new();
        let mut certificates = HashMap::new();
        let mut connections: HashMap<Service, Arc<AtomicU64>> = HashMap::new();
        let mut serve = |service: Service, bound: Bound, tls: bool| {
            let tls = tls.then(|| {
                let (acceptor, certificate) = authority.acceptor(protocols);
                certificates.insert(service, certificate);
                acceptor
            });
            let shared = Arc::clone(&shared);
            let count = Arc::clone(connections.entry(service).or_default());
            tasks.push(
                bound.serve_counted(runtime.handle(), tls, count, move |request| {
                    pipeline::handle(Arc::clone(&shared), service, request)
                }),
            );
        };
        for (service, bound) in services {
            serve(service, bound, service != Service::Identity);
        }
        let plain = Bound::new();
        let nginx_http_origin = format!("http://127.0.0.1:{}", plain.port);
        serve(Service::Nginx, plain, false);
        Self {
            shared,
            authority,
            runtime: Some(runtime),
            tasks: Mutex::new(tasks),
            traffic_ports: Mutex::default(),
            origins,
            nginx_http_origin,
            certificates,
            connections,
        }
    }

    /// The handle on everything that the services know.
    #[must_use]
    pub fn world(&self) -> World {
        self.shared.world.clone()
    }

    /// Every request so far, in the order of arrival.
    #[must_use]
    pub fn requests(&self) -> Vec<Recorded> {
        self.shared.journal.all()
    }

    /// Every request to one service so far.
    #[must_use]
    pub fn requests_to(&self, service: Service) -> Vec<Recorded> {
        let mut requests = self.requests();
        requests.retain(|request| request.service == service);
        requests
    }

    /// Forgets the requests so far; the numbering goes on.
    pub fn clear_requests(&self) {
        self.shared.journal.clear();
    }

    /// Waits until the record of requests satisfies `enough`, at most `limit`. Returns whether it
    /// did.
    pub async fn wait_until(&self, limit: Duration, enough: impl Fn(&[Recorded]) -> bool) -> bool {
        let mut changes = self.shared.journal.changes();
        let wait = async {
            loop {
                changes.borrow_and_update();
                if enough(&self.requests()) {
                    return;
                }
                if changes.changed().await.is_err() {
                    std::future::pending::<()>().await;
                }
            }
        };
        tokio::time::timeout(limit, wait).await.is_ok()
    }

    /// Makes `fault` happen to matching requests, `times` times or for ever. Of several rules that
    /// fit a request, the oldest that is not used up wins.
    pub fn fault(&self, matches: Match, fault: Fault, times: Option<u32>) -> FaultHandle {
        self.shared.faults.add(matches, fault, times)
    }

    /// Ends all faults.
    pub fn clear_faults(&self) {
        self.shared.faults.clear();
    }

    /// Makes every request to a service take this much longer.
    pub fn set_latency(&self, service: Service, latency: Duration) {
        let mut latencies = self
            .shared
            .latency
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        latencies.insert(service, latency);
    }

    /// Sets a service's clock this many seconds ahead of this machine's, or behind it, as its `Date`
    /// headers tell.
    pub fn set_clock(&self, service: Service, seconds_ahead: i64) {
        let mut clocks = self
            .shared
            .clocks
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        clocks.insert(service, seconds_ahead);
    }

    /// Lets a service present another certificate of the same authority to new connections: good
    /// for these names, and valid for so many days (below zero, expired so long ago).
    ///
    /// # Panics
    ///
    /// When the service speaks no TLS.
    pub fn present_certificate(&self, service: Service, names: &[&str], days: i64) {
        let certificate = self.authority.certificate(names, Some(days));
        self.certificates[&service].replace(certificate);
    }

    /// Lets a service present an authority's certificate, as `openssl req -x509` makes them.
    ///
    /// # Panics
    ///
    /// When the service speaks no TLS.
    pub fn present_authority(&self, service: Service) {
        self.certificates[&service].replace(self.authority.intermediate());
    }

    /// Answers every request to a service this long after its arrival, the time that the answer
    /// takes to make included: for measurements.
    pub fn set_round_trip(&self, service: Service, round_trip: Duration) {
        self.shared.pace.set(service, round_trip);
    }

    /// How late the answers were that [`Cloud::set_round_trip`] has timed, since this was last
    /// asked: what the simulation itself adds to a measurement.
    #[must_use]
    pub fn take_lateness(&self) -> Vec<Duration> {
        self.shared.pace.take_lateness()
    }

    /// The connections that a service has accepted so far.
    #[must_use]
    pub fn connections(&self, service: Service) -> u64 {
        let counted = self.connections.get(&service);
        counted.map_or(0, |count| count.load(Ordering::Relaxed))
    }

    /// Holds the first matching request (after [`Match::skip`] others) when it arrives, before
    /// anything is done.
    #[must_use]
    pub fn gate(&self, matches: Match) -> Gate {
        self.shared.gates.add(matches, GateAt::Arrival)
    }

    /// Holds a request when its work is done and only the answer is missing.
    #[must_use]
    pub fn gate_answer(&self, matches: Match) -> Gate {
        self.shared.gates.add(matches, GateAt::Answer)
    }

    /// The loopback port on which the simulated NGINX takes requests for an http upstream.
    #[must_use]
    pub fn traffic_port(&self, upstream: &str) -> u16 {
        let mut ports = self
            .traffic_ports
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        *ports.entry(upstream.to_owned()).or_insert_with(|| {
            let (port, task) = traffic::serve_proxy(&self.world(), upstream, self.handle());
            self.tasks
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(task);
            port
        })
    }

    /// Starts `clients` clients that send requests through an http upstream until stopped.
    #[must_use]
    pub fn traffic(&self, upstream: &str, clients: usize) -> TrafficHandle {
        traffic::start_load(self.handle(), self.traffic_port(upstream), "/", clients)
    }

    /// One request through an http upstream that its backend holds until
    /// [`World::release_held_requests`]; each client sends one after the other.
    #[must_use]
    pub fn held_traffic(&self, upstream: &str, clients: usize) -> TrafficHandle {
        traffic::start_load(self.handle(), self.traffic_port(upstream), "/hold", clients)
    }

    fn handle(&self) -> &tokio::runtime::Handle {
        match &self.runtime {
            Some(runtime) => runtime.handle(),
            None => unreachable!("the runtime lives as long as the cloud"),
        }
    }
}

impl Drop for Cloud {
    fn drop(&mut self) {
        for task in self
            .tasks
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .drain(..)
        {
            task.abort();
        }
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl std::fmt::Debug for Cloud {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Cloud")
            .field("origins", &self.origins)
            .finish_non_exhaustive()
    }
}
