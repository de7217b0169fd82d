//! What came of the want that was pending.

use core::mem;

use super::source::{Kind, Source};
use super::{Connection, Pending, State, time};
use crate::engine::{Event, Handler};
use crate::fs::{Ask, Got, Opened, Path};

impl<F, H: Handler> Connection<F, H> {
    /// Settles what was pending. Nothing is pending afterwards.
    pub(super) fn hear(&mut self, got: Got<F>) {
        match (self.pending, got) {
            (Pending::Start, _) => self.since = self.now.tick,
            (Pending::Log, _) => self.log.clear(),
            (Pending::Close, _) => {}
            (Pending::Shutdown, _) => {
                (self.state, self.since) = (State::Linger { late: false }, self.now.tick);
            }
            (_, Got::Nothing) => {}
            (Pending::Read, Got::Bytes(0)) => self.ended = true,
            (Pending::Read, Got::Bytes(n)) => self.received(n),
            (Pending::Write, Got::Bytes(n)) => {
                self.outbox.eat(n);
                self.reply.sent(n);
                self.taken.wrote(n);
                time::count(&mut self.outward, n, self.now.tick);
            }
            (Pending::Fill, Got::Note(text)) => {
                // Lines on standard error do not renew the deadline: a program may write them for ever.
                if text.is_empty() {
                    self.since = self.now.tick;
                    self.is_at_work();
                }
                self.note(&text);
            }
            (Pending::Fill, Got::Bytes(0)) => self.source_ended(),
            (Pending::Fill, Got::Bytes(n)) => self.filled(n),
            (Pending::Copy, Got::Bytes(0)) => self.source_ended(),
            (Pending::Copy, Got::Bytes(n)) => self.copied(n),
            (Pending::Give, Got::Bytes(n)) => self.given(n),
            (Pending::Give | Pending::Fill, Got::Opened(Err(error))) => {
                self.state = State::Closed;
                self.source = None;
                self.resume(Event::Failed(Path::default(), error));
            }
            (Pending::Fill, Got::Failed) | (Pending::Fill | Pending::Copy, Got::Unreadable) => {
                _ = self.abandon(500, &"What was open cannot be read");
            }
            (Pending::Give, Got::Failed) => _ = self.abandon(500, &"The program takes no content"),
            (_, Got::Failed) => self.state = State::Closed,
            (Pending::Ask, Got::Opened(result)) => self.opened(result),
            (Pending::Ask, Got::Listed(result)) => {
                let State::Ask(Ask::List(path)) = mem::replace(&mut self.state, State::Closed)
                else {
                    panic!("an Ask other than List was answered by Got::Listed");
                };
                self.resume(match result {
                    Ok(entries) => Event::Listed(path, entries),
                    Err(error) => Event::Failed(path, error),
                });
            }
            (Pending::Ask, Got::Verified(result)) => {
                let State::Ask(Ask::Verify(_)) = mem::replace(&mut self.state, State::Closed)
                else {
                    panic!("an Ask other than Verify was answered by Got::Verified");
                };
                self.resume(Event::Verified(result));
            }
            (pending, _) => panic!("Want::{pending:?} was answered by something else"),
        }
    }

    fn received(&mut self, n: usize) {
        if matches!(self.state, State::Head) && self.inbox.is_empty() {
            self.since = self.now.tick;
        }
        self.inbox.grew(n);
        time::count(&mut self.inward, n, self.now.tick);
    }

    fn opened(&mut self, result: Result<Opened<F>, crate::fs::FsError>) {
        let (path, run) = match mem::replace(&mut self.state, State::Closed) {
            State::Ask(Ask::Open(path)) => (path, false),
            State::Ask(Ask::Archive(request)) => (request.path, false),
            State::Ask(Ask::Run(program)) => (program.path, true),
            State::Ask(Ask::Create(create)) => (create.path, true),
            _ => panic!("Ask::List or Ask::Verify was answered by Got::Opened"),
        };
        let (source, event) = match result {
            Ok(Opened::File {
                file,
                meta,
                sendable,
            }) if !run => {
                let kind = if sendable { Kind::Sendable } else { Kind::File };
                (Some(Source::new(file, kind)), Event::Opened(path, meta))
            }
            Ok(Opened::Directory) if !run => (None, Event::Directory(path)),
            Ok(Opened::Program(file)) if run => {
                (Some(Source::new(file, Kind::Program)), Event::Running(path))
            }
            Ok(_) => panic!("Ask::Open and Ask::Run were taken for each other"),
            Err(error) => (None, Event::Failed(path, error)),
        };
        self.source = source;
        self.resume(event);
    }
}
