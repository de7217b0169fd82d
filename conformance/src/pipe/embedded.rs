//! Implements the traits of embedded-io and embedded-io-async for [`PipeEnd`]. Feature `embedded-io`.

use std::future::poll_fn;
use std::io;

use embedded_io::{ErrorType, ReadReady, WriteReady};

use super::PipeEnd;

impl ErrorType for PipeEnd {
    type Error = io::Error;
}

impl embedded_io::Read for PipeEnd {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        io::Read::read(self, into)
    }
}

impl embedded_io::Write for PipeEnd {
    fn write(&mut self, from: &[u8]) -> io::Result<usize> {
        io::Write::write(self, from)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl ReadReady for PipeEnd {
    fn read_ready(&mut self) -> io::Result<bool> {
        Ok(self.can_read())
    }
}

impl WriteReady for PipeEnd {
    fn write_ready(&mut self) -> io::Result<bool> {
        Ok(self.can_write())
    }
}

impl embedded_io_async::Read for PipeEnd {
    async fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        poll_fn(|cx| self.poll_read(cx, into)).await
    }
}

impl embedded_io_async::Write for PipeEnd {
    async fn write(&mut self, from: &[u8]) -> io::Result<usize> {
        poll_fn(|cx| self.poll_write(cx, from)).await
    }

    async fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
