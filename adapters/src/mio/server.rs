//! [`HTTPServer`]: all connections on a few threads.

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr, TcpStream, ToSocketAddrs};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, Builder};
use std::time::Duration;

use mio::Waker;
use sanserve_core::{Config, FileSystem, Handler};

use super::mail::Job;
use super::pool::Pool;
use super::seat::Seat;
use super::worker::{Common, Worker};
use crate::server::{complaint, places};
use crate::std::Layer;
use crate::{BindError, ListenAddr, Listener, std as sockets};

/// A server with all its connections on a few threads, one for each core if nothing is said, and a
/// ceiling. It listens as soon as it is made, and connections that come before it serves wait.
///
/// A handler that takes its time keeps the other connections of its thread waiting;
/// [`ThreadingHTTPServer`](crate::ThreadingHTTPServer) does not.
///
/// ```
/// use std::{thread, time::Duration};
///
/// use sanserve_server::{Disk, mio::HTTPServer};
/// use sanserve_core::{Config, Files};
///
/// # fn main() -> std::io::Result<()> {
/// let server = HTTPServer::bind("127.0.0.1:0")?;
/// let stopper = server.stopper();
/// thread::spawn(move || stopper.shutdown(Duration::from_secs(10))); // whenever it has to end
/// server.serve_forever(Disk::open(".")?, Config::default(), Files::new)?;
/// # Ok(())
/// # }
/// ```
pub struct HTTPServer {
    doors: Vec<Listener>,
    shared: Shared,
    on_serving: Box<dyn FnOnce() + Send>,
}

impl HTTPServer {
    /// Listens as [`crate::HTTPServer::bind`] does.
    ///
    /// # Errors
    /// Those of [`crate::HTTPServer::bind`].
    pub fn bind(address: impl ToSocketAddrs) -> Result<HTTPServer, BindError> {
        Ok(HTTPServer::new(vec![Listener::bind(address)?]))
    }

    /// Lets connections in by all of these sockets.
    ///
    /// # Panics
    /// If there is none.
    pub fn new(doors: Vec<Listener>) -> HTTPServer {
        assert!(!doors.is_empty(), "a server has to listen somewhere");
        HTTPServer {
            doors,
            on_serving: Box::new(|| ()),
            shared: Shared {
                threads: thread::available_parallelism().map_or(1, usize::from),
                most: places(),
                inside: AtomicUsize::new(0),
                lobby: Mutex::default(),
                waiting: AtomicUsize::new(0),
                layer: Box::new(|| Ok(None)),
                log: Box::new(sockets::stderr),
                after_crowd: || (),
                end: Arc::default(),
            },
        }
    }

    /// How many threads serve.
    ///
    /// # Panics
    /// If it is 0.
    pub fn with_threads(mut self, threads: usize) -> HTTPServer {
        assert!(threads > 0, "somebody has to serve");
        self.shared.threads = threads;
        self
    }

    /// How many connections it has at a time. For a later one the connection is closed that has been
    /// idle longest, or else the one whose request head is the oldest that is not complete. If all
    /// have a running reply, it waits until one ends. By default there are 16,384, or fewer where the system has too few file descriptors for that.
    ///
    /// # Panics
    /// If it is 0.
    pub fn with_max_connections(mut self, most: usize) -> HTTPServer {
        assert!(most > 0, "a server has to have room for one connection");
        self.shared.most = most;
        self
    }

    /// Speaks HTTPS. Who is slow at the handshake keeps nobody waiting.
    #[cfg(feature = "tls")]
    pub fn with_tls(mut self, tls: crate::Tls) -> HTTPServer {
        self.shared.layer = Box::new(move || tls.layer().map(Some));
        self
    }

    /// Where log lines go, each ended by a newline; [standard error](sockets::stderr) if nothing is
    /// said. It is called by all threads, for all that they have to say at a time.
    pub fn with_log(mut self, log: impl Fn(&str) + Send + Sync + 'static) -> HTTPServer {
        self.shared.log = Box::new(log);
        self
    }

    /// What a thread does when three quarters of a crowd on it have gone, and again while the rest
    /// goes. Nothing if nothing is said; a program whose allocator keeps what was freed can have it
    /// give that back to the system here.
    pub fn with_release_memory(mut self, work: fn()) -> HTTPServer {
        self.shared.after_crowd = work;
        self
    }

