//! A handler that waits for what a test has to say.
#![allow(dead_code, reason = "every test takes what it needs")]

use std::sync::mpsc;
use std::task::Waker;
use std::time::Duration;

use sanserve_core::{Event, Exchange, Files, Handler, Next};

use crate::peer::LONG;

/// Longer than any test runs.
pub(crate) const FOREVER: Duration = Duration::from_secs(1_000_000);

/// The test's side of a request that waits.
pub(crate) struct Waiting {
    pub(crate) waker: Waker,
    sender: mpsc::Sender<&'static str>,
    dropped: mpsc::Receiver<()>,
}

impl Waiting {
    /// Has this sent to the client.
    pub(crate) fn send(&self, message: &'static str) {
        self.sender.send(message).unwrap();
        self.waker.wake_by_ref();
    }

    /// Ends the reply.
    pub(crate) fn end(&self) {
        self.send("");
    }

    /// Waits until the handler is dropped, or has another request.
    pub(crate) fn has_ended(&self) {
        let ended = self.dropped.recv_timeout(LONG);
        assert_eq!(ended, Err(mpsc::RecvTimeoutError::Disconnected));
    }
}

/// Serves files, and at `/wait` what the test sends.
pub(crate) struct Messages {
    files: Files,
    begun: mpsc::Sender<Waiting>,
    /// What the test sends, and what it is notified by when this is dropped.
    waits: Option<(mpsc::Receiver<&'static str>, mpsc::Sender<()>)>,
}

impl Messages {
    /// What makes handlers, and the requests that wait.
    pub(crate) fn new() -> (
        impl Fn() -> Messages + Send + Sync + 'static,
        mpsc::Receiver<Waiting>,
    ) {
        let (begun, waiting) = mpsc::channel();
        let handler = move || Messages {
            files: Files::new(),
            begun: begun.clone(),
            waits: None,
        };
        (handler, waiting)
    }

    fn send(&self, ex: &mut Exchange<'_>) -> Next {
        for message in self
            .waits
            .iter()
            .flat_map(|(messages, _)| messages.try_iter())
        {
            match message {
                "" => return Next::Done,
                message => ex.write(message.as_bytes()),
            }
        }
        Next::Wait(FOREVER)
    }
}

impl Handler for Messages {
    fn begin(&mut self, ex: &mut Exchange<'_>) -> Next {
        self.waits = None;
        if ex.path() != "/wait" {
            return self.files.begin(ex);
        }
        let (sender, messages) = mpsc::channel();
        let (alive, dropped) = mpsc::channel();
        self.waits = Some((messages, alive));
        let waker = ex.waker().clone();
        ex.send_response(200);
        ex.end_headers();
        let waiting = Waiting {
            waker,
            sender,
            dropped,
        };
        self.begun.send(waiting).unwrap();
        self.send(ex)
    }

    fn resume(&mut self, ex: &mut Exchange<'_>, event: Event<'_>) -> Next {
        match (&self.waits, event) {
            (Some(_), Event::Woken) => self.send(ex),
            (Some(_), other) => panic!("a handler that waits for messages was told {other:?}"),
            (None, event) => self.files.resume(ex, event),
        }
    }
}
