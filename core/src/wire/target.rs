//! [`Target`]: where the parts of a request target lie, in each of its four forms (RFC 9112 §3.2).

use core::ops::Range;

use super::host::Authority;

/// Where the parts of a target lie in the request line.
#[derive(Debug, Clone)]
pub(super) struct Target {
    /// The authority of the absolute form, and the usual port of its scheme.
    pub(super) authority: Option<(Range<usize>, u16)>,
    /// Path and query, the latter with its question mark. Of `*` and of the authority form it is
    /// all; of `http://host` it is empty and means `/`.
    pub(super) path: Range<usize>,
}

impl Target {
    /// That of a request line which could not be read.
    pub(super) const NONE: Target = Target {
        authority: None,
        path: 0..0,
    };
}

/// Takes the target apart that lies there in the request line; `None` if it has none of the forms,
/// or not the one that belongs to its method, or holds what no URI does.
pub(super) fn parse(command: &str, line: &str, whole: Range<usize>) -> Option<Target> {
    let target = &line[whole.clone()];
    // A fragment is for the client alone (RFC 9110 §4.2.5), and a byte above 0x7E is sent in hex.
    if !target
        .bytes()
        .all(|byte| byte.is_ascii_graphic() && byte != b'#')
    {
        return None;
    }
    let (authority, path) = match command {
        "CONNECT" => {
            Authority::parse(target)?.port?;
            (None, whole.clone())
        }
        "OPTIONS" if target == "*" => (None, whole.clone()),
        _ if target.starts_with('/') => (None, whole.clone()),
        _ => {
            let (scheme, usual_port) = scheme(target)?;
            let rest = &target[scheme..];
            let len = rest.find(['/', '?']).unwrap_or(rest.len());
            Authority::parse(&rest[..len])?;
            let start = whole.start + scheme;
            let end = start + len;
            (Some((start..end, usual_port)), end..whole.end)
        }
    };
    is_encoded(&line[path.clone()]).then_some(Target { authority, path })
}

/// The length of the scheme that the target begins with, and its usual port.
fn scheme(target: &str) -> Option<(usize, u16)> {
    let known = [("http://", 80), ("https://", 443)];
    let found = known.into_iter().find(|(scheme, _)| {
        let start = target.as_bytes().get(..scheme.len());
        start.is_some_and(|start| start.eq_ignore_ascii_case(scheme.as_bytes()))
    });
    found.map(|(scheme, port)| (scheme.len(), port))
}

/// Whether every `%` of the path has its two digits. In the query browsers send it bare.
fn is_encoded(path: &str) -> bool {
    let path = path.split('?').next().unwrap_or_default();
    path.split('%').skip(1).all(|after| {
        let digits = after.as_bytes().get(..2);
        digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
    })
}
