//! [`sanserve_body`]: which of the bytes after a head are content.

use core::ffi::c_char;

use sanserve_core::wire::{Body, Piece};

use crate::bytes::{c_text, give, lent};
use crate::request_head::{malformed, sanserve_request_head};
use crate::response_head::sanserve_response_head;
use crate::slot::{Slot, fits};
use crate::status::*;

/// The size of a body in 64-bit words.
pub const SANSERVE_BODY_WORDS: usize = 6;

/// The framing of the content of a message. It owns nothing, so that it need not be dropped.
#[repr(C)]
#[allow(missing_debug_implementations, reason = "it is plain memory")]
pub struct sanserve_body {
    /// For the library only.
    pub storage: [u64; SANSERVE_BODY_WORDS],
}

fits!(sanserve_body, Body);

/// What the next bytes of the input are.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum sanserve_piece {
    /// `len` bytes of content.
    SANSERVE_PIECE_DATA = 0,
    /// `len` bytes of framing or trailer fields: pass over them.
    SANSERVE_PIECE_SKIP,
    /// Not enough input: call again with the same bytes and more.
    SANSERVE_PIECE_MORE,
    /// The content is complete; what follows is the next message.
    SANSERVE_PIECE_END,
}

use sanserve_piece::*;

/// Initializes the framing of a request's content (RFC 9112, section 6.3).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sanserve_body_of_request(
    body: *mut sanserve_body,
    head: *const sanserve_request_head,
    error: *mut sanserve_parse_error,
) -> sanserve_status {
    // SAFETY: the caller's pointers, see the header.
    guard(|| unsafe {
        let framing = crate::request_head::with(head, |head| Ok(Body::of_request(head)))?;
        Slot::store(
            body.cast(),
            framing.map_err(|found| malformed(found, error))?,
        )
    })
}

/// Initializes the framing of the content of a response to a request with this method.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sanserve_body_of_response(
    body: *mut sanserve_body,
    head: *const sanserve_response_head,
    method: *const c_char,
    error: *mut sanserve_parse_error,
) -> sanserve_status {
    // SAFETY: the caller's pointers, see the header.
    guard(|| unsafe {
        let method = c_text(method)?;
        let framing = crate::response_head::with(head, |head| Ok(Body::of_response(head, method)))?;
        Slot::store(
            body.cast(),
            framing.map_err(|found| malformed(found, error))?,
        )
    })
}

/// Writes what the first `len` bytes of `input` are, and how many of them. The next call must get the input after them.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sanserve_body_next(
    body: *mut sanserve_body,
    input: *const u8,
    len: usize,
    piece: *mut sanserve_piece,
    piece_len: *mut usize,
    error: *mut sanserve_parse_error,
) -> sanserve_status {
    // SAFETY: the caller's pointers, see the header.
    guard(|| unsafe {
        let input = lent(input, len)?;
        let next = Slot::<Body>::with(body.cast(), |body| Ok(body.next(input)))?;
        let next = next.map_err(|found| malformed(found, error))?;
        give(piece_len, next.len())?;
        give(
            piece,
            match next {
                Piece::Data(_) => SANSERVE_PIECE_DATA,
                Piece::Skip(_) | Piece::Trailers(_) => SANSERVE_PIECE_SKIP,
                Piece::More => SANSERVE_PIECE_MORE,
                Piece::End => SANSERVE_PIECE_END,
            },
        )
    })
}

/// Checks that the content is complete if the connection ends here: SANSERVE_OK, or SANSERVE_INCOMPLETE.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sanserve_body_end_of_input(body: *const sanserve_body) -> sanserve_status {
    // SAFETY: the caller's pointer, see the header.
    guard(|| unsafe {
        let check = |body: &mut Body| body.end_of_input().map_err(|_| SANSERVE_INCOMPLETE);
        Slot::<Body>::with(body.cast_mut().cast(), check)
    })
}
