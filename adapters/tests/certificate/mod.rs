//! [`TestCertificate`]: creates a self-signed certificate with its key, and TLS clients that trust it.
#![allow(dead_code, reason = "each test uses only some of these")]

use std::fs;
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;

use rcgen::CertifiedKey;
use rustls::crypto::ring;
use rustls::pki_types::CertificateDer;
use rustls::version::TLS13;
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, StreamOwned, SupportedProtocolVersion,
};
use sanserve_server::Tls;
use tempfile::TempDir;

use crate::client::connect;

/// The client's end of a TLS connection.
pub(crate) type Stream = StreamOwned<ClientConnection, TcpStream>;

/// A certificate for `localhost` in `cert.pem`, and its key in `key.pem`.
pub(crate) struct TestCertificate {
    pub(crate) folder: TempDir,
    pub(crate) certificate: CertificateDer<'static>,
    /// The key, in PKCS#8.
    pub(crate) key: Vec<u8>,
}

impl TestCertificate {
    pub(crate) fn new() -> TestCertificate {
        let CertifiedKey { cert, signing_key } =
            rcgen::generate_simple_self_signed(["localhost".into()]).unwrap();
        let folder = TempDir::new().unwrap();
        fs::write(folder.path().join("cert.pem"), cert.pem()).unwrap();
        fs::write(folder.path().join("key.pem"), signing_key.serialize_pem()).unwrap();
        TestCertificate {
            folder,
            certificate: cert.der().clone(),
            key: signing_key.serialize_der(),
        }
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn tls(&self) -> Tls {
        Tls::load(self.file("cert.pem"), Some(self.file("key.pem")), None).unwrap()
    }

    /// Loads the certificate with a key from this file, or returns the text of the error.
    pub(crate) fn load(&self, keyfile: &str, password: Option<&str>) -> Result<Tls, String> {
        let keyfile = self.file(keyfile);
        Tls::load(self.file("cert.pem"), Some(keyfile), password).map_err(|e| e.to_string())
    }

    /// Returns a client that trusts this certificate only.
    pub(crate) fn client(
        &self,
        version: &'static SupportedProtocolVersion,
        alpn: &[&str],
    ) -> ClientConnection {
        let mut roots = RootCertStore::empty();
        roots.add(self.certificate.clone()).unwrap();
        let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(&[version])
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
        ClientConnection::new(Arc::new(config), "localhost".try_into().unwrap()).unwrap()
    }

    pub(crate) fn connect(&self, to: SocketAddr) -> Stream {
        StreamOwned::new(self.client(&TLS13, &[]), connect(to))
    }
}
