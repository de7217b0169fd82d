//! Generates a self-signed certificate.

use std::error::Error;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use pkcs8::der::pem::{LineEnding, encode_string};
use rcgen::{
    Certificate, CertificateParams, DnType, ExtendedKeyUsagePurpose, KeyPair, date_time_ymd,
};
use ring::digest;
use rustls::pki_types::PrivatePkcs8KeyDer;

use super::{Tls, TlsError};

impl Tls {
    /// Generates a key and a certificate for these names and IP addresses; neither is stored. Clients will show
    /// a warning, and can identify the certificate only by its SHA-256 fingerprint, which is returned with it.
    ///
    /// # Errors
    /// If a name is not a valid host name, or if the system provides no random numbers.
    ///
    /// ```
    /// use sanserve_server::{HTTPSServer, Tls};
    ///
    /// # fn main() -> std::io::Result<()> {
    /// let (tls, sha256) = Tls::self_signed(["localhost", "127.0.0.1"])?;
    /// let server = HTTPSServer::bind("127.0.0.1:0", tls)?;
    /// # assert_eq!(sha256.len(), 32);
    /// # Ok(())
    /// # }
    /// ```
    pub fn self_signed(
        names: impl IntoIterator<Item = impl Into<String>>,
    ) -> Result<(Tls, [u8; 32]), TlsError> {
        let (certificate, key) = generate(names)?;
        let der = certificate.der().clone();
        let key = PrivatePkcs8KeyDer::from(key.serialize_der());
        let tls = Tls::new(vec![der], key.into()).map_err(failed)?;
        let sha256 = tls.certificate_sha256();
        Ok((tls, sha256))
    }

    /// Generates a key and a certificate as [`self_signed`](Self::self_signed) does, and returns both in PEM: the
    /// certificate and then the private key, not encrypted. In a file that only its owner may read, they are for
    /// [`load`](Self::load).
    ///
    /// # Errors
    /// The errors of [`self_signed`](Self::self_signed).
    pub fn self_signed_pem(
        names: impl IntoIterator<Item = impl Into<String>>,
    ) -> Result<String, TlsError> {
        let (certificate, key) = generate(names)?;
        let encode = |label, der: &[u8]| encode_string(label, LineEnding::LF, der).map_err(failed);
        let certificate = encode("CERTIFICATE", certificate.der())?;
        Ok(certificate + &encode("PRIVATE KEY", key.serialized_der())?)
    }

    /// Returns the SHA-256 of the certificate, which browsers show as its fingerprint.
    #[must_use]
    pub fn certificate_sha256(&self) -> [u8; 32] {
        let key = self.certificate.get();
        sha256(key.cert.first().map_or(&[], |der| der))
    }

    /// Returns the SHA-256 of the public key (RFC 7469 §2.4), which stays the same when a certificate is renewed with the
    /// same key: in base64, it is for `curl --pinnedpubkey`.
    #[must_use]
    pub fn key_sha256(&self) -> Option<[u8; 32]> {
        let key = self.certificate.get();
        let spki = key.key.public_key()?;
        Some(sha256(&spki))
    }
}

/// Generates a key, and a certificate for these names.
fn generate(
    names: impl IntoIterator<Item = impl Into<String>>,
) -> Result<(Certificate, KeyPair), TlsError> {
    let names: Vec<String> = names.into_iter().map(Into::into).collect();
    let mut params = CertificateParams::new(names).map_err(failed)?;
    let name = &mut params.distinguished_name;
    name.push(DnType::CommonName, "sanserve, self-signed");
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let now = date_time_ymd(1970, 1, 1) + now.unwrap_or_default();
    // Clocks differ. Some clients reject certificates with a longer lifetime.
    (params.not_before, params.not_after) = (now - DAY, now + 800 * DAY);
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let key = KeyPair::generate().map_err(failed)?;
    let certificate = params.self_signed(&key).map_err(failed)?;
    Ok((certificate, key))
}

fn sha256(bytes: &[u8]) -> [u8; 32] {
    let sha256 = digest::digest(&digest::SHA256, bytes);
    sha256.as_ref().try_into().expect("SHA-256 has 32 bytes")
}

fn failed(error: impl Error + Send + Sync + 'static) -> TlsError {
    TlsError::SelfSigned(Box::new(error))
}

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
