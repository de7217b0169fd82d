//! [`Tls`]: the certificate and the configuration of an HTTPS server. `pem` reads certificates and keys,
//! `self_signed` generates them, and `session` runs TLS on a connection.
//!
//! The protocol is implemented by rustls: TLS 1.2 and 1.3.

mod error;
mod first_byte;
mod key_kind;
mod pem;
#[cfg(feature = "self-signed")]
mod self_signed;
mod session;
mod x509;

use std::io;
use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock, RwLockWriteGuard};
use std::time::SystemTime;

use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert, UnbufferedServerConnection};
use rustls::sign::CertifiedKey;
use rustls::{Error, ServerConfig};

pub use self::error::TlsError;
use self::first_byte::FirstByte;
#[cfg(feature = "tokio")]
pub(crate) use self::first_byte::begins_http;
use self::session::Session;
#[cfg(feature = "tokio")]
pub(crate) use self::session::{drain, protocol_error};
use self::x509::Certificate;
use crate::layer::Layer;

/// A certificate with its key, and the TLS settings of a server. Cloning is cheap, and
/// [`replace_certificate`](Tls::replace_certificate) affects all clones.
///
/// ```no_run
/// use sanserve_server::{Disk, HTTPSServer, Tls};
/// use sanserve_core::{Config, Files};
///
/// # fn main() -> std::io::Result<()> {
/// let tls = Tls::load("cert.pem", Some("key.pem"), None)?;
/// let server = HTTPSServer::bind("127.0.0.1:8443", tls)?;
/// server.serve_forever(Disk::open(".")?, Config::default(), Files::new)
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Tls {
    config: Arc<ServerConfig>,
    certificate: Arc<Replaceable>,
}

impl Tls {
    /// Loads PEM files, as Python's `load_cert_chain` does. `certfile` contains the certificate followed by its
    /// chain. `keyfile` contains the private key, which is in `certfile` by default. `password` decrypts an
    /// encrypted key. Keys are RSA of 2048 to 4096 bits, ECDSA on P-256 or P-384, or Ed25519.
    ///
    /// # Errors
    /// If a file cannot be read or has the wrong content, if the password is wrong, or if the key does not
    /// belong to the certificate.
    pub fn load<P: AsRef<Path>>(
        certfile: P,
        keyfile: Option<P>,
        password: Option<&str>,
    ) -> Result<Tls, TlsError> {
        let certfile = certfile.as_ref();
        let keyfile = keyfile.as_ref().map_or(certfile, AsRef::as_ref);
        let certificates = pem::certificates(certfile)?;
        if Certificate::read(&certificates[0]).is_some_and(|it| it.version < 3) {
            return Err(pem::unusable(certfile, VERSION_1));
        }
        let key = pem::key(keyfile, password)?;
        let unusable = key_kind::unusable(&key);
        Tls::new(certificates, key).map_err(|error| match error {
            Error::InconsistentKeys(_) => TlsError::KeyMismatch {
                certfile: certfile.into(),
                keyfile: keyfile.into(),
            },
            Error::InvalidCertificate(_) => pem::unusable(
                certfile,
                "has a damaged CERTIFICATE section: copy the whole file again",
            ),
            _ => pem::unusable(keyfile, &unusable),
        })
    }

    fn new(
        certificates: Vec<CertificateDer<'static>>,
        key: PrivateKeyDer<'static>,
    ) -> Result<Tls, Error> {
        let provider = Arc::new(ring::default_provider());
        let key = CertifiedKey::from_der(certificates, key, &provider)?;
        let certificate = Arc::new(Replaceable(RwLock::new(Arc::new(key))));
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("ring supports TLS 1.2 and 1.3")
            .with_no_client_auth()
            .with_cert_resolver(certificate.clone());
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Tls {
            config: Arc::new(config),
            certificate,
        })
    }

    /// Replaces certificate and key by those of `other`, for new connections of all servers that use a clone of
    /// this value. Existing connections are not affected.
    ///
    /// ```no_run
    /// # use sanserve_server::Tls;
    /// # fn main() -> std::io::Result<()> {
    /// let tls = Tls::load("cert.pem", Some("key.pem"), None)?;
    /// // ... serve with a clone of it, and when the files were renewed:
    /// tls.replace_certificate(&Tls::load("cert.pem", Some("key.pem"), None)?);
    /// # Ok(())
    /// # }
    /// ```
    pub fn replace_certificate(&self, other: &Tls) {
        let new = other.certificate.get();
        *self.certificate.write() = new;
    }

    /// Returns the period in which the certificate is valid; `None` if it cannot be parsed.
    #[must_use]
    pub fn validity(&self) -> Option<(SystemTime, SystemTime)> {
        let key = self.certificate.get();
        Certificate::read(key.cert.first()?).map(|it| it.validity)
    }

    /// Sets the protocols to offer (ALPN), in order of preference; by default only `http/1.1`. With an empty
    /// list, the client's list is ignored.
    #[must_use]
    pub fn with_alpn_protocols(mut self, protocols: &[&str]) -> Tls {
        let names = protocols.iter().map(|name| name.as_bytes().to_vec());
        Arc::make_mut(&mut self.config).alpn_protocols = names.collect();
        self
    }

    /// Returns the configuration of rustls.
    #[cfg(feature = "tokio")]
    pub(crate) fn config(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.config)
    }

    /// Creates the TLS layer for a socket.
    pub(crate) fn layer(&self) -> io::Result<Box<dyn Layer>> {
        let config = Arc::clone(&self.config);
        let tls = UnbufferedServerConnection::new(config).map_err(io::Error::other)?;
        Ok(Box::new(FirstByte::Awaited(Session::new(tls))))
    }
}

/// A certificate that can be replaced while connections use it.
#[derive(Debug)]
struct Replaceable(RwLock<Arc<CertifiedKey>>);

impl Replaceable {
    fn get(&self) -> Arc<CertifiedKey> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn write(&self) -> RwLockWriteGuard<'_, Arc<CertifiedKey>> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ResolvesServerCert for Replaceable {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.get())
    }
}

/// RFC 5280 §4.2.1.6: the names are in an extension, which only version 3 has.
const VERSION_1: &str = "has an X.509 certificate of version 1, which cannot name the hosts that it is for: make one of \
    version 3, such as by: openssl req -x509 -newkey rsa:2048 -noenc -keyout KEY -out CERT -days 365 \
    -subj /CN=localhost -addext subjectAltName=DNS:localhost";
