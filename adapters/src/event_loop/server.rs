//! [`HTTPServer`]: listens, and serves all connections on a few threads. It starts the workers and the pool.

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr, TcpStream, ToSocketAddrs};
use std::sync::Arc;
use std::thread::{self, Builder};

use sanserve_core::{Config, FileSystem, Handler};

use super::completions::Job;
use super::poller::Poller;
use super::pool::Pool;
use super::shared::Shared;
use super::stopper::Stopper;
use super::system::System;
use super::upgrade::Upgrade;
use super::worker::{Common, Worker};
use crate::layer::Layer;
use crate::proxy_protocol::{IsProxy, ProxyProtocol};
use crate::server::connections_default;
use crate::{BindError, ListenAddr, Listener, Recorder, UpgradedStream, blocking};

/// A server with all its connections on a few threads, by default one for each core, and a limit on their
/// number. It listens as soon as it is created; connections that arrive before it serves wait.
///
/// A handler that blocks delays the other connections of its thread. One that waits with
/// [`Next::Wait`](sanserve_core::Next::Wait) does not, and takes no thread.
///
/// ```
/// use std::{thread, time::Duration};
///
/// use sanserve_server::{Disk, event_loop::HTTPServer};
/// use sanserve_core::{Config, Files};
///
/// # fn main() -> std::io::Result<()> {
/// let server = HTTPServer::bind("127.0.0.1:0")?;
/// let stopper = server.stopper();
/// thread::spawn(move || stopper.shutdown(Duration::from_secs(10))); // when the server should stop
/// server.serve_forever(Disk::open(".")?, Config::default(), Files::new)?;
/// # Ok(())
/// # }
/// ```
pub struct HTTPServer {
    listeners: Vec<Listener>,
    shared: Shared<TcpStream>,
    on_serving: Box<dyn FnOnce() + Send>,
    make_tls: Option<Box<MakeLayer>>,
    is_proxy: Option<IsProxy>,
}

/// Makes a layer above a socket.
type MakeLayer = dyn Fn() -> io::Result<Box<dyn Layer>> + Send + Sync;

impl HTTPServer {
    /// Listens as [`crate::HTTPServer::bind`] does.
    ///
    /// # Errors
    /// The errors of [`crate::HTTPServer::bind`].
    pub fn bind(address: impl ToSocketAddrs) -> Result<HTTPServer, BindError> {
        Ok(HTTPServer::new(vec![Listener::bind(address)?]))
    }

    /// Creates a server that accepts connections from all of these listeners.
    ///
    /// # Panics
    /// If there are none.
    pub fn new(listeners: Vec<Listener>) -> HTTPServer {
        assert!(
            !listeners.is_empty(),
            "a server needs at least one listener"
        );
        HTTPServer {
            listeners,
            on_serving: Box::new(|| ()),
            make_tls: None,
            is_proxy: None,
            shared: Shared::new(
                thread::available_parallelism().map_or(1, usize::from),
                connections_default(),
                Box::new(blocking::stderr),
            ),
        }
    }

    /// Sets the number of threads; by default one for each core.
    ///
    /// # Panics
    /// If it is 0.
    pub fn with_threads(mut self, threads: usize) -> HTTPServer {
        assert!(threads > 0, "a server needs at least one thread");
        self.shared.threads = threads;
        self
    }

    /// Sets the maximum number of connections. When another one arrives, a thread closes the connection of its
    /// own that has been idle longest, or else the one that has been in
    /// [`Phase::Head`](sanserve_core::Phase::Head) longest. If all connections are busy, the new one waits until
    /// one ends. The default is 16,384, or fewer if the system allows too few file descriptors for that.
    ///
    /// # Panics
    /// If it is 0.
    pub fn with_max_connections(mut self, limit: usize) -> HTTPServer {
        assert!(limit > 0, "a server must allow at least one connection");
        self.shared.connections_max = limit;
        self
    }

    /// Serves HTTPS. A slow handshake delays no other connection.
    #[cfg(feature = "tls")]
    pub fn with_tls(mut self, tls: crate::Tls) -> HTTPServer {
        self.make_tls = Some(Box::new(move || tls.layer()));
        self
    }

    /// Requires the header of the PROXY protocol as [`crate::HTTPServer::with_proxy_protocol`] does.
    pub fn with_proxy_protocol(
        mut self,
        is_proxy: impl Fn(Option<IpAddr>) -> bool + Send + Sync + 'static,
    ) -> HTTPServer {
        self.is_proxy = Some(Arc::new(is_proxy));
        self
    }

    /// Sets where log lines go, each ended by a newline; by default [standard error](blocking::stderr). The
    /// function is called by all threads, with several lines at a time.
    pub fn with_log(mut self, log: impl Fn(&str) + Send + Sync + 'static) -> HTTPServer {
        self.shared.log = Box::new(log);
        self
    }

    /// Records all connections. By default nothing is recorded.
    pub fn with_recorder(mut self, recorder: &Recorder) -> HTTPServer {
        self.shared.recorder = Some(recorder.clone());
        self
    }

    /// Sets a function that a thread calls after three quarters of its connections, or of those with a request,
    /// have closed. A program whose allocator keeps freed memory can return it to the system here. By default
    /// nothing is called.
    pub fn with_release_memory(mut self, work: fn()) -> HTTPServer {
        self.shared.release_memory = work;
        self
    }

    /// Calls `work` once, on the thread that calls [`serve_forever`](Self::serve_forever), when all threads
    /// have started and nothing can keep the server from serving: the moment to announce that it serves. By
    /// default nothing is called.
    pub fn with_on_serving(mut self, work: impl FnOnce() + Send + 'static) -> HTTPServer {
        self.on_serving = Box::new(work);
        self
    }

