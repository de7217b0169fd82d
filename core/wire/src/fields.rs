//! [`Fields`]: parses, stores and finds the field lines of a head or of trailers.

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use core::cmp::Ordering;

use memchr::memchr;

use super::latin1::{decode, encode};
use super::syntax::is_among;
use super::{NameBloom, ParseError};

/// The number of fields for which parsing uses an array on the stack.
const STACK_SLOTS: usize = 100;

/// Field lines, parsed once, in the order in which they were sent. Duplicates are kept, and names keep their case;
/// a search for a name ignores it (RFC 9110 §5.1).
///
/// Text is decoded as ISO-8859-1: each character up to U+00FF is one byte that was sent. The methods with `bytes`
/// in their name return the bytes themselves.
///
/// ```
/// use sanserve_wire::{Limits, RequestHead};
///
/// let mut head = RequestHead::new();
/// head.parse(b"GET / HTTP/1.1\r\nHost: h\r\nAccept: a\r\naccept: b, c\r\n\r\n", &Limits::new())?;
/// let fields = head.fields();
/// assert_eq!(fields.get("ACCEPT"), Some("a"));
/// assert!(fields.get_all("Accept").eq(["a", "b, c"]));
/// assert!(fields.list("Accept").eq(["a", "b", "c"]));
/// assert_eq!(fields.iter().last(), Some(("accept", "b, c")));
/// # Ok::<(), sanserve_wire::ParseError>(())
/// ```
#[derive(Debug)]
pub struct Fields {
    /// The lines as they were sent, with the empty line after them.
    text: String,
    /// The offset of each line in the text.
    offsets: Vec<u32>,
    names: NameBloom,
}

impl Clone for Fields {
    fn clone(&self) -> Self {
        let mut clone = Fields::new();
        clone.clone_from(self);
        clone
    }

    /// Reuses the memory of `self`, so that no memory is allocated for fields that are not longer.
    fn clone_from(&mut self, source: &Self) {
        self.text.clone_from(&source.text);
        self.offsets.clone_from(&source.offsets);
        self.names = source.names;
    }
}

impl Fields {
    /// Returns an empty value, which allocates nothing.
    #[must_use]
    pub const fn new() -> Self {
        Fields {
            text: String::new(),
            offsets: Vec::new(),
            names: NameBloom::EMPTY,
        }
    }

    /// Removes all fields, and keeps the memory.
    pub(crate) fn clear(&mut self) {
        self.text.clear();
        self.offsets.clear();
        self.names = NameBloom::EMPTY;
    }

    /// Parses at most `count` field lines, with the empty line after them. Must be called on an empty value.
    pub(crate) fn parse(&mut self, lines: &[u8], count: usize) -> Result<(), ParseError> {
        // Offsets have 32 bits, and a byte becomes at most two bytes of text.
        if lines.len() > u32::MAX as usize / 2 {
            return Err(ParseError::FieldsTooLong);
        }
        decode(lines, &mut self.text);
        // Most heads have few fields, and clearing a large array takes time.
        match self.find::<16>(count) {
            Err(ParseError::TooManyFields) if count > 16 => self.find_many(count),
            found => found,
        }
    }

    #[inline(never)]
    fn find_many(&mut self, count: usize) -> Result<(), ParseError> {
        match self.find::<STACK_SLOTS>(count) {
            Err(ParseError::TooManyFields) if count > STACK_SLOTS => {
                let lines = self.text.bytes().filter(|&byte| byte == b'\n').count();
                let mut slots = vec![httparse::EMPTY_HEADER; lines.min(count)];
                store_offsets(&self.text, &mut slots, &mut self.offsets, &mut self.names)
            }
            found => found,
        }
    }

    /// Removes the fields for whose names `keeps` returns `false`.
    pub(crate) fn retain(&mut self, keeps: impl Fn(&str) -> bool) {
        let text = &self.text;
        self.offsets.retain(|&offset| {
            let rest = &text[offset as usize..];
            keeps(rest.split(':').next().unwrap_or_default())
        });
    }

    /// Stores the offset of each field, if there are at most `N` and `count` fields.
    fn find<const N: usize>(&mut self, count: usize) -> Result<(), ParseError> {
        let mut slots = [httparse::EMPTY_HEADER; N];
        let slots = &mut slots[..N.min(count)];
        store_offsets(&self.text, slots, &mut self.offsets, &mut self.names)
    }

    /// Returns the lines as text, which has the same bytes as the lines if it has the same length.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// Returns the number of fields.
    #[must_use]
    pub fn len(&self) -> usize {
        self.offsets.len()
    }

