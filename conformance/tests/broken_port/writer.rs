//! [`Writer`]: the writes of a connection, with their faults.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use std::{mem, thread};

use sanserve_core::Got;

use super::transport::Transport;
use super::{FOREVER, Fault, failed, pause};

/// The number of partial writes of all correct ports.
pub(crate) static PARTIAL_WRITES: AtomicUsize = AtomicUsize::new(0);

/// The writes of a connection.
pub(super) struct Writer {
    fault: Fault,
    was_partial: bool,
    buffer: Vec<u8>,
}

impl Writer {
    pub(super) fn new(fault: Fault) -> Self {
        Self {
            fault,
            was_partial: false,
            buffer: Vec::new(),
        }
    }

    /// Answers a write.
    pub(super) fn write<F>(&mut self, transport: &mut impl Transport, from: &[u8]) -> Got<F> {
        let fault = self.fault;
        if matches!(fault, Fault::BuffersUntilClose | Fault::DropsBufferAtClose) {
            self.buffer.extend(from);
            return Got::Bytes(from.len());
        }
        let mut reordered;
        let mut bytes = from;
        if self.was_partial && fault == Fault::ReordersBytesAfterPartialWrite && from.len() > 1 {
            reordered = from.to_vec();
            reordered.swap(0, 1);
            bytes = &reordered;
        }
        let start = Instant::now();
        let written = loop {
            match transport.write(bytes).map_err(|error| failed(&error)) {
                Err(Got::Nothing)
                    if fault == Fault::WaitsForeverToWrite && start.elapsed() < FOREVER =>
                {
                    thread::sleep(Duration::from_millis(1));
                }
                written => break written,
            }
        };
        let n = match (written, fault) {
            (Ok(n), _) => n,
            (Err(Got::Nothing), Fault::AnswersBlockedWriteWithFullCount) => {
                return Got::Bytes(from.len());
            }
            (Err(Got::Nothing), Fault::TakesBlockedWriteForFailure) => return Got::Failed,
            (Err(Got::Nothing), _) => return pause(),
            (Err(got), _) => return got,
        };
        self.was_partial = n < from.len();
        if !self.was_partial {
            return Got::Bytes(n);
        }
        match fault {
            Fault::LosesByteOfPartialWrite => Got::Bytes(n + 1),
            Fault::DoublesByteOfPartialWrite if n > 1 => Got::Bytes(n - 1),
            Fault::AnswersPartialWriteWithFullCount => Got::Bytes(from.len()),
            Fault::None => {
                PARTIAL_WRITES.fetch_add(1, Ordering::Relaxed);
                Got::Bytes(n)
            }
            _ => Got::Bytes(n),
        }
    }

    /// Sends what is buffered before a read.
    pub(super) fn before_read(&mut self, transport: &mut impl Transport) {
        if self.fault == Fault::DropsBufferAtClose {
            self.flush(transport);
        }
    }

    /// Sends what is buffered before the end.
    pub(super) fn finish(&mut self, transport: &mut impl Transport) {
        if self.fault == Fault::BuffersUntilClose {
            self.flush(transport);
        }
    }

    fn flush(&mut self, transport: &mut impl Transport) {
        let buffer = mem::take(&mut self.buffer);
        let (mut rest, start) = (&buffer[..], Instant::now());
        while !rest.is_empty() && start.elapsed() < FOREVER {
            match transport.write(rest).map_err(|error| failed::<()>(&error)) {
                Ok(n) => rest = &rest[n..],
                Err(Got::Nothing) => thread::sleep(Duration::from_millis(1)),
                Err(_) => return,
            }
        }
    }
}
