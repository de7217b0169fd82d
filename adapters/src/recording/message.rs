//! [`MessageFilter`]: follows the requests or replies of a connection, and separates heads, without their secrets, from
//! content.
//!
//! It has to find out where each message ends, as the peer does. If it cannot, everything that follows is
//! [unknown](Part::Unknown).

use std::collections::VecDeque;
use std::mem;

use sanserve_core::wire::syntax::is_token;
use sanserve_core::wire::{Limits, RequestHead, Version};

use super::secrets::{self, SecretNames};

/// A part of a message.
#[derive(Debug, PartialEq)]
pub(super) enum Part<'a> {
    /// The request line or status line, without secrets.
    FirstLine(&'a [u8]),
    /// Another line of a head, without secrets.
    Line(&'a [u8]),
    /// The empty line that ends a head.
    HeadEnd(&'a [u8]),
    /// The bytes between pieces of content: the size of a chunk, and what follows it.
    Framing(&'a [u8]),
    /// Content.
    Content(&'a [u8]),
    /// Bytes of which it is not known what they are.
    Unknown(&'a [u8]),
}

/// What the messages are.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Kind {
    Request,
    Reply,
    /// The output of a CGI script.
    Script,
}

/// Divides a stream of messages into [`Part`]s.
#[derive(Debug)]
pub(super) struct MessageFilter {
    kind: Kind,
    /// For each of the next replies, whether it is one to HEAD.
    pub(super) replies_to_head: VecDeque<bool>,
    state: State,
    /// The incomplete line, with its secrets.
    line: Vec<u8>,
    head: Head,
    /// Whether the client has asked for another protocol, whose bytes may follow.
    may_be_upgraded: bool,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum State {
    Head,
    Sized(u64),
    ChunkSize,
    Chunk(u64),
    ChunkEnd,
    Trailer,
    /// Everything that follows is unknown.
    Lost,
}

/// What is known of the current head.
#[derive(Debug, Default)]
struct Head {
    has_first_line: bool,
    /// The length of its fields in bytes.
    len: usize,
    method_or_status: Vec<u8>,
    content_length: Option<u64>,
    is_chunked: bool,
    is_ambiguous: bool,
    asks_for_upgrade: bool,
    /// Whether the last field is secret.
    was_secret: bool,
    /// Whether a line was malformed. Then all lines that follow are removed.
    is_malformed: bool,
}

impl MessageFilter {
    pub(super) fn new(kind: Kind) -> MessageFilter {
        MessageFilter {
            kind,
            replies_to_head: VecDeque::new(),
            state: State::Head,
            line: Vec::new(),
            head: Head::default(),
            may_be_upgraded: false,
        }
    }

    /// Takes the next bytes, and passes their parts to `on_part`. The bytes of an incomplete line are kept until it ends.
    pub(super) fn feed(
        &mut self,
        names: &SecretNames,
        mut bytes: &[u8],
        on_part: &mut dyn FnMut(Part<'_>),
    ) {
        while !bytes.is_empty() {
            let n = match self.state {
                State::Lost => bytes.len(),
                State::Sized(left) | State::Chunk(left) => {
                    usize::try_from(left).map_or(bytes.len(), |left| left.min(bytes.len()))
                }
                _ => {
                    let taken = self.take_line(names, bytes, on_part);
                    bytes = &bytes[taken..];
                    continue;
                }
            };
            on_part(match self.state {
                State::Lost => Part::Unknown(&bytes[..n]),
                _ => Part::Content(&bytes[..n]),
            });
            self.skip(n as u64);
            bytes = &bytes[n..];
        }
    }

    /// Returns whether a message has ended, and no other one has begun.
    pub(super) fn is_between_messages(&self) -> bool {
        self.state == State::Head && !self.head.has_first_line && self.line.is_empty()
    }

    /// Takes note of content that is not available. Content where a line is expected cannot be followed.
    pub(super) fn skip(&mut self, n: u64) {
        self.state = match self.state {
            State::Sized(left) if left > n => State::Sized(left - n),
            State::Sized(left) if left == n => self.next_message(),
            State::Chunk(left) if left > n => State::Chunk(left - n),
            State::Chunk(left) if left == n => State::ChunkEnd,
            _ => State::Lost,
        };
    }

    /// Takes the end of the stream: the incomplete line is a whole one.
    pub(super) fn finish(&mut self, names: &SecretNames, on_part: &mut dyn FnMut(Part<'_>)) {
        let mut line = mem::take(&mut self.line);
        if !line.is_empty() {
            self.on_line(names, &mut line, on_part);
        }
    }

    /// Passes on the incomplete line without its content. Everything that follows is unknown.
    pub(super) fn give_up(&mut self, on_part: &mut dyn FnMut(Part<'_>)) {
        let mut line = mem::take(&mut self.line);
        match self.kind {
            Kind::Request if self.state == State::Head && !self.head.has_first_line => {
                secrets::remove_request_line(&mut line);
            }
            _ => secrets::remove(&mut line),
        }
        if !line.is_empty() {
            on_part(Part::Line(&line));
        }
        self.state = State::Lost;
    }

    /// Takes bytes up to the end of a line, and returns how many.
    fn take_line(
        &mut self,
        names: &SecretNames,
        bytes: &[u8],
        on_part: &mut dyn FnMut(Part<'_>),
    ) -> usize {
        let end = bytes.iter().position(|byte| *byte == b'\n');
        let taken = end.map_or(bytes.len(), |end| end + 1);
        self.line.extend_from_slice(&bytes[..taken]);
        if end.is_some() {
            let mut line = mem::take(&mut self.line);
            self.on_line(names, &mut line, on_part);
        } else if self.line.len() > HEAD_MAX {
            self.give_up(on_part);
        }
        taken
    }

    fn on_line(&mut self, names: &SecretNames, line: &mut [u8], on_part: &mut dyn FnMut(Part<'_>)) {
        let is_empty = line.trim_ascii().is_empty();
        match self.state {
            State::Head if !self.head.has_first_line && self.kind != Kind::Script => {
                if is_empty {
                    return on_part(Part::Framing(line));
                }
                if !self.begins_message(line) {
                    self.state = State::Lost;
                    return on_part(Part::Unknown(line));
                }
                self.on_first_line(names, line);
                on_part(Part::FirstLine(line));
            }
            State::Head if is_empty => {
                self.state = self.content_state();
                on_part(Part::HeadEnd(line));
            }
            State::Head => {
                self.on_field(names, line);
                on_part(Part::Line(line));
            }
            State::Trailer => {
                match is_empty {
                    true => self.state = self.next_message(),
                    false => self.on_field(names, line),
                }
                on_part(Part::Framing(line));
            }
            State::ChunkSize => self.on_chunk_size(line, on_part),
            State::ChunkEnd if is_empty => {
                self.state = State::ChunkSize;
                on_part(Part::Framing(line));
            }
            _ => {
                self.state = State::Lost;
                on_part(Part::Unknown(line));
            }
        }
    }

    fn on_first_line(&mut self, names: &SecretNames, line: &mut [u8]) {
        self.head.has_first_line = true;
        self.head.method_or_status = self.method_or_status(line);
        if self.kind == Kind::Reply {
            return names.clean_status_line(line);
        }
        match request_version(line) {
            // A simple request has no fields, and the connection ends after it.
            Some(Version::Http09) => self.state = State::Lost,
            Some(_) => {}
            None => {
                self.head.is_malformed = true;
                return secrets::remove_request_line(line);
            }
        }
        names.clean_first_line(line);
    }

    fn on_field(&mut self, names: &SecretNames, line: &mut [u8]) {
        self.head.is_malformed |= !is_field(line, self.kind);
        if self.head.is_malformed {
            secrets::remove_words(line);
        } else {
            self.head.note_field(line);
            self.head.was_secret = names.clean_field_line(line, self.head.was_secret);
        }
        self.head.len += line.len();
        if self.head.len > HEAD_MAX {
            self.state = State::Lost;
        }
    }

    fn on_chunk_size(&mut self, line: &mut [u8], on_part: &mut dyn FnMut(Part<'_>)) {
        let end = line.iter().position(|byte| *byte == b';');
        let (digits, extension) = line.split_at_mut(end.unwrap_or(line.len()));
        secrets::remove(extension);
        self.state = match number(digits.trim_ascii(), 16) {
            None => State::Lost,
            Some(0) => State::Trailer,
            Some(size) => State::Chunk(size),
        };
        on_part(match self.state {
            State::Lost => Part::Unknown(line),
            _ => Part::Framing(line),
        });
    }

    /// Returns whether a line can be the first one of a message.
    fn begins_message(&self, line: &[u8]) -> bool {
        match self.kind {
            Kind::Reply => line.starts_with(b"HTTP/1."),
            _ => !self.may_be_upgraded || line.windows(6).any(|part| part == b" HTTP/"),
        }
    }

    fn method_or_status(&self, line: &[u8]) -> Vec<u8> {
        let mut words = line.split(u8::is_ascii_whitespace);
        let word = words.nth(usize::from(self.kind == Kind::Reply));
        word.unwrap_or_default().to_vec()
    }

    /// Returns what follows a head (RFC 9112 §6.3).
    fn content_state(&mut self) -> State {
        let (head, word) = (&self.head, &self.head.method_or_status[..]);
        match self.kind {
            Kind::Script => return State::Lost,
            Kind::Request => self.may_be_upgraded |= head.asks_for_upgrade || word == b"CONNECT",
            Kind::Reply if word.starts_with(b"1") && word != b"101" => return self.next_message(),
            Kind::Reply => {
                let is_to_head = self.replies_to_head.pop_front() == Some(true);
                if is_to_head || matches!(word, b"204" | b"304") {
                    return self.next_message();
                }
            }
        }
        match (head.content_length, head.is_chunked) {
            _ if head.is_ambiguous || head.is_malformed => State::Lost,
            (Some(_), true) => State::Lost,
            (None, true) => State::ChunkSize,
            (Some(0), false) => self.next_message(),
            (Some(length), false) => State::Sized(length),
            (None, false) if self.kind == Kind::Request => self.next_message(),
            (None, false) => State::Lost,
        }
    }

    fn next_message(&mut self) -> State {
        self.head = Head::default();
        State::Head
    }
}

impl Head {
    /// Takes note of a field that determines the length of the content.
    fn note_field(&mut self, line: &[u8]) {
        let Some(colon) = line.iter().position(|byte| *byte == b':') else {
            return;
        };
        let (name, value) = (line[..colon].trim_ascii(), line[colon + 1..].trim_ascii());
        if name.eq_ignore_ascii_case(b"content-length") {
            let length = number(value, 10);
            self.is_ambiguous |= length.is_none() || self.content_length.is_some();
            self.content_length = length;
        } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
            self.is_ambiguous |= self.is_chunked || !value.eq_ignore_ascii_case(b"chunked");
            self.is_chunked = true;
        } else if name.eq_ignore_ascii_case(b"upgrade") {
            self.asks_for_upgrade = true;
        }
    }
}

/// Returns the version of a request line with its end, or `None` if it is malformed.
fn request_version(line: &[u8]) -> Option<Version> {
    let head = [line, b"Host: a\r\n\r\n"].concat();
    let limits = Limits::new().with_request_line(usize::MAX);
    let mut parser = RequestHead::new();
    parser.parse(&head, &limits).ok()??;
    Some(parser.version())
}

/// Returns whether a line is a well-formed field. Only in the output of scripts, it may end without CR.
fn is_field(line: &[u8], kind: Kind) -> bool {
    let field = match (line.strip_suffix(b"\r\n"), kind) {
        (Some(field), _) => field,
        (None, Kind::Script) => line.strip_suffix(b"\n").unwrap_or(line),
        (None, _) => return false,
    };
    let Some(colon) = field.iter().position(|byte| *byte == b':') else {
        return false;
    };
    let is_control = |byte: &u8| byte.is_ascii_control() && *byte != b'\t';
    is_token(&field[..colon]) && !field[colon + 1..].iter().any(is_control)
}

/// Parses a number without a sign.
fn number(digits: &[u8], radix: u32) -> Option<u64> {
    let digits = str::from_utf8(digits).ok()?;
    let is_number = digits.chars().all(|digit| digit.is_digit(radix));
    u64::from_str_radix(digits, radix)
        .ok()
        .filter(|_| is_number)
}

/// The longest line, and the most bytes of fields, that are followed.
const HEAD_MAX: usize = 256 * 1024;

#[cfg(test)]
mod tests {
    use super::{Kind, MessageFilter, Part};
    use crate::recording::secrets::SecretNames;

    /// Feeds a stream in pieces of this size. Content becomes dots.
    fn filtered(kind: Kind, stream: &str, size: usize, to_head: &[bool]) -> String {
        let mut filter = MessageFilter::new(kind);
        filter.replies_to_head.extend(to_head);
        let mut out = Vec::new();
        let mut on_part = |part: Part<'_>| match part {
            Part::FirstLine(bytes) | Part::Line(bytes) | Part::HeadEnd(bytes) => {
                out.extend_from_slice(bytes);
            }
            Part::Framing(bytes) => out.extend_from_slice(bytes),
            Part::Content(bytes) | Part::Unknown(bytes) => {
                out.resize(out.len() + bytes.len(), b'.');
            }
        };
        for piece in stream.as_bytes().chunks(size) {
            filter.feed(&SecretNames::default(), piece, &mut on_part);
        }
        filter.give_up(&mut on_part);
        String::from_utf8(out).unwrap()
    }

    #[track_caller]
    fn check(kind: Kind, stream: &str, to_head: &[bool], expected: &str) {
        for size in 1..=stream.len() {
            let filtered = filtered(kind, stream, size, to_head);
            assert_eq!(filtered, expected, "in pieces of {size}");
        }
    }

    #[test]
    fn content_of_requests_is_found() {
        check(
            Kind::Request,
            "POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nabcGET / HTTP/1.1\r\nCookie: a\r\n\r\n\
             PUT / HTTP/1.1\r\ntransfer-encoding: Chunked\r\n\r\n2;a\r\nab\r\n0\r\nX-Token: a\r\n\r\nGET",
            &[],
            "POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\n...GET / HTTP/1.1\r\nCookie: x\r\n\r\n\
             PUT / HTTP/1.1\r\ntransfer-encoding: Chunked\r\n\r\n2xx\r\n..\r\n0\r\nX-Token: x\r\n\r\nxxx",
        );
    }

    #[test]
    fn malformed_heads_are_removed() {
        for (stream, expected) in [
            (
                "my private words here\r\n\r\n",
                "xx xxxxxxx xxxxx xxxx\r\n\r\n",
            ),
            (
                "GET / HTTP/1.1\r\nHost: a\r\nthis line is no field hunter2\r\nA: b\r\n\r\nabc",
                "GET / HTTP/1.1\r\nHost: a\r\nxxxx xxxx xx xx xxxxx xxxxxxx\r\nxx x\r\n\r\n...",
            ),
            (
                "GET / HTTP/1.1\r\nBad Name: hunter3\r\n\r\n",
                "GET / HTTP/1.1\r\nxxx xxxxx xxxxxxx\r\n\r\n",
            ),
            (
                "GET / HTTP/1.1\r\nA: b\x01c\r\n\r\n",
                "GET / HTTP/1.1\r\nxx xxx\r\n\r\n",
            ),
            (
                "GET / HTTP/1.1\r\nA: b\nC: d\r\n\r\n",
                "GET / HTTP/1.1\r\nxx x\nxx x\r\n\r\n",
            ),
            ("GET /a\r\nprivate: a\r\n", "GET /a\r\n............"),
        ] {
            check(Kind::Request, stream, &[], expected);
        }
        check(
            Kind::Script,
            "A: b\nprivate words\nC: d\n\nabc",
            &[],
            "A: b\nxxxxxxx xxxxx\nxx x\n\n...",
        );
    }

    #[test]
    fn after_ambiguous_lengths_everything_is_content() {
        for fields in [
            "Content-Length: +3",
            "Content-Length: 3\r\nContent-Length: 3",
            "Content-Length: 3\r\nTransfer-Encoding: chunked",
            "Transfer-Encoding: gzip, chunked",
        ] {
            let head = format!("POST / HTTP/1.1\r\n{fields}\r\n\r\n");
            let stream = format!("{head}3\r\nabc\r\n");
            check(Kind::Request, &stream, &[], &format!("{head}........"));
        }
    }

    #[test]
    fn bytes_of_another_protocol_are_content() {
        let head = "GET / HTTP/1.1\r\nUpgrade: a\r\n\r\n";
        check(
            Kind::Request,
            &format!("{head}a\nb"),
            &[],
            &format!("{head}..."),
        );
        let stream = format!("{head}{head}");
        check(Kind::Request, &stream, &[], &stream);
    }

    #[test]
    fn content_of_replies_is_found() {
        let no_content = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n\
                          HTTP/1.1 304 Not Modified\r\nContent-Length: 3\r\n\r\n";
        let stream = format!(
            "{no_content}HTTP/1.1 200 OK\r\nContent-Length: 3\r\nSet-Cookie: a\r\n\r\nabc\
             HTTP/1.0 200 OK\r\n\r\nHTTP/1.1 200 OK\r\n"
        );
        let expected = format!(
            "{no_content}HTTP/1.1 200 OK\r\nContent-Length: 3\r\nSet-Cookie: x\r\n\r\n...\
             HTTP/1.0 200 OK\r\n\r\n................."
        );
        check(Kind::Reply, &stream, &[true, false], &expected);
        check(Kind::Reply, "a simple reply\r\n", &[], "................");
    }

    #[test]
    fn the_head_of_a_script_ends_at_the_empty_line() {
        let stream = "Status: 200\nSet-Cookie: a=b\n\nabc\n\nabc";
        check(
            Kind::Script,
            stream,
            &[],
            "Status: 200\nSet-Cookie: xxx\n\n........",
        );
    }
}
