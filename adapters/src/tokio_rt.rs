//! The tokio adapter: serves each connection as a task, with any [`FileSystem`] or [`AsyncFileSystem`].
//!
//! `connection_stream` reads and writes, `file_access` makes the calls of the file system, `processes` runs CGI
//! processes. [`HTTPServer`] listens and shuts down, `accept_loop` accepts. All of them need of the operating system
//! only what `system` has, so that the whole server can be simulated.

mod accept_loop;
mod async_file_system;
mod connection_slot;
mod connection_stream;
mod file_access;
#[cfg(unix)]
mod processes;
mod read_write;
mod server;
#[cfg(all(test, unix))]
mod simulation;
mod stop_signal;
mod system;
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

pub use self::async_file_system::AsyncFileSystem;
use self::connection_slot::ConnectionSlot;
use self::connection_stream::ConnectionStream;
use self::file_access::{AsyncFiles, BlockingFiles, FileAccess};
pub use self::server::{HTTPServer, Stopper};
use self::stop_signal::StopSignal;
use self::system::Socket;
pub use self::transport::Transport;
pub use self::upgraded::UpgradedStream;
use crate::blocking::{PhaseObserver, handshake_timeout, now};
use crate::recording::{Call, ConnectionRecorder};

/// Serves one connection until it ends.
///
/// `transport` is a [`TcpStream`](::tokio::net::TcpStream), or the result of [`Transport::new`] for another
/// stream. `files` is a [`Disk`](crate::Disk), [`NoFiles`](crate::NoFiles), or any other [`FileSystem`]. Calls
/// that its [`try_answer`](FileSystem::try_answer) and [`try_fill`](FileSystem::try_fill) cannot answer are
/// made on a blocking thread ([`spawn_blocking`](::tokio::task::spawn_blocking)). A CGI process takes no thread
/// while it runs.
///
/// `log` receives finished lines, each ended by a newline, and must not block. Once `stop` is `true`, the
/// current reply is the last one, and a connection that waits for a request ends.
///
/// The future is [`Send`] and holds no buffer: an idle connection takes little more memory than its socket. It
/// needs a runtime with I/O and timers enabled. Dropping it cuts off the connection.
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
/// The error of the transport. A peer that disconnects also causes one, which is normal.
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
    let files = BlockingFiles::new(Arc::clone(files));
    serve_connection(
        ConnectionStream::new(transport.into().0),
        files,
        config.into(),
        handler,
        log,
        StopSignal::Watched(stop),
        ServerContext::none(),
    )
}

/// Serves one connection until it ends, with a file system whose methods are asynchronous. Everything else is
/// as for [`serve`].
///
/// # Errors
/// The errors of [`serve`].
pub fn serve_async<FS: AsyncFileSystem, H: Handler + Send>(
    transport: impl Into<Transport>,
    files: &Arc<FS>,
    config: impl Into<Arc<Config>>,
    handler: H,
    log: &(dyn Fn(&str) + Sync),
    stop: watch::Receiver<bool>,
) -> impl Future<Output = io::Result<()>> + Send {
    let files = AsyncFiles(Arc::clone(files));
    serve_connection(
        ConnectionStream::new(transport.into().0),
        files,
        config.into(),
        handler,
        log,
        StopSignal::Watched(stop),
        ServerContext::none(),
    )
}

/// Serves one connection as [`serve`] does, and lets its handler take over the connection
/// ([`Next::Upgrade`](sanserve_core::Next::Upgrade)): `upgrade` is then called with the handler and the stream,
/// and its future runs in place of the connection. The deadlines of HTTP no longer apply then.
///
/// # Errors
/// The errors of [`serve`].
pub fn serve_with_upgrade<H: Handler + Send, U: Future<Output = ()> + Send>(
    transport: impl Into<Transport>,
    files: &Arc<impl FileSystem<File: Send + 'static> + Send + Sync + 'static>,
    config: impl Into<Arc<Config>>,
    handler: H,
    log: &(dyn Fn(&str) + Sync),
    stop: watch::Receiver<bool>,
    upgrade: impl FnOnce(H, UpgradedStream) -> U + Send,
) -> impl Future<Output = io::Result<()>> + Send {
    let context = ServerContext {
        slot: None,
        // Boxed, because the future of an ordinary connection should have no space for it.
        upgrade: Some(|handler, stream| Box::pin(upgrade(handler, stream))),
        recorder: ConnectionRecorder::default(),
    };
    let files = BlockingFiles::new(Arc::clone(files));
    let stream = ConnectionStream::new(transport.into().0);
    let stop = StopSignal::Watched(stop);
    serve_connection(stream, files, config.into(), handler, log, stop, context)
}

