//! [`Relay`]: the handler that passes requests to Python, and runs the commands that Python gives for their replies.
//!
//! Python writes a reply as bytes, its head included, as a handler of `http.server` does. The relay parses the head, so
//! that the engine frames the content, decides whether the connection stays open, and refuses an invalid field.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sanserve_core::wire::{Body, Limits, Piece, ResponseHead};
use sanserve_core::{Event, Exchange, Handler, Next};

use crate::request::Request;
use crate::settings::{Service, Shared};

/// What Python wants done for the current request.
pub(crate) enum Command {
    /// Read content.
    Content,
    /// Write these bytes of the reply.
    Write(Vec<u8>),
    /// End the reply, and close the connection if that is set.
    Finish(bool),
    /// Let the service answer the request.
    Serve,
    /// Let the service run the script of the request, or refuse it if its path is not that of a script.
    RunScript,
}

/// The state that the relay and its [`Connection`](crate::connection::Connection) share.
#[derive(Default)]
pub(crate) struct Progress {
    /// A request that Python has not seen.
    pub(crate) request: Option<Request>,
    /// The commands that have not been run.
    pub(crate) commands: VecDeque<Command>,
    /// The content that was read; empty at its end.
    pub(crate) content: Option<Vec<u8>>,
    /// A mistake in the bytes that Python has written.
    pub(crate) mistake: Option<&'static str>,
    /// Whether the reply is complete although Python has not ended it, as after the head of a reply to `HEAD`.
    pub(crate) is_complete: bool,
}

/// Locks the shared state. It is never locked for long.
pub(crate) fn lock(progress: &Mutex<Progress>) -> MutexGuard<'_, Progress> {
    progress.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(crate) struct Relay {
    progress: Arc<Mutex<Progress>>,
    settings: Arc<Shared>,
    service: Option<Box<dyn Handler + Send>>,
    service_mode: Serving,
    is_reading: bool,
    reply: Reply,
}

/// Whether the service answers the current request.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Serving {
    /// Python answers it.
    No,
    /// The service does, without Python.
    Alone,
    /// The service does, because Python wants it to.
    ForPython,
}

/// How far Python has written the reply.
enum Reply {
    /// A part of the head.
    Head(Vec<u8>),
    /// The head; content follows.
    Content,
    /// The head; content follows in chunks that Python writes itself. The bytes are the ones not parsed yet.
    Chunks(Body, Vec<u8>),
}

/// The time that the relay waits for Python, over and over.
const WAIT: Next = Next::Wait(Duration::from_secs(1800));

impl Relay {
    pub(crate) fn new(settings: Arc<Shared>, progress: Arc<Mutex<Progress>>) -> Relay {
        let service = settings.service.as_ref().map(Service::handler);
        let reply = Reply::Head(Vec::new());
        Relay {
            progress,
            settings,
            service,
            service_mode: Serving::No,
            is_reading: false,
            reply,
        }
    }

    fn run(&mut self, ex: &mut Exchange<'_>, command: Command) -> Next {
        match command {
            Command::Content => {
                self.is_reading = true;
                Next::Body
            }
            Command::Write(bytes) => self.write(ex, bytes),
            Command::Finish(close) => {
                if close {
                    ex.close_connection();
                }
                Next::Done
            }
            Command::Serve => {
                self.service_mode = Serving::ForPython;
                self.serve(ex, None)
            }
            Command::RunScript => {
                self.service_mode = Serving::ForPython;
                match &self.settings.service {
                    Some(service) if !service.is_script(ex.path()) => {
                        lock(&self.progress).is_complete = true;
                        ex.send_error(501, "Cannot run this script")
                    }
                    _ => self.serve(ex, None),
                }
            }
        }
    }

    /// Lets the service begin or continue its reply.
    fn serve(&mut self, ex: &mut Exchange<'_>, event: Option<Event<'_>>) -> Next {
        let next = match (&mut self.service, event) {
            (None, _) => ex.send_error(404, "File not found"),
            (Some(service), None) => service.begin(ex),
            (Some(service), Some(event)) => service.resume(ex, event),
        };
        let ends = match next {
            Next::Done => true,
            Next::Send(_) | Next::Write(_) | Next::Flush => ex.command() == "HEAD",
            _ => false,
        };
        if ends && self.service_mode == Serving::ForPython {
            lock(&self.progress).is_complete = true;
        }
        next
    }

    fn write(&mut self, ex: &mut Exchange<'_>, bytes: Vec<u8>) -> Next {
        match &mut self.reply {
            Reply::Content => content(ex, bytes),
            Reply::Chunks(..) => self.write_chunks(ex, &bytes),
            Reply::Head(_) if ex.request_version() == sanserve_core::wire::Version::Http09 => {
                ex.send_response_only(200, "");
                ex.end_headers();
                self.reply = Reply::Content;
                content(ex, bytes)
            }
            Reply::Head(head) => {
                head.extend_from_slice(&bytes);
                let bytes = std::mem::take(head);
                self.write_head(ex, bytes)
            }
        }
    }

