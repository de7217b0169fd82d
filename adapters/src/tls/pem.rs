//! Certificates and keys as they stand in PEM files.
//!
//! Every error is a line that names the file and says what is wrong with it.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::Path;

use pkcs8::pkcs5;
use pkcs8::{EncryptedPrivateKeyInfoRef, SecretDocument};
use rustls::pki_types::pem::{Error, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

/// The certificates in a file, in their order.
pub(super) fn certificates(path: &Path) -> io::Result<Vec<CertificateDer<'static>>> {
    let text = read(path)?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    match found {
        Ok(found) if found.is_empty() => Err(wrong(path, "has no certificate in it")),
        Ok(found) => Ok(found),
        Err(error) => Err(wrong(path, &format!("is not a good PEM file: {error}"))),
    }
}

/// The first private key in a file, decrypted if need be.
pub(super) fn key(path: &Path, password: Option<&str>) -> io::Result<PrivateKeyDer<'static>> {
    let bytes = read(path)?;
    let text = String::from_utf8_lossy(&bytes);
    if text.contains("Proc-Type: 4,ENCRYPTED") {
        return Err(wrong(path, &foreign(path)));
    }
    if let Some(pem) = encrypted(&text) {
        let Some(password) = password else {
            return Err(wrong(path, "has an encrypted key, which needs a password"));
        };
        return decrypt(pem, password, path);
    }
    PrivateKeyDer::from_pem_slice(&bytes).map_err(|error| match error {
        Error::NoItemsFound => wrong(path, "has no private key in it"),
        error => wrong(path, &format!("is not a good PEM file: {error}")),
    })
}

/// The part of a file that is an encrypted key.
fn encrypted(text: &str) -> Option<&str> {
    let from = &text[text.find(BEGIN)?..];
    Some(from.find(END).map_or(from, |at| &from[..at + END.len()]))
}

/// The key, or why there is none.
fn decrypt(pem: &str, password: &str, path: &Path) -> io::Result<PrivateKeyDer<'static>> {
    let (_, document) =
        SecretDocument::from_pem(pem).map_err(|_| wrong(path, "has a damaged key"))?;
    let info = EncryptedPrivateKeyInfoRef::try_from(document.as_bytes())
        .map_err(|_| wrong(path, &foreign(path)))?;
    let key = info.decrypt(password).map_err(|error| match error {
        // By chance a wrong password may give something that is no key.
        pkcs8::Error::EncryptedPrivateKey(pkcs5::Error::DecryptFailed)
        | pkcs8::Error::Asn1(_)
        | pkcs8::Error::KeyMalformed(_) => {
            wrong(path, "has an encrypted key, and the password is wrong")
        }
        _ => wrong(path, &foreign(path)),
    })?;
    Ok(PrivatePkcs8KeyDer::from(key.as_bytes().to_vec()).into())
}

/// What to do about a key that OpenSSL knows how to decrypt, and nobody here.
fn foreign(path: &Path) -> String {
    let name = path.display();
    format!(
        "has a key that is encrypted in an old way, \
         convert it by: openssl pkey -aes256 -in {name} -out NEW"
    )
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    fs::read(path).map_err(|error| {
        let name = path.display();
        let message = match error.kind() {
            ErrorKind::NotFound => format!("there is no file {name}"),
            _ => format!("cannot read the file {name}: {error}"),
        };
        io::Error::new(error.kind(), message)
    })
}

fn wrong(path: &Path, what: &str) -> io::Error {
    let message = format!("{} {what}", path.display());
    io::Error::new(ErrorKind::InvalidData, message)
}

const BEGIN: &str = "-----BEGIN ENCRYPTED PRIVATE KEY-----";
const END: &str = "-----END ENCRYPTED PRIVATE KEY-----";
