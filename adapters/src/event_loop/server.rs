//! [`HTTPServer`]: all connections on a few threads.

use std::fmt;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::thread::{self, Builder};

use sanserve_core::{Config, FileSystem, Handler};

use super::mail::Job;
use super::pool::Pool;
use super::seat::Seat;
use super::shared::Shared;
use super::stopper::Stopper;
use super::upgrade::Upgrade;
use super::worker::{Common, Worker};
use crate::server::places;
use crate::{BindError, ListenAddr, Listener, UpgradedStream, blocking};

/// A server with all its connections on a few threads, one for each core if nothing is said, and a
/// ceiling. It listens as soon as it is made, and connections that come before it serves wait.
///
/// A handler that blocks keeps the other connections of its thread waiting; one that waits by
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
/// thread::spawn(move || stopper.shutdown(Duration::from_secs(10))); // whenever it has to end
/// server.serve_forever(Disk::open(".")?, Config::default(), Files::new)?;
/// # Ok(())
/// # }
/// ```
pub struct HTTPServer {
    doors: Vec<Listener>,
    shared: Shared,
    on_serving: Box<dyn FnOnce() + Send>,
}

impl HTTPServer {
    /// Listens as [`crate::HTTPServer::bind`] does.
    ///
    /// # Errors
    /// Those of [`crate::HTTPServer::bind`].
    pub fn bind(address: impl ToSocketAddrs) -> Result<HTTPServer, BindError> {
        Ok(HTTPServer::new(vec![Listener::bind(address)?]))
    }

    /// Lets connections in by all of these sockets.
    ///
    /// # Panics
    /// If there is none.
    pub fn new(doors: Vec<Listener>) -> HTTPServer {
        assert!(!doors.is_empty(), "a server has to listen somewhere");
        HTTPServer {
            doors,
            on_serving: Box::new(|| ()),
            shared: Shared::new(
                thread::available_parallelism().map_or(1, usize::from),
                places(),
                Box::new(blocking::stderr),
            ),
        }
    }

    /// How many threads serve.
    ///
    /// # Panics
    /// If it is 0.
    pub fn with_threads(mut self, threads: usize) -> HTTPServer {
        assert!(threads > 0, "somebody has to serve");
        self.shared.threads = threads;
        self
    }

    /// How many connections it has at a time. For a later one the connection is closed that has been
    /// idle longest, or else the one whose request head is the oldest that is not complete. If all
    /// have a running reply, it waits until one ends. By default there are 16,384, or fewer where the system has too few file descriptors for that.
    ///
    /// # Panics
    /// If it is 0.
    pub fn with_max_connections(mut self, most: usize) -> HTTPServer {
        assert!(most > 0, "a server has to have room for one connection");
        self.shared.connections_max = most;
        self
    }

    /// Speaks HTTPS. A client that is slow at the handshake delays no other.
    #[cfg(feature = "tls")]
    pub fn with_tls(mut self, tls: crate::Tls) -> HTTPServer {
        self.shared.layer = Box::new(move || tls.layer().map(Some));
        self
    }

    /// Where log lines go, each ended by a newline; [standard error](blocking::stderr) if nothing is
    /// said. It is called by all threads, for all that they have to say at a time.
    pub fn with_log(mut self, log: impl Fn(&str) + Send + Sync + 'static) -> HTTPServer {
        self.shared.log = Box::new(log);
        self
    }

    /// What a thread does when three quarters of a crowd on it have gone, and again while the rest
    /// goes. Nothing if nothing is said; a program whose allocator keeps what was freed can have it
    /// give that back to the system here.
    pub fn with_release_memory(mut self, work: fn()) -> HTTPServer {
        self.shared.release_memory = work;
        self
    }

    /// Calls `work` once, on the thread that calls [`serve_forever`](Self::serve_forever), when all threads have started
    /// and nothing can keep the server from serving any more: the moment to announce that it serves. By default nothing
    /// is called.
    pub fn with_on_serving(mut self, work: impl FnOnce() + Send + 'static) -> HTTPServer {
        self.on_serving = Box::new(work);
        self
    }

