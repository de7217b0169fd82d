//! [`Files`]: what a connection asks of the file system. What that can tell at once it is asked at
//! once; for the rest, a thread of the pool gets what is open, and brings it back.

use std::mem;
use std::os::fd::BorrowedFd;
use std::sync::{Arc, Weak};
use std::thread;
use std::time::Duration;

use sanserve_core::{Ask, FileSystem, Got, Opened};

use super::link::Link;
use super::mail::HandlerWaker;
use super::recent::Recent;
use crate::Open;
use crate::got::ASK_AGAIN;

/// What is open, unless a thread has it.
pub(super) struct Held(Option<Open>);

/// What a thread is to do.
pub(super) enum Task {
    Ask(Ask),
    Fill(Open, u64, usize),
    Give(Open, Vec<u8>),
    Commit(Open),
}

/// What it brings back.
pub(super) enum Done {
    Answer(Got<Open>),
    /// Something woke the handler.
    Woken(Arc<HandlerWaker>),
    /// What is open, what came of it, and the bytes that were read.
    Open(Open, Got<Open>, Vec<u8>),
}

impl Task {
    /// Whether it serves a reply only, and not a file that is being made.
    pub(super) fn is_for_reply(&self) -> bool {
        !matches!(self, Task::Give(..) | Task::Commit(_))
    }

    /// Does it, however long that takes.
    pub(super) fn run(self, files: &impl FileSystem<File = Open>) -> Done {
        match self {
            Task::Ask(ask) => Done::Answer(files.answer(&ask)),
            Task::Fill(mut open, at, len) => {
                let mut bytes = vec![0; len];
                let got = match &mut open {
                    Open::Program(program) => program.start(),
                    _ => files.fill(&mut open, at, &mut bytes),
                };
                Done::Open(open, got, bytes)
            }
            Task::Give(mut open, bytes) => {
                let got = files.give(&mut open, &bytes);
                Done::Open(open, got, Vec::new())
            }
            Task::Commit(mut open) => {
                let got = Got::Committed(files.commit(&mut open));
                Done::Open(open, got, Vec::new())
            }
        }
    }
}

/// What a thread has of a connection.
struct Away {
    /// The task is left out once this is dropped.
    _wanted: Arc<()>,
    /// Whether it serves a reply only, and not a file that is being made.
    for_reply: bool,
}

/// Where a connection turns to.
pub(super) struct Desk<'a, FS> {
    pub(super) files: &'a FS,
    /// Gives a task to the pool, which leaves it out if nobody waits for it any more by then.
    pub(super) submit: &'a dyn Fn(Task, Weak<()>),
    /// Has the connection woken when something can be read there.
    pub(super) listen: &'a dyn Fn(BorrowedFd<'_>),
    /// What wakes the connection while its handler waits.
    pub(super) waker: &'a dyn Fn() -> Arc<HandlerWaker>,
    /// Whether handlers may take connections over.
    pub(super) can_upgrade: bool,
}

/// What a connection has to do with files. [`Got::Nothing`] means that it will be woken.
#[derive(Default)]
pub(super) struct Files {
    /// A thread has something of it, or is to have it.
    away: Option<Away>,
    /// Something woke the handler since it last waited.
    woken: bool,
    /// What a thread brought back.
    back: Option<Done>,
    /// After so long it has to be woken in any case: a program may end without a word, and a file system that had
    /// too much to do is asked again.
    pub(super) moment: Option<Duration>,
}

impl Files {
    /// A thread is done.
    pub(super) fn bring(&mut self, done: Done) {
        match done {
            // Also that of an earlier request, of which the handler kept a clone.
            Done::Woken(waker) => {
                waker.reset();
                self.woken = true;
            }
            done => (self.away, self.back) = (None, Some(done)),
        }
    }

    /// Answers a [`Wait`](sanserve_core::Want::Wait).
    pub(super) fn wait(&mut self) -> Got<Held> {
        match mem::take(&mut self.woken) {
            true => Got::Woken,
            false => Got::Nothing,
        }
    }

    /// Whether a thread works for something that only the peer needs.
    pub(super) fn work_for_reply(&self) -> bool {
        self.away.as_ref().is_some_and(|away| away.for_reply)
    }

    /// Answers an [`Ask`](sanserve_core::Want::Ask). If the link does not send files by reference,
    /// none is called sendable.
    pub(super) fn ask<FS>(
        &mut self,
        ask: &Ask,
        desk: &Desk<'_, FS>,
        recent: &mut Recent,
        sends_files: bool,
    ) -> Got<Held>
    where
        FS: FileSystem<File = Open>,
    {
        let got = match self.back.take() {
            Some(Done::Answer(Got::Nothing)) => {
                self.moment = Some(ASK_AGAIN);
                return Got::Nothing;
            }
            Some(Done::Answer(got)) => got,
            _ if self.away.is_some() => return Got::Nothing,
            _ => match ask {
                Ask::Open(path) => recent.answer(path).unwrap_or_else(|| {
                    let got = desk.files.try_answer(ask);
                    recent.note(path, &got);
                    got
                }),
                ask => desk.files.try_answer(ask),
            },
        };
        match got {
            Got::Nothing => self.send(Task::Ask(ask.clone()), desk),
            Got::Opened(Ok(Opened::File {
                file,
                meta,
                sendable,
            })) => Got::Opened(Ok(Opened::File {
                file: Held(Some(file)),
                meta,
                sendable: sendable && sends_files,
            })),
            got => held(got),
        }
    }

