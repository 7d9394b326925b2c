//! A small HTTP/1.1 client for loopback: one connection per request, bodies sent chunked.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Empty, StreamBody};
use hyper::Request;
use hyper::body::Frame;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// A reply as it came.
pub(super) struct Raw {
    pub(super) status: u16,
    pub(super) content_type: String,
    pub(super) body: Bytes,
}

/// The request's parts.
pub(super) struct Call<'a> {
    pub(super) method: &'a str,
    pub(super) path: &'a str,
    pub(super) headers: &'a [(&'a str, String)],
    pub(super) body: Option<Bytes>,
}

/// Sends one request to 127.0.0.1 and reads the whole reply.
pub(super) async fn send(port: u16, call: Call<'_>, limit: Duration) -> Result<Raw, String> {
    let text = |error: &dyn std::error::Error| error.to_string();
    let exchange = async {
        let stream = TcpStream::connect(("127.0.0.1", port))
            .await
            .map_err(|error| text(&error))?;
        let _ = stream.set_nodelay(true);
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .map_err(|error| text(&error))?;
        let connection = tokio::spawn(connection);
        let mut request = Request::builder()
            .method(call.method)
            .uri(call.path)
            .header("host", format!("127.0.0.1:{port}"));
        for (name, value) in call.headers {
            request = request.header(*name, value);
        }
        let request = request
            .body(body(call.body))
            .map_err(|error| text(&error))?;
        let response = sender
            .send_request(request)
            .await
            .map_err(|error| text(&error))?;
        let status = response.status().as_u16();
        let content_type = response.headers().get("content-type");
        let content_type = content_type
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
            .to_owned();
        let body = response
            .into_body()
            .collect()
            .await
            .map_err(|error| text(&error))?;
        drop(sender);
        connection.abort();
        Ok(Raw {
            status,
            content_type,
            body: body.to_bytes(),
        })
    };
    match tokio::time::timeout(limit, exchange).await {
        Ok(result) => result,
        Err(_) => Err(format!("no reply within {limit:?}")),
    }
}

/// A body of unknown length, so that it goes out chunked, as the host's do.
fn body(bytes: Option<Bytes>) -> BoxBody<Bytes, std::convert::Infallible> {
    match bytes {
        None => Empty::new().boxed(),
        Some(bytes) => {
            let half = bytes.len() / 2;
            let pieces = [bytes.slice(..half), bytes.slice(half..)];
            let frames = pieces.into_iter().map(|piece| Ok(Frame::data(piece)));
            BodyExt::boxed(StreamBody::new(Pieces(frames)))
        }
    }
}

/// An iterator as a stream that is always ready.
struct Pieces<I>(I);

impl<I: Iterator + Unpin> futures_core::Stream for Pieces<I> {
    type Item = I::Item;

    fn poll_next(
        mut self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Self::Item>> {
        std::task::Poll::Ready(self.0.next())
    }
}
