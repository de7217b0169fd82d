//! A connection as a task of [tokio], its files from any [`FileSystem`] or [`AsyncFileSystem`]: the loop that
//! waits for nothing but its own.
//!
//! What a connection reads and writes is left to the [`Transport`], what it wants of files to `files`,
//! programs to `programs`; listening and the end of it all to the [`HTTPServer`].

mod async_files;
mod files;
#[cfg(unix)]
mod programs;
mod read_write;
mod seat;
mod server;
#[cfg(feature = "tls")]
mod tls;
mod transport;
mod upgraded;

use std::future::{Future, Ready};
use std::io;
use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

use sanserve_core::{
    Config, Connection, FileSystem, Got, Handler, Now, Phase, Step, Upgraded, Want,
};
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

pub use self::async_files::AsyncFileSystem;
use self::files::{Awaited, FileAccess, OnThreads};
use self::seat::Seat;
pub use self::server::{HTTPServer, Stopper};
pub use self::transport::Transport;
pub use self::upgraded::UpgradedStream;
use crate::blocking::{PhaseObserver, handshake_timeout, now};

/// Serves one connection until it ends.
///
/// `transport` is a [`TcpStream`](::tokio::net::TcpStream), or what [`Transport::new`] makes of any other
/// stream. `files` is a [`Disk`](crate::Disk), [`NoFiles`](crate::NoFiles), or any other [`FileSystem`].
/// Where its [`try_answer`](FileSystem::try_answer) and [`try_fill`](FileSystem::try_fill) have
/// nothing to tell it is asked on a thread for work that blocks
/// ([`spawn_blocking`](::tokio::task::spawn_blocking)). What it has set up as a program runs without
/// one.
///
/// `log` is given finished lines, each ended by a newline; it must not take its time. Once `stop`
/// says `true` the running reply is the last one, and a connection that waits for a request ends.
///
/// The future is [`Send`] and holds no buffer: an idle connection costs little more than its socket.
/// It has to run where tokio's I/O and timers are enabled. To drop it breaks the connection off.
///
/// ```
/// use std::sync::Arc;
///
/// use sanserve_server::{Disk, blocking::stderr, tokio_rt::serve};
/// use sanserve_core::{Config, Files};
/// use tokio::net::{TcpListener, TcpStream};
/// use tokio::sync::watch;
///
/// # async fn run() -> std::io::Result<()> {
/// let (disk, (_stop, stopped)) = (Arc::new(Disk::open(".")?), watch::channel(false));
/// let listener = TcpListener::bind("127.0.0.1:0").await?;
/// # drop(TcpStream::connect(listener.local_addr()?).await?);
/// let (socket, _) = listener.accept().await?;
/// let task = tokio::spawn(async move {
///     serve(socket, &disk, Config::default(), Files::new(), &stderr, stopped).await
/// });
/// task.await??;
/// # Ok(())
/// # }
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(run()).unwrap();
/// ```
///
/// # Errors
/// What went wrong with the transport. A peer that goes away is such an error too, and nothing to worry
/// about.
pub fn serve<FS, H: Handler + Send>(
    transport: impl Into<Transport>,
    files: &Arc<FS>,
    config: impl Into<Arc<Config>>,
    handler: H,
    log: &(dyn Fn(&str) + Sync),
    stop: watch::Receiver<bool>,
) -> impl Future<Output = io::Result<()>> + Send
where
    FS: FileSystem<File: Send + 'static> + Send + Sync + 'static,
{
    let files = OnThreads(Arc::clone(files));
    serve_hosted(
        transport,
        files,
        config.into(),
        handler,
        log,
        stop,
        Host::none(),
    )
}

/// Serves one connection until it ends, its files from a file system whose answers are futures. The rest is as with [`serve`].
///
/// # Errors
/// Those of [`serve`].
pub fn serve_async<FS: AsyncFileSystem, H: Handler + Send>(
    transport: impl Into<Transport>,
    files: &Arc<FS>,
    config: impl Into<Arc<Config>>,
    handler: H,
    log: &(dyn Fn(&str) + Sync),
    stop: watch::Receiver<bool>,
) -> impl Future<Output = io::Result<()>> + Send {
    let files = Awaited(Arc::clone(files));
    serve_hosted(
        transport,
        files,
        config.into(),
        handler,
        log,
        stop,
        Host::none(),
    )
}

/// Serves one connection as [`serve`] does, and lets its handler take the connection over
/// ([`Next::Upgrade`](sanserve_core::Next::Upgrade)): then `upgrade` is called with the handler and the transport, and its future is
/// run to its end in place of the connection. No deadline of HTTP holds any more.
///
/// # Errors
/// Those of [`serve`].
pub fn serve_with_upgrade<H: Handler + Send, U: Future<Output = ()> + Send>(
    transport: impl Into<Transport>,
    files: &Arc<impl FileSystem<File: Send + 'static> + Send + Sync + 'static>,
    config: impl Into<Arc<Config>>,
    handler: H,
    log: &(dyn Fn(&str) + Sync),
    stop: watch::Receiver<bool>,
    upgrade: impl FnOnce(H, UpgradedStream) -> U + Send,
) -> impl Future<Output = io::Result<()>> + Send {
    let host = Host {
        seat: None,
        // On the heap, for the future of an ordinary connection has no room for it.
        upgrade: Some(|handler, stream| Box::pin(upgrade(handler, stream))),
    };
    let files = OnThreads(Arc::clone(files));
    serve_hosted(transport, files, config.into(), handler, log, stop, host)
}

