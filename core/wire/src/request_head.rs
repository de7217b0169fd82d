//! [`RequestHead`]: parses the request line and fields of a request incrementally, and stores them.

use alloc::borrow::Cow;
use alloc::string::String;
use core::mem;
use core::ops::Range;

use memchr::memchr;
use percent_encoding::percent_encode_byte;

use super::authority::check_host;
use super::latin1::{decode, encode};
use super::request_line::{self, Line, Version};
use super::search::{End, Search, end_of_fields, end_of_line};
use super::{Fields, Limits, NameBloom, ParseError, target};

/// The first bytes of a TLS handshake of any version: the type of the record and the major version (RFC 8446 §5.1).
const HANDSHAKE: &[u8] = b"\x16\x03";

/// The head of a request: method, target, version and fields. It is reused for the next request, and keeps its memory.
///
/// All text is decoded as ISO-8859-1: each character up to U+00FF is one byte that was sent. The methods with `bytes`
/// in their name return the bytes themselves.
#[derive(Debug)]
pub struct RequestHead {
    /// The request line without its end, and the path if it differs from that in the target.
    pub(super) text: String,
    /// Length of the request line in `text`.
    pub(super) line_len: usize,
    pub(super) line: Line,
    /// The range of path and query in the text.
    pub(super) path: Range<usize>,
    pub(super) fields: Fields,
    pub(super) keep_alive: bool,
    search: Search,
}

impl RequestHead {
    /// Returns an empty value, which allocates nothing.
    #[must_use]
    pub const fn new() -> Self {
        let line = Line {
            method: 0..0,
            target: 0..0,
            version: Version::Http10,
        };
        RequestHead {
            text: String::new(),
            line_len: 0,
            line,
            path: 0..0,
            fields: Fields::new(),
            keep_alive: false,
            search: Search::Done,
        }
    }

