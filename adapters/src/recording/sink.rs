//! [`Sink`]: the file of a recording, and the thread that writes it.
//!
//! A server must not wait for a recording. So events are queued, and the queue is bounded: events that find no room are
//! dropped and counted. If the file cannot be written, because the disk is full, its incomplete last line is removed and
//! the events are dropped, too.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Seek, SeekFrom, Write};
use std::mem;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::Builder;
use std::time::Duration;

/// Writes lines to a file, without blocking its callers.
#[derive(Debug)]
pub(super) struct Sink {
    state: Mutex<State>,
    /// Notified when there is something to write, and when everything is written.
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// Whole lines.
    queued: Vec<u8>,
    /// The number of bytes that the file may still grow.
    room: u64,
    /// The number of events that were dropped.
    dropped: u64,
    is_closed: bool,
    /// Whether the thread has written the last line, or has given up.
    has_ended: bool,
}

impl Sink {
    /// Creates the file, which must not exist, and begins it with these lines.
    ///
    /// # Errors
    /// If the file cannot be created or written, or no thread can be started.
    pub(super) fn create(path: &Path, max_bytes: u64, header: &str) -> io::Result<Arc<Sink>> {
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(path)?;
        file.write_all(header.as_bytes())?;
        let sink = Arc::new(Sink {
            state: Mutex::new(State {
                room: max_bytes.saturating_sub(header.len() as u64),
                ..State::default()
            }),
            changed: Condvar::new(),
        });
        let (writer, written) = (Arc::clone(&sink), header.len() as u64);
        let thread = Builder::new().name("recording".into());
        thread.spawn(move || writer.run(file, written))?;
        Ok(sink)
    }

    /// Queues lines, each of which is an event, or drops them.
    pub(super) fn push(&self, lines: &str) {
        let mut state = self.state();
        let len = lines.len();
        if state.is_closed || state.queued.len() + len > QUEUE_MAX || state.room < len as u64 {
            state.dropped += count_lines(lines.as_bytes());
            return;
        }
        state.room -= len as u64;
        let was_empty = state.queued.is_empty();
        state.queued.extend_from_slice(lines.as_bytes());
        drop(state);
        if was_empty {
            self.changed.notify_all();
        }
    }

    /// Returns the number of events that were dropped.
    pub(super) fn dropped(&self) -> u64 {
        self.state().dropped
    }

    /// Ends the file, and waits until it is written, for at most `within`.
    pub(super) fn close(&self, within: Duration) {
        let mut state = self.state();
        state.is_closed = true;
        self.changed.notify_all();
        let waits = |state: &mut State| !state.has_ended;
        drop(self.changed.wait_timeout_while(state, within, waits));
    }

    /// Writes until the sink is closed.
    fn run(&self, mut file: File, mut written: u64) {
        loop {
            let waits = |state: &mut State| state.queued.is_empty() && !state.is_closed;
            let waited = self.changed.wait_while(self.state(), waits);
            let mut state = waited.unwrap_or_else(PoisonError::into_inner);
            let lines = mem::take(&mut state.queued);
            let is_last = state.is_closed && lines.is_empty();
            let dropped = state.dropped;
            drop(state);
            let end = format!("end\t{dropped}\n");
            let lines = if is_last { end.as_bytes() } else { &lines };
            let is_at_end = file.seek(SeekFrom::Start(written)).is_ok();
            let len = if is_at_end {
                write_lines(&mut file, lines)
            } else {
                0
            };
            written += len as u64;
            let lost = &lines[len..];
            if !lost.is_empty() {
                // If this fails, the next lines overwrite what was written.
                let _ = file.set_len(written);
            }
            if !lost.is_empty() && !is_last {
                let mut state = self.state();
                state.dropped += count_lines(lost);
                state.room += lost.len() as u64;
            }
            if is_last {
                self.state().has_ended = true;
                return self.changed.notify_all();
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Writes as many whole lines as there is room for. Returns their length.
fn write_lines(out: &mut impl Write, lines: &[u8]) -> usize {
    let mut written = 0;
    while written < lines.len() {
        match out.write(&lines[written..]) {
            Ok(n @ 1..) => written += n,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Ok(0) | Err(_) => break,
        }
    }
    let last = lines[..written].iter().rposition(|byte| *byte == b'\n');
    last.map_or(0, |last| last + 1)
}

fn count_lines(lines: &[u8]) -> u64 {
    lines.iter().filter(|byte| **byte == b'\n').count() as u64
}

/// The maximum length of the queue in bytes.
const QUEUE_MAX: usize = 8 * 1024 * 1024;

#[cfg(test)]
mod tests {
    use super::write_lines;

    #[test]
    fn lines_for_which_there_is_room_are_kept() {
        let lines = b"note\n0.5\tread\n\nend\n";
        for room in 0..=lines.len() {
            let mut file = vec![0; room];
            let len = write_lines(&mut &mut file[..], lines);
            let whole = lines
                .split_inclusive(|byte| *byte == b'\n')
                .map(<[u8]>::len);
            let ends = whole.scan(0, |end, len| {
                *end += len;
                Some(*end)
            });
            assert_eq!(len, ends.filter(|end| *end <= room).max().unwrap_or(0));
            assert_eq!(file[..len], lines[..len]);
        }
    }
}
