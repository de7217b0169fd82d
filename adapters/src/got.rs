//! What a file system answers, for adapters that hold what is open in a way of their own.

use sanserve_core::Got;

use crate::Open;

/// The same answer, with what is open as `hold` makes it.
pub(crate) fn map<T>(got: Got<Open>, hold: impl FnOnce(Open) -> T) -> Got<T> {
    match got {
        Got::Nothing => Got::Nothing,
        Got::Bytes(n) => Got::Bytes(n),
        Got::Note(text) => Got::Note(text),
        Got::Listed(result) => Got::Listed(result),
        Got::Verified(result) => Got::Verified(result),
        Got::Failed => Got::Failed,
        Got::Opened(result) => Got::Opened(result.map(|opened| opened.map(hold))),
    }
}
