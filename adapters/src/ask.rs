//! Answers a connection's question to the file system, on a thread that may block.

use std::thread;
use std::time::Duration;

use sanserve_core::{Ask, FileSystem, Got};

use crate::system_file::{check_sendable, is_sendable};

/// Answers [`Want::Ask`](sanserve_core::Want::Ask) on a thread that serves one connection. If the file system
/// is too busy, it sleeps before the connection asks again. A file that cannot be sent by reference is not
/// reported as sendable.
pub(crate) fn answer<FS: FileSystem>(files: &FS, ask: &Ask) -> Got<FS::File> {
    let got = files.answer(ask);
    if let Got::Nothing = got {
        thread::sleep(ASK_RETRY_INTERVAL);
    }
    check_sendable(got, |file| is_sendable(files, file))
}

/// The time after which a file system that was too busy is asked again.
pub(crate) const ASK_RETRY_INTERVAL: Duration = Duration::from_millis(50);
