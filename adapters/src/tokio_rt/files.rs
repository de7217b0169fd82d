//! [`FileAccess`]: how a connection gets at files. [`OnThreads`] asks a [`FileSystem`] at once what that can tell at once; for the
//! rest, file and file system go to a thread that may block. [`Awaited`] awaits an [`AsyncFileSystem`].

use std::future::{self, Future};
use std::io;
use std::panic;
use std::sync::Arc;

use sanserve_core::{Ask, Credentials, FileSystem, FsError, Got, Waiter};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::spawn_blocking;

use super::AsyncFileSystem;
use crate::ask::ASK_RETRY_INTERVAL;
use crate::fs_call::{FsRequest, OpenSlot};
use crate::send_file::send_file;
use crate::system_file;

/// Answers what a connection wants of files.
pub(super) trait FileAccess: Send + Sync {
    /// What a connection holds of an open file.
    type Held: Send;

    /// Answers a [`Want::Ask`](sanserve_core::Want::Ask). If the transport does not send files by reference, none is called sendable.
    fn answer(&self, ask: &Ask, sends_files: bool) -> impl Future<Output = Got<Self::Held>> + Send;

    /// Answers a [`Want::ReadFile`](sanserve_core::Want::ReadFile).
    fn fill(
        &self,
        held: &mut Self::Held,
        at: u64,
        into: &mut [u8],
    ) -> impl Future<Output = Got<Self::Held>> + Send;

    /// Sees to it that a piece of a file is in memory. [`Got::Nothing`] if it is.
    fn fetch(
        &self,
        held: &mut Self::Held,
        at: u64,
        len: u64,
    ) -> impl Future<Output = Got<Self::Held>> + Send;

    /// Sends a piece of a file by reference, see [`send_file`].
    fn send(
        &self,
        held: &mut Self::Held,
        socket: &TcpStream,
        at: u64,
        len: u64,
    ) -> io::Result<Option<usize>>;

    /// Answers a [`Want::WriteFile`](sanserve_core::Want::WriteFile).
    fn write(
        &self,
        held: &mut Self::Held,
        from: &[u8],
    ) -> impl Future<Output = Got<Self::Held>> + Send;

    /// Answers a [`Want::Commit`](sanserve_core::Want::Commit).
    fn commit(&self, held: &mut Self::Held) -> impl Future<Output = Got<Self::Held>> + Send;
}

/// A file system that may block.
pub(super) struct OnThreads<FS>(pub(super) Arc<FS>);

impl<FS: FileSystem<File: Send + 'static> + Send + Sync + 'static> FileAccess for OnThreads<FS> {
    type Held = OpenSlot<FS::File>;

    async fn answer(&self, ask: &Ask, sends_files: bool) -> Got<Self::Held> {
        let got = match self.0.try_answer(ask) {
            Got::Nothing => match ask {
                Ask::Verify(given) => self.verify(Credentials::clone(given)).await,
                ask => {
                    let (files, ask) = (Arc::clone(&self.0), ask.clone());
                    let got = on_a_thread(move || files.answer(&ask)).await;
                    if let Got::Nothing = got {
                        tokio::time::sleep(ASK_RETRY_INTERVAL).await;
                    }
                    got
                }
            },
            got => got,
        };
        OpenSlot::hold(system_file::check_sendable(&*self.0, got, sends_files))
    }

    async fn fill(&self, slot: &mut Self::Held, at: u64, into: &mut [u8]) -> Got<Self::Held> {
        let Some(file) = slot.get_mut() else {
            return Got::Failed;
        };
        #[cfg(unix)]
        if system_file::process(&*self.0, file).is_some() {
            // In a place of its own, so that connections without a program keep none for it.
            return Box::pin(self.fill_from_program(slot, into)).await;
        }
        match self.0.try_fill(file, at, into) {
            Got::Nothing => self.run(slot.fill(at, into.len()), slot, into).await,
            got => OpenSlot::hold(got),
        }
    }

    async fn fetch(&self, slot: &mut Self::Held, at: u64, len: u64) -> Got<Self::Held> {
        let Some(file) = slot.get_mut() else {
            return Got::Failed;
        };
        // What lies between was read ahead, or will be.
        let mut here = |at| matches!(self.0.try_fill(file, at, &mut [0]), Got::Bytes(_));
        if here(at) && here(at + len - 1) {
            return Got::Nothing;
        }
        let (files, request) = (Arc::clone(&self.0), slot.fill(at, len as usize));
        let Some(request) = request else {
            return Got::Failed;
        };
        let done = on_a_thread(move || request.run(&*files)).await;
        match slot.put_back(done) {
            Got::Bytes(1..) => Got::Nothing,
            got => OpenSlot::hold(got),
        }
    }

