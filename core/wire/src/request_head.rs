//! [`Head`]: request line and fields, searched once and parsed once however the bytes arrive.

use alloc::string::String;
use core::fmt::Display;
use core::mem;
use core::ops::Range;

use memchr::memchr;
use percent_encoding::percent_encode_byte;

use super::fields::{Fields, marks};
use super::latin1::decode;
use super::parse_error::Complaint;
use super::request_line::{self, Line, Version};
use super::{Bad, authority, target};
use crate::Limits;

/// How many fields a request may have.
pub const FIELDS_MAX: usize = 100;

/// How a handshake of TLS begins, whatever its version: the type of the record and the major version (RFC 8446 §5.1).
const HANDSHAKE: &[u8] = b"\x16\x03";

/// A request head. It keeps its memory from one request to the next.
///
/// All text is decoded as ISO-8859-1, as CPython does: each character up to U+00FF is one byte
/// that was sent.
/// [`Body`](super::Body) has an example.
#[derive(Debug)]
pub struct Head {
    /// The request line without its end, and the path if the target does not have it as it is meant.
    pub(super) text: String,
    /// Length of the request line in `text`.
    pub(super) line_len: usize,
    pub(super) line: Line,
    /// Where path and query lie in the text.
    pub(super) path: Range<usize>,
    pub(super) fields: Fields,
    pub(super) persists: bool,
    search: Search,
}

/// How far the input has been looked at.
#[derive(Debug, Clone, Copy)]
enum Search {
    /// No line end in this many bytes.
    Line(usize),
    /// The fields start at `from`; no empty line begins before `at`.
    Fields { from: usize, at: usize },
    /// Found, or given up. The next call starts anew.
    Done,
    /// Found, and its text is the very bytes that were sent.
    Known,
}

impl Head {
    /// An empty one, which allocates nothing.
    pub const fn new() -> Self {
        let line = Line {
            command: 0..0,
            target: 0..0,
            version: Version::Http10,
        };
        Head {
            text: String::new(),
            line_len: 0,
            line,
            path: 0..0,
            fields: Fields::new(),
            persists: false,
            search: Search::Done,
        }
    }

    /// Looks for a head at the start of `input`, which is everything that has arrived and was not
    /// used yet. `Ok(None)`: it is not all there; come again with the same bytes and more.
    /// `Ok(Some(n))`: it is, and took `n` bytes; the next call starts a new head.
    ///
    /// # Errors
    /// What is wrong, as soon as that is clear. What was read so far can still be asked for: an
    /// error page quotes it.
    pub fn parse(&mut self, input: &[u8], limits: &Limits) -> Result<Option<usize>, Bad> {
        if let Search::Known = self.search
            && let Some(taken) = self.follow(input, limits)
        {
            return Ok(Some(taken));
        }
        if let Search::Done | Search::Known = self.search {
            self.clear();
        }
        let result = match self.search {
            Search::Fields { from, at } => self.find_fields(input, from, at, limits),
            _ => self.find_line(input, limits),
        };
        if !matches!((&self.search, &result), (Search::Known, _) | (_, Ok(None))) {
            self.search = Search::Done;
        }
        result
    }

    /// Takes a head that differs from the last one in nothing but method and path: most peers send the
    /// same fields again, and what was found out about them holds. `None`: it is another one, or not
    /// all there, or not a plain one, and nothing is changed.
    fn follow(&mut self, input: &[u8], limits: &Limits) -> Option<usize> {
        let end = memchr(b'\n', input)? + 1;
        let fields = self.fields.text().as_bytes();
        let same = end <= limits.request_line
            && fields.len() - 2 <= limits.fields
            && input[end..].starts_with(fields);
        let line = input[..end].strip_suffix(b"\r\n").filter(|_| same)?;
        let taken = end + fields.len();
        if line == self.request_line().as_bytes() {
            return Some(taken);
        }
        let parts = request_line::plain(line).filter(|parts| parts.version == self.line.version)?;
        self.text.clear();
        decode(line, &mut self.text);
        (self.line_len, self.path) = (line.len(), parts.target.clone());
        self.line = parts;
        Some(taken)
    }

