//! [`FileAccess`]: how a connection uses a file system. [`BlockingFiles`] asks a [`FileSystem`] directly if it
//! can answer without blocking, otherwise on a blocking thread. [`AsyncFiles`] awaits an [`AsyncFileSystem`].

use std::future::{self, Future};
use std::io;
use std::panic;
use std::sync::Arc;

use sanserve_core::{Ask, Credentials, FileSystem, FsError, Got, Waiter};
use tokio::sync::oneshot;

use super::AsyncFileSystem;
use super::system::{BlockingThreads, Pool, Socket};
use crate::ask::ASK_RETRY_INTERVAL;
use crate::fs_call::{FsCompletion, FsRequest, OpenSlot};
use crate::system_file;

/// Answers the wants that concern files.
pub(super) trait FileAccess: Send + Sync {
    /// The connection's handle of an open file.
    type Handle: Send;

    /// Answers a [`Want::Ask`](sanserve_core::Want::Ask). If the transport does not send by reference, no file
    /// is reported as sendable; otherwise those that a socket of this kind can send.
    fn answer<S: Socket>(
        &self,
        ask: &Ask,
        sends_files: bool,
    ) -> impl Future<Output = Got<Self::Handle>> + Send;

    /// Answers a [`Want::ReadFile`](sanserve_core::Want::ReadFile).
    fn fill(
        &self,
        handle: &mut Self::Handle,
        at: u64,
        into: &mut [u8],
    ) -> impl Future<Output = Got<Self::Handle>> + Send;

    /// Brings a piece of a file into the system's page cache. Returns [`Got::Nothing`] when it is there.
    fn fetch(
        &self,
        handle: &mut Self::Handle,
        at: u64,
        len: u64,
    ) -> impl Future<Output = Got<Self::Handle>> + Send;

    /// Sends a piece of a file by reference, see [`Socket::send_file`].
    fn send<S: Socket>(
        &self,
        handle: &mut Self::Handle,
        socket: &S,
        at: u64,
        len: u64,
    ) -> impl Future<Output = io::Result<Option<usize>>> + Send;

    /// Answers a [`Want::WriteFile`](sanserve_core::Want::WriteFile).
    fn write(
        &self,
        handle: &mut Self::Handle,
        from: &[u8],
    ) -> impl Future<Output = Got<Self::Handle>> + Send;

    /// Answers a [`Want::Commit`](sanserve_core::Want::Commit).
    fn commit(&self, handle: &mut Self::Handle) -> impl Future<Output = Got<Self::Handle>> + Send;
}

/// A file system that may block, and the pool that makes its calls then.
pub(super) struct BlockingFiles<FS, P = BlockingThreads> {
    files: Arc<FS>,
    pool: P,
}

impl<FS> BlockingFiles<FS> {
    pub(super) fn new(files: Arc<FS>) -> Self {
        BlockingFiles::with_pool(files, BlockingThreads)
    }
}

impl<FS, P> BlockingFiles<FS, P> {
    pub(super) fn with_pool(files: Arc<FS>, pool: P) -> Self {
        BlockingFiles { files, pool }
    }

    /// Returns the file system.
    #[cfg(unix)]
    pub(super) fn files(&self) -> &FS {
        &self.files
    }
}

impl<FS: FileSystem<File: Send + 'static> + Send + Sync + 'static, P: Pool> FileAccess
    for BlockingFiles<FS, P>
{
    type Handle = OpenSlot<FS::File>;

    async fn answer<S: Socket>(&self, ask: &Ask, sends_files: bool) -> Got<Self::Handle> {
        let got = match self.files.try_answer(ask) {
            Got::Nothing => match ask {
                Ask::Verify(given) => self.verify(Credentials::clone(given)).await,
                ask => {
                    let (files, ask) = (Arc::clone(&self.files), ask.clone());
                    let got = self.run_blocking(move || files.answer(&ask)).await;
                    if let Got::Nothing = got {
                        tokio::time::sleep(ASK_RETRY_INTERVAL).await;
                    }
                    got
                }
            },
            got => got,
        };
        OpenSlot::hold(system_file::check_sendable(got, |file| {
            sends_files && S::can_send(&*self.files, file)
        }))
    }

    async fn fill(&self, slot: &mut Self::Handle, at: u64, into: &mut [u8]) -> Got<Self::Handle> {
        let Some(file) = slot.get_mut() else {
            return Got::Failed;
        };
        #[cfg(unix)]
        if system_file::process(&*self.files, file).is_some() {
            // Boxed, because connections without a process should have no space for it.
            return Box::pin(self.read_from_process(slot, into)).await;
        }
        match self.files.try_fill(file, at, into) {
            Got::Nothing => self.run(slot.fill(at, into.len()), slot, into).await,
            got => OpenSlot::hold(got),
        }
    }

    async fn fetch(&self, slot: &mut Self::Handle, at: u64, len: u64) -> Got<Self::Handle> {
        let Some(file) = slot.get_mut() else {
            return Got::Failed;
        };
        // The bytes in between were read ahead, or will be.
        let mut is_cached = |at| matches!(self.files.try_fill(file, at, &mut [0]), Got::Bytes(_));
        if is_cached(at) && is_cached(at + len - 1) {
            return Got::Nothing;
        }
        let Some(completion) = self.call(slot.fill(at, len as usize)).await else {
            return Got::Failed;
        };
        match slot.put_back(completion) {
            Got::Bytes(1..) => Got::Nothing,
            got => OpenSlot::hold(got),
        }
    }

    async fn send<S: Socket>(
        &self,
        slot: &mut Self::Handle,
        socket: &S,
        at: u64,
        len: u64,
    ) -> io::Result<Option<usize>> {
        match slot.get_mut() {
            Some(file) => socket.send_file(&*self.files, file, at, len).await,
            None => Ok(None),
        }
    }

    /// Always on a thread, because writing may block.
    async fn write(&self, slot: &mut Self::Handle, from: &[u8]) -> Got<Self::Handle> {
        self.run(slot.write(from), slot, &mut []).await
    }

    async fn commit(&self, slot: &mut Self::Handle) -> Got<Self::Handle> {
        self.run(slot.commit(), slot, &mut []).await
    }
}

