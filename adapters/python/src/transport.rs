//! [`Transport`]: moves the bytes of a connection, over a socket or over a [`Memory`] that Python fills and empties.

use std::time::Duration;

use sanserve_core::{Connection, Delivery, Got, Handler, Now};
use sanserve_server::OpenFile;

use crate::connection::Event;
#[cfg(unix)]
use crate::socket::Socket;

/// The result of an operation: an answer for the engine, or an event for Python, which then has to do something first.
pub(crate) enum Moved {
    Answer(Got<OpenFile>),
    Pause(Event),
}

/// The transport of a connection.
pub(crate) enum Transport {
    #[cfg(unix)]
    Socket(Socket),
    Memory(Memory),
}

impl Transport {
    pub(crate) fn read(&mut self, into: &mut [u8], left: Option<Duration>) -> Moved {
        match self {
            #[cfg(unix)]
            Transport::Socket(socket) => socket.read(into, left),
            Transport::Memory(memory) => memory.read(into),
        }
    }

    pub(crate) fn write(&mut self, from: &[u8], left: Option<Duration>) -> Moved {
        match self {
            #[cfg(unix)]
            Transport::Socket(socket) => socket.write(from, left),
            Transport::Memory(memory) => memory.write(from),
        }
    }

    /// Closes the sending side, or leaves that to Python.
    pub(crate) fn shutdown(&mut self) -> Option<Event> {
        match self {
            #[cfg(unix)]
            Transport::Socket(socket) => {
                socket.shutdown();
                None
            }
            Transport::Memory(_) => Some(Event::Shutdown),
        }
    }

    /// Returns whether all output has left this process.
    pub(crate) fn is_drained(&self) -> bool {
        match self {
            #[cfg(unix)]
            Transport::Socket(_) => true,
            Transport::Memory(memory) => memory.is_drained(),
        }
    }

    /// Reports to the engine what the peer has acknowledged, if a deadline has passed.
    pub(crate) fn report_delivery<F, H: Handler>(&self, engine: &mut Connection<F, H>, now: Now) {
        if !engine.is_overdue(now) {
            return;
        }
        let delivery = match self {
            #[cfg(unix)]
            Transport::Socket(socket) => socket.delivery(),
            Transport::Memory(memory) => memory.delivery(),
        };
        if let Some(delivery) = delivery {
            engine.delivered(now, delivery);
        }
    }

    /// Returns the memory, if this is one.
    pub(crate) fn memory(&mut self) -> Option<&mut Memory> {
        match self {
            Transport::Memory(memory) => Some(memory),
            #[cfg(unix)]
            Transport::Socket(_) => None,
        }
    }
}

/// Received bytes that the engine has not read, and bytes to be sent.
#[derive(Default)]
pub(crate) struct Memory {
    input: Vec<u8>,
    /// The number of bytes of `input` that have been read.
    used: usize,
    /// Whether the peer has closed its side.
    pub(crate) is_eof: bool,
    /// Whether the connection is lost.
    pub(crate) is_broken: bool,
    pub(crate) output: Vec<u8>,
    /// The number of bytes that Python has taken from the output, and that the system has not accepted.
    pub(crate) unsent: usize,
    /// The TCP socket on which Python sends the output, if the system can be asked there what the peer has received.
    #[cfg(unix)]
    watched: Option<Socket>,
}

/// The number of bytes in the output after which Python has to send them.
const OUTPUT_MAX: usize = 64 * 1024;

impl Memory {
    /// `watched` is the TCP socket on which Python sends the output.
    #[cfg(unix)]
    pub(crate) fn new(watched: Option<Socket>) -> Memory {
        Memory {
            watched,
            ..Memory::default()
        }
    }

    pub(crate) fn receive(&mut self, bytes: &[u8]) {
        if self.used == self.input.len() {
            self.input.clear();
            self.used = 0;
        }
        self.input.extend_from_slice(bytes);
    }

    /// Returns the bytes that have not been read.
    pub(crate) fn rest(&self) -> &[u8] {
        &self.input[self.used..]
    }

    fn read(&mut self, into: &mut [u8]) -> Moved {
        let rest = &self.input[self.used..];
        if self.is_broken {
            return Moved::Answer(Got::Failed);
        }
        if rest.is_empty() && !self.is_eof {
            return Moved::Pause(Event::WantsInput);
        }
        // At the end of the input the engine may drop the connection, and rely on the system to deliver the output.
        if rest.is_empty() && !self.is_drained() {
            return Moved::Pause(Event::HasOutput);
        }
        let n = rest.len().min(into.len());
        into[..n].copy_from_slice(&rest[..n]);
        self.used += n;
        Moved::Answer(Got::Bytes(n))
    }

    fn is_drained(&self) -> bool {
        self.output.is_empty() && self.unsent == 0
    }

    fn delivery(&self) -> Option<Delivery> {
        if self.is_broken {
            return None;
        }
        let buffered = (self.output.len() + self.unsent) as u64;
        #[cfg(unix)]
        if let Some(mut delivery) = self.watched.as_ref().and_then(Socket::delivery) {
            delivery.outstanding += buffered;
            return Some(delivery);
        }
        Some(Delivery {
            acknowledged: None,
            outstanding: buffered,
        })
    }

    fn write(&mut self, from: &[u8]) -> Moved {
        if self.is_broken {
            return Moved::Answer(Got::Failed);
        }
        if self.output.len() >= OUTPUT_MAX {
            return Moved::Pause(Event::HasOutput);
        }
        self.output.extend_from_slice(from);
        Moved::Answer(Got::Bytes(from.len()))
    }
}