    /// Forgets everything but the memory.
    fn clear(&mut self) {
        self.text.clear();
        self.fields.clear();
        *self = Head {
            text: mem::take(&mut self.text),
            fields: mem::replace(&mut self.fields, Fields::new()),
            ..Head::new()
        };
        self.search = Search::Line(0);
    }

    fn find_line(&mut self, input: &[u8], limits: &Limits) -> Result<Option<usize>, Bad> {
        if input.starts_with(HANDSHAKE) {
            return Err(Bad::Tls);
        }
        // RFC 9112 §2.2: one empty line before the request line is forgiven.
        let start = if input.starts_with(b"\r\n") { 2 } else { 0 };
        let Search::Line(at) = self.search else {
            unreachable!("the line is looked for first")
        };
        let at = at.max(start).min(input.len());
        let newline = memchr(b'\n', &input[at..]);
        let end = newline.map_or(input.len(), |len| at + len + 1);
        if end.saturating_sub(start) > limits.request_line {
            return Err(Bad::LineTooLong);
        }
        if newline.is_none() {
            self.search = Search::Line(end);
            return Ok(None);
        }
        let line = &input[start..end - 1];
        let ended = line.strip_suffix(b"\r");
        decode(ended.unwrap_or(line), &mut self.text);
        self.line_len = self.text.len();
        self.line = request_line::parse(&self.text)?;
        ended.ok_or(Bad::LineEnd)?;
        self.find_path()?;
        if self.line.version == Version::Http09 {
            // RFC 1945 §4.1: nothing stands before a simple request.
            return if start == 0 {
                Ok(Some(end))
            } else {
                Err(Bad::Line)
            };
        }
        self.find_fields(input, end, end - 1, limits)
    }

    /// Looks for the path.
    pub(super) fn find_path(&mut self) -> Result<(), Bad> {
        let path = target::path(self.command(), self.target()).ok_or(Bad::Target)?;
        let is_complete = path.is_ascii() && !path.is_empty() && !path.starts_with('?');
        let end = self.line.target.end;
        self.path = end - path.len()..end;
        if !is_complete {
            self.write_path();
        }
        Ok(())
    }

    /// Writes the path down as it is meant. That of `http://host?query` is `/?query` (RFC 9110 §4.2.3), and a byte
    /// that no URI has, which some clients send, is percent-encoded (RFC 3986 §2.1).
    fn write_path(&mut self) {
        let start = self.text.len();
        let Range { start: mut at, end } = self.path;
        let raw = self.text[at..end].chars().filter(|char| !char.is_ascii());
        // Each of these characters has two bytes here.
        self.text.reserve_exact(1 + end - at + raw.count());
        if !self.text[at..end].starts_with('/') {
            self.text.push('/');
        }
        while let Some(char) = self.text[at..end].chars().next() {
            at += char.len_utf8();
            match u8::try_from(char) {
                Ok(byte @ 128..) => self.text.push_str(percent_encode_byte(byte)),
                _ => self.text.push(char),
            }
        }
        self.path = start..self.text.len();
    }

    /// Looks for the empty line behind the end of another.
    fn find_fields(
        &mut self,
        input: &[u8],
        from: usize,
        at: usize,
        limits: &Limits,
    ) -> Result<Option<usize>, Bad> {
        let mut at = at;
        while let Some(len) = memchr(b'\n', &input[at..]) {
            let end = at + len + 1;
            if input[end - 2] != b'\r' {
                // Whoever sends this in pieces hears of what comes first.
                if end - 1 - from > limits.fields + 1 {
                    return Err(Bad::FieldsTooLong);
                }
                return Err(Bad::LineEnd);
            }
            match &input[end..] {
                [] | [b'\r'] => return self.want_fields(input, from, end - 1, limits),
                [b'\r', b'\n', ..] => {
                    if end - from > limits.fields {
                        return Err(Bad::FieldsTooLong);
                    }
                    let lines = &input[from..end + 2];
                    self.fields.parse(lines)?;
                    authority::check(self)?;
                    self.persists = self.find_persistence();
                    let fields_are_plain = self.fields.text().len() == lines.len();
                    if fields_are_plain && self.request_line().is_ascii() {
                        self.search = Search::Known;
                    }
                    return Ok(Some(end + 2));
                }
                _ => at = end,
            }
        }
        self.want_fields(input, from, input.len(), limits)
    }