    fn send(
        &self,
        slot: &mut Self::Held,
        socket: &TcpStream,
        at: u64,
        len: u64,
    ) -> io::Result<Option<usize>> {
        match slot.get_mut() {
            Some(file) => send_file(socket, &*self.0, file, at, len),
            None => Ok(None),
        }
    }

    /// Much of it goes to a file.
    async fn write(&self, slot: &mut Self::Held, from: &[u8]) -> Got<Self::Held> {
        self.run(slot.write(from), slot, &mut []).await
    }

    async fn commit(&self, slot: &mut Self::Held) -> Got<Self::Held> {
        self.run(slot.commit(), slot, &mut []).await
    }
}

impl<FS: FileSystem<File: Send + 'static> + Send + Sync + 'static> OnThreads<FS> {
    /// Has a thread do what the file was taken for, and puts the file back. If that takes too long, it never comes back.
    pub(super) async fn run(
        &self,
        request: Option<FsRequest<FS::File>>,
        slot: &mut OpenSlot<FS::File>,
        into: &mut [u8],
    ) -> Got<OpenSlot<FS::File>> {
        let Some(request) = request else {
            return Got::Failed;
        };
        let files = Arc::clone(&self.0);
        let done = on_a_thread(move || system_file::run(request, &*files)).await;
        slot.complete(done, into)
    }

    /// Has credentials verified. The thread that is taken for it may go on with those of others, so it is
    /// not waited for.
    async fn verify(&self, given: Credentials) -> Got<FS::File> {
        let (files, (tell, told)) = (Arc::clone(&self.0), oneshot::channel());
        drop(spawn_blocking(move || {
            files.verify_later(&given, Box::new(Verify(tell)));
        }));
        // A panic has been reported by its hook.
        let verified = told.await.unwrap_or(Err(FsError::Io));
        Got::Verified(verified)
    }
}

/// A connection whose credentials are being verified.
struct Verify(oneshot::Sender<Result<(), FsError>>);

impl Waiter for Verify {
    fn is_waiting(&self) -> bool {
        !self.0.is_closed()
    }

    fn complete(self: Box<Self>, verified: Result<(), FsError>) {
        let _ = self.0.send(verified);
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

/// A file system whose answers are futures.
pub(super) struct Awaited<FS>(pub(super) Arc<FS>);

impl<FS: AsyncFileSystem> FileAccess for Awaited<FS> {
    type Held = FS::File;

    async fn answer(&self, ask: &Ask, _: bool) -> Got<FS::File> {
        let got = match ask {
            Ask::Open(path) => Got::Opened(self.0.open(path).await),
            Ask::List(path) => Got::Listed(self.0.list(path).await),
            Ask::Run(program) => Got::Opened(self.0.run(program).await),
            Ask::Verify(given) => Got::Verified(self.0.verify(given).await),
            Ask::Archive(request) => Got::Opened(self.0.archive(request).await),
            Ask::Create(create) => Got::Opened(self.0.create(create).await),
            _ => Got::Opened(Err(FsError::Unsupported)),
        };
        got.unsendable()
    }

    async fn fill(&self, file: &mut FS::File, at: u64, into: &mut [u8]) -> Got<FS::File> {
        let read = self.0.read(file, at, into).await;
        read.map_or_else(Got::Refused, Got::Bytes)
    }

    async fn fetch(&self, _: &mut FS::File, _: u64, _: u64) -> Got<FS::File> {
        unreachable!("no file is called sendable here")
    }

    fn send(&self, _: &mut FS::File, _: &TcpStream, _: u64, _: u64) -> io::Result<Option<usize>> {
        Ok(None)
    }

    async fn write(&self, file: &mut FS::File, from: &[u8]) -> Got<FS::File> {
        let written = self.0.write(file, from).await;
        written.map_or_else(Got::Refused, Got::Bytes)
    }

    async fn commit(&self, file: &mut FS::File) -> Got<FS::File> {
        Got::Committed(self.0.commit(file).await)
    }
}
