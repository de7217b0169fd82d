//! [`Gzip`]: a gzip stream (RFC 1952) that is made of pieces, each of which is compressed on its own.
//!
//! Between two pieces the stream holds only a checksum: the tables of the compressor, 300 KB, are allocated for one
//! piece at a time, and not for each slow client. A piece does not depend on those before it, so it can also be part of
//! another stream.

use alloc::boxed::Box;
use alloc::vec::Vec;

use crc32fast::Hasher;
use miniz_oxide::deflate::core::{
    CompressorOxide, TDEFLFlush, compress_to_output, create_comp_flags_from_zip_params,
};

/// The state of a stream between two pieces.
#[derive(Debug, Clone, Default)]
pub(crate) struct Gzip {
    /// The checksum of the pieces.
    sum: Hasher,
    /// Their length before compression, modulo 2^32.
    len: u32,
}

/// A compressed piece.
#[derive(Debug, Clone)]
pub(crate) struct Piece {
    /// Blocks of DEFLATE (RFC 1951) that end with a whole byte and are not the last ones.
    bytes: Vec<u8>,
    sum: Hasher,
    len: u32,
}

impl Piece {
    /// Compresses a piece of any length.
    pub(crate) fn new(plain: &[u8]) -> Piece {
        let flags = create_comp_flags_from_zip_params(LEVEL, RAW, 0);
        let mut compressor = Box::new(CompressorOxide::new(flags));
        let mut bytes = Vec::new();
        compress_to_output(&mut compressor, plain, TDEFLFlush::Sync, |part: &[u8]| {
            bytes.extend_from_slice(part);
            true
        });
        let mut sum = Hasher::new();
        sum.update(plain);
        let len = plain.len() as u32;
        Piece { bytes, sum, len }
    }

    /// Returns the number of bytes that are allocated.
    pub(crate) fn allocated(&self) -> usize {
        self.bytes.capacity() + size_of::<Piece>()
    }
}

impl Gzip {
    /// Begins the stream: writes its header.
    pub(crate) fn begin(&mut self, out: &mut Vec<u8>) {
        *self = Gzip::default();
        out.extend_from_slice(&HEADER);
    }

    /// Adds a piece to the stream.
    pub(crate) fn push(&mut self, piece: &Piece, out: &mut Vec<u8>) {
        out.extend_from_slice(&piece.bytes);
        self.sum.combine(&piece.sum);
        self.len = self.len.wrapping_add(piece.len);
    }

    /// Ends the stream: writes an empty last block, the checksum and the length.
    pub(crate) fn end(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&LAST_BLOCK);
        out.extend_from_slice(&self.sum.clone().finalize().to_le_bytes());
        out.extend_from_slice(&self.len.to_le_bytes());
    }
}

/// The number of bytes after which a piece ends. The window of DEFLATE has half of it.
pub(crate) const PIECE_LEN: usize = 64 * 1024;

/// The magic number, the method DEFLATE, and neither flags nor a time nor the operating system (RFC 1952 §2.3).
const HEADER: [u8; 10] = [0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 255];
/// A last block with fixed codes that has only its end (RFC 1951 §3.2.6).
const LAST_BLOCK: [u8; 2] = [3, 0];
/// The effort of the compressor, as in zlib. Level 2 takes three times as many instructions for 7 to 18 % fewer bytes of
/// a listing.
const LEVEL: i32 = 1;
/// The parameter for DEFLATE without a header, as in zlib.
const RAW: i32 = -15;
