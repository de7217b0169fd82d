//! [`Server`]: one interface to the library's servers, of which the option `--runtime` chooses one.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::thread::{self, ScopedJoinHandle};
use std::time::Duration;

use sanserve_core::{Config, FileSystem, Handler, TrustedProxies};
#[cfg(feature = "tokio")]
use sanserve_server::tokio_rt::HTTPServer;
use sanserve_server::{ListenAddr, Recorder, ThreadingHTTPServer};
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
#[allow(clippy::large_enum_variant, reason = "a program has one")]
pub(crate) enum Server {
    /// One for each address.
    Std(Vec<ThreadingHTTPServer>),
    #[cfg(unix)]
    Mio(event_loop::HTTPServer),
    #[cfg(feature = "tokio")]
    Tokio(HTTPServer, runtime::Runtime),
}

impl Server {
    /// Listens on all of these addresses, with tokio on the first one.
    pub(crate) fn bind(runtime: Runtime, addresses: &[SocketAddr]) -> Result<Server, Failure> {
        let failure = |error| bind_failure(&error);
        Ok(match runtime {
            Runtime::Std => {
                let servers = addresses.iter().map(ThreadingHTTPServer::bind);
                Server::Std(servers.collect::<Result<_, _>>().map_err(failure)?)
            }
            #[cfg(unix)]
            Runtime::Mio => {
                let listeners = addresses.iter().map(Listener::bind);
                Server::mio(listeners.collect::<Result<_, _>>().map_err(failure)?)
            }
            #[cfg(feature = "tokio")]
            Runtime::Tokio => {
                let runtime = Builder::new_multi_thread().enable_all().build();
                let runtime = runtime.map_err(Failure::service)?;
                let guard = runtime.enter();
                let server = HTTPServer::bind(addresses).map_err(failure)?;
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

    /// Changes each of the servers with threads.
    pub(super) fn each(
        servers: Vec<ThreadingHTTPServer>,
        change: impl FnMut(ThreadingHTTPServer) -> ThreadingHTTPServer,
    ) -> Server {
        Server::Std(servers.into_iter().map(change).collect())
    }

    /// Requires the PROXY protocol from trusted proxies.
    pub(crate) fn with_proxy_protocol(self, proxies: TrustedProxies) -> Server {
        let is_proxy = Arc::new(move |peer: Option<IpAddr>| match peer {
            Some(peer) => proxies.trusts(&peer.to_string()),
            None => proxies.trusts("unix:"),
        });
        match self {
            Server::Std(servers) => Server::each(servers, |server| {
                let is_proxy = Arc::clone(&is_proxy);
                server.with_proxy_protocol(move |peer| is_proxy(peer))
            }),
            #[cfg(unix)]
            Server::Mio(server) => {
                Server::Mio(server.with_proxy_protocol(move |peer| is_proxy(peer)))
            }
            #[cfg(feature = "tokio")]
            Server::Tokio(server, runtime) => Server::Tokio(
                server.with_proxy_protocol(move |peer| is_proxy(peer)),
                runtime,
            ),
        }
    }

    pub(crate) fn with_log(self, log: fn(&str)) -> Server {
        match self {
            Server::Std(servers) => Server::each(servers, |it| it.with_log(log)),
            #[cfg(unix)]
            Server::Mio(server) => Server::Mio(server.with_log(log)),
            #[cfg(feature = "tokio")]
            Server::Tokio(server, runtime) => Server::Tokio(server.with_log(log), runtime),
        }
    }

    pub(crate) fn with_recorder(self, recorder: &Recorder) -> Server {
        match self {
            Server::Std(servers) => Server::each(servers, |it| it.with_recorder(recorder)),
            #[cfg(unix)]
            Server::Mio(server) => Server::Mio(server.with_recorder(recorder)),
            #[cfg(feature = "tokio")]
            Server::Tokio(server, runtime) => {
                Server::Tokio(server.with_recorder(recorder), runtime)
            }
        }
    }

    /// Returns the addresses that the server listens on.
    pub(crate) fn listen_addrs(&self) -> Vec<ListenAddr> {
        match self {
            Server::Std(servers) => {
                let addresses = servers.iter().map(ThreadingHTTPServer::server_address);
                addresses.map(ListenAddr::Ip).collect()
            }
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
            Server::Std(servers) => {
                let stoppers: Vec<_> = servers.iter().map(ThreadingHTTPServer::stopper).collect();
                Box::new(move |grace| {
                    thread::scope(|scope| {
                        for stopper in &stoppers {
                            scope.spawn(|| stopper.shutdown(grace));
                        }
                    });
                })
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
    pub(crate) fn serve_forever<F, H>(
        self,
        files: F,
        config: Config,
        handler: impl Fn() -> H + Send + Sync + 'static,
        announce: impl FnOnce() + Send + 'static,
    ) -> io::Result<()>
    where
        F: FileSystem<File: Send + 'static> + Send + Sync + 'static,
        H: Handler + Send + 'static,
    {
        match self {
            Server::Std(servers) => {
                announce();
                let (files, config, handler) = (&files, &Arc::new(config), &handler);
                thread::scope(|scope| {
                    let serve = |server: ThreadingHTTPServer| {
                        scope
                            .spawn(move || server.serve_forever(files, Arc::clone(config), handler))
                    };
                    let serving: Vec<_> = servers.into_iter().map(serve).collect();
                    let mut served = serving.into_iter().map(ScopedJoinHandle::join);
                    served.try_for_each(|served| served.expect("a server does not panic"))
                })
            }
            #[cfg(unix)]
            Server::Mio(server) => {
                let server = server.with_on_serving(announce);
                server.serve_forever(&files, config, handler)
            }
            #[cfg(feature = "tokio")]
            Server::Tokio(server, runtime) => {
                announce();
                // Run as a task, so that connections are accepted on the threads that serve them.
                let serving = server.serve_forever(Arc::new(files), config, handler);
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
