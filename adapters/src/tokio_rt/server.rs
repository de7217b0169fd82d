//! [`HTTPServer`]: accepts connections, up to a limit, and serves each as a task of tokio. At the limit it closes an
//! idle connection to make room. A handler may take its connection over for another protocol. [`Stopper`] shuts the
//! server down.

use std::fmt;
use std::future::{Future, Ready};
use std::io::{self, ErrorKind};
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::time::Duration;

use sanserve_core::{Config, FileSystem, Handler};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};

use super::connection_slot::Connections;
use super::file_access::{AsyncFiles, BlockingFiles, FileAccess};
use super::{AsyncFileSystem, ServerContext, Transport, UpgradedStream, serve_connection};
use crate::server::table::EVICTION_TIMEOUT;
use crate::server::{ACCEPT_BACKOFF, connections_default, failure_line, listen};
use crate::{BindError, ListenAddr, blocking};

/// A server with a task for each connection and a limit on their number. It listens as soon as it is created;
/// connections that arrive before it serves wait.
///
/// ```
/// use std::time::Duration;
///
/// use sanserve_server::{Disk, tokio_rt::HTTPServer};
/// use sanserve_core::{Config, Files};
///
/// # #[tokio::main]
/// # async fn main() -> std::io::Result<()> {
/// let disk = Disk::open(".")?;
/// let server = HTTPServer::bind("127.0.0.1:0")?;
/// let stopper = server.stopper();
/// tokio::spawn(async move { stopper.shutdown(Duration::from_secs(10)).await }); // when the server should stop
/// server.serve_forever(disk, Config::default(), Files::new).await
/// # }
/// ```
pub struct HTTPServer {
    listener: TcpListener,
    address: SocketAddr,
    transport: Box<MakeTransport>,
    connections_max: usize,
    log: Arc<dyn Fn(&str) + Send + Sync>,
    /// When replies in progress are cut off, once the server is to stop.
    stop: watch::Sender<Option<Instant>>,
    /// Whether the server is serving.
    serving: watch::Sender<bool>,
}

/// Makes the transport of a socket, with TLS or without.
type MakeTransport = dyn Fn(TcpStream) -> io::Result<Transport> + Send + Sync;

impl HTTPServer {
    /// Listens as [`crate::HTTPServer::bind`] does.
    ///
    /// # Errors
    /// The errors of [`crate::HTTPServer::bind`].
    ///
    /// # Panics
    /// If it is called outside a runtime with I/O.
    pub fn bind(address: impl ToSocketAddrs) -> Result<HTTPServer, BindError> {
        let (listener, address) = listen(address)?;
        let registered = listener
            .set_nonblocking(true)
            .and_then(|()| TcpListener::from_std(listener));
        Ok(HTTPServer {
            address,
            listener: registered.map_err(|error| BindError::new(ListenAddr::Ip(address), error))?,
            transport: Box::new(|socket| Ok(Transport::from(socket))),
            connections_max: connections_default(),
            log: Arc::new(blocking::stderr),
            stop: watch::Sender::new(None),
            serving: watch::Sender::new(false),
        })
    }

    /// Sets the maximum number of connections. When another one arrives, the connection that has been idle
    /// longest is closed, or else the one with the oldest incomplete request head. If all connections have a
    /// reply in progress, the new one waits until one ends. The default is 16,384, or fewer if the system
    /// allows too few file descriptors for that.
    ///
    /// # Panics
    /// If it is 0.
    pub fn with_max_connections(self, connections_max: usize) -> HTTPServer {
        assert!(
            connections_max > 0,
            "a server must allow at least one connection"
        );
        HTTPServer {
            connections_max,
            ..self
        }
    }

    /// Serves HTTPS. The handshake is part of a connection, delays no other connection, and may take as long as
    /// a request head, [`Timeouts::head`](sanserve_core::Timeouts::head), counted from when the connection is
    /// accepted.
    #[cfg(feature = "tls")]
    pub fn with_tls(self, tls: crate::Tls) -> HTTPServer {
        let transport = Box::new(move |socket| Transport::tls(socket, &tls));
        HTTPServer { transport, ..self }
    }

    /// Sets where log lines go, each ended by a newline; by default [standard error](blocking::stderr). The
    /// function is called by many connections at the same time, and must not block.
    pub fn with_log(self, log: impl Fn(&str) + Send + Sync + 'static) -> HTTPServer {
        let log = Arc::new(log);
        HTTPServer { log, ..self }
    }