    fn want_fields(
        &mut self,
        input: &[u8],
        from: usize,
        at: usize,
        limits: &Limits,
    ) -> Result<Option<usize>, Bad> {
        // The CR of an empty line may be there already.
        if input.len() - from > limits.fields + 1 {
            return Err(Bad::FieldsTooLong);
        }
        self.search = Search::Fields { from, at };
        Ok(None)
    }

    /// The request line as it came, without its end. Empty if there was none, or too long a one.
    pub fn request_line(&self) -> &str {
        &self.text[..self.line_len]
    }

    /// The method, such as `GET`; empty after a bad request line.
    pub fn command(&self) -> &str {
        &self.text[self.line.command.clone()]
    }

    /// The request target as it came; empty after a bad request line.
    pub fn target(&self) -> &str {
        &self.text[self.line.target.clone()]
    }

    /// Path and query of the target, whichever form it has. It begins with `/`, but for `OPTIONS *`
    /// and `CONNECT host:port`, of which it is all. It is ASCII: other bytes of a target are percent-encoded.
    pub fn path(&self) -> &str {
        &self.text[self.path.clone()]
    }

    /// The version that the peer speaks.
    pub fn version(&self) -> Version {
        self.line.version
    }

    /// The value of the first field of this name, in any case, without blanks around it.
    pub fn field(&self, name: &str) -> Option<&str> {
        self.values(name).next()
    }

    /// The values of all fields of this name, in any case.
    pub fn values(&self, name: &str) -> impl Iterator<Item = &str> {
        self.fields.values(name)
    }

    /// Whether there may be a field of one of the names with these [marks](super::marks). `false` is
    /// certain, and costs less than to look.
    #[inline]
    pub(crate) fn may_have(&self, marks: u64) -> bool {
        self.fields.may_have(marks)
    }

    /// All fields, names as they came, in the order in which they came.
    pub fn fields(&self) -> impl Iterator<Item = (&str, &str)> {
        self.fields.all()
    }

    /// Whether one of the fields of this name holds `token` in its list, as `Connection` may hold
    /// `close` (RFC 9110 §7.6.1).
    pub fn has_token(&self, name: &str, token: &str) -> bool {
        self.list(name).any(|item| item.eq_ignore_ascii_case(token))
    }

    /// What the list holds that all fields of this name are together (RFC 9110 §5.6.1).
    pub(crate) fn list(&self, name: &str) -> impl Iterator<Item = &str> {
        self.values(name)
            .flat_map(|value| value.split(','))
            .map(|item| item.trim_matches([' ', '\t']))
            .filter(|item| !item.is_empty())
    }

    /// Whether the peer waits for a word before it sends content (RFC 9110 §10.1.1). In HTTP/1.0
    /// nobody does, whatever is said.
    ///
    /// # Errors
    /// [`Bad::Expectation`] if something else is expected.
    pub fn expects_100(&self) -> Result<bool, Bad> {
        const EXPECT: u64 = marks(&["expect"]);
        if !self.may_have(EXPECT) {
            return Ok(false);
        }
        let modern = self.version() == Version::Http11;
        let mut expected = self.list("expect").filter(|_| modern).peekable();
        let some = expected.peek().is_some();
        if !expected.all(|item| item.eq_ignore_ascii_case("100-continue")) {
            return Err(Bad::Expectation);
        }
        Ok(some)
    }

    /// Whether the peer means to send another request on this connection (RFC 9112 §9.3).
    pub fn persists(&self) -> bool {
        self.persists
    }

    /// The same, of fields that were just parsed.
    fn find_persistence(&self) -> bool {
        match self.line.version {
            Version::Http09 => false,
            Version::Http10 => {
                self.has_token("connection", "keep-alive") && !self.has_token("connection", "close")
            }
            Version::Http11 => !self.has_token("connection", "close"),
        }
    }

    /// What an error page and the log say of this head, in CPython's words.
    pub fn complaint(&self, bad: Bad) -> impl Display {
        Complaint {
            line: self.request_line(),
            bad,
        }
    }

    /// Gives the memory back.
    pub fn release(&mut self) {
        *self = Head::new();
    }

    /// How many bytes it has allocated.
    pub fn capacity(&self) -> usize {
        self.text.capacity() + self.fields.capacity()
    }
}

impl Default for Head {
    fn default() -> Self {
        Head::new()
    }
}
