//! [`ETag`]: makes the entity tag of a representation, and compares it with others (RFC 9110 §8.8.3).

use crate::fs::Meta;
use crate::text::decimal::Backward;

/// An entity tag as it is written in the field: `"15e5a2-6"` or `W/"15e5a2-6"`.
///
/// It is weak only while the file may still change without getting another version. A file without a version has no tag
/// rather than a weak one: clients resume downloads with `If-Range` and `If-Match`, which a weak tag never matches, and
/// use `Last-Modified` if there is no tag.
#[derive(Debug, Clone, Copy)]
pub(super) struct ETag(Backward<TEXT_MAX>);

impl ETag {
    /// Returns the tag of a file, if the file has a version. A tag with a `suffix` is that of another representation of
    /// the file.
    pub(super) fn new(meta: Meta, suffix: &str) -> Option<ETag> {
        let is_settled = meta.version?.is_settled();
        ETag::with_mark(meta, suffix, if is_settled { "\"" } else { "W/\"" })
    }

    /// Returns the tag of a file that is compressed while it is sent. It is weak, since another version of the compressor
    /// may write other bytes.
    #[cfg(feature = "gzip")]
    pub(super) fn of_compressed(meta: Meta) -> Option<ETag> {
        ETag::with_mark(meta, GZIP_SUFFIX, "W/\"")
    }

    fn with_mark(meta: Meta, suffix: &str, mark: &str) -> Option<ETag> {
        let version = meta.version?;
        let mut text = Backward::new();
        text.push("\"");
        text.push(suffix);
        text.push_hexadecimal(meta.len);
        text.push("-");
        text.push_hexadecimal(version.number());
        text.push(mark);
        Some(ETag(text))
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }

    /// Returns whether both tags are strong and equal (RFC 9110 §8.8.3.2).
    pub(super) fn strong_eq(&self, other: &str) -> bool {
        self.as_bytes() == other.as_bytes() && other.starts_with('"')
    }

    /// Returns whether the tags are equal, weak or not.
    pub(super) fn weak_eq(&self, other: &str) -> bool {
        without_weak_prefix(self.as_bytes()) == without_weak_prefix(other.as_bytes())
    }
}

/// Returns a tag without the prefix of a weak one.
fn without_weak_prefix(tag: &[u8]) -> &[u8] {
    tag.strip_prefix(b"W/").unwrap_or(tag)
}

/// Returns the tags of a list, up to the first syntax error.
pub(super) fn tags(list: &str) -> impl Iterator<Item = &str> {
    let mut rest = list;
    core::iter::from_fn(move || {
        rest = rest.trim_start_matches([' ', '\t', ',']);
        let opaque = rest.strip_prefix("W/").unwrap_or(rest).strip_prefix('"')?;
        let start = rest.len() - opaque.len();
        let len = start + opaque.find('"')? + 1;
        let tag;
        (tag, rest) = rest.split_at(len);
        let blank = tag.contains([' ', '\t', '\x7f']);
        let ends = rest.trim_start_matches([' ', '\t']);
        (!blank && (ends.is_empty() || ends.starts_with(','))).then_some(tag)
    })
}

/// The end of the tag of a representation that is compressed with gzip.
pub(super) const GZIP_SUFFIX: &str = "-gz";

/// The longest tag: `W/`, two quotes, two numbers of 16 digits with a hyphen between, `-zst`.
const TEXT_MAX: usize = 2 + 2 + 33 + 4;
