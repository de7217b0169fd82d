//! Reads certificates and keys from PEM files.
//!
//! Each error is one line that names the file, says what is wrong with it, and what to do.

use std::io::ErrorKind;
use std::iter;
use std::path::Path;

use pkcs8::pkcs5;
use pkcs8::{EncryptedPrivateKeyInfoRef, SecretDocument};
use rustls::pki_types::pem::{Error, PemObject, SectionKind};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

use super::{TlsError, key_kind};
use crate::text_file;

/// Reads the certificates of a file, in order.
pub(super) fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let text = read(path)?;
    check(&text, path)?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    match found {
        Ok(found) if found.is_empty() => Err(unusable(path, &no_certificate(&text, path))),
        Ok(found) => Ok(found),
        Err(_) => Err(unusable(path, NOT_PEM)),
    }
}

/// Reads the first private key of a file, and decrypts it if necessary.
pub(super) fn key(path: &Path, password: Option<&str>) -> Result<PrivateKeyDer<'static>, TlsError> {
    let bytes = read(path)?;
    check(&bytes, path)?;
    if let Some(pem) = encrypted(&String::from_utf8_lossy(&bytes)) {
        let Some(password) = password else {
            return Err(TlsError::PasswordRequired { path: path.into() });
        };
        return decrypt(pem, password, path);
    }
    PrivateKeyDer::from_pem_slice(&bytes).map_err(|error| match error {
        Error::NoItemsFound => unusable(path, &no_key(&bytes, path)),
        _ => unusable(path, NOT_PEM),
    })
}

/// Returns an error about the first damaged section of a file. It names the section, but quotes nothing of it,
/// because that may be a part of a key.
fn check(bytes: &[u8], path: &Path) -> Result<(), TlsError> {
    for section in sections(bytes) {
        let text = String::from_utf8_lossy(section);
        if text.contains("Proc-Type: 4,ENCRYPTED") {
            return Err(unusable(path, &legacy_encryption(path)));
        }
        let Some(label) = label(&text) else {
            return Err(unusable(path, BAD_BEGIN));
        };
        // Unknown sections are skipped.
        let what = match <(SectionKind, Vec<u8>)>::from_pem_slice(section) {
            Ok(_) | Err(Error::NoItemsFound) => continue,
            Err(Error::MissingSectionEnd { .. }) => {
                format!("is cut off: its {label} section has no line -----END {label}-----")
            }
            Err(_) => format!("has a damaged {label} section, which is not Base64"),
        };
        return Err(unusable(
            path,
            &format!("{what}: copy the whole file again"),
        ));
    }
    Ok(())
}

/// Returns the sections of a file, each up to the beginning of the next.
fn sections(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let begins = |&at: &usize| {
        bytes[at..].starts_with(b"-----BEGIN ")
            && (at == 0 || matches!(bytes[at - 1], b'\n' | b'\r'))
    };
    let mut starts = (0..bytes.len()).filter(begins).peekable();
    iter::from_fn(move || {
        let start = starts.next()?;
        Some(&bytes[start..starts.peek().copied().unwrap_or(bytes.len())])
    })
}

/// Returns the label in the first line of a section, such as `CERTIFICATE`.
fn label(section: &str) -> Option<&str> {
    let line = section.split(['\n', '\r']).next()?.trim_end();
    let label = line.strip_prefix("-----BEGIN ")?.strip_suffix("-----")?;
    (!label.contains('-')).then_some(label)
}

/// Describes a file that contains no certificate.
fn no_certificate(bytes: &[u8], path: &Path) -> String {
    let (labels, name) = (labels(bytes), path.display());
    let has = |label: &str| labels.iter().any(|other| other == label);
    if let Some(convert) = binary(bytes) {
        format!("is not a PEM file, but {}", convert.advice(path))
    } else if has("TRUSTED CERTIFICATE") || has("X509 CERTIFICATE") {
        format!(
            "has a certificate in a form that only OpenSSL knows: \
             convert it with: openssl x509 -in {name} -out NEW"
        )
    } else if has("PKCS7") {
        format!(
            "has certificates as PKCS#7: \
             convert them with: openssl pkcs7 -print_certs -in {name} -out NEW"
        )
    } else if labels
        .iter()
        .any(|label| label.ends_with("CERTIFICATE REQUEST"))
    {
        "contains a certificate request, not a certificate: give the certificate that was issued for it".into()
    } else if has("CERTIFICATE") {
        "has a certificate whose lines are indented: remove the spaces before them".into()
    } else {
        format!("contains no certificate{}", others(&labels))
    }
}

