//! Escapes text for its context: HTML, log lines, JSON, and quotes as in Python ([`Repr`], which is also safe in a
//! status line). Also shortens a client's text.
//!
//! The escapers, except [`Repr`], wrap another writer, so that nothing is buffered.

use alloc::vec::Vec;
use core::fmt::{self, Display, Write};

use memchr::{memchr, memchr2, memchr3};

/// A writer that escapes `&`, `<` and `>` for HTML, but not quotes, like CPython's `html.escape(quote=False)`.
#[allow(
    clippy::exhaustive_structs,
    reason = "it is written as Html(out), and wraps one writer"
)]
pub struct Html<'a>(pub &'a mut dyn Write);

impl fmt::Debug for Html<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Html").finish_non_exhaustive()
    }
}

impl Write for Html<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let mut rest = text;
        while let Some(at) = memchr3(b'&', b'<', b'>', rest.as_bytes()) {
            self.0.write_str(&rest[..at])?;
            self.0.write_str(match rest.as_bytes()[at] {
                b'&' => "&amp;",
                b'<' => "&lt;",
                _ => "&gt;",
            })?;
            rest = &rest[at + 1..];
        }
        self.0.write_str(rest)
    }
}

/// Returns whether a character is invisible and affects how text is displayed: control characters, bidirectional
/// formatting (UAX #9), and Unicode's line separators.
pub(crate) fn is_invisible(char: char) -> bool {
    let orders = matches!(
        char,
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}'
    );
    let isolates = matches!(char, '\u{2066}'..='\u{2069}');
    char.is_control() || orders || isolates || matches!(char, '\u{2028}' | '\u{2029}')
}

/// A writer that escapes control characters as `\x1b`, other [invisible](is_invisible) ones as `\u202e`, and doubles
/// backslashes, so that a request can neither move the cursor nor reorder the text on the terminal of someone who reads
/// the log.
pub(crate) struct Log<'a>(pub(crate) &'a mut dyn Write);

impl Write for Log<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        // The usual case.
        if is_plain(text) && memchr(b'\\', text.as_bytes()).is_none() {
            return self.0.write_str(text);
        }
        let mut rest = text;
        while let Some(at) = rest.find(|char: char| is_invisible(char) || char == '\\') {
            self.0.write_str(&rest[..at])?;
            let char = rest[at..].chars().next().unwrap_or_default();
            match char {
                '\\' => self.0.write_str("\\\\")?,
                '\u{100}'.. => write!(self.0, "\\u{:04x}", u32::from(char))?,
                _ => write!(self.0, "\\x{:02x}", u32::from(char))?,
            }
            rest = &rest[at + char.len_utf8()..];
        }
        self.0.write_str(rest)
    }
}

/// A writer for text between quotes in a log line: escapes as [`Log`] does, and `"` as `\x22`.
pub(crate) struct Quoted<'a>(pub(crate) &'a mut dyn Write);

impl Write for Quoted<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let mut parts = text.split('"');
        Log(self.0).write_str(parts.next().unwrap_or_default())?;
        parts.try_for_each(|part| {
            self.0.write_str("\\x22")?;
            Log(self.0).write_str(part)
        })
    }
}

/// A writer for a word of a log line that ends at a space: escapes as [`Quoted`] does, and spaces as `\x20`.
pub(crate) struct Word<'a>(pub(crate) &'a mut dyn Write);

impl Write for Word<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let mut parts = text.split(' ');
        Quoted(self.0).write_str(parts.next().unwrap_or_default())?;
        parts.try_for_each(|part| {
            self.0.write_str("\\x20")?;
            Quoted(self.0).write_str(part)
        })
    }
}

/// A writer for text between quotes in JSON (RFC 8259 §7). Escapes all [invisible](is_invisible) characters as
/// `\u001b`.
pub(crate) struct Json<'a>(pub(crate) &'a mut dyn Write);

