//! [`Server`]: serves several TCP connections in one loop that never blocks on any of them.

use alloc::string::ToString;
use alloc::vec;
use alloc::vec::Vec;
use core::time::Duration;

use sanserve_core::{Connection, FileSystem, Got, Handler, Now, Want};
use smoltcp::iface::{Config, Interface, PollResult, SocketHandle, SocketSet};
use smoltcp::socket::tcp::{Socket, SocketBuffer, State};
use smoltcp::time::Instant;
use smoltcp::wire::{EthernetAddress, IpCidr, Ipv4Address};

use crate::board::{self, Line};
pub use crate::machine::ethernet::Ethernet;

/// A server with a fixed number of slots, each for one connection.
pub struct Server<F, H> {
    card: Ethernet,
    interface: Interface,
    sockets: SocketSet<'static>,
    slots: Vec<Slot<F, H>>,
}

struct Slot<F, H> {
    socket: SocketHandle,
    conn: Option<Connection<F, H>>,
    /// The time at which a closing socket is aborted; zero if it is not closing.
    abort_at: Duration,
}

impl<F, H: Handler> Server<F, H> {
    /// Creates a server with this number of slots. Its address is the one that QEMU's network assigns.
    pub fn new(slots: usize) -> Server<F, H> {
        let mut card = Ethernet::start();
        let config = Config::new(EthernetAddress(card.address).into());
        let mut interface = Interface::new(config, &mut card, instant());
        interface.update_ip_addrs(|all| {
            let own = IpCidr::new(Ipv4Address::new(10, 0, 2, 15).into(), 24);
            all.push(own).expect("there is room for one address");
        });
        let router = Ipv4Address::new(10, 0, 2, 2);
        let route = interface.routes_mut().add_default_ipv4_route(router);
        route.expect("there is room for one route");
        let mut sockets = SocketSet::new(Vec::with_capacity(slots));
        let slots = (0..slots).map(|_| Slot::new(&mut sockets)).collect();
        Server {
            card,
            interface,
            sockets,
            slots,
        }
    }

    /// Returns the interrupt of the network, which wakes the loop for a frame.
    pub fn line(&self) -> Line {
        self.card.line
    }

    /// Advances all connections, and returns whether one may have more to do before the next frame arrives. `connect` makes
    /// a connection for the peer at an address; `freed` is called when its slot is free again.
    pub fn poll<S: FileSystem<File = F>>(
        &mut self,
        files: &S,
        mut connect: impl FnMut(&str) -> Connection<F, H>,
        mut log: impl FnMut(&str),
        mut freed: impl FnMut(),
    ) -> bool {
        let Server {
            card,
            interface,
            sockets,
            slots,
        } = self;
        interface.poll(instant(), card, sockets);
        for slot in slots {
            let socket = sockets.get_mut::<Socket<'_>>(slot.socket);
            if slot.poll(socket, files, &mut connect, &mut log) {
                freed();
            }
        }
        interface.poll(instant(), card, sockets) == PollResult::SocketStateChanged
    }
}

impl<F, H: Handler> Slot<F, H> {
    fn new(sockets: &mut SocketSet<'static>) -> Slot<F, H> {
        let buffer = |len| SocketBuffer::new(vec![0; len]);
        let socket = Socket::new(buffer(RECEIVE_BUFFER), buffer(SEND_BUFFER));
        Slot {
            socket: sockets.add(socket),
            conn: None,
            abort_at: Duration::ZERO,
        }
    }

    /// Advances the connection, if there is one, and returns whether the slot has just become free.
    fn poll<S: FileSystem<File = F>>(
        &mut self,
        socket: &mut Socket<'_>,
        files: &S,
        connect: &mut impl FnMut(&str) -> Connection<F, H>,
        log: &mut impl FnMut(&str),
    ) -> bool {
        let now = board::now();
        if let Some(conn) = &mut self.conn {
            if serve(conn, socket, files, now, log) {
                return false;
            }
            (self.conn, self.abort_at) = (None, now.tick + CLOSE_TIMEOUT);
            socket.close();
            return false;
        }
        let is_closing = !self.abort_at.is_zero();
        match socket.state() {
            State::Closed | State::TimeWait => {
                socket.abort();
                let result = socket.listen(PORT);
                result.expect("a valid port and a closed socket");
                socket.set_keep_alive(Some(KEEP_ALIVE));
                self.abort_at = Duration::ZERO;
                return is_closing;
            }
            State::Established | State::CloseWait if !is_closing => {
                let peer = socket.remote_endpoint();
                self.conn = Some(connect(
                    &peer.map_or("-".into(), |peer| peer.addr.to_string()),
                ));
            }
            _ if is_closing && now.tick > self.abort_at => socket.abort(),
            _ => {}
        }
        false
    }
}

/// Does what the connection wants until it has to wait. Returns `false` if it has ended.
fn serve<S: FileSystem, H: Handler>(
    conn: &mut Connection<S::File, H>,
    socket: &mut Socket<'_>,
    files: &S,
    now: Now,
    log: &mut impl FnMut(&str),
) -> bool {
    let mut got = Got::Nothing;
    loop {
        got = match conn.step(now, got).want {
            Want::Read(_) | Want::Write(_) if !socket.is_active() => Got::Failed,
            Want::Read(into) => match socket.recv_slice(into) {
                Ok(0) if socket.may_recv() => return true,
                Ok(n) => Got::Bytes(n),
                Err(_) => Got::Bytes(0),
            },
            Want::Write(from) => match socket.send_slice(from) {
                Ok(0) => return true,
                Ok(n) => Got::Bytes(n),
                Err(_) => Got::Failed,
            },
            Want::ReadFile { file, at, into } => files.fill(file, at, into),
            Want::Copy { .. } => unreachable!("no file here is sendable"),
            Want::WriteFile { file, from } => files.answer_write(file, from),
            Want::Commit { file } => Got::Committed(files.commit(file)),
            // Nothing can wake a handler here, so it waits until its timeout.
            Want::Wait => return true,
            Want::Upgrade => unreachable!("no upgrade is allowed"),
            Want::Ask(ask) => files.answer(ask),
            Want::Log(lines) => {
                log(lines);
                Got::Nothing
            }
            Want::Shutdown => {
                socket.close();
                Got::Nothing
            }
            Want::Close => return false,
        };
    }
}

fn instant() -> Instant {
    Instant::from_millis(board::now().tick.as_millis() as i64)
}

/// The port to listen on.
const PORT: u16 = 80;
/// How long a closed socket may take to deliver the rest of its output.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);
/// The interval of keep-alive probes to a silent peer. smoltcp stops its retransmission timer when the peer sends a
/// FIN, and drops the acknowledgement in a second FIN, so without a probe lost segments would never be sent again.
const KEEP_ALIVE: smoltcp::time::Duration = smoltcp::time::Duration::from_millis(500);
/// The size of a socket's receive buffer in bytes.
pub const RECEIVE_BUFFER: usize = 512;
/// The size of a socket's send buffer in bytes.
pub const SEND_BUFFER: usize = 512;
