//! [`HTTPServer`]: serves each connection as a task of tokio. A handler may take its connection over for another
//! protocol. [`Stopper`] shuts the server down.

use std::fmt;
use std::future::{Future, Ready};
use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::time::Duration;

use sanserve_core::{Config, FileSystem, Handler};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::time::Instant;

#[cfg(feature = "tls")]
use super::Transport;
use super::accept_loop::AcceptLoop;
use super::connection_stream::Stream;
use super::file_access::{AsyncFiles, BlockingFiles};
use super::system::Listener;
use super::{AsyncFileSystem, UpgradedStream};
use crate::server::{connections_default, listen};
use crate::{BindError, ListenAddr, Recorder, blocking};

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
    address: SocketAddr,
    accept_loop: AcceptLoop<TcpListener>,
}

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
        let accept_loop = AcceptLoop {
            listener: registered.map_err(|error| BindError::new(ListenAddr::Ip(address), error))?,
            stream: Box::new(|socket| Ok(Stream::Socket(socket))),
            connections_max: connections_default(),
            log: Arc::new(blocking::stderr),
            recorder: None,
            is_proxy: None,
            stop: watch::Sender::new(None),
            serving: watch::Sender::new(false),
        };
        Ok(HTTPServer {
            address,
            accept_loop,
        })
    }

    /// Sets the maximum number of connections. When another one arrives, the connection that has been idle
    /// longest is closed, or else the one that has been in [`Phase::Head`](sanserve_core::Phase::Head) longest.
    /// If all connections are busy, the new one waits until one ends. The default is 16,384, or fewer if the
    /// system allows too few file descriptors for that.
    ///
    /// # Panics
    /// If it is 0.
    pub fn with_max_connections(mut self, connections_max: usize) -> HTTPServer {
        assert!(
            connections_max > 0,
            "a server must allow at least one connection"
        );
        self.accept_loop.connections_max = connections_max;
        self
    }

    /// Serves HTTPS. The handshake is part of a connection, delays no other connection, and may take as long as
    /// a request head, [`Timeouts::head`](sanserve_core::Timeouts::head), counted from when the connection is
    /// accepted.
    #[cfg(feature = "tls")]
    pub fn with_tls(mut self, tls: crate::Tls) -> HTTPServer {
        let stream = move |socket| Transport::tls(socket, &tls).map(|transport| transport.0);
        self.accept_loop.stream = Box::new(stream);
        self
    }

    /// Sets where log lines go, each ended by a newline; by default [standard error](blocking::stderr). The
    /// function is called by many connections at the same time, and must not block.
    pub fn with_log(mut self, log: impl Fn(&str) + Send + Sync + 'static) -> HTTPServer {
        self.accept_loop.log = Arc::new(log);
        self
    }

    /// Records all connections. By default nothing is recorded.
    pub fn with_recorder(mut self, recorder: &Recorder) -> HTTPServer {
        self.accept_loop.recorder = Some(recorder.clone());
        self
    }

    /// Requires the header of the PROXY protocol as [`crate::HTTPServer::with_proxy_protocol`] does.
    pub fn with_proxy_protocol(
        mut self,
        is_proxy: impl Fn(Option<IpAddr>) -> bool + Send + Sync + 'static,
    ) -> HTTPServer {
        self.accept_loop.is_proxy = Some(Arc::new(is_proxy));
        self
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
        Stopper::of(&self.accept_loop)
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
        let access = move || BlockingFiles::new(Arc::clone(&files));
        let upgrade = None::<Arc<fn(H, UpgradedStream) -> Ready<()>>>;
        let serving = self
            .accept_loop
            .run(access, config.into(), handler, upgrade);
        serving.await;
        Ok(())
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
        let access = move || BlockingFiles::new(Arc::clone(&files));
        let serving = self
            .accept_loop
            .run(access, config.into(), handler, Some(Arc::new(upgrade)));
        serving.await;
        Ok(())
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
        let serving = self
            .accept_loop
            .run(access, config.into(), handler, upgrade);
        serving.await;
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
    pub(super) fn of<L: Listener>(accept_loop: &AcceptLoop<L>) -> Stopper {
        Stopper {
            stop: accept_loop.stop.clone(),
            serving: accept_loop.serving.subscribe(),
        }
    }

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

/// A grace period without an end.
const FOREVER: Duration = Duration::from_secs(365 * 24 * 60 * 60);