/// Describes a file that contains no private key.
fn no_key(bytes: &[u8], path: &Path) -> String {
    let (labels, name) = (labels(bytes), path.display());
    let has = |label: &str| labels.iter().any(|other| other == label);
    if let Some(convert) = binary(bytes) {
        format!("is not a PEM file, but {}", convert.advice(path))
    } else if has("DSA PRIVATE KEY") {
        key_kind::unsupported("a DSA key")
    } else if has("OPENSSH PRIVATE KEY") {
        format!(
            "has a key in a form that only OpenSSH knows: \
             convert a copy of it with: ssh-keygen -p -m PKCS8 -f {name}"
        )
    } else if labels.iter().any(|label| label.ends_with("PRIVATE KEY")) {
        "has a private key whose lines are indented: remove the spaces before them".into()
    } else {
        format!("contains no private key{}", others(&labels))
    }
}

/// Lists the sections of a file, for the end of a sentence.
fn others(labels: &[String]) -> String {
    match labels {
        [] => String::new(),
        labels => format!(", only {}", labels.join(", ")),
    }
}

/// Returns the labels of all sections of a file, such as `CERTIFICATE`.
fn labels(bytes: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(bytes);
    let labels = text.lines().filter_map(|line| {
        let label = line.trim().strip_prefix("-----BEGIN ")?;
        Some(label.strip_suffix("-----")?.to_owned())
    });
    labels.take(LABELS_MAX).collect()
}

/// The kind of a DER file, and the arguments of OpenSSL that convert it to PEM.
struct Binary {
    kind: &'static str,
    convert: &'static str,
}

impl Binary {
    fn advice(&self, path: &Path) -> String {
        let (name, Binary { kind, convert }) = (path.display(), self);
        format!("{kind}: convert it with: openssl {convert} -in {name} -out NEW")
    }
}

/// Identifies a file that begins like DER, with a sequence.
fn binary(bytes: &[u8]) -> Option<Binary> {
    let [0x30, length, content @ ..] = bytes else {
        return None;
    };
    let content = match length {
        0x81..=0x84 => content.get(usize::from(length - 0x80)..)?,
        _ => content,
    };
    let (kind, convert) = match content {
        // The version of PKCS#12 is 3 (RFC 7292 §4); those of keys are 0 and 1.
        [0x02, 0x01, 3, ..] => ("PKCS#12", "pkcs12 -nodes"),
        [0x02, ..] => ("a key as DER", "pkey -inform DER"),
        // A certificate begins with another long sequence, an encrypted key with a short one.
        [0x30, 0x81..=0x84, ..] => ("a certificate as DER", "x509 -inform DER"),
        _ => ("an encrypted key as DER", "pkey -inform DER"),
    };
    Some(Binary { kind, convert })
}

/// Returns the section with the encrypted key, if there is one.
fn encrypted(text: &str) -> Option<&str> {
    let from = &text[text.find(BEGIN)?..];
    Some(from.find(END).map_or(from, |at| &from[..at + END.len()]))
}

/// Decrypts a key.
fn decrypt(pem: &str, password: &str, path: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    let (_, document) = SecretDocument::from_pem(pem).map_err(|_| unusable(path, DAMAGED))?;
    let info = EncryptedPrivateKeyInfoRef::try_from(document.as_bytes())
        .map_err(|_| unusable(path, &legacy_encryption(path)))?;
    let key = info.decrypt(password).map_err(|error| match error {
        // A wrong password may by chance decrypt to something that is not a key.
        pkcs8::Error::EncryptedPrivateKey(pkcs5::Error::DecryptFailed)
        | pkcs8::Error::Asn1(_)
        | pkcs8::Error::KeyMalformed(_) => TlsError::WrongPassword { path: path.into() },
        _ => unusable(path, &legacy_encryption(path)),
    })?;
    Ok(PrivatePkcs8KeyDer::from(key.as_bytes().to_vec()).into())
}

/// Returns what to do about a key with an encryption that only OpenSSL supports.
fn legacy_encryption(path: &Path) -> String {
    let name = path.display();
    format!(
        "has a key in an old encrypted form: \
         convert it with: openssl pkey -aes256 -in {name} -out NEW"
    )
}

fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    let path = path.to_owned();
    text_file::read(&path).map_err(|source| match source.kind() {
        ErrorKind::NotFound => TlsError::NotFound { path },
        _ => TlsError::Read { path, source },
    })
}

/// Makes an error about a file.
pub(super) fn unusable(path: &Path, problem: &str) -> TlsError {
    TlsError::Unusable {
        path: path.into(),
        problem: problem.into(),
    }
}

const BEGIN: &str = "-----BEGIN ENCRYPTED PRIVATE KEY-----";
const END: &str = "-----END ENCRYPTED PRIVATE KEY-----";

const NOT_PEM: &str = "is not a valid PEM file: copy the whole file again";
const DAMAGED: &str =
    "has a damaged ENCRYPTED PRIVATE KEY section, which is not Base64: copy the whole file again";
const BAD_BEGIN: &str = "has a broken line '-----BEGIN ...-----': it must end with five hyphens";

/// The maximum number of sections that an error names.
const LABELS_MAX: usize = 5;
