//! [`Held`]: what is open on a connection. What a file system can tell at once it is asked at once;
//! for the rest, file and file system go to a thread that may block.

use std::future;
use std::panic;
use std::sync::Arc;

use sanserve_core::{Ask, Credentials, FileSystem, FsError, Got, Opened, Waiter};
use tokio::sync::oneshot;
use tokio::task::spawn_blocking;

use crate::Open;
use crate::got::ASK_AGAIN;

/// What is open, unless a thread has it: then it comes back with what the thread got of it, or, if
/// that took too long, never.
pub(super) struct Held(pub(super) Option<Open>);

/// Answers an [`Ask`]. If the link does not send files by reference, none is called sendable.
pub(super) async fn answer(
    files: &Arc<impl FileSystem<File = Open> + Send + Sync + 'static>,
    ask: &Ask,
    sends_files: bool,
) -> Got<Held> {
    let got = match files.try_answer(ask) {
        Got::Nothing => match ask {
            Ask::Verify(given) => verify(files, Credentials::clone(given)).await,
            ask => {
                let (files, ask) = (Arc::clone(files), ask.clone());
                let got = on_a_thread(move || files.answer(&ask)).await;
                if let Got::Nothing = got {
                    tokio::time::sleep(ASK_AGAIN).await;
                }
                got
            }
        },
        got => got,
    };
    match held(got) {
        Got::Opened(Ok(Opened::File {
            file,
            meta,
            sendable,
        })) => {
            let sendable = sendable && sends_files;
            Got::Opened(Ok(Opened::File {
                file,
                meta,
                sendable,
            }))
        }
        got => got,
    }
}

/// Has credentials verified. The thread that is taken for it may go on with those of others, so it is
/// not waited for.
async fn verify(
    files: &Arc<impl FileSystem<File = Open> + Send + Sync + 'static>,
    given: Credentials,
) -> Got<Open> {
    let (files, (tell, told)) = (Arc::clone(files), oneshot::channel());
    drop(spawn_blocking(move || {
        files.verify_later(&given, Box::new(Verify(tell)));
    }));
    // A panic has been reported by its hook.
    let verified = told.await.unwrap_or(Err(FsError::Io));
    Got::Verified(verified)
}

/// A connection whose credentials are being verified.
struct Verify(oneshot::Sender<Result<(), FsError>>);

impl Waiter for Verify {
    fn is_waiting(&self) -> bool {
        !self.0.is_closed()
    }

    fn tell(self: Box<Self>, verified: Result<(), FsError>) {
        let _ = self.0.send(verified);
    }
}

impl Held {
    /// Answers a [`Want::Fill`](sanserve_core::Want::Fill).
    pub(super) async fn fill(
        &mut self,
        files: &Arc<impl FileSystem<File = Open> + Send + Sync + 'static>,
        at: u64,
        into: &mut [u8],
    ) -> Got<Held> {
        #[cfg(unix)]
        if let Some(Open::Program(_)) = &self.0 {
            // In a place of its own, so that connections without a program keep none for it.
            return Box::pin(self.fill_from_program(into)).await;
        }
        let got = match &mut self.0 {
            Some(open) => files.try_fill(open, at, into),
            None => Got::Failed,
        };
        if !matches!(got, Got::Nothing) {
            return held(got);
        }
        let (files, len) = (Arc::clone(files), into.len());
        let read = move |open: &mut Open| {
            let mut bytes = vec![0; len];
            (files.fill(open, at, &mut bytes), bytes)
        };
        let Some((got, bytes)) = self.lend(read).await else {
            return Got::Failed;
        };
        if let Got::Bytes(n) = got {
            into[..n].copy_from_slice(&bytes[..n]);
        }
        held(got)
    }

    /// Sees to it that a piece of a file is in memory. [`Got::Nothing`] if it is.
    #[cfg(target_os = "linux")]
    pub(super) async fn fetch(
        &mut self,
        files: &Arc<impl FileSystem<File = Open> + Send + Sync + 'static>,
        at: u64,
        len: u64,
    ) -> Got<Held> {
        let Some(open) = &mut self.0 else {
            return Got::Failed;
        };
        // What lies between was read ahead, or will be.
        let mut here = |at| matches!(files.try_fill(open, at, &mut [0]), Got::Bytes(_));
        if here(at) && here(at + len - 1) {
            return Got::Nothing;
        }
        let files = Arc::clone(files);
        let read = move |open: &mut Open| files.fill(open, at, &mut vec![0; len as usize]);
        match self.lend(read).await {
            Some(Got::Bytes(1..)) => Got::Nothing,
            got => got.map_or(Got::Failed, held),
        }
    }

    /// Answers a [`Want::Give`](sanserve_core::Want::Give). Much of it goes to a file.
    pub(super) async fn give(
        &mut self,
        files: &Arc<impl FileSystem<File = Open> + Send + Sync + 'static>,
        from: &[u8],
    ) -> Got<Held> {
        let (files, from) = (Arc::clone(files), from.to_vec());
        let given = self.lend(move |open| files.give(open, &from)).await;
        given.map_or(Got::Failed, held)
    }

    /// Answers a [`Want::Commit`](sanserve_core::Want::Commit).
    pub(super) async fn commit(
        &mut self,
        files: &Arc<impl FileSystem<File = Open> + Send + Sync + 'static>,
    ) -> Got<Held> {
        let files = Arc::clone(files);
        let committed = self.lend(move |open| files.commit(open)).await;
        committed.map_or(Got::Failed, Got::Committed)
    }

    /// Does something that may block with what is open. `None` if that is away.
    pub(super) async fn lend<T: Send + 'static>(
        &mut self,
        work: impl FnOnce(&mut Open) -> T + Send + 'static,
    ) -> Option<T> {
        let mut open = self.0.take()?;
        let work = move || {
            let done = work(&mut open);
            (open, done)
        };
        let (open, done) = on_a_thread(work).await;
        self.0 = Some(open);
        Some(done)
    }
}

/// Does something on a thread that may block, and passes its panic on.
async fn on_a_thread<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => panic::resume_unwind(panic),
            // The runtime ends, and with it whoever waits here.
            Err(_) => future::pending().await,
        },
    }
}

/// The same answer, with what is open as it is held here.
pub(super) fn held(got: Got<Open>) -> Got<Held> {
    got.map(|open| Held(Some(open)))
}
