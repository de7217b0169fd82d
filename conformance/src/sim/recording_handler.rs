//! [`RecordingHandler`]: wraps a handler, and records its requests, content and end.

use std::cell::RefCell;
use std::rc::Rc;

use sanserve_core::{Event, Exchange, Handler, Next};

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

    fn record(&self, next: Next) -> Next {
        let mut record = self.record.borrow_mut();
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
        let next = self.handler.begin(ex);
        self.record(next)
    }

    fn resume(&mut self, ex: &mut Exchange<'_>, event: Event<'_>) -> Next {
        let mut record = self.record.borrow_mut();
        if let (Event::Data(bytes), true) = (&event, record.reads) {
            record.content += bytes.len() as u64;
            record.content_max = record.content_max.max(record.content);
        }
        drop(record);
        let next = self.handler.resume(ex, event);
        self.record(next)
    }
}
