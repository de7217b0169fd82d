//! [`sanserve_response_head`]: the parser of response heads, for clients and proxies.

use core::ffi::c_char;

use sanserve_core::wire::{Limits, ResponseHead};

use crate::bytes::{c_text, give, lent, sanserve_bytes};
use crate::request_head::{give_field, give_parsed, version_number};
use crate::slot::{Slot, fits};
use crate::status::*;

/// The size of a response head in 64-bit words.
pub const SANSERVE_RESPONSE_HEAD_WORDS: usize = 40;

/// The head of a response, with the limits of sanserve_settings_init. It is used again for the next one, and keeps its
/// memory.
#[repr(C)]
#[allow(missing_debug_implementations, reason = "it is plain memory")]
pub struct sanserve_response_head {
    /// For the library only.
    pub storage: [u64; SANSERVE_RESPONSE_HEAD_WORDS],
}

fits!(sanserve_response_head, ResponseHead);

/// Calls `work` with a head.
///
/// # Safety
/// The pointer is as the header says.
pub(crate) unsafe fn with<R>(
    head: *const sanserve_response_head,
    work: impl FnOnce(&mut ResponseHead) -> Outcome<R>,
) -> Outcome<R> {
    // SAFETY: the caller's pointer, see the header; only the owner of the head calls, so that it may be written.
    unsafe { Slot::<ResponseHead>::with(head.cast_mut().cast(), work) }
}

/// Initializes an empty head.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sanserve_response_head_init(
    head: *mut sanserve_response_head,
) -> sanserve_status {
    // SAFETY: the caller's pointer, see the header.
    guard(|| unsafe { Slot::store(head.cast(), ResponseHead::new()) })
}

/// Releases a head.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sanserve_response_head_drop(
    head: *mut sanserve_response_head,
) -> sanserve_status {
    // SAFETY: the caller's pointer, see the header.
    guard(|| unsafe { Slot::<ResponseHead>::release(head.cast()) })
}

/// Parses a head as sanserve_request_head_parse does.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sanserve_response_head_parse(
    head: *mut sanserve_response_head,
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

/// Returns the status; 0 if the pointer is not one of a head.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sanserve_response_head_status(head: *const sanserve_response_head) -> u16 {
    // SAFETY: the caller's pointer, see the header.
    unsafe { with(head, |head| Ok(head.status())) }.unwrap_or(0)
}

/// Returns the reason phrase, which may be empty, as UTF-8.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sanserve_response_head_reason(
    head: *const sanserve_response_head,
) -> sanserve_bytes {
    // SAFETY: the caller's pointer, see the header.
    let found = unsafe {
        with(head, |head| {
            Ok(sanserve_bytes::new(head.reason().as_bytes()))
        })
    };
    found.unwrap_or(sanserve_bytes::NONE)
}

/// Returns the value of the first field with this name, in any case of letters, as UTF-8; `data` is NULL if there is
/// none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sanserve_response_head_field(
    head: *const sanserve_response_head,
    name: *const c_char,
) -> sanserve_bytes {
    // SAFETY: the caller's pointers, see the header.
    let found = unsafe {
        with(head, |head| {
            Ok(sanserve_bytes::optional(head.field(c_text(name)?)))
        })
    };
    found.unwrap_or(sanserve_bytes::NONE)
}

/// Writes the name and the value of the field number `at`, from 0 on. SANSERVE_BAD_ARGUMENT if there are fewer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sanserve_response_head_field_at(
    head: *const sanserve_response_head,
    at: usize,
    name: *mut sanserve_bytes,
    value: *mut sanserve_bytes,
) -> sanserve_status {
    // SAFETY: the caller's pointers, see the header.
    guard(|| unsafe { with(head, |head| give_field(head.fields(), at, name, value)) })
}

/// Returns the version: 11 or 10; 0 if the pointer is not one of a head.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sanserve_response_head_version(head: *const sanserve_response_head) -> u8 {
    // SAFETY: the caller's pointer, see the header.
    unsafe { with(head, |head| Ok(version_number(head.version()))) }.unwrap_or(0)
}

/// Returns whether the connection stays open after the response (RFC 9112, section 9.3).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sanserve_response_head_keep_alive(
    head: *const sanserve_response_head,
) -> bool {
    // SAFETY: the caller's pointer, see the header.
    unsafe { with(head, |head| Ok(head.keep_alive())) }.unwrap_or(false)
}
