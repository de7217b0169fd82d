//! [`Parts`]: several ranges of a file as one content, `multipart/byteranges` (RFC 9110 §14.6).
//!
//! What stands between the ranges is known beforehand, and so is the length of it all. The ranges
//! themselves are sent as any other part of a file.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::{self, Display, Write};
use core::ops::Range;

use crate::engine::{Exchange, Next, Now};
use crate::fs::{FileVersion, Meta};
use crate::text::decimal::mix;
use crate::text::escape::Count;

/// Ranges of a file on their way.
#[derive(Debug, Clone)]
pub(super) struct Parts {
    ranges: Vec<Range<u64>>,
    /// The length of the whole file.
    len: u64,
    content_type: String,
    /// The `Content-Encoding` of the file. It belongs to the parts: what they are put into is not
    /// compressed.
    coding: Option<&'static str>,
    boundary: Boundary,
    /// How many were begun.
    sent: usize,
}

impl Parts {
    pub(super) fn new(
        ranges: Vec<Range<u64>>,
        meta: Meta,
        content_type: String,
        coding: Option<&'static str>,
        now: Now,
    ) -> Parts {
        Parts {
            boundary: Boundary::new(&ranges, meta, now),
            ranges,
            len: meta.len,
            content_type,
            coding,
            sent: 0,
        }
    }

    pub(super) fn boundary(&self) -> impl Display {
        self.boundary
    }

    /// The length of everything.
    pub(super) fn content_length(&self) -> u64 {
        let mut between = Count(0);
        (0..=self.ranges.len())
            .try_for_each(|at| self.write_head(at, &mut between))
            .expect("counting does not fail");
        let ranges = self.ranges.iter().map(|range| range.end - range.start);
        ranges.sum::<u64>() + between.0 as u64
    }

    /// Writes what stands before the next range, and has that sent. To be called again whenever
    /// that is done.
    pub(super) fn send_next(&mut self, ex: &mut Exchange<'_>) -> Next {
        let mut head = String::new();
        self.write_head(self.sent, &mut head)
            .expect("a string takes everything");
        ex.write(head.as_bytes());
        let Some(range) = self.ranges.get(self.sent) else {
            return Next::Done;
        };
        self.sent += 1;
        Next::Send(range.clone())
    }

    /// What stands before the range with this number, or behind the last.
    fn write_head(&self, at: usize, out: &mut dyn Write) -> fmt::Result {
        let Parts { boundary, len, .. } = self;
        // RFC 2046 §5.1.1: a delimiter begins with the end of the line before it, which may be empty. Apache and
        // nginx send that before the first one too, and zsync never ends where it is missing.
        let Some(range) = self.ranges.get(at) else {
            return write!(out, "\r\n--{boundary}--\r\n");
        };
        write!(
            out,
            "\r\n--{boundary}\r\nContent-Type: {}\r\n",
            self.content_type
        )?;
        if let Some(coding) = self.coding {
            write!(out, "Content-Encoding: {coding}\r\n")?;
        }
        let range = ContentRange(range, *len);
        write!(out, "Content-Range: {range}\r\n\r\n")
    }
}

/// `bytes 0-4/10`.
pub(super) struct ContentRange<'a>(pub(super) &'a Range<u64>, pub(super) u64);

impl Display for ContentRange<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ContentRange(range, len) = self;
        write!(out, "bytes {}-{}/{len}", range.start, range.end - 1)
    }
}

/// What parts the parts. Nobody has looked whether the file holds it; but it is another one for
/// each file, moment and set of ranges, so that nobody can write it into a file beforehand.
#[derive(Debug, Clone, Copy)]
struct Boundary(u64);

impl Boundary {
    fn new(ranges: &[Range<u64>], meta: Meta, now: Now) -> Boundary {
        let about = [
            now.tick.as_nanos() as u64,
            now.unix.unwrap_or_default() as u64,
            meta.len,
            meta.modified.unwrap_or_default() as u64,
            meta.version.map_or(0, FileVersion::number),
        ];
        let ends = ranges.iter().flat_map(|range| [range.start, range.end]);
        Boundary(about.into_iter().chain(ends).fold(0, mix))
    }
}

impl Display for Boundary {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{:016x}", self.0)
    }
}
