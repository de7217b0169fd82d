//! The blocking adapter: [`serve`] serves one connection over a socket of [`std::net`], on the calling thread, with any
//! [`FileSystem`], and [`stderr`] writes its log lines without waiting. Other adapters use its clock and its observer
//! of phases.
//!
//! Listening, threads and shutdown are the task of the [servers](crate::ThreadingHTTPServer).

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
use crate::recording::Call;

/// Serves one connection until it ends.
///
/// `transport` is a reference to a [`TcpStream`](std::net::TcpStream), or what
#[cfg_attr(feature = "tls", doc = "[`Transport::tls`]")]
#[cfg_attr(not(feature = "tls"), doc = "`Transport::tls`")]
/// returns for one. `files` is a [`Disk`](crate::Disk), [`NoFiles`](crate::NoFiles), or any other [`FileSystem`].
///
/// `log` receives finished lines, each ended by a newline; [`stderr`] is such a function. Once `stop` is set,
/// the current reply is the last one. It is checked between two operations, so to wake a connection that waits
/// for a request, also shut down the reading side of its socket. When a client disconnects, its CGI script is
/// ended.
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
/// The error of the transport. A peer that disconnects also causes one, which is normal.
pub fn serve<'a, H: Handler>(
    transport: impl Into<Transport<'a>>,
    files: &impl FileSystem,
    config: impl Into<Arc<Config>>,
    handler: H,
    log: &dyn Fn(&str),
    stop: &AtomicBool,
) -> io::Result<()> {
    serve_observed(transport, files, config, handler, log, stop, &|_| ()).map(drop)
}

/// Serves one connection as [`serve`] does, and lets its handler take over the connection
/// ([`Next::Upgrade`](sanserve_core::Next::Upgrade)): `upgrade` is then called with the handler and the stream,
/// on the same thread, and this function returns when it does. The deadlines of HTTP no longer apply then.
///
/// # Errors
/// The errors of [`serve`], or an error while the socket is prepared for `upgrade`.
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
        serve_observed(transport, files, config, handler, log, stop, &|_| ())?
    {
        upgrade(handler, stream);
    }
    Ok(())
}

/// Serves one connection as [`serve`] does, and calls `on_phase` whenever its phase changes. Returns the
/// handler and the stream if the connection was upgraded.
pub(crate) fn serve_observed<'a, FS: FileSystem, H: Handler>(
    transport: impl Into<Transport<'a>>,
    files: &FS,
    config: impl Into<Arc<Config>>,
    handler: H,
    log: &dyn Fn(&str),
    stop: &AtomicBool,
    on_phase: &dyn Fn(Phase),
) -> io::Result<Option<(H, UpgradedStream)>> {
    let mut transport = transport.into();
    let peer = transport.prepare()?.to_string();
    let config = config.into();
    let mut conn = Connection::<FS::File, H>::new(Arc::clone(&config), &peer, handler);
    let waker = ThreadWaker::new();
    conn.set_waker(waker.waker());
    let mut recorder = transport.recorder(&peer, &config);
    if transport.is_upgradable() {
        recorder.called(Call::AllowUpgrade);
        conn.allow_upgrade();
    }
    let clock = Clock::start();
    let mut observer = PhaseObserver::new(on_phase);
    let mut got = Got::Nothing;
    loop {
        if stop.load(Ordering::Relaxed) {
            recorder.called(Call::Finish);
            conn.finish();
        }
        #[cfg(unix)]
        if conn.awaits_work()
            && let Some(hang_up) = transport.hang_up()
            // The server may have shut down the reading side itself.
            && (hang_up == HangUp::Reset || !stop.load(Ordering::Relaxed))
        {
            recorder.called(hang_up.call());
            got = hang_up.notify(&mut conn, got);
        }
        if let Some(client) = transport.take_client() {
            conn.set_peer(&client.to_string());
        }
        if transport.is_plain() {
            recorder.called(Call::WithoutTls);
            conn.without_tls();
        }
        let now = clock.now();
        #[cfg(unix)]
        delivery::report(&mut conn, now, transport.socket());
        let handshake = transport
            .is_handshaking()
            .then(|| handshake_timeout(&config.timeouts));
        if handshake.is_some_and(|deadline| deadline <= now.tick) {
            return transport.end().map(|()| None);
        }
        recorder.record(&mut conn, now, &mut got);
        let Step {
            want,
            deadline,
            phase,
            ..
        } = conn.step(now, got);
        recorder.waits_until(deadline);
        let deadline = deadline.into_iter().chain(handshake).min();
        observer.update(phase, deadline, handshake.is_some());
        let left = deadline.map(|deadline| deadline.saturating_sub(now.tick));
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
                recorder.end(&mut conn, now);
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
            Want::Close => {
                recorder.end(&mut conn, now);
                return transport.end().map(|()| None);
            }
        };
    }
}

