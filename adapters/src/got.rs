//! What a file system answers, for adapters that hold what is open in a way of their own.

use sanserve_core::{Got, Opened};

use crate::Open;

/// The same answer, with what is open as `hold` makes it.
pub(crate) fn map<T>(got: Got<Open>, hold: impl FnOnce(Open) -> T) -> Got<T> {
    match got {
        Got::Nothing => Got::Nothing,
        Got::Bytes(n) => Got::Bytes(n),
        Got::Note(text) => Got::Note(text),
        Got::Listed(result) => Got::Listed(result),
        Got::Failed => Got::Failed,
        Got::Opened(result) => Got::Opened(result.map(|opened| match opened {
            Opened::File {
                file,
                meta,
                sendable,
            } => Opened::File {
                file: hold(file),
                meta,
                sendable,
            },
            Opened::Directory => Opened::Directory,
            Opened::Program(file) => Opened::Program(hold(file)),
        })),
    }
}
