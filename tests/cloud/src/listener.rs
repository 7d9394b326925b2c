//! Accepting connections on loopback, with or without TLS, and speaking HTTP/1.1 or, where a
//! client has chosen it, HTTP/2 on them.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::task::{AbortHandle, JoinSet};
use tokio_rustls::TlsAcceptor;

use crate::reply::{Aborted, Body};

/// A listening socket that is bound but not yet served.
pub(crate) struct Bound {
    listener: std::net::TcpListener,
    /// The port that the system chose.
    pub(crate) port: u16,
}

impl Bound {
    /// Binds a free port on 127.0.0.1.
    pub(crate) fn new() -> Self {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let listener = std::net::TcpListener::bind(address).unwrap();
        listener.set_nonblocking(true).unwrap();
        let port = listener.local_addr().unwrap().port();
        Self { listener, port }
    }

    /// Serves every connection with `handle` until the returned handle is aborted, which also
    /// ends the connections that are open by then.
    pub(crate) fn serve<H, F>(
        self,
        runtime: &tokio::runtime::Handle,
        tls: Option<TlsAcceptor>,
        handle: H,
    ) -> AbortHandle
    where
        H: Fn(Request<Incoming>) -> F + Send + Sync + 'static,
        F: Future<Output = Result<Response<Body>, Aborted>> + Send + 'static,
    {
        self.serve_counted(runtime, tls, Arc::default(), handle)
    }

    /// The same, counting the connections.
    pub(crate) fn serve_counted<H, F>(
        self,
        runtime: &tokio::runtime::Handle,
        tls: Option<TlsAcceptor>,
        count: Arc<AtomicU64>,
        handle: H,
    ) -> AbortHandle
    where
        H: Fn(Request<Incoming>) -> F + Send + Sync + 'static,
        F: Future<Output = Result<Response<Body>, Aborted>> + Send + 'static,
    {
        let handle = Arc::new(handle);
        let task = runtime.spawn(async move {
            let listener = TcpListener::from_std(self.listener).unwrap();
            let mut connections = JoinSet::new();
            loop {
                let Ok((stream, _)) = listener.accept().await else {
                    continue;
                };
                count.fetch_add(1, Ordering::Relaxed);
                let _ = stream.set_nodelay(true);
                while connections.try_join_next().is_some() {}
                let (tls, handle) = (tls.clone(), Arc::clone(&handle));
                connections.spawn(async move {
                    match tls {
                        None => talk(stream, false, handle).await,
                        Some(tls) => {
                            if let Ok(stream) = tls.accept(stream).await {
                                let chosen = stream.get_ref().1.alpn_protocol();
                                let http2 = chosen == Some(b"h2");
                                talk(stream, http2, handle).await;
                            }
                        }
                    }
                });
            }
        });
        task.abort_handle()
    }
}

/// One connection, until either side ends it. An [`Aborted`] request ends it without an answer.
async fn talk<S, H, F>(stream: S, http2: bool, handle: Arc<H>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    H: Fn(Request<Incoming>) -> F + Send + Sync + 'static,
    F: Future<Output = Result<Response<Body>, Aborted>> + Send + 'static,
{
    let service = service_fn(move |request| handle(request));
    let stream = TokioIo::new(stream);
    if http2 {
        let _ = hyper::server::conn::http2::Builder::new(TokioExecutor::new())
            .serve_connection(stream, service)
            .await;
    } else {
        let _ = hyper::server::conn::http1::Builder::new()
            .serve_connection(stream, service)
            .await;
    }
}
