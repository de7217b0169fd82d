//! [`Poller`]: the poll of one worker with its listeners and completion queue, and the tokens of its events.

use std::io;
use std::os::fd::AsRawFd;
use std::sync::Arc;

use mio::unix::SourceFd;
use mio::{Interest, Poll, Token, Waker};

use super::completions::CompletionQueue;
use crate::Listener;

/// What a worker polls.
pub(super) struct Poller<F> {
    pub(super) poll: Poll,
    pub(super) completions: Arc<CompletionQueue<F>>,
    pub(super) listeners: Vec<Listener>,
}

impl<F> Poller<F> {
    /// Creates everything that the system may refuse, before any thread is started.
    pub(super) fn new(listeners: Vec<Listener>) -> io::Result<Poller<F>> {
        let poll = Poll::new()?;
        let completions = Arc::new(CompletionQueue::new(Arc::new(Waker::new(
            poll.registry(),
            COMPLETIONS,
        )?)));
        for (number, listener) in listeners.iter().enumerate() {
            let (listener, token) = (listener.as_raw_fd(), Token(FIRST_LISTENER + number));
            let registry = poll.registry();
            registry.register(&mut SourceFd(&listener), token, Interest::READABLE)?;
        }
        Ok(Poller {
            poll,
            completions,
            listeners,
        })
    }

    /// Returns the waker of the poll.
    pub(super) fn waker(&self) -> Arc<Waker> {
        self.completions.waker()
    }
}

pub(super) const COMPLETIONS: Token = Token(usize::MAX);
/// The token of the first listener. The tokens of connections are below: twice the key of a connection for its
/// socket, and one more for the pipes of its CGI process, because they report different events.
pub(super) const FIRST_LISTENER: usize = usize::MAX / 2;
