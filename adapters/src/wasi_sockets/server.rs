//! [`HTTPServer`]: accepts connections in a WASI component, and serves all of them in one loop.

use std::fmt;
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::time::Duration;

use sanserve_core::{Config, FileSystem, Handler, Now};
use wasip2::clocks::{monotonic_clock, wall_clock};
use wasip2::io::poll::{Pollable, poll};
use wasip2::sockets::network::ErrorCode;

use super::driver::ConnectionDriver;
use super::listener::Listener;
use super::transport::Transport;
use crate::BindError;
use crate::bind_error::resolve;

/// A server with all its connections on the calling thread, and a limit on their number. It listens as soon as
/// it is created; connections that arrive before it serves wait.
///
/// A slow handler delays all other connections, and so does a slow disk. The server cannot be stopped: the host
/// ends the component. A handler that panics ends it, too.
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
    listeners: Vec<Listener>,
    connections_max: usize,
    log: Box<dyn Fn(&str)>,
}

impl HTTPServer {
    /// Listens as [`Listener::bind`] does, on the first address of a name.
    ///
    /// # Errors
    /// If the name cannot be resolved, and those of [`Listener::bind`].
    pub fn bind(address: impl ToSocketAddrs) -> Result<HTTPServer, BindError> {
        let listeners = resolve(address)?.take(1).map(Listener::bind);
        Ok(HTTPServer::new(listeners.collect::<Result<_, _>>()?))
    }

    /// Creates a server that accepts connections from all of these listeners.
    ///
    /// # Panics
    /// If there are none.
    pub fn new(listeners: Vec<Listener>) -> HTTPServer {
        assert!(
            !listeners.is_empty(),
            "a server needs at least one listener"
        );
        HTTPServer {
            listeners,
            connections_max: CONNECTIONS_MAX,
            log: Box::new(super::stderr),
        }
    }

    /// Sets the maximum number of connections, 512 by default. Others wait until one ends.
    ///
    /// # Panics
    /// If it is 0.
    #[must_use]
    pub fn with_max_connections(self, connections_max: usize) -> HTTPServer {
        assert!(
            connections_max > 0,
            "a server must allow at least one connection"
        );
        HTTPServer {
            connections_max,
            ..self
        }
    }

    /// Sets where log lines go, each ended by a newline; by default [standard error](super::stderr).
    pub fn with_log(self, log: impl Fn(&str) + 'static) -> HTTPServer {
        let log = Box::new(log);
        HTTPServer { log, ..self }
    }

    /// Returns the addresses that the server listens on, with the ports that were chosen.
    pub fn addresses(&self) -> impl Iterator<Item = SocketAddr> {
        self.listeners.iter().map(Listener::address)
    }

    /// Returns the first address that the server listens on.
    #[must_use]
    pub fn server_address(&self) -> SocketAddr {
        self.listeners[0].address()
    }

    /// Serves forever, each connection with its own handler, and with files from a [`Disk`](super::Disk), any
    /// other [`FileSystem`], or a reference to one. Files are read, not sent by reference.
    pub fn serve_forever<FS: FileSystem, H: Handler>(
        self,
        files: FS,
        config: impl Into<Arc<Config>>,
        handler: impl Fn() -> H,
    ) -> ! {
        let config = config.into();
        let mut connections: Vec<ConnectionDriver<FS::File, H>> = Vec::new();
        let mut now = clock_now();
        // When to accept again, if that has failed.
        let mut retry_at = None;
        loop {
            let is_open = retry_at.is_none() && connections.len() < self.connections_max;
            let can_continue = self.wait(&connections, is_open, retry_at, now);
            now = clock_now();
            let mut can_continue = can_continue.into_iter();
            connections.retain_mut(|connection| {
                let is_late = connection.deadline().is_some_and(|at| at <= now.tick);
                let is_ready = can_continue.next().unwrap_or(false);
                let is_over = (is_ready || is_late) && connection.drive(now, &files, &self.log);
                !is_over
            });
            retry_at = retry_at.filter(|retry_at| now.tick < *retry_at);
            while retry_at.is_none() && connections.len() < self.connections_max {
                match self.accept() {
                    Ok(Some((transport, address))) => {
                        connections.push(ConnectionDriver::new(
                            Arc::clone(&config),
                            &address,
                            handler(),
                            transport,
                        ));
                    }
                    Ok(None) => break,
                    // Most likely the host has no socket left, and trying again immediately would not help.
                    Err(_) => retry_at = Some(now.tick + ACCEPT_BACKOFF),
                }
            }
        }
    }

    /// Waits until a connection can continue or a new one arrives. Returns for each connection whether it can
    /// continue.
    fn wait<F, H: Handler>(
        &self,
        connections: &[ConnectionDriver<F, H>],
        is_open: bool,
        retry_at: Option<Duration>,
        now: Now,
    ) -> Vec<bool> {
        let mut can_continue: Vec<bool> = connections
            .iter()
            .map(ConnectionDriver::is_runnable)
            .collect();
        let watched = connections.iter().enumerate();
        let watched =
            watched.filter_map(|(index, connection)| Some((index, connection.pollable()?)));
        let (indices, mut watched): (Vec<usize>, Vec<&Pollable>) = watched.unzip();
        if is_open {
            watched.extend(self.listeners.iter().map(Listener::pollable));
        }
        let until = if can_continue.contains(&true) {
            Some(now.tick)
        } else {
            connections
                .iter()
                .filter_map(ConnectionDriver::deadline)
                .chain(retry_at)
                .min()
        };
        let timer = until.map(|until| {
            let instant = u64::try_from(until.as_nanos()).unwrap_or(u64::MAX);
            monotonic_clock::subscribe_instant(instant)
        });
        watched.extend(&timer);
        for ready in poll(&watched) {
            if let Some(index) = indices.get(ready as usize) {
                can_continue[*index] = true;
            }
        }
        can_continue
    }

    /// Accepts a connection from any listener.
    fn accept(&self) -> Result<Option<(Transport, String)>, ErrorCode> {
        for listener in &self.listeners {
            if let Some(accepted) = listener.accept()? {
                return Ok(Some(accepted));
            }
        }
        Ok(None)
    }
}

impl fmt::Debug for HTTPServer {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = out.debug_struct("HTTPServer");
        out.field("listeners", &self.listeners)
            .finish_non_exhaustive()
    }
}

fn clock_now() -> Now {
    Now {
        tick: Duration::from_nanos(monotonic_clock::now()),
        unix: i64::try_from(wall_clock::now().seconds).ok(),
    }
}

/// Each is a socket of the host, which often allows 1,024.
const CONNECTIONS_MAX: usize = 512;

/// The pause after accepting a connection has failed.
const ACCEPT_BACKOFF: Duration = Duration::from_millis(50);
