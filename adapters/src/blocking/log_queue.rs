//! [`LogQueue`]: writes log lines to a descriptor whose reader may be slow, stopped or gone.
//!
//! A server must not wait for its log, because a pipe that nobody reads would stop it. So the thread that logs
//! a line writes it without waiting, which takes one system call as long as the descriptor accepts it.
//! Otherwise lines are queued, and a thread, which ends when the queue is empty, writes them in order. The
//! queue is bounded: lines that find no room are dropped and counted, and a line in the log says how many.

use std::collections::VecDeque;
use std::io::{self, ErrorKind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::Builder;
use std::time::Duration;

use super::log_output::LogOutput;

/// A log that never blocks its callers.
pub(super) struct LogQueue {
    output: LogOutput,
    state: Mutex<State>,
    /// Notified when the queue has become empty.
    drained: Condvar,
}

#[derive(Default)]
struct State {
    /// Whole lines, except that the first may have been written in part.
    queued: VecDeque<u8>,
    /// The number of lines dropped since the log last reported it.
    dropped: usize,
    /// Whether the dropped lines were JSON objects, so that the report is one, too.
    is_json: bool,
    /// Whether the last write failed, perhaps in the middle of a line.
    failed: bool,
    /// Whether a thread is writing the queue.
    has_writer: bool,
}

impl LogQueue {
    /// Creates a queue in front of an output.
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

    /// Waits until everything is written, for at most `within`.
    pub(super) fn flush(&self, within: Duration) {
        let waits = |state: &mut State| !state.queued.is_empty();
        let waited = self.drained.wait_timeout_while(self.state(), within, waits);
        drop(waited);
    }

    /// Writes as much as possible without waiting, and queues the rest.
    fn write(&self, state: &mut State, lines: &str) {
        let mut left = lines.as_bytes();
        while !left.is_empty() {
            match self.output.try_write(left) {
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
        let thread = Builder::new().name("log".into()).stack_size(STACK_SIZE);
        // If no thread can be started, the next line tries again.
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
            let next: Vec<u8> = state.queued.iter().copied().take(WRITE_MAX).collect();
            // Other threads may queue lines in the meantime, but do not write while the queue is not empty.
            drop(state);
            let written = self.output.write_blocking(&next);
            self.state().settle(written);
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Queues lines if there is room. After lines were dropped, all are dropped until the queue is empty, so
    /// that one line reports them.
    fn queue_or_drop(&mut self, lines: &str) {
        if self.dropped > 0 || self.queued.len() + lines.len() > QUEUE_MAX {
            self.dropped += count_lines(lines.as_bytes());
            self.is_json = lines.starts_with('{');
        } else {
            self.queued.extend(lines.as_bytes());
        }
    }

    /// Updates the queue after its first bytes were written, or could not be.
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

    /// Returns the line that reports how many lines were dropped.
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

/// The maximum length of the queue in bytes.
const QUEUE_MAX: usize = 1024 * 1024;

/// The maximum number of bytes in one write of the thread.
const WRITE_MAX: usize = 16 * 1024;

const STACK_SIZE: usize = 64 * 1024;
