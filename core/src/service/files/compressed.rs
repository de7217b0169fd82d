//! Replies with a file that is compressed with gzip while it is sent.
//!
//! The file is read and compressed in pieces of 64 KiB, each of which is sent before the next one is read, so that the
//! memory for a connection is limited. The length of the content is not known in advance.

use alloc::boxed::Box;
use alloc::format;
use alloc::vec::Vec;
use core::mem;

use super::file_reply::Found;
use super::{Files, Stage};
use crate::engine::reply_state::Fault;
use crate::engine::{Event, Exchange, Next};
use crate::service::coding::{Coding, Codings, Compression};
use crate::service::condition::{Verdict, evaluate};
use crate::service::etag::ETag;
use crate::service::reply_fields::OF_A_FILE;
use crate::text::gzip::{Gzip, PIECE_LEN, Piece};
use crate::text::status;
use crate::wire::syntax::is_among;

/// A file that is being compressed and sent.
#[derive(Debug, Clone)]
pub(super) struct CompressedFile {
    gzip: Gzip,
    /// The bytes of the next piece that have been read.
    plain: Vec<u8>,
    /// The number of bytes to read after that, as the file was when it was opened.
    left: u64,
    /// Whether a piece is being written.
    is_writing: bool,
}

impl Files {
    /// Replies with the compressed file, if it may be compressed and the client accepts that.
    pub(super) fn try_compress(
        &self,
        ex: &mut Exchange<'_>,
        found: &mut Found<'_>,
        codings: Codings,
    ) -> Option<(Next, Option<Box<CompressedFile>>)> {
        let len = found.meta.len;
        if found.coding.is_some()
            || len > LEN_MAX
            || matches!(self.stage, Stage::Archive(_))
            || !is_compressible(found.content_type.name())
            || codings.compression(ex, found.tag.as_ref(), len) != Compression::Gzip
        {
            return None;
        }
        found.coding = Some(Coding::Gzip);
        found.tag = ETag::of_compressed(found.meta);
        match evaluate(ex, found.tag.as_ref(), found.meta.date()) {
            Verdict::Failed => return Some((self.error(ex, 412, status::phrase(412)), None)),
            Verdict::Unchanged => return Some((self.send_unchanged(ex, found), None)),
            Verdict::Send => {}
        }
        self.send_compressed_head(ex, found);
        if ex.command() == "HEAD" {
            return Some((Next::Done, None));
        }
        let mut file = Box::new(CompressedFile {
            gzip: Gzip::default(),
            plain: Vec::new(),
            left: len,
            is_writing: false,
        });
        let next = file.begin();
        Some((next, Some(file)))
    }

    /// Sends the head. It does not accept ranges, as they would be those of the compressed file.
    fn send_compressed_head(&self, ex: &mut Exchange<'_>, found: &Found<'_>) {
        ex.send_response(200);
        found.content_type.send(ex);
        ex.send_text("Content-Encoding: ", Coding::Gzip.name());
        self.send_disposition(ex, found);
        self.send_validators(ex, found);
        let fields = self.fields();
        fields.send_policy(ex);
        fields.send_extra(ex, &OF_A_FILE);
        ex.end_headers();
    }
}

impl CompressedFile {
    fn begin(&mut self) -> Next {
        let mut out = Vec::new();
        self.gzip.begin(&mut out);
        if self.left == 0 {
            self.gzip.end(&mut out);
        }
        self.is_writing = true;
        Next::Write(out.into())
    }

    /// Continues after a read or a write.
    pub(super) fn resume(&mut self, ex: &mut Exchange<'_>, event: Event<'_>) -> Next {
        match event {
            Event::Data(bytes) => self.add(bytes),
            Event::End if mem::take(&mut self.is_writing) => match self.left {
                0 => Next::Done,
                _ => Next::Read,
            },
            // The reply breaks off, so that the client notices.
            _ => {
                let left = self.left;
                let message = format!("The file ended {left} bytes before its announced length");
                ex.reply.fail(Fault::Failed(500, message.into()));
                Next::Flush
            }
        }
    }

    /// Adds bytes of the file. Those beyond its announced length are omitted.
    fn add(&mut self, bytes: &[u8]) -> Next {
        let n = usize::try_from(self.left).map_or(bytes.len(), |left| left.min(bytes.len()));
        self.plain.extend_from_slice(&bytes[..n]);
        self.left -= n as u64;
        if self.plain.len() < PIECE_LEN && self.left > 0 {
            return Next::Read;
        }
        // Pieces do not depend on the lengths of the reads, so equal files give equal replies.
        let whole = match self.left {
            0 => self.plain.len(),
            _ => self.plain.len() / PIECE_LEN * PIECE_LEN,
        };
        // A slow client holds no more than what the last read has of the next piece.
        let rest = self.plain.split_off(whole);
        let mut out = Vec::new();
        for piece in self.plain.chunks(PIECE_LEN) {
            self.gzip.push(&Piece::new(piece), &mut out);
        }
        self.plain = rest;
        if self.left == 0 {
            self.gzip.end(&mut out);
        }
        self.is_writing = true;
        Next::Write(out.into())
    }
}

/// Returns whether files of this media type usually become much shorter: text, and formats that are text or, as
/// WebAssembly, code.
fn is_compressible(media_type: &str) -> bool {
    let name = media_type.split(';').next().unwrap_or_default().trim_end();
    let name = name.to_ascii_lowercase();
    name.starts_with("text/")
        || ["+json", "+xml", "+text"]
            .iter()
            .any(|suffix| name.ends_with(suffix))
        || is_among(&name, &COMPRESSIBLE)
}

/// Compressible media types that are not `text/` and have no suffix (RFC 6838 §4.2.8) that says so.
const COMPRESSIBLE: [&str; 11] = [
    "application/javascript",
    "application/json",
    "application/jsonl",
    "application/rtf",
    "application/sql",
    "application/toml",
    "application/wasm",
    "application/x-javascript",
    "application/x-ndjson",
    "application/xml",
    "application/yaml",
];

/// The maximum length of a file that is compressed, in bytes.
const LEN_MAX: u64 = 1024 * 1024;