    /// Parses a head at the start of `input`, which is everything that has arrived and was not used yet. Returns
    /// `Ok(None)` if the head is incomplete: call again with the same bytes and more. Returns `Ok(Some(n))` if
    /// it is complete and took `n` bytes: the next call starts a new head.
    ///
    /// After `Ok(None)`, the bytes that were examined are not examined again. If they have changed nevertheless, the
    /// result is that of the new bytes, that of the old ones, or an error, but never a panic. Input that is shorter
    /// than what was examined starts a new head. Call [`reset`](Self::reset) to start one explicitly.
    ///
    /// # Errors
    /// Returns an error as soon as it is certain, regardless of how the bytes were divided. Everything that was parsed
    /// until then can still be read, for a log or an error page.
    pub fn parse(&mut self, input: &[u8], limits: &Limits) -> Result<Option<usize>, ParseError> {
        if let Search::Known = self.search
            && let Some(taken) = self.follow(input, limits)
        {
            return Ok(Some(taken));
        }
        if matches!(self.search, Search::Done | Search::Known)
            || input.len() < self.search.searched()
        {
            self.reset();
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

    /// Parses a head that differs from the last one only in method and path, as most clients repeat their fields, and
    /// reuses the parsed fields. Returns `None` and changes nothing if the head is different, incomplete or unusual.
    fn follow(&mut self, input: &[u8], limits: &Limits) -> Option<usize> {
        let end = memchr(b'\n', input)? + 1;
        let fields = self.fields.text().as_bytes();
        let same = end <= limits.request_line
            && fields.len() - 2 <= limits.field_bytes
            && self.fields.len() <= limits.field_count
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

    /// Removes everything, and keeps the memory: the next [`parse`](Self::parse) starts a new head.
    pub fn reset(&mut self) {
        self.text.clear();
        self.fields.clear();
        *self = RequestHead {
            text: mem::take(&mut self.text),
            fields: mem::take(&mut self.fields),
            ..RequestHead::new()
        };
        self.search = Search::Line(0);
    }

    fn find_line(&mut self, input: &[u8], limits: &Limits) -> Result<Option<usize>, ParseError> {
        if input.starts_with(HANDSHAKE) {
            return Err(ParseError::Tls);
        }
        // RFC 9112 §2.2: one empty line before the request line is ignored.
        let start = if input.starts_with(b"\r\n") { 2 } else { 0 };
        let at = self.search.searched().max(start).min(input.len());
        let Some(end) = end_of_line(input, start, at, limits)? else {
            self.search = Search::Line(input.len());
            return Ok(None);
        };
        let line = &input[start..end - 1];
        let ended = line.strip_suffix(b"\r");
        decode(ended.unwrap_or(line), &mut self.text);
        self.line_len = self.text.len();
        self.line = request_line::parse(&self.text)?;
        ended.ok_or(ParseError::BareLf)?;
        self.find_path()?;
        if self.line.version == Version::Http09 {
            // RFC 1945 §4.1: no empty line is allowed before a simple request.
            return if start == 0 {
                Ok(Some(end))
            } else {
                Err(ParseError::RequestLine)
            };
        }
        self.find_fields(input, end, end - 1, limits)
    }

    /// Determines the path of the target.
    pub(super) fn find_path(&mut self) -> Result<(), ParseError> {
        let path = target::path(self.method(), self.target()).ok_or(ParseError::Target)?;
        let is_complete = path.is_ascii() && !path.is_empty() && !path.starts_with('?');
        let end = self.line.target.end;
        self.path = end - path.len()..end;
        if !is_complete {
            self.write_path();
        }
        Ok(())
    }

    /// Stores the path if it differs from the target: that of `http://host?query` is `/?query` (RFC 9110 §4.2.3), and
    /// bytes that are not allowed in a URI, but that some clients send, are percent-encoded (RFC 3986 §2.1).
    fn write_path(&mut self) {
        let start = self.text.len();
        let Range { start: mut at, end } = self.path;
        let raw = self.text[at..end].chars().filter(|char| !char.is_ascii());
        // Each of these characters has two bytes in the text.
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

    /// Searches for the empty line, and parses the fields before it.
    fn find_fields(
        &mut self,
        input: &[u8],
        from: usize,
        at: usize,
        limits: &Limits,
    ) -> Result<Option<usize>, ParseError> {
        let end = match end_of_fields(input, from, at, limits)? {
            End::At(end) => end + 2,
            End::NotBefore(at) => {
                self.search = Search::Fields { from, at };
                return Ok(None);
            }
        };
        let lines = &input[from..end];
        self.fields.parse(lines, limits.field_count)?;
        check_host(&self.fields, self.line.version)?;
        self.keep_alive = self.line.version.keep_alive(&self.fields);
        let fields_are_plain = self.fields.text().len() == lines.len();
        if fields_are_plain && self.request_line().is_ascii() {
            self.search = Search::Known;
        }
        Ok(Some(end))
    }

    /// Returns the request line as it was sent, without its end. It is empty if there was none, or if it was too long.
    #[inline]
    #[must_use]
    pub fn request_line(&self) -> &str {
        &self.text[..self.line_len]
    }

    /// Returns the method, such as `GET`; it is empty after a bad request line.
    #[inline]
    #[must_use]
    pub fn method(&self) -> &str {
        &self.text[self.line.method.clone()]
    }

    /// Returns the request target as it was sent; it is empty after a bad request line.
    #[inline]
    #[must_use]
    pub fn target(&self) -> &str {
        &self.text[self.line.target.clone()]
    }

    /// Returns the request target as the bytes that were sent.
    #[must_use]
    pub fn target_bytes(&self) -> Cow<'_, [u8]> {
        encode(self.target())
    }

    /// Returns path and query of the target, whatever its form. They begin with `/`, except in `OPTIONS *` and `CONNECT
    /// host:port`, where they are the whole target. They are ASCII: other bytes of a target are percent-encoded.
    #[inline]
    #[must_use]
    pub fn path(&self) -> &str {
        &self.text[self.path.clone()]
    }

    /// Returns the version of the request.
    #[inline]
    #[must_use]
    pub fn version(&self) -> Version {
        self.line.version
    }

    /// Returns the value of the first field with this name, which is case-insensitive, without the spaces and tabs
    /// around it.
    #[inline]
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&str> {
        self.fields.get(name)
    }

    /// Returns the values of all fields with this name, which is case-insensitive.
    #[inline]
    pub fn get_all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.fields.get_all(name)
    }

    /// Returns the fields.
    #[inline]
    #[must_use]
    pub fn fields(&self) -> &Fields {
        &self.fields
    }

    /// Returns whether the client waits for `100 Continue` before it sends content (RFC 9110 §10.1.1). Always `false`
    /// in HTTP/1.0.
    ///
    /// # Errors
    /// [`ParseError::Expectation`] if something else is expected.
    pub fn expects_100(&self) -> Result<bool, ParseError> {
        const EXPECT: NameBloom = NameBloom::of(&["expect"]);
        if !self.fields.may_have(EXPECT) {
            return Ok(false);
        }
        let modern = self.version() == Version::Http11;
        let mut expected = self.fields.list("expect").filter(|_| modern).peekable();
        let some = expected.peek().is_some();
        if !expected.all(|item| item.eq_ignore_ascii_case("100-continue")) {
            return Err(ParseError::Expectation);
        }
        Ok(some)
    }

    /// Returns whether the client may send another request on this connection (RFC 9112 §9.3): in HTTP/1.1 without
    /// `Connection: close`, in HTTP/1.0 with `Connection: keep-alive`.
    #[inline]
    #[must_use]
    pub fn keep_alive(&self) -> bool {
        self.keep_alive
    }

    /// Removes everything, and frees the memory.
    pub fn release(&mut self) {
        *self = RequestHead::new();
    }

    /// Returns the number of bytes that are allocated.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.text.capacity() + self.fields.capacity()
    }
}

impl Clone for RequestHead {
    fn clone(&self) -> Self {
        let mut clone = RequestHead::new();
        clone.clone_from(self);
        clone
    }

    /// Reuses the memory of `self`, so that no memory is allocated for a head that is not longer.
    fn clone_from(&mut self, source: &Self) {
        self.text.clone_from(&source.text);
        self.line_len = source.line_len;
        self.line.clone_from(&source.line);
        self.path.clone_from(&source.path);
        self.fields.clone_from(&source.fields);
        (self.keep_alive, self.search) = (source.keep_alive, source.search);
    }
}

impl Default for RequestHead {
    fn default() -> Self {
        RequestHead::new()
    }
}
