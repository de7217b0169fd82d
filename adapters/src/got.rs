//! What a file system answers, as adapters need it.

use std::thread;
use std::time::Duration;

use sanserve_core::{Ask, FileSystem, Got};

#[cfg(any(all(unix, feature = "mio"), feature = "tokio"))]
use crate::Open;

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
        Got::Opened(result) => Got::Opened(result.map(|opened| opened.map(hold))),
    }
}

/// Answers [`Want::Ask`](sanserve_core::Want::Ask) on a thread that serves one connection: it may as well wait
/// before it asks again a file system that has too much to do.
pub(crate) fn answer<FS: FileSystem>(files: &FS, ask: &Ask) -> Got<FS::File> {
    let got = files.answer(ask);
    if let Got::Nothing = got {
        thread::sleep(ASK_AGAIN);
    }
    got
}

/// After this time a file system that had too much to do is asked again.
pub(crate) const ASK_AGAIN: Duration = Duration::from_millis(50);