/// What a connection needs from its server.
struct ServerContext<U> {
    /// Its slot, by which it can be evicted.
    slot: Option<ConnectionSlot>,
    /// Takes over the connection if it is upgraded.
    upgrade: Option<U>,
    recorder: ConnectionRecorder,
}

impl<H> ServerContext<fn(H, UpgradedStream) -> Ready<()>> {
    fn none() -> Self {
        ServerContext {
            slot: None,
            upgrade: None,
            recorder: ConnectionRecorder::default(),
        }
    }
}

/// Serves one connection, with or without a server.
fn serve_connection<S: Socket, A: FileAccess, H: Handler + Send, U: Future<Output = ()> + Send>(
    mut transport: ConnectionStream<S>,
    files: A,
    config: Arc<Config>,
    handler: H,
    log: &(dyn Fn(&str) + Sync),
    mut stop: StopSignal,
    context: ServerContext<impl FnOnce(H, UpgradedStream) -> U + Send>,
) -> impl Future<Output = io::Result<()>> + Send {
    let prepared = transport.prepare();
    // Made outside the future, which would otherwise have space for both the arguments and the connection.
    let peer = prepared.as_deref().unwrap_or_default();
    let mut conn = Connection::<A::Handle, H>::new(Arc::clone(&config), peer, handler);
    let ServerContext {
        slot,
        upgrade,
        mut recorder,
    } = context;
    if upgrade.is_some() {
        recorder.called(Call::AllowUpgrade);
        conn.allow_upgrade();
    }
    async move {
        prepared?;
        let of_slot = slot.as_ref().map(|slot| Arc::clone(&slot.signals));
        let signals = of_slot.unwrap_or_default();
        conn.set_waker(Waker::from(Arc::clone(&signals)));
        let clock = Clock(Instant::now());
        let on_phase = |phase| slot.iter().for_each(|slot| slot.set_phase(phase));
        let mut observer = PhaseObserver::new(on_phase);
        let mut got = Got::Nothing;
        loop {
            if stop.is_given() {
                recorder.called(Call::Finish);
                conn.finish();
            }
            #[cfg(unix)]
            if conn.awaits_work()
                && let Some(hang_up) = transport.hang_up()
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
            transport.report_delivery(&mut conn, now);
            let handshake = transport
                .is_handshaking()
                .then(|| handshake_timeout(&config.timeouts));
            if handshake.is_some_and(|deadline| deadline <= now.tick) {
                return transport.end();
            }
            recorder.record(&mut conn, now, &mut got);
            let Step {
                want,
                deadline,
                phase,
                ..
            } = conn.step(now, got);
            if let Want::Close = want {
                recorder.end(&mut conn, now);
                return transport.end();
            }
            if let Want::Upgrade = want {
                recorder.end(&mut conn, now);
                let Upgraded { handler, received } = conn.into_upgraded();
                if let Some(upgrade) = upgrade {
                    upgrade(handler, transport.into_stream(received)).await;
                }
                return Ok(());
            }
            recorder.waits_until(deadline);
            let deadline = deadline.into_iter().chain(handshake).min();
            observer.update(phase, deadline, handshake.is_some());
            let mut is_evicted = false;
            let work = async {
                match want {
                    Want::Read(into) => tokio::select! {
                        biased;
                        got = transport.read(into) => got,
                        () = stop.given() => Got::Nothing,
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
                        () = stop.given() => Got::Nothing,
                        // Checks from time to time whether the peer is still connected.
                        () = tokio::time::sleep(PEER_CHECK_INTERVAL) => Got::Nothing,
                    },
                    Want::Ask(ask) => files.answer::<S>(ask, transport.sends_files()).await,
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
            got = clock.run_until(deadline, work).await;
            if is_evicted {
                // A request may have arrived of which the runtime has not told yet.
                if !transport.has_unread() {
                    return transport.end();
                }
                signals.keep();
            }
        }
    }
}

/// How often a connection checks whether its peer is still connected, while its handler waits.
const PEER_CHECK_INTERVAL: Duration = Duration::from_secs(1);

/// A monotonic clock. Its start is tick zero.
struct Clock(Instant);

impl Clock {
    fn now(&self) -> Now {
        now(self.0.elapsed())
    }

    /// Runs `work` until its deadline, and drops it then.
    async fn run_until<F>(
        &self,
        deadline: Option<Duration>,
        work: impl Future<Output = Got<F>>,
    ) -> Got<F> {
        match deadline.and_then(|deadline| self.0.checked_add(deadline)) {
            Some(deadline) => timeout_at(deadline, work).await.unwrap_or(Got::Nothing),
            None => work.await,
        }
    }
}
