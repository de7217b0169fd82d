//! What came of the want that was pending.

use core::mem;

use super::source::{Kind, Source};
use super::state::{Inbound, Pending, State};
use super::{Connection, timeouts};
use crate::engine::{Event, Handler};
use crate::fs::{Ask, FsError, Got, Opened, Path};

impl<F, H: Handler> Connection<F, H> {
    /// Settles what was pending. Nothing is pending afterwards.
    pub(super) fn take_answer(&mut self, got: Got<F>) {
        match (self.pending, got) {
            (Pending::Start, _) => {
                self.state = State::Head {
                    since: self.now.tick,
                };
            }
            (Pending::Log, _) => self.log.clear(),
            (Pending::Close | Pending::Upgrade, _) => {}
            (Pending::Shutdown, _) => {
                self.state = State::Linger {
                    since: self.now.tick,
                    late: false,
                };
            }
            (_, Got::Nothing) => {}
            (Pending::Read, Got::Bytes(0)) => self.inbound = Inbound::Eof,
            (Pending::Read, Got::Bytes(n)) => self.received(n),
            (Pending::Write, Got::Bytes(n)) => {
                self.outbox.eat(n);
                self.reply.sent(n);
                self.taken.wrote(n);
                timeouts::count(&mut self.sending, n, self.now.tick);
            }
            (Pending::Wait, Got::Woken) => self.resume_with(Event::Woken),
            (Pending::Fill, Got::Note(text)) => self.note(&text),
            (Pending::Fill, Got::Working) => self.is_at_work(),
            (Pending::Fill | Pending::Copy, Got::Bytes(0)) => self.source_ended(),
            (Pending::Fill, Got::Bytes(n)) => self.filled(n),
            (Pending::Copy, Got::Bytes(n)) => self.copied(n),
            (Pending::Give, Got::Bytes(n)) => self.given(n),
            (Pending::Commit, Got::Committed(Ok(()))) => self.resume_with(Event::End),
            (Pending::Commit, Got::Committed(Err(error))) => self.refused(error),
            (Pending::Fill | Pending::Give | Pending::Copy, Got::Refused(error)) => {
                self.refused(error);
            }
            (_, Got::Failed) => self.state = State::Closed,
            (Pending::Ask, got) => self.asked(got),
            (pending, _) => panic!("Want::{pending:?} was answered by something else"),
        }
    }

    /// Tells the handler what came of its last need.
    fn resume_with(&mut self, event: Event<'_>) {
        self.state = State::Moving;
        // What follows is worked out again by the next transition.
        _ = self.resume(event);
    }

    /// The file or program does not do what was wanted of it. A program that cannot be started, and a file that is being created,
    /// are the handler's to answer for.
    fn refused(&mut self, error: FsError) {
        let is_handlers = self.source.as_ref().is_some_and(Source::is_told);
        if !is_handlers {
            self.state = State::Moving;
            _ = self.abandon(500, &"What was open cannot be read");
            return;
        }
        self.source = None;
        self.resume_with(Event::Failed(Path::default(), error));
    }

    /// The file system has answered a question.
    fn asked(&mut self, got: Got<F>) {
        let State::Ask { ask, .. } = mem::replace(&mut self.state, State::Moving) else {
            unreachable!("something is asked in this state only")
        };
        match (ask, got) {
            (Ask::List(path), Got::Listed(Ok(entries))) => {
                self.resume_with(Event::Listed(path, entries));
            }
            (Ask::List(path), Got::Listed(Err(error))) => {
                self.resume_with(Event::Failed(path, error));
            }
            (Ask::Verify(_), Got::Verified(result)) => self.resume_with(Event::Verified(result)),
            (
                ask @ (Ask::Open(_) | Ask::Archive(_) | Ask::Run(_) | Ask::Create(_)),
                Got::Opened(result),
            ) => {
                self.opened(ask, result);
            }
            (ask, _) => panic!("{ask:?} was answered by something else"),
        }
    }

    fn received(&mut self, n: usize) {
        if let State::Head { since } = &mut self.state
            && self.inbox.is_empty()
        {
            *since = self.now.tick;
        }
        self.inbox.grew(n);
        timeouts::count(&mut self.receiving, n, self.now.tick);
    }

    fn opened(&mut self, ask: Ask, result: Result<Opened<F>, FsError>) {
        let (kind, wanted) = match &ask {
            Ask::Run(_) => (Kind::Program, "Opened::Program"),
            Ask::Create(_) => (Kind::Writer, "Opened::Writer"),
            _ => (Kind::File, "Opened::File"),
        };
        let path = match ask {
            Ask::Open(path) | Ask::List(path) => path,
            Ask::Archive(request) => request.path,
            Ask::Run(program) => program.path,
            Ask::Create(create) => create.path,
            Ask::Verify(_) => Path::default(),
        };
        let (source, event) = match (kind, result) {
            (
                Kind::File,
                Ok(Opened::File {
                    file,
                    meta,
                    sendable,
                }),
            ) => {
                let kind = if sendable { Kind::Sendable } else { Kind::File };
                (
                    Some(Source::new(file, kind, self.now.tick)),
                    Event::Opened(path, meta),
                )
            }
            (Kind::File, Ok(Opened::Directory)) => (None, Event::Directory(path)),
            (Kind::Program, Ok(Opened::Program(file))) => (
                Some(Source::new(file, kind, self.now.tick)),
                Event::Running(path),
            ),
            (Kind::Writer, Ok(Opened::Writer(file))) => (
                Some(Source::new(file, kind, self.now.tick)),
                Event::Created(path),
            ),
            (_, Ok(_)) => panic!("a question was answered by something other than {wanted}"),
            (_, Err(error)) => (None, Event::Failed(path, error)),
        };
        self.source = source;
        self.resume_with(event);
    }
}
