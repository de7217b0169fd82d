//! [`ThreadingHTTPServer`]: a thread for each connection.

use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::thread::{self, Builder};

use sanserve_core::{Config, FileSystem, Handler};

use super::{HTTPServer, Stopper};
use crate::{BindError, UpgradedStream};

/// An [`HTTPServer`] with a thread for each connection, and a ceiling: what to take if nothing
/// speaks against it.
///
/// ```
/// use std::{thread, time::Duration};
///
/// use sanserve_server::{Disk, ThreadingHTTPServer};
/// use sanserve_core::{Config, Files};
///
/// # fn main() -> std::io::Result<()> {
/// let server = ThreadingHTTPServer::bind("127.0.0.1:0")?;
/// let stopper = server.stopper();
/// thread::spawn(move || stopper.shutdown(Duration::from_secs(10))); // whenever it has to end
/// server.serve_forever(Disk::open(".")?, Config::default(), Files::new)
/// # }
/// ```
#[derive(Debug)]
pub struct ThreadingHTTPServer {
    server: HTTPServer,
    most: usize,
}

impl From<HTTPServer> for ThreadingHTTPServer {
    /// The same server, with threads.
    fn from(server: HTTPServer) -> ThreadingHTTPServer {
        ThreadingHTTPServer { server, most: 256 }
    }
}

impl ThreadingHTTPServer {
    /// Listens as [`HTTPServer::bind`] does.
    ///
    /// # Errors
    /// Those of [`HTTPServer::bind`].
    pub fn bind(address: impl ToSocketAddrs) -> Result<ThreadingHTTPServer, BindError> {
        HTTPServer::bind(address).map(ThreadingHTTPServer::from)
    }

    /// How many connections it has at a time, 256 by default. For a later one the connection is
    /// closed that has been idle longest, or else the one whose request head is the oldest that is not
    /// complete. If all have a running reply, it waits until one ends.
    ///
    /// # Panics
    /// If it is 0.
    #[must_use]
    pub fn with_max_connections(self, most: usize) -> ThreadingHTTPServer {
        assert!(most > 0, "a server has to have room for one connection");
        ThreadingHTTPServer { most, ..self }
    }

    /// Speaks HTTPS, see [`HTTPServer::with_tls`]. A client that is slow at the handshake delays no other.
    #[cfg(feature = "tls")]
    #[must_use]
    pub fn with_tls(self, tls: crate::Tls) -> ThreadingHTTPServer {
        let server = self.server.with_tls(tls);
        ThreadingHTTPServer { server, ..self }
    }

    /// Where log lines go, see [`HTTPServer::with_log`]. It is called by many threads at once.
    pub fn with_log(self, log: impl Fn(&str) + Send + Sync + 'static) -> ThreadingHTTPServer {
        let server = self.server.with_log(log);
        ThreadingHTTPServer { server, ..self }
    }

    /// The address that it listens at, with the port that was chosen.
    #[must_use]
    pub fn server_address(&self) -> SocketAddr {
        self.server.server_address()
    }

    /// The port that it listens at.
    #[must_use]
    pub fn server_port(&self) -> u16 {
        self.server.server_port()
    }

    /// What ends it, from another thread.
    #[must_use]
    pub fn stopper(&self) -> Stopper {
        self.server.stopper()
    }

    /// Serves one connection on the thread that calls it, as [`HTTPServer::handle_request`] does.
    pub fn handle_request<H: Handler>(
        &self,
        files: impl FileSystem,
        config: impl Into<Arc<Config>>,
        handler: impl Fn() -> H,
    ) {
        self.server.handle_request(files, config, handler);
    }

    /// Serves until it is stopped, each connection on a thread of its own with a handler of its
    /// own, see [`HTTPServer::serve_forever`]. When it returns, no thread is left.
    ///
    /// # Errors
    /// None here. All servers return the same, and others may fail to begin.
    pub fn serve_forever<H: Handler>(
        self,
        files: impl FileSystem + Sync,
        config: impl Into<Arc<Config>>,
        handler: impl Fn() -> H + Sync,
    ) -> io::Result<()> {
        self.serve_on_threads(&files, config.into(), &handler, None)
    }

    /// Serves as [`serve_forever`](Self::serve_forever) does, and lets handlers take their connections over: `upgrade` is called
    /// on the thread of the connection, which has a stack of 256 KiB, see [`HTTPServer::serve_with_upgrades`].
    ///
    /// # Errors
    /// Those of [`serve_forever`](Self::serve_forever).
    pub fn serve_with_upgrades<H: Handler>(
        self,
        files: impl FileSystem + Sync,
        config: impl Into<Arc<Config>>,
        handler: impl Fn() -> H + Sync,
        upgrade: impl Fn(H, UpgradedStream) + Sync,
    ) -> io::Result<()> {
        self.serve_on_threads(&files, config.into(), &handler, Some(&upgrade))
    }

    fn serve_on_threads<H: Handler>(
        self,
        files: &(impl FileSystem + Sync),
        config: Arc<Config>,
        handler: &(impl Fn() -> H + Sync),
        upgrade: Option<&(dyn Fn(H, UpgradedStream) + Sync)>,
    ) -> io::Result<()> {
        let (server, config) = (&self.server, &config);
        thread::scope(|scope| {
            while let Some(guest) = server.gate.admit(self.most) {
                let work = move || {
                    let upgrade = upgrade.map(|upgrade| upgrade as &dyn Fn(H, UpgradedStream));
                    server.serve(&guest, files, config, handler, upgrade);
                };
                let thread = Builder::new().name("connection".into()).stack_size(STACK);
                if thread.spawn_scoped(scope, work).is_err() {
                    server.gate.pause();
                }
            }
        });
        Ok(())
    }
}

/// A connection needs a few pages of it, with a handler of moderate taste. What is not used costs
/// no memory.
const STACK: usize = 256 * 1024;
