//! A connection over a transport of [`embedded-io`](::embedded_io), its files from anything: the loops
//! that need no operating system, and no more than a function for a clock.
//!
//! [`serve`] is for transports that only block, [`serve_ready`] for those that can be asked first, and so
//! for whoever needs deadlines. Listening, and what becomes of the transport afterwards, is left to the
//! caller.

use core::mem;
use core::time::Duration;

use embedded_io::{Error, ErrorKind, ErrorType, Read, ReadReady, Write, WriteReady};
use sanserve_core::{Connection, FileSystem, Got, Handler, Now, Step, Want};

/// Serves one connection until it ends, over a transport that blocks.
///
/// A peer that says nothing is waited for as long as the transport waits: the deadlines of the
/// connection are looked at between two operations only. A transport that gives up by itself, with
/// [`ErrorKind::TimedOut`], is asked again until they have passed. When all is told the loop
/// returns, and leaves it to the caller to close the transport: to linger could take for ever.
///
/// `clock` tells the time, `log` is given finished lines, each ended by a newline.
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
/// let clock = || Now::default(); // in truth: since the start, as Now::tick
/// serve(&mut conn, &mut uart, &SITE, clock, |line| print!("{line}"))?;
/// # assert!(uart.1.ends_with(b"\r\n\r\nhello\n"));
/// # Ok::<(), std::convert::Infallible>(())
/// ```
///
/// # Errors
/// What went wrong with the transport. A peer that goes away is such an error too, and nothing to worry
/// about.
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

/// Serves one connection until it ends, over a transport that says whether it would block: all deadlines
/// hold.
///
/// As long as it would, `sleep` is called with the time that is left. It may return early, and will
/// be called again: `|_| cortex_m::asm::wfi()` sleeps until the next interrupt, `|_| ()` asks without
/// a pause. `shutdown` tells the peer that nothing more will come, as far as the transport has a way to:
/// `|socket| socket.close()`, or `|_| ()` for a serial line. The rest is as with [`serve`].
///
/// # Errors
/// As with [`serve`].
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
        let Step {
            want, deadline: by, ..
        } = conn.step(now, got);
        if !transport.is_ready(&want) {
            sleep(by.map_or(Duration::ZERO, |by| by.saturating_sub(now.tick)));
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
                let left = by.map_or(MOMENT, |by| by.saturating_sub(now.tick));
                sleep(left.min(MOMENT));
                Got::Woken
            }
            Want::Upgrade => unreachable!("no upgrade is allowed"),
            Want::Log(lines) => {
                log(lines);
                Got::Nothing
            }
            Want::Shutdown => {
                transport.flush();
                shutdown(transport.transport);
                Got::Nothing
            }
            Want::Close => return transport.end(),
        };
    }
}

/// A transport that speaks the connection's language.
struct Transport<'a, L: ErrorType> {
    transport: &'a mut L,
    /// Something was written and not flushed.
    held: bool,
    failure: Result<(), L::Error>,
}

impl<'a, L: Read + Write> Transport<'a, L> {
    fn new(transport: &'a mut L) -> Transport<'a, L> {
        Transport {
            transport,
            held: false,
            failure: Ok(()),
        }
    }

    /// Reads, and before that hands over what the peer may be waiting for.
    fn read<F>(&mut self, into: &mut [u8]) -> Got<F> {
        self.flush();
        if self.failure.is_err() {
            return Got::Failed;
        }
        let read = self.transport.read(into);
        self.told(read)
    }

    fn write<F>(&mut self, from: &[u8]) -> Got<F> {
        self.held = true;
        let written = self.transport.write(from);
        self.told(written)
    }

    /// Sends a piece of a file. No transport takes a file by reference, so it is read.
    fn copy<F: FileSystem>(
        &mut self,
        files: &F,
        file: &mut F::File,
        at: u64,
        len: u64,
    ) -> Got<F::File> {
        let mut piece = [0; PIECE];
        let len = PIECE.min(usize::try_from(len).unwrap_or(PIECE));
        match files.read(file, at, &mut piece[..len]) {
            Ok(0) => Got::Bytes(0),
            Ok(n) => self.write(&piece[..n]),
            Err(_) => Got::Failed,
        }
    }

    fn flush(&mut self) {
        if mem::take(&mut self.held)
            && let Err(error) = self.transport.flush()
        {
            self.failure = Err(error);
        }
    }

    /// What went wrong, if anything did.
    fn end(mut self) -> Result<(), L::Error> {
        self.flush();
        self.failure
    }

    fn told<F>(&mut self, moved: Result<usize, L::Error>) -> Got<F> {
        match moved {
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
    /// Whether it would not block. If that cannot be told, the operation itself will tell why.
    fn is_ready<F>(&mut self, want: &Want<'_, F>) -> bool {
        match want {
            Want::Read(_) => {
                self.flush();
                self.transport.read_ready().unwrap_or(true)
            }
            Want::Write(_) | Want::Copy { .. } => self.transport.write_ready().unwrap_or(true),
            _ => true,
        }
    }
}

/// Read at once of a file that is to be sent: little, for it lies on the stack.
const PIECE: usize = 512;

/// How long a handler that waits is left alone: nothing can wake it.
pub(crate) const MOMENT: Duration = Duration::from_millis(10);
