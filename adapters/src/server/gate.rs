//! [`Gate`]: lets connections in one by one, knows who is inside, and closes.

use std::io::ErrorKind;
use std::net::{Ipv4Addr, Ipv6Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sanserve_core::Phase;
use socket2::SockRef;

use super::ACCEPT_BACKOFF;
use super::table::{ConnectionTable, EVICTION_TIME};

/// The listening socket and the connections that came by it.
#[derive(Debug)]
pub(super) struct Gate {
    listener: TcpListener,
    /// Set while `inside` is locked, so that whoever waits for `left` does not miss it.
    closed: AtomicBool,
    inside: Mutex<ConnectionTable<Inside>>,
    /// A connection has ended or may be closed for another one, or the gate has closed.
    left: Condvar,
}

/// A connection that is inside.
#[derive(Debug)]
struct Inside {
    socket: Arc<TcpStream>,
    /// It has left HTTP.
    is_upgraded: bool,
}

impl Gate {
    /// An open gate.
    pub(super) fn new(listener: TcpListener) -> Gate {
        Gate {
            listener,
            closed: AtomicBool::new(false),
            inside: Mutex::default(),
            left: Condvar::new(),
        }
    }

    /// Waits for the next connection, and then until fewer than `most` are inside. For that it has an
    /// idle one closed, or else one with part of a request head. `None` if the gate is closed.
    pub(super) fn admit(&self, most: usize) -> Option<Guest<'_>> {
        loop {
            if self.is_closed() {
                return None;
            }
            match self.listener.accept() {
                Ok((socket, _)) => return self.register(socket, most),
                Err(error) => match error.kind() {
                    ErrorKind::Interrupted | ErrorKind::ConnectionAborted => {}
                    // Most likely no file descriptor is left, and asking at once would not help.
                    _ => self.pause(),
                },
            }
        }
    }

    fn register(&self, socket: TcpStream, most: usize) -> Option<Guest<'_>> {
        let socket = Arc::new(socket);
        let mut inside = self.inside();
        while inside.len() >= most && !self.is_closed() {
            // It finds the end of its input. A reply that it has begun meanwhile is not cut off.
            inside.evict(|Inside { socket, .. }| {
                !has_unread(socket) && socket.shutdown(Shutdown::Read).is_ok()
            });
            inside.is_wanted = true;
            inside = match inside.evicts() {
                true => self
                    .left
                    .wait_timeout(inside, EVICTION_TIME)
                    .map_or_else(|poisoned| poisoned.into_inner().0, |(inside, _)| inside),
                false => self
                    .left
                    .wait(inside)
                    .unwrap_or_else(PoisonError::into_inner),
            };
        }
        inside.is_wanted = false;
        if self.is_closed() {
            return None;
        }
        let number = inside.insert(Inside {
            socket: Arc::clone(&socket),
            is_upgraded: false,
        });
        drop(inside);
        Some(Guest {
            socket,
            permit: Permit { gate: self, number },
        })
    }

    /// Waits a moment, or less if somebody leaves.
    pub(super) fn pause(&self) {
        let inside = self.inside();
        if !self.is_closed() {
            drop(self.left.wait_timeout(inside, ACCEPT_BACKOFF));
        }
    }

    /// Lets nobody in any more. Whoever waits for a request inside reads the end of input now.
    pub(super) fn close(&self) {
        let inside = self.inside();
        if self.closed.swap(true, Ordering::Relaxed) {
            return;
        }
        for it in inside.iter().filter(|it| !it.is_upgraded) {
            let _ = it.socket.shutdown(Shutdown::Read);
        }
        drop(inside);
        self.left.notify_all();
        self.wake();
    }

    /// Waits until everybody has left, and for those who have not after `grace`, cuts the line.
    pub(super) fn clear(&self, grace: Duration) {
        let anybody = |inside: &mut ConnectionTable<_>| inside.len() > 0;
        let waited = self.left.wait_timeout_while(self.inside(), grace, anybody);
        let (inside, _) = waited.unwrap_or_else(PoisonError::into_inner);
        for Inside { socket, .. } in inside.iter() {
            let _ = socket.shutdown(Shutdown::Both);
        }
    }

    /// Makes `accept` return.
    fn wake(&self) {
        // Linux wakes it up by this, and needs no file descriptor for it: there may be none left.
        // Where a listening socket cannot be shut down, somebody has to knock.
        if SockRef::from(&self.listener)
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
            let _ = TcpStream::connect_timeout(&address, KNOCK);
        }
    }

    fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Relaxed)
    }

    fn inside(&self) -> MutexGuard<'_, ConnectionTable<Inside>> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection inside. Its place is free again when this is dropped, however that comes about.
pub(super) struct Guest<'a> {
    // It is closed before the place is free, so this comes first.
    socket: Arc<TcpStream>,
    permit: Permit<'a>,
}

/// The place of a connection.
struct Permit<'a> {
    gate: &'a Gate,
    number: usize,
}

impl Guest<'_> {
    pub(super) fn socket(&self) -> &TcpStream {
        &self.socket
    }

    /// Takes note of what the connection does from now on.
    pub(super) fn note(&self, phase: Phase) {
        let Permit { gate, number } = self.permit;
        let makes_room = gate.inside().note(number, phase);
        if makes_room {
            gate.left.notify_all();
        }
    }

    /// Takes note that the connection speaks another protocol from now on.
    pub(super) fn is_upgraded(&self) {
        let Permit { gate, number } = self.permit;
        if let Some(inside) = gate.inside().get_mut(number) {
            inside.is_upgraded = true;
        }
    }

    /// Set when the gate closes.
    pub(super) fn stop(&self) -> &AtomicBool {
        &self.permit.gate.closed
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        self.gate.inside().remove(self.number);
        self.gate.left.notify_all();
    }
}

/// Whether something has come that was not read yet.
#[cfg(unix)]
fn has_unread(socket: &TcpStream) -> bool {
    rustix::io::ioctl_fionread(socket).is_ok_and(|n| n > 0)
}

/// Not known here.
#[cfg(not(unix))]
fn has_unread(_: &TcpStream) -> bool {
    false
}

const KNOCK: Duration = Duration::from_secs(1);
