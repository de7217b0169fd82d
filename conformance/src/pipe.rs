//! [`PipeEnd`]: the server's end of a pipe in memory, for loops that are run over any link.
//!
//! What the server moves is cut as the fragmentation says, what the client sends is cut already. The feature
//! `embedded-io` gives it the traits of that name besides, see `embedded`.

#[cfg(feature = "embedded-io")]
mod embedded;

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read, Write};
use std::mem;
use std::panic::resume_unwind;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::thread;

use crate::client::TIMEOUTS;
use crate::{Case, Client, FragmentSizes, Fragmentation, Log, Observed};

/// Holds each conversation with a loop that serves one connection and returns. It runs on a thread
/// of its own, with the case's [`config`](Case::config) and [`handler`](Case::handler), and is over
/// before the conversation is.
pub fn pipes(
    serve: impl Fn(&Case, PipeEnd, &Log) + Sync,
) -> impl FnMut(&Case, Fragmentation) -> Observed {
    move |case, fragmentation| {
        let (end, client) = pipe(fragmentation);
        let log = Log::default();
        let bytes = thread::scope(|scope| {
            let server = scope.spawn(|| serve(case, end, &log));
            let bytes = client.send_and_read(&case.request, case.half_close, fragmentation);
            server.join().unwrap_or_else(|panic| resume_unwind(panic));
            bytes
        });
        Observed::new(bytes.expect("no link breaks here"), &log.take())
    }
}

/// The server's end of a connection. To drop it ends both directions. Nobody waits at either end
/// for longer than 20 seconds.
#[derive(Debug)]
pub struct PipeEnd {
    input: Half,
    output: Half,
    reads: FragmentSizes,
    writes: FragmentSizes,
}

fn pipe(fragmentation: Fragmentation) -> (PipeEnd, Client) {
    let (there, back) = (Arc::default(), Arc::default());
    let client = Client::new(Half(Arc::clone(&back)), Half(Arc::clone(&there)));
    let end = PipeEnd {
        input: Half(there),
        output: Half(back),
        reads: fragmentation.sizes(),
        writes: fragmentation.sizes(),
    };
    (end, client)
}

impl PipeEnd {
    /// Tells the client that nothing more will come.
    pub fn shutdown(&mut self) {
        self.output.close();
    }

    /// Whether a read has something to tell without waiting.
    #[must_use]
    pub fn can_read(&self) -> bool {
        let state = self.input.state();
        state.closed || !state.bytes.is_empty()
    }

    /// Whether a write has something to tell without waiting.
    #[must_use]
    pub fn can_write(&self) -> bool {
        let state = self.output.state();
        state.closed || state.bytes.len() < CAPACITY
    }

    /// Reads what has come, for loops that are woken; [`Read`] waits for it.
    pub fn poll_read(&mut self, cx: &mut Context<'_>, into: &mut [u8]) -> Poll<io::Result<usize>> {
        let len = self.reads.next_size(into.len());
        self.input.poll(cx, |state| state.read(&mut into[..len]))
    }

    /// Writes what there is room for, for loops that are woken; [`Write`] waits for it.
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

/// One end of one direction. To drop it closes that.
#[derive(Debug)]
struct Half(Arc<Flow>);

/// One direction.
#[derive(Debug, Default)]
struct Flow {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    bytes: VecDeque<u8>,
    closed: bool,
    waker: Option<Waker>,
}

impl State {
    /// What can be read at once; `None` if that has to be waited for.
    fn read(&mut self, into: &mut [u8]) -> Option<io::Result<usize>> {
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

    /// Does it, or waits until it can be done.
    fn wait<T>(&self, mut work: impl FnMut(&mut State) -> Option<io::Result<T>>) -> io::Result<T> {
        let mut done = None;
        let undone = |state: &mut State| {
            done = work(state);
            done.is_none()
        };
        let waited = self
            .0
            .changed
            .wait_timeout_while(self.state(), TIMEOUTS, undone);
        self.wake(waited.unwrap_or_else(PoisonError::into_inner).0);
        done.unwrap_or(Err(ErrorKind::TimedOut.into()))
    }

    fn poll<T>(
        &self,
        cx: &mut Context<'_>,
        work: impl FnOnce(&mut State) -> Option<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        let mut state = self.state();
        let Some(done) = work(&mut state) else {
            state.waker = Some(cx.waker().clone());
            return Poll::Pending;
        };
        self.wake(state);
        Poll::Ready(done)
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

/// As many bytes are on their way at most.
const CAPACITY: usize = 4096;
