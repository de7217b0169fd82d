//! [`PendingCall`]: makes a connection's calls to the file system. Calls that the file system can answer
//! without blocking are made directly; for all others, a thread of the pool takes the open file, makes the
//! call, and brings the file back.

use std::mem;
use std::os::fd::BorrowedFd;
use std::sync::{Arc, Weak};
use std::time::Duration;

use sanserve_core::{Connection, FileSystem, Got, Handler, Want};

use super::completions::{Completion, HandlerWaker};
use super::open_memo::OpenMemo;
use super::system::Socket;
use super::transport::{SEND_CHUNK_MAX, Transport};
use crate::ask::ASK_RETRY_INTERVAL;
use crate::fs_call::{FsCompletion, FsRequest, OpenSlot};
use crate::system_file;

/// A call that a thread of the pool has, or will have.
struct InFlight {
    /// When this is dropped before a thread has begun, the call is skipped.
    _wanted: Arc<()>,
    /// Whether only a reply depends on the call, and not a file that is being created.
    for_reply: bool,
}

/// What a connection needs to make file-system calls.
pub(super) struct FsContext<'a, FS: FileSystem> {
    pub(super) files: &'a FS,
    /// Submits a request to the pool, which skips it if the connection no longer waits for it.
    pub(super) submit: &'a dyn Fn(FsRequest<FS::File>, Weak<()>),
    /// Registers a pipe, so that the connection is woken when it becomes readable.
    pub(super) listen: &'a dyn Fn(BorrowedFd<'_>),
    /// Makes the waker that wakes the connection while its handler waits.
    pub(super) waker: &'a dyn Fn() -> Arc<HandlerWaker<FS::File>>,
    /// Whether handlers may upgrade connections.
    pub(super) can_upgrade: bool,
}

/// The file-system call of a connection. An answer of [`Got::Nothing`] means that the connection will be woken.
pub(super) struct PendingCall<F> {
    /// The call that a thread has, or will have.
    in_flight: Option<InFlight>,
    /// Whether the handler was woken since it last waited.
    woken: bool,
    /// The call that a thread has finished.
    completed: Option<FsCompletion<F>>,
    /// The time after which the connection is woken in any case: a process may end without closing its pipes,
    /// and a file system that was too busy is asked again.
    pub(super) retry_after: Option<Duration>,
}

impl<F> Default for PendingCall<F> {
    fn default() -> PendingCall<F> {
        PendingCall {
            in_flight: None,
            completed: None,
            woken: false,
            retry_after: None,
        }
    }
}

impl<F> PendingCall<F> {
    /// Takes a completion.
    pub(super) fn complete(&mut self, completion: Completion<F>) {
        match completion {
            // This may be the waker of an earlier request that the handler kept a clone of.
            Completion::Woken(waker) => {
                waker.reset();
                self.woken = true;
            }
            Completion::Call(done) => (self.in_flight, self.completed) = (None, Some(done)),
        }
    }

    /// Answers a [`Wait`](sanserve_core::Want::Wait).
    pub(super) fn wait(&mut self) -> Got<OpenSlot<F>> {
        match mem::take(&mut self.woken) {
            true => Got::Woken,
            false => Got::Nothing,
        }
    }

    /// Returns whether a thread works on something that only the reply needs.
    pub(super) fn works_for_reply(&self) -> bool {
        self.in_flight
            .as_ref()
            .is_some_and(|in_flight| in_flight.for_reply)
    }

    /// Answers the pending [`Ask`](Want::Ask) of a connection. If the transport cannot send files by reference, no file
    /// is reported as sendable.
    pub(super) fn ask<FS, S: Socket, H: Handler>(
        &mut self,
        conn: &mut Connection<OpenSlot<F>, H>,
        context: &FsContext<'_, FS>,
        memo: &mut OpenMemo<F>,
        transport: &Transport<S>,
    ) -> Got<OpenSlot<F>>
    where
        FS: FileSystem<File = F>,
    {
        if !conn.has_only_safe_requests() {
            memo.clear();
        }
        let Want::Ask(ask) = conn.pending_want() else {
            unreachable!("an Ask is pending");
        };
        let got = match self.completed.take().and_then(FsCompletion::into_answer) {
            Some(Got::Nothing) => {
                self.retry_after = Some(ASK_RETRY_INTERVAL);
                return Got::Nothing;
            }
            Some(got) => got,
            _ if self.in_flight.is_some() => return Got::Nothing,
            _ => memo.lookup(ask, context.files).unwrap_or_else(|| {
                let got = context.files.try_answer(ask);
                memo.record(ask, &got, context.files);
                got
            }),
        };
        match got {
            Got::Nothing => self.submit(FsRequest::Ask(ask.clone()), context),
            got => OpenSlot::hold(system_file::check_sendable(got, |file| {
                transport.can_send(context.files, file)
            })),
        }
    }

