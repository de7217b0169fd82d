//! Converts a request in the bytes of a case to the [`Request`] that a host (see `host`) passes on: without connection
//! fields and chunks. Fails if some host might not pass it on. No code is shared with the engine under test.

use super::Request;

impl Request {
    /// Takes the next request from `sent`. Fails with the reason if some host might not pass it on.
    pub(super) fn parse(sent: &mut &[u8]) -> Result<Self, &'static str> {
        let mut slots = [httparse::EMPTY_HEADER; 512];
        let mut request = httparse::Request::new(&mut slots);
        let end = sent
            .windows(2)
            .position(|two| two == b"\r\n")
            .unwrap_or(sent.len());
        let end = match request.parse(sent) {
            _ if is_simple(&sent[..end]) => return Err("HTTP/0.9"),
            Ok(httparse::Status::Complete(end)) => end,
            Ok(httparse::Status::Partial) => return Err("cut short"),
            Err(httparse::Error::HeaderName | httparse::Error::HeaderValue) => {
                return Err("a field's syntax");
            }
            Err(httparse::Error::NewLine) => return Err("a line's end"),
            Err(httparse::Error::TooManyHeaders) => return Err("the limits of a head"),
            Err(_) => return Err("the request line's syntax"),
        };
        if end > HEAD_MAX || request.headers.len() > FIELDS_MAX {
            return Err("the limits of a head");
        }
        let (head, rest) = sent.split_at(end);
        if bare_line_feed(head) {
            return Err("a line's end");
        }
        let method = request.method.unwrap_or_default().to_owned();
        let raw_target = request.path.unwrap_or_default();
        let request_line = format!(
            "{method} {raw_target} HTTP/1.{}",
            request.version.unwrap_or_default()
        );
        let all: Vec<(String, Vec<u8>)> = request
            .headers
            .iter()
            .map(|field| (field.name.into(), field.value.into()))
            .collect();
        let target = path_and_query(&method, raw_target).ok_or("the target's syntax")?;
        let host = missing_host(&all, raw_target, request.version == Some(1))?;
        let (content, taken) = parse_content(&all, rest)?;
        *sent = &rest[taken..];
        let mut fields: Vec<_> = all
            .into_iter()
            .filter(|(name, _)| !is_one_of(name, &CONNECTION_FIELDS))
            .collect();
        fields.splice(0..0, host.map(|host| ("Host".to_owned(), host.into())));
        Ok(Self {
            method,
            target,
            fields,
            first: false,
            content,
            request_line,
        })
    }
}

/// Whether this is a request of HTTP/0.9.
fn is_simple(line: &[u8]) -> bool {
    let words = line.split(|&byte| byte == b' ').collect::<Vec<_>>();
    words.len() == 2 && words[0] == b"GET" || words.last() == Some(&&b"HTTP/0.9"[..])
}

fn bare_line_feed(head: &[u8]) -> bool {
    (0..head.len()).any(|at| head[at] == b'\n' && (at == 0 || head[at - 1] != b'\r'))
}

/// Returns the path and query of a target in origin form or in absolute form, or `*` (RFC 9112 §3.2).
fn path_and_query(method: &str, raw: &str) -> Option<String> {
    if method == "OPTIONS" && raw == "*" {
        return Some("*".into());
    }
    let lower = raw.to_ascii_lowercase();
    let path = match lower
        .strip_prefix("http://")
        .or(lower.strip_prefix("https://"))
    {
        Some(rest) => {
            let path = rest.find(['/', '?']).map_or("", |at| &rest[at..]);
            &raw[raw.len() - path.len()..]
        }
        None => Some(raw).filter(|target| target.starts_with('/'))?,
    };
    // RFC 3986 §3.3 and §3.4.
    let allowed =
        |byte: u8| byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@/?%".contains(&byte);
    let encoded = path.split('%').skip(1).all(|after| {
        let digits = after.as_bytes().get(..2);
        digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
    });
    let slash = if path.starts_with('/') { "" } else { "/" };
    (path.bytes().all(allowed) && encoded).then(|| format!("{slash}{path}"))
}

