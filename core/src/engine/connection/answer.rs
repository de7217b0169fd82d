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
            (Pending::Read, Got::Bytes(n)) => self.on_received(n),
            (Pending::Write, Got::Bytes(n)) => {
                self.outbox.consume(n);
                self.reply.sent(n);
                self.delivery.count_written(n);
                timeouts::count(&mut self.sending, n, self.now.tick);
                // A client that still reads is worked for, though it has closed its side.
                if let Some(since) = &mut self.peer_closed {
                    *since = self.now.tick;
                }
            }
            (Pending::Wait, Got::Woken) => self.on_woken(),
            (Pending::ReadFile, Got::Note(text)) => self.log_note(&text),
            (Pending::ReadFile, Got::Working) => self.on_working(),
            (Pending::ReadFile | Pending::Copy, Got::Bytes(0)) => self.on_source_end(),
            (Pending::ReadFile, Got::Bytes(n)) => self.on_file_read(n),
            (Pending::Copy, Got::Bytes(n)) => self.on_file_copied(n),
            (Pending::WriteFile, Got::Bytes(n)) => self.on_file_written(n),
            (Pending::Commit, Got::Committed(Ok(()))) => self.resume_with(Event::End),
            (Pending::Commit, Got::Committed(Err(error))) => self.on_refused(error),
            (
                Pending::ReadFile | Pending::WriteFile | Pending::Copy | Pending::Commit,
                Got::Refused(error),
            ) => self.on_refused(error),
            (_, Got::Failed) => self.state = State::Closed,
            (Pending::Ask, got) => self.on_file_system_answer(got),
            (pending, _) => panic!("Want::{pending:?} was answered by something else"),
        }
    }

    /// Tells the handler what came of its last need.
    fn resume_with(&mut self, event: Event<'_>) {
        self.state = State::InTransition;
        // What follows is worked out again by the next transition.
        _ = self.resume(event);
    }

    /// The waker was woken, perhaps for nothing. A wait is over at its time also where it is woken again and again.
    fn on_woken(&mut self) {
        let is_late = matches!(self.state, State::Wait { until } if until <= self.now.tick);
        self.resume_with(match is_late {
            true => Event::TimedOut,
            false => Event::Woken,
        });
    }

    /// The file or program does not do what was wanted of it. A program that cannot be started, and a file that is being created,
    /// are the handler's to answer for.
    #[cold]
    pub(super) fn on_refused(&mut self, error: FsError) {
        // Content that was on its way is not taken for the next request.
        if let State::Feed(feed) = &self.state {
            self.inbox.consume(feed.direct());
        }
        let is_handlers = self
            .source
            .as_ref()
            .is_some_and(Source::reports_errors_to_handler);
        if !is_handlers {
            self.state = State::InTransition;
            _ = self.abandon(500, &"The open file cannot be read");
            return;
        }
        self.source = None;
        self.resume_with(Event::Failed(Path::default(), error));
    }

    /// The file system has answered a question.
    fn on_file_system_answer(&mut self, got: Got<F>) {
        let State::Ask { ask, .. } = mem::replace(&mut self.state, State::InTransition) else {
            unreachable!("something is asked in this state only")
        };
        let event = match (ask, got) {
            (Ask::Open(path), Got::Opened(result)) => self.store_opened(path, Kind::File, result),
            (Ask::List(path), Got::Listed(Ok(entries))) => Event::Listed(path, entries),
            (Ask::List(path), Got::Listed(Err(error))) => Event::Failed(path, error),
            (Ask::Verify(_), Got::Verified(result)) => Event::Verified(result),
            (Ask::Archive(request), Got::Opened(result)) => {
                self.store_opened(request.path, Kind::File, result)
            }
            (Ask::Run(program), Got::Opened(result)) => {
                self.store_opened(program.path, Kind::Process, result)
            }
            (Ask::Create(create), Got::Opened(result)) => {
                self.store_opened(create.path, Kind::Writer, result)
            }
            _ => panic!("Want::Ask was answered by something else"),
        };
        self.resume_with(event);
    }

    /// Keeps what was opened, which has to be of this kind.
    fn store_opened(
        &mut self,
        path: Path,
        kind: Kind,
        result: Result<Opened<F>, FsError>,
    ) -> Event<'static> {
        let (file, kind, event) = match (result, kind) {
            (Err(error), _) => return Event::Failed(path, error),
            (Ok(Opened::Directory), Kind::File) => return Event::Directory(path),
            (
                Ok(Opened::File {
                    file,
                    meta,
                    sendable,
                }),
                Kind::File,
            ) => {
                let kind = if sendable { Kind::Sendable } else { Kind::File };
                (file, kind, Event::Opened(path, meta))
            }
            (Ok(Opened::Process(file)), Kind::Process) => (file, kind, Event::Running(path)),
            (Ok(Opened::Writer(file)), Kind::Writer) => (file, kind, Event::Created(path)),
            _ => panic!("a question was answered by another kind of Opened"),
        };
        self.source = Some(Source::new(file, kind, self.now.tick));
        event
    }

    fn on_received(&mut self, n: usize) {
        if let State::Head { since } = &mut self.state
            && self.inbox.is_empty()
        {
            *since = self.now.tick;
        }
        self.inbox.commit(n);
        timeouts::count(&mut self.receiving, n, self.now.tick);
    }
}
