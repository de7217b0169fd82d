//! [`sanserve_status`]: the result of each call, and the guard that turns panics into it.

use core::fmt::{self, Write};

use sanserve_core::wire::ParseError;

/// The result of a call.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum sanserve_status {
    /// The call was successful.
    SANSERVE_OK = 0,
    /// A pointer is NULL that must not be.
    SANSERVE_NULL_POINTER,
    /// The object was not initialized, or was dropped.
    SANSERVE_NOT_INITIALIZED,
    /// The object is in use: a callback of this connection is running.
    SANSERVE_BUSY,
    /// The exchange is used outside of a callback of its handler.
    SANSERVE_NO_EXCHANGE,
    /// The answer does not fit the want. It is not used, and its file still belongs to the caller.
    SANSERVE_BAD_ANSWER,
    /// The connection is closed: there are no further steps.
    SANSERVE_CLOSED,
    /// An argument is out of range, or its text is invalid.
    SANSERVE_BAD_ARGUMENT,
    /// The buffer is too small.
    SANSERVE_TOO_SMALL,
    /// The message is incomplete: call again with the same bytes and more.
    SANSERVE_INCOMPLETE,
    /// The message is malformed. `sanserve_parse_error` says how.
    SANSERVE_MALFORMED,
    /// The system refused it.
    SANSERVE_SYSTEM,
    /// The code of this library panicked, which is a mistake in it. The object can only be dropped.
    SANSERVE_PANICKED,
}

pub(crate) use sanserve_status::*;

/// The result inside of this library.
pub(crate) type Outcome<T = ()> = Result<T, sanserve_status>;

/// Runs `work`. Its panic becomes [`SANSERVE_PANICKED`].
#[cfg(feature = "std")]
pub(crate) fn guard(work: impl FnOnce() -> Outcome) -> sanserve_status {
    let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
    caught
        .unwrap_or(Err(SANSERVE_PANICKED))
        .map_or_else(|status| status, |()| SANSERVE_OK)
}

/// Runs `work`. Its panic ends the program, see `sanserve_panic`.
#[cfg(not(feature = "std"))]
pub(crate) fn guard(work: impl FnOnce() -> Outcome) -> sanserve_status {
    work().map_or_else(|status| status, |()| SANSERVE_OK)
}

/// How a message is malformed.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct sanserve_parse_error {
    /// The status with which a server replies: 400, 414, 417, 431, 501 or 505. A gateway that finds the error in a
    /// response replies 502.
    pub status: u16,
    /// A clause for a log, such as `bad field line`. It ends with a NUL.
    pub message: [u8; 78],
}

impl sanserve_parse_error {
    pub(crate) fn new(error: ParseError) -> Self {
        let mut message = Message {
            text: [0; 78],
            len: 0,
        };
        write!(message, "{error}").expect("it takes everything");
        let (status, message) = (error.status(), message.text);
        Self { status, message }
    }
}

/// A text of limited length, which ends with a NUL.
struct Message {
    text: [u8; 78],
    len: usize,
}

impl Write for Message {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let n = text.len().min(self.text.len() - 1 - self.len);
        self.text[self.len..][..n].copy_from_slice(&text.as_bytes()[..n]);
        self.len += n;
        Ok(())
    }
}
