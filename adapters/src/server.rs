//! [`Server`]: a listening socket and the threads that serve what comes in.
//!
//! Who may come in, and how everybody is sent home, is left to the [`Gate`]; what happens on a
//! connection to [`serve`](crate::std::serve).

mod gate;

use std::io;
use std::net::{Ipv6Addr, SocketAddr, TcpListener};
use std::panic::{self, AssertUnwindSafe};
use std::sync::{Arc, Weak};
use std::thread::{self, Builder};
use std::time::Duration;

use sanserve_core::{Config, Handler};
use socket2::{Domain, Socket, Type};

use self::gate::{Gate, Guest};
use crate::{Disk, std as sockets};

/// A server that listens and does not serve yet. Connections that come meanwhile wait.
pub struct Server {
    gate: Arc<Gate>,
    most: usize,
    log: Box<dyn Fn(&str) + Send + Sync>,
}

impl Server {
    /// Listens at `address`; port 0 lets the system choose one. Listening at `::` takes IPv4 in,
    /// too, where the system can do that.
    ///
    /// # Errors
    /// If the address is not one of this machine, taken, or not for this user.
    pub fn bind(address: SocketAddr) -> io::Result<Server> {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
        // On Windows this would let two servers share the port.
        #[cfg(unix)]
        socket.set_reuse_address(true)?;
        if address.ip() == Ipv6Addr::UNSPECIFIED {
            let _ = socket.set_only_v6(false);
        }
        socket.bind(&address.into())?;
        socket.listen(BACKLOG)?;
        Ok(Server {
            gate: Arc::new(Gate::new(TcpListener::from(socket))),
            most: 256,
            log: Box::new(sockets::stderr),
        })
    }

    /// How many connections [`serve`](Server::serve) has at a time, 256 if nothing is said. Later
    /// ones wait until one ends.
    ///
    /// # Panics
    /// If it is 0.
    pub fn connections(self, most: usize) -> Server {
        assert!(most > 0, "a server has to have room for one connection");
        Server { most, ..self }
    }

    /// Where log lines go, each ended by a newline; [standard error](sockets::stderr) if nothing is
    /// said. It is called by many threads at once.
    pub fn log(self, log: impl Fn(&str) + Send + Sync + 'static) -> Server {
        let log = Box::new(log);
        Server { log, ..self }
    }

    /// The address that it listens at, with the port that was chosen.
    ///
    /// # Errors
    /// If the system does not tell.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.gate.local_addr()
    }

    /// What ends it, from another thread.
    pub fn stopper(&self) -> Stopper {
        Stopper(Arc::downgrade(&self.gate))
    }

    /// Serves until it is stopped, each connection on a thread of its own with a handler of its
    /// own. A handler that panics loses its connection and nothing else.
    pub fn serve<H: Handler>(self, disk: &Disk, config: Config, handler: impl Fn() -> H + Sync) {
        let (log, handler) = (&*self.log, &handler);
        thread::scope(|scope| {
            while let Some(guest) = self.gate.admit(self.most) {
                let work = move || {
                    let serve = || serve_guest(&guest, disk, config, handler(), log);
                    // The panic has been reported by its hook. It must not reach the scope, which
                    // would pass it on in the end.
                    let _ = panic::catch_unwind(AssertUnwindSafe(serve));
                };
                let thread = Builder::new().name("connection".into()).stack_size(STACK);
                if thread.spawn_scoped(scope, work).is_err() {
                    self.gate.pause();
                }
            }
        });
    }

    /// Serves until it is stopped, one connection after the other on this thread: for where there
    /// are no threads. A client that is slow keeps all others waiting.
    pub fn serve_in_turn<H: Handler>(self, disk: &Disk, config: Config, handler: impl Fn() -> H) {
        while let Some(guest) = self.gate.admit(1) {
            serve_guest(&guest, disk, config, handler(), &*self.log);
        }
    }
}

/// Stops a [`Server`]. There may be many, and they may outlive it.
#[derive(Clone, Debug)]
pub struct Stopper(Weak<Gate>);

impl Stopper {
    /// Lets nobody in any more and idle connections go, waits up to `grace` for running replies,
    /// then cuts them off. [`Server::serve`] returns as soon as the last is gone.
    ///
    /// It waits on the thread that calls it, which therefore must not be one that serves. To be
    /// stopped again, with less grace or with more, does no harm: the least counts.
    pub fn stop(&self, grace: Duration) {
        if let Some(gate) = self.0.upgrade() {
            gate.close();
            gate.clear(grace);
        }
    }
}

fn serve_guest<H: Handler>(
    guest: &Guest<'_>,
    disk: &Disk,
    config: Config,
    handler: H,
    log: &dyn Fn(&str),
) {
    // That a peer went away or was cut off concerns nobody else.
    let _ = sockets::serve(guest.socket(), disk, config, handler, log, guest.stop());
}

/// As many as Linux allows at most, if nobody changed that, is 4096; Python asks for 5.
const BACKLOG: i32 = 1024;

/// A connection needs a few pages of it, with a handler of moderate taste. What is not used costs
/// no memory.
const STACK: usize = 256 * 1024;
