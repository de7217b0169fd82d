//! [`Server`]: one interface to the library's servers, of which the option `--runtime` chooses one.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
#[cfg(feature = "tokio")]
use std::sync::Arc;
use std::time::Duration;

use sanserve_core::{Config, Handler};
#[cfg(feature = "tokio")]
use sanserve_server::tokio_rt::HTTPServer;
use sanserve_server::{Disk, ListenAddr, ThreadingHTTPServer, Tls, WithPasswords};
#[cfg(unix)]
use sanserve_server::{Listener, event_loop};
#[cfg(feature = "tokio")]
use tokio::runtime::{self, Builder};

use super::failure::Failure;
use super::listen::bind_failure;
#[cfg(unix)]
use super::malloc_trim;
use super::options::Runtime;

/// A listening server.
pub(crate) enum Server {
    Std(ThreadingHTTPServer),
    #[cfg(unix)]
    Mio(event_loop::HTTPServer),
    #[cfg(feature = "tokio")]
    Tokio(HTTPServer, runtime::Runtime),
}

impl Server {
    pub(crate) fn bind(runtime: Runtime, address: SocketAddr) -> Result<Server, Failure> {
        let failure = |error| bind_failure(&error);
        Ok(match runtime {
            Runtime::Std => Server::Std(ThreadingHTTPServer::bind(address).map_err(failure)?),
            #[cfg(unix)]
            Runtime::Mio => Server::mio(vec![Listener::bind(address).map_err(failure)?]),
            #[cfg(feature = "tokio")]
            Runtime::Tokio => {
                let runtime = Builder::new_multi_thread().enable_all().build();
                let runtime = runtime.map_err(Failure::service)?;
                let guard = runtime.enter();
                let server = HTTPServer::bind(address).map_err(failure)?;
                drop(guard);
                Server::Tokio(server, runtime)
            }
            #[cfg(not(feature = "tokio"))]
            Runtime::Tokio => return Err(Failure::service("it was built without tokio")),
        })
    }

    /// Returns a server that accepts connections from all of these sockets.
    #[cfg(unix)]
    pub(crate) fn mio(listeners: Vec<Listener>) -> Server {
        Server::Mio(event_loop::HTTPServer::new(listeners).with_release_memory(malloc_trim::trim))
    }

    pub(crate) fn with_tls(self, tls: Tls) -> Server {
        match self {
            Server::Std(server) => Server::Std(server.with_tls(tls)),
            #[cfg(unix)]
            Server::Mio(server) => Server::Mio(server.with_tls(tls)),
            #[cfg(feature = "tokio")]
            Server::Tokio(server, runtime) => Server::Tokio(server.with_tls(tls), runtime),
        }
    }

    pub(crate) fn with_log(self, log: impl Fn(&str) + Send + Sync + 'static) -> Server {
        match self {
            Server::Std(server) => Server::Std(server.with_log(log)),
            #[cfg(unix)]
            Server::Mio(server) => Server::Mio(server.with_log(log)),
            #[cfg(feature = "tokio")]
            Server::Tokio(server, runtime) => Server::Tokio(server.with_log(log), runtime),
        }
    }

    /// Returns the addresses that the server listens on.
    pub(crate) fn listen_addrs(&self) -> Vec<ListenAddr> {
        match self {
            Server::Std(server) => vec![ListenAddr::Ip(server.server_address())],
            #[cfg(unix)]
            Server::Mio(server) => server.listen_addrs().cloned().collect(),
            #[cfg(feature = "tokio")]
            Server::Tokio(server, _) => vec![ListenAddr::Ip(server.server_address())],
        }
    }

    /// Returns the address for scripts. With a Unix socket that is localhost: the client is a proxy on this machine.
    pub(crate) fn address(&self) -> SocketAddr {
        let address = self
            .listen_addrs()
            .into_iter()
            .find_map(|address| match address {
                ListenAddr::Ip(address) => Some(address),
                ListenAddr::Path(_) => None,
            });
        address.unwrap_or((Ipv4Addr::LOCALHOST, 80).into())
    }

    /// Whether only this machine can connect. A Unix socket does not count, since its proxy may be open to others.
    pub(crate) fn is_loopback_only(&self) -> bool {
        self.listen_addrs().iter().all(|address| match address {
            ListenAddr::Ip(address) => address.ip().to_canonical().is_loopback(),
            ListenAddr::Path(_) => false,
        })
    }

    /// Returns a function that shuts the server down. Its argument is the time that requests in progress get.
    pub(crate) fn stopper(&self) -> Box<dyn FnOnce(Duration) + Send> {
        match self {
            Server::Std(server) => {
                let stopper = server.stopper();
                Box::new(move |grace| stopper.shutdown(grace))
            }
            #[cfg(unix)]
            Server::Mio(server) => {
                let stopper = server.stopper();
                Box::new(move |grace| stopper.shutdown(grace))
            }
            #[cfg(feature = "tokio")]
            Server::Tokio(server, runtime) => {
                let (stopper, runtime) = (server.stopper(), runtime.handle().clone());
                Box::new(move |grace| runtime.block_on(stopper.shutdown(grace)))
            }
        }
    }

    /// Serves until it is stopped. Calls `announce` once nothing can prevent it from serving.
    pub(crate) fn serve_forever<H: Handler + Send + 'static>(
        self,
        disk: WithPasswords<Disk>,
        config: Config,
        handler: impl Fn() -> H + Send + Sync + 'static,
        announce: impl FnOnce() + Send + 'static,
    ) -> io::Result<()> {
        match self {
            Server::Std(server) => {
                announce();
                server.serve_forever(&disk, config, handler)
            }
            #[cfg(unix)]
            Server::Mio(server) => {
                let server = server.with_on_serving(announce);
                server.serve_forever(&disk, config, handler)
            }
            #[cfg(feature = "tokio")]
            Server::Tokio(server, runtime) => {
                announce();
                // Run as a task, so that connections are accepted on the threads that serve them.
                let serving = server.serve_forever(Arc::new(disk), config, handler);
                let served = runtime.block_on(runtime.spawn(serving));
                // File operations that hang longer than this do not delay the exit.
                runtime.shutdown_timeout(BLOCKED_TASKS_WAIT);
                served.expect("the server does not panic")
            }
        }
    }
}

#[cfg(feature = "tokio")]
const BLOCKED_TASKS_WAIT: Duration = Duration::from_secs(1);