    /// Returns the address that the server listens on, with the port that was chosen.
    pub fn server_address(&self) -> SocketAddr {
        self.address
    }

    /// Returns the port that the server listens on.
    pub fn server_port(&self) -> u16 {
        self.address.port()
    }

    /// Returns a handle that stops the server from another task or thread.
    pub fn stopper(&self) -> Stopper {
        Stopper {
            stop: self.stop.clone(),
            serving: self.serving.subscribe(),
        }
    }

    /// Serves until the server is stopped, each connection as its own task with its own handler. `files` is a
    /// [`Disk`](crate::Disk), [`NoFiles`](crate::NoFiles) or any other [`FileSystem`], or an [`Arc`] to one.
    /// When it returns, all connections are closed. A handler that panics loses its connection and nothing
    /// else.
    ///
    /// # Errors
    /// Never. All servers have this signature, and others may fail to start.
    pub async fn serve_forever<FS, H: Handler + Send + 'static>(
        self,
        files: FS,
        config: impl Into<Arc<Config>>,
        handler: impl Fn() -> H + Send + Sync + 'static,
    ) -> io::Result<()>
    where
        FS: FileSystem<File: Send + 'static> + Send + Sync + 'static,
    {
        let files = Arc::new(files);
        let access = move || BlockingFiles(Arc::clone(&files));
        let upgrade = None::<Arc<fn(H, UpgradedStream) -> Ready<()>>>;
        self.serve_tasks(access, config.into(), handler, upgrade)
            .await
    }

    /// Serves as [`serve_forever`](Self::serve_forever) does, and lets handlers take over their connections
    /// ([`Next::Upgrade`](sanserve_core::Next::Upgrade)): `upgrade` is then called with the handler and the
    /// stream, and its future runs in the task of the connection. Until it is ready, the connection counts as
    /// one of the server. No deadline of the engine applies to it: how long it takes is up to the new protocol.
    /// When the server is stopped, it may continue; when the grace period is over, it is dropped.
    ///
    /// # Errors
    /// The errors of [`serve_forever`](Self::serve_forever).
    pub async fn serve_with_upgrades<FS, H, U>(
        self,
        files: FS,
        config: impl Into<Arc<Config>>,
        handler: impl Fn() -> H + Send + Sync + 'static,
        upgrade: impl Fn(H, UpgradedStream) -> U + Send + Sync + 'static,
    ) -> io::Result<()>
    where
        FS: FileSystem<File: Send + 'static> + Send + Sync + 'static,
        H: Handler + Send + 'static,
        U: Future<Output = ()> + Send + 'static,
    {
        let files = Arc::new(files);
        let access = move || BlockingFiles(Arc::clone(&files));
        self.serve_tasks(access, config.into(), handler, Some(Arc::new(upgrade)))
            .await
    }

    /// Serves until the server is stopped, with a file system whose methods are asynchronous. Everything else
    /// is as for [`serve_forever`](Self::serve_forever).
    ///
    /// # Errors
    /// The errors of [`serve_forever`](Self::serve_forever).
    pub async fn serve_forever_async<H: Handler + Send + 'static>(
        self,
        files: impl AsyncFileSystem,
        config: impl Into<Arc<Config>>,
        handler: impl Fn() -> H + Send + Sync + 'static,
    ) -> io::Result<()> {
        let files = Arc::new(files);
        let access = move || AsyncFiles(Arc::clone(&files));
        let upgrade = None::<Arc<fn(H, UpgradedStream) -> Ready<()>>>;
        self.serve_tasks(access, config.into(), handler, upgrade)
            .await
    }

    /// Serves; `access` makes the file access of each connection.
    async fn serve_tasks<A, H, U>(
        self,
        access: impl Fn() -> A,
        config: Arc<Config>,
        handler: impl Fn() -> H + Send + Sync + 'static,
        upgrade: Option<Arc<impl Fn(H, UpgradedStream) -> U + Send + Sync + 'static>>,
    ) -> io::Result<()>
    where
        A: FileAccess + 'static,
        H: Handler + Send + 'static,
        U: Future<Output = ()> + Send + 'static,
    {
        let HTTPServer {
            listener,
            transport,
            connections_max,
            log,
            stop,
            serving,
            ..
        } = self;
        serving.send_replace(true);
        let (handler, ending) = (Arc::new(handler), watch::Sender::new(false));
        let mut stopped = stop.subscribe();
        let (mut tasks, connections) = (JoinSet::new(), Arc::new(Connections::default()));
        loop {
            let accepted = tokio::select! {
                biased;
                () = stop_requested(&mut stopped) => break,
                Some(_) = tasks.join_next() => continue,
                accepted = listener.accept() => accepted,
            };
            let (socket, peer) = match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    back_off(&error).await;
                    continue;
                }
            };
            tokio::select! {
                biased;
                () = stop_requested(&mut stopped) => break,
                () = make_room(&mut tasks, connections_max, &connections) => {}
            }
            let (files, handler, log) = (access(), Arc::clone(&handler), Arc::clone(&log));
            let (transport, stop, slot) = (
                transport(socket),
                ending.subscribe(),
                Some(connections.add()),
            );
            let take_over = upgrade.clone();
            // Boxed, because the future of an ordinary connection should have no space for it.
            let upgrade = take_over.map(|upgrade| move |h, stream| Box::pin(upgrade(h, stream)));
            let context = ServerContext { slot, upgrade };
            let config = Arc::clone(&config);
            tasks.spawn(async move {
                let result = match transport {
                    Ok(transport) => {
                        let config = Arc::clone(&config);
                        serve_connection(transport, files, config, handler(), &*log, stop, context)
                            .await
                    }
                    Err(error) => Err(error),
                };
                if let Some(line) = failure_line(|| Some(peer), &config, &result) {
                    log(&line);
                }
            });
        }
        drop(listener);
        ending.send_replace(true);
        wait_for_tasks(tasks, stopped).await;
        serving.send_replace(false);
        Ok(())
    }
}

