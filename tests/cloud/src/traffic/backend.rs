//! The software on an instance: a tiny HTTP server that answers with the instance's address.
//!
//! Instances have addresses of a virtual network, which loopback does not know; so each address
//! that is asked for gets a port on 127.0.0.1, opened on first use and closed when the instance
//! is gone or off.

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::Response;
use tokio::sync::watch;
use tokio::task::AbortHandle;

use crate::listener::Bound;
use crate::world::{ComputeState, World};

/// One open backend.
pub(crate) struct Backend {
    port: u16,
    task: AbortHandle,
}

impl Drop for Backend {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Backend {
    fn open(
        address: &str,
        released: &watch::Sender<u64>,
        runtime: &tokio::runtime::Handle,
    ) -> Self {
        let bound = Bound::new();
        let port = bound.port;
        let address = address.to_owned();
        let released = released.clone();
        let task = bound.serve(runtime, None, move |request| {
            let (address, mut released) = (address.clone(), released.subscribe());
            let hold = request.uri().path().starts_with("/hold");
            async move {
                if hold {
                    let _ = released.changed().await;
                }
                let body = Full::new(Bytes::from(address))
                    .map_err(|never| match never {})
                    .boxed();
                Ok(Response::new(body))
            }
        });
        Self { port, task }
    }
}

impl ComputeState {
    /// Closes the sockets of instances that are gone or off, with the requests on them.
    pub(crate) fn close_dead_backends(&mut self) {
        let dead: Vec<String> = self
            .backends
            .keys()
            .filter(|address| !self.answers(address))
            .cloned()
            .collect();
        for address in dead {
            self.backends.remove(&address);
        }
    }
}

impl World {
    /// The loopback port that stands for this address; none when nothing answers there.
    pub(crate) fn backend_port(
        &self,
        address: &str,
        runtime: &tokio::runtime::Handle,
    ) -> Option<u16> {
        self.with(|state| {
            let compute = &mut state.compute;
            if !compute.answers(address) {
                return None;
            }
            let released = compute.released.clone();
            let backend = compute
                .backends
                .entry(address.to_owned())
                .or_insert_with(|| Backend::open(address, &released, runtime));
            Some(backend.port)
        })
    }

    /// Lets every request to `/hold` finish that backends are holding now.
    pub fn release_held_requests(&self) {
        self.with(|state| state.compute.released.send_modify(|count| *count += 1));
    }
}
