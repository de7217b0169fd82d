//! [`HTTPServer`]: all connections in one loop.

use std::fmt;
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::time::Duration;

use sanserve_core::{Config, FileSystem, Handler, Now};
use wasip2::clocks::{monotonic_clock, wall_clock};
use wasip2::io::poll::{Pollable, poll};
use wasip2::sockets::network::ErrorCode;

use super::listener::Listener;
use super::peer::Peer;
use super::transport::Transport;
use crate::BindError;
use crate::bind_error::resolve;

/// A server with all its connections on the thread that calls it, and a ceiling. It listens as soon
/// as it is made, and connections that come before it serves wait.
///
/// A handler that takes its time keeps all other connections waiting, and so does a slow disk. There
/// is nothing to stop it: the host ends the component. A handler that panics does, too.
///
/// ```no_run
/// use sanserve_server::wasi_sockets::{Disk, HTTPServer};
/// use sanserve_core::{Config, Files};
///
/// # fn main() -> std::io::Result<()> {
/// let server = HTTPServer::bind("0.0.0.0:8000")?;
/// server.serve_forever(Disk::open("/")?, Config::default(), Files::new)
/// # }
/// ```
pub struct HTTPServer {
    doors: Vec<Listener>,
    most: usize,
    log: Box<dyn Fn(&str)>,
}

impl HTTPServer {
    /// Listens as [`Listener::bind`] does, at the first address that is meant.
    ///
    /// # Errors
    /// If the name is unknown, and those of [`Listener::bind`].
    pub fn bind(address: impl ToSocketAddrs) -> Result<HTTPServer, BindError> {
        let listeners = resolve(address)?.take(1).map(Listener::bind);
        Ok(HTTPServer::new(listeners.collect::<Result<_, _>>()?))
    }

    /// Lets connections in by all of these.
    ///
    /// # Panics
    /// If there is none.
    pub fn new(doors: Vec<Listener>) -> HTTPServer {
        assert!(!doors.is_empty(), "a server has to listen somewhere");
        HTTPServer {
            doors,
            most: MOST,
            log: Box::new(super::stderr),
        }
    }

    /// How many connections it has at a time, 512 if nothing is said. Later ones wait until one ends.
    ///
    /// # Panics
    /// If it is 0.
    #[must_use]
    pub fn with_max_connections(self, most: usize) -> HTTPServer {
        assert!(most > 0, "a server has to have room for one connection");
        HTTPServer { most, ..self }
    }

    /// Where log lines go, each ended by a newline; [standard error](super::stderr) if nothing is said.
    pub fn with_log(self, log: impl Fn(&str) + 'static) -> HTTPServer {
        let log = Box::new(log);
        HTTPServer { log, ..self }
    }

    /// Where it listens, with the ports that were chosen.
    pub fn addresses(&self) -> impl Iterator<Item = SocketAddr> {
        self.doors.iter().map(Listener::address)
    }

    /// The first address that it listens at.
    #[must_use]
    pub fn server_address(&self) -> SocketAddr {
        self.doors[0].address()
    }

    /// Serves for ever, each connection with a handler of its own, its files from a
    /// [`Disk`](super::Disk), any other [`FileSystem`], or a reference to one. Files are read, not sent by reference.
    pub fn serve_forever<FS: FileSystem, H: Handler>(
        self,
        files: FS,
        config: impl Into<Arc<Config>>,
        handler: impl Fn() -> H,
    ) -> ! {
        let config = config.into();
        let mut peers: Vec<Peer<FS::File, H>> = Vec::new();
        let mut now = look_at_the_clock();
        // When to ask for newcomers again, if that has failed.
        let mut pause = None;
        loop {
            let is_open = pause.is_none() && peers.len() < self.most;
            let due = self.wait(&peers, is_open, pause, now);
            now = look_at_the_clock();
            let mut due = due.into_iter();
            peers.retain_mut(|peer| {
                let is_late = peer.by().is_some_and(|by| by <= now.tick);
                let is_due = due.next().unwrap_or(false);
                let is_over = (is_due || is_late) && peer.advance(now, &files, &self.log);
                !is_over
            });
            pause = pause.filter(|pause| now.tick < *pause);
            while pause.is_none() && peers.len() < self.most {
                match self.accept() {
                    Ok(Some((transport, address))) => {
                        peers.push(Peer::new(
                            Arc::clone(&config),
                            &address,
                            handler(),
                            transport,
                        ));
                    }
                    Ok(None) => break,
                    // Most likely the host has no socket left, and asking at once would not help.
                    Err(_) => pause = Some(now.tick + ACCEPT_BACKOFF),
                }
            }
        }
    }

    /// Waits until somebody can go on, or comes, and answers for each connection whether it can.
    fn wait<F, H: Handler>(
        &self,
        peers: &[Peer<F, H>],
        is_open: bool,
        pause: Option<Duration>,
        now: Now,
    ) -> Vec<bool> {
        let mut due: Vec<bool> = peers.iter().map(Peer::has_turn).collect();
        let watched = peers.iter().enumerate();
        let watched = watched.filter_map(|(who, peer)| Some((who, peer.watched()?)));
        let (who, mut watched): (Vec<usize>, Vec<&Pollable>) = watched.unzip();
        if is_open {
            watched.extend(self.doors.iter().map(Listener::knock));
        }
        let until = if due.contains(&true) {
            Some(now.tick)
        } else {
            peers.iter().filter_map(Peer::by).chain(pause).min()
        };
        let alarm = until.map(|until| {
            let instant = u64::try_from(until.as_nanos()).unwrap_or(u64::MAX);
            monotonic_clock::subscribe_instant(instant)
        });
        watched.extend(&alarm);
        for ready in poll(&watched) {
            if let Some(who) = who.get(ready as usize) {
                due[*who] = true;
            }
        }
        due
    }

    /// Lets one in who waits at any door.
    fn accept(&self) -> Result<Option<(Transport, String)>, ErrorCode> {
        for door in &self.doors {
            if let Some(guest) = door.accept()? {
                return Ok(Some(guest));
            }
        }
        Ok(None)
    }
}

impl fmt::Debug for HTTPServer {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = out.debug_struct("HTTPServer");
        out.field("doors", &self.doors).finish_non_exhaustive()
    }
}

fn look_at_the_clock() -> Now {
    Now {
        tick: Duration::from_nanos(monotonic_clock::now()),
        unix: i64::try_from(wall_clock::now().seconds).ok(),
    }
}

/// Each is a socket of the host, which often has 1,024 of them.
const MOST: usize = 512;

/// How long it waits before it accepts again, after that has failed.
const ACCEPT_BACKOFF: Duration = Duration::from_millis(50);