    /// Calls `work` once, on the thread that calls [`serve_forever`](Self::serve_forever), when all threads have started
    /// and nothing can keep the server from serving any more: the moment to announce that it serves. By default nothing
    /// is called.
    pub fn with_on_serving(mut self, work: impl FnOnce() + Send + 'static) -> HTTPServer {
        self.on_serving = Box::new(work);
        self
    }

    /// Where it listens, with the ports that were chosen.
    pub fn listen_addrs(&self) -> impl Iterator<Item = &ListenAddr> {
        self.doors.iter().map(Listener::listen_addr)
    }

    /// The first address that it listens at, with the port that was chosen.
    ///
    /// # Panics
    /// If it listens at paths only.
    pub fn server_address(&self) -> SocketAddr {
        let address = self.listen_addrs().find_map(|at| match at {
            ListenAddr::Ip(address) => Some(*address),
            ListenAddr::Path(_) => None,
        });
        address.expect("a server that listens at paths only has no address")
    }

    /// The port of that address.
    ///
    /// # Panics
    /// If it listens at paths only.
    pub fn server_port(&self) -> u16 {
        self.server_address().port()
    }

    /// What ends it, from another thread.
    pub fn stopper(&self) -> Stopper {
        Stopper(Arc::clone(&self.shared.end))
    }

    /// Serves until it is stopped, each connection with a handler of its own. `files` is a
    /// [`Disk`](crate::Disk), [`NoFiles`](crate::NoFiles) or any other [`FileSystem`], or a reference or an [`Arc`] to one. What the file system cannot
    /// [tell at once](FileSystem::try_answer) it is asked on another thread. When this returns, no
    /// connection is left. A handler that panics loses its connection and nothing else.
    ///
    /// # Errors
    /// If the system cannot wait for many sockets, or has no thread for it.
    pub fn serve_forever<FS, H: Handler>(
        self,
        files: FS,
        config: Config,
        handler: impl Fn() -> H + Sync,
    ) -> io::Result<()>
    where
        FS: FileSystem<File: Send + 'static> + Sync,
    {
        let (shared, files, handler) = (&self.shared, &files, &handler);
        let mut seats = Vec::new();
        for _ in 0..shared.threads {
            let doors: io::Result<_> = self.doors.iter().map(Listener::try_clone).collect();
            seats.push(Seat::new(doors?)?);
        }
        // Each thread closes its own when nobody is let in any more.
        drop(self.doors);
        shared.end.open(seats.iter().map(Seat::waker).collect());
        let work = |job: Job<FS::File>| job.run(files);
        let served = thread::scope(|scope| {
            let pool = Arc::new(Pool::new(scope, &work));
            let work = |seat| {
                let pool = Arc::clone(&pool);
                let common = Common {
                    files,
                    config,
                    handler,
                    shared,
                    pool,
                };
                move || Worker::new(common, seat).run()
            };
            let mine = seats.pop().map(work);
            let started = seats.into_iter().try_for_each(|seat| {
                let thread = Builder::new().name("connections".into());
                thread.spawn_scoped(scope, work(seat)).map(drop)
            });
            match (&started, mine) {
                (Ok(()), Some(mine)) => {
                    (self.on_serving)();
                    mine();
                }
                _ => shared.end.close(),
            }
            pool.close();
            started
        });
        shared.end.over();
        served
    }
}

impl fmt::Debug for HTTPServer {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = out.debug_struct("HTTPServer");
        out.field("doors", &self.doors).finish_non_exhaustive()
    }
}

/// What the workers of a server share.
pub(super) struct Shared {
    threads: usize,
    most: usize,
    inside: AtomicUsize,
    lobby: Mutex<VecDeque<Accepted>>,
    /// How many are in the lobby.
    waiting: AtomicUsize,
    layer: Box<LayerOf>,
    log: Box<dyn Fn(&str) + Send + Sync>,
    after_crowd: fn(),
    end: Arc<End>,
}

/// A connection that was accepted, and the address of its peer, if it has one.
pub(super) type Accepted = (TcpStream, Option<IpAddr>);

/// Makes what has to lie above a socket.
type LayerOf = dyn Fn() -> io::Result<Option<Box<dyn Layer>>> + Send + Sync;

impl Shared {
    /// Takes a place for one more, if there is one.
    pub(super) fn enter(&self) -> bool {
        let more = |inside| (inside < self.most).then_some(inside + 1);
        let order = Ordering::Relaxed;
        self.inside.fetch_update(order, order, more).is_ok()
    }

    /// Gives it back.
    pub(super) fn leave(&self) {
        self.inside.fetch_sub(1, Ordering::Relaxed);
    }