    /// Answers a [`ReadFile`](sanserve_core::Want::ReadFile).
    pub(super) fn read_file<FS>(
        &mut self,
        slot: &mut OpenSlot<F>,
        at: u64,
        into: &mut [u8],
        context: &FsContext<'_, FS>,
    ) -> Got<OpenSlot<F>>
    where
        FS: FileSystem<File = F>,
    {
        if let Some(done) = self.take_file() {
            match slot.complete(done, into) {
                Got::Nothing => {
                    let file = slot.get_mut();
                    let program = file.and_then(|file| system_file::process(context.files, file));
                    let pipes = program.and_then(|program| program.pipes());
                    let (pipes, _) = pipes.unwrap_or_default();
                    pipes.into_iter().flatten().for_each(context.listen);
                }
                got => return got,
            }
        }
        let Some(file) = slot.get_mut() else {
            return Got::Nothing;
        };
        if let Some(program) = system_file::process(context.files, file)
            && program.pipes().is_some()
        {
            let got = program.try_fill(into);
            self.retry_after = program.pipes().map(|(_, retry_after)| retry_after);
            return got;
        }
        match context.files.try_fill(file, at, into) {
            Got::Nothing => self.offload(slot.fill(at, into.len()), context),
            got => OpenSlot::hold(got),
        }
    }

    /// Answers a [`Copy`](sanserve_core::Want::Copy).
    pub(super) fn copy<FS, S: Socket>(
        &mut self,
        slot: &mut OpenSlot<F>,
        at: u64,
        len: u64,
        transport: &mut Transport<S>,
        context: &FsContext<'_, FS>,
    ) -> Got<OpenSlot<F>>
    where
        FS: FileSystem<File = F>,
    {
        let fetched = self.take_file().map(|done| slot.put_back(done));
        if let Some(Got::Refused(error)) = fetched {
            return Got::Refused(error);
        }
        let is_warm = fetched.is_some();
        if !transport.is_writable() {
            return Got::Nothing;
        }
        let Some(file) = slot.get_mut() else {
            return Got::Nothing;
        };
        let mut piece = len.min(if is_warm { READ_AHEAD } else { SEND_CHUNK_MAX });
        // A read in the pool brings this piece into the system's cache.
        if !is_warm && !is_cached(context.files, file, at + piece - 1) {
            piece = piece.min(READ_AHEAD);
            return self.offload(slot.fill(at, piece as usize), context);
        }
        transport.copy(context.files, file, at, piece)
    }

    /// Answers a [`WriteFile`](sanserve_core::Want::WriteFile).
    pub(super) fn write_file<FS>(
        &mut self,
        slot: &mut OpenSlot<F>,
        from: &[u8],
        context: &FsContext<'_, FS>,
    ) -> Got<OpenSlot<F>>
    where
        FS: FileSystem<File = F>,
    {
        match self.take_file() {
            Some(done) => slot.complete(done, &mut []),
            None => self.offload(slot.write(from), context),
        }
    }

    /// Answers a [`Commit`](sanserve_core::Want::Commit).
    pub(super) fn commit<FS>(
        &mut self,
        slot: &mut OpenSlot<F>,
        context: &FsContext<'_, FS>,
    ) -> Got<OpenSlot<F>>
    where
        FS: FileSystem<File = F>,
    {
        match self.take_file() {
            Some(done) => slot.complete(done, &mut []),
            None => self.offload(slot.commit(), context),
        }
    }

    /// Takes the finished call, if it brings the open file back.
    fn take_file(&mut self) -> Option<FsCompletion<F>> {
        self.completed.take().filter(FsCompletion::has_file)
    }

    /// Moves the open file into a request and submits that, unless a thread has the file already.
    fn offload<FS>(
        &mut self,
        request: Option<FsRequest<F>>,
        context: &FsContext<'_, FS>,
    ) -> Got<OpenSlot<F>>
    where
        FS: FileSystem<File = F>,
    {
        match request {
            Some(request) => self.submit(request, context),
            None => Got::Nothing,
        }
    }

    fn submit<FS>(&mut self, request: FsRequest<F>, context: &FsContext<'_, FS>) -> Got<OpenSlot<F>>
    where
        FS: FileSystem<File = F>,
    {
        let wanted = Arc::new(());
        let waits = Arc::downgrade(&wanted);
        self.in_flight = Some(InFlight {
            _wanted: wanted,
            for_reply: request.is_for_reply(),
        });
        (context.submit)(request, waits);
        Got::Nothing
    }
}

/// Returns whether the system has this byte of a file in its cache. A file of `Disk`'s cache remembers the last
/// answer, so that the system is not asked about the same place again.
fn is_cached<FS: FileSystem>(files: &FS, file: &mut FS::File, at: u64) -> bool {
    let is_warm = system_file::was_read(files, file, at)
        || matches!(files.try_fill(file, at, &mut [0]), Got::Bytes(_));
    if is_warm {
        system_file::note_read(files, file, at);
    }
    is_warm
}

/// The number of bytes read ahead if they are not in the cache.
const READ_AHEAD: u64 = 256 * 1024;
