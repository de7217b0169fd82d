//! A server of tasks on a runtime of its own, with one thread.
#![allow(dead_code, reason = "every test takes what it needs")]

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

use crate::peer::{LONG, site};

/// It ends with this.
pub(crate) struct Running {
    pub(crate) address: SocketAddr,
    pub(crate) stopper: Stopper,
    pub(crate) site: TempDir,
    log: Arc<Mutex<String>>,
    /// How many jobs were given to threads that may block.
    threads: Arc<AtomicUsize>,
    done: mpsc::Receiver<()>,
}

impl Running {
    /// Serves the site's files.
    pub(crate) fn files(config: Config) -> Running {
        Running::with(|server| server, config)
    }

    pub(crate) fn with(
        set_up: impl FnOnce(HTTPServer) -> HTTPServer + Send + 'static,
        config: Config,
    ) -> Running {
        let site = site();
        let disk = Disk::open(site.path()).unwrap();
        Running::start(site, set_up, disk, config, Files::new)
    }

    pub(crate) fn start<H: Handler + Send + 'static>(
        site: TempDir,
        set_up: impl FnOnce(HTTPServer) -> HTTPServer + Send + 'static,
        files: impl FileSystem<File: Send + 'static> + Send + Sync + 'static,
        config: Config,
        handler: impl Fn() -> H + Send + Sync + 'static,
    ) -> Running {
        let (log, threads) = (Arc::new(Mutex::new(String::new())), Arc::default());
        let (sink, count) = (Arc::clone(&log), Arc::clone(&threads));
        let ((tell, told), (over, done)) = (mpsc::channel(), mpsc::channel());
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
                tell.send((server.server_address(), server.stopper()))
                    .unwrap();
                let serving = server.serve_forever(files, config, handler);
                serving.await.unwrap();
            });
            drop(runtime);
            let _ = over.send(());
        });
        let (address, stopper) = told.recv().unwrap();
        Running {
            address,
            stopper,
            site,
            log,
            threads,
            done,
        }
    }

    pub(crate) fn threads(&self) -> usize {
        self.threads.load(Ordering::SeqCst)
    }

    pub(crate) fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    /// Stops it, and asserts that it stops well before `LONG` is over.
    pub(crate) fn stop(self, grace: Duration) {
        let start = Instant::now();
        drop(self.stopper.shutdown(grace));
        self.returns();
        assert!(start.elapsed() < LONG / 2, "it took {:?}", start.elapsed());
    }

    pub(crate) fn returns(&self) {
        let done = self.done.recv_timeout(LONG);
        done.expect("the server does not return");
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.stopper.shutdown(Duration::ZERO));
    }
}

pub(crate) fn config() -> Config {
    Config::default().with_protocol(Protocol::Http11)
}
