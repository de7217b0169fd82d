//! [`Files`]: what a connection asks of the file system. What that can tell at once it is asked at
//! once; for the rest, a thread of the pool gets what is open, and brings it back.

use std::mem;
use std::os::fd::BorrowedFd;
use std::sync::{Arc, Weak};
use std::time::Duration;

use sanserve_core::{Ask, FileSystem, Got};

use super::mail::{Done, HandlerWaker};
use super::recent::Recent;
use super::transport::{MOST, Transport};
use crate::fs_call::{FsCompletion, FsRequest, OpenSlot};
use crate::got::ASK_AGAIN;
use crate::system_file;

/// What a thread has of a connection.
struct Away {
    /// The task is left out once this is dropped.
    _wanted: Arc<()>,
    /// Whether it serves a reply only, and not a file that is being made.
    for_reply: bool,
}

/// Where a connection turns to.
pub(super) struct Desk<'a, FS: FileSystem> {
    pub(super) files: &'a FS,
    /// Gives a task to the pool, which leaves it out if nobody waits for it any more by then.
    pub(super) submit: &'a dyn Fn(FsRequest<FS::File>, Weak<()>),
    /// Has the connection woken when something can be read there.
    pub(super) listen: &'a dyn Fn(BorrowedFd<'_>),
    /// What wakes the connection while its handler waits.
    pub(super) waker: &'a dyn Fn() -> Arc<HandlerWaker<FS::File>>,
    /// Whether handlers may take connections over.
    pub(super) can_upgrade: bool,
}

/// What a connection has to do with files. [`Got::Nothing`] means that it will be woken.
pub(super) struct Files<F> {
    /// A thread has something of it, or is to have it.
    away: Option<Away>,
    /// Something woke the handler since it last waited.
    woken: bool,
    /// What a thread brought back.
    back: Option<FsCompletion<F>>,
    /// After so long it has to be woken in any case: a program may end without a word, and a file system that had
    /// too much to do is asked again.
    pub(super) moment: Option<Duration>,
}

impl<F> Default for Files<F> {
    fn default() -> Files<F> {
        Files {
            away: None,
            back: None,
            woken: false,
            moment: None,
        }
    }
}

impl<F> Files<F> {
    /// A thread is done.
    pub(super) fn bring(&mut self, done: Done<F>) {
        match done {
            // Also that of an earlier request, of which the handler kept a clone.
            Done::Woken(waker) => {
                waker.reset();
                self.woken = true;
            }
            Done::Call(done) => (self.away, self.back) = (None, Some(done)),
        }
    }

    /// Answers a [`Wait`](sanserve_core::Want::Wait).
    pub(super) fn wait(&mut self) -> Got<OpenSlot<F>> {
        match mem::take(&mut self.woken) {
            true => Got::Woken,
            false => Got::Nothing,
        }
    }

    /// Whether a thread works for something that only the peer needs.
    pub(super) fn work_for_reply(&self) -> bool {
        self.away.as_ref().is_some_and(|away| away.for_reply)
    }

    /// Answers an [`Ask`](sanserve_core::Want::Ask). If the transport does not send files by reference,
    /// none is called sendable.
    pub(super) fn ask<FS>(
        &mut self,
        ask: &Ask,
        desk: &Desk<'_, FS>,
        recent: &mut Recent<F>,
        sends_files: bool,
    ) -> Got<OpenSlot<F>>
    where
        FS: FileSystem<File = F>,
    {
        let got = match self.back.take().and_then(FsCompletion::into_answer) {
            Some(Got::Nothing) => {
                self.moment = Some(ASK_AGAIN);
                return Got::Nothing;
            }
            Some(got) => got,
            _ if self.away.is_some() => return Got::Nothing,
            _ => match ask {
                Ask::Open(path) => recent.answer(path, desk.files).unwrap_or_else(|| {
                    let got = desk.files.try_answer(ask);
                    recent.note(path, &got, desk.files);
                    got
                }),
                ask => desk.files.try_answer(ask),
            },
        };
        match got {
            Got::Nothing => self.send(FsRequest::Ask(ask.clone()), desk),
            got => OpenSlot::hold(system_file::check_sendable(desk.files, got, sends_files)),
        }
    }

