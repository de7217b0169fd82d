//! [`TestServer`]: runs a server of the library for many connections, by its name in [`SERVERS`].
#![allow(dead_code, reason = "each test uses only some of these")]

use std::future::Future;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use sanserve_core::{Config, FileSystem, Files, Handler, Protocol, Timeouts};
use sanserve_server::tokio_rt::UpgradedStream as AsyncStream;
use sanserve_server::{Disk, ThreadingHTTPServer, Tls, UpgradedStream};

use tempfile::TempDir;

use crate::client::site;

/// The names of the servers. The event loop runs with one thread and with several.
pub(crate) const SERVERS: &[&str] = &[
    "blocking",
    #[cfg(unix)]
    "event loop",
    #[cfg(unix)]
    "event loop with four threads",
    #[cfg(feature = "tokio")]
    "tokio",
];

/// The limits and the certificate of a server.
#[derive(Clone)]
pub(crate) struct Setup {
    pub(crate) connections: usize,
    pub(crate) timeouts: Timeouts,
    pub(crate) tls: Option<Tls>,
    /// Whether all peers are proxies, which must send a header of the PROXY protocol.
    pub(crate) has_proxies: bool,
}

impl Default for Setup {
    fn default() -> Setup {
        Setup {
            connections: 1000,
            timeouts: Timeouts::default(),
            tls: None,
            has_proxies: false,
        }
    }
}

/// The functions that a server calls for each connection.
pub(crate) struct Callbacks<H> {
    pub(crate) handler: Arc<dyn Fn() -> H + Send + Sync>,
    pub(crate) upgrade: Option<Upgrade<H>>,
}

type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

/// The function that takes over an upgraded connection, on a thread or in a task.
#[derive(Clone, Copy)]
pub(crate) struct Upgrade<H> {
    pub(crate) on_thread: fn(H, UpgradedStream),
    pub(crate) in_task: fn(H, AsyncStream) -> Task,
}

/// A running server, which is stopped when this is dropped.
pub(crate) struct TestServer {
    pub(crate) address: SocketAddr,
    stop: Option<Box<dyn FnOnce(Duration) + Send>>,
    thread: Option<thread::JoinHandle<()>>,
    _site: Option<TempDir>,
}

impl TestServer {
    /// Serves the files of [`site`].
    pub(crate) fn start(name: &str, setup: Setup) -> TestServer {
        TestServer::with_handler(name, setup, Files::new)
    }

