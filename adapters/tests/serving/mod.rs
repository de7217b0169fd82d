//! Every server of the library for many connections, with the site of `peer`.
#![allow(dead_code, reason = "every test takes what it needs")]

use std::future::Future;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use sanserve_core::{Config, Files, Handler, Patience, Protocol};
use sanserve_server::tokio::UpgradedStream as AsyncStream;
use sanserve_server::{Disk, ThreadingHTTPServer, Tls, UpgradedStream};

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
    pub(crate) patience: Patience,
    pub(crate) tls: Option<Tls>,
}

impl Default for Setup {
    fn default() -> Setup {
        Setup {
            connections: 1000,
            patience: Patience::default(),
            tls: None,
        }
    }
}

/// What a server does for each connection.
pub(crate) struct Service<H> {
    pub(crate) handler: Arc<dyn Fn() -> H + Send + Sync>,
    pub(crate) upgrade: Option<Upgrade<H>>,
}

/// A future on the heap.
pub(crate) type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

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

    pub(crate) fn with_service<H: Handler + Send + 'static>(
        name: &str,
        setup: Setup,
        service: Service<H>,
    ) -> Serving {
        let config = Config {
            protocol: Protocol::Http11,
            patience: setup.patience,
            ..Config::default()
        };
        match name {
            "std" => Serving::std(setup, config, service),
            #[cfg(unix)]
            "mio" => Serving::mio(1, setup, config, service),
            #[cfg(unix)]
            "mio of four threads" => Serving::mio(4, setup, config, service),
            #[cfg(feature = "tokio")]
            "tokio" => Serving::tokio(setup, config, service),
            name => panic!("there is no server {name}"),
        }
    }

    fn std<H: Handler + Send + 'static>(
        setup: Setup,
        config: Config,
        service: Service<H>,
    ) -> Serving {
        let server = ThreadingHTTPServer::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let mut server = server
            .with_log(|_| ())
            .with_max_connections(setup.connections);
        if let Some(tls) = setup.tls {
            server = server.with_tls(tls);
        }
        let (address, stopper) = (server.server_address(), server.stopper());
        let stop = move |grace| stopper.shutdown(grace);
        Serving::on_thread(address, stop, move |disk| {
            let handler = || (service.handler)();
            let served = match service.upgrade {
                None => server.serve_forever(&disk, config, handler),
                Some(upgrade) => {
                    server.serve_with_upgrades(&disk, config, handler, upgrade.on_thread)
                }
            };
            served.unwrap();
        })
    }

    #[cfg(unix)]
    fn mio<H: Handler + Send + 'static>(
        threads: usize,
        setup: Setup,
        config: Config,
        service: Service<H>,
    ) -> Serving {
        let server = sanserve_server::mio::HTTPServer::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let mut server = server
            .with_log(|_| ())
            .with_max_connections(setup.connections);
        server = server.with_threads(threads);
        if let Some(tls) = setup.tls {
            server = server.with_tls(tls);
        }
        let (address, stopper) = (server.server_address(), server.stopper());
        let stop = move |grace| stopper.shutdown(grace);
        Serving::on_thread(address, stop, move |disk| {
            let handler = || (service.handler)();
            let served = match service.upgrade {
                None => server.serve_forever(&disk, config, handler),
                Some(upgrade) => {
                    server.serve_with_upgrades(&disk, config, handler, upgrade.on_thread)
                }
            };
            served.unwrap();
        })
    }

    #[cfg(feature = "tokio")]
    fn tokio<H: Handler + Send + 'static>(
        setup: Setup,
        config: Config,
        service: Service<H>,
    ) -> Serving {
        use tokio::runtime::Builder;

        let mut builder = Builder::new_multi_thread();
        let runtime = builder.worker_threads(2).enable_all().build().unwrap();
        let inside = runtime.enter();
        let server = sanserve_server::tokio::HTTPServer::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        drop(inside);
        let mut server = server
            .with_log(|_| ())
            .with_max_connections(setup.connections);
        if let Some(tls) = setup.tls {
            server = server.with_tls(tls);
        }
        let (address, stopper) = (server.server_address(), server.stopper());
        let stop = move |grace| drop(stopper.shutdown(grace));
        Serving::on_thread(address, stop, move |disk| {
            let Service { handler, upgrade } = service;
            let (disk, handler) = (disk.into(), move || handler());
            let served = runtime.block_on(async move {
                match upgrade {
                    None => server.serve_forever(disk, config, handler).await,
                    Some(upgrade) => {
                        let upgrade = upgrade.in_task;
                        let serving = server.serve_with_upgrades(disk, config, handler, upgrade);
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
        serve: impl FnOnce(Disk) + Send + 'static,
    ) -> Serving {
        let work = || {
            let site = site();
            serve(Disk::open(site.path()).unwrap());
        };
        Serving {
            address,
            stop: Some(Box::new(stop)),
            thread: Some(thread::spawn(work)),
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
