//! [`Listing`]: the page that shows what a directory holds, as CPython 3.13 writes it.
//!
//! It is measured first and then written piece by piece, so that its length is known beforehand
//! and no more than the outbox is in memory at a time.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::Write;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};

use crate::escape::Html;
use crate::lower::lower;
use crate::{Entry, Exchange, Next, decode};

/// A listing on its way.
#[derive(Debug, Clone)]
pub(crate) struct Listing {
    /// The directory's path as it was asked for, decoded.
    title: Vec<u8>,
    /// In the order in which they are shown.
    entries: Vec<Entry>,
    /// How many parts were written: the top of the page, each entry, its foot.
    written: usize,
}

impl Listing {
    /// The listing of the directory that `target` names. Names come in the order of their lower
    /// case, code point by code point.
    pub(crate) fn new(target: &str, mut entries: Vec<Entry>) -> Self {
        entries.sort_by_cached_key(|entry| {
            (
                lower(&String::from_utf8_lossy(&entry.name)),
                entry.name.clone(),
            )
        });
        let mut title = decode(target);
        let slashes = title.iter().take_while(|&&byte| byte == b'/').count();
        title.drain(..slashes.saturating_sub(1));
        Listing {
            title,
            entries,
            written: 0,
        }
    }

    /// Its length in bytes.
    pub(crate) fn len(&self) -> usize {
        let mut len = 0;
        (0..self.parts()).for_each(|part| self.part(part, &mut |bytes| len += bytes.len()));
        len
    }

    /// Writes as much of the page as the peer can be expected to take at once. To be called again
    /// after [`Next::Flush`].
    pub(crate) fn write(&mut self, ex: &mut Exchange<'_>) -> Next {
        if ex.command() == "HEAD" {
            return Next::Done;
        }
        while self.written < self.parts() {
            if ex.wants_flush() {
                return Next::Flush;
            }
            self.part(self.written, &mut |bytes| ex.write(bytes));
            self.written += 1;
        }
        Next::Done
    }

    fn parts(&self) -> usize {
        self.entries.len() + 2
    }

    fn part(&self, part: usize, out: &mut dyn FnMut(&[u8])) {
        match part.checked_sub(1).map(|at| self.entries.get(at)) {
            None => {
                out(TOP.as_bytes());
                html(&self.title, out);
                out(MIDDLE.as_bytes());
                html(&self.title, out);
                out(b"</h1>\n<hr>\n<ul>\n");
            }
            Some(Some(entry)) => {
                out(b"<li><a href=\"");
                href(&entry.name, out);
                out(if entry.directory { b"/\">" } else { b"\">" });
                html(&entry.name, out);
                out(match entry {
                    Entry { link: true, .. } => b"@",
                    Entry {
                        directory: true, ..
                    } => b"/",
                    _ => b"",
                });
                out(b"</a></li>\n");
            }
            Some(None) => out(b"</ul>\n<hr>\n</body>\n</html>\n"),
        }
    }
}

/// Writes a name into the page; bytes that are not UTF-8 go as they are.
fn html(text: &[u8], out: &mut dyn FnMut(&[u8])) {
    for chunk in text.utf8_chunks() {
        Html(&mut Pass(out))
            .write_str(chunk.valid())
            .expect("a closure takes everything");
        out(chunk.invalid());
    }
}

/// Writes a name into a link; bytes that are not UTF-8 as the surrogates that CPython has for them,
/// which [`decode`] understands.
fn href(name: &[u8], out: &mut dyn FnMut(&[u8])) {
    for chunk in name.utf8_chunks() {
        percent_encode(chunk.valid().as_bytes(), QUOTED).for_each(|piece| out(piece.as_bytes()));
        for &byte in chunk.invalid() {
            let surrogate = [0xED, 0xB0 | byte >> 6, 0x80 | byte & 0x3F];
            percent_encode(&surrogate, NON_ALPHANUMERIC).for_each(|piece| out(piece.as_bytes()));
        }
    }
}

/// Makes a writer of a closure.
struct Pass<'a>(&'a mut dyn FnMut(&[u8]));

impl Write for Pass<'_> {
    fn write_str(&mut self, text: &str) -> core::fmt::Result {
        (self.0)(text.as_bytes());
        Ok(())
    }
}

/// Everything but what Python's `quote` leaves alone.
const QUOTED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'_')
    .remove(b'.')
    .remove(b'-')
    .remove(b'~')
    .remove(b'/');

const TOP: &str = "<!DOCTYPE HTML>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<title>Directory listing for ";
const MIDDLE: &str = "</title>\n</head>\n<body>\n<h1>Directory listing for ";
