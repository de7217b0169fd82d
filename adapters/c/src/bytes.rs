//! [`sanserve_bytes`]: bytes that are lent to the caller, and the conversion of what the caller lends.

use core::ffi::{CStr, c_char};
use core::{ptr, slice, str};

use crate::status::*;

/// Bytes that belong to this library, without a NUL at their end. If there are none to return, `data` is NULL.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct sanserve_bytes {
    /// The first byte.
    pub data: *const u8,
    /// The number of bytes.
    pub len: usize,
}

impl sanserve_bytes {
    /// No bytes.
    pub const NONE: Self = Self {
        data: ptr::null(),
        len: 0,
    };

    pub(crate) fn new(bytes: &[u8]) -> Self {
        Self {
            data: bytes.as_ptr(),
            len: bytes.len(),
        }
    }

    pub(crate) fn optional(text: Option<&str>) -> Self {
        text.map_or(Self::NONE, |text| Self::new(text.as_bytes()))
    }
}

/// Returns the bytes that the caller lends.
///
/// # Safety
/// If `data` is not NULL, `len` bytes from there on are valid for `'a`.
pub(crate) unsafe fn lent<'a>(data: *const u8, len: usize) -> Outcome<&'a [u8]> {
    match (data.is_null(), len) {
        (_, 0) => Ok(&[]),
        (true, _) => Err(SANSERVE_NULL_POINTER),
        // SAFETY: the caller promises that the bytes are valid.
        (false, len) => Ok(unsafe { slice::from_raw_parts(data, len) }),
    }
}

/// Returns the bytes of a C string, without its NUL.
///
/// # Safety
/// If `text` is not NULL, it ends with a NUL, and is valid for `'a`.
pub(crate) unsafe fn c_bytes<'a>(text: *const c_char) -> Outcome<&'a [u8]> {
    if text.is_null() {
        return Err(SANSERVE_NULL_POINTER);
    }
    // SAFETY: the caller promises that it ends with a NUL.
    Ok(unsafe { CStr::from_ptr(text) }.to_bytes())
}

/// Returns a C string that has to be UTF-8.
///
/// # Safety
/// As for [`c_bytes`].
pub(crate) unsafe fn c_text<'a>(text: *const c_char) -> Outcome<&'a str> {
    // SAFETY: the same contract.
    let bytes = unsafe { c_bytes(text) }?;
    str::from_utf8(bytes).map_err(|_| SANSERVE_BAD_ARGUMENT)
}

/// Returns the object behind a pointer, to be read.
///
/// # Safety
/// If it is not NULL, it is valid for `'a`, and nothing changes it.
pub(crate) unsafe fn readable<'a, T>(pointer: *const T) -> Outcome<&'a T> {
    // SAFETY: the caller promises that the pointer is valid.
    unsafe { pointer.as_ref() }.ok_or(SANSERVE_NULL_POINTER)
}

/// Writes a result for the caller. What was there is not dropped.
///
/// # Safety
/// If `to` is not NULL, a `T` can be written there.
pub(crate) unsafe fn give<T>(to: *mut T, value: T) -> Outcome {
    if to.is_null() {
        return Err(SANSERVE_NULL_POINTER);
    }
    // SAFETY: the caller promises that it can be written.
    unsafe { to.write(value) };
    Ok(())
}
