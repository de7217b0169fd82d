//! Serves one connection over a transport of [`embedded-io`](::embedded_io), with any file system. These loops
//! need no operating system, only a function that returns the time.
//!
//! [`serve`] is for transports that only block; [`serve_ready`] is for transports that can say whether they are
//! ready, so that deadlines hold. Listening, and closing the transport, are up to the caller.

use core::mem;
use core::time::Duration;

use embedded_io::{Error, ErrorKind, ErrorType, Read, ReadReady, Write, WriteReady};
use sanserve_core::{Connection, FileSystem, Got, Handler, Now, Step, Want};

/// Serves one connection until it ends, over a transport that blocks.
///
/// Deadlines are checked only between two operations, so a silent peer is waited for as long as the transport
/// blocks. A transport with its own timeout ([`ErrorKind::TimedOut`]) is tried again until the deadline has
/// passed. When everything is written the loop returns; the caller closes the transport. It does not linger,
/// because that could take forever.
///
/// `clock` returns the time; `log` receives finished lines, each ended by a newline.
///
/// ```
/// # use embedded_io::{ErrorType, Read, Write};
/// # struct Uart(&'static [u8], Vec<u8>);
/// # impl ErrorType for Uart { type Error = std::convert::Infallible; }
/// # impl Read for Uart {
/// #     fn read(&mut self, into: &mut [u8]) -> Result<usize, Self::Error> { Ok(self.0.read(into).unwrap()) }
/// # }
/// # impl Write for Uart {
/// #     fn write(&mut self, from: &[u8]) -> Result<usize, Self::Error> { self.1.extend(from); Ok(from.len()) }
/// #     fn flush(&mut self) -> Result<(), Self::Error> { Ok(()) }
/// # }
/// # let mut uart = Uart(b"GET /a.txt HTTP/1.0\r\n\r\n", Vec::new());
/// use sanserve_server::{Flash, Node, embedded::serve};
/// use sanserve_core::{Config, Connection, Files, Now};
///
/// static SITE: Flash = Flash::new(&[Node::file("a.txt", b"hello\n")]);
///
/// let mut conn = Connection::new(Config::default(), "-", Files::new());
/// let clock = || Now::default(); // a real clock sets Now::tick to the time since its start
/// serve(&mut conn, &mut uart, &SITE, clock, |line| print!("{line}"))?;
/// # assert!(uart.1.ends_with(b"\r\n\r\nhello\n"));
/// # Ok::<(), std::convert::Infallible>(())
/// ```
///
/// # Errors
/// The error of the transport. A peer that disconnects also causes one, which is normal.
pub fn serve<L: Read + Write, F: FileSystem, H: Handler>(
    conn: &mut Connection<F::File, H>,
    transport: &mut L,
    files: &F,
    clock: impl Fn() -> Now,
    log: impl Fn(&str),
) -> Result<(), L::Error> {
    let mut transport = Transport::new(transport);
    let mut got = Got::Nothing;
    loop {
        got = match conn.step(clock(), got).want {
            Want::Read(into) => transport.read(into),
            Want::Write(from) => transport.write(from),
            Want::ReadFile { file, at, into } => files.fill(file, at, into),
            Want::Copy { file, at, len } => transport.copy(files, file, at, len),
            Want::WriteFile { file, from } => files.answer_write(file, from),
            Want::Commit { file } => Got::Committed(files.commit(file)),
            Want::Ask(ask) => files.answer(ask),
            Want::Wait => Got::Woken,
            Want::Upgrade => unreachable!("no upgrade is allowed"),
            Want::Log(lines) => {
                log(lines);
                Got::Nothing
            }
            Want::Shutdown | Want::Close => return transport.end(),
        };
    }
}

