//! A connection over a socket of [`std::net`], its files from any [`FileSystem`]: the blocking loop.
//!
//! It serves one connection, on the thread that calls it. Listening, threads and the end of it all
//! are left to [servers](crate::ThreadingHTTPServer).

mod log_output;
mod log_queue;
mod thread_waker;
mod transport;

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use sanserve_core::{
    Config, Connection, FileSystem, Got, Handler, Now, Phase, Step, Timeouts, Upgraded, Want,
};

use self::log_output::LogOutput;
use self::log_queue::LogQueue;
pub(crate) use self::thread_waker::ThreadWaker;
pub use self::transport::Transport;
use crate::UpgradedStream;
use crate::ask;
#[cfg(unix)]
use crate::delivery;
#[cfg(unix)]
use crate::hang_up::HangUp;

/// Serves one connection until it ends.
///
/// `transport` is a [`TcpStream`](std::net::TcpStream) by reference, or what
#[cfg_attr(feature = "tls", doc = "[`Transport::tls`]")]
#[cfg_attr(not(feature = "tls"), doc = "`Transport::tls`")]
/// makes of one. `files` is a [`Disk`](crate::Disk), [`NoFiles`](crate::NoFiles), or any other [`FileSystem`].
///
/// `log` is given finished lines, each ended by a newline; [`stderr`] is such a function. Once
/// `stop` is set the running reply is the last one. It is looked at between two operations, so
/// whoever sets it should also wake a connection that waits for a request, by a shutdown of the
/// socket's reading side. A script whose client goes is ended.
///
/// ```
/// use std::net::{TcpListener, TcpStream};
/// use std::sync::atomic::AtomicBool;
///
/// use sanserve_server::{Disk, blocking::{serve, stderr}};
/// use sanserve_core::{Config, Files};
///
/// # fn main() -> std::io::Result<()> {
/// let (disk, stop) = (Disk::open(".")?, AtomicBool::new(false));
/// let listener = TcpListener::bind("127.0.0.1:0")?;
/// # let client = TcpStream::connect(listener.local_addr()?)?;
/// # client.shutdown(std::net::Shutdown::Write)?;
/// let (socket, _) = listener.accept()?;
/// serve(&socket, &disk, Config::default(), Files::new(), &stderr, &stop)?;
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// What went wrong with the transport. A peer that goes away is such an error too, and nothing to worry
/// about.
pub fn serve<'a, H: Handler>(
    transport: impl Into<Transport<'a>>,
    files: &impl FileSystem,
    config: impl Into<Arc<Config>>,
    handler: H,
    log: &dyn Fn(&str),
    stop: &AtomicBool,
) -> io::Result<()> {
    serve_noted(transport, files, config, handler, log, stop, &|_| ()).map(drop)
}

/// Serves one connection as [`serve`] does, and lets its handler take the connection over
/// ([`Next::Upgrade`](sanserve_core::Next::Upgrade)): then `upgrade` is called with the handler and the transport, on the same
/// thread, and this returns when it does. No deadline of HTTP holds any more.
///
/// # Errors
/// Those of [`serve`], or that of preparing the socket for `upgrade`.
pub fn serve_with_upgrade<'a, H: Handler>(
    transport: impl Into<Transport<'a>>,
    files: &impl FileSystem,
    config: impl Into<Arc<Config>>,
    handler: H,
    log: &dyn Fn(&str),
    stop: &AtomicBool,
    upgrade: impl FnOnce(H, UpgradedStream),
) -> io::Result<()> {
    let mut transport = transport.into();
    transport.allow_upgrade();
    if let Some((handler, stream)) =
        serve_noted(transport, files, config, handler, log, stop, &|_| ())?
    {
        upgrade(handler, stream);
    }
    Ok(())
}

