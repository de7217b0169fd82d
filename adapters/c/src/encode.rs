//! The encoder of heads and chunks, into buffers of the caller. Every part is checked, so that no value can begin
//! another field or another message.

use alloc::vec::Vec;
use core::ffi::c_char;
use core::slice;

use sanserve_core::wire::{HeadEncoder, Version, encode_chunk_size};

use crate::bytes::{c_bytes, c_text, give};
use crate::status::*;

/// A field to write.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct sanserve_field {
    /// A token.
    pub name: *const c_char,
    /// The value, which is written as it is.
    pub value: *const c_char,
}

/// Writes the head of an HTTP/1.1 request into `buffer`, and its length into `len`. SANSERVE_BAD_ARGUMENT if a part is
/// invalid; SANSERVE_TOO_SMALL if the head is longer than `capacity`, with its length.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sanserve_encode_request(
    method: *const c_char,
    target: *const c_char,
    fields: *const sanserve_field,
    field_count: usize,
    buffer: *mut u8,
    capacity: usize,
    len: *mut usize,
) -> sanserve_status {
    // SAFETY: the caller's pointers, see the header.
    guard(|| unsafe {
        let mut out = Vec::new();
        let head =
            HeadEncoder::request(&mut out, c_text(method)?, c_bytes(target)?, Version::Http11);
        write_fields(
            head.map_err(|_| SANSERVE_BAD_ARGUMENT)?,
            fields,
            field_count,
        )?;
        copy(&out, buffer, capacity, len)
    })
}

/// Writes the head of an HTTP/1.1 response as sanserve_encode_request does.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sanserve_encode_response(
    status: u16,
    reason: *const c_char,
    fields: *const sanserve_field,
    field_count: usize,
    buffer: *mut u8,
    capacity: usize,
    len: *mut usize,
) -> sanserve_status {
    // SAFETY: the caller's pointers, see the header.
    guard(|| unsafe {
        let mut out = Vec::new();
        let head = HeadEncoder::response(&mut out, Version::Http11, status, c_bytes(reason)?);
        write_fields(
            head.map_err(|_| SANSERVE_BAD_ARGUMENT)?,
            fields,
            field_count,
        )?;
        copy(&out, buffer, capacity, len)
    })
}

/// Writes the line before a chunk of `size` bytes. CR LF follows the chunk, and `0`, CR LF, CR LF the last one.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sanserve_encode_chunk_size(
    size: u64,
    buffer: *mut u8,
    capacity: usize,
    len: *mut usize,
) -> sanserve_status {
    // SAFETY: the caller's pointers, see the header.
    guard(|| unsafe {
        let mut out = Vec::new();
        encode_chunk_size(&mut out, size);
        copy(&out, buffer, capacity, len)
    })
}

/// Writes the fields of a head, and its end.
unsafe fn write_fields(
    mut head: HeadEncoder<'_>,
    fields: *const sanserve_field,
    count: usize,
) -> Outcome {
    let fields = match (count, fields.is_null()) {
        (0, _) => &[][..],
        (_, true) => return Err(SANSERVE_NULL_POINTER),
        // SAFETY: the caller's pointer, see the header.
        (count, false) => unsafe { slice::from_raw_parts(fields, count) },
    };
    for field in fields {
        // SAFETY: as above.
        let (name, value) = unsafe { (c_text(field.name)?, c_bytes(field.value)?) };
        head.field(name, value).map_err(|_| SANSERVE_BAD_ARGUMENT)?;
    }
    head.end();
    Ok(())
}

/// Copies what was written to the caller's buffer.
unsafe fn copy(out: &[u8], buffer: *mut u8, capacity: usize, len: *mut usize) -> Outcome {
    // SAFETY: the caller's pointers, see the header.
    unsafe {
        give(len, out.len())?;
        match (buffer.is_null(), out.len() <= capacity) {
            (_, false) => return Err(SANSERVE_TOO_SMALL),
            (true, true) => return Err(SANSERVE_NULL_POINTER),
            (false, true) => buffer.copy_from_nonoverlapping(out.as_ptr(), out.len()),
        }
    }
    Ok(())
}