    /// Where it listens, with the ports that were chosen.
    pub fn listen_addrs(&self) -> impl Iterator<Item = &ListenAddr> {
        self.doors.iter().map(Listener::listen_addr)
    }

    /// The first address that it listens at, with the port that was chosen.
    ///
    /// # Panics
    /// If it listens at paths only.
    pub fn server_address(&self) -> SocketAddr {
        let address = self.listen_addrs().find_map(|at| match at {
            ListenAddr::Ip(address) => Some(*address),
            ListenAddr::Path(_) => None,
        });
        address.expect("a server that listens at paths only has no address")
    }

    /// The port of that address.
    ///
    /// # Panics
    /// If it listens at paths only.
    pub fn server_port(&self) -> u16 {
        self.server_address().port()
    }

    /// What ends it, from another thread.
    pub fn stopper(&self) -> Stopper {
        Stopper::new(&self.shared.end)
    }

    /// Serves until it is stopped, each connection with a handler of its own. `files` is a
    /// [`Disk`](crate::Disk), [`NoFiles`](crate::NoFiles) or any other [`FileSystem`], or a reference or an [`Arc`] to one. What the file system cannot
    /// [tell at once](FileSystem::try_answer) it is asked on another thread. When this returns, no
    /// connection is left. A handler that panics loses its connection and nothing else.
    ///
    /// # Errors
    /// If the system cannot wait for many sockets, or has no thread for it.
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

    /// Serves as [`serve_forever`](Self::serve_forever) does, and lets handlers take their connections over
    /// ([`Next::Upgrade`](sanserve_core::Next::Upgrade)): then `upgrade` is called with the handler and the transport, on a thread
    /// of its own. Until it returns, this is a connection of the server, and counts as such. No deadline holds for it:
    /// how long it takes is up to the new protocol. When the server is stopped it goes on, and when the grace is over its socket
    /// is shut down, so that it reads the end; it has to return then.
    ///
    /// # Errors
    /// Those of [`serve_forever`](Self::serve_forever).
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

    fn serve<FS, H: Handler>(
        self,
        files: &FS,
        config: Arc<Config>,
        handler: &(impl Fn() -> H + Sync),
        upgrade: Option<&dyn Upgrade<H>>,
    ) -> io::Result<()>
    where
        FS: FileSystem<File: Send + 'static> + Sync,
    {
        let shared = &self.shared;
        let mut seats = Vec::new();
        for _ in 0..shared.threads {
            let doors: io::Result<_> = self.doors.iter().map(Listener::try_clone).collect();
            seats.push(Seat::new(doors?)?);
        }
        // Each thread closes its own when nobody is let in any more.
        drop(self.doors);
        shared.end.open(seats.iter().map(Seat::waker).collect());
        let work = |job: Job<FS::File>| job.run(files);
        let served = thread::scope(|scope| {
            let pool = Arc::new(Pool::new(scope, &work));
            let work = |seat| {
                let pool = Arc::clone(&pool);
                let common = Common {
                    files,
                    config: Arc::clone(&config),
                    handler,
                    upgrade,
                    shared,
                    scope,
                    pool,
                };
                move || Worker::new(common, seat).run()
            };
            let mine = seats.pop().map(work);
            let started = seats.into_iter().try_for_each(|seat| {
                let thread = Builder::new().name("connections".into());
                thread.spawn_scoped(scope, work(seat)).map(drop)
            });
            match (&started, mine) {
                (Ok(()), Some(mine)) => {
                    (self.on_serving)();
                    mine();
                }
                _ => shared.end.close(),
            }
            pool.close();
            started
        });
        shared.end.over();
        served
    }
}

impl fmt::Debug for HTTPServer {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = out.debug_struct("HTTPServer");
        out.field("doors", &self.doors).finish_non_exhaustive()
    }
}