/// The same for a server that takes note of what the connection does, whenever that changes. Returns the transport if the
/// handler has taken it over.
pub(crate) fn serve_noted<'a, FS: FileSystem, H: Handler>(
    transport: impl Into<Transport<'a>>,
    files: &FS,
    config: impl Into<Arc<Config>>,
    handler: H,
    log: &dyn Fn(&str),
    stop: &AtomicBool,
    note: &dyn Fn(Phase),
) -> io::Result<Option<(H, UpgradedStream)>> {
    let mut transport = transport.into();
    let peer = transport.begin()?.to_string();
    let config = config.into();
    let mut conn = Connection::<FS::File, H>::new(Arc::clone(&config), &peer, handler);
    let waker = ThreadWaker::new();
    conn.set_waker(waker.waker());
    if transport.is_upgradable() {
        conn.allow_upgrade();
    }
    let clock = Clock::start();
    let mut changes = Changes::new(note);
    let mut got = Got::Nothing;
    loop {
        if stop.load(Ordering::Relaxed) {
            conn.finish();
        }
        #[cfg(unix)]
        if conn.awaits_work()
            && let Some(hang_up) = transport.hang_up()
            // The server may have closed the side of the peer itself.
            && (hang_up == HangUp::Reset || !stop.load(Ordering::Relaxed))
        {
            got = hang_up.notify(&mut conn, got);
        }
        if transport.is_plain() {
            conn.without_tls();
        }
        let now = clock.now();
        #[cfg(unix)]
        delivery::report(&mut conn, now, transport.socket());
        let handshake = transport
            .is_handshaking()
            .then(|| handshake_time(&config.timeouts));
        if handshake.is_some_and(|by| by <= now.tick) {
            return transport.end().map(|()| None);
        }
        let Step {
            want,
            deadline: by,
            phase,
            ..
        } = conn.step(now, got);
        let by = by.into_iter().chain(handshake).min();
        changes.see(phase, by, handshake.is_some());
        let left = by.map(|by| by.saturating_sub(now.tick));
        got = match want {
            Want::Read(into) => transport.read(into, left),
            Want::Write(from) => transport.write(from, left),
            Want::ReadFile { file, at, into } => files.fill(file, at, into),
            Want::Copy { file, at, len } => transport.copy(files, file, at, len, left),
            Want::WriteFile { file, from } => files.answer_write(file, from),
            Want::Commit { file } => Got::Committed(files.commit(file)),
            Want::Ask(ask) => ask::answer(files, ask),
            Want::Wait => waker.wait(left),
            Want::Upgrade => {
                let Upgraded { handler, received } = conn.into_upgraded();
                return Ok(Some((handler, transport.into_stream(received)?)));
            }
            Want::Log(lines) => {
                log(lines);
                Got::Nothing
            }
            Want::Shutdown => {
                transport.shutdown();
                Got::Nothing
            }
            Want::Close => return transport.end().map(|()| None),
        };
    }
}

/// Writes log lines to standard error without ever waiting for its reader.
///
/// As long as standard error takes them they are written at once. Otherwise up to 1 MiB is queued, in
/// order, for a thread that writes it. Lines for which there is no room, or that cannot be written at
/// all, are dropped, and a later line says how many. [`flush_stderr`] waits for the queue.
///
/// What standard error is, is determined at the first call.
pub fn stderr(lines: &str) {
    if let Some(log) = &*STDERR {
        log.push(lines);
    }
}

/// Waits until the lines given to [`stderr`] are written, but no longer than this: to be called
/// before the process ends, which does not wait for them.
pub fn flush_stderr(within: Duration) {
    if let Some(log) = &*STDERR {
        log.flush(within);
    }
}

/// None if there was no descriptor for it.
static STDERR: LazyLock<Option<Arc<LogQueue>>> =
    LazyLock::new(|| LogOutput::stderr().ok().map(LogQueue::new));

/// How long a handshake may take, from the moment when the connection is accepted: as long as a head,
/// however it drips.
pub(crate) fn handshake_time(timeouts: &Timeouts) -> Duration {
    timeouts.head.min(timeouts.idle)
}

/// Tells a server what a connection does, when that changes.
pub(crate) struct Changes<N> {
    note: N,
    last: (Phase, Option<Duration>),
}

impl<N: Fn(Phase)> Changes<N> {
    pub(crate) fn new(note: N) -> Changes<N> {
        Changes {
            note,
            last: (Phase::Busy, None),
        }
    }

    /// The connection is in this phase until then. With a new deadline it has begun to be idle, or a
    /// head, anew. A handshake is like part of a head: nothing can be said before it.
    pub(crate) fn see(&mut self, phase: Phase, by: Option<Duration>, is_handshaking: bool) {
        let next = match phase {
            Phase::Idle if is_handshaking => (Phase::Head, by),
            Phase::Busy => (Phase::Busy, None),
            phase => (phase, by),
        };
        if next != self.last {
            self.last = next;
            (self.note)(next.0);
        }
    }
}

/// Its start is the zero of all ticks.
pub(crate) struct Clock(Instant);

impl Clock {
    pub(crate) fn start() -> Clock {
        Clock(Instant::now())
    }

    pub(crate) fn now(&self) -> Now {
        now(self.0.elapsed())
    }
}

/// What time it is, by the date of this machine, and so long after a clock's start.
pub(crate) fn now(tick: Duration) -> Now {
    let unix = SystemTime::now().duration_since(UNIX_EPOCH);
    Now {
        tick,
        unix: unix.ok().map(|unix| unix.as_secs() as i64),
    }
}

/// For send(2): it neither waits nor raises `SIGPIPE`. On Apple's systems sockets have an option for the latter.
#[cfg(all(unix, not(target_vendor = "apple")))]
pub(crate) const SEND_NOW: rustix::net::SendFlags =
    rustix::net::SendFlags::DONTWAIT.union(rustix::net::SendFlags::NOSIGNAL);
#[cfg(all(unix, target_vendor = "apple"))]
pub(crate) const SEND_NOW: rustix::net::SendFlags = rustix::net::SendFlags::DONTWAIT;
