//! Identifies the kind of a private key, for errors about keys that cannot be used.

use pkcs8::PrivateKeyInfoRef;
use pkcs8::der::asn1::{AnyRef, ObjectIdentifier};
use pkcs8::der::{Decode, Reader, SliceReader, Tag, Tagged};
use rustls::pki_types::PrivateKeyDer;

/// Returns what is wrong with a key that cannot be used, and what to do about it.
pub(super) fn unusable(key: &PrivateKeyDer<'_>) -> String {
    let known = match key {
        PrivateKeyDer::Pkcs1(key) => rsa(key.secret_pkcs1_der()),
        PrivateKeyDer::Sec1(key) => sec1(key.secret_sec1_der()),
        PrivateKeyDer::Pkcs8(key) => pkcs8(key.secret_pkcs8_der()),
        _ => None,
    };
    match known.as_deref() {
        None | Some("an ECDSA key on P-256" | "an ECDSA key on P-384" | "an Ed25519 key") => {
            let section = match key {
                PrivateKeyDer::Pkcs1(_) => "RSA PRIVATE KEY",
                PrivateKeyDer::Sec1(_) => "EC PRIVATE KEY",
                _ => "PRIVATE KEY",
            };
            format!("has a damaged {section} section: copy the whole file again")
        }
        Some(kind) => unsupported(kind),
    }
}

/// Returns the message for a kind of key that is not supported.
pub(super) fn unsupported(kind: &str) -> String {
    format!(
        "has {kind}, which cannot be used here: use RSA of 2048 to 4096 bits, ECDSA on P-256 or P-384, or Ed25519, \
         and a certificate for that key"
    )
}

/// RFC 5958 §2.
fn pkcs8(der: &[u8]) -> Option<String> {
    let info = PrivateKeyInfoRef::try_from(der).ok()?;
    let algorithm = info.algorithm;
    Some(match &*algorithm.oid.to_string() {
        "1.2.840.113549.1.1.1" => rsa(info.private_key.as_bytes())?,
        "1.2.840.113549.1.1.10" => "a key for RSA-PSS only".into(),
        "1.2.840.10045.2.1" => elliptic(algorithm.parameters?),
        "1.2.840.10040.4.1" => "a DSA key".into(),
        "1.3.101.110" | "1.3.101.111" => "a key for key agreement only".into(),
        "1.3.101.112" => "an Ed25519 key".into(),
        "1.3.101.113" => "an Ed448 key".into(),
        other => format!("a key of another kind ({other})"),
    })
}

/// RFC 8017 §A.1.2: the modulus is the second number.
fn rsa(der: &[u8]) -> Option<String> {
    let key = AnyRef::from_der(der).ok()?;
    let mut numbers = SliceReader::new(key.value()).ok()?;
    let _version: AnyRef<'_> = numbers.decode().ok()?;
    let modulus: AnyRef<'_> = numbers.decode().ok()?;
    let digits = modulus.value();
    let zeros = digits.iter().take_while(|byte| **byte == 0).count();
    let first = digits.get(zeros)?;
    let bits = (digits.len() - zeros) * 8 - first.leading_zeros() as usize;
    Some(format!("an RSA key of {bits} bits"))
}

/// RFC 5915 §3: the parameters follow the version and the private key.
fn sec1(der: &[u8]) -> Option<String> {
    let key = AnyRef::from_der(der).ok()?;
    let mut fields = SliceReader::new(key.value()).ok()?;
    let _version: AnyRef<'_> = fields.decode().ok()?;
    let _number: AnyRef<'_> = fields.decode().ok()?;
    let parameters: AnyRef<'_> = fields.decode().ok()?;
    AnyRef::from_der(parameters.value()).ok().map(elliptic)
}

/// RFC 5480 §2.1.1: only named curves are allowed.
fn elliptic(parameters: AnyRef<'_>) -> String {
    if parameters.tag() != Tag::ObjectIdentifier {
        return "an ECDSA key with explicit parameters in place of the name of a curve".into();
    }
    let curve = parameters.decode_as::<ObjectIdentifier>();
    let curve = curve.map(|curve| curve.to_string()).unwrap_or_default();
    let name = match &*curve {
        "1.2.840.10045.3.1.7" => "P-256",
        "1.3.132.0.33" => "P-224",
        "1.3.132.0.34" => "P-384",
        "1.3.132.0.35" => "P-521",
        "1.3.132.0.10" => "secp256k1",
        other => other,
    };
    format!("an ECDSA key on {name}")
}
