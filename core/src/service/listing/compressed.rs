//! Compresses a listing with gzip while it is sent.
//!
//! The rows are written in pieces of 64 KiB, each of which is compressed on its own and then sent. So the memory for a
//! connection does not grow with the directory. The pieces of a [prepared](super::prepare) directory are stored beside
//! its entries. All but the first piece are the same for every target that names the directory.

use alloc::boxed::Box;
use alloc::vec::Vec;

pub(super) use crate::text::gzip::Gzip;

use super::{Listing, Stage};
use crate::fs::piece_cache::CachedPiece;
use crate::sync::Arc;
use crate::text::gzip::{PIECE_LEN, Piece};

impl Listing {
    /// Compresses the listing from now on.
    pub(super) fn compress(&mut self) {
        self.gzip = Some(Gzip::default());
    }

    /// Returns the length of the content: of `len` bytes, or if the listing is compressed, of one piece. It is unknown
    /// if there are more.
    pub(super) fn content_len(&mut self, len: u64) -> Option<u64> {
        if self.gzip.is_none() {
            return Some(len);
        }
        if len >= PIECE_LEN as u64 {
            return None;
        }
        let mut parts = Vec::new();
        self.write_piece(&mut parts);
        self.parts = parts;
        Some(self.parts.len() as u64)
    }

    /// Writes the next compressed piece.
    pub(super) fn write_piece(&mut self, out: &mut Vec<u8>) {
        let mut gzip = self.gzip.take().unwrap_or_default();
        if let Stage::Top = self.stage {
            gzip.begin(out);
        }
        gzip.push(&self.next_piece().piece, out);
        if let Stage::End = self.stage {
            gzip.end(out);
        }
        self.gzip = Some(gzip);
    }

    /// Returns the next piece, and advances.
    fn next_piece(&mut self) -> Arc<CachedPiece> {
        // The text of a readme does not belong to the entries.
        let prepared = self.entries.prepared().filter(|_| self.readme.is_none());
        let key = prepared.map(|_| self.piece_key());
        let known = prepared.and_then(|prepared| prepared.pieces.find(key.as_deref()?));
        if let Some(known) = known {
            self.stage = known.next.map_or(Stage::End, Stage::Rows);
            self.rows_written = known.rows_written;
            return known;
        }
        let mut plain = Vec::new();
        self.write_rows(PIECE_LEN, &mut plain);
        let piece = Arc::new(CachedPiece {
            piece: Piece::new(&plain),
            next: match self.stage {
                Stage::Rows(at) => Some(at),
                Stage::Top | Stage::Readme(_) | Stage::End => None,
            },
            rows_written: self.rows_written,
        });
        if let Some(key) = key
            && let Some(prepared) = self.entries.prepared()
        {
            let bytes_max = CACHE_MIN + self.entries.allocated();
            prepared.pieces.insert(key, &piece, bytes_max);
        }
        piece
    }

    /// Returns the key of the next piece: what its content depends on, apart from the entries.
    fn piece_key(&self) -> Box<[u8]> {
        let sorting = self.sorting;
        let mut key = Vec::from([
            self.renderer.number as u8,
            sorting.key as u8,
            u8::from(sorting.descending),
            u8::from(self.scope.hidden),
            self.query.len() as u8,
        ]);
        key.extend_from_slice(self.query.as_bytes());
        match self.stage {
            Stage::Top => (self.renderer.top)(self, &mut key),
            Stage::Rows(at) => {
                key.extend_from_slice(&(at as u64).to_le_bytes());
                key.extend_from_slice(&(self.rows_written as u64).to_le_bytes());
            }
            Stage::Readme(_) | Stage::End => {}
        }
        key.into()
    }
}

/// The bytes of compressed pieces that are stored for a directory, in addition to as many as its entries take.
const CACHE_MIN: usize = 64 * 1024;
