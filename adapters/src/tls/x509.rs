//! [`Certificate`]: parses the fields of a certificate (RFC 5280 §4.1) that the server needs: version and
//! validity.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use pkcs8::der::asn1::{AnyRef, GeneralizedTime, UtcTime};
use pkcs8::der::{self, Reader, SliceReader, Tag, Tagged};

/// The parsed fields of a certificate.
pub(super) struct Certificate {
    /// 1, 2 or 3. Only certificates of version 3 contain the host names that they are for.
    pub(super) version: u8,
    /// Valid from, and until.
    pub(super) validity: (SystemTime, SystemTime),
}

impl Certificate {
    /// Parses the fields in front of the public key; `None` if they are malformed.
    pub(super) fn read(der: &[u8]) -> Option<Certificate> {
        read(der).ok()
    }
}

fn read(der: &[u8]) -> der::Result<Certificate> {
    let certificate: AnyRef<'_> = SliceReader::new(der)?.decode()?;
    let to_be_signed: AnyRef<'_> = SliceReader::new(certificate.value())?.decode()?;
    let mut fields = SliceReader::new(to_be_signed.value())?;
    let mut next = || fields.decode::<AnyRef<'_>>();
    let first = next()?;
    // If the version is 1 it is omitted, and the serial number comes first.
    let version = if first.tag() == Tag::Integer {
        1
    } else {
        next()?;
        first
            .value()
            .last()
            .map_or(1, |last| last.saturating_add(1))
    };
    let (_algorithm, _issuer, validity) = (next()?, next()?, next()?);
    let mut times = SliceReader::new(validity.value())?;
    let mut next = || times.decode::<AnyRef<'_>>().and_then(time);
    Ok(Certificate {
        version,
        validity: (next()?, next()?),
    })
}

fn time(value: AnyRef<'_>) -> der::Result<SystemTime> {
    let since: Duration = match value.tag() {
        Tag::UtcTime => value.decode_as::<UtcTime>()?.to_unix_duration(),
        _ => value.decode_as::<GeneralizedTime>()?.to_unix_duration(),
    };
    Ok(UNIX_EPOCH + since)
}
