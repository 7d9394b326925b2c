//! A small HTTPS client that trusts the cloud's authority and nobody else.

use std::sync::Arc;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::Request;
use hyper_util::rt::TokioIo;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use serde_json::Value;
use simulated_cloud::Cloud;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) headers: hyper::HeaderMap,
    pub(crate) text: String,
}

impl Response {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("no JSON: {}", self.text))
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }

    /// The code of the error document, in Azure's and NGINX's shape.
    pub(crate) fn code(&self) -> String {
        self.json()["error"]["code"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    }
}

/// Sends a request; an error is a connection that broke.
pub(crate) async fn send(
    cloud: &Cloud,
    method: &str,
    url: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Result<Response, String> {
    let (scheme, rest) = url.split_once("://").unwrap();
    let (authority, path) = match rest.find('/') {
        Some(slash) => rest.split_at(slash),
        None => (rest, "/"),
    };
    let port: u16 = authority.rsplit_once(':').unwrap().1.parse().unwrap();
    let mut request = Request::builder()
        .method(method)
        .uri(path)
        .header("host", authority);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request
        .body(Full::new(Bytes::from(body.to_owned())))
        .unwrap();
    let stream = TcpStream::connect(("127.0.0.1", port))
        .await
        .map_err(|e| e.to_string())?;
    if scheme == "http" {
        return exchange(stream, request).await;
    }
    let name = ServerName::try_from("localhost").unwrap();
    exchange(
        connector(cloud).connect(name, stream).await.unwrap(),
        request,
    )
    .await
}

fn connector(cloud: &Cloud) -> TlsConnector {
    let mut roots = rustls::RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_slice(cloud.ca_pem().as_bytes()).unwrap())
        .unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    TlsConnector::from(Arc::new(config))
}

async fn exchange<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
    stream: S,
    request: Request<Full<Bytes>>,
) -> Result<Response, String> {
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .unwrap();
    tokio::spawn(connection);
    let response = sender
        .send_request(request)
        .await
        .map_err(|error| error.to_string())?;
    let (parts, body) = response.into_parts();
    let body = body
        .collect()
        .await
        .map_err(|error| error.to_string())?
        .to_bytes();
    Ok(Response {
        status: parts.status.as_u16(),
        headers: parts.headers,
        text: String::from_utf8_lossy(&body).into_owned(),
    })
}

/// A token from the identity endpoint.
pub(crate) async fn token(cloud: &Cloud, resource: &str) -> String {
    let url = format!(
        "{}?api-version=2019-08-01&resource={resource}",
        cloud.identity_endpoint()
    );
    let header = cloud.identity_header();
    let response = send(cloud, "GET", &url, &[("x-identity-header", &header)], "")
        .await
        .unwrap();
    assert_eq!(response.status, 200, "{}", response.text);
    response.json()["access_token"].as_str().unwrap().to_owned()
}

/// A GET of Resource Manager with a good token; `path` begins below the resource group.
pub(crate) async fn arm(cloud: &Cloud, path: &str) -> Response {
    let (subscription, group) = (cloud.subscription_id(), cloud.resource_group());
    let url = format!(
        "{}/subscriptions/{subscription}/resourceGroups/{group}/providers/{path}",
        cloud.resource_manager_endpoint()
    );
    arm_url(cloud, &url).await
}

/// A GET of any URL with a good token for Resource Manager.
pub(crate) async fn arm_url(cloud: &Cloud, url: &str) -> Response {
    let bearer = format!("Bearer {}", token(cloud, &cloud.arm_audience()).await);
    send(cloud, "GET", url, &[("authorization", &bearer)], "")
        .await
        .unwrap()
}

/// A request to the NGINX API with the key; `path` begins after `/9/`.
pub(crate) async fn nginx(cloud: &Cloud, method: &str, path: &str, body: &str) -> Response {
    use base64::Engine as _;
    let key = base64::engine::general_purpose::STANDARD.encode(cloud.api_key());
    let authorization = format!("ApiKey {key}");
    let headers = [
        ("authorization", authorization.as_str()),
        ("content-type", "application/json"),
    ];
    let url = format!("{}/9/{path}", cloud.api_endpoint());
    send(cloud, method, &url, &headers, body).await.unwrap()
}
