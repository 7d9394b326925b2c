//! A throwaway certificate authority and the one server certificate of the simulated cloud.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio_rustls::TlsAcceptor;

/// The names that the server certificate is good for.
const NAMES: [&str; 4] = [
    "localhost",
    "127.0.0.1",
    "*.vault.azure.net",
    "management.azure.com",
];

/// The authority's certificate on disk and a TLS acceptor that uses a certificate it signed.
pub(crate) struct Authority {
    pub(crate) acceptor: TlsAcceptor,
    pub(crate) pem: String,
    directory: PathBuf,
}

impl Authority {
    /// Makes a new authority and leaf, and writes `ca.pem` into a fresh temporary directory.
    pub(crate) fn new() -> Self {
        let ca_key = KeyPair::generate().unwrap();
        let mut ca = CertificateParams::default();
        ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        ca.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        ca.distinguished_name
            .push(DnType::CommonName, "simulated-cloud throwaway CA");
        let certificate = ca.self_signed(&ca_key).unwrap();
        let pem = certificate.pem();
        let issuer = Issuer::new(ca, ca_key);

        let leaf_key = KeyPair::generate().unwrap();
        let mut leaf = CertificateParams::new(NAMES.map(String::from)).unwrap();
        leaf.distinguished_name
            .push(DnType::CommonName, "simulated-cloud");
        leaf.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        leaf.use_authority_key_identifier_extension = true;
        let leaf = leaf.signed_by(&leaf_key, &issuer).unwrap();

        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut server = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(
                vec![leaf.der().clone()],
                PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(leaf_key.serialize_der())),
            )
            .unwrap();
        server.alpn_protocols = vec![b"http/1.1".to_vec()];

        let directory = fresh_directory();
        std::fs::write(directory.join("ca.pem"), &pem).unwrap();
        Self {
            acceptor: TlsAcceptor::from(Arc::new(server)),
            pem,
            directory,
        }
    }

    /// The authority's certificate as a file, for `SSL_CERT_FILE`.
    pub(crate) fn pem_path(&self) -> PathBuf {
        self.directory.join("ca.pem")
    }

    /// A directory of this cloud's own, removed with it.
    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }
}

impl Drop for Authority {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

fn fresh_directory() -> PathBuf {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    let name = format!(
        "simulated-cloud-{}-{number}-{}",
        std::process::id(),
        crate::random::hex(4)
    );
    let directory = std::env::temp_dir().join(name);
    std::fs::create_dir_all(&directory).unwrap();
    directory
}
