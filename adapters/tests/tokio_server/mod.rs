//! [`TokioServer`]: runs the tokio server on its own runtime, with one thread, and counts the threads that it starts.
#![allow(dead_code, reason = "each test uses only some of these")]

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use sanserve_core::{Config, FileSystem, Files, Handler, Protocol};
use sanserve_server::Disk;
use sanserve_server::tokio_rt::{HTTPServer, Stopper};
use tempfile::TempDir;
use tokio::runtime::Builder;

use crate::client::{TIMEOUT, site};

/// A running server, which is stopped when this is dropped.
pub(crate) struct TokioServer {
    pub(crate) address: SocketAddr,
    pub(crate) stopper: Stopper,
    pub(crate) site: TempDir,
    log: Arc<Mutex<String>>,
    /// The number of threads started for blocking calls.
    threads: Arc<AtomicUsize>,
    returned: mpsc::Receiver<()>,
}

impl TokioServer {
    /// Serves the files of [`site`].
    pub(crate) fn files(config: Config) -> TokioServer {
        TokioServer::with(|server| server, config)
    }

    pub(crate) fn with(
        set_up: impl FnOnce(HTTPServer) -> HTTPServer + Send + 'static,
        config: Config,
    ) -> TokioServer {
        let site = site();
        let disk = Disk::open(site.path()).unwrap();
        TokioServer::start(site, set_up, disk, config, Files::new)
    }

    pub(crate) fn start<H: Handler + Send + 'static>(
        site: TempDir,
        set_up: impl FnOnce(HTTPServer) -> HTTPServer + Send + 'static,
        files: impl FileSystem<File: Send + 'static> + Send + Sync + 'static,
        config: Config,
        handler: impl Fn() -> H + Send + Sync + 'static,
    ) -> TokioServer {
        let (log, threads) = (Arc::new(Mutex::new(String::new())), Arc::default());
        let (sink, count) = (Arc::clone(&log), Arc::clone(&threads));
        let ((ready, is_ready), (done, returned)) = (mpsc::channel(), mpsc::channel());
        thread::spawn(move || {
            let mut builder = Builder::new_current_thread();
            builder.thread_keep_alive(Duration::ZERO);
            builder
                .on_thread_start(move || _ = AtomicUsize::fetch_add(&count, 1, Ordering::SeqCst));
            let runtime = builder.enable_all().build().unwrap();
            runtime.block_on(async {
                let server = HTTPServer::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
                let server =
                    set_up(server).with_log(move |lines| sink.lock().unwrap().push_str(lines));
                ready
                    .send((server.server_address(), server.stopper()))
                    .unwrap();
                let serving = server.serve_forever(files, config, handler);
                serving.await.unwrap();
            });
            drop(runtime);
            let _ = done.send(());
        });
        let (address, stopper) = is_ready.recv().unwrap();
        TokioServer {
            address,
            stopper,
            site,
            log,
            threads,
            returned,
        }
    }

    pub(crate) fn threads(&self) -> usize {
        self.threads.load(Ordering::SeqCst)
    }

    pub(crate) fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    /// Stops the server, and asserts that it returns well before `TIMEOUT`.
    pub(crate) fn stop(self, grace: Duration) {
        let start = Instant::now();
        drop(self.stopper.shutdown(grace));
        self.wait();
        assert!(
            start.elapsed() < TIMEOUT / 2,
            "it took {:?}",
            start.elapsed()
        );
    }

    /// Waits until the server has returned.
    pub(crate) fn wait(&self) {
        let returned = self.returned.recv_timeout(TIMEOUT);
        returned.expect("the server does not return");
    }
}

impl Drop for TokioServer {
    fn drop(&mut self) {
        drop(self.stopper.shutdown(Duration::ZERO));
    }
}

pub(crate) fn config() -> Config {
    Config::default().with_protocol(Protocol::Http11)
}
