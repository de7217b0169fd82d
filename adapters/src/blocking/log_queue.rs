//! [`LogQueue`]: log lines on their way to a descriptor whose reader may be slow, stopped or gone.
//!
//! A server must not wait for its log: a pipe that is not read would stop it. So lines are written
//! without waiting, by the thread that logs them, which is one system call as long as the descriptor
//! takes them. When it does not, they are queued, and a thread that lives until the queue is empty
//! writes them in their order. The queue is bounded. Lines that it has no room for are dropped and
//! counted, and a line in the log says how many were.

use std::collections::VecDeque;
use std::io::{self, ErrorKind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::Builder;
use std::time::Duration;

use super::log_output::LogOutput;

/// A log that never makes its callers wait.
pub(super) struct LogQueue {
    output: LogOutput,
    state: Mutex<State>,
    /// The queue has become empty.
    drained: Condvar,
}

#[derive(Default)]
struct State {
    /// Whole lines, except that the first may have been written in part.
    queued: VecDeque<u8>,
    /// How many lines were dropped since the log last said so.
    dropped: usize,
    /// Whether these were objects of JSON, so that the line that says so is one, too.
    is_json: bool,
    /// The last write failed, perhaps within a line.
    failed: bool,
    /// A thread writes what is queued.
    has_writer: bool,
}

impl LogQueue {
    /// A queue in front of this output.
    pub(super) fn new(output: LogOutput) -> Arc<LogQueue> {
        Arc::new(LogQueue {
            output,
            state: Mutex::default(),
            drained: Condvar::new(),
        })
    }

    /// Writes, queues or drops lines, each ended by a newline.
    pub(super) fn push(self: &Arc<Self>, lines: &str) {
        let mut state = self.state();
        if state.queued.is_empty() && state.dropped > 0 {
            let notice = state.notice();
            self.write(&mut state, &notice);
        }
        if state.queued.is_empty() && state.dropped == 0 {
            self.write(&mut state, lines);
        } else {
            state.queue_or_drop(lines);
        }
        if !state.queued.is_empty() && !state.has_writer {
            self.start_writer(&mut state);
        }
    }

    /// Waits until everything is written that was pushed, but no longer than this.
    pub(super) fn flush(&self, within: Duration) {
        let waits = |state: &mut State| !state.queued.is_empty();
        let waited = self.drained.wait_timeout_while(self.state(), within, waits);
        drop(waited);
    }

    /// Writes lines as far as that is possible without waiting, and queues the rest.
    fn write(&self, state: &mut State, lines: &str) {
        let mut left = lines.as_bytes();
        while !left.is_empty() {
            match self.output.write_now(left) {
                Ok(n) => {
                    left = &left[n..];
                    (state.dropped, state.failed) = (0, false);
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    state.queued.extend(left);
                    (state.dropped, state.failed) = (0, false);
                    return;
                }
                Err(_) if state.dropped > 0 => return,
                Err(_) => {
                    state.dropped = count_lines(left);
                    state.failed = true;
                    return;
                }
            }
        }
    }

    fn start_writer(self: &Arc<Self>, state: &mut State) {
        let queue = Arc::clone(self);
        let thread = Builder::new().name("log".into()).stack_size(STACK);
        // Without a thread now, the next line tries again.
        state.has_writer = thread.spawn(move || queue.drain()).is_ok();
    }

    /// Writes until the queue is empty, however long that takes.
    fn drain(&self) {
        loop {
            let mut state = self.state();
            if state.queued.is_empty() && state.dropped > 0 && !state.failed {
                let notice = state.notice();
                state.queued.extend(notice.as_bytes());
                state.dropped = 0;
            }
            if state.queued.is_empty() {
                (state.queued, state.has_writer) = (VecDeque::new(), false);
                self.drained.notify_all();
                return;
            }
            let next: Vec<u8> = state.queued.iter().copied().take(PIECE).collect();
            // Lines are still queued meanwhile: nobody else writes as long as the queue is not empty.
            drop(state);
            let written = self.output.write_waiting(&next);
            self.state().settle(written);
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Once lines were dropped, all are until the queue is empty, so that one line tells of them.
    fn queue_or_drop(&mut self, lines: &str) {
        if self.dropped > 0 || self.queued.len() + lines.len() > QUEUE_MAX {
            self.dropped += count_lines(lines.as_bytes());
            self.is_json = lines.starts_with('{');
        } else {
            self.queued.extend(lines.as_bytes());
        }
    }

    /// Takes note of what came of writing the first bytes of the queue.
    fn settle(&mut self, written: io::Result<usize>) {
        match written {
            Ok(n) => {
                self.queued.drain(..n);
                self.failed = false;
            }
            Err(error) => match error.kind() {
                ErrorKind::Interrupted | ErrorKind::WouldBlock => {}
                _ => {
                    self.dropped += count_lines(self.queued.make_contiguous());
                    self.failed = true;
                    self.queued.clear();
                }
            },
        }
    }

    /// The line that says how many lines were dropped.
    fn notice(&self) -> String {
        let (start, dropped) = (if self.failed { "\n" } else { "" }, self.dropped);
        let (lines, were) = match dropped {
            1 => ("line", "was"),
            _ => ("lines", "were"),
        };
        let text = format!(
            "{dropped} log {lines} {were} dropped because the log could not be written in time"
        );
        match self.is_json {
            true => format!("{start}{{\"message\":\"{text}\"}}\n"),
            false => format!("{start}sanserve: {text}\n"),
        }
    }
}

fn count_lines(lines: &[u8]) -> usize {
    lines.iter().filter(|byte| **byte == b'\n').count()
}

/// How many bytes of lines wait at most.
const QUEUE_MAX: usize = 1024 * 1024;

/// How many bytes are written at once by the thread.
const PIECE: usize = 16 * 1024;

const STACK: usize = 64 * 1024;
