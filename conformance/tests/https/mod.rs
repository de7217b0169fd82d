//! Creates a certificate for a TLS server, and a client that trusts it.

use std::fs;

use sanserve_conformance::Certificate;
use sanserve_server::Tls;
use tempfile::TempDir;

/// Creates a certificate, and loads it from a file as the server does.
pub(crate) fn certified() -> (Certificate, Tls) {
    let (certificate, folder) = (Certificate::generate(), TempDir::new().expect("a folder"));
    let file = folder.path().join("both.pem");
    fs::write(&file, certificate.pem()).expect("the file can be written");
    let tls = Tls::load(file, None, None).expect("a good certificate");
    (certificate, tls)
}
