//! [`HeadEncoder`] and functions for chunks: encode messages, and check every part before it is written.

use alloc::vec::Vec;
use core::fmt;

use super::Version;
use super::syntax::is_token;
use super::target;

/// Writes the head of a request or response to the end of a buffer.
///
/// Names and values are checked, so that none can begin another field or another message. The caller is responsible for
/// fields that agree with each other and with the content.
///
/// ```
/// use sanserve_wire::{HeadEncoder, Version, encode_chunk, encode_last_chunk};
///
/// let mut out = Vec::new();
/// let mut head = HeadEncoder::response(&mut out, Version::Http11, 200, "OK")?;
/// head.field("Transfer-Encoding", "chunked")?;
/// assert!(head.field("X-Name", "a\r\nSet-Cookie: b").is_err());
/// head.end();
/// encode_chunk(&mut out, b"hello");
/// encode_last_chunk(&mut out, [("Digest", "abc")])?;
/// assert_eq!(
///     out,
///     b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nDigest: abc\r\n\r\n",
/// );
/// # Ok::<(), sanserve_wire::EncodeError>(())
/// ```
///
/// A head that is dropped before [`end`](Self::end), as after an error, is removed from the buffer.
#[derive(Debug)]
#[must_use = "a head without `end` is removed from the buffer"]
pub struct HeadEncoder<'a> {
    /// The buffer, and the offset of the head in it; `None` after the end.
    out: Option<(&'a mut Vec<u8>, usize)>,
}

impl<'a> HeadEncoder<'a> {
    /// Begins the head of a request. The target is text or bytes; it has to be a target that
    /// [`RequestHead::parse`](crate::RequestHead::parse) accepts with this method.
    ///
    /// # Errors
    /// [`EncodeError::Method`], [`EncodeError::Target`], or [`EncodeError::Version`] for HTTP/0.9.
    pub fn request(
        out: &'a mut Vec<u8>,
        method: &str,
        target: impl AsRef<[u8]>,
        version: Version,
    ) -> Result<Self, EncodeError> {
        let target = target.as_ref();
        if !is_token(method.as_bytes()) {
            return Err(EncodeError::Method);
        }
        if !is_target(method, target) {
            return Err(EncodeError::Target);
        }
        check_version(version)?;
        let start = out.len();
        for part in [method.as_bytes(), b" ", target, b" "] {
            out.extend_from_slice(part);
        }
        out.extend_from_slice(version.as_str().as_bytes());
        out.extend_from_slice(b"\r\n");
        Ok(HeadEncoder {
            out: Some((out, start)),
        })
    }

    /// Begins the head of a response. The reason phrase is text or bytes, and may be empty.
    ///
    /// # Errors
    /// [`EncodeError::Status`] for a status that is not from 100 to 999, [`EncodeError::Reason`], or
    /// [`EncodeError::Version`] for HTTP/0.9.
    pub fn response(
        out: &'a mut Vec<u8>,
        version: Version,
        status: u16,
        reason: impl AsRef<[u8]>,
    ) -> Result<Self, EncodeError> {
        let reason = reason.as_ref();
        if !matches!(status, 100..=999) {
            return Err(EncodeError::Status);
        }
        if !is_text(reason) {
            return Err(EncodeError::Reason);
        }
        check_version(version)?;
        let start = out.len();
        out.extend_from_slice(version.as_str().as_bytes());
        let digit = |unit| b'0' + (status / unit % 10) as u8;
        out.extend_from_slice(&[b' ', digit(100), digit(10), digit(1), b' ']);
        out.extend_from_slice(reason);
        out.extend_from_slice(b"\r\n");
        Ok(HeadEncoder {
            out: Some((out, start)),
        })
    }

    /// Writes a field. The value is text or bytes; spaces and tabs around it are omitted, as recipients ignore them.
    ///
    /// # Errors
    /// [`EncodeError::Name`] or [`EncodeError::Value`]; nothing of the field is written then.
    pub fn field(&mut self, name: &str, value: impl AsRef<[u8]>) -> Result<(), EncodeError> {
        let (out, _) = self.out.as_mut().expect("only `end` takes the buffer");
        write_field(out, name, value.as_ref())
    }

    /// Writes several fields, such as [`Fields::end_to_end`](crate::Fields::end_to_end).
    ///
    /// # Errors
    /// [`EncodeError::Name`] or [`EncodeError::Value`] of the first bad field; those before it are written.
    pub fn fields<'n, V: AsRef<[u8]>>(
        &mut self,
        fields: impl IntoIterator<Item = (&'n str, V)>,
    ) -> Result<(), EncodeError> {
        let mut fields = fields.into_iter();
        fields.try_for_each(|(name, value)| self.field(name, value))
    }

