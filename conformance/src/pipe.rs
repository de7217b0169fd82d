//! [`pipes`]: runs the cases against a function that serves one connection. The connection is a pipe in memory; the
//! function gets the server's end of it, [`PipeEnd`].
//!
//! The reads and writes of the server are divided as the fragmentation says, like the writes of the client. With the
//! feature `embedded-io`, `PipeEnd` also implements the traits of that crate, see `embedded`.

#[cfg(feature = "embedded-io")]
mod embedded;

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read, Write};
use std::mem;
use std::panic::resume_unwind;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::thread;

use crate::client::READ_TIMEOUT;
use crate::system_under_test::converse;
use crate::{Case, Client, FragmentSizes, Fragmentation, Log, Observed};

/// Tests a loop that serves one connection and then returns. `serve` is called on a new thread for each conversation
/// and must use the case's [`config`](Case::config) and [`handler`](Case::handler).
pub fn pipes(
    serve: impl Fn(&Case, PipeEnd, &Log) + Sync,
) -> impl FnMut(&Case, Fragmentation) -> Observed {
    move |case, fragmentation| {
        let log = Log::default();
        let bytes = thread::scope(|scope| {
            let mut servers = Vec::new();
            let mut open = || {
                let (end, client) = pipe(fragmentation);
                let directions = [&end.input, &end.output].map(|half| Arc::clone(&half.0));
                let (serve, log) = (&serve, &log);
                servers.push((directions, scope.spawn(move || serve(case, end, log))));
                client
            };
            let neighbour = case.pace.neighbour.is_some().then(&mut open);
            let client = open();
            let bytes = converse(case, fragmentation, client, neighbour);
            for (directions, server) in servers {
                if bytes.is_err() {
                    // A loop that waits for its peer must not keep the run waiting.
                    directions.into_iter().for_each(Direction::abort);
                }
                server.join().unwrap_or_else(|panic| resume_unwind(panic));
            }
            bytes
        });
        Observed::new(bytes.expect("a pipe does not fail"), &log.take())
    }
}

/// The server's end of a connection. Dropping it closes both directions. Reads and writes at either end fail after 20
/// seconds.
#[derive(Debug)]
pub struct PipeEnd {
    input: Half,
    output: Half,
    reads: FragmentSizes,
    writes: FragmentSizes,
}

fn pipe(fragmentation: Fragmentation) -> (PipeEnd, Client) {
    let (to_server, to_client) = (Arc::default(), Arc::default());
    let client = Client::new(Half(Arc::clone(&to_client)), Half(Arc::clone(&to_server)));
    let end = PipeEnd {
        input: Half(to_server),
        output: Half(to_client),
        reads: fragmentation.sizes(),
        writes: fragmentation.sizes(),
    };
    (end, client)
}

impl PipeEnd {
    /// Half-closes: the client reads to the end of the data and then gets 0.
    pub fn shutdown(&mut self) {
        self.output.close();
    }

    /// Returns whether a read would return without waiting.
    #[must_use]
    pub fn can_read(&self) -> bool {
        let state = self.input.state();
        state.closed || !state.bytes.is_empty()
    }

    /// Returns whether a write would return without waiting.
    #[must_use]
    pub fn can_write(&self) -> bool {
        let state = self.output.state();
        state.closed || state.bytes.len() < CAPACITY
    }

    /// Returns whether a write would fail, because the client has disconnected or this end was shut down: for loops
    /// that watch the transport while they work.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.output.state().closed
    }

    /// Reads bytes that are available, for asynchronous loops; [`Read`] waits for them.
    pub fn poll_read(&mut self, cx: &mut Context<'_>, into: &mut [u8]) -> Poll<io::Result<usize>> {
        let len = self.reads.next_size(into.len());
        self.input.poll(cx, |state| state.read(&mut into[..len]))
    }

    /// Writes as many bytes as there is room for, for asynchronous loops; [`Write`] waits for room.
    pub fn poll_write(&mut self, cx: &mut Context<'_>, from: &[u8]) -> Poll<io::Result<usize>> {
        let len = self.writes.next_size(from.len());
        self.output.poll(cx, |state| state.write(&from[..len]))
    }
}

impl Read for PipeEnd {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let len = self.reads.next_size(into.len());
        self.input.read(&mut into[..len])
    }
}

impl Write for PipeEnd {
    fn write(&mut self, from: &[u8]) -> io::Result<usize> {
        let len = self.writes.next_size(from.len());
        self.output.write(&from[..len])
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// One end of one direction. Dropping it closes the direction.
#[derive(Debug)]
struct Half(Arc<Direction>);

/// One direction.
#[derive(Debug, Default)]
struct Direction {
    state: Mutex<State>,
    changed: Condvar,
}

impl Direction {
    /// Makes all reads and writes fail.
    fn abort(self: Arc<Self>) {
        let half = Half(self);
        half.state().aborted = true;
        // Dropping the half closes the direction, which ends all waits.
    }
}

#[derive(Debug, Default)]
struct State {
    bytes: VecDeque<u8>,
    closed: bool,
    aborted: bool,
    waker: Option<Waker>,
}

impl State {
    /// Reads available bytes; `None` if there are none yet.
    fn read(&mut self, into: &mut [u8]) -> Option<io::Result<usize>> {
        if self.aborted {
            return Some(Err(ErrorKind::ConnectionAborted.into()));
        }
        if self.bytes.is_empty() && !self.closed && !into.is_empty() {
            return None;
        }
        Some(self.bytes.read(into))
    }

    fn write(&mut self, from: &[u8]) -> Option<io::Result<usize>> {
        if self.closed {
            return Some(Err(ErrorKind::BrokenPipe.into()));
        }
        let n = from.len().min(CAPACITY - self.bytes.len());
        if n == 0 && !from.is_empty() {
            return None;
        }
        self.bytes.extend(&from[..n]);
        Some(Ok(n))
    }
}

impl Half {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn close(&self) {
        let mut state = self.state();
        state.closed = true;
        self.wake(state);
    }

    fn wake(&self, mut state: MutexGuard<'_, State>) {
        self.0.changed.notify_all();
        if let Some(waker) = mem::take(&mut state.waker) {
            waker.wake();
        }
    }

    /// Repeats `work` until it returns a result, waiting for changes in between.
    fn wait<T>(&self, mut work: impl FnMut(&mut State) -> Option<io::Result<T>>) -> io::Result<T> {
        let mut result = None;
        let pending = |state: &mut State| {
            result = work(state);
            result.is_none()
        };
        let waited = self
            .0
            .changed
            .wait_timeout_while(self.state(), READ_TIMEOUT, pending);
        self.wake(waited.unwrap_or_else(PoisonError::into_inner).0);
        result.unwrap_or(Err(ErrorKind::TimedOut.into()))
    }

    fn poll<T>(
        &self,
        cx: &mut Context<'_>,
        work: impl FnOnce(&mut State) -> Option<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        let mut state = self.state();
        let Some(result) = work(&mut state) else {
            state.waker = Some(cx.waker().clone());
            return Poll::Pending;
        };
        self.wake(state);
        Poll::Ready(result)
    }
}

impl Read for Half {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.wait(|state| state.read(into))
    }
}

impl Write for Half {
    fn write(&mut self, from: &[u8]) -> io::Result<usize> {
        self.wait(|state| state.write(from))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Half {
    fn drop(&mut self) {
        self.close();
    }
}

/// The most bytes that a direction buffers.
const CAPACITY: usize = 4096;
