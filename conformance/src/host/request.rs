//! A [`Request`] out of the bytes that a case sends, if it is one that any host hands on. None of the
//! engine is used: it is what the engine is judged by.

use super::Request;

impl Request {
    /// Takes the next request off `sent`, or says why no host hands it on.
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
        let written = request.path.unwrap_or_default();
        let line = format!(
            "{method} {written} HTTP/1.{}",
            request.version.unwrap_or_default()
        );
        let all: Vec<(String, Vec<u8>)> = request
            .headers
            .iter()
            .map(|field| (field.name.into(), field.value.into()))
            .collect();
        let target = target(&method, written).ok_or("the target's syntax")?;
        let host = host(&all, written, request.version == Some(1))?;
        let (content, taken) = content(&all, rest)?;
        *sent = &rest[taken..];
        let mut fields: Vec<_> = all
            .into_iter()
            .filter(|(name, _)| !is(name, &OF_CONNECTION))
            .collect();
        fields.splice(0..0, host.map(|host| ("Host".to_owned(), host.into())));
        Ok(Self {
            method,
            target,
            fields,
            first: false,
            content,
            line,
        })
    }
}

/// Whether this is all of a request of HTTP/0.9.
fn is_simple(line: &[u8]) -> bool {
    let words = line.split(|&byte| byte == b' ').collect::<Vec<_>>();
    words.len() == 2 && words[0] == b"GET" || words.last() == Some(&&b"HTTP/0.9"[..])
}

fn bare_line_feed(head: &[u8]) -> bool {
    (0..head.len()).any(|at| head[at] == b'\n' && (at == 0 || head[at - 1] != b'\r'))
}

/// The path and query of a target in origin form or in absolute form, or `*` (RFC 9112 §3.2).
fn target(method: &str, written: &str) -> Option<String> {
    if method == "OPTIONS" && written == "*" {
        return Some("*".into());
    }
    let lower = written.to_ascii_lowercase();
    let path = match lower
        .strip_prefix("http://")
        .or(lower.strip_prefix("https://"))
    {
        Some(rest) => {
            let path = rest.find(['/', '?']).map_or("", |at| &rest[at..]);
            &written[written.len() - path.len()..]
        }
        None => Some(written).filter(|target| target.starts_with('/'))?,
    };
    // RFC 3986 §3.3 and §3.4.
    let may_be = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@/?%".contains(&byte);
    let encoded = path.split('%').skip(1).all(|after| {
        let digits = after.as_bytes().get(..2);
        digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
    });
    let slash = if path.starts_with('/') { "" } else { "/" };
    (path.bytes().all(may_be) && encoded).then(|| format!("{slash}{path}"))
}

/// A host to be added, where the field may be missing; an error if it is not right.
fn host(
    fields: &[(String, Vec<u8>)],
    written: &str,
    modern: bool,
) -> Result<Option<&'static str>, &'static str> {
    let hosts: Vec<_> = fields
        .iter()
        .filter(|(name, _)| is(name, &["host"]))
        .collect();
    let absolute = written
        .split_once("://")
        .filter(|_| !written.starts_with('/'));
    let authority = absolute.and_then(|(_, rest)| rest.split(['/', '?']).next());
    let plain = |host: &[u8]| {
        !host.is_empty()
            && host
                .iter()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-.:[]".contains(byte))
    };
    match &hosts[..] {
        [] if !modern => Ok(Some("localhost")),
        [(_, host)] if plain(host) && authority.is_none_or(|other| other.as_bytes() == host) => {
            Ok(None)
        }
        _ => Err("the host"),
    }
}

/// The content behind a head, and how long it is with its framing (RFC 9112 §6.3).
pub(super) fn content(
    fields: &[(String, Vec<u8>)],
    rest: &[u8],
) -> Result<(Option<Vec<u8>>, usize), &'static str> {
    let framing: Vec<_> = fields
        .iter()
        .filter(|(name, _)| is(name, &["content-length", "transfer-encoding"]))
        .collect();
    match &framing[..] {
        [] => Ok((None, 0)),
        [(name, value)] if is(name, &["content-length"]) => {
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
            let content = chunks(&mut left)?;
            Ok((Some(content), rest.len() - left.len()))
        }
        _ => Err("the content's framing"),
    }
}

/// Takes chunks off `left`, with the trailer.
fn chunks(left: &mut &[u8]) -> Result<Vec<u8>, &'static str> {
    let mut content = Vec::new();
    loop {
        let line = line(left)?;
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
            while !self::line(left)?.is_empty() {}
            return Ok(content);
        }
        content.extend(left.get(..size).ok_or("cut short")?);
        *left = &left[size..];
        if !self::line(left)?.is_empty() {
            return Err("the content's framing");
        }
    }
}

fn line<'a>(left: &mut &'a [u8]) -> Result<&'a [u8], &'static str> {
    let end = left
        .windows(2)
        .position(|two| two == b"\r\n")
        .ok_or("cut short")?;
    let line = &left[..end];
    *left = &left[end + 2..];
    Ok(line)
}

fn is(name: &str, names: &[&str]) -> bool {
    names.iter().any(|other| name.eq_ignore_ascii_case(other))
}

const OF_CONNECTION: [&str; 8] = [
    "connection",
    "keep-alive",
    "proxy-connection",
    "transfer-encoding",
    "te",
    "trailer",
    "upgrade",
    "expect",
];

/// How long a head may be, and how many fields it may have, for any host to take it. One may add some
/// of its own.
const HEAD_MAX: usize = 60_000;
const FIELDS_MAX: usize = 90;