impl fmt::Debug for HTTPServer {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = out.debug_struct("HTTPServer");
        out.field("address", &self.address).finish_non_exhaustive()
    }
}

/// Stops a server. It can be cloned, and may outlive the server.
#[derive(Clone, Debug)]
pub struct Stopper {
    stop: watch::Sender<Option<Instant>>,
    serving: watch::Receiver<bool>,
}

impl Stopper {
    /// Stops accepting connections, closes idle ones, waits up to `grace` for replies in progress, and closes
    /// the remaining connections then. The future is ready when no connection is left; so is `serve_forever`.
    ///
    /// The call itself stops the server, even if the future is dropped. The future needs no runtime: another
    /// thread can block on it. It may be called again with a shorter or longer grace period: the shortest one
    /// counts.
    pub fn shutdown(&self, grace: Duration) -> impl Future<Output = ()> + Send + use<> {
        let now = Instant::now();
        let deadline = now.checked_add(grace).unwrap_or(now + FOREVER);
        self.stop.send_modify(|earliest| {
            *earliest = Some(earliest.map_or(deadline, |it| it.min(deadline)));
        });
        let mut serving = self.serving.clone();
        async move {
            // A server that was dropped has ended, too.
            let _ = serving.wait_for(|serving| !serving).await;
        }
    }
}

/// Waits until the server is to stop.
async fn stop_requested(stopped: &mut watch::Receiver<Option<Instant>>) {
    let _ = stopped.wait_for(Option::is_some).await;
}

/// Waits until there is room for a connection. To make room, an idle connection is closed, or else one with an
/// incomplete request head.
async fn make_room(
    tasks: &mut JoinSet<()>,
    connections_max: usize,
    connections: &Arc<Connections>,
) {
    while tasks.len() >= connections_max {
        let is_evicting = connections.evict();
        tokio::select! {
            biased;
            Some(_) = tasks.join_next() => {}
            () = connections.freed.notified() => {}
            () = sleep(EVICTION_TIMEOUT), if is_evicting => {}
        }
    }
    connections.waiter_has_room();
}

/// Waits until all connections have ended, and cuts off those that are left when the grace period is over.
async fn wait_for_tasks(mut tasks: JoinSet<()>, mut stopped: watch::Receiver<Option<Instant>>) {
    loop {
        let deadline = stopped.borrow_and_update().unwrap_or_else(Instant::now);
        tokio::select! {
            left = tasks.join_next() => if left.is_none() {
                return;
            },
            () = sleep_until(deadline) => return tasks.shutdown().await,
            // The grace period may have become shorter.
            Ok(()) = stopped.changed() => {}
        }
    }
}

/// Pauses after accepting a connection has failed.
async fn back_off(error: &io::Error) {
    if !matches!(
        error.kind(),
        ErrorKind::Interrupted | ErrorKind::ConnectionAborted
    ) {
        // Most likely no file descriptor is available, and trying again immediately would not help.
        sleep(ACCEPT_BACKOFF).await;
    }
}

/// A grace period without an end.
const FOREVER: Duration = Duration::from_secs(365 * 24 * 60 * 60);
