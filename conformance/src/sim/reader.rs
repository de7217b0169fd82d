//! The reader: what a client makes of the bytes that it gets. It shares no code with the engine,
//! and is as strict as RFC 9112 lets a client be.

use std::borrow::Cow;

/// A final reply. Interim ones before it were read and are not shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply<'a> {
    /// The status; 0 if there is none, as in HTTP/0.9, or not yet.
    pub status: u16,
    /// Status line and fields, with the empty line behind them. Nothing in HTTP/0.9.
    pub head: &'a [u8],
    /// The content, without its framing.
    pub body: Cow<'a, [u8]>,
    /// How it ends.
    pub end: ReplyEnd,
}

/// How a reply ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReplyEnd {
    /// As it says.
    Whole,
    /// With the connection, as it says: nobody can tell whether that is all.
    Close,
    /// Before its time.
    Cut,
}

/// A request as the log has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Logged<'a> {
    /// The request line.
    pub line: &'a str,
    /// The status of the reply.
    pub status: u16,
}

impl<'a> Reply<'a> {
    /// The first field of this name, in any case.
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

/// The requests in a log, in their order.
#[must_use]
pub fn logged(log: &str) -> Vec<Logged<'_>> {
    log.lines().filter_map(logged_line).collect()
}

/// The request in a log line, if it speaks of one: `ADDRESS - - [TIME] "LINE" STATUS -`.
pub(super) fn logged_line(line: &str) -> Option<Logged<'_>> {
    let (_, message) = line.split_once("] ")?;
    let (line, rest) = message.strip_prefix('"')?.rsplit_once("\" ")?;
    let status = rest.strip_suffix(" -")?;
    Some(Logged {
        line,
        status: status.parse().ok().filter(|_| status.len() == 3)?,
    })
}

/// Reads all replies. Reply number `i` answers request number `i` of the log; only the last may
/// have taken the place of another, which was logged but never left.
///
/// # Errors
/// The first thing that is no reply.
pub fn read<'a>(output: &'a [u8], logged: &[Logged<'_>]) -> Result<Vec<Reply<'a>>, String> {
    let (mut replies, mut rest) = (Vec::new(), output);
    while !rest.is_empty() {
        let request = logged.get(replies.len());
        let line = request.map_or("", |request| request.line);
        let reply;
        (reply, rest) = one(rest, line).map_err(|what| {
            let at = output.len() - rest.len();
            format!("reply {} at byte {at}: {what}", replies.len())
        })?;
        replies.push(reply);
    }
    Ok(replies)
}

/// Reads one reply, and returns what follows it.
fn one<'a>(input: &'a [u8], request: &str) -> Result<(Reply<'a>, &'a [u8]), String> {
    if is_simple(request) {
        let body = Cow::Borrowed(input);
        let reply = Reply {
            status: 0,
            head: b"",
            body,
            end: ReplyEnd::Close,
        };
        return Ok((reply, b""));
    }
    let mut input = input;
    loop {
        let Some(end) = input.windows(4).position(|four| four == b"\r\n\r\n") else {
            let reply = Reply {
                status: 0,
                head: input,
                body: Cow::Borrowed(b""),
                end: ReplyEnd::Cut,
            };
            return Ok((reply, b""));
        };
        let (head, rest) = input.split_at(end + 4);
        let status = check_head(head)?;
        if status >= 200 {
            return body(status, head, rest, request);
        }
        input = rest;
    }
}

/// Whether a request has the reply of HTTP/0.9: content and nothing else.
fn is_simple(request: &str) -> bool {
    let words: Vec<&str> = words(request).collect();
    matches!(words[..], ["GET", _])
}

/// The words of a request line, as the log shows it: a tab is escaped there.
fn words(line: &str) -> impl Iterator<Item = &str> {
    let words = line.split(' ').flat_map(|part| part.split("\\x09"));
    words.filter(|word| !word.is_empty())
}

/// Looks at every line of a head, and returns the status.
fn check_head(head: &[u8]) -> Result<u16, String> {
    let lines = head[..head.len() - 4].split(|&byte| byte == b'\n');
    let mut lines = lines.map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    let bad = |line: &[u8]| Err(format!("a bad line: {}", line.escape_ascii()));
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

/// Reads the content (RFC 9112 §6.3).
fn body<'a>(
    status: u16,
    head: &'a [u8],
    input: &'a [u8],
    request: &str,
) -> Result<(Reply<'a>, &'a [u8]), String> {
    let mut reply = Reply {
        status,
        head,
        body: Cow::Borrowed(b""),
        end: ReplyEnd::Whole,
    };
    let (length, coding) = framing(head)?;
    let none = matches!(status, 204 | 304);
    // Who sends a line that nobody understands may not count on being taken for HEAD.
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
                reply.end = ReplyEnd::Cut;
            }
            reply.body = Cow::Borrowed(&input[..n]);
            &input[n..]
        }
        (None, false) => {
            reply.end = ReplyEnd::Close;
            reply.body = Cow::Borrowed(input);
            b""
        }
        (Some(_), true) => return Err("framed in two ways".into()),
    };
    Ok((reply, rest))
}

/// `Content-Length`, and whether the content comes in chunks.
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
            length = Some(number.ok_or("a bad Content-Length")?);
        } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
            if chunked || value != b"chunked" {
                return Err("a bad Transfer-Encoding".into());
            }
            chunked = true;
        }
    }
    Ok((length, chunked))
}

/// Puts chunks together, and returns what follows them.
fn chunked<'a>(input: &'a [u8], reply: &mut Reply<'a>) -> Result<&'a [u8], String> {
    let (mut body, mut rest) = (Vec::new(), input);
    reply.end = ReplyEnd::Cut;
    while let Some(end) = rest.windows(2).position(|two| two == b"\r\n") {
        let size = chunk_size(&rest[..end])?;
        rest = &rest[end + 2..];
        if size == 0 {
            // No trailer is ever sent.
            let whole = rest.strip_prefix(b"\r\n");
            if whole.is_none() && !b"\r\n".starts_with(rest) {
                return Err("no end behind the last chunk".into());
            }
            if whole.is_some() {
                reply.end = ReplyEnd::Whole;
            }
            reply.body = Cow::Owned(body);
            return Ok(whole.unwrap_or_default());
        }
        body.extend_from_slice(&rest[..size.min(rest.len())]);
        rest = match rest.get(size..).unwrap_or_default() {
            [b'\r', b'\n', rest @ ..] => rest,
            [] | [b'\r'] => break,
            _ => return Err("a chunk is longer than it says".into()),
        };
    }
    reply.body = Cow::Owned(body);
    Ok(b"")
}

fn chunk_size(line: &[u8]) -> Result<usize, String> {
    let plain = |line: &&str| line.len() <= 16 && line.bytes().all(|byte| byte.is_ascii_hexdigit());
    let size = str::from_utf8(line).ok().filter(plain);
    let size = size.and_then(|size| usize::from_str_radix(size, 16).ok());
    size.ok_or_else(|| format!("a bad chunk: {}", line.escape_ascii()))
}