    /// Writes the empty line that ends the head, and returns the whole buffer.
    #[allow(
        clippy::must_use_candidate,
        reason = "the caller has the buffer itself, too"
    )]
    pub fn end(mut self) -> &'a mut Vec<u8> {
        let (out, _) = self.out.take().expect("only `end` takes the buffer");
        out.extend_from_slice(b"\r\n");
        out
    }
}

impl Drop for HeadEncoder<'_> {
    fn drop(&mut self) {
        if let Some((out, start)) = &mut self.out {
            out.truncate(*start);
        }
    }
}

/// Writes a chunk of content (RFC 9112 §7.1). Writes nothing for empty content, because an empty chunk would be the
/// last one.
pub fn encode_chunk(out: &mut Vec<u8>, content: &[u8]) {
    if content.is_empty() {
        return;
    }
    encode_chunk_size(out, content.len() as u64);
    out.extend_from_slice(content);
    out.extend_from_slice(b"\r\n");
}

/// Writes the line with the size of a chunk, for content that is sent from elsewhere. The caller then sends exactly
/// that many bytes, and CR LF. A size of 0 would end the content: see [`encode_last_chunk`].
pub fn encode_chunk_size(out: &mut Vec<u8>, size: u64) {
    let digits = (u64::BITS - size.leading_zeros()).div_ceil(4).max(1);
    for digit in (0..digits).rev() {
        out.push(b"0123456789abcdef"[(size >> (4 * digit) & 0xF) as usize]);
    }
    out.extend_from_slice(b"\r\n");
}

/// Writes the last chunk, with optional trailer fields, and the end of the content (RFC 9112 §7.1.2).
///
/// # Errors
/// [`EncodeError::Name`] or [`EncodeError::Value`]; nothing is written then.
pub fn encode_last_chunk<'n, V: AsRef<[u8]>>(
    out: &mut Vec<u8>,
    trailers: impl IntoIterator<Item = (&'n str, V)>,
) -> Result<(), EncodeError> {
    let start = out.len();
    out.extend_from_slice(b"0\r\n");
    for (name, value) in trailers {
        write_field(out, name, value.as_ref()).inspect_err(|_| out.truncate(start))?;
    }
    out.extend_from_slice(b"\r\n");
    Ok(())
}

fn write_field(out: &mut Vec<u8>, name: &str, value: &[u8]) -> Result<(), EncodeError> {
    if !is_token(name.as_bytes()) {
        return Err(EncodeError::Name);
    }
    if !is_text(value) {
        return Err(EncodeError::Value);
    }
    for part in [name.as_bytes(), b": ", trim(value), b"\r\n"] {
        out.extend_from_slice(part);
    }
    Ok(())
}

fn check_version(version: Version) -> Result<(), EncodeError> {
    match version {
        Version::Http09 => Err(EncodeError::Version),
        Version::Http10 | Version::Http11 => Ok(()),
    }
}

/// Returns whether the parser accepts this target with this method.
fn is_target(method: &str, target: &[u8]) -> bool {
    match core::str::from_utf8(target) {
        Ok(text) if text.is_ascii() => !text.is_empty() && target::path(method, text).is_some(),
        // The parser sees each byte above 0x7F as a character.
        _ => target::path(
            method,
            &target
                .iter()
                .copied()
                .map(char::from)
                .collect::<alloc::string::String>(),
        )
        .is_some(),
    }
}

/// Returns whether this is a valid field value or reason phrase (RFC 9110 §5.5): without control characters except tab.
fn is_text(bytes: &[u8]) -> bool {
    let is_bad = |byte: u8| byte.is_ascii_control() && byte != b'\t';
    !bytes
        .iter()
        .copied()
        .fold(false, |bad, byte| bad | is_bad(byte))
}

fn trim(mut value: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = value {
        value = rest;
    }
    value
}

/// An invalid part of a message, which was not written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum EncodeError {
    /// The method is not a token.
    Method,
    /// The target has none of the forms of RFC 9112 §3.2, or one that belongs to another method.
    Target,
    /// HTTP/0.9 has no heads.
    Version,
    /// The status is not from 100 to 999.
    Status,
    /// The reason phrase contains a control character.
    Reason,
    /// The name of a field is not a token.
    Name,
    /// The value of a field contains a control character.
    Value,
}

impl fmt::Display for EncodeError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            EncodeError::Method => "the method is not a token",
            EncodeError::Target => "the request target has no valid form",
            EncodeError::Version => "HTTP/0.9 has no heads",
            EncodeError::Status => "the status is not from 100 to 999",
            EncodeError::Reason => "the reason phrase contains a control character",
            EncodeError::Name => "the field name is not a token",
            EncodeError::Value => "the field value contains a control character",
        })
    }
}

impl core::error::Error for EncodeError {}