    /// Answers a [`ReadFile`](sanserve_core::Want::ReadFile).
    pub(super) fn fill<FS>(
        &mut self,
        slot: &mut OpenSlot<F>,
        at: u64,
        into: &mut [u8],
        desk: &Desk<'_, FS>,
    ) -> Got<OpenSlot<F>>
    where
        FS: FileSystem<File = F>,
    {
        if let Some(done) = self.take_file() {
            match slot.complete(done, into) {
                Got::Nothing => {
                    let file = slot.get_mut();
                    let program = file.and_then(|file| system_file::program(desk.files, file));
                    let pipes = program.and_then(|program| program.pipes());
                    let (pipes, _) = pipes.unwrap_or_default();
                    pipes.into_iter().flatten().for_each(desk.listen);
                }
                got => return got,
            }
        }
        let Some(file) = slot.get_mut() else {
            return Got::Nothing;
        };
        if let Some(program) = system_file::program(desk.files, file)
            && program.pipes().is_some()
        {
            let got = program.try_fill(into);
            self.moment = program.pipes().map(|(_, moment)| moment);
            return got;
        }
        match desk.files.try_fill(file, at, into) {
            Got::Nothing => self.lend(slot.fill(at, into.len()), desk),
            got => OpenSlot::hold(got),
        }
    }

    /// Answers a [`Copy`](sanserve_core::Want::Copy).
    pub(super) fn copy<FS>(
        &mut self,
        slot: &mut OpenSlot<F>,
        at: u64,
        len: u64,
        transport: &mut Transport,
        desk: &Desk<'_, FS>,
    ) -> Got<OpenSlot<F>>
    where
        FS: FileSystem<File = F>,
    {
        let fetched = self.take_file().map(|done| slot.put_back(done));
        if let Some(Got::Refused(error)) = fetched {
            return Got::Refused(error);
        }
        let warm = fetched.is_some();
        if !transport.is_writable() {
            return Got::Nothing;
        }
        let Some(file) = slot.get_mut() else {
            return Got::Nothing;
        };
        let mut piece = len.min(if warm { PIECE } else { MOST });
        // What is not in the system's cache is read once for nothing: then it is.
        if !warm && !is_cached(desk.files, file, at + piece - 1) {
            piece = piece.min(PIECE);
            return self.lend(slot.fill(at, piece as usize), desk);
        }
        transport.copy(desk.files, file, at, piece)
    }

    /// Answers a [`WriteFile`](sanserve_core::Want::WriteFile).
    pub(super) fn write<FS>(
        &mut self,
        slot: &mut OpenSlot<F>,
        from: &[u8],
        desk: &Desk<'_, FS>,
    ) -> Got<OpenSlot<F>>
    where
        FS: FileSystem<File = F>,
    {
        match self.take_file() {
            Some(done) => slot.complete(done, &mut []),
            None => self.lend(slot.write(from), desk),
        }
    }

    /// Answers a [`Commit`](sanserve_core::Want::Commit).
    pub(super) fn commit<FS>(
        &mut self,
        slot: &mut OpenSlot<F>,
        desk: &Desk<'_, FS>,
    ) -> Got<OpenSlot<F>>
    where
        FS: FileSystem<File = F>,
    {
        match self.take_file() {
            Some(done) => slot.complete(done, &mut []),
            None => self.lend(slot.commit(), desk),
        }
    }

    /// What a thread brought back, if that is a file.
    fn take_file(&mut self) -> Option<FsCompletion<F>> {
        self.back.take().filter(FsCompletion::has_file)
    }

    /// Has a thread do what the open file is needed for, unless one has it already.
    fn lend<FS>(&mut self, request: Option<FsRequest<F>>, desk: &Desk<'_, FS>) -> Got<OpenSlot<F>>
    where
        FS: FileSystem<File = F>,
    {
        match request {
            Some(request) => self.send(request, desk),
            None => Got::Nothing,
        }
    }

    fn send<FS>(&mut self, request: FsRequest<F>, desk: &Desk<'_, FS>) -> Got<OpenSlot<F>>
    where
        FS: FileSystem<File = F>,
    {
        let wanted = Arc::new(());
        let waits = Arc::downgrade(&wanted);
        self.away = Some(Away {
            _wanted: wanted,
            for_reply: request.is_for_reply(),
        });
        (desk.submit)(request, waits);
        Got::Nothing
    }
}

/// Whether the system has that byte of a file in its cache. A file of a disk's cache was asked for a moment ago,
/// and is not asked about the same place again.
fn is_cached<FS: FileSystem>(files: &FS, file: &mut FS::File, at: u64) -> bool {
    let warm = system_file::was_read(files, file, at)
        || matches!(files.try_fill(file, at, &mut [0]), Got::Bytes(_));
    if warm {
        system_file::note_read(files, file, at);
    }
    warm
}

/// So much is read ahead if it is not in the cache.
const PIECE: u64 = 256 * 1024;
