//! A certificate with its key, made for the test, and clients that trust it.
#![allow(dead_code, reason = "every test takes what it needs")]

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

use crate::peer::connect;

/// A client's side of a connection.
pub(crate) type Stream = StreamOwned<ClientConnection, TcpStream>;

/// A certificate and its key, in files.
pub(crate) struct Pair {
    pub(crate) folder: TempDir,
    pub(crate) root: CertificateDer<'static>,
    pub(crate) key: Vec<u8>,
}

impl Pair {
    pub(crate) fn new() -> Pair {
        let made = rcgen::generate_simple_self_signed(["localhost".into()]).unwrap();
        let CertifiedKey { cert, signing_key } = made;
        let folder = TempDir::new().unwrap();
        fs::write(folder.path().join("cert.pem"), cert.pem()).unwrap();
        fs::write(folder.path().join("key.pem"), signing_key.serialize_pem()).unwrap();
        Pair {
            folder,
            root: cert.der().clone(),
            key: signing_key.serialize_der(),
        }
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn tls(&self) -> Tls {
        Tls::load(self.file("cert.pem"), Some(self.file("key.pem")), None).unwrap()
    }

    pub(crate) fn load(&self, keyfile: &str, password: Option<&str>) -> Result<Tls, String> {
        let keyfile = self.file(keyfile);
        Tls::load(self.file("cert.pem"), Some(keyfile), password).map_err(|e| e.to_string())
    }

    pub(crate) fn client(
        &self,
        version: &'static SupportedProtocolVersion,
        alpn: &[&str],
    ) -> ClientConnection {
        let mut roots = RootCertStore::empty();
        roots.add(self.root.clone()).unwrap();
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
        let config = config.with_protocol_versions(&[version]).unwrap();
        let config = config.with_root_certificates(roots);
        let mut config = config.with_no_client_auth();
        config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
        ClientConnection::new(Arc::new(config), "localhost".try_into().unwrap()).unwrap()
    }

    pub(crate) fn connect(&self, to: SocketAddr) -> Stream {
        StreamOwned::new(self.client(&TLS13, &[]), connect(to))
    }
}
