//! [`UpgradedStream`]: the transport of an upgraded connection, with its faults.

use std::io::{self, ErrorKind, Read, Write};
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use super::transport::Transport;
use super::{FOREVER, Fault, Port};

/// A blocking stream that first returns the bytes that came with the request.
pub(super) struct UpgradedStream<'a, T> {
    port: &'a Port,
    transport: &'a mut T,
    early: Vec<u8>,
}

impl<'a, T: Transport> UpgradedStream<'a, T> {
    pub(super) fn new(port: &'a Port, transport: &'a mut T, received: Vec<u8>) -> Self {
        let early = match port.fault {
            Fault::LosesEarlyBytes => Vec::new(),
            Fault::DoublesEarlyBytes => received.repeat(2),
            _ => received,
        };
        Self {
            port,
            transport,
            early,
        }
    }

    /// Repeats an operation until it does not block.
    fn wait(&mut self, mut work: impl FnMut(&mut T) -> io::Result<usize>) -> io::Result<usize> {
        let port = self.port;
        let (start, idle) = (Instant::now(), port.case.config().timeouts.idle);
        while start.elapsed() < FOREVER {
            let is_over = match port.fault {
                Fault::KeepsDeadlineAfterUpgrade => start.elapsed() > idle,
                Fault::ClosesUpgradedAtFinish => port.stop.load(Ordering::Relaxed),
                _ => false,
            };
            match work(self.transport) {
                _ if is_over => break,
                Ok(0) if port.fault == Fault::IgnoresEndOfUpgraded => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                result => return result,
            }
            thread::sleep(Duration::from_millis(1));
        }
        Err(ErrorKind::TimedOut.into())
    }
}

impl<T: Transport> Read for UpgradedStream<'_, T> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.port.fault == Fault::ReadsEarlyBytesLast {
            match self.wait(|transport| transport.read(into))? {
                0 => {}
                n => return Ok(n),
            }
        }
        if !self.early.is_empty() {
            let n = self.early.len().min(into.len());
            into[..n].copy_from_slice(&self.early[..n]);
            self.early.drain(..n);
            return Ok(n);
        }
        self.wait(|transport| transport.read(into))
    }
}

impl<T: Transport> Write for UpgradedStream<'_, T> {
    fn write(&mut self, from: &[u8]) -> io::Result<usize> {
        self.wait(|transport| transport.write(from))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
