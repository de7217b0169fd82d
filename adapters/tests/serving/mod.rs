//! Every server of the library for many connections, with the site of `peer`.
#![allow(dead_code, reason = "every test takes what it needs")]

use std::net::{Ipv4Addr, SocketAddr};
use std::thread;
use std::time::Duration;

use sanserve_core::{Config, FileSystem, Files, Patience, Protocol};
use sanserve_server::{Disk, ThreadingHTTPServer, Tls};
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
    pub(crate) patience: Patience,
    pub(crate) tls: Option<Tls>,
}

/// A server on threads of its own, which is stopped with this.
pub(crate) struct Serving {
    pub(crate) address: SocketAddr,
    stop: Option<Box<dyn FnOnce()>>,
    thread: Option<thread::JoinHandle<()>>,
    _site: Option<TempDir>,
}

impl Serving {
    pub(crate) fn start(name: &str, setup: Setup) -> Serving {
        let site = site();
        let disk = Disk::open(site.path()).unwrap();
        let mut serving = Serving::serve(name, setup, disk);
        serving._site = Some(site);
        serving
    }

    /// Serves the files of any file system.
    pub(crate) fn serve<FS>(name: &str, setup: Setup, files: FS) -> Serving
    where
        FS: FileSystem<File: Send + 'static> + Send + Sync + 'static,
    {
        let config = Config {
            protocol: Protocol::Http11,
            patience: setup.patience,
            ..Config::default()
        };
        match name {
            "std" => Serving::std(setup, config, files),
            #[cfg(unix)]
            "mio" => Serving::mio(1, setup, config, files),
            #[cfg(unix)]
            "mio of four threads" => Serving::mio(4, setup, config, files),
            #[cfg(feature = "tokio")]
            "tokio" => Serving::tokio(setup, config, files),
            name => panic!("there is no server {name}"),
        }
    }

    fn std<FS>(setup: Setup, config: Config, files: FS) -> Serving
    where
        FS: FileSystem<File: Send + 'static> + Send + Sync + 'static,
    {
        let server = ThreadingHTTPServer::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let mut server = server
            .with_log(|_| ())
            .with_max_connections(setup.connections);
        if let Some(tls) = setup.tls {
            server = server.with_tls(tls);
        }
        let (address, stopper) = (server.server_address(), server.stopper());
        let stop = move || stopper.shutdown(Duration::ZERO);
        Serving::on_thread(address, stop, move || {
            server.serve_forever(files, config, Files::new).unwrap();
        })
    }

    #[cfg(unix)]
    fn mio<FS>(threads: usize, setup: Setup, config: Config, files: FS) -> Serving
    where
        FS: FileSystem<File: Send + 'static> + Send + Sync + 'static,
    {
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
        Serving::on_thread(address, stop, move || {
            server.serve_forever(files, config, Files::new).unwrap();
        })
    }

    #[cfg(feature = "tokio")]
    fn tokio<FS>(setup: Setup, config: Config, files: FS) -> Serving
    where
        FS: FileSystem<File: Send + 'static> + Send + Sync + 'static,
    {
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
        Serving::on_thread(address, stop, move || {
            let serving = server.serve_forever(files, config, Files::new);
            runtime.block_on(serving).unwrap();
        })
    }

    fn on_thread(
        address: SocketAddr,
        stop: impl FnOnce() + 'static,
        serve: impl FnOnce() + Send + 'static,
    ) -> Serving {
        Serving {
            address,
            stop: Some(Box::new(stop)),
            thread: Some(thread::spawn(serve)),
            _site: None,
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