    /// Writes the heads at the start of these bytes, and the content after the final one.
    fn write_head(&mut self, ex: &mut Exchange<'_>, bytes: Vec<u8>) -> Next {
        let (mut rest, mut head) = (&bytes[..], ResponseHead::new());
        loop {
            let parsed = head.parse(rest, &Limits::new());
            match parsed {
                Err(_) => return self.refuse(ex, "wrote an invalid status line or field"),
                Ok(None) => {
                    self.reply = Reply::Head(rest.to_vec());
                    return WAIT;
                }
                Ok(Some(n)) => rest = &rest[n..],
            }
            if let Err(mistake) = self.send_head(ex, &head) {
                return self.refuse(ex, mistake);
            }
            if head.ends_http(ex.command()) && ex.can_upgrade() {
                return Next::Upgrade;
            }
            if head.status() >= 200 {
                // The engine ends a reply without content on its own.
                lock(&self.progress).is_complete =
                    ex.command() == "HEAD" || matches!(head.status(), 204 | 304);
                return match &self.reply {
                    Reply::Chunks(..) => self.write_chunks(ex, rest),
                    _ => content(ex, rest.to_vec()),
                };
            }
        }
    }

    /// Sends a parsed head. The engine chooses the framing, so chunks of Python's are taken apart.
    fn send_head(
        &mut self,
        ex: &mut Exchange<'_>,
        head: &ResponseHead,
    ) -> Result<(), &'static str> {
        let is_chunked = head.field("Transfer-Encoding").is_some();
        self.reply = match is_chunked.then(|| Body::of_response(head, ex.command())) {
            None => Reply::Content,
            Some(Ok(body)) => Reply::Chunks(body, Vec::new()),
            Some(Err(_)) => return Err("sent an unsupported Transfer-Encoding"),
        };
        ex.send_response_only(head.status(), head.reason());
        for (name, value) in head.fields().iter() {
            if !name.eq_ignore_ascii_case("Transfer-Encoding") {
                ex.send_header(name, value);
            }
        }
        ex.end_headers();
        Ok(())
    }

    fn write_chunks(&mut self, ex: &mut Exchange<'_>, bytes: &[u8]) -> Next {
        let Reply::Chunks(body, unparsed) = &mut self.reply else {
            return WAIT;
        };
        unparsed.extend_from_slice(bytes);
        let (mut at, mut data) = (0, Vec::new());
        loop {
            match body.next(&unparsed[at..]) {
                Ok(Piece::Data(n)) => {
                    data.extend_from_slice(&unparsed[at..at + n]);
                    at += n;
                }
                Ok(Piece::Skip(n) | Piece::Trailers(n)) => at += n,
                Ok(_) => break,
                Err(_) => return self.refuse(ex, "wrote invalid chunks"),
            }
        }
        unparsed.drain(..at);
        content(ex, data)
    }

    /// Tells Python about a mistake, and closes the connection.
    fn refuse(&mut self, ex: &mut Exchange<'_>, mistake: &'static str) -> Next {
        let mut progress = lock(&self.progress);
        (progress.mistake, progress.is_complete) = (Some(mistake), true);
        ex.close_connection();
        match self.reply {
            Reply::Head(_) => ex.send_error(500, format_args!("The handler {mistake}")),
            _ => Next::Done,
        }
    }
}

/// Writes content of any length.
fn content(ex: &mut Exchange<'_>, bytes: Vec<u8>) -> Next {
    const AT_ONCE: usize = 16 * 1024;
    if bytes.len() > AT_ONCE {
        return Next::Write(Cow::Owned(bytes));
    }
    ex.write(&bytes);
    WAIT
}

impl Handler for Relay {
    fn begin(&mut self, ex: &mut Exchange<'_>) -> Next {
        (self.service_mode, self.is_reading) = (Serving::No, false);
        self.reply = Reply::Head(Vec::new());
        let command = ex.command();
        if self.settings.serves_alone(command) {
            self.service_mode = Serving::Alone;
            return self.serve(ex, None);
        }
        let request = Request::of(ex);
        let mut progress = lock(&self.progress);
        // Python may not know yet that the engine has ended the last reply.
        *progress = Progress {
            request: Some(request),
            is_complete: progress.is_complete,
            ..Progress::default()
        };
        WAIT
    }

    fn resume(&mut self, ex: &mut Exchange<'_>, event: Event<'_>) -> Next {
        if self.service_mode != Serving::No {
            return self.serve(ex, Some(event));
        }
        let command = {
            let mut progress = lock(&self.progress);
            match event {
                Event::Data(bytes) if self.is_reading => {
                    self.is_reading = false;
                    progress.content = Some(bytes.to_vec());
                    return WAIT;
                }
                Event::End if self.is_reading => {
                    self.is_reading = false;
                    progress.content = Some(Vec::new());
                    return WAIT;
                }
                _ => progress.commands.pop_front(),
            }
        };
        match command {
            Some(command) => self.run(ex, command),
            None => WAIT,
        }
    }
}
