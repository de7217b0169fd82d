//! What a file system answers, as adapters need it.

use std::thread;
use std::time::Duration;

use sanserve_core::{Ask, FileSystem, Got};

use crate::system_file::check_sendable;

/// Answers [`Want::Ask`](sanserve_core::Want::Ask) on a thread that serves one connection: it may as well wait
/// before it asks again a file system that has too much to do. No file is called sendable that cannot be sent by reference.
pub(crate) fn answer<FS: FileSystem>(files: &FS, ask: &Ask) -> Got<FS::File> {
    let got = files.answer(ask);
    if let Got::Nothing = got {
        thread::sleep(ASK_AGAIN);
    }
    check_sendable(files, got, true)
}

/// After this time a file system that had too much to do is asked again.
pub(crate) const ASK_AGAIN: Duration = Duration::from_millis(50);
