//! What passes between a CGI script and the world: its environment, and the header of its answer.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use crate::{Exchange, Path, status};

/// What a script finds in its environment, and what its `PATH_INFO` means as a file (RFC 3875 §4.1).
/// The script is named by the first `end` bytes of `path`.
///
/// These are CPython's variables under CPython's names, but for `AUTH_TYPE` and `REMOTE_USER`: where
/// nobody has checked a password, a script must not be made to believe so.
pub(crate) fn environment(
    ex: &Exchange<'_>,
    server_name: &str,
    server_port: u16,
    path: &Path,
    end: usize,
) -> (Vec<(&'static str, Vec<u8>)>, Path) {
    let (script, info) = path.as_bytes().split_at(end);
    let mut info = info.to_vec();
    if path.ends_with_slash() {
        info.push(b'/');
    }
    let translated = Path::from_bytes(info.clone()).unwrap_or_default();
    let query = ex.path().split_once('?').map_or("", |(_, query)| query);
    let field = |name| bytes(ex.header(name).unwrap_or(""));
    let env = Vec::from([
        ("SERVER_SOFTWARE", bytes(ex.version_string())),
        ("SERVER_NAME", bytes(server_name)),
        ("SERVER_PORT", bytes(&server_port.to_string())),
        ("GATEWAY_INTERFACE", bytes("CGI/1.1")),
        ("SERVER_PROTOCOL", bytes(ex.protocol_version())),
        ("REQUEST_METHOD", bytes(ex.command())),
        ("SCRIPT_NAME", [b"/", script].concat()),
        ("PATH_INFO", info),
        ("QUERY_STRING", bytes(query)),
        ("REMOTE_ADDR", bytes(ex.client_address())),
        ("REMOTE_HOST", Vec::new()),
        (
            "CONTENT_TYPE",
            bytes(ex.header("Content-Type").unwrap_or("text/plain")),
        ),
        ("HTTP_REFERER", field("Referer")),
        ("HTTP_USER_AGENT", field("User-Agent")),
        ("HTTP_ACCEPT", joined(ex, "Accept", ",")),
        ("HTTP_COOKIE", joined(ex, "Cookie", ", ")),
    ]);
    (env, translated)
}

/// Text of a request, as the bytes that were sent.
pub(crate) fn bytes(text: &str) -> Vec<u8> {
    text.chars().map(|char| char as u8).collect()
}

/// All fields of that name that say something, in one.
fn joined(ex: &Exchange<'_>, name: &str, between: &str) -> Vec<u8> {
    let fields = ex
        .headers()
        .filter(|(other, value)| other.eq_ignore_ascii_case(name) && !value.is_empty());
    let values: Vec<&str> = fields.map(|(_, value)| value).collect();
    bytes(&values.join(between))
}

/// The header of a script's answer, as it comes.
#[derive(Debug, Clone)]
pub(crate) struct Script(Vec<u8>);

impl Script {
    pub(crate) fn new() -> Self {
        Script(Vec::new())
    }

    /// Takes in more output. When the header is complete it becomes the head of the reply, and what
    /// follows it in `output` is returned. The error says what is wrong with it.
    pub(crate) fn take<'a>(
        &mut self,
        output: &'a [u8],
        ex: &mut Exchange<'_>,
    ) -> Result<Option<&'a [u8]>, &'static str> {
        let before = self.0.len();
        self.0.extend_from_slice(output);
        let Some(end) = end_of_header(&self.0, before) else {
            return if self.0.len() > HEADER_MAX {
                Err("CGI script sent too long a header")
            } else {
                Ok(None)
            };
        };
        self.reply(end, ex)?;
        Ok(Some(&output[end - before..]))
    }

    /// Sends the head of the reply that the header stands for (RFC 3875 §6.3).
    fn reply(&self, end: usize, ex: &mut Exchange<'_>) -> Result<(), &'static str> {
        let mut slots = [httparse::EMPTY_HEADER; 64];
        let Ok(httparse::Status::Complete((_, fields))) =
            httparse::parse_headers(&self.0[..end], &mut slots)
        else {
            return Err("CGI script sent a bad header");
        };
        let field = |name: &str| {
            fields
                .iter()
                .find(|field| field.name.eq_ignore_ascii_case(name))
                .map(|field| field.value)
        };
        let (code, phrase) = match (field("Status"), field("Location")) {
            (Some(status), _) => parse_status(status).ok_or("CGI script sent a bad status")?,
            (None, Some(_)) => (302, status::phrase(302).to_string()),
            (None, None) => (200, "Script output follows".to_string()),
        };
        ex.send_response_with(code, phrase);
        for field in fields.iter().filter(|field| {
            !OURS
                .iter()
                .any(|ours| ours.eq_ignore_ascii_case(field.name))
        }) {
            ex.send_header(field.name, latin1(field.value));
        }
        ex.end_headers();
        Ok(())
    }
}

/// Behind the first empty line, if there is one. Lines end in LF or CR LF; the first `before` bytes
/// were looked at already.
fn end_of_header(bytes: &[u8], before: usize) -> Option<usize> {
    if bytes.starts_with(b"\n") || bytes.starts_with(b"\r\n") {
        return Some(if bytes[0] == b'\n' { 1 } else { 2 });
    }
    let from = before.saturating_sub(2);
    let newlines = (from..bytes.len()).filter(|&at| bytes[at] == b'\n');
    newlines.into_iter().find_map(|at| match &bytes[at + 1..] {
        [b'\n', ..] => Some(at + 2),
        [b'\r', b'\n', ..] => Some(at + 3),
        _ => None,
    })
}

/// `404 Not Found`, the phrase being optional.
fn parse_status(value: &[u8]) -> Option<(u16, String)> {
    let text = latin1(value);
    let (code, phrase) = text.split_once(' ').unwrap_or((&text, ""));
    let code = code
        .parse()
        .ok()
        .filter(|code| (200..600).contains(code) && text.len() >= 3)?;
    let phrase = if phrase.is_empty() {
        status::phrase(code)
    } else {
        phrase
    };
    Some((code, phrase.trim().to_string()))
}

fn latin1(bytes: &[u8]) -> String {
    bytes.iter().map(|&byte| char::from(byte)).collect()
}

/// How long a script's header may be.
const HEADER_MAX: usize = 65_536;

/// The fields that the server answers for itself, or that speak of one connection only.
const OURS: [&str; 9] = [
    "Status",
    "Server",
    "Date",
    "Connection",
    "Keep-Alive",
    "Transfer-Encoding",
    "Trailer",
    "Upgrade",
    "TE",
];