    /// The connections that were accepted and have no place yet.
    pub(super) fn lobby(&self) -> MutexGuard<'_, VecDeque<Accepted>> {
        self.lobby.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether there are any, without a look into the lobby.
    pub(super) fn has_waiting(&self) -> bool {
        self.waiting.load(Ordering::Relaxed) > 0
    }

    /// Takes the one that has waited longest.
    pub(super) fn take_waiting(&self, lobby: &mut VecDeque<Accepted>) -> Option<Accepted> {
        let accepted = lobby.pop_front();
        self.waiting.store(lobby.len(), Ordering::Relaxed);
        accepted
    }

    /// Leaves a connection to the first worker that has room for it, or can make some.
    pub(super) fn wait_in_lobby(&self, accepted: Accepted) {
        let mut lobby = self.lobby();
        lobby.push_back(accepted);
        self.waiting.store(lobby.len(), Ordering::Relaxed);
        drop(lobby);
        if self.has_others() {
            self.end.wake();
        }
    }

    /// Closes the connections in the lobby.
    pub(super) fn clear_lobby(&self) {
        let mut lobby = self.lobby();
        lobby.clear();
        self.waiting.store(0, Ordering::Relaxed);
    }

    /// Whether there are other workers, who may have what this one has not.
    pub(super) fn has_others(&self) -> bool {
        self.threads > 1
    }

    /// How many each worker has, if all have as many.
    pub(super) fn share(&self) -> usize {
        self.inside.load(Ordering::Relaxed) / self.threads
    }

    pub(super) fn layer(&self) -> io::Result<Option<Box<dyn Layer>>> {
        (self.layer)()
    }

    pub(super) fn log(&self) -> &dyn Fn(&str) {
        &self.log
    }

    pub(super) fn after_crowd(&self) {
        (self.after_crowd)();
    }

    /// Logs what a peer did wrong, if it may be a mistake on this side.
    pub(super) fn complain(&self, peer: &TcpStream, config: &Config, served: &io::Result<()>) {
        if let Some(line) = complaint(|| peer.peer_addr().ok(), config, served) {
            (self.log)(&line);
        }
    }

    /// Nobody is let in any more.
    pub(super) fn is_closed(&self) -> bool {
        self.end.closed.load(Ordering::Relaxed)
    }

    /// Whoever is still here is put out.
    pub(super) fn is_cut(&self) -> bool {
        self.end.cut.load(Ordering::Relaxed)
    }
}

/// Stops a server. There may be many, and they may outlive it.
#[derive(Clone, Debug)]
pub struct Stopper(Arc<End>);

impl Stopper {
    /// Accepts no more connections, closes idle ones, waits up to `grace` for running replies, and cuts off those that are
    /// left then. It returns when no connection is left, or when the grace is over; so does `serve_forever`.
    ///
    /// It blocks the thread that calls it, which therefore must not be one that serves. Calling it again, with less grace or
    /// with more, does no harm: the least counts.
    pub fn shutdown(&self, grace: Duration) {
        self.0.close();
        let running = |wakers: &mut Option<Vec<Arc<Waker>>>| wakers.is_some();
        let waited = self
            .0
            .left
            .wait_timeout_while(self.0.wakers(), grace, running);
        drop(waited);
        self.0.cut.store(true, Ordering::Relaxed);
        self.0.wake();
    }
}

/// How it ends.
#[derive(Default)]
struct End {
    closed: AtomicBool,
    cut: AtomicBool,
    /// How the workers are woken, as long as there are any.
    wakers: Mutex<Option<Vec<Arc<Waker>>>>,
    /// There are none any more.
    left: Condvar,
}

impl End {
    /// It begins.
    fn open(&self, wakers: Vec<Arc<Waker>>) {
        *self.wakers() = Some(wakers);
        // It may have been stopped before, when nobody was there to be woken.
        if self.closed.load(Ordering::Relaxed) {
            self.wake();
        }
    }

    fn close(&self) {
        self.closed.store(true, Ordering::Relaxed);
        self.wake();
    }

    fn wake(&self) {
        for waker in self.wakers().iter().flatten() {
            let _ = waker.wake();
        }
    }

    /// Nobody is left.
    fn over(&self) {
        *self.wakers() = None;
        self.left.notify_all();
    }

    fn wakers(&self) -> MutexGuard<'_, Option<Vec<Arc<Waker>>>> {
        self.wakers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for End {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = out.debug_struct("End");
        out.field("closed", &self.closed).finish_non_exhaustive()
    }
}
