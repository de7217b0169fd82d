//! Serves one connection over a transport of [`embedded-io-async`](::embedded_io_async), with any file system:
//! for embassy, RTIC, and everything else that polls futures without an operating system.
//!
//! There is no common trait for timers, so the caller passes a function that sleeps. Calls of the
//! [`FileSystem`] must not block for long, because they run inside the future.

use core::time::Duration;

use embassy_futures::select::{Either, select};
use embedded_io_async::{Error, ErrorKind, ErrorType, Read, Write};
use sanserve_core::{Connection, FileSystem, Got, Handler, Now, Step, Want};

use crate::embedded::WAIT_INTERVAL;

/// Serves one connection until it ends.
///
/// `clock` returns the time; `log` receives finished lines, each ended by a newline. `shutdown` tells the peer
/// that nothing more will come, as far as the transport can: `|socket| socket.close()`, or `|_| ()` for a
/// serial line. `sleep` waits for the given time:
///
/// ```text
/// async |left| embassy_time::Timer::after_millis(left.as_millis() as u64).await  // embassy
/// async |left| Mono::delay(left.as_millis().fugit_millis()).await                // RTIC
/// async |left| delay.clone().delay_ms(left.as_millis() as u32).await             // DelayNs
/// ```
///
/// An operation that has not completed by then is dropped. Reads of the transport must be cancel safe, as
/// embedded-io-async recommends: a dropped read has not taken any bytes. Writes need not be, because nothing is
/// written after a dropped write.
///
/// # Errors
/// The error of the transport. A peer that disconnects also causes one, which is normal.
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
        inner: transport,
        unflushed: false,
        failure: Ok(()),
    };
    let mut got = Got::Nothing;
    loop {
        let now = clock();
        let Step { want, deadline, .. } = conn.step(now, got);
        let left = deadline.map_or(Duration::MAX, |at| at.saturating_sub(now.tick));
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
                sleep(left.min(WAIT_INTERVAL)).await;
                Got::Woken
            }
            Want::Upgrade => unreachable!("no upgrade is allowed"),
            Want::Log(lines) => {
                log(lines);
                Got::Nothing
            }
            Want::Shutdown => {
                let flushed = within(sleep(FLUSH_TIMEOUT), transport.flush()).await;
                shutdown(transport.inner);
                flushed
            }
            Want::Close => {
                within::<F::File>(sleep(FLUSH_TIMEOUT), transport.flush()).await;
                return transport.failure;
            }
        };
    }
}

/// Returns the result of `work`, unless `time` is over first.
async fn within<F>(time: impl Future<Output = ()>, work: impl Future<Output = Got<F>>) -> Got<F> {
    match select(work, time).await {
        Either::First(got) => got,
        Either::Second(()) => Got::Nothing,
    }
}

/// Answers the wants that concern the transport.
struct Transport<'a, L: ErrorType> {
    inner: &'a mut L,
    /// Whether something was written and not flushed.
    unflushed: bool,
    failure: Result<(), L::Error>,
}

impl<L: Read + Write> Transport<'_, L> {
    /// Flushes, because the peer may be waiting for that, and reads.
    async fn read<F>(&mut self, into: &mut [u8]) -> Got<F> {
        if let Got::Failed = self.flush::<F>().await {
            return Got::Failed;
        }
        let read = self.inner.read(into).await;
        self.answer(read)
    }

    async fn write<F>(&mut self, from: &[u8]) -> Got<F> {
        self.unflushed = true;
        let written = self.inner.write(from).await;
        self.answer(written)
    }

    /// Sends a piece of a file. No transport takes files by reference, so the piece is read into memory.
    async fn copy<F: FileSystem>(
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
            Ok(n) => self.write(&chunk[..n]).await,
            Err(_) => Got::Failed,
        }
    }

    async fn flush<F>(&mut self) -> Got<F> {
        if !self.unflushed {
            return Got::Nothing;
        }
        let flushed = self.inner.flush().await;
        self.unflushed = false;
        self.answer(flushed.map(|()| 0))
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

/// The number of bytes read from a file at a time; small, because the buffer is inside the future.
const COPY_CHUNK: usize = 512;

/// How long to wait for the last flush.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(30);
