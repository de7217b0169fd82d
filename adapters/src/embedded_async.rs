//! A connection over a transport of [`embedded-io-async`](::embedded_io_async), its files from anything:
//! the loop for embassy, RTIC, and whatever else polls futures without an operating system.
//!
//! Deadlines need something that sleeps, and there is no trait for it that all of these share, so it
//! is a function of the caller's. Files are taken to be at hand: a [`FileSystem`] does not wait.

use core::time::Duration;

use embassy_futures::select::{Either, select};
use embedded_io_async::{Error, ErrorKind, ErrorType, Read, Write};
use sanserve_core::{Connection, FileSystem, Got, Handler, Now, Step, Want};

use crate::embedded::MOMENT;

/// Serves one connection until it ends.
///
/// `clock` tells the time, `log` is given finished lines, each ended by a newline. `shutdown` tells
/// the peer that nothing more will come, as far as the transport has a way to: `|socket| socket.close()`,
/// or `|_| ()` for a serial line. `sleep` waits for so long:
///
/// ```text
/// async |left| embassy_time::Timer::after_millis(left.as_millis() as u64).await  // embassy
/// async |left| Mono::delay(left.as_millis().fugit_millis()).await                // RTIC
/// async |left| delay.clone().delay_ms(left.as_millis() as u32).await             // DelayNs
/// ```
///
/// An operation that has not ended by then is dropped. The transport must have moved nothing in that
/// case: its reads have to be free of side effects on cancel, as embedded-io-async recommends. Writes
/// need not, for after a write that is dropped nothing more is written.
///
/// # Errors
/// What went wrong with the transport. A peer that goes away is such an error too, and nothing to worry
/// about.
pub async fn serve<L: Read + Write, F: FileSystem, H: Handler>(
    conn: &mut Connection<F::File, H>,
    transport: &mut L,
    files: &F,
    clock: impl Fn() -> Now,
    log: impl Fn(&str),
    shutdown: impl Fn(&mut L),
    sleep: impl AsyncFn(Duration),
) -> Result<(), L::Error> {
    let mut transport = Transport {
        transport,
        held: false,
        failure: Ok(()),
    };
    let mut got = Got::Nothing;
    loop {
        let now = clock();
        let Step {
            want, deadline: by, ..
        } = conn.step(now, got);
        let left = by.map_or(Duration::MAX, |by| by.saturating_sub(now.tick));
        got = match want {
            Want::Read(into) => within(sleep(left), transport.read(into)).await,
            Want::Write(from) => within(sleep(left), transport.write(from)).await,
            Want::ReadFile { file, at, into } => files.fill(file, at, into),
            Want::Copy { file, at, len } => {
                within(sleep(left), transport.copy(files, file, at, len)).await
            }
            Want::WriteFile { file, from } => files.answer_write(file, from),
            Want::Commit { file } => Got::Committed(files.commit(file)),
            Want::Ask(ask) => files.answer(ask),
            Want::Wait => {
                sleep(left.min(MOMENT)).await;
                Got::Woken
            }
            Want::Upgrade => unreachable!("no upgrade is allowed"),
            Want::Log(lines) => {
                log(lines);
                Got::Nothing
            }
            Want::Shutdown => {
                let flushed = within(sleep(FLUSH), transport.flush()).await;
                shutdown(transport.transport);
                flushed
            }
            Want::Close => {
                within::<F::File>(sleep(FLUSH), transport.flush()).await;
                return transport.failure;
            }
        };
    }
}

/// What came of it, unless the time is over first.
async fn within<F>(time: impl Future<Output = ()>, work: impl Future<Output = Got<F>>) -> Got<F> {
    match select(work, time).await {
        Either::First(got) => got,
        Either::Second(()) => Got::Nothing,
    }
}

/// A transport that speaks the connection's language.
struct Transport<'a, L: ErrorType> {
    transport: &'a mut L,
    /// Something was written and not flushed.
    held: bool,
    failure: Result<(), L::Error>,
}

impl<L: Read + Write> Transport<'_, L> {
    /// Reads, and before that hands over what the peer may be waiting for.
    async fn read<F>(&mut self, into: &mut [u8]) -> Got<F> {
        if let Got::Failed = self.flush::<F>().await {
            return Got::Failed;
        }
        let read = self.transport.read(into).await;
        self.told(read)
    }

    async fn write<F>(&mut self, from: &[u8]) -> Got<F> {
        self.held = true;
        let written = self.transport.write(from).await;
        self.told(written)
    }

    /// Sends a piece of a file. No transport takes a file by reference, so it is read.
    async fn copy<F: FileSystem>(
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
            Ok(n) => self.write(&piece[..n]).await,
            Err(_) => Got::Failed,
        }
    }

    async fn flush<F>(&mut self) -> Got<F> {
        if !self.held {
            return Got::Nothing;
        }
        let flushed = self.transport.flush().await;
        self.held = false;
        self.told(flushed.map(|()| 0))
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

/// Read at once of a file that is to be sent: little, for it lies in the future.
const PIECE: usize = 512;

/// So long what is buffered is waited for at the end.
const FLUSH: Duration = Duration::from_secs(30);
