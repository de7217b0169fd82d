//! What a server over TLS needs, and the client that trusts it.

use std::fs;

use sanserve_conformance::Certificate;
use sanserve_server::Tls;
use tempfile::TempDir;

/// A new certificate, and the same as the server loads it from its file.
pub(crate) fn certified() -> (Certificate, Tls) {
    let (certificate, folder) = (Certificate::generate(), TempDir::new().expect("a folder"));
    let file = folder.path().join("both.pem");
    fs::write(&file, certificate.pem()).expect("a file of ours");
    let tls = Tls::load(file, None, None).expect("a good certificate");
    (certificate, tls)
}
