//! [`ThreadingHTTPServer`]: a server that serves each connection on its own thread, up to a maximum number.

use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::thread::{self, Builder};

use sanserve_core::{Config, FileSystem, Handler};

use super::{HTTPServer, Stopper};
use crate::{BindError, Recorder, UpgradedStream};

/// An [`HTTPServer`] with a thread for each connection and a limit on their number: the default choice.
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
/// thread::spawn(move || stopper.shutdown(Duration::from_secs(10))); // when the server should stop
/// server.serve_forever(Disk::open(".")?, Config::default(), Files::new)
/// # }
/// ```
#[derive(Debug)]
pub struct ThreadingHTTPServer {
    server: HTTPServer,
    connections_max: usize,
}

impl From<HTTPServer> for ThreadingHTTPServer {
    /// Makes the same server serve on threads.
    fn from(server: HTTPServer) -> ThreadingHTTPServer {
        ThreadingHTTPServer {
            server,
            connections_max: 256,
        }
    }
}

impl ThreadingHTTPServer {
    /// Listens as [`HTTPServer::bind`] does.
    ///
    /// # Errors
    /// The errors of [`HTTPServer::bind`].
    pub fn bind(address: impl ToSocketAddrs) -> Result<ThreadingHTTPServer, BindError> {
        HTTPServer::bind(address).map(ThreadingHTTPServer::from)
    }

    /// Sets the maximum number of connections, 256 by default. When another one arrives, the connection that
    /// has been idle longest is closed, or else the one that has been in
    /// [`Phase::Head`](sanserve_core::Phase::Head) longest. If all connections are busy, the new one waits until
    /// one ends.
    ///
    /// # Panics
    /// If it is 0.
    #[must_use]
    pub fn with_max_connections(self, connections_max: usize) -> ThreadingHTTPServer {
        assert!(
            connections_max > 0,
            "a server must allow at least one connection"
        );
        ThreadingHTTPServer {
            connections_max,
            ..self
        }
    }

    /// Serves HTTPS, see [`HTTPServer::with_tls`]. A slow handshake delays no other connection.
    #[cfg(feature = "tls")]
    #[must_use]
    pub fn with_tls(self, tls: crate::Tls) -> ThreadingHTTPServer {
        let server = self.server.with_tls(tls);
        ThreadingHTTPServer { server, ..self }
    }

    /// Sets where log lines go, see [`HTTPServer::with_log`]. The function is called by many threads at the
    /// same time.
    pub fn with_log(self, log: impl Fn(&str) + Send + Sync + 'static) -> ThreadingHTTPServer {
        let server = self.server.with_log(log);
        ThreadingHTTPServer { server, ..self }
    }

    /// Requires the header of the PROXY protocol as [`HTTPServer::with_proxy_protocol`] does.
    #[must_use]
    pub fn with_proxy_protocol(
        self,
        is_proxy: impl Fn(Option<IpAddr>) -> bool + Send + Sync + 'static,
    ) -> ThreadingHTTPServer {
        let server = self.server.with_proxy_protocol(is_proxy);
        ThreadingHTTPServer { server, ..self }
    }

    /// Records all connections, see [`HTTPServer::with_recorder`].
    #[must_use]
    pub fn with_recorder(self, recorder: &Recorder) -> ThreadingHTTPServer {
        let server = self.server.with_recorder(recorder);
        ThreadingHTTPServer { server, ..self }
    }

    /// Returns the address that the server listens on, with the port that was chosen.
    #[must_use]
    pub fn server_address(&self) -> SocketAddr {
        self.server.server_address()
    }

    /// Returns the port that the server listens on.
    #[must_use]
    pub fn server_port(&self) -> u16 {
        self.server.server_port()
    }

    /// Returns a handle that stops the server from another thread.
    #[must_use]
    pub fn stopper(&self) -> Stopper {
        self.server.stopper()
    }

    /// Serves one connection on the calling thread, as [`HTTPServer::handle_request`] does.
    pub fn handle_request<H: Handler>(
        &self,
        files: impl FileSystem,
        config: impl Into<Arc<Config>>,
        handler: impl Fn() -> H,
    ) {
        self.server.handle_request(files, config, handler);
    }

    /// Serves until the server is stopped, each connection on its own thread and with its own handler, see
    /// [`HTTPServer::serve_forever`]. When it returns, all threads have ended.
    ///
    /// # Errors
    /// Never. All servers have this signature, and others may fail to start.
    pub fn serve_forever<H: Handler>(
        self,
        files: impl FileSystem + Sync,
        config: impl Into<Arc<Config>>,
        handler: impl Fn() -> H + Sync,
    ) -> io::Result<()> {
        self.serve_on_threads(&files, config.into(), &handler, None)
    }

    /// Serves as [`serve_forever`](Self::serve_forever) does, and lets handlers take over their connections:
    /// `upgrade` is called on the thread of the connection, which has a stack of 256 KiB, see
    /// [`HTTPServer::serve_with_upgrades`].
    ///
    /// # Errors
    /// The errors of [`serve_forever`](Self::serve_forever).
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
            while let Some(connection) = server.acceptor.accept(self.connections_max) {
                let work = move || {
                    let upgrade = upgrade.map(|upgrade| upgrade as &dyn Fn(H, UpgradedStream));
                    server.serve(&connection, files, config, handler, upgrade);
                };
                let thread = Builder::new()
                    .name("connection".into())
                    .stack_size(STACK_SIZE);
                if thread.spawn_scoped(scope, work).is_err() {
                    server.acceptor.pause();
                }
            }
        });
        Ok(())
    }
}

/// A connection uses a few pages of its stack, if its handler is moderate; the first page that it compresses takes up to
/// 300 KiB, where the compressor is made. Unused stack takes no memory.
const STACK_SIZE: usize = 1024 * 1024;