/// Writes log lines to standard error, and never waits for its reader.
///
/// As long as standard error accepts them, lines are written immediately. Otherwise up to 1 MiB is queued, in
/// order, for a thread that writes it. Lines that find no room, or that cannot be written at all, are dropped,
/// and a later line says how many. [`flush_stderr`] waits for the queue.
///
/// The first call determines what kind of file standard error is.
pub fn stderr(lines: &str) {
    if let Some(log) = &*STDERR {
        log.push(lines);
    }
}

/// Waits until the lines passed to [`stderr`] are written, for at most `within`. Call it before the process
/// ends, because that does not wait for them.
pub fn flush_stderr(within: Duration) {
    if let Some(log) = &*STDERR {
        log.flush(within);
    }
}

/// `None` if no descriptor was available.
static STDERR: LazyLock<Option<Arc<LogQueue>>> =
    LazyLock::new(|| LogOutput::stderr().ok().map(LogQueue::new));

/// Returns the maximum duration of a TLS handshake, counted from when the connection was accepted: the timeout of a
/// request head, or of an idle connection if that is shorter.
pub(crate) fn handshake_timeout(timeouts: &Timeouts) -> Duration {
    timeouts.head.min(timeouts.idle)
}

/// Calls a function when the phase of a connection changes.
pub(crate) struct PhaseObserver<N> {
    on_phase: N,
    last: (Phase, Option<Duration>),
}

impl<N: Fn(Phase)> PhaseObserver<N> {
    pub(crate) fn new(on_phase: N) -> PhaseObserver<N> {
        PhaseObserver {
            on_phase,
            last: (Phase::Busy, None),
        }
    }

    /// Reports a phase and its deadline. A new deadline means that the connection has become idle again, or has
    /// begun another head. A handshake counts as part of a head, because no reply can be sent before it ends.
    pub(crate) fn update(
        &mut self,
        phase: Phase,
        deadline: Option<Duration>,
        is_handshaking: bool,
    ) {
        let next = match phase {
            Phase::Idle if is_handshaking => (Phase::Head, deadline),
            Phase::Busy => (Phase::Busy, None),
            phase => (phase, deadline),
        };
        if next != self.last {
            self.last = next;
            (self.on_phase)(next.0);
        }
    }
}

/// A monotonic clock. Its start is tick zero.
pub(crate) struct Clock(Instant);

impl Clock {
    pub(crate) fn start() -> Clock {
        Clock(Instant::now())
    }

    pub(crate) fn now(&self) -> Now {
        now(self.0.elapsed())
    }
}

/// Returns the current date, with the time since the start of a clock.
pub(crate) fn now(tick: Duration) -> Now {
    let unix = SystemTime::now().duration_since(UNIX_EPOCH);
    Now {
        tick,
        unix: unix.ok().map(|unix| unix.as_secs() as i64),
    }
}

/// Flags for send(2): do not wait, and do not raise `SIGPIPE`. On Apple's systems the latter is a socket option.
#[cfg(all(unix, not(target_vendor = "apple")))]
pub(crate) const SEND_FLAGS: rustix::net::SendFlags =
    rustix::net::SendFlags::DONTWAIT.union(rustix::net::SendFlags::NOSIGNAL);
#[cfg(all(unix, target_vendor = "apple"))]
pub(crate) const SEND_FLAGS: rustix::net::SendFlags = rustix::net::SendFlags::DONTWAIT;
