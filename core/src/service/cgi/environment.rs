//! [`Environment`]: what a script is told of its request (RFC 3875 §4.1).

use alloc::borrow::Cow;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use crate::engine::Exchange;
use crate::fs::Path;
use crate::text::escape::bytes;
use crate::wire::syntax::is_among;

/// Variables for a script. Names are known beforehand, but for those that begin with `HTTP_`.
pub(crate) struct Environment(Vec<(Cow<'static, str>, Vec<u8>)>);

/// What scripts are told of the server.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Server<'a> {
    /// Where it listens.
    pub(crate) name: &'a str,
    pub(crate) port: u16,
    /// Whether it speaks TLS.
    pub(crate) https: bool,
}

impl Environment {
    /// CPython's variables under CPython's names, but for `AUTH_TYPE` and `REMOTE_USER`: where nobody
    /// has checked a password, a script must not be made to believe so. And what CPython does not tell: the fields of the
    /// request.
    pub(crate) fn new(ex: &Exchange<'_>, server: Server<'_>, script: &[u8], info: Vec<u8>) -> Self {
        let query = ex.path().split_once('?').map_or("", |(_, query)| query);
        let content_type = ex.header("Content-Type").unwrap_or("text/plain");
        let (name, port) = asked(ex, server);
        let mut environment = Environment(Vec::new());
        for (name, value) in [
            ("SERVER_SOFTWARE", bytes(ex.version_string())),
            ("SERVER_NAME", bytes(name)),
            ("SERVER_PORT", bytes(&port.to_string())),
            ("GATEWAY_INTERFACE", bytes("CGI/1.1")),
            ("SERVER_PROTOCOL", bytes(ex.protocol_version())),
            ("REQUEST_METHOD", bytes(ex.command())),
            ("SCRIPT_NAME", [b"/", script].concat()),
            ("PATH_INFO", info),
            ("QUERY_STRING", bytes(query)),
            ("REMOTE_ADDR", bytes(ex.client_address())),
            ("REMOTE_HOST", Vec::new()),
            ("CONTENT_TYPE", bytes(content_type)),
            // There also where the request has no such field.
            ("HTTP_REFERER", Vec::new()),
            ("HTTP_USER_AGENT", Vec::new()),
            ("HTTP_ACCEPT", Vec::new()),
            ("HTTP_COOKIE", Vec::new()),
        ] {
            environment.set(name, value);
        }
        if server.https {
            environment.set("HTTPS", bytes("on"));
        }
        environment.add_fields(ex);
        environment
    }

    pub(crate) fn set(&mut self, name: &'static str, value: Vec<u8>) {
        self.0.push((name.into(), value));
    }

    pub(crate) fn into_variables(self) -> Vec<(Cow<'static, str>, Vec<u8>)> {
        self.0
    }

    /// RFC 3875 §4.1.18: the fields of the request, each under its name. What is said in several is one
    /// list (RFC 9110 §5.3), cookies in the way of RFC 9113 §8.2.3. The host is the one that the request is for.
    fn add_fields(&mut self, ex: &Exchange<'_>) {
        if let Some(host) = ex.head.authority() {
            self.set("HTTP_HOST", bytes(host));
        }
        for (field, value) in ex.headers() {
            let Some(name) = variable(field) else {
                continue;
            };
            let Some((_, known)) = self.0.iter_mut().find(|(other, _)| *other == name) else {
                self.0.push((name.into(), bytes(value)));
                continue;
            };
            if !known.is_empty() && !value.is_empty() {
                let between: &[u8] = match &*name {
                    "HTTP_ACCEPT" => b",",
                    "HTTP_COOKIE" => b"; ",
                    _ => b", ",
                };
                known.extend_from_slice(between);
            }
            known.extend(bytes(value));
        }
    }
}

/// What a script reads after the path, decoded, and what that means as a file.
pub(crate) fn path_info(path: &Path, end: usize) -> (Vec<u8>, Path) {
    let mut info = path.as_bytes()[end..].to_vec();
    if path.ends_with_slash() {
        info.push(b'/');
    }
    let translated = Path::from_bytes(info.clone()).unwrap_or_default();
    (info, translated)
}

/// Where the client has sent its request to (RFC 3875 §4.1.14, §4.1.15): what `Host` names, with the usual port if it
/// names none. Where there is no `Host`, it is where the server listens.
fn asked<'a>(ex: &Exchange<'a>, server: Server<'a>) -> (&'a str, u16) {
    let usual = if server.https { 443 } else { 80 };
    match ex.head.host_and_port() {
        Some((host, port)) => (host, port.unwrap_or(usual)),
        None => (server.name, server.port),
    }
}

/// The name of the variable that has a field. Some have none: those with a password, which no script but the one that
/// checks it may know; `Proxy`, since programs take `HTTP_PROXY` for their own; those that have another variable; and what
/// concerns the connection alone. Nor has `Host`, which may not be the host that counts (RFC 9112 §3.2.2), nor a name with
/// anything but letters, digits and hyphens: with an underscore it would be taken for another field.
fn variable(field: &str) -> Option<String> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    (field.bytes().all(is_plain) && !is_among(field, &WITHHELD))
        .then(|| format!("HTTP_{}", field.to_ascii_uppercase().replace('-', "_")))
}

const WITHHELD: [&str; 15] = [
    "Authorization",
    "Connection",
    "Content-Length",
    "Content-Type",
    "Expect",
    "Host",
    "HTTP2-Settings",
    "Keep-Alive",
    "Proxy",
    "Proxy-Authorization",
    "Proxy-Connection",
    "TE",
    "Trailer",
    "Transfer-Encoding",
    "Upgrade",
];
