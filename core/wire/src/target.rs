//! The request target: its four forms, and the path in each (RFC 9112 §3.2).

use super::authority::Authority;
use super::syntax::is_hex_pair;

/// A target in absolute form.
pub(super) struct Absolute<'a> {
    pub(super) authority: &'a str,
    /// Path and query; empty if there is neither.
    path: &'a str,
}

impl<'a> Absolute<'a> {
    /// Parses what begins with `http://` or `https://`, in any case.
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

/// Returns path and query of a target: all of `*` and `host:port`, nothing of `http://host`. Returns `None` if the target
/// has none of the forms, or not the one that belongs to its method, or contains a character that a URI cannot have.
pub(super) fn path<'a>(method: &str, target: &'a str) -> Option<&'a str> {
    // A fragment is for the client alone (RFC 9110 §4.2.5). A URI has no byte above 0x7E, but clients send it.
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

/// Returns whether every `%` of the path has its two digits. In the query browsers send it bare.
fn is_encoded(path: &str) -> bool {
    let mut bytes = path.bytes().take_while(|&byte| byte != b'?');
    while let Some(byte) = bytes.next() {
        if byte == b'%' && !is_hex_pair(&mut bytes) {
            return false;
        }
    }
    true
}
