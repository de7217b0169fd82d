//! Applies the adapter's answer to the pending want: stores the bytes or the file, and resumes the handler.

use core::mem;

use super::source::{Kind, Source};
use super::state::{Inbound, Pending, State};
use super::{Connection, timeouts};
use crate::engine::{Event, Handler};
use crate::fs::{Ask, Change, FsError, Got, Opened, Path, UploadRequest};

impl<F, H: Handler> Connection<F, H> {
    /// Applies the answer to the pending want.
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
                // The client has closed its side but still reads, so the work for it continues.
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
            (pending, _) => panic!("Want::{pending:?} was answered by a wrong kind of Got"),
        }
    }

    /// Resumes the handler with the result of its last [`Next`](crate::Next).
    fn resume_with(&mut self, event: Event<'_>) {
        self.state = State::InTransition;
        // The next transition works out again what follows.
        _ = self.resume(event);
    }

    /// Resumes a waiting handler after a wake-up, which may be spurious. At the deadline it is resumed with a timeout
    /// instead, so that a waker that is woken all the time does not prolong the wait.
    fn on_woken(&mut self) {
        let is_late = matches!(self.state, State::Wait { until } if until <= self.now.tick);
        self.resume_with(match is_late {
            true => Event::TimedOut,
            false => Event::Woken,
        });
    }

    /// Handles an operation that the file or CGI process has refused. The handler replies to the failure of a file that
    /// is being created or of a CGI process that has not started; otherwise the reply is abandoned.
    #[cold]
    pub(super) fn on_refused(&mut self, error: FsError) {
        // Content that was being written to the process must not be parsed as the next request.
        if let State::Feed(feed) = &self.state {
            self.inbox.consume(feed.direct());
        }
        let is_reported = self
            .source
            .as_ref()
            .is_some_and(Source::reports_errors_to_handler);
        if !is_reported {
            self.state = State::InTransition;
            _ = self.abandon(500, &"The open file cannot be read");
            return;
        }
        self.source = None;
        self.resume_with(Event::Failed(Path::default(), error));
    }

    /// Resumes the handler with the answer of the file system.
    fn on_file_system_answer(&mut self, got: Got<F>) {
        let State::Ask { ask, .. } = mem::replace(&mut self.state, State::InTransition) else {
            unreachable!("Want::Ask is pending in this state only")
        };
        let event = match (ask, got) {
            (Ask::Open(path), Got::Opened(result)) => self.store_opened(path, Kind::File, result),
            (Ask::List(path), Got::Listed(Ok(entries))) => Event::Listed(path, entries),
            (Ask::List(path), Got::Listed(Err(error))) => Event::Failed(path, error),
            (Ask::Verify(_), Got::Verified(result)) => Event::Verified(result),
            (Ask::Archive(request), Got::Opened(result)) => {
                self.store_opened(request.path, Kind::File, result)
            }
            (Ask::Run(script), Got::Opened(result)) => {
                self.store_opened(script.path, Kind::Process, result)
            }
            (Ask::Create(create), Got::Opened(result)) => {
                self.store_opened(create.path, Kind::Writer, result)
            }
            (Ask::Change(change), got) => changed(&change, got),
            (Ask::Upload(request), got) => self.store_upload(&request, got),
            _ => panic!("Want::Ask was answered by a wrong kind of Got"),
        };
        self.resume_with(event);
    }

    /// Stores what was opened, which must be of this kind, and returns the event for the handler.
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
            _ => panic!("Want::Ask was answered by another kind of Opened"),
        };
        self.source = Some(Source::new(file, kind, self.now.tick));
        event
    }

    /// Stores the file of an upload, and returns the event for the handler.
    #[inline(never)]
    fn store_upload(&mut self, request: &UploadRequest, got: Got<F>) -> Event<'static> {
        let path = request.path().clone();
        match got {
            Got::Opened(Ok(Opened::Upload { file, state })) => {
                self.source = Some(Source::new(file, Kind::Writer, self.now.tick));
                Event::Upload(path, state)
            }
            Got::Opened(Err(error)) => Event::Failed(path, error),
            _ => panic!("Want::Ask was answered by a wrong kind of Got"),
        }
    }

    fn on_received(&mut self, n: usize) {
        if let State::Head { since } = &mut self.state
            && self.inbox.is_empty()
        {
            *since = self.now.tick;
        }
        self.inbox.commit(n);
        // A request that is still being received may change something after this read.
        self.only_safe |= matches!(self.state, State::Head { .. });
        timeouts::count(&mut self.receiving, n, self.now.tick);
    }
}

/// Returns the event for the answer to a change. It is not inlined, because other questions are asked far more often.
#[inline(never)]
fn changed<F>(change: &Change, got: Got<F>) -> Event<'static> {
    match got {
        Got::Committed(Ok(())) => Event::End,
        // Adapters that do not know a question answer it with `Opened`.
        Got::Committed(Err(error)) | Got::Opened(Err(error)) => {
            Event::Failed(change.path().clone(), error)
        }
        _ => panic!("Want::Ask was answered by a wrong kind of Got"),
    }
}
