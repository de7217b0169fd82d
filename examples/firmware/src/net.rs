//! [`Server`]: connections over TCP, several at once, in one loop that never waits for one of them.

use alloc::string::ToString;
use alloc::vec;
use alloc::vec::Vec;
use core::time::Duration;

use sanserve_core::{Connection, FileSystem, Got, Handler, Now, Want};
use smoltcp::iface::{Config, Interface, SocketHandle, SocketSet};
use smoltcp::socket::tcp::{Socket, SocketBuffer, State};
use smoltcp::time::Instant;
use smoltcp::wire::{EthernetAddress, IpCidr, Ipv4Address};

use crate::board;
use crate::ethernet::Ethernet;

/// A server with a fixed number of places, of which each is for one connection.
pub struct Server<F, H> {
    card: Ethernet,
    interface: Interface,
    sockets: SocketSet<'static>,
    places: Vec<Place<F, H>>,
}

struct Place<F, H> {
    socket: SocketHandle,
    conn: Option<Connection<F, H>>,
    /// When what still goes on after the end of the connection is given up.
    until: Duration,
}

impl<F, H: Handler> Server<F, H> {
    /// A server with so many places. Its address is that which QEMU's network has for it.
    pub fn new(places: usize) -> Server<F, H> {
        let address = [0x02, 0, 0, 0, 0, 0x01];
        let mut card = Ethernet::new(address);
        let config = Config::new(EthernetAddress(address).into());
        let mut interface = Interface::new(config, &mut card, instant());
        interface.update_ip_addrs(|all| {
            let own = IpCidr::new(Ipv4Address::new(10, 0, 2, 15).into(), 24);
            all.push(own).expect("there is room for one address");
        });
        let router = Ipv4Address::new(10, 0, 2, 2);
        let route = interface.routes_mut().add_default_ipv4_route(router);
        route.expect("there is room for one route");
        let mut sockets = SocketSet::new(Vec::with_capacity(places));
        let places = (0..places).map(|_| Place::new(&mut sockets)).collect();
        Server {
            card,
            interface,
            sockets,
            places,
        }
    }

    /// Moves on whatever can move, then sleeps until something comes, a millisecond at most. `make` makes
    /// a connection to the peer of that address; `freed` is called when its place is free again.
    pub fn turn<S: FileSystem<File = F>>(
        &mut self,
        files: &S,
        mut make: impl FnMut(&str) -> Connection<F, H>,
        mut log: impl FnMut(&str),
        mut freed: impl FnMut(),
    ) {
        let Server {
            card,
            interface,
            sockets,
            places,
        } = self;
        interface.poll(instant(), card, sockets);
        for place in places {
            let socket = sockets.get_mut::<Socket<'_>>(place.socket);
            if place.turn(socket, files, &mut make, &mut log) {
                freed();
            }
        }
        interface.poll(instant(), card, sockets);
        board::sleep(&[Ethernet::LINE]);
    }
}

impl<F, H: Handler> Place<F, H> {
    fn new(sockets: &mut SocketSet<'static>) -> Place<F, H> {
        let room = |len| SocketBuffer::new(vec![0; len]);
        let socket = Socket::new(room(RECEIVED), room(SENT));
        Place {
            socket: sockets.add(socket),
            conn: None,
            until: Duration::ZERO,
        }
    }

    /// Moves the connection on, if there is one, and answers whether the place has just become free.
    fn turn<S: FileSystem<File = F>>(
        &mut self,
        socket: &mut Socket<'_>,
        files: &S,
        make: &mut impl FnMut(&str) -> Connection<F, H>,
        log: &mut impl FnMut(&str),
    ) -> bool {
        let now = board::now();
        if let Some(conn) = &mut self.conn {
            if serve(conn, socket, files, now, log) {
                return false;
            }
            (self.conn, self.until) = (None, now.tick + LEAVE);
            socket.close();
            return false;
        }
        let leaves = !self.until.is_zero();
        match socket.state() {
            State::Closed | State::TimeWait => {
                socket.abort();
                let listens = socket.listen(PORT);
                listens.expect("a port, and a socket that is closed");
                socket.set_keep_alive(Some(ASK_AGAIN));
                self.until = Duration::ZERO;
                return leaves;
            }
            State::Established | State::CloseWait if !leaves => {
                let peer = socket.remote_endpoint();
                self.conn = Some(make(&peer.map_or("-".into(), |peer| peer.addr.to_string())));
            }
            _ if leaves && now.tick > self.until => socket.abort(),
            _ => {}
        }
        false
    }
}

/// Does what the connection wants until that has to be waited for. `false`: it has ended.
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
            // Nothing can wake a handler here: its wait lasts as long as it may.
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

/// Where it listens.
const PORT: u16 = 80;
/// How long what was written may still be on its way when a connection is over.
const LEAVE: Duration = Duration::from_secs(2);
/// A peer that is silent for so long is asked whether it is there. smoltcp stops the clock of what it has
/// sent when the peer ends its half of the connection, and drops what a second such end acknowledges:
/// without being asked nobody would say it again.
const ASK_AGAIN: smoltcp::time::Duration = smoltcp::time::Duration::from_millis(500);
/// Room in bytes for what has come and was not read.
pub const RECEIVED: usize = 512;
/// Room for what was sent and has not arrived.
pub const SENT: usize = 512;
