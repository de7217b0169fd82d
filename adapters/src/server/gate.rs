//! [`Gate`]: lets connections in one by one, knows who is inside, and closes.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::net::{Ipv4Addr, Ipv6Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use socket2::SockRef;

use super::PAUSE;

/// The listening socket and the connections that came by it.
#[derive(Debug)]
pub(super) struct Gate {
    listener: TcpListener,
    /// Set while `inside` is locked, so that whoever waits for `left` does not miss it.
    closed: AtomicBool,
    inside: Mutex<Inside>,
    /// Somebody has left, or the gate has closed.
    left: Condvar,
}

#[derive(Debug, Default)]
struct Inside {
    sockets: BTreeMap<u64, Arc<TcpStream>>,
    /// How many have come, ever.
    came: u64,
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

    /// Waits until fewer than `most` are inside and then for the next one. `None` if the gate is
    /// closed.
    pub(super) fn admit(&self, most: usize) -> Option<Guest<'_>> {
        loop {
            let full = |inside: &mut Inside| inside.sockets.len() >= most && !self.is_closed();
            drop(self.left.wait_while(self.inside(), full));
            if self.is_closed() {
                return None;
            }
            match self.listener.accept() {
                Ok((socket, _)) => return self.register(socket),
                Err(error) => match error.kind() {
                    ErrorKind::Interrupted | ErrorKind::ConnectionAborted => {}
                    // Most likely no file descriptor is left, and asking at once would not help.
                    _ => self.pause(),
                },
            }
        }
    }

    fn register(&self, socket: TcpStream) -> Option<Guest<'_>> {
        let socket = Arc::new(socket);
        let mut inside = self.inside();
        if self.is_closed() {
            return None;
        }
        inside.came += 1;
        let number = inside.came;
        inside.sockets.insert(number, Arc::clone(&socket));
        Some(Guest {
            gate: self,
            number,
            socket,
        })
    }

    /// Waits a moment, or less if somebody leaves.
    pub(super) fn pause(&self) {
        let inside = self.inside();
        if !self.is_closed() {
            drop(self.left.wait_timeout(inside, PAUSE));
        }
    }

    /// Lets nobody in any more. Whoever waits for a request inside reads the end of input now.
    pub(super) fn close(&self) {
        let inside = self.inside();
        if self.closed.swap(true, Ordering::Relaxed) {
            return;
        }
        for socket in inside.sockets.values() {
            let _ = socket.shutdown(Shutdown::Read);
        }
        drop(inside);
        self.left.notify_all();
        self.wake();
    }

    /// Waits until everybody has left, and for those who have not after `grace`, cuts the line.
    pub(super) fn clear(&self, grace: Duration) {
        let anybody = |inside: &mut Inside| !inside.sockets.is_empty();
        let waited = self.left.wait_timeout_while(self.inside(), grace, anybody);
        let (inside, _) = waited.unwrap_or_else(PoisonError::into_inner);
        for socket in inside.sockets.values() {
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

    fn inside(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection inside. Its place is free again when this is dropped, however that comes about.
pub(super) struct Guest<'a> {
    gate: &'a Gate,
    number: u64,
    socket: Arc<TcpStream>,
}

impl Guest<'_> {
    pub(super) fn socket(&self) -> &TcpStream {
        &self.socket
    }

    /// Set when the gate closes.
    pub(super) fn stop(&self) -> &AtomicBool {
        &self.gate.closed
    }
}

impl Drop for Guest<'_> {
    fn drop(&mut self) {
        self.gate.inside().sockets.remove(&self.number);
        self.gate.left.notify_all();
    }
}

const KNOCK: Duration = Duration::from_secs(1);
