//! [`Seat`]: where a worker waits, and by which number it is told of what.

use std::io;
use std::os::fd::AsRawFd;
use std::sync::Arc;

use mio::unix::SourceFd;
use mio::{Interest, Poll, Token, Waker};

use super::mail::Mail;
use crate::Listener;

/// Where a worker waits.
pub(super) struct Seat<F> {
    pub(super) poll: Poll,
    pub(super) mail: Arc<Mail<F>>,
    pub(super) doors: Vec<Listener>,
}

impl<F> Seat<F> {
    /// Everything that the system may refuse.
    pub(super) fn new(doors: Vec<Listener>) -> io::Result<Seat<F>> {
        let poll = Poll::new()?;
        let mail = Arc::new(Mail::new(Arc::new(Waker::new(poll.registry(), MAIL)?)));
        for (number, door) in doors.iter().enumerate() {
            let (door, token) = (door.as_raw_fd(), Token(DOORS + number));
            let registry = poll.registry();
            registry.register(&mut SourceFd(&door), token, Interest::READABLE)?;
        }
        Ok(Seat { poll, mail, doors })
    }

    /// What makes the worker look.
    pub(super) fn waker(&self) -> Arc<Waker> {
        self.mail.waker()
    }
}

pub(super) const MAIL: Token = Token(usize::MAX);
/// The first of the listening sockets; no connection gets so high a number. The socket of a
/// connection has twice its number, and the pipes of its script one more: they say different things.
pub(super) const DOORS: usize = usize::MAX / 2;