impl Write for Json<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        // The usual case.
        if is_plain(text) && memchr2(b'"', b'\\', text.as_bytes()).is_none() {
            return self.0.write_str(text);
        }
        let mut rest = text;
        while let Some(at) =
            rest.find(|char: char| is_invisible(char) || matches!(char, '"' | '\\'))
        {
            self.0.write_str(&rest[..at])?;
            let char = rest[at..].chars().next().unwrap_or_default();
            match char {
                '"' | '\\' => write!(self.0, "\\{char}")?,
                _ => write!(self.0, "\\u{:04x}", u32::from(char))?,
            }
            rest = &rest[at + char.len_utf8()..];
        }
        self.0.write_str(rest)
    }
}

/// Returns whether the text is all printable ASCII. As this is nearly always so, it checks eight bytes at a time.
pub(crate) fn is_plain(text: &str) -> bool {
    let (eights, rest) = text.as_bytes().as_chunks();
    // The highest bit of a byte is set if it is below a space, above `~`, or not ASCII. A borrow from the next byte, or
    // a carry to it, only comes from such a byte.
    let special = eights.iter().fold(0, |special, eight| {
        let eight = u64::from_ne_bytes(*eight);
        special | eight | eight.wrapping_sub(EACH * 0x20) | eight.wrapping_add(EACH)
    });
    special & (EACH * 0x80) == 0 && rest.iter().all(|byte| (b' '..=b'~').contains(byte))
}

/// The value 1 in each byte.
const EACH: u64 = 0x0101_0101_0101_0101;

/// A writer that only counts bytes.
pub(crate) struct Count(pub(crate) usize);

impl Write for Count {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0 += text.len();
        Ok(())
    }
}

/// Returns at most `max` bytes of the start of a text, and `...` if it is longer. Limits how much of a client's text is
/// repeated in errors and in the log.
pub(crate) fn excerpt(text: &str, max: usize) -> (&str, &'static str) {
    if text.len() <= max {
        return (text, "");
    }
    let mut end = max;
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    (&text[..end], "...")
}

/// Returns as much of a client's text as the log quotes: all of it if nothing needs escaping, otherwise at most 4,096
/// bytes, each of which becomes at most six.
pub(crate) fn logged(text: &str) -> (&str, &'static str) {
    let is_escaped = || !is_plain(text) || text.bytes().any(|byte| matches!(byte, b'"' | b'\\'));
    match text.len() > QUOTE_LOGGED_MAX && is_escaped() {
        true => excerpt(text, QUOTE_LOGGED_MAX),
        false => (text, ""),
    }
}

/// Text in quotes as in Python's `ascii` and `repr`: characters up to U+00FF are kept. Of a text with more than
/// [`QUOTE_MAX`] bytes only the start is written, with `...` after the closing quote.
pub(crate) struct Repr<'a>(pub(crate) &'a str);

impl Display for Repr<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (text, rest) = excerpt(self.0, QUOTE_MAX);
        let quote = if text.contains('\'') && !text.contains('"') {
            '"'
        } else {
            '\''
        };
        out.write_char(quote)?;
        for char in text.chars() {
            match char {
                '\\' => out.write_str("\\\\")?,
                '\t' => out.write_str("\\t")?,
                '\n' => out.write_str("\\n")?,
                '\r' => out.write_str("\\r")?,
                char if char == quote => write!(out, "\\{char}")?,
                '\0'..='\x1f' | '\x7f'..='\u{a0}' | '\u{ad}' => {
                    write!(out, "\\x{:02x}", u32::from(char))?;
                }
                // Characters that a status line cannot contain.
                '\u{100}'.. => write!(out, "\\u{:04x}", u32::from(char))?,
                char => out.write_char(char)?,
            }
        }
        out.write_char(quote)?;
        out.write_str(rest)
    }
}

/// The number of bytes of a client's text that an error message quotes.
pub(crate) const QUOTE_MAX: usize = 1024;

/// The number of bytes of a client's text, such as the request line, that the log escapes.
const QUOTE_LOGGED_MAX: usize = 4096;

/// Returns the text of a request as the bytes that were sent.
pub(crate) fn bytes(text: &str) -> Vec<u8> {
    text.chars().map(|char| char as u8).collect()
}
