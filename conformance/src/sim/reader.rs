//! Parses replies, as a client does. It shares no code with the engine, and is as strict as RFC 9112 lets a client be.

use std::borrow::Cow;

/// A final reply. Interim replies before it are skipped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParsedReply<'a> {
    /// The status; 0 in HTTP/0.9, or if the head is incomplete.
    pub status: u16,
    /// Status line, fields, and the empty line. Empty in HTTP/0.9.
    pub head: &'a [u8],
    /// The content, without its framing.
    pub body: Cow<'a, [u8]>,
    /// How the reply ends.
    pub end: ReplyEnd,
}

/// How a reply ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReplyEnd {
    /// As its framing says.
    Complete,
    /// With the connection, as its framing says; it may be incomplete.
    Closed,
    /// Before its end: it is truncated.
    Truncated,
}

/// A request in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Logged<'a> {
    /// The request line.
    pub line: &'a str,
    /// The status of the reply.
    pub status: u16,
}

impl<'a> ParsedReply<'a> {
    /// Returns the value of the first field of this name, in upper or lower case.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&'a [u8]> {
        let lines = self.head.split(|&byte| byte == b'\n').skip(1);
        lines.into_iter().find_map(|line| {
            let (is, value) = line.split_at_checked(name.len())?;
            let value = value.strip_prefix(b":")?;
            is.eq_ignore_ascii_case(name.as_bytes())
                .then(|| value.trim_ascii())
        })
    }
}

/// Returns the requests in a log, in order.
#[must_use]
pub fn logged(log: &str) -> Vec<Logged<'_>> {
    log.lines().filter_map(logged_line).collect()
}

/// Returns the request in a log line of the form `ADDRESS - - [TIME] "LINE" STATUS -`.
pub(super) fn logged_line(line: &str) -> Option<Logged<'_>> {
    let (_, message) = line.split_once("] ")?;
    let (line, rest) = message.strip_prefix('"')?.rsplit_once("\" ")?;
    let status = rest.strip_suffix(" -")?;
    Some(Logged {
        line,
        status: status.parse().ok().filter(|_| status.len() == 3)?,
    })
}

/// Parses all replies. Reply `i` belongs to request `i` of the log. Only the last one may have replaced a reply that
/// was logged but never sent.
///
/// # Errors
/// The first invalid reply.
pub fn parse<'a>(output: &'a [u8], logged: &[Logged<'_>]) -> Result<Vec<ParsedReply<'a>>, String> {
    let (mut replies, mut rest) = (Vec::new(), output);
    while !rest.is_empty() {
        let request = logged.get(replies.len());
        let line = request.map_or("", |request| request.line);
        let reply;
        (reply, rest) = parse_reply(rest, line).map_err(|message| {
            let at = output.len() - rest.len();
            format!("reply {} at byte {at}: {message}", replies.len())
        })?;
        replies.push(reply);
    }
    Ok(replies)
}

/// Parses one reply, and returns the rest.
fn parse_reply<'a>(input: &'a [u8], request: &str) -> Result<(ParsedReply<'a>, &'a [u8]), String> {
    if is_simple(request) {
        let body = Cow::Borrowed(input);
        let reply = ParsedReply {
            status: 0,
            head: b"",
            body,
            end: ReplyEnd::Closed,
        };
        return Ok((reply, b""));
    }
    let mut input = input;
    loop {
        let Some(end) = input.windows(4).position(|four| four == b"\r\n\r\n") else {
            let reply = ParsedReply {
                status: 0,
                head: input,
                body: Cow::Borrowed(b""),
                end: ReplyEnd::Truncated,
            };
            return Ok((reply, b""));
        };
        let (head, rest) = input.split_at(end + 4);
        let status = check_head(head)?;
        if status >= 200 || status == 101 {
            return parse_content(status, head, rest, request);
        }
        input = rest;
    }
}

/// Returns whether a request is one of HTTP/0.9, whose reply is only content.
fn is_simple(request: &str) -> bool {
    let words: Vec<&str> = words(request).collect();
    matches!(words[..], ["GET", _])
}

/// Returns the words of a request line in the log, where a tab is escaped.
fn words(line: &str) -> impl Iterator<Item = &str> {
    let words = line.split(' ').flat_map(|part| part.split("\\x09"));
    words.filter(|word| !word.is_empty())
}

