//! [`Environment`]: makes the environment variables of a CGI script from the request (RFC 3875 §4.1).

use alloc::borrow::Cow;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use crate::engine::Exchange;
use crate::fs::Path;
use crate::text::escape::bytes;
use crate::wire::syntax::is_among;

/// The names and values of environment variables. The names are constants, except those that begin with `HTTP_`.
pub(crate) struct Environment(Vec<(Cow<'static, str>, Vec<u8>)>);

/// The request and server settings from which the environment is made.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Server<'a> {
    /// The name and port on which the server listens.
    pub(crate) name: &'a str,
    pub(crate) port: u16,
    /// Whether the server uses TLS.
    pub(crate) https: bool,
}

impl Environment {
    /// Returns CPython's variables, without `AUTH_TYPE` and `REMOTE_USER` unless a password has been verified, as
    /// scripts trust them; and, beyond CPython's, the fields of the request.
    pub(crate) fn new(ex: &Exchange<'_>, server: Server<'_>, script: &[u8], info: Vec<u8>) -> Self {
        let query = ex.path().split_once('?').map_or("", |(_, query)| query);
        let content_type = ex.header("Content-Type").unwrap_or("text/plain");
        let (name, port) = requested_server(ex, server);
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
            // Set even if the request has no such field.
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

    /// Adds the fields of the request (RFC 3875 §4.1.18). Several fields of the same name are combined to a list (RFC
    /// 9110 §5.3), cookies as in RFC 9113 §8.2.3. `HTTP_HOST` is the host that the request is for.
    fn add_fields(&mut self, ex: &Exchange<'_>) {
        if let Some(host) = ex.head.authority() {
            self.set("HTTP_HOST", bytes(host));
        }
        for (field, value) in ex.headers() {
            let Some(name) = variable_name(field) else {
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

/// Returns the decoded path after the script's name, and that path as a file.
pub(crate) fn path_info(path: &Path, end: usize) -> (Vec<u8>, Path) {
    let mut info = path.as_bytes()[end..].to_vec();
    if path.ends_with_slash() {
        info.push(b'/');
    }
    let translated = Path::from_bytes(info.clone()).unwrap_or_default();
    (info, translated)
}

/// Returns the name and port to which the client has sent its request (RFC 3875 §4.1.14, §4.1.15): those in `Host`,
/// with the default port if it has none. Without `Host` they are those on which the server listens.
fn requested_server<'a>(ex: &Exchange<'a>, server: Server<'a>) -> (&'a str, u16) {
    let usual = if server.https { 443 } else { 80 };
    match ex.head.host_and_port() {
        Some((host, port)) => (host, port.unwrap_or(usual)),
        None => (server.name, server.port),
    }
}

/// Returns the name of the variable for a field. Some fields have none: those with a password, which only a script that
/// verifies it should know; `Proxy`, since programs use `HTTP_PROXY` for a setting; fields with a variable of their
/// own; and hop-by-hop fields. `Host` has none either, since it may not be the host that the request is for (RFC 9112
/// §3.2.2), nor have names with characters other than letters, digits and hyphens: an underscore would make them look
/// like another field.
fn variable_name(field: &str) -> Option<String> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    (field.bytes().all(is_plain) && !is_among(field, &FIELDS_WITHOUT_VARIABLE))
        .then(|| format!("HTTP_{}", field.to_ascii_uppercase().replace('-', "_")))
}

const FIELDS_WITHOUT_VARIABLE: [&str; 15] = [
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
