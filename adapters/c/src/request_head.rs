//! [`sanserve_request_head`]: the parser of request heads, without the engine.

use core::ffi::c_char;

use sanserve_core::wire::{Fields, Limits, ParseError, RequestHead, Version};

use crate::bytes::{c_text, give, lent, sanserve_bytes};
use crate::slot::{Slot, fits};
use crate::status::*;

/// The size of a request head in 64-bit words.
pub const SANSERVE_REQUEST_HEAD_WORDS: usize = 40;

/// The head of a request, with the limits of sanserve_settings_init. It is used again for the next one, and keeps its
/// memory.
#[repr(C)]
#[allow(missing_debug_implementations, reason = "it is plain memory")]
pub struct sanserve_request_head {
    /// For the library only.
    pub storage: [u64; SANSERVE_REQUEST_HEAD_WORDS],
}

fits!(sanserve_request_head, RequestHead);

/// Calls `work` with a head.
///
/// # Safety
/// The pointer is as the header says.
pub(crate) unsafe fn with<R>(
    head: *const sanserve_request_head,
    work: impl FnOnce(&mut RequestHead) -> Outcome<R>,
) -> Outcome<R> {
    // SAFETY: the caller's pointer, see the header; only the owner of the head calls, so that it may be written.
    unsafe { Slot::<RequestHead>::with(head.cast_mut().cast(), work) }
}

/// Reports how a message is malformed.
///
/// # Safety
/// The pointer is as the header says.
pub(crate) unsafe fn malformed(
    error: ParseError,
    to: *mut sanserve_parse_error,
) -> sanserve_status {
    if !to.is_null() {
        // SAFETY: the caller's pointer, see the header.
        unsafe { to.write(sanserve_parse_error::new(error)) };
    }
    SANSERVE_MALFORMED
}

/// Writes the length of a head that was parsed, or how it is malformed.
///
/// # Safety
/// The pointers are as the header says.
pub(crate) unsafe fn give_parsed(
    parsed: Result<Option<usize>, ParseError>,
    used: *mut usize,
    error: *mut sanserve_parse_error,
) -> Outcome {
    // SAFETY: the same contract.
    unsafe {
        match parsed {
            Ok(Some(taken)) => give(used, taken),
            Ok(None) => Err(SANSERVE_INCOMPLETE),
            Err(found) => Err(malformed(found, error)),
        }
    }
}

/// Returns the version as a number: 9, 10 or 11.
pub(crate) fn version_number(version: Version) -> u8 {
    match version {
        Version::Http11 => 11,
        Version::Http10 => 10,
        Version::Http09 => 9,
    }
}

/// Writes the name and the value of a field.
///
/// # Safety
/// The pointers are as the header says.
pub(crate) unsafe fn give_field(
    fields: &Fields,
    at: usize,
    name: *mut sanserve_bytes,
    value: *mut sanserve_bytes,
) -> Outcome {
    let (found, text) = fields.iter().nth(at).ok_or(SANSERVE_BAD_ARGUMENT)?;
    // SAFETY: the caller's pointers, see the header.
    unsafe {
        give(name, sanserve_bytes::new(found.as_bytes()))?;
        give(value, sanserve_bytes::new(text.as_bytes()))
    }
}

/// Initializes an empty head.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sanserve_request_head_init(
    head: *mut sanserve_request_head,
) -> sanserve_status {
    // SAFETY: the caller's pointer, see the header.
    guard(|| unsafe { Slot::store(head.cast(), RequestHead::new()) })
}

/// Releases a head.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sanserve_request_head_drop(
    head: *mut sanserve_request_head,
) -> sanserve_status {
    // SAFETY: the caller's pointer, see the header.
    guard(|| unsafe { Slot::<RequestHead>::release(head.cast()) })
}

/// Parses a head at the start of `input`, which is everything that has arrived and was not used yet. SANSERVE_OK: it is
/// complete, and `used` bytes long. SANSERVE_INCOMPLETE: call again with the same bytes and more; none is examined
/// twice. SANSERVE_MALFORMED: `error`, which may be NULL, says how; the connection has to be closed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sanserve_request_head_parse(
    head: *mut sanserve_request_head,
    input: *const u8,
    len: usize,
    used: *mut usize,
    error: *mut sanserve_parse_error,
) -> sanserve_status {
    // SAFETY: the caller's pointers, see the header.
    guard(|| unsafe {
        give(used, 0)?;
        let input = lent(input, len)?;
        let parsed = with(head, |head| Ok(head.parse(input, &Limits::new())))?;
        give_parsed(parsed, used, error)
    })
}

/// Returns text of a head, or no bytes if the pointer is not one of a head.
unsafe fn text(
    head: *const sanserve_request_head,
    get: impl FnOnce(&RequestHead) -> Option<&str>,
) -> sanserve_bytes {
    // SAFETY: the caller's pointer, see the header.
    let found = unsafe { with(head, |head| Ok(sanserve_bytes::optional(get(head)))) };
    found.unwrap_or(sanserve_bytes::NONE)
}

/// Returns the method, such as `GET`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sanserve_request_head_method(
    head: *const sanserve_request_head,
) -> sanserve_bytes {
    // SAFETY: the caller's pointer, see the header.
    unsafe { text(head, |head| Some(head.method())) }
}

/// Returns the target as it was sent, as UTF-8.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sanserve_request_head_target(
    head: *const sanserve_request_head,
) -> sanserve_bytes {
    // SAFETY: the caller's pointer, see the header.
    unsafe { text(head, |head| Some(head.target())) }
}

/// Returns path and query of the target, whatever its form, in ASCII.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sanserve_request_head_path(
    head: *const sanserve_request_head,
) -> sanserve_bytes {
    // SAFETY: the caller's pointer, see the header.
    unsafe { text(head, |head| Some(head.path())) }
}

/// Returns the value of the first field with this name, in any case of letters, as UTF-8; `data` is NULL if there is
/// none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sanserve_request_head_field(
    head: *const sanserve_request_head,
    name: *const c_char,
) -> sanserve_bytes {
    // SAFETY: the caller's pointers, see the header.
    unsafe { text(head, |head| head.field(c_text(name).ok()?)) }
}

/// Writes the name and the value of the field number `at`, from 0 on. SANSERVE_BAD_ARGUMENT if there are fewer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sanserve_request_head_field_at(
    head: *const sanserve_request_head,
    at: usize,
    name: *mut sanserve_bytes,
    value: *mut sanserve_bytes,
) -> sanserve_status {
    // SAFETY: the caller's pointers, see the header.
    guard(|| unsafe { with(head, |head| give_field(head.fields(), at, name, value)) })
}

/// Returns the version: 11, 10 or 9 for HTTP/1.1, 1.0 and 0.9; 0 if the pointer is not one of a head.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sanserve_request_head_version(head: *const sanserve_request_head) -> u8 {
    // SAFETY: the caller's pointer, see the header.
    unsafe { with(head, |head| Ok(version_number(head.version()))) }.unwrap_or(0)
}

/// Returns whether the connection stays open after the reply (RFC 9112, section 9.3).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sanserve_request_head_keep_alive(
    head: *const sanserve_request_head,
) -> bool {
    // SAFETY: the caller's pointer, see the header.
    unsafe { with(head, |head| Ok(head.keep_alive())) }.unwrap_or(false)
}
