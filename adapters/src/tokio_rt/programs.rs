//! Programs of a connection: a thread that may block starts and ends them, and none waits for what
//! they say.
//!
//! The process is the one that [`blocking::serve`](crate::blocking::serve) runs, so what is told about it and
//! how it ends is the same. tokio's own would be taken off the system's list as soon as it ends, and
//! its number could mean another by the time its group is killed.

use std::future;
use std::os::fd::BorrowedFd;
use std::time::Duration;

use sanserve_core::{FileSystem, Got};
use tokio::net::unix::pipe::Receiver;
use tokio::time::timeout;

use super::files::OnThreads;
use crate::disk::Running;
use crate::fs_call::OpenSlot;
use crate::system_file;

impl<FS: FileSystem<File: Send + 'static> + Send + Sync + 'static> OnThreads<FS> {
    /// Reads what a program says, and starts it before that.
    pub(super) async fn fill_from_program(
        &self,
        slot: &mut OpenSlot<FS::File>,
        into: &mut [u8],
    ) -> Got<OpenSlot<FS::File>> {
        let Some(program) = self.program(slot) else {
            return Got::Failed;
        };
        if program.pipes().is_none() {
            return self.run(slot.fill(0, 0), slot, &mut []).await;
        }
        let got = program.try_fill(into);
        if let Got::Nothing = got
            && let Some((pipes, moment)) = self.program(slot).and_then(|program| program.pipes())
        {
            listen(pipes, moment).await;
        }
        got
    }

    fn program<'a>(&self, slot: &'a mut OpenSlot<FS::File>) -> Option<&'a mut Running> {
        system_file::process(&*self.0, slot.get_mut()?)
    }
}

/// Waits until something can be read from one of these pipes, or so long.
async fn listen(pipes: [Option<BorrowedFd<'_>>; 2], moment: Duration) {
    let [out, err] = pipes.map(|pipe| {
        // What cannot be waited for in this way is looked at when the moment is over.
        let pipe = pipe.and_then(|pipe| pipe.try_clone_to_owned().ok());
        pipe.and_then(|pipe| Receiver::from_owned_fd(pipe).ok())
    });
    let says = async {
        tokio::select! {
            () = readable(out.as_ref()) => {}
            () = readable(err.as_ref()) => {}
        }
    };
    let _ = timeout(moment, says).await;
}

async fn readable(pipe: Option<&Receiver>) {
    match pipe {
        Some(pipe) => _ = pipe.readable().await,
        None => future::pending().await,
    }
}