/// Returns the `Host` to add to an HTTP/1.0 request that has none. Fails if the host is invalid.
fn missing_host(
    fields: &[(String, Vec<u8>)],
    raw_target: &str,
    http11: bool,
) -> Result<Option<&'static str>, &'static str> {
    let hosts: Vec<_> = fields
        .iter()
        .filter(|(name, _)| is_one_of(name, &["host"]))
        .collect();
    let absolute = raw_target
        .split_once("://")
        .filter(|_| !raw_target.starts_with('/'));
    let authority = absolute.and_then(|(_, rest)| rest.split(['/', '?']).next());
    let plain = |host: &[u8]| {
        !host.is_empty()
            && host
                .iter()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-.:[]".contains(byte))
    };
    match &hosts[..] {
        [] if !http11 => Ok(Some("localhost")),
        [(_, host)] if plain(host) && authority.is_none_or(|other| other.as_bytes() == host) => {
            Ok(None)
        }
        _ => Err("the host"),
    }
}

/// Returns the content after a head, and its length with the framing (RFC 9112 §6.3).
pub(super) fn parse_content(
    fields: &[(String, Vec<u8>)],
    rest: &[u8],
) -> Result<(Option<Vec<u8>>, usize), &'static str> {
    let framing: Vec<_> = fields
        .iter()
        .filter(|(name, _)| is_one_of(name, &["content-length", "transfer-encoding"]))
        .collect();
    match &framing[..] {
        [] => Ok((None, 0)),
        [(name, value)] if is_one_of(name, &["content-length"]) => {
            let digits = value.iter().all(u8::is_ascii_digit);
            let length = str::from_utf8(value)
                .ok()
                .filter(|_| digits)
                .and_then(|value| value.parse().ok());
            let length: usize = length.ok_or("the content's framing")?;
            let content = rest.get(..length).ok_or("cut short")?;
            Ok((Some(content.to_vec()), length))
        }
        [(_, value)] if value.eq_ignore_ascii_case(b"chunked") => {
            let mut left = rest;
            let content = take_chunks(&mut left)?;
            Ok((Some(content), rest.len() - left.len()))
        }
        _ => Err("the content's framing"),
    }
}

/// Takes chunks and the trailer from `left`.
fn take_chunks(left: &mut &[u8]) -> Result<Vec<u8>, &'static str> {
    let mut content = Vec::new();
    loop {
        let line = take_line(left)?;
        let digits = line
            .split(|byte| b"; \t".contains(byte))
            .next()
            .unwrap_or_default();
        let size = str::from_utf8(digits)
            .ok()
            .filter(|text| !text.starts_with('+'));
        let size = size.and_then(|size| usize::from_str_radix(size, 16).ok());
        let size = size.ok_or("the content's framing")?;
        if size == 0 {
            while !take_line(left)?.is_empty() {}
            return Ok(content);
        }
        content.extend(left.get(..size).ok_or("cut short")?);
        *left = &left[size..];
        if !take_line(left)?.is_empty() {
            return Err("the content's framing");
        }
    }
}

fn take_line<'a>(left: &mut &'a [u8]) -> Result<&'a [u8], &'static str> {
    let end = left
        .windows(2)
        .position(|two| two == b"\r\n")
        .ok_or("cut short")?;
    let line = &left[..end];
    *left = &left[end + 2..];
    Ok(line)
}

fn is_one_of(name: &str, names: &[&str]) -> bool {
    names.iter().any(|other| name.eq_ignore_ascii_case(other))
}

const CONNECTION_FIELDS: [&str; 8] = [
    "connection",
    "keep-alive",
    "proxy-connection",
    "transfer-encoding",
    "te",
    "trailer",
    "upgrade",
    "expect",
];

/// The length of a head and the number of fields that every host accepts, with room for fields that it adds.
const HEAD_MAX: usize = 60_000;
const FIELDS_MAX: usize = 90;
