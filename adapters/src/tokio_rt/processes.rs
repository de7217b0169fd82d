//! Reads the output of CGI processes: the first read starts the process on a blocking thread; then its output and error
//! pipes are awaited without a thread.
//!
//! They are the same processes that [`blocking::serve`](crate::blocking::serve) runs, so input, output and exit
//! are handled the same way. A `tokio::process::Child` would be reaped as soon as it ends, and its process id
//! could belong to another one by the time its group is killed.

use std::future;
use std::os::fd::BorrowedFd;
use std::time::Duration;

use sanserve_core::{FileSystem, Got};
use tokio::net::unix::pipe::Receiver;
use tokio::time::timeout;

use super::file_access::BlockingFiles;
use super::system::Pool;
use crate::disk::CgiProcess;
use crate::fs_call::OpenSlot;
use crate::system_file;

impl<FS: FileSystem<File: Send + 'static> + Send + Sync + 'static, P: Pool> BlockingFiles<FS, P> {
    /// Reads from a process, which is started first if necessary.
    pub(super) async fn read_from_process(
        &self,
        slot: &mut OpenSlot<FS::File>,
        into: &mut [u8],
    ) -> Got<OpenSlot<FS::File>> {
        let Some(process) = self.process(slot) else {
            return Got::Failed;
        };
        if process.pipes().is_none() {
            return self.run(slot.fill(0, 0), slot, &mut []).await;
        }
        let got = process.try_fill(into);
        if let Got::Nothing = got
            && let Some((pipes, time)) = self.process(slot).and_then(|process| process.pipes())
        {
            wait_readable(pipes, time).await;
        }
        got
    }

    fn process<'a>(&self, slot: &'a mut OpenSlot<FS::File>) -> Option<&'a mut CgiProcess> {
        system_file::process(self.files(), slot.get_mut()?)
    }
}

/// Waits until one of the pipes is readable, for at most `time`.
async fn wait_readable(pipes: [Option<BorrowedFd<'_>>; 2], time: Duration) {
    let [out, err] = pipes.map(|pipe| {
        // A pipe that cannot be polled is checked again when the time is over.
        let pipe = pipe.and_then(|pipe| pipe.try_clone_to_owned().ok());
        pipe.and_then(|pipe| Receiver::from_owned_fd(pipe).ok())
    });
    let either = async {
        tokio::select! {
            () = readable(out.as_ref()) => {}
            () = readable(err.as_ref()) => {}
        }
    };
    let _ = timeout(time, either).await;
}

async fn readable(pipe: Option<&Receiver>) {
    match pipe {
        Some(pipe) => _ = pipe.readable().await,
        None => future::pending().await,
    }
}