/// What a connection has of its server.
struct Host<U> {
    /// From which it can be evicted.
    seat: Option<Seat>,
    /// What takes it over if it is upgraded.
    upgrade: Option<U>,
}

impl<H> Host<fn(H, UpgradedStream) -> Ready<()>> {
    fn none() -> Self {
        Host {
            seat: None,
            upgrade: None,
        }
    }
}

/// The same for a connection of a server.
fn serve_hosted<A: FileAccess, H: Handler + Send, U: Future<Output = ()> + Send>(
    transport: impl Into<Transport>,
    files: A,
    config: Arc<Config>,
    handler: H,
    log: &(dyn Fn(&str) + Sync),
    mut stop: watch::Receiver<bool>,
    host: Host<impl FnOnce(H, UpgradedStream) -> U + Send>,
) -> impl Future<Output = io::Result<()>> + Send {
    let mut transport = transport.into();
    let peer = transport.begin();
    // Made here, for a future has room for what it is given and for what it makes of that.
    let name = peer.as_deref().unwrap_or_default();
    let mut conn = Connection::<A::Held, H>::new(Arc::clone(&config), name, handler);
    let Host { seat, upgrade } = host;
    if upgrade.is_some() {
        conn.allow_upgrade();
    }
    async move {
        peer?;
        let seated = seat.as_ref().map(|seat| Arc::clone(&seat.signals));
        let signals = seated.unwrap_or_default();
        conn.set_waker(Waker::from(Arc::clone(&signals)));
        let clock = Clock(Instant::now());
        let note = |phase| seat.iter().for_each(|seat| seat.note(phase));
        let mut changes = PhaseObserver::new(note);
        let mut got = Got::Nothing;
        loop {
            if *stop.borrow() {
                conn.finish();
            }
            #[cfg(unix)]
            if conn.awaits_work()
                && let Some(hang_up) = transport.hang_up()
            {
                got = hang_up.notify(&mut conn, got);
            }
            if transport.is_plain() {
                conn.without_tls();
            }
            let now = clock.now();
            #[cfg(unix)]
            transport.report_delivery(&mut conn, now);
            let handshake = transport
                .is_handshaking()
                .then(|| handshake_timeout(&config.timeouts));
            if handshake.is_some_and(|by| by <= now.tick) {
                return transport.end();
            }
            let Step {
                want,
                deadline: by,
                phase,
                ..
            } = conn.step(now, got);
            if let Want::Close = want {
                return transport.end();
            }
            if let Want::Upgrade = want {
                let Upgraded { handler, received } = conn.into_upgraded();
                if let Some(upgrade) = upgrade {
                    upgrade(handler, transport.into_stream(received)).await;
                }
                return Ok(());
            }
            let by = by.into_iter().chain(handshake).min();
            changes.update(phase, by, handshake.is_some());
            let mut is_evicted = false;
            let work = async {
                match want {
                    Want::Read(into) => tokio::select! {
                        biased;
                        got = transport.read(into) => got,
                        Ok(()) = stop.changed() => Got::Nothing,
                        () = signals.evicted(), if phase != Phase::Busy => {
                            is_evicted = true;
                            Got::Nothing
                        }
                    },
                    Want::Write(from) => transport.write(from).await,
                    Want::ReadFile { file, at, into } => files.fill(file, at, into).await,
                    Want::Copy { file, at, len } => transport.copy(&files, file, at, len).await,
                    Want::WriteFile { file, from } => files.write(file, from).await,
                    Want::Commit { file } => files.commit(file).await,
                    Want::Wait => tokio::select! {
                        biased;
                        () = signals.woken() => Got::Woken,
                        Ok(()) = stop.changed() => Got::Nothing,
                        // Whether the peer has left is asked now and then.
                        () = tokio::time::sleep(MOMENT) => Got::Nothing,
                    },
                    Want::Ask(ask) => files.answer(ask, transport.sends_files()).await,
                    Want::Log(lines) => {
                        log(lines);
                        Got::Nothing
                    }
                    Want::Shutdown => {
                        transport.shutdown();
                        Got::Nothing
                    }
                    Want::Upgrade | Want::Close => Got::Nothing,
                }
            };
            got = clock.until(by, work).await;
            if is_evicted {
                return transport.end();
            }
        }
    }
}

/// How often a connection looks whether its peer is still there while its handler waits.
const MOMENT: Duration = Duration::from_secs(1);

/// Started with the connection; its moment is the zero of all ticks.
struct Clock(Instant);

impl Clock {
    fn now(&self) -> Now {
        now(self.0.elapsed())
    }

    /// Lets go of the work when its time is over. Nobody asks for what came of it then.
    async fn until<F>(&self, by: Option<Duration>, work: impl Future<Output = Got<F>>) -> Got<F> {
        match by.and_then(|by| self.0.checked_add(by)) {
            Some(by) => timeout_at(by, work).await.unwrap_or(Got::Nothing),
            None => work.await,
        }
    }
}
