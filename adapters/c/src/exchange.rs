//! [`sanserve_exchange`]: a request and the reply to it, as a handler in C sees them. The functions have the names of
//! Python's `BaseHTTPRequestHandler`, as those of [`Exchange`] have.

use core::ffi::c_char;
use core::fmt::{self, Display, Write};
use core::ptr;

use alloc::string::String;

use sanserve_core::Exchange;
use sanserve_core::status::phrase;

use crate::bytes::{c_bytes, c_text, lent, sanserve_bytes};
use crate::handler::sanserve_next;
use crate::status::*;

/// A request and the reply to it. It can be used only during the call that got it.
#[allow(
    missing_debug_implementations,
    reason = "C code has only pointers to it"
)]
pub struct sanserve_exchange {
    /// NULL outside of a call.
    lent: *mut Exchange<'static>,
}

impl sanserve_exchange {
    pub(crate) const NONE: Self = Self {
        lent: ptr::null_mut(),
    };

    /// Lends an exchange until [`release`](Self::release).
    pub(crate) fn lend(&mut self, ex: &mut Exchange<'_>) {
        // The lifetime is that of the call: `release` ends it.
        self.lent = ptr::from_mut(ex).cast();
    }

    pub(crate) fn release(&mut self) {
        self.lent = ptr::null_mut();
    }
}

/// Returns the exchange behind the caller's pointer.
///
/// # Safety
/// The pointer is as the header says. The result must not be stored.
unsafe fn lent_exchange<'a>(
    exchange: *const sanserve_exchange,
) -> Outcome<&'a mut Exchange<'static>> {
    if exchange.is_null() {
        return Err(SANSERVE_NULL_POINTER);
    }
    // SAFETY: the caller's pointer; the exchange is lent, or NULL.
    unsafe { (*exchange).lent.as_mut() }.ok_or(SANSERVE_NO_EXCHANGE)
}

/// Calls `work` with the exchange.
unsafe fn with(
    exchange: *const sanserve_exchange,
    work: impl FnOnce(&mut Exchange<'static>) -> Outcome,
) -> sanserve_status {
    // SAFETY: the caller's pointer, see the header; `work` does not store it.
    guard(|| work(unsafe { lent_exchange(exchange) }?))
}

/// Returns text of the request, or no bytes if there is no exchange.
unsafe fn text(
    exchange: *const sanserve_exchange,
    get: impl FnOnce(&Exchange<'static>) -> Option<&'static str>,
) -> sanserve_bytes {
    let mut found = sanserve_bytes::NONE;
    // SAFETY: the caller's pointer, see the header.
    let _ = unsafe {
        with(exchange, |ex| {
            found = sanserve_bytes::optional(get(ex));
            Ok(())
        })
    };
    found
}

/// Bytes as text of ISO-8859-1, as which a head is written.
struct Latin1<'a>(&'a [u8]);

impl Display for Latin1<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0
            .iter()
            .try_for_each(|&byte| out.write_char(byte.into()))
    }
}

/// Returns the method, such as `GET`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sanserve_command(exchange: *const sanserve_exchange) -> sanserve_bytes {
    // SAFETY: the caller's pointer, see the header.
    unsafe { text(exchange, |ex| Some(ex.command())) }
}

/// Returns the path of the target with its query.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sanserve_path(exchange: *const sanserve_exchange) -> sanserve_bytes {
    // SAFETY: the caller's pointer, see the header.
    unsafe { text(exchange, |ex| Some(ex.path())) }
}

/// Returns the request line.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sanserve_requestline(
    exchange: *const sanserve_exchange,
) -> sanserve_bytes {
    // SAFETY: the caller's pointer, see the header.
    unsafe { text(exchange, |ex| Some(ex.requestline())) }
}

/// Returns the peer's address.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sanserve_client_address(
    exchange: *const sanserve_exchange,
) -> sanserve_bytes {
    // SAFETY: the caller's pointer, see the header.
    unsafe { text(exchange, |ex| Some(ex.client_address())) }
}

/// Returns the value of the first field with this name, in any case of letters, as UTF-8; `data` is NULL if there is
/// none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sanserve_header(
    exchange: *const sanserve_exchange,
    name: *const c_char,
) -> sanserve_bytes {
    // SAFETY: the caller's pointers, see the header.
    unsafe { text(exchange, |ex| ex.header(c_text(name).ok()?)) }
}

