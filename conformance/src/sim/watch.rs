//! [`Watch`]: a handler in front of a handler, which notes what that is told and says.

use std::cell::RefCell;
use std::rc::Rc;

use sanserve_core::{Event, Exchange, Handler, Next};

/// What was noted.
#[derive(Debug, Default)]
pub(super) struct Notes {
    /// The request lines that the handler was told of.
    pub(super) requests: Vec<String>,
    /// Whether it has said that the last of them is answered.
    pub(super) done: bool,
    /// Whether it has asked for content last.
    reads: bool,
    /// How much content of the last request it was told.
    content: u64,
    /// The most of that of any request.
    pub(super) most_content: u64,
}

pub(super) struct Watch<H> {
    handler: H,
    notes: Rc<RefCell<Notes>>,
}

impl<H> Watch<H> {
    pub(super) fn new(handler: H) -> (Watch<H>, Rc<RefCell<Notes>>) {
        let notes = Rc::<RefCell<Notes>>::default();
        let ours = Rc::clone(&notes);
        (Watch { handler, notes }, ours)
    }

    fn note(&self, next: Next) -> Next {
        let mut notes = self.notes.borrow_mut();
        notes.done = next == Next::Done;
        notes.reads = next == Next::Body;
        next
    }
}

impl<H: Handler> Handler for Watch<H> {
    fn begin(&mut self, ex: &mut Exchange<'_>) -> Next {
        let mut notes = self.notes.borrow_mut();
        notes.requests.push(ex.requestline().into());
        notes.content = 0;
        drop(notes);
        let next = self.handler.begin(ex);
        self.note(next)
    }

    fn resume(&mut self, ex: &mut Exchange<'_>, event: Event<'_>) -> Next {
        let mut notes = self.notes.borrow_mut();
        if let (Event::Data(bytes), true) = (&event, notes.reads) {
            notes.content += bytes.len() as u64;
            notes.most_content = notes.most_content.max(notes.content);
        }
        drop(notes);
        let next = self.handler.resume(ex, event);
        self.note(next)
    }
}
