//! Parses the request target in each of its four forms, and returns its path and query (RFC 9112 §3.2).

use super::authority::Authority;
use super::syntax::is_hex_pair;

/// A target in absolute form.
pub(super) struct Absolute<'a> {
    pub(super) authority: &'a str,
    /// Path and query, which may be empty.
    path: &'a str,
}

impl<'a> Absolute<'a> {
    /// Parses a target that begins with `http://` or `https://`, in any letter case.
    pub(super) fn parse(target: &'a str) -> Option<Self> {
        let scheme = ["http://", "https://"].into_iter().find(|scheme| {
            let start = target.as_bytes().get(..scheme.len());
            start.is_some_and(|start| start.eq_ignore_ascii_case(scheme.as_bytes()))
        })?;
        let rest = &target[scheme.len()..];
        let (authority, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        Some(Absolute { authority, path })
    }
}

/// Returns path and query of a target: all of `*` and `host:port`, and an empty text for `http://host`. Returns `None`
/// if the target has none of the forms or not that of its method, or if it contains a character that is invalid in a
/// URI.
pub(super) fn path<'a>(method: &str, target: &'a str) -> Option<&'a str> {
    // A fragment is only for the client (RFC 9110 §4.2.5). Bytes above 0x7E are invalid in a URI, but some clients send
    // them.
    let may_be = |byte: u8| byte >= 128 || byte.is_ascii_graphic() && byte != b'#';
    if !target.bytes().all(may_be) {
        return None;
    }
    let path = match method {
        "CONNECT" => {
            Authority::parse(target)?.port?;
            target
        }
        "OPTIONS" if target == "*" => target,
        _ if target.starts_with('/') => target,
        _ => {
            let absolute = Absolute::parse(target)?;
            Authority::parse(absolute.authority)?;
            absolute.path
        }
    };
    is_encoded(path).then_some(path)
}

/// Returns whether two hexadecimal digits follow every `%` of the path. Browsers send a bare `%` in the query.
fn is_encoded(path: &str) -> bool {
    let mut bytes = path.bytes().take_while(|&byte| byte != b'?');
    while let Some(byte) = bytes.next() {
        if byte == b'%' && !is_hex_pair(&mut bytes) {
            return false;
        }
    }
    true
}
