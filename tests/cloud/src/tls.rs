//! A throwaway certificate authority, and the server certificates that it signs.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use rustls::crypto::aws_lc_rs::{default_provider, sign::any_supported_type};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use tokio_rustls::TlsAcceptor;

/// The names that a server certificate is good for unless a test says otherwise.
pub(crate) const NAMES: [&str; 4] = [
    "localhost",
    "127.0.0.1",
    "*.vault.azure.net",
    "management.azure.com",
];

const DAY: Duration = Duration::from_secs(24 * 3600);

/// The authority, with its certificate on disk.
pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pub(crate) pem: String,
    directory: PathBuf,
}

/// The certificate that one server presents, to be replaced at any time.
#[derive(Debug)]
pub(crate) struct Presented(Mutex<Arc<CertifiedKey>>);

impl ResolvesServerCert for Presented {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(
            &self.0.lock().unwrap_or_else(PoisonError::into_inner),
        ))
    }
}

impl Presented {
    pub(crate) fn replace(&self, certificate: Arc<CertifiedKey>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = certificate;
    }
}

impl Authority {
    /// Makes a new authority, and writes `ca.pem` into a fresh temporary directory.
    pub(crate) fn new() -> Self {
        let ca_key = KeyPair::generate().unwrap();
        let mut ca = CertificateParams::default();
        ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        ca.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        ca.distinguished_name
            .push(DnType::CommonName, "simulated-cloud throwaway CA");
        let certificate = ca.self_signed(&ca_key).unwrap();
        let pem = certificate.pem();
        let directory = fresh_directory();
        std::fs::write(directory.join("ca.pem"), &pem).unwrap();
        Self {
            issuer: Issuer::new(ca, ca_key),
            pem,
            directory,
        }
    }

    /// A certificate for these names that expires after (or, below zero, expired before) so many
    /// days; none for one that outlives every test.
    pub(crate) fn certificate(&self, names: &[&str], days: Option<i64>) -> Arc<CertifiedKey> {
        self.certify(names, days, IsCa::NoCa)
    }

    /// The certificate of an authority below this one, with the usual names: none for a server.
    pub(crate) fn intermediate(&self) -> Arc<CertifiedKey> {
        self.certify(&NAMES, None, IsCa::Ca(BasicConstraints::Unconstrained))
    }

    fn certify(&self, names: &[&str], days: Option<i64>, is_ca: IsCa) -> Arc<CertifiedKey> {
        let key = KeyPair::generate().unwrap();
        let names: Vec<String> = names.iter().map(ToString::to_string).collect();
        let mut leaf = CertificateParams::new(names).unwrap();
        leaf.distinguished_name
            .push(DnType::CommonName, "simulated-cloud");
        leaf.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        leaf.use_authority_key_identifier_extension = true;
        leaf.is_ca = is_ca;
        if let Some(days) = days {
            let span = DAY * u32::try_from(days.unsigned_abs()).unwrap();
            let end = match days {
                0.. => SystemTime::now() + span,
                _ => SystemTime::now() - span,
            };
            leaf.not_after = end.into();
        }
        let leaf = leaf.signed_by(&key, &self.issuer).unwrap();
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let key = any_supported_type(&key).unwrap();
        Arc::new(CertifiedKey::new(vec![leaf.der().clone()], key))
    }

    /// A TLS acceptor that offers these application protocols, the preferred one first, and what
    /// changes its certificate.
    pub(crate) fn acceptor(&self, protocols: &[&[u8]]) -> (TlsAcceptor, Arc<Presented>) {
        let presented = Arc::new(Presented(Mutex::new(self.certificate(&NAMES, None))));
        let resolver: Arc<dyn ResolvesServerCert> = Arc::<Presented>::clone(&presented);
        let mut server = rustls::ServerConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_cert_resolver(resolver);
        server.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
        (TlsAcceptor::from(Arc::new(server)), presented)
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