    /// Answers a [`Fill`](sanserve_core::Want::Fill).
    pub(super) fn fill<FS>(
        &mut self,
        held: &mut Held,
        at: u64,
        into: &mut [u8],
        desk: &Desk<'_, FS>,
    ) -> Got<Held>
    where
        FS: FileSystem<File = Open>,
    {
        if let Some((got, bytes)) = self.take_back(held) {
            if let Got::Bytes(n) = got {
                into[..n].copy_from_slice(&bytes[..n]);
            }
            match (got, &held.0) {
                (Got::Nothing, Some(Open::Program(program))) => {
                    let (pipes, _) = program.pipes().unwrap_or_default();
                    pipes.into_iter().flatten().for_each(desk.listen);
                }
                (Got::Nothing, _) => {}
                (got, _) => return self::held(got),
            }
        }
        let got = match &mut held.0 {
            None => return Got::Nothing,
            Some(Open::Program(program)) if program.pipes().is_some() => {
                let got = program.try_fill(into);
                self.moment = program.pipes().map(|(_, moment)| moment);
                return self::held(got);
            }
            Some(open) => desk.files.try_fill(open, at, into),
        };
        match held.0.take() {
            Some(open) if matches!(got, Got::Nothing) => {
                self.send(Task::Fill(open, at, into.len()), desk)
            }
            open => {
                held.0 = open;
                self::held(got)
            }
        }
    }

    /// Answers a [`Copy`](sanserve_core::Want::Copy).
    pub(super) fn copy<FS>(
        &mut self,
        held: &mut Held,
        at: u64,
        len: u64,
        link: &mut Link,
        desk: &Desk<'_, FS>,
    ) -> Got<Held>
    where
        FS: FileSystem<File = Open>,
    {
        let fetched = self.take_back(held);
        if let Some((Got::Refused(error), _)) = fetched {
            return Got::Refused(error);
        }
        let warm = fetched.is_some();
        if !link.is_writable() {
            return Got::Nothing;
        }
        let Some(mut open) = held.0.take() else {
            return Got::Nothing;
        };
        let mut piece = len.min(if warm { PIECE } else { MOST });
        // What is not in the system's cache is read once for nothing: then it is.
        if !warm && !is_cached(desk.files, &mut open, at + piece - 1) {
            piece = piece.min(PIECE);
            return self.send(Task::Fill(open, at, piece as usize), desk);
        }
        let got = link.copy(&open, at, piece);
        held.0 = Some(open);
        got
    }

    /// Answers a [`Give`](sanserve_core::Want::Give).
    pub(super) fn give<FS>(
        &mut self,
        held: &mut Held,
        from: &[u8],
        desk: &Desk<'_, FS>,
    ) -> Got<Held> {
        if let Some((got, _)) = self.take_back(held) {
            return self::held(got);
        }
        match held.0.take() {
            Some(open) => self.send(Task::Give(open, from.to_vec()), desk),
            None => Got::Nothing,
        }
    }

    /// Answers a [`Commit`](sanserve_core::Want::Commit).
    pub(super) fn commit<FS>(&mut self, held: &mut Held, desk: &Desk<'_, FS>) -> Got<Held> {
        if let Some((got, _)) = self.take_back(held) {
            return self::held(got);
        }
        match held.0.take() {
            Some(open) => self.send(Task::Commit(open), desk),
            None => Got::Nothing,
        }
    }

    fn send<FS>(&mut self, task: Task, desk: &Desk<'_, FS>) -> Got<Held> {
        let wanted = Arc::new(());
        let waits = Arc::downgrade(&wanted);
        self.away = Some(Away {
            _wanted: wanted,
            for_reply: task.is_for_reply(),
        });
        (desk.submit)(task, waits);
        Got::Nothing
    }

    /// Puts back what a thread had.
    fn take_back(&mut self, held: &mut Held) -> Option<(Got<Open>, Vec<u8>)> {
        match self.back.take()? {
            Done::Open(open, got, bytes) => {
                held.0 = Some(open);
                Some((got, bytes))
            }
            Done::Answer(_) | Done::Woken(_) => None,
        }
    }
}

impl Drop for Held {
    /// Who ends a program waits until the system has done so, which may take its time. That it is
    /// told to end must not wait: this process may be over before the thread has begun.
    fn drop(&mut self) {
        if let Some(Open::Program(program)) = self.0.take() {
            program.strike();
            let _ = thread::Builder::new().spawn(move || drop(program));
        }
    }
}

/// The same answer, with what is open as it is held here.
fn held(got: Got<Open>) -> Got<Held> {
    got.map(|open| Held(Some(open)))
}

/// Whether the system has that byte of a file in its cache. What is kept was asked for a moment ago,
/// and is not asked about the same place again.
fn is_cached<FS>(files: &FS, open: &mut Open, at: u64) -> bool
where
    FS: FileSystem<File = Open>,
{
    let warm = open.was_read(at) || matches!(files.try_fill(open, at, &mut [0]), Got::Bytes(_));
    if warm {
        open.note_read(at);
    }
    warm
}

/// So much is sent at once; then others have their turn.
pub(super) const MOST: u64 = 2 * 1024 * 1024;
/// So much is read ahead if it is not in the cache.
const PIECE: u64 = 256 * 1024;
