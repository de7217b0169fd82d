//! [`HTTPServer`]: a task for each connection.

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

use super::files::{Awaited, FileAccess, OnThreads};
use super::seat::Seats;
use super::{AsyncFileSystem, Host, Transport, UpgradedStream, serve_hosted};
use crate::server::table::EVICTION_TIMEOUT;
use crate::server::{ACCEPT_BACKOFF, connections_default, failure_line, listen};
use crate::{BindError, ListenAddr, blocking};

/// A server with a task for each connection, and a ceiling. It listens as soon as it is made, and
/// connections that come before it serves wait.
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
/// tokio::spawn(async move { stopper.shutdown(Duration::from_secs(10)).await }); // whenever it has to end
/// server.serve_forever(disk, Config::default(), Files::new).await
/// # }
/// ```
pub struct HTTPServer {
    listener: TcpListener,
    address: SocketAddr,
    transport: Box<MakeTransport>,
    most: usize,
    log: Arc<dyn Fn(&str) + Send + Sync>,
    /// When running replies are cut off, once it is to end.
    stop: watch::Sender<Option<Instant>>,
    /// Whether it serves.
    serving: watch::Sender<bool>,
}

/// Puts onto a socket whatever has to lie above it.
type MakeTransport = dyn Fn(TcpStream) -> io::Result<Transport> + Send + Sync;

impl HTTPServer {
    /// Listens as [`crate::HTTPServer::bind`] does.
    ///
    /// # Errors
    /// Those of [`crate::HTTPServer::bind`].
    ///
    /// # Panics
    /// If it is called outside of a runtime, or of one without I/O.
    pub fn bind(address: impl ToSocketAddrs) -> Result<HTTPServer, BindError> {
        let (listener, address) = listen(address)?;
        let registered = listener
            .set_nonblocking(true)
            .and_then(|()| TcpListener::from_std(listener));
        Ok(HTTPServer {
            address,
            listener: registered.map_err(|error| BindError::new(ListenAddr::Ip(address), error))?,
            transport: Box::new(|socket| Ok(Transport::from(socket))),
            most: connections_default(),
            log: Arc::new(blocking::stderr),
            stop: watch::Sender::new(None),
            serving: watch::Sender::new(false),
        })
    }

    /// How many connections it has at a time. For a later one the connection is closed that has been
    /// idle longest, or else the one whose request head is the oldest that is not complete. If all
    /// have a running reply, it waits until one ends. By default there are 16,384, or fewer where the system has too few file descriptors for that.
    ///
    /// # Panics
    /// If it is 0.
    pub fn with_max_connections(self, most: usize) -> HTTPServer {
        assert!(most > 0, "a server has to have room for one connection");
        HTTPServer { most, ..self }
    }

    /// Speaks HTTPS. The handshake is part of a connection, delays no other connection, and is given as
    /// much time as a request head, [`Timeouts::head`](sanserve_core::Timeouts::head), from the moment
    /// when the connection is accepted.
    #[cfg(feature = "tls")]
    pub fn with_tls(self, tls: crate::Tls) -> HTTPServer {
        let transport = Box::new(move |socket| Transport::tls(socket, &tls));
        HTTPServer { transport, ..self }
    }

    /// Where log lines go, each ended by a newline; [standard error](blocking::stderr) if nothing is
    /// said. It is called by many connections at once, and must not take its time.
    pub fn with_log(self, log: impl Fn(&str) + Send + Sync + 'static) -> HTTPServer {
        let log = Arc::new(log);
        HTTPServer { log, ..self }
    }

    /// The address that it listens at, with the port that was chosen.
    pub fn server_address(&self) -> SocketAddr {
        self.address
    }

    /// The port that it listens at.
    pub fn server_port(&self) -> u16 {
        self.address.port()
    }

    /// What ends it, from another task or thread.
    pub fn stopper(&self) -> Stopper {
        Stopper {
            stop: self.stop.clone(),
            serving: self.serving.subscribe(),
        }
    }

