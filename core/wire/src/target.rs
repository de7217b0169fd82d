//! The request target: which of its four forms it has, and what is its path (RFC 9112 §3.2).

use super::authority::Authority;
use super::syntax::is_hex_pair;

/// A target in absolute form, taken apart.
pub(super) struct Absolute<'a> {
    pub(super) authority: &'a str,
    /// Path and query; empty if there is neither.
    path: &'a str,
}

impl<'a> Absolute<'a> {
    /// Reads what `http://` or `https://` begins, in any case.
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

/// Path and query of a target; of `*` and `host:port` all of it, of `http://host` nothing. `None` if
/// it has none of the forms, or not the one that belongs to its method, or holds what no URI does.
pub(super) fn path<'a>(command: &str, target: &'a str) -> Option<&'a str> {
    // A fragment is for the client alone (RFC 9110 §4.2.5). No URI has a byte above 0x7E, but clients send it.
    let may_be = |byte: u8| byte >= 128 || byte.is_ascii_graphic() && byte != b'#';
    if !target.bytes().all(may_be) {
        return None;
    }
    let path = match command {
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

/// Whether every `%` of the path has its two digits. In the query browsers send it bare.
fn is_encoded(path: &str) -> bool {
    let mut bytes = path.bytes().take_while(|&byte| byte != b'?');
    while let Some(byte) = bytes.next() {
        if byte == b'%' && !is_hex_pair(&mut bytes) {
            return false;
        }
    }
    true
}
