//! [`Pipe`]: carries the requests of a blocking function to its connection, and content back.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::io::{Error, ErrorKind, Result};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};

use sanserve_core::{AsyncExchange, HttpError};

/// What a function and its connection share.
#[derive(Default)]
pub(super) struct Pipe {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    requests: VecDeque<Request>,
    /// The task of the connection, while it waits for a request.
    task: Option<Waker>,
    /// The number of bytes that have not been written to the connection yet.
    unwritten: usize,
    /// The answer to [`Request::Read`].
    content: Option<Option<Vec<u8>>>,
    is_flushed: bool,
    is_closed: bool,
}

/// What the connection is to do.
pub(super) enum Request {
    Call(Box<dyn FnOnce(&AsyncExchange) + Send>),
    Read,
    Write(Vec<u8>),
    Flush,
    /// The function has ended.
    End(std::result::Result<(), HttpError>),
}

/// The number of unwritten bytes at which the function blocks.
const UNWRITTEN_MAX: usize = 64 * 1024;

/// Writes are collected up to this length, since each request may wake another thread.
const WRITE_LEN: usize = 16 * 1024;

/// The side of the function.
impl Pipe {
    /// Asks for something, without waiting for it.
    pub(super) fn push(&self, request: Request) -> Result<()> {
        let mut state = self.open()?;
        state.requests.push_back(request);
        let task = state.task.take();
        drop(state);
        task.into_iter().for_each(Waker::wake);
        Ok(())
    }

    /// Writes content, and blocks as long as there is too much of it.
    pub(super) fn write(&self, content: &[u8]) -> Result<usize> {
        let is_full = |state: &State| state.unwritten >= UNWRITTEN_MAX;
        let mut state = self.wait_while(self.open()?, is_full)?;
        let n = content.len().min(UNWRITTEN_MAX - state.unwritten);
        state.unwritten += n;
        match state.requests.back_mut() {
            Some(Request::Write(last)) if last.len() < WRITE_LEN => {
                last.extend_from_slice(&content[..n]);
            }
            _ => {
                drop(state);
                self.push(Request::Write(content[..n].to_vec()))?;
            }
        }
        Ok(n)
    }

    /// Blocks until the client has accepted everything.
    pub(super) fn flush(&self) -> Result<()> {
        self.push(Request::Flush)?;
        let mut state = self.wait_while(self.state(), |state| !state.is_flushed)?;
        state.is_flushed = false;
        Ok(())
    }

    /// Reads the next piece of content; `None` is its end.
    pub(super) fn read(&self) -> Result<Option<Vec<u8>>> {
        self.push(Request::Read)?;
        let mut state = self.wait_while(self.state(), |state| state.content.is_none())?;
        Ok(state.content.take().flatten())
    }

    pub(super) fn is_closed(&self) -> bool {
        self.state().is_closed
    }

    /// Returns the state, unless the request is over.
    fn open(&self) -> Result<MutexGuard<'_, State>> {
        self.wait_while(self.state(), |_| false)
    }

    fn wait_while<'a>(
        &self,
        state: MutexGuard<'a, State>,
        condition: impl Fn(&State) -> bool,
    ) -> Result<MutexGuard<'a, State>> {
        let waits = |state: &mut State| condition(state) && !state.is_closed;
        let state = self.changed.wait_while(state, waits);
        let state = state.unwrap_or_else(PoisonError::into_inner);
        match state.is_closed {
            true => Err(Error::new(ErrorKind::ConnectionAborted, CLOSED)),
            false => Ok(state),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

const CLOSED: &str = "the client has disconnected or missed a deadline";

/// The side of the connection.
impl Pipe {
    /// Waits for the next request.
    pub(super) async fn next(&self) -> Request {
        let next = poll_fn(|context| {
            let mut state = self.state();
            match state.requests.pop_front() {
                Some(request) => Poll::Ready(request),
                None => {
                    state.task = Some(context.waker().clone());
                    Poll::Pending
                }
            }
        });
        next.await
    }

    pub(super) fn push_content(&self, content: Option<Vec<u8>>) {
        self.change(|state| state.content = Some(content));
    }

    pub(super) fn count_written(&self, n: usize) {
        self.change(|state| state.unwritten -= n);
    }

    pub(super) fn confirm_flush(&self) {
        self.change(|state| state.is_flushed = true);
    }

    /// Lets all further calls of the function fail.
    pub(super) fn close(&self) {
        self.change(|state| state.is_closed = true);
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state());
        self.changed.notify_one();
    }
}
