//! [`PieceCache`]: compressed pieces of the listings of a directory, for the next clients that request them.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;

use spin::Mutex;

use crate::sync::Arc;
use crate::text::gzip::Piece;

/// Pieces by a key that determines their content. It is stored with the entries of the directory, so it never has to be
/// invalidated.
#[derive(Debug, Default)]
pub(crate) struct PieceCache(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    pieces: BTreeMap<Box<[u8]>, Arc<CachedPiece>>,
    bytes: usize,
}

/// A compressed piece of a listing.
#[derive(Debug)]
pub(crate) struct CachedPiece {
    pub(crate) piece: Piece,
    /// The position of the next row in the order, or `None` after the last piece.
    pub(crate) next: Option<usize>,
    /// The number of rows that have been written, including those of this piece.
    pub(crate) rows_written: usize,
}

impl PieceCache {
    /// Returns the piece with this key.
    pub(crate) fn find(&self, key: &[u8]) -> Option<Arc<CachedPiece>> {
        self.0.lock().pieces.get(key).cloned()
    }

    /// Stores a piece. If all pieces together would take more than `bytes_max` bytes, the others are removed.
    pub(crate) fn insert(&self, key: Box<[u8]>, piece: &Arc<CachedPiece>, bytes_max: usize) {
        let bytes = key.len() + piece.piece.allocated();
        let mut state = self.0.lock();
        if state.bytes + bytes > bytes_max {
            *state = State::default();
        }
        if bytes <= bytes_max && state.pieces.insert(key, Arc::clone(piece)).is_none() {
            state.bytes += bytes;
        }
    }
}

impl Clone for PieceCache {
    /// Returns an empty cache.
    fn clone(&self) -> Self {
        PieceCache::default()
    }
}
