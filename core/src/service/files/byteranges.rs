//! [`Parts`]: sends several ranges of a file as one reply, `multipart/byteranges` (RFC 9110 §14.6).
//!
//! The bytes between the ranges are known in advance, and so is the length of the content. The ranges themselves are
//! sent like any part of a file.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::{self, Display, Write};
use core::ops::Range;

use crate::engine::{Exchange, Next, Now};
use crate::fs::{FileVersion, Meta};
use crate::text::decimal::mix;
use crate::text::escape::Count;

/// The ranges of a file that are being sent.
#[derive(Debug, Clone)]
pub(super) struct Parts {
    ranges: Vec<Range<u64>>,
    /// The length of the whole file.
    len: u64,
    content_type: String,
    /// The `Content-Encoding` of the file. It is a field of each part: the multipart content itself is not compressed.
    coding: Option<&'static str>,
    boundary: Boundary,
    /// The number of parts that have begun.
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

    /// Returns the length of the whole content.
    pub(super) fn content_length(&self) -> u64 {
        let mut between = Count(0);
        (0..=self.ranges.len())
            .try_for_each(|at| self.write_head(at, &mut between))
            .expect("counting does not fail");
        let ranges = self.ranges.iter().map(|range| range.end - range.start);
        ranges.sum::<u64>() + between.0 as u64
    }

    /// Writes the head of the next part, and returns the request to send its range. To be called again when that is
    /// done.
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

    /// Returns the bytes before the part with this number, or after the last one.
    fn write_head(&self, at: usize, out: &mut dyn Write) -> fmt::Result {
        let Parts { boundary, len, .. } = self;
        // RFC 2046 §5.1.1: a delimiter begins with the line break before it. Apache and nginx send it before the first
        // part, too, and zsync does not terminate without it.
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

/// Formats the value of `Content-Range`, such as `bytes 0-4/10`.
pub(super) struct ContentRange<'a>(pub(super) &'a Range<u64>, pub(super) u64);

impl Display for ContentRange<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ContentRange(range, len) = self;
        write!(out, "bytes {}-{}/{len}", range.start, range.end - 1)
    }
}

/// The boundary between the parts. The file is not searched for it, but it depends on the file, the time and the
/// ranges, so that nobody can write it into a file beforehand.
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
