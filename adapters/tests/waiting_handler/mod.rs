//! [`MessageHandler`]: waits for messages of the test, and sends each to its client.
#![allow(dead_code, reason = "each test uses only some of these")]

use std::sync::mpsc;
use std::task::Waker;
use std::time::Duration;

use sanserve_core::{Event, Exchange, Files, Handler, Next};

use crate::client::TIMEOUT;

/// Longer than any test runs.
pub(crate) const FOREVER: Duration = Duration::from_secs(1_000_000);

/// A request whose handler waits, as the test controls it.
pub(crate) struct WaitingRequest {
    pub(crate) waker: Waker,
    sender: mpsc::Sender<&'static str>,
    dropped: mpsc::Receiver<()>,
}

impl WaitingRequest {
    /// Wakes the handler to send this message to the client.
    pub(crate) fn send(&self, message: &'static str) {
        self.sender.send(message).unwrap();
        self.waker.wake_by_ref();
    }

    /// Ends the reply.
    pub(crate) fn end(&self) {
        self.send("");
    }

    /// Waits until the handler is dropped or gets another request.
    pub(crate) fn wait_for_end(&self) {
        let ended = self.dropped.recv_timeout(TIMEOUT);
        assert_eq!(ended, Err(mpsc::RecvTimeoutError::Disconnected));
    }
}

/// Serves files, and the messages of the test at `/wait`.
pub(crate) struct MessageHandler {
    files: Files,
    requests: mpsc::Sender<WaitingRequest>,
    /// The messages of the test, and the sender whose drop tells the test that the request has ended.
    current: Option<(mpsc::Receiver<&'static str>, mpsc::Sender<()>)>,
}

impl MessageHandler {
    /// Returns a function that makes handlers, and the receiver of their waiting requests.
    pub(crate) fn new() -> (
        impl Fn() -> MessageHandler + Send + Sync + 'static,
        mpsc::Receiver<WaitingRequest>,
    ) {
        let (sender, requests) = mpsc::channel();
        let handler = move || MessageHandler {
            files: Files::new(),
            requests: sender.clone(),
            current: None,
        };
        (handler, requests)
    }

    fn send(&self, ex: &mut Exchange<'_>) -> Next {
        for message in self
            .current
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

impl Handler for MessageHandler {
    fn begin(&mut self, ex: &mut Exchange<'_>) -> Next {
        self.current = None;
        if ex.path() != "/wait" {
            return self.files.begin(ex);
        }
        let (sender, messages) = mpsc::channel();
        let (alive, dropped) = mpsc::channel();
        self.current = Some((messages, alive));
        let waker = ex.waker().clone();
        ex.send_response(200);
        ex.end_headers();
        let request = WaitingRequest {
            waker,
            sender,
            dropped,
        };
        self.requests.send(request).unwrap();
        self.send(ex)
    }

    fn resume(&mut self, ex: &mut Exchange<'_>, event: Event<'_>) -> Next {
        match (&self.current, event) {
            (Some(_), Event::Woken) => self.send(ex),
            (Some(_), other) => panic!("unexpected event: {other:?}"),
            (None, event) => self.files.resume(ex, event),
        }
    }
}
