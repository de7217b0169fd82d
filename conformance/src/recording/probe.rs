//! [`Probe`]: wraps a handler, and takes note of its requests.

use std::cell::RefCell;
use std::rc::Rc;

use sanserve_core::{Event, Exchange, Handler, Next};

/// A request that the handler got.
#[derive(Clone, Debug)]
pub(super) struct ProbedRequest {
    /// The request line.
    pub(super) line: String,
    /// Whether the reply depends on its content, which has the fields of a form.
    pub(super) is_form: bool,
}

pub(super) struct Probe<H> {
    handler: H,
    requests: Rc<RefCell<Vec<ProbedRequest>>>,
}

impl<H> Probe<H> {
    pub(super) fn new(handler: H) -> (Probe<H>, Rc<RefCell<Vec<ProbedRequest>>>) {
        let requests = Rc::<RefCell<Vec<ProbedRequest>>>::default();
        let shared = Rc::clone(&requests);
        (Probe { handler, requests }, shared)
    }

    fn note(&self, ex: &Exchange<'_>) {
        let media_type = ex.header("Content-Type").unwrap_or_default();
        self.requests.borrow_mut().push(ProbedRequest {
            line: ex.requestline().into(),
            is_form: media_type.to_ascii_lowercase().starts_with("multipart/"),
        });
    }
}

impl<H: Handler> Handler for Probe<H> {
    fn begin(&mut self, ex: &mut Exchange<'_>) -> Next {
        self.note(ex);
        self.handler.begin(ex)
    }

    fn begin_without_tls(&mut self, ex: &mut Exchange<'_>) -> Next {
        self.note(ex);
        self.handler.begin_without_tls(ex)
    }

    fn resume(&mut self, ex: &mut Exchange<'_>, event: Event<'_>) -> Next {
        self.handler.resume(ex, event)
    }
}