impl<FS: FileSystem<File: Send + 'static> + Send + Sync + 'static, P: Pool> BlockingFiles<FS, P> {
    /// Makes a call on a thread, and puts the file back. If that takes too long, the file does not come back.
    pub(super) async fn run(
        &self,
        request: Option<FsRequest<FS::File>>,
        slot: &mut OpenSlot<FS::File>,
        into: &mut [u8],
    ) -> Got<OpenSlot<FS::File>> {
        match self.call(request).await {
            Some(completion) => slot.complete(completion, into),
            None => Got::Failed,
        }
    }

    /// Makes a call on a thread. `None` if there is no request, because a thread that took too long has the file.
    async fn call(&self, request: Option<FsRequest<FS::File>>) -> Option<FsCompletion<FS::File>> {
        let (files, request) = (Arc::clone(&self.files), request?);
        let call = move || system_file::run(request, &*files);
        Some(self.run_blocking(call).await)
    }

    /// Verifies credentials. The thread may continue with those of other connections, so its end is not awaited.
    async fn verify(&self, given: Credentials) -> Got<FS::File> {
        let (files, (sender, receiver)) = (Arc::clone(&self.files), oneshot::channel());
        drop(self.pool.spawn(move || {
            files.verify_later(&given, Box::new(Verify(sender)));
        }));
        // A panic has already been reported by the panic hook.
        let verified = receiver.await.unwrap_or(Err(FsError::Io));
        Got::Verified(verified)
    }

    /// Runs `work` on a blocking thread, and propagates its panic.
    async fn run_blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> T {
        match self.pool.spawn(work).await {
            Ok(done) => done,
            Err(error) => match error.try_into_panic() {
                Ok(panic) => panic::resume_unwind(panic),
                // The runtime is shutting down, and this task with it.
                Err(_) => future::pending().await,
            },
        }
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

/// A file system with asynchronous methods.
pub(super) struct AsyncFiles<FS>(pub(super) Arc<FS>);

impl<FS: AsyncFileSystem> FileAccess for AsyncFiles<FS> {
    type Handle = FS::File;

    async fn answer<S: Socket>(&self, ask: &Ask, _: bool) -> Got<FS::File> {
        let got = match ask {
            Ask::Open(path) => Got::Opened(self.0.open(path).await),
            Ask::List(path) => Got::Listed(self.0.list(path).await),
            Ask::Run(program) => Got::Opened(self.0.run(program).await),
            Ask::Verify(given) => Got::Verified(self.0.verify(given).await),
            Ask::Archive(request) => Got::Opened(self.0.archive(request).await),
            Ask::Create(create) => Got::Opened(self.0.create(create).await),
            Ask::Change(change) => Got::Committed(self.0.change(change).await),
            _ => Got::Opened(Err(FsError::Unsupported)),
        };
        got.unsendable()
    }

    async fn fill(&self, file: &mut FS::File, at: u64, into: &mut [u8]) -> Got<FS::File> {
        let read = self.0.read(file, at, into).await;
        read.map_or_else(Got::Refused, Got::Bytes)
    }

    async fn fetch(&self, _: &mut FS::File, _: u64, _: u64) -> Got<FS::File> {
        unreachable!("no file here is sendable")
    }

    async fn send<S: Socket>(
        &self,
        _: &mut FS::File,
        _: &S,
        _: u64,
        _: u64,
    ) -> io::Result<Option<usize>> {
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
