//! The serial lines as byte streams of embedded-io, with what each machine's [`Uart`] provides.

use core::convert::Infallible;

use embedded_io::{ErrorType, Read, ReadReady, Write, WriteReady};

use crate::board::sleep;
pub use crate::machine::uart::Uart;

impl Uart {
    /// Returns the next byte, if one has arrived.
    pub fn take(&mut self) -> Option<u8> {
        self.has_input().then(|| self.receive())
    }
}

impl ErrorType for Uart {
    type Error = Infallible;
}

impl ReadReady for Uart {
    fn read_ready(&mut self) -> Result<bool, Infallible> {
        Ok(self.has_input())
    }
}

impl WriteReady for Uart {
    fn write_ready(&mut self) -> Result<bool, Infallible> {
        Ok(self.has_room())
    }
}

impl Read for Uart {
    fn read(&mut self, into: &mut [u8]) -> Result<usize, Infallible> {
        while !self.has_input() {
            sleep(&[self.line]);
        }
        let mut n = 0;
        while n < into.len()
            && let Some(byte) = self.take()
        {
            into[n] = byte;
            n += 1;
        }
        Ok(n)
    }
}

impl Write for Uart {
    fn write(&mut self, from: &[u8]) -> Result<usize, Infallible> {
        let mut n = 0;
        while n < from.len() && (n == 0 || self.has_room()) {
            while !self.has_room() {}
            self.send(from[n]);
            n += 1;
        }
        Ok(n)
    }

    fn flush(&mut self) -> Result<(), Infallible> {
        while self.is_sending() {}
        Ok(())
    }
}
