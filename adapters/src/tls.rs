//! [`Tls`]: what a server needs to be one for HTTPS. Certificates and keys are read in `pem` and
//! made in `own`, what happens on a connection is in `session`.
//!
//! The protocol itself is that of rustls: TLS 1.2 and 1.3.

mod first_byte;
#[cfg(feature = "self-signed")]
mod own;
mod pem;
mod session;

use std::io::{self, ErrorKind};
use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;

use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::UnbufferedServerConnection;
use rustls::{Error, ServerConfig};

use self::first_byte::FirstByte;
#[cfg(feature = "tokio")]
pub(crate) use self::first_byte::begins_http;
use self::session::Session;
#[cfg(feature = "tokio")]
pub(crate) use self::session::refusal;
use crate::std::{Layer, Link};

/// A certificate with its key, and what else a server over TLS has to know. To clone it is cheap.
///
/// ```no_run
/// use sanserve::{Disk, HTTPSServer, Tls};
/// use sanserve_core::{Config, Files};
///
/// # fn main() -> std::io::Result<()> {
/// let tls = Tls::load("cert.pem", Some("key.pem"), None)?;
/// let server = HTTPSServer::bind("127.0.0.1:8443", tls)?;
/// server.serve_forever(&Disk::open(".")?, Config::default(), Files::new);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Tls {
    config: Arc<ServerConfig>,
}

impl Tls {
    /// Reads PEM files, as Python's `load_cert_chain` does: `certfile` has the certificate and
    /// those that vouch for it, in this order; `keyfile` its private key, which is in `certfile` if
    /// nothing is said; `password` decrypts the key, and is not needed if that is not encrypted.
    ///
    /// # Errors
    /// If a file cannot be read, or is not what it should be, or if the password is wrong, or if the
    /// key belongs to another certificate. The message names the file and is fit for a user.
    pub fn load<P: AsRef<Path>>(
        certfile: P,
        keyfile: Option<P>,
        password: Option<&str>,
    ) -> io::Result<Tls> {
        let certfile = certfile.as_ref();
        let keyfile = keyfile.as_ref().map_or(certfile, AsRef::as_ref);
        let certificates = pem::certificates(certfile)?;
        let key = pem::key(keyfile, password)?;
        Tls::new(certificates, key).map_err(|error| {
            let (certfile, keyfile) = (certfile.display(), keyfile.display());
            let message = match error {
                Error::InconsistentKeys(_) => {
                    format!("the key in {keyfile} is not that of the certificate in {certfile}")
                }
                Error::InvalidCertificate(_) => format!("{certfile} has a damaged certificate"),
                error => format!("cannot use {certfile} with the key in {keyfile}: {error}"),
            };
            io::Error::new(ErrorKind::InvalidData, message)
        })
    }

    fn new(
        certificates: Vec<CertificateDer<'static>>,
        key: PrivateKeyDer<'static>,
    ) -> Result<Tls, Error> {
        let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("ring has all that TLS 1.2 and 1.3 need")
            .with_no_client_auth()
            .with_single_cert(certificates, key)?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Tls {
            config: Arc::new(config),
        })
    }

    /// The protocols that a client may choose from (ALPN), the best first; `http/1.1` alone if
    /// nothing is said. Without any, whatever a client names is ignored.
    pub fn alpn_protocols(mut self, protocols: &[&str]) -> Tls {
        let names = protocols.iter().map(|name| name.as_bytes().to_vec());
        Arc::make_mut(&mut self.config).alpn_protocols = names.collect();
        self
    }

    /// What rustls is told.
    #[cfg(feature = "tokio")]
    pub(crate) fn config(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.config)
    }

    /// Puts TLS above a socket, for [`serve`](crate::std::serve). The handshake happens there. A client that begins with
    /// plain HTTP is answered by [`Handler::begin_without_tls`](sanserve_core::Handler::begin_without_tls).
    ///
    /// # Errors
    /// If rustls finds fault with its own configuration.
    pub fn link<'a>(&self, socket: &'a TcpStream) -> io::Result<Link<'a>> {
        Ok(Link::below(self.layer()?, socket))
    }

    /// The same for whatever socket.
    pub(crate) fn layer(&self) -> io::Result<Box<dyn Layer>> {
        let config = Arc::clone(&self.config);
        let tls = UnbufferedServerConnection::new(config).map_err(io::Error::other)?;
        Ok(Box::new(FirstByte::Awaited(Session::new(tls))))
    }
}
