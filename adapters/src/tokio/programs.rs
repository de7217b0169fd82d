//! Programs of a connection: a thread that may block starts and ends them, and none waits for what
//! they say.
//!
//! The process is the one that [`std::serve`](crate::std::serve) runs, so what is told about it and
//! how it ends is the same. tokio's own would be taken off the system's list as soon as it ends, and
//! its number could mean another by the time its group is killed.

use std::future;
use std::os::fd::BorrowedFd;
use std::time::Duration;

use sanserve_core::Got;
use tokio::net::unix::pipe::Receiver;
use tokio::runtime::Handle;
use tokio::time::timeout;

use super::files::{Held, held};
use crate::Open;

impl Held {
    /// Reads what a program says, and starts it before that.
    pub(super) async fn fill_from_program(&mut self, into: &mut [u8]) -> Got<Held> {
        let Some(Open::Program(running)) = &mut self.0 else {
            return Got::Failed;
        };
        if running.pipes().is_none() {
            let start = |open: &mut Open| match open {
                Open::Program(running) => running.start(),
                _ => Got::Failed,
            };
            return self.lend(start).await.map_or(Got::Failed, held);
        }
        match running.try_fill(into) {
            Got::Nothing => {
                if let Some((pipes, moment)) = running.pipes() {
                    listen(pipes, moment).await;
                }
                Got::Nothing
            }
            got => held(got),
        }
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

impl Drop for Held {
    /// Who ends a program waits until the system has done so, which may take its time.
    fn drop(&mut self) {
        if let Some(Open::Program(program)) = &self.0
            && let Ok(runtime) = Handle::try_current()
        {
            program.strike();
            let open = self.0.take();
            runtime.spawn_blocking(move || drop(open));
        }
    }
}
