//! What a file system answers, for adapters that hold what is open in a way of their own.

use sanserve_core::Got;

#[cfg(any(all(unix, feature = "mio"), feature = "tokio"))]
use crate::Open;

/// Whether what is read from says no more than that it is at work.
pub(crate) fn is_silent_note<F>(got: &Got<F>) -> bool {
    matches!(got, Got::Note(text) if text.is_empty())
}

/// The same answer, with what is open as `hold` makes it.
#[cfg(any(all(unix, feature = "mio"), feature = "tokio"))]
pub(crate) fn map<T>(got: Got<Open>, hold: impl FnOnce(Open) -> T) -> Got<T> {
    match got {
        Got::Nothing => Got::Nothing,
        Got::Bytes(n) => Got::Bytes(n),
        Got::Note(text) => Got::Note(text),
        Got::Listed(result) => Got::Listed(result),
        Got::Verified(result) => Got::Verified(result),
        Got::Failed => Got::Failed,
        Got::Unreadable => Got::Unreadable,
        Got::Gone => Got::Gone,
        Got::Opened(result) => Got::Opened(result.map(|opened| opened.map(hold))),
    }
}