    /// Returns whether there is no field.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.offsets.is_empty()
    }

    /// Returns whether there may be a field with one of these names. `false` is certain, and faster than a search.
    #[inline]
    #[must_use]
    pub fn may_have(&self, names: NameBloom) -> bool {
        self.names.may_share(names)
    }

    /// Returns the value of the first field of this name, without the spaces and tabs around it.
    #[inline]
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.get_all(name).next()
    }

    /// Returns the value of the first field of this name as bytes.
    #[must_use]
    pub fn get_bytes(&self, name: &str) -> Option<Cow<'_, [u8]>> {
        self.get(name).map(encode)
    }

    /// Returns the values of all fields of this name.
    #[inline]
    pub fn get_all(&self, name: &str) -> impl Iterator<Item = &str> {
        let text = self.text.as_bytes();
        // The filter excludes nearly every missing field.
        let offsets = match self.may_have(NameBloom::of_one(name)) {
            true => &self.offsets[..],
            false => &[],
        };
        offsets.iter().filter_map(move |&offset| {
            let offset = offset as usize;
            let colon = offset + name.len();
            // Most names differ in length already, and most others are the same, case included.
            let is_meant = text.get(colon) == Some(&b':') && {
                let sent = &text[offset..colon];
                sent == name.as_bytes() || sent.eq_ignore_ascii_case(name.as_bytes())
            };
            is_meant.then(|| self.value(colon))
        })
    }

    /// Returns an iterator over the fields as names and values.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.offsets.iter().map(|&offset| {
            let offset = offset as usize;
            let len = memchr(b':', &self.text.as_bytes()[offset..]).unwrap_or(0);
            let colon = offset + len;
            (&self.text[offset..colon], self.value(colon))
        })
    }

    /// Returns an iterator over the fields as names and values, with the values as the bytes that were sent. Only a
    /// value with a byte above 0x7F is copied.
    pub fn iter_bytes(&self) -> impl Iterator<Item = (&str, Cow<'_, [u8]>)> {
        self.iter().map(|(name, value)| (name, encode(value)))
    }

    /// Returns the fields that a proxy or gateway forwards, in their order, with the values as bytes: all but
    /// `Connection`, the fields that it names, and the other hop-by-hop fields, which are `Keep-Alive`,
    /// `Proxy-Authenticate`, `Proxy-Authorization`, `Proxy-Connection`, `TE`, `Trailer`, `Transfer-Encoding` and
    /// `Upgrade` (RFC 9110 §7.6.1). `Content-Length` and `Host` are forwarded even if `Connection` names them, as the
    /// message would otherwise change its meaning.
    pub fn end_to_end(&self) -> impl Iterator<Item = (&str, Cow<'_, [u8]>)> {
        // Sorted, for a binary search for each field.
        let mut named: Vec<&str> = self.list("Connection").collect();
        named.sort_unstable_by(|one, other| compare(one, other));
        self.iter_bytes().filter(move |(name, _)| {
            let is_named = || named.binary_search_by(|one| compare(one, name)).is_ok();
            !is_among(name, &HOP_BY_HOP)
                && (is_among(name, &["Content-Length", "Host"]) || !is_named())
        })
    }

    /// Returns the elements of the comma-separated list that all fields of this name form together (RFC 9110 §5.6.1).
    /// Quoted strings are not recognised: a comma inside one separates elements, too.
    #[inline]
    pub fn list(&self, name: &str) -> impl Iterator<Item = &str> {
        self.get_all(name)
            .flat_map(|value| value.split(','))
            .map(|item| item.trim_matches([' ', '\t']))
            .filter(|item| !item.is_empty())
    }

    /// Returns whether the list in the fields of this name contains `token`, such as `close` in `Connection` (RFC 9110
    /// §7.6.1).
    #[inline]
    #[must_use]
    pub fn has_token(&self, name: &str, token: &str) -> bool {
        self.list(name).any(|item| item.eq_ignore_ascii_case(token))
    }

    /// Returns the value between the colon at this offset and the end of its line.
    fn value(&self, colon: usize) -> &str {
        let rest = &self.text[colon + 1..];
        let len = memchr(b'\r', rest.as_bytes()).unwrap_or(rest.len());
        rest[..len].trim_matches([' ', '\t'])
    }

    /// Returns the number of bytes that are allocated.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.text.capacity() + self.offsets.capacity() * size_of::<u32>()
    }
}

impl Default for Fields {
    fn default() -> Self {
        Fields::new()
    }
}

/// Compares names case-insensitively.
fn compare(one: &str, other: &str) -> Ordering {
    let lower = |byte: u8| byte.to_ascii_lowercase();
    one.bytes().map(lower).cmp(other.bytes().map(lower))
}

/// The hop-by-hop fields, whether `Connection` names them or not.
const HOP_BY_HOP: [&str; 9] = [
    "Connection",
    "Keep-Alive",
    "Proxy-Authenticate",
    "Proxy-Authorization",
    "Proxy-Connection",
    "TE",
    "Trailer",
    "Transfer-Encoding",
    "Upgrade",
];

/// Parses the text, and stores the offset of each field.
#[inline]
fn store_offsets<'a>(
    text: &'a str,
    slots: &mut [httparse::Header<'a>],
    offsets: &mut Vec<u32>,
    names: &mut NameBloom,
) -> Result<(), ParseError> {
    match httparse::parse_headers(text.as_bytes(), slots) {
        Ok(httparse::Status::Complete((_, fields))) => {
            // httparse returns slices of the text, of which only the offsets are stored.
            let start = text.as_ptr() as usize;
            let offset = |name: &str| (name.as_ptr() as usize - start) as u32;
            offsets.reserve_exact(fields.len());
            offsets.extend(fields.iter().map(|field| offset(field.name)));
            *names = fields.iter().fold(NameBloom::EMPTY, |names, field| {
                names.and(NameBloom::of_one(field.name))
            });
            Ok(())
        }
        Err(httparse::Error::TooManyHeaders) => Err(ParseError::TooManyFields),
        _ => Err(ParseError::Field),
    }
}