    /// Returns the addresses that the server listens on, with the ports that were chosen.
    pub fn listen_addrs(&self) -> impl Iterator<Item = &ListenAddr> {
        self.listeners.iter().map(Listener::listen_addr)
    }

    /// Returns the first IP address that the server listens on, with the port that was chosen.
    ///
    /// # Panics
    /// If it listens on Unix domain sockets only.
    pub fn server_address(&self) -> SocketAddr {
        let address = self.listen_addrs().find_map(|at| match at {
            ListenAddr::Ip(address) => Some(*address),
            ListenAddr::Path(_) => None,
        });
        address.expect("a server on Unix domain sockets has no IP address")
    }

    /// Returns the port of [`server_address`](Self::server_address).
    ///
    /// # Panics
    /// If it listens on Unix domain sockets only.
    pub fn server_port(&self) -> u16 {
        self.server_address().port()
    }

    /// Returns a handle that stops the server from another thread.
    pub fn stopper(&self) -> Stopper {
        Stopper::new(&self.shared.shutdown)
    }

    /// Serves until the server is stopped, each connection with its own handler. `files` is a
    /// [`Disk`](crate::Disk), [`NoFiles`](crate::NoFiles) or any other [`FileSystem`], or a reference or an
    /// [`Arc`] to one. Calls that it cannot [answer without blocking](FileSystem::try_answer) are made on
    /// another thread. When this function returns, all connections are closed. A handler that panics loses its
    /// connection and nothing else.
    ///
    /// # Errors
    /// If the system cannot poll many sockets, or cannot start a thread.
    pub fn serve_forever<FS, H: Handler>(
        self,
        files: FS,
        config: impl Into<Arc<Config>>,
        handler: impl Fn() -> H + Sync,
    ) -> io::Result<()>
    where
        FS: FileSystem<File: Send + 'static> + Sync,
    {
        self.serve(&files, config.into(), &handler, None)
    }

    /// Serves as [`serve_forever`](Self::serve_forever) does, and lets handlers take over their connections
    /// ([`Next::Upgrade`](sanserve_core::Next::Upgrade)): `upgrade` is then called with the handler and the
    /// stream, on its own thread. Until it returns, the connection counts as one of the server. No deadline of
    /// the engine applies to it: how long it takes is up to the new protocol. When the server is stopped,
    /// `upgrade` may continue; when the grace period is over, its socket is shut down, so that it reads the end
    /// of the stream, and must return.
    ///
    /// # Errors
    /// The errors of [`serve_forever`](Self::serve_forever).
    pub fn serve_with_upgrades<FS, H: Handler + Send>(
        self,
        files: FS,
        config: impl Into<Arc<Config>>,
        handler: impl Fn() -> H + Sync,
        upgrade: impl Fn(H, UpgradedStream) + Sync,
    ) -> io::Result<()>
    where
        FS: FileSystem<File: Send + 'static> + Sync,
    {
        self.serve(&files, config.into(), &handler, Some(&upgrade))
    }

    /// Makes the layers above each socket: the header of the PROXY protocol, then TLS.
    fn stack_layers(&mut self) {
        let (make_tls, is_proxy) = (self.make_tls.take(), self.is_proxy.take());
        self.shared.layer = Box::new(move |peer| {
            let tls = make_tls.as_ref().map(|make| make()).transpose()?;
            Ok(match &is_proxy {
                Some(is_proxy) if is_proxy(peer) => Some(Box::new(ProxyProtocol::new(tls))),
                _ => tls,
            })
        });
    }

    fn serve<FS, H: Handler>(
        mut self,
        files: &FS,
        config: Arc<Config>,
        handler: &(impl Fn() -> H + Sync),
        upgrade: Option<&dyn Upgrade<H>>,
    ) -> io::Result<()>
    where
        FS: FileSystem<File: Send + 'static> + Sync,
    {
        self.stack_layers();
        let shared = &self.shared;
        let mut pollers = Vec::new();
        for _ in 0..shared.threads {
            let listeners: io::Result<_> = self.listeners.iter().map(Listener::try_clone).collect();
            pollers.push(Poller::new(listeners?)?);
        }
        // Each worker closes its own listeners when the server stops accepting.
        drop(self.listeners);
        shared
            .shutdown
            .start(pollers.iter().map(System::waker).collect());
        let work = |job: Job<FS::File>| job.run(files);
        let served = thread::scope(|scope| {
            let pool = Arc::new(Pool::new(scope, &work));
            let work = |poller| {
                let (pool, config) = (Arc::clone(&pool), Arc::clone(&config));
                move || {
                    let common = Common {
                        files,
                        config,
                        handler,
                        shared,
                        submit: Box::new(move |job| pool.submit(job)),
                        upgrade: upgrade.map(|upgrade| {
                            Box::new(move |upgraded| upgrade.begin(scope, upgraded)) as Box<_>
                        }),
                    };
                    Worker::new(common, poller).run();
                }
            };
            let own = pollers.pop().map(work);
            let started = pollers.into_iter().try_for_each(|poller| {
                let thread = Builder::new().name("connections".into());
                thread.spawn_scoped(scope, work(poller)).map(drop)
            });
            match (&started, own) {
                (Ok(()), Some(own)) => {
                    (self.on_serving)();
                    own();
                }
                _ => shared.shutdown.close(),
            }
            pool.close();
            started
        });
        shared.shutdown.finished();
        served
    }
}

impl fmt::Debug for HTTPServer {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = out.debug_struct("HTTPServer");
        out.field("listeners", &self.listeners)
            .finish_non_exhaustive()
    }
}
