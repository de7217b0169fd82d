//! Every server of the library for many connections, with the site of `peer`.
#![allow(dead_code, reason = "every test takes what it needs")]

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

use crate::peer::site;

/// The servers that there are; `mio` with one thread, and with several.
pub(crate) const SERVERS: &[&str] = &[
    "std",
    #[cfg(unix)]
    "mio",
    #[cfg(unix)]
    "mio of four threads",
    #[cfg(feature = "tokio")]
    "tokio",
];

/// How a server is set up.
#[derive(Clone)]
pub(crate) struct Setup {
    pub(crate) connections: usize,
    pub(crate) timeouts: Timeouts,
    pub(crate) tls: Option<Tls>,
}

impl Default for Setup {
    fn default() -> Setup {
        Setup {
            connections: 1000,
            timeouts: Timeouts::default(),
            tls: None,
        }
    }
}

/// What a server does for each connection.
pub(crate) struct Service<H> {
    pub(crate) handler: Arc<dyn Fn() -> H + Send + Sync>,
    pub(crate) upgrade: Option<Upgrade<H>>,
}

type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

/// What takes a connection over, on a thread or as a task.
#[derive(Clone, Copy)]
pub(crate) struct Upgrade<H> {
    pub(crate) on_thread: fn(H, UpgradedStream),
    pub(crate) in_task: fn(H, AsyncStream) -> Task,
}

/// A server on threads of its own, which is stopped with this.
pub(crate) struct Serving {
    pub(crate) address: SocketAddr,
    stop: Option<Box<dyn FnOnce(Duration) + Send>>,
    thread: Option<thread::JoinHandle<()>>,
    _site: Option<TempDir>,
}

impl Serving {
    /// Serves files.
    pub(crate) fn start(name: &str, setup: Setup) -> Serving {
        Serving::with_handler(name, setup, Files::new)
    }

    pub(crate) fn with_handler<H: Handler + Send + 'static>(
        name: &str,
        setup: Setup,
        handler: impl Fn() -> H + Send + Sync + 'static,
    ) -> Serving {
        let service = Service {
            handler: Arc::new(handler),
            upgrade: None,
        };
        Serving::with_service(name, setup, service)
    }

    /// Serves the files of any file system.
    pub(crate) fn serve<FS>(name: &str, setup: Setup, files: FS) -> Serving
    where
        FS: FileSystem<File: Send + 'static> + Send + Sync + 'static,
    {
        let service = Service {
            handler: Arc::new(Files::new),
            upgrade: None,
        };
        Serving::run(name, setup, files, service)
    }

    pub(crate) fn with_service<H: Handler + Send + 'static>(
        name: &str,
        setup: Setup,
        service: Service<H>,
    ) -> Serving {
        let site = site();
        let disk = Disk::open(site.path()).unwrap();
        let mut serving = Serving::run(name, setup, disk, service);
        serving._site = Some(site);
        serving
    }

    fn run<FS, H>(name: &str, setup: Setup, files: FS, service: Service<H>) -> Serving
    where
        FS: FileSystem<File: Send + 'static> + Send + Sync + 'static,
        H: Handler + Send + 'static,
    {
        let config = Config::default()
            .with_protocol(Protocol::Http11)
            .with_timeouts(setup.timeouts);
        match name {
            "std" => Serving::std(setup, config, files, service),
            #[cfg(unix)]
            "mio" => Serving::mio(1, setup, config, files, service),
            #[cfg(unix)]
            "mio of four threads" => Serving::mio(4, setup, config, files, service),
            #[cfg(feature = "tokio")]
            "tokio" => Serving::tokio(setup, config, files, service),
            name => panic!("there is no server {name}"),
        }
    }

    fn std<FS, H>(setup: Setup, config: Config, files: FS, service: Service<H>) -> Serving
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
        let (address, stopper) = (server.server_address(), server.stopper());
        let stop = move |grace| stopper.shutdown(grace);
        Serving::on_thread(address, stop, move || {
            let handler = || (service.handler)();
            let served = match service.upgrade {
                None => server.serve_forever(files, config, handler),
                Some(upgrade) => {
                    server.serve_with_upgrades(files, config, handler, upgrade.on_thread)
                }
            };
            served.unwrap();
        })
    }

    #[cfg(unix)]
    fn mio<FS, H>(
        threads: usize,
        setup: Setup,
        config: Config,
        files: FS,
        service: Service<H>,
    ) -> Serving
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
        let (address, stopper) = (server.server_address(), server.stopper());
        let stop = move |grace| stopper.shutdown(grace);
        Serving::on_thread(address, stop, move || {
            let handler = || (service.handler)();
            let served = match service.upgrade {
                None => server.serve_forever(files, config, handler),
                Some(upgrade) => {
                    server.serve_with_upgrades(files, config, handler, upgrade.on_thread)
                }
            };
            served.unwrap();
        })
    }

    #[cfg(feature = "tokio")]
    fn tokio<FS, H>(setup: Setup, config: Config, files: FS, service: Service<H>) -> Serving
    where
        FS: FileSystem<File: Send + 'static> + Send + Sync + 'static,
        H: Handler + Send + 'static,
    {
        use tokio::runtime::Builder;

        let mut builder = Builder::new_multi_thread();
        let runtime = builder.worker_threads(2).enable_all().build().unwrap();
        let inside = runtime.enter();
        let server = sanserve_server::tokio_rt::HTTPServer::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        drop(inside);
        let mut server = server
            .with_log(|_| ())
            .with_max_connections(setup.connections);
        if let Some(tls) = setup.tls {
            server = server.with_tls(tls);
        }
        let (address, stopper) = (server.server_address(), server.stopper());
        let stop = move |grace| drop(stopper.shutdown(grace));
        Serving::on_thread(address, stop, move || {
            let Service { handler, upgrade } = service;
            let handler = move || handler();
            let served = runtime.block_on(async move {
                match upgrade {
                    None => server.serve_forever(files, config, handler).await,
                    Some(upgrade) => {
                        let upgrade = upgrade.in_task;
                        let serving = server.serve_with_upgrades(files, config, handler, upgrade);
                        serving.await
                    }
                }
            });
            served.unwrap();
        })
    }

    fn on_thread(
        address: SocketAddr,
        stop: impl FnOnce(Duration) + Send + 'static,
        serve: impl FnOnce() + Send + 'static,
    ) -> Serving {
        Serving {
            address,
            stop: Some(Box::new(stop)),
            thread: Some(thread::spawn(serve)),
            _site: None,
        }
    }

    /// Stops it, and returns when `serve_forever` has returned.
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

impl Drop for Serving {
    fn drop(&mut self) {
        self.end(Duration::ZERO);
    }
}
