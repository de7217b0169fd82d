//! [`RecordingHandler`]: a handler in front of a handler, which record what that is told and says.

use std::cell::RefCell;
use std::rc::Rc;

use sanserve_core::{Event, Exchange, Handler, Next};

/// What was noted.
#[derive(Debug, Default)]
pub(super) struct HandlerRecord {
    /// The request lines that the handler was told of.
    pub(super) requests: Vec<String>,
    /// Whether it has conversation that the last of them is answered.
    pub(super) done: bool,
    /// Whether it has asked for content last.
    reads: bool,
    /// How much content of the last request it was told.
    content: u64,
    /// The most of that of any request.
    pub(super) content_max: u64,
}

pub(super) struct RecordingHandler<H> {
    handler: H,
    record: Rc<RefCell<HandlerRecord>>,
}

impl<H> RecordingHandler<H> {
    pub(super) fn new(handler: H) -> (RecordingHandler<H>, Rc<RefCell<HandlerRecord>>) {
        let record = Rc::<RefCell<HandlerRecord>>::default();
        let ours = Rc::clone(&record);
        (RecordingHandler { handler, record }, ours)
    }

    fn record(&self, next: Next) -> Next {
        let mut record = self.record.borrow_mut();
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
