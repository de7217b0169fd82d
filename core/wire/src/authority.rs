//! [`Authority`]: parses a host with an optional port, as in `Host` and in absolute targets (RFC 9112 §3.2). Also
//! checks that a request has a valid `Host`.

use core::net::Ipv6Addr;

use super::syntax::{alphanumeric_and, is_hex_pair};
use super::{Fields, ParseError, Version};

/// A host with an optional port.
pub(super) struct Authority<'a> {
    pub(super) host: &'a str,
    pub(super) port: Option<u16>,
}

impl<'a> Authority<'a> {
    /// Parses `host [ ":" [ port ] ]` (RFC 3986 §3.2). Rejects a user, an empty host (RFC 9110 §4.2), an address zone,
    /// and a comma, which may have separated two fields that an intermediary combined.
    pub(super) fn parse(text: &'a str) -> Option<Self> {
        let end = match text.strip_prefix('[') {
            Some(rest) => {
                let len = rest.find(']')?;
                rest[..len].parse::<Ipv6Addr>().ok()?;
                len + 2
            }
            None => text.find(':').unwrap_or(text.len()),
        };
        let (host, port) = text.split_at(end);
        if !host.starts_with('[') && !is_name(host) {
            return None;
        }
        let port = match port.strip_prefix(':') {
            None if port.is_empty() => None,
            Some("") => None,
            Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
                Some(digits.parse().ok()?)
            }
            _ => return None,
        };
        Some(Authority { host, port })
    }

    /// Returns whether both have the same host and port. A missing port means `default_port`.
    pub(super) fn agrees(&self, other: &Authority<'_>, default_port: u16) -> bool {
        self.host.eq_ignore_ascii_case(other.host)
            && self.port.unwrap_or(default_port) == other.port.unwrap_or(default_port)
    }
}

/// A bit for each character that need not be percent-encoded in a host name.
const NAME: u128 = alphanumeric_and(b"-._~!$&'()*+;=");

/// The characters of a `reg-name` or an IPv4 address, without the comma (RFC 3986 §3.2.2).
fn is_name(host: &str) -> bool {
    let mut bytes = host.bytes();
    while let Some(byte) = bytes.next() {
        let good = match byte {
            b'%' => is_hex_pair(&mut bytes),
            byte => byte < 128 && NAME >> byte & 1 == 1,
        };
        if !good {
            return false;
        }
    }
    !host.is_empty()
}

/// Checks that `Host` occurs once in HTTP/1.1 and is a valid host (RFC 9112 §3.2). With an absolute target its value is
/// ignored, but must be valid nevertheless.
pub(super) fn check_host(fields: &Fields, version: Version) -> Result<(), ParseError> {
    let mut hosts = fields.get_all("host");
    match (hosts.next(), hosts.next()) {
        (None, _) if version < Version::Http11 => Ok(()),
        (None, _) => Err(ParseError::MissingHost),
        (Some(_), Some(_)) => Err(ParseError::Host),
        (Some(value), None) => Authority::parse(value).map(|_| ()).ok_or(ParseError::Host),
    }
}
