//! Every server of the library for many connections, with the site of `peer`.
#![allow(dead_code, reason = "every test takes what it needs")]

use std::net::{Ipv4Addr, SocketAddr};
use std::thread;
use std::time::Duration;

use sanserve_core::{Config, Files, Protocol, Timeouts};
use sanserve_server::{Disk, ThreadingHTTPServer, Tls};

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

/// A server on threads of its own, which is stopped with this.
pub(crate) struct Serving {
    pub(crate) address: SocketAddr,
    stop: Option<Box<dyn FnOnce()>>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Serving {
    pub(crate) fn start(name: &str, setup: Setup) -> Serving {
        let config = Config::default()
            .with_protocol(Protocol::Http11)
            .with_timeouts(setup.timeouts);
        match name {
            "std" => Serving::std(setup, config),
            #[cfg(unix)]
            "mio" => Serving::mio(1, setup, config),
            #[cfg(unix)]
            "mio of four threads" => Serving::mio(4, setup, config),
            #[cfg(feature = "tokio")]
            "tokio" => Serving::tokio(setup, config),
            name => panic!("there is no server {name}"),
        }
    }

    fn std(setup: Setup, config: Config) -> Serving {
        let server = ThreadingHTTPServer::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let mut server = server
            .with_log(|_| ())
            .with_max_connections(setup.connections);
        if let Some(tls) = setup.tls {
            server = server.with_tls(tls);
        }
        let (address, stopper) = (server.server_address(), server.stopper());
        let stop = move || stopper.shutdown(Duration::ZERO);
        Serving::on_thread(address, stop, move |disk| {
            server.serve_forever(&disk, config, Files::new).unwrap();
        })
    }

    #[cfg(unix)]
    fn mio(threads: usize, setup: Setup, config: Config) -> Serving {
        let server = sanserve_server::mio::HTTPServer::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let mut server = server
            .with_log(|_| ())
            .with_max_connections(setup.connections);
        server = server.with_threads(threads);
        if let Some(tls) = setup.tls {
            server = server.with_tls(tls);
        }
        let (address, stopper) = (server.server_address(), server.stopper());
        let stop = move || stopper.shutdown(Duration::ZERO);
        Serving::on_thread(address, stop, move |disk| {
            server.serve_forever(&disk, config, Files::new).unwrap();
        })
    }

    #[cfg(feature = "tokio")]
    fn tokio(setup: Setup, config: Config) -> Serving {
        use tokio::runtime::Builder;

        let runtime = Builder::new_multi_thread().enable_all().build().unwrap();
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
        let stop = move || drop(stopper.shutdown(Duration::ZERO));
        Serving::on_thread(address, stop, move |disk| {
            let serving = server.serve_forever(disk.into(), config, Files::new);
            runtime.block_on(serving).unwrap();
        })
    }

    fn on_thread(
        address: SocketAddr,
        stop: impl FnOnce() + 'static,
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
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.stop.take().into_iter().for_each(|stop| stop());
        self.thread.take().into_iter().for_each(|thread| {
            let ended = thread.join();
            assert!(thread::panicking() || ended.is_ok(), "the server panicked");
        });
    }
}