/// Serves one connection until it ends, over a transport that can say whether it would block, so that all
/// deadlines hold.
///
/// While it would block, `sleep` is called with the time that is left. It may return early and is called again
/// then: `|_| cortex_m::asm::wfi()` sleeps until the next interrupt, `|_| ()` polls without a pause. `shutdown`
/// tells the peer that nothing more will come, as far as the transport can: `|socket| socket.close()`, or `|_|
/// ()` for a serial line. Everything else is as for [`serve`].
///
/// # Errors
/// As for [`serve`].
pub fn serve_ready<L: Read + Write + ReadReady + WriteReady, F: FileSystem, H: Handler>(
    conn: &mut Connection<F::File, H>,
    transport: &mut L,
    files: &F,
    clock: impl Fn() -> Now,
    log: impl Fn(&str),
    shutdown: impl Fn(&mut L),
    sleep: impl Fn(Duration),
) -> Result<(), L::Error> {
    let mut transport = Transport::new(transport);
    let mut got = Got::Nothing;
    loop {
        let now = clock();
        let Step { want, deadline, .. } = conn.step(now, got);
        if !transport.is_ready(&want) {
            sleep(deadline.map_or(Duration::ZERO, |at| at.saturating_sub(now.tick)));
            got = Got::Nothing;
            continue;
        }
        got = match want {
            Want::Read(into) => transport.read(into),
            Want::Write(from) => transport.write(from),
            Want::ReadFile { file, at, into } => files.fill(file, at, into),
            Want::Copy { file, at, len } => transport.copy(files, file, at, len),
            Want::WriteFile { file, from } => files.answer_write(file, from),
            Want::Commit { file } => Got::Committed(files.commit(file)),
            Want::Ask(ask) => files.answer(ask),
            Want::Wait => {
                let left = deadline.map_or(WAIT_INTERVAL, |at| at.saturating_sub(now.tick));
                sleep(left.min(WAIT_INTERVAL));
                Got::Woken
            }
            Want::Upgrade => unreachable!("no upgrade is allowed"),
            Want::Log(lines) => {
                log(lines);
                Got::Nothing
            }
            Want::Shutdown => {
                transport.flush();
                shutdown(transport.inner);
                Got::Nothing
            }
            Want::Close => return transport.end(),
        };
    }
}

/// Answers the wants that concern the transport.
struct Transport<'a, L: ErrorType> {
    inner: &'a mut L,
    /// Whether something was written and not flushed.
    unflushed: bool,
    failure: Result<(), L::Error>,
}

impl<'a, L: Read + Write> Transport<'a, L> {
    fn new(inner: &'a mut L) -> Transport<'a, L> {
        Transport {
            inner,
            unflushed: false,
            failure: Ok(()),
        }
    }

    /// Flushes, because the peer may be waiting for that, and reads.
    fn read<F>(&mut self, into: &mut [u8]) -> Got<F> {
        self.flush();
        if self.failure.is_err() {
            return Got::Failed;
        }
        let read = self.inner.read(into);
        self.answer(read)
    }

    fn write<F>(&mut self, from: &[u8]) -> Got<F> {
        self.unflushed = true;
        let written = self.inner.write(from);
        self.answer(written)
    }

    /// Sends a piece of a file. No transport takes files by reference, so the piece is read into memory.
    fn copy<F: FileSystem>(
        &mut self,
        files: &F,
        file: &mut F::File,
        at: u64,
        len: u64,
    ) -> Got<F::File> {
        let mut chunk = [0; COPY_CHUNK];
        let len = COPY_CHUNK.min(usize::try_from(len).unwrap_or(COPY_CHUNK));
        match files.read(file, at, &mut chunk[..len]) {
            Ok(0) => Got::Bytes(0),
            Ok(n) => self.write(&chunk[..n]),
            Err(_) => Got::Failed,
        }
    }

    fn flush(&mut self) {
        if mem::take(&mut self.unflushed)
            && let Err(error) = self.inner.flush()
        {
            self.failure = Err(error);
        }
    }

    /// Returns the error of the transport, if there was one.
    fn end(mut self) -> Result<(), L::Error> {
        self.flush();
        self.failure
    }

    fn answer<F>(&mut self, result: Result<usize, L::Error>) -> Got<F> {
        match result {
            Ok(n) => Got::Bytes(n),
            Err(error) => match error.kind() {
                ErrorKind::Interrupted | ErrorKind::TimedOut => Got::Nothing,
                _ => {
                    self.failure = Err(error);
                    Got::Failed
                }
            },
        }
    }
}

impl<L: Read + Write + ReadReady + WriteReady> Transport<'_, L> {
    /// Returns whether the operation would not block. If the transport cannot say, the operation itself will
    /// return the error.
    fn is_ready<F>(&mut self, want: &Want<'_, F>) -> bool {
        match want {
            Want::Read(_) => {
                self.flush();
                self.inner.read_ready().unwrap_or(true)
            }
            Want::Write(_) | Want::Copy { .. } => self.inner.write_ready().unwrap_or(true),
            _ => true,
        }
    }
}

/// The number of bytes read from a file at a time; small, because the buffer is on the stack.
const COPY_CHUNK: usize = 512;

/// How often a waiting handler is asked again, because nothing can wake it.
pub(crate) const WAIT_INTERVAL: Duration = Duration::from_millis(10);