/// Checks every line of a head, and returns the status.
fn check_head(head: &[u8]) -> Result<u16, String> {
    let lines = head[..head.len() - 4].split(|&byte| byte == b'\n');
    let mut lines = lines.map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    let bad = |line: &[u8]| Err(format!("invalid line: {}", line.escape_ascii()));
    let control = |byte: &u8| byte.is_ascii_control() && *byte != b'\t';
    let line = lines.next().unwrap_or_default();
    let (status, phrase) = match line {
        [
            b'H',
            b'T',
            b'T',
            b'P',
            b'/',
            b'1',
            b'.',
            b'0' | b'1',
            b' ',
            a,
            b,
            c,
            b' ',
            phrase @ ..,
        ] if [a, b, c].iter().all(|digit| digit.is_ascii_digit()) => {
            let digit = |digit: &u8| u16::from(digit - b'0');
            (digit(a) * 100 + digit(b) * 10 + digit(c), phrase)
        }
        _ => return bad(line),
    };
    if status < 100 || phrase.iter().any(control) {
        return bad(line);
    }
    for line in lines {
        let colon = line.iter().position(|&byte| byte == b':').unwrap_or(0);
        let token = |byte: &u8| byte.is_ascii_graphic() && !b"\"(),/:;<=>?@[\\]{}".contains(byte);
        if colon == 0 || !line[..colon].iter().all(token) || line.iter().any(control) {
            return bad(line);
        }
    }
    Ok(status)
}

/// Parses the content (RFC 9112 §6.3).
fn parse_content<'a>(
    status: u16,
    head: &'a [u8],
    input: &'a [u8],
    request: &str,
) -> Result<(ParsedReply<'a>, &'a [u8]), String> {
    let mut reply = ParsedReply {
        status,
        head,
        body: Cow::Borrowed(b""),
        end: ReplyEnd::Complete,
    };
    let (length, coding) = framing(head)?;
    // RFC 9110 §15.2.2 and §9.3.6: another protocol follows.
    let ends_http = status == 101 || words(request).next() == Some("CONNECT") && status < 300;
    let none = ends_http || matches!(status, 204 | 304);
    // The server may not have recognized HEAD in an invalid request line.
    let head_only = words(request).next() == Some("HEAD");
    let follows = input.is_empty() || input.starts_with(b"HTTP/1.");
    let not_understood = matches!(status, 400 | 414 | 505);
    if none || head_only && (!not_understood || follows) {
        return Ok((reply, input));
    }
    let rest = match (length, coding) {
        (None, true) => chunked(input, &mut reply)?,
        (Some(length), false) => {
            let n = usize::try_from(length).map_or(input.len(), |length| length.min(input.len()));
            if (n as u64) < length {
                reply.end = ReplyEnd::Truncated;
            }
            reply.body = Cow::Borrowed(&input[..n]);
            &input[n..]
        }
        (None, false) => {
            reply.end = ReplyEnd::Closed;
            reply.body = Cow::Borrowed(input);
            b""
        }
        (Some(_), true) => return Err("both Content-Length and Transfer-Encoding".into()),
    };
    Ok((reply, rest))
}

/// Returns `Content-Length`, and whether the content is chunked.
fn framing(head: &[u8]) -> Result<(Option<u64>, bool), String> {
    let (mut length, mut chunked) = (None, false);
    for line in head.split(|&byte| byte == b'\n').skip(1) {
        let Some(colon) = line.iter().position(|&byte| byte == b':') else {
            continue;
        };
        let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii());
        if name.eq_ignore_ascii_case(b"content-length") {
            let digits = str::from_utf8(value).ok().filter(|value| {
                !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit())
            });
            let number = digits.and_then(|value| value.parse().ok());
            let number = number.filter(|_| length.is_none());
            length = Some(number.ok_or("invalid Content-Length")?);
        } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
            if chunked || value != b"chunked" {
                return Err("invalid Transfer-Encoding".into());
            }
            chunked = true;
        }
    }
    Ok((length, chunked))
}

/// Joins the chunks, and returns the rest.
fn chunked<'a>(input: &'a [u8], reply: &mut ParsedReply<'a>) -> Result<&'a [u8], String> {
    let (mut body, mut rest) = (Vec::new(), input);
    reply.end = ReplyEnd::Truncated;
    while let Some(end) = rest.windows(2).position(|two| two == b"\r\n") {
        let size = chunk_size(&rest[..end])?;
        rest = &rest[end + 2..];
        if size == 0 {
            // sanserve never sends a trailer.
            let whole = rest.strip_prefix(b"\r\n");
            if whole.is_none() && !b"\r\n".starts_with(rest) {
                return Err("no end after the last chunk".into());
            }
            if whole.is_some() {
                reply.end = ReplyEnd::Complete;
            }
            reply.body = Cow::Owned(body);
            return Ok(whole.unwrap_or_default());
        }
        body.extend_from_slice(&rest[..size.min(rest.len())]);
        rest = match rest.get(size..).unwrap_or_default() {
            [b'\r', b'\n', rest @ ..] => rest,
            [] | [b'\r'] => break,
            _ => return Err("a chunk is longer than its size".into()),
        };
    }
    reply.body = Cow::Owned(body);
    Ok(b"")
}

fn chunk_size(line: &[u8]) -> Result<usize, String> {
    let plain = |line: &&str| line.len() <= 16 && line.bytes().all(|byte| byte.is_ascii_hexdigit());
    let size = str::from_utf8(line).ok().filter(plain);
    let size = size.and_then(|size| usize::from_str_radix(size, 16).ok());
    size.ok_or_else(|| format!("invalid chunk size: {}", line.escape_ascii()))
}