/// Writes the name and the value of the field number `at`, from 0 on. SANSERVE_BAD_ARGUMENT if there are fewer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sanserve_header_at(
    exchange: *const sanserve_exchange,
    at: usize,
    name: *mut sanserve_bytes,
    value: *mut sanserve_bytes,
) -> sanserve_status {
    let work = |ex: &mut Exchange<'static>| {
        let (found, text) = ex.headers().nth(at).ok_or(SANSERVE_BAD_ARGUMENT)?;
        // SAFETY: the caller's pointers, see the header.
        unsafe {
            crate::bytes::give(name, sanserve_bytes::new(found.as_bytes()))?;
            crate::bytes::give(value, sanserve_bytes::new(text.as_bytes()))
        }
    };
    // SAFETY: the caller's pointer, see the header.
    unsafe { with(exchange, work) }
}

/// Begins the reply: logs the request, and writes the status line, `Server` and `Date`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sanserve_send_response(
    exchange: *mut sanserve_exchange,
    status: u16,
) -> sanserve_status {
    let work = |ex: &mut Exchange<'static>| {
        if !(100..1000).contains(&status) {
            return Err(SANSERVE_BAD_ARGUMENT);
        }
        ex.send_response(status);
        Ok(())
    };
    // SAFETY: the caller's pointer, see the header.
    unsafe { with(exchange, work) }
}

/// Adds a field. Its value is sent as it is. An invalid field turns the reply into a 500.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sanserve_send_header(
    exchange: *mut sanserve_exchange,
    name: *const c_char,
    value: *const c_char,
) -> sanserve_status {
    // SAFETY: the caller's pointers, see the header.
    unsafe {
        with(exchange, |ex| {
            ex.send_header(c_text(name)?, Latin1(c_bytes(value)?));
            Ok(())
        })
    }
}

/// Adds a field whose value is a number, such as `Content-Length`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sanserve_send_header_number(
    exchange: *mut sanserve_exchange,
    name: *const c_char,
    value: u64,
) -> sanserve_status {
    // SAFETY: the caller's pointers, see the header.
    unsafe {
        with(exchange, |ex| {
            ex.send_header(c_text(name)?, value);
            Ok(())
        })
    }
}

/// Ends the head. The content has the length that was sent; or it is chunked, or ends with the connection.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sanserve_end_headers(exchange: *mut sanserve_exchange) -> sanserve_status {
    let work = |ex: &mut Exchange<'static>| {
        ex.end_headers();
        Ok(())
    };
    // SAFETY: the caller's pointer, see the header.
    unsafe { with(exchange, work) }
}

/// Adds a little content: in one call of the handler at most five quarters of `outbox`. For more return
/// SANSERVE_NEXT_WRITE, or SANSERVE_NEXT_FLUSH between the pieces.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sanserve_write(
    exchange: *mut sanserve_exchange,
    bytes: *const u8,
    len: usize,
) -> sanserve_status {
    // SAFETY: the caller's pointers, see the header.
    unsafe {
        with(exchange, |ex| {
            ex.write(lent(bytes, len)?);
            Ok(())
        })
    }
}

/// Sends an error page, and returns SANSERVE_NEXT_DONE for the handler to return. A status that is not from 400 to 599
/// becomes 500. `message` may be NULL for the usual phrase.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sanserve_send_error(
    exchange: *mut sanserve_exchange,
    status: u16,
    message: *const c_char,
) -> sanserve_next {
    let work = |ex: &mut Exchange<'static>| {
        let is_error = (400..600).contains(&status);
        let status = if is_error { status } else { 500 };
        // SAFETY: the caller's pointer, see the header.
        match unsafe { c_bytes(message) } {
            Ok(message) => ex.send_error(status, String::from_utf8_lossy(message)),
            Err(_) => ex.send_error(status, phrase(status)),
        };
        Ok(())
    };
    // SAFETY: the caller's pointer, see the header.
    let _ = unsafe { with(exchange, work) };
    sanserve_next::DONE
}

/// Logs a message, which is UTF-8.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sanserve_log_message(
    exchange: *mut sanserve_exchange,
    message: *const c_char,
) -> sanserve_status {
    // SAFETY: the caller's pointers, see the header.
    unsafe {
        with(exchange, |ex| {
            ex.log_message(String::from_utf8_lossy(c_bytes(message)?));
            Ok(())
        })
    }
}

/// Closes the connection after this reply. Call it before sanserve_end_headers, which then announces it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sanserve_close_connection(
    exchange: *mut sanserve_exchange,
) -> sanserve_status {
    let work = |ex: &mut Exchange<'static>| {
        ex.close_connection();
        Ok(())
    };
    // SAFETY: the caller's pointer, see the header.
    unsafe { with(exchange, work) }
}

/// Returns whether so much waits to be sent that the handler should return SANSERVE_NEXT_FLUSH.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sanserve_wants_flush(exchange: *const sanserve_exchange) -> bool {
    let mut wants = false;
    // SAFETY: the caller's pointer, see the header.
    let _ = unsafe {
        with(exchange, |ex| {
            wants = ex.wants_flush();
            Ok(())
        })
    };
    wants
}
