//! [`Acceptor`]: accepts connections up to a limit, keeps track of them, and shuts down.

use std::io::ErrorKind;
use std::net::{Ipv4Addr, Ipv6Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use sanserve_core::Phase;
use socket2::SockRef;

use super::ACCEPT_BACKOFF;
use super::table::{ConnectionTable, EVICTION_TIMEOUT};

/// The listening socket and its connections.
#[derive(Debug)]
pub(super) struct Acceptor {
    listener: TcpListener,
    /// Set while `connections` is locked, so that no thread that waits for `changed` misses it.
    closed: AtomicBool,
    connections: Mutex<ConnectionTable<OpenConnection>>,
    /// Notified when a connection has ended or may be closed for another one, and when the acceptor has closed.
    changed: Condvar,
}

/// An entry for a connection.
#[derive(Debug)]
struct OpenConnection {
    socket: Arc<TcpStream>,
    /// Whether it has left HTTP.
    is_upgraded: bool,
}

impl Acceptor {
    /// Creates an acceptor for a listening socket.
    pub(super) fn new(listener: TcpListener) -> Acceptor {
        Acceptor {
            listener,
            closed: AtomicBool::new(false),
            connections: Mutex::default(),
            changed: Condvar::new(),
        }
    }

    /// Accepts a connection, and then waits until there are fewer than `limit`. To make room, it closes an idle
    /// connection, or else one in [`Phase::Head`]. `None` if the acceptor is closed.
    pub(super) fn accept(&self, limit: usize) -> Option<AcceptedConnection<'_>> {
        loop {
            if self.is_closed() {
                return None;
            }
            match self.listener.accept() {
                Ok((socket, _)) => return self.register(socket, limit),
                Err(error) => match error.kind() {
                    ErrorKind::Interrupted | ErrorKind::ConnectionAborted => {}
                    // Most likely no file descriptor is available, and trying again immediately would not help.
                    _ => self.pause(),
                },
            }
        }
    }

    fn register(&self, socket: TcpStream, limit: usize) -> Option<AcceptedConnection<'_>> {
        let socket = Arc::new(socket);
        let mut connections = self.connections();
        while connections.len() >= limit && !self.is_closed() {
            // The connection reads the end of its input. A reply that it has begun in the meantime is not cut off.
            let now = Instant::now();
            connections.evict(now, |OpenConnection { socket, .. }| {
                !has_unread(socket) && socket.shutdown(Shutdown::Read).is_ok()
            });
            connections.has_waiter = true;
            connections = match connections.is_evicting(now) {
                true => self
                    .changed
                    .wait_timeout(connections, EVICTION_TIMEOUT)
                    .map_or_else(
                        |poisoned| poisoned.into_inner().0,
                        |(connections, _)| connections,
                    ),
                false => self
                    .changed
                    .wait(connections)
                    .unwrap_or_else(PoisonError::into_inner),
            };
        }
        connections.has_waiter = false;
        if self.is_closed() {
            return None;
        }
        let number = connections.insert(OpenConnection {
            socket: Arc::clone(&socket),
            is_upgraded: false,
        });
        drop(connections);
        Some(AcceptedConnection {
            socket,
            permit: Permit {
                acceptor: self,
                number,
            },
        })
    }

    /// Waits briefly, or until a connection ends.
    pub(super) fn pause(&self) {
        let connections = self.connections();
        if !self.is_closed() {
            drop(self.changed.wait_timeout(connections, ACCEPT_BACKOFF));
        }
    }

    /// Stops accepting. Connections that wait for a request read the end of their input. A busy one may still read the
    /// content of its request.
    pub(super) fn close(&self) {
        let connections = self.connections();
        if self.closed.swap(true, Ordering::Relaxed) {
            return;
        }
        for it in connections.iter_waiting().filter(|it| !it.is_upgraded) {
            end_input(&it.socket);
        }
        drop(connections);
        self.changed.notify_all();
        self.wake();
    }

    /// Waits until all connections have ended, and shuts down those that are left after `grace`.
    pub(super) fn wait_until_empty(&self, grace: Duration) {
        let any_left = |connections: &mut ConnectionTable<_>| connections.len() > 0;
        let waited = self
            .changed
            .wait_timeout_while(self.connections(), grace, any_left);
        let (connections, _) = waited.unwrap_or_else(PoisonError::into_inner);
        for OpenConnection { socket, .. } in connections.iter() {
            let _ = socket.shutdown(Shutdown::Both);
        }
    }

    /// Makes `accept` return.
    fn wake(&self) {
        // On Linux this wakes it, without another file descriptor, of which there may be none. Where a
        // listening socket cannot be shut down, it takes a connection.
        if cfg!(unix)
            && SockRef::from(&self.listener)
                .shutdown(Shutdown::Read)
                .is_ok()
        {
            return;
        }
        if let Ok(mut address) = self.listener.local_addr() {
            if address.ip().is_unspecified() {
                address.set_ip(match address {
                    SocketAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
                    SocketAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
                });
            }
            let _ = TcpStream::connect_timeout(&address, WAKE_TIMEOUT);
        }
    }

    fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Relaxed)
    }

    fn connections(&self) -> MutexGuard<'_, ConnectionTable<OpenConnection>> {
        self.connections
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// An accepted connection. It stops counting when it is dropped, for whatever reason.
pub(super) struct AcceptedConnection<'a> {
    // Closed before the permit is released, so it comes first.
    socket: Arc<TcpStream>,
    permit: Permit<'a>,
}

/// The right to count as one of the connections.
struct Permit<'a> {
    acceptor: &'a Acceptor,
    number: usize,
}

impl AcceptedConnection<'_> {
    pub(super) fn socket(&self) -> &TcpStream {
        &self.socket
    }

    /// Sets the phase of the connection.
    pub(super) fn set_phase(&self, phase: Phase) {
        let Permit { acceptor, number } = self.permit;
        let makes_room = acceptor.connections().set_phase(number, phase);
        if acceptor.is_closed() && phase != Phase::Busy {
            // It was busy, or had no phase yet, when the acceptor closed.
            end_input(&self.socket);
        }
        if makes_room {
            acceptor.changed.notify_all();
        }
    }

    /// Marks the connection as upgraded to another protocol.
    pub(super) fn mark_upgraded(&self) {
        let Permit { acceptor, number } = self.permit;
        if let Some(connection) = acceptor.connections().get_mut(number) {
            connection.is_upgraded = true;
        }
    }

    /// Set when the acceptor closes.
    pub(super) fn stop(&self) -> &AtomicBool {
        &self.permit.acceptor.closed
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        self.acceptor.connections().remove(self.number);
        self.acceptor.changed.notify_all();
    }
}

/// Makes a connection that waits for a request read the end of its input.
fn end_input(socket: &TcpStream) {
    // Windows resets the connection if anything arrives afterwards, so its connections look at `stop` in intervals.
    if cfg!(unix) {
        let _ = socket.shutdown(Shutdown::Read);
    }
}

/// Returns whether data has arrived that was not read yet.
#[cfg(unix)]
fn has_unread(socket: &TcpStream) -> bool {
    rustix::io::ioctl_fionread(socket).is_ok_and(|n| n > 0)
}

/// Not available on this system.
#[cfg(not(unix))]
fn has_unread(_: &TcpStream) -> bool {
    false
}

const WAKE_TIMEOUT: Duration = Duration::from_secs(1);