    /// Serves until it is stopped, each connection as a task of its own with a handler of its own. `files` is a
    /// [`Disk`](crate::Disk), [`NoFiles`](crate::NoFiles) or any other [`FileSystem`], or an [`Arc`] to one. When it returns, no connection is left. A handler that panics
    /// loses its connection and nothing else.
    ///
    /// # Errors
    /// None here. All servers return the same, and others may fail to begin.
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
        let access = move || OnThreads(Arc::clone(&files));
        let upgrade = None::<Arc<fn(H, UpgradedStream) -> Ready<()>>>;
        self.serve_tasks(access, config.into(), handler, upgrade)
            .await
    }

    /// Serves as [`serve_forever`](Self::serve_forever) does, and lets handlers take their connections over
    /// ([`Next::Upgrade`](sanserve_core::Next::Upgrade)): then `upgrade` is called with the handler and the transport, and its future
    /// runs in the task of the connection. Until it is ready, this is a connection of the server, and counts as such. No
    /// deadline holds for it: how long it takes is up to the new protocol. When the server is stopped it goes on, and when
    /// the grace is over it is dropped.
    ///
    /// # Errors
    /// Those of [`serve_forever`](Self::serve_forever).
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
        let access = move || OnThreads(Arc::clone(&files));
        self.serve_tasks(access, config.into(), handler, Some(Arc::new(upgrade)))
            .await
    }

    /// Serves until it is stopped, its files from a file system whose answers are futures. The rest is as with
    /// [`serve_forever`](Self::serve_forever).
    ///
    /// # Errors
    /// Those of [`serve_forever`](Self::serve_forever).
    pub async fn serve_forever_async<H: Handler + Send + 'static>(
        self,
        files: impl AsyncFileSystem,
        config: impl Into<Arc<Config>>,
        handler: impl Fn() -> H + Send + Sync + 'static,
    ) -> io::Result<()> {
        let files = Arc::new(files);
        let access = move || Awaited(Arc::clone(&files));
        let upgrade = None::<Arc<fn(H, UpgradedStream) -> Ready<()>>>;
        self.serve_tasks(access, config.into(), handler, upgrade)
            .await
    }

    /// Serves, each connection with access to files of its own.
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
            most,
            log,
            stop,
            serving,
            ..
        } = self;
        serving.send_replace(true);
        let (handler, ending) = (Arc::new(handler), watch::Sender::new(false));
        let mut stopped = stop.subscribe();
        let (mut inside, seats) = (JoinSet::new(), Arc::new(Seats::default()));
        loop {
            let accepted = tokio::select! {
                biased;
                () = asked(&mut stopped) => break,
                Some(_) = inside.join_next() => continue,
                accepted = listener.accept() => accepted,
            };
            let (socket, peer) = match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    rest(&error).await;
                    continue;
                }
            };
            tokio::select! {
                biased;
                () = asked(&mut stopped) => break,
                () = room(&mut inside, most, &seats) => {}
            }
            let (files, handler, log) = (access(), Arc::clone(&handler), Arc::clone(&log));
            let (transport, stop, seat) =
                (transport(socket), ending.subscribe(), Some(seats.take()));
            let take_over = upgrade.clone();
            // On the heap, for the future of an ordinary connection has no room for it.
            let upgrade = take_over.map(|upgrade| move |h, stream| Box::pin(upgrade(h, stream)));
            let host = Host { seat, upgrade };
            let config = Arc::clone(&config);
            inside.spawn(async move {
                let served = match transport {
                    Ok(transport) => {
                        let config = Arc::clone(&config);
                        serve_hosted(transport, files, config, handler(), &*log, stop, host).await
                    }
                    Err(error) => Err(error),
                };
                if let Some(line) = failure_line(|| Some(peer), &config, &served) {
                    log(&line);
                }
            });
        }
        drop(listener);
        ending.send_replace(true);
        end(inside, stopped).await;
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

/// Stops a server. There may be many, and they may outlive it.
#[derive(Clone, Debug)]
pub struct Stopper {
    stop: watch::Sender<Option<Instant>>,
    serving: watch::Receiver<bool>,
}

impl Stopper {
    /// Accepts no more connections, closes idle ones, waits up to `grace` for running replies, and cuts off those that are
    /// left then. The future is ready when no connection is left, or when the grace is over and they have been cut off; so
    /// is `serve_forever`.
    ///
    /// The server is stopped at once, even if the future is dropped. The future needs no runtime: another thread can block
    /// on it. Calling this again, with less grace or with more, does no harm: the least counts.
    pub fn shutdown(&self, grace: Duration) -> impl Future<Output = ()> + Send + use<> {
        let now = Instant::now();
        let by = now.checked_add(grace).unwrap_or(now + AGES);
        self.stop
            .send_modify(|until| *until = Some(until.map_or(by, |until| until.min(by))));
        let mut serving = self.serving.clone();
        async move {
            // A server that is dropped has ended, too.
            let _ = serving.wait_for(|serving| !serving).await;
        }
    }
}

/// Waits until it is to end.
async fn asked(stopped: &mut watch::Receiver<Option<Instant>>) {
    let _ = stopped.wait_for(Option::is_some).await;
}

/// Waits until there is room for one more, for which an idle connection is closed, or else one with
/// part of a request head.
async fn room(inside: &mut JoinSet<()>, most: usize, seats: &Arc<Seats>) {
    while inside.len() >= most {
        let evicts = seats.evict();
        tokio::select! {
            biased;
            Some(_) = inside.join_next() => {}
            () = seats.freed.notified() => {}
            () = sleep(EVICTION_TIMEOUT), if evicts => {}
        }
    }
    seats.settle();
}

/// Waits until everybody has left, and for those who have not when the grace is over, breaks off.
async fn end(mut inside: JoinSet<()>, mut stopped: watch::Receiver<Option<Instant>>) {
    loop {
        let by = stopped.borrow_and_update().unwrap_or_else(Instant::now);
        tokio::select! {
            left = inside.join_next() => if left.is_none() {
                return;
            },
            () = sleep_until(by) => return inside.shutdown().await,
            // The grace may have become shorter.
            Ok(()) = stopped.changed() => {}
        }
    }
}

/// What to do if nobody could be let in.
async fn rest(error: &io::Error) {
    if !matches!(
        error.kind(),
        ErrorKind::Interrupted | ErrorKind::ConnectionAborted
    ) {
        // Most likely no file descriptor is left, and asking at once would not help.
        sleep(ACCEPT_BACKOFF).await;
    }
}

/// A grace without an end.
const AGES: Duration = Duration::from_secs(365 * 24 * 60 * 60);
