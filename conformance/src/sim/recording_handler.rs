//! [`RecordingHandler`]: wraps a handler, and records its requests, content and end.

use std::cell::RefCell;
use std::rc::Rc;

use sanserve_core::{Event, Exchange, Handler, Next, Path};

use super::shown::{brief, debug};
use crate::text::show;

/// More calls than a handler needs in one step of its connection: one for each piece of content in a buffer.
const CALLS_MAX: u32 = 100_000;

/// The record of a handler.
#[derive(Debug, Default)]
pub(super) struct HandlerRecord {
    /// The request lines that the handler got.
    pub(super) requests: Vec<String>,
    /// Whether it has returned `Next::Done` for the last of them.
    pub(super) done: bool,
    /// Whether it has returned `Next::Body` last.
    reads: bool,
    /// The bytes of content of the last request that it got.
    content: u64,
    /// The maximum of this for any request.
    pub(super) content_max: u64,
    /// The calls of the handler in this step of the connection.
    pub(super) calls: u32,
    /// These calls as text, if they are recorded.
    pub(super) shown: Option<Vec<String>>,
}

pub(super) struct RecordingHandler<H> {
    handler: H,
    record: Rc<RefCell<HandlerRecord>>,
}

impl<H> RecordingHandler<H> {
    pub(super) fn new(handler: H) -> (RecordingHandler<H>, Rc<RefCell<HandlerRecord>>) {
        let record = Rc::<RefCell<HandlerRecord>>::default();
        let shared = Rc::clone(&record);
        (RecordingHandler { handler, record }, shared)
    }

    /// Records a call, if that is wanted, before it is known what it returns.
    fn show(&self, call: impl FnOnce() -> String) {
        let shown = &mut self.record.borrow_mut().shown;
        if let Some(shown) = shown.as_mut().filter(|shown| shown.len() < CALLS_SHOWN_MAX) {
            shown.push(call());
        }
    }

    fn record(&self, next: Next) -> Next {
        let mut record = self.record.borrow_mut();
        let last = record.shown.as_mut().and_then(|shown| shown.last_mut());
        if let Some(last) = last.filter(|last| !last.contains(RETURNS)) {
            *last = format!("{last}{RETURNS}{}", show_next(&next));
        }
        record.calls += 1;
        assert!(
            record.calls < CALLS_MAX,
            "the handler is called {CALLS_MAX} times in one step, and still returns {next:?}"
        );
        record.done = next == Next::Done;
        record.reads = next == Next::Body;
        next
    }
}

impl<H: Handler> Handler for RecordingHandler<H> {
    fn begin(&mut self, ex: &mut Exchange<'_>) -> Next {
        let mut record = self.record.borrow_mut();
        record.requests.push(ex.requestline().into());
        record.content = 0;
        drop(record);
        self.show(|| format!("begin {}", show(ex.requestline().as_bytes())));
        let next = self.handler.begin(ex);
        self.record(next)
    }

    fn release(&mut self) {
        self.handler.release();
    }

    fn resume(&mut self, ex: &mut Exchange<'_>, event: Event<'_>) -> Next {
        let mut record = self.record.borrow_mut();
        if let (Event::Data(bytes), true) = (&event, record.reads) {
            record.content += bytes.len() as u64;
            record.content_max = record.content_max.max(record.content);
        }
        drop(record);
        self.show(|| show_event(&event));
        let next = self.handler.resume(ex, event);
        self.record(next)
    }
}

fn show_event(event: &Event<'_>) -> String {
    match event {
        Event::Data(bytes) => show_bytes("Data", bytes),
        Event::Opened(path, meta) => format!("Opened({}, {} bytes)", show_path(path), meta.len),
        Event::Running(path) => format!("Running({})", show_path(path)),
        Event::Created(path) => format!("Created({})", show_path(path)),
        Event::Directory(path) => format!("Directory({})", show_path(path)),
        Event::Listed(path, entries) => {
            format!("Listed({}, {} entries)", show_path(path), entries.len())
        }
        Event::Failed(path, error) => format!("Failed({}, {error:?})", show_path(path)),
        event => debug(event, SHOWN_MAX),
    }
}

fn show_next(next: &Next) -> String {
    match next {
        Next::Write(bytes) => show_bytes("Write", bytes),
        Next::WriteFile(bytes) => show_bytes("WriteFile", bytes),
        Next::Open(path) => format!("Open({})", show_path(path)),
        Next::List(path) => format!("List({})", show_path(path)),
        Next::Run(script) => format!("Run({})", show_path(&script.path)),
        Next::Create(create) => format!("Create({})", show_path(&create.path)),
        Next::Change(change) => format!("Change({})", show_path(change.path())),
        next => debug(next, SHOWN_MAX),
    }
}

fn show_path(path: &Path) -> String {
    format!("/{}", brief(path.as_bytes()))
}

fn show_bytes(name: &str, bytes: &[u8]) -> String {
    match bytes.len() {
        len @ ..=40 => format!("{name}({len} bytes: {})", brief(bytes)),
        len => format!("{name}({len} bytes: {}…)", brief(&bytes[..40])),
    }
}

/// Between a call and what it returns.
const RETURNS: &str = " -> ";

/// The calls in one step, or in a reference run, that are shown.
const CALLS_SHOWN_MAX: usize = 40;

/// The bytes of an event that are shown.
const SHOWN_MAX: usize = 120;