    pub(crate) fn with_handler<H: Handler + Send + 'static>(
        name: &str,
        setup: Setup,
        handler: impl Fn() -> H + Send + Sync + 'static,
    ) -> TestServer {
        let callbacks = Callbacks {
            handler: Arc::new(handler),
            upgrade: None,
        };
        TestServer::with_callbacks(name, setup, callbacks)
    }

    /// Serves the files of a file system.
    pub(crate) fn with_file_system<FS>(name: &str, setup: Setup, files: FS) -> TestServer
    where
        FS: FileSystem<File: Send + 'static> + Send + Sync + 'static,
    {
        let callbacks = Callbacks {
            handler: Arc::new(Files::new),
            upgrade: None,
        };
        TestServer::run(name, setup, files, callbacks)
    }

    pub(crate) fn with_callbacks<H: Handler + Send + 'static>(
        name: &str,
        setup: Setup,
        callbacks: Callbacks<H>,
    ) -> TestServer {
        let site = site();
        let disk = Disk::open(site.path()).unwrap();
        let mut server = TestServer::run(name, setup, disk, callbacks);
        server._site = Some(site);
        server
    }

    fn run<FS, H>(name: &str, setup: Setup, files: FS, callbacks: Callbacks<H>) -> TestServer
    where
        FS: FileSystem<File: Send + 'static> + Send + Sync + 'static,
        H: Handler + Send + 'static,
    {
        let config = Config::default()
            .with_protocol(Protocol::Http11)
            .with_timeouts(setup.timeouts);
        match name {
            "blocking" => TestServer::blocking(setup, config, files, callbacks),
            #[cfg(unix)]
            "event loop" => TestServer::event_loop(1, setup, config, files, callbacks),
            #[cfg(unix)]
            "event loop with four threads" => {
                TestServer::event_loop(4, setup, config, files, callbacks)
            }
            #[cfg(feature = "tokio")]
            "tokio" => TestServer::tokio(setup, config, files, callbacks),
            name => panic!("there is no server {name}"),
        }
    }

    fn blocking<FS, H>(
        setup: Setup,
        config: Config,
        files: FS,
        callbacks: Callbacks<H>,
    ) -> TestServer
    where
        FS: FileSystem<File: Send + 'static> + Send + Sync + 'static,
        H: Handler + Send + 'static,
    {
        let server = ThreadingHTTPServer::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let mut server = server
            .with_log(|_| ())
            .with_max_connections(setup.connections);
        if let Some(tls) = setup.tls {
            server = server.with_tls(tls);
        }
        if setup.has_proxies {
            server = server.with_proxy_protocol(|_| true);
        }
        let (address, stopper) = (server.server_address(), server.stopper());
        let stop = move |grace| stopper.shutdown(grace);
        TestServer::on_thread(address, stop, move || {
            let handler = || (callbacks.handler)();
            let result = match callbacks.upgrade {
                None => server.serve_forever(files, config, handler),
                Some(upgrade) => {
                    server.serve_with_upgrades(files, config, handler, upgrade.on_thread)
                }
            };
            result.unwrap();
        })
    }

    #[cfg(unix)]
    fn event_loop<FS, H>(
        threads: usize,
        setup: Setup,
        config: Config,
        files: FS,
        callbacks: Callbacks<H>,
    ) -> TestServer
    where
        FS: FileSystem<File: Send + 'static> + Send + Sync + 'static,
        H: Handler + Send + 'static,
    {
        let server =
            sanserve_server::event_loop::HTTPServer::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let mut server = server
            .with_log(|_| ())
            .with_max_connections(setup.connections);
        server = server.with_threads(threads);
        if let Some(tls) = setup.tls {
            server = server.with_tls(tls);
        }
        if setup.has_proxies {
            server = server.with_proxy_protocol(|_| true);
        }
        let (address, stopper) = (server.server_address(), server.stopper());
        let stop = move |grace| stopper.shutdown(grace);
        TestServer::on_thread(address, stop, move || {
            let handler = || (callbacks.handler)();
            let result = match callbacks.upgrade {
                None => server.serve_forever(files, config, handler),
                Some(upgrade) => {
                    server.serve_with_upgrades(files, config, handler, upgrade.on_thread)
                }
            };
            result.unwrap();
        })
    }

    #[cfg(feature = "tokio")]
    fn tokio<FS, H>(setup: Setup, config: Config, files: FS, callbacks: Callbacks<H>) -> TestServer
    where
        FS: FileSystem<File: Send + 'static> + Send + Sync + 'static,
        H: Handler + Send + 'static,
    {
        use tokio::runtime::Builder;

        let mut builder = Builder::new_multi_thread();
        let runtime = builder.worker_threads(2).enable_all().build().unwrap();
        let guard = runtime.enter();
        let server = sanserve_server::tokio_rt::HTTPServer::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        drop(guard);
        let mut server = server
            .with_log(|_| ())
            .with_max_connections(setup.connections);
        if let Some(tls) = setup.tls {
            server = server.with_tls(tls);
        }
        if setup.has_proxies {
            server = server.with_proxy_protocol(|_| true);
        }
        let (address, stopper) = (server.server_address(), server.stopper());
        let stop = move |grace| drop(stopper.shutdown(grace));
        TestServer::on_thread(address, stop, move || {
            let Callbacks { handler, upgrade } = callbacks;
            let handler = move || handler();
            let result = runtime.block_on(async move {
                match upgrade {
                    None => server.serve_forever(files, config, handler).await,
                    Some(upgrade) => {
                        let upgrade = upgrade.in_task;
                        let serving = server.serve_with_upgrades(files, config, handler, upgrade);
                        serving.await
                    }
                }
            });
            result.unwrap();
        })
    }

    fn on_thread(
        address: SocketAddr,
        stop: impl FnOnce(Duration) + Send + 'static,
        serve: impl FnOnce() + Send + 'static,
    ) -> TestServer {
        TestServer {
            address,
            stop: Some(Box::new(stop)),
            thread: Some(thread::spawn(serve)),
            _site: None,
        }
    }

    /// Stops the server, and returns once `serve_forever` has returned.
    pub(crate) fn shutdown(mut self, grace: Duration) {
        self.end(grace);
    }

    fn end(&mut self, grace: Duration) {
        self.stop.take().into_iter().for_each(|stop| stop(grace));
        self.thread.take().into_iter().for_each(|thread| {
            let ended = thread.join();
            assert!(thread::panicking() || ended.is_ok(), "the server panicked");
        });
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        self.end(Duration::ZERO);
    }
}
