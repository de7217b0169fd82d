//! Servers under Python's names: [`HTTPServer`] here, one with threads in `threading`, those over TLS
//! in `https`.
//!
//! Who may come in, and how everybody is sent home, is left to the [`Gate`]; what happens on a
//! connection to [`serve`](crate::blocking::serve).

#[cfg(target_os = "linux")]
mod defer;
mod gate;
#[cfg(feature = "tls")]
mod https;
pub(crate) mod table;
mod threading;

use std::fmt;
use std::io::{self, ErrorKind};
use std::net::{Ipv6Addr, SocketAddr, TcpListener, TcpStream, ToSocketAddrs};
use std::panic::{self, AssertUnwindSafe};
use std::sync::{Arc, Weak};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use sanserve_core::log::{LogEvent, LogRecord};
use sanserve_core::wire::RequestHead;
use sanserve_core::{Config, FileSystem, Handler};
use socket2::{Domain, Socket, Type};

use self::gate::{Gate, Guest};
#[cfg(feature = "tls")]
pub use self::https::{HTTPSServer, ThreadingHTTPSServer};
pub use self::threading::ThreadingHTTPServer;
use crate::bind_error::resolve;
use crate::blocking::{self, Transport};
use crate::{BindError, ListenAddr, UpgradedStream};

/// A server of one connection after the other, on the thread that calls it: for where there are no
/// threads, or one request is all that is to be served. A client that is slow keeps all others
/// waiting; [`ThreadingHTTPServer`] does not. It listens as soon as it is made, and connections
/// that come before it serves wait.
///
/// ```
/// use std::{net::TcpStream, thread};
///
/// use sanserve_server::{HTTPServer, NoFiles};
/// use sanserve_core::{Config, Next, from_fn};
///
/// # fn main() -> std::io::Result<()> {
/// let server = HTTPServer::bind("127.0.0.1:0")?.with_log(|_| ());
/// let client = TcpStream::connect(server.server_address())?;
/// # client.shutdown(std::net::Shutdown::Write)?;
/// server.handle_request(NoFiles, Config::default(), || from_fn(|ex| ex.send_error(410, "Gone")));
/// # Ok(())
/// # }
/// ```
pub struct HTTPServer {
    gate: Arc<Gate>,
    address: SocketAddr,
    transport: Box<MakeTransport>,
    log: Box<dyn Fn(&str) + Send + Sync>,
}

/// Puts onto a socket whatever has to lie above it.
type MakeTransport = dyn for<'a> Fn(&'a TcpStream) -> io::Result<Transport<'a>> + Send + Sync;

impl HTTPServer {
    /// Listens at `address`, or if it means several at the first where that is possible; port 0
    /// lets the system choose one. Listening at `::` takes IPv4 in, too, where the system can do
    /// that.
    ///
    /// # Errors
    /// If the address is unknown, not one of this machine, in use, or not for this user.
    pub fn bind(address: impl ToSocketAddrs) -> Result<HTTPServer, BindError> {
        let (listener, address) = listen(address)?;
        Ok(HTTPServer {
            address,
            gate: Arc::new(Gate::new(listener)),
            transport: Box::new(|socket| Ok(Transport::from(socket))),
            log: Box::new(blocking::stderr),
        })
    }

    /// Speaks HTTPS. The handshake is part of a connection, and is given as much time as a request
    /// head, [`Timeouts::head`], from the moment when the connection is accepted.
    ///
    /// [`Timeouts::head`]: sanserve_core::Timeouts::head
    #[cfg(feature = "tls")]
    #[must_use]
    pub fn with_tls(self, tls: crate::Tls) -> HTTPServer {
        let transport: Box<MakeTransport> = Box::new(move |socket| Transport::tls(socket, &tls));
        HTTPServer { transport, ..self }
    }

    /// Where log lines go, each ended by a newline; [standard error](blocking::stderr) if nothing is
    /// said. With threads it is called by many of them at once.
    pub fn with_log(self, log: impl Fn(&str) + Send + Sync + 'static) -> HTTPServer {
        let log = Box::new(log);
        HTTPServer { log, ..self }
    }

    /// The address that it listens at, with the port that was chosen.
    #[must_use]
    pub fn server_address(&self) -> SocketAddr {
        self.address
    }

    /// The port that it listens at.
    #[must_use]
    pub fn server_port(&self) -> u16 {
        self.address.port()
    }

    /// What ends it, from another thread.
    #[must_use]
    pub fn stopper(&self) -> Stopper {
        Stopper(Arc::downgrade(&self.gate))
    }

    /// Serves one connection, with all the requests that come on it, and returns. If none waits it
    /// waits for one, or until it is stopped. A handler that panics loses its connection and
    /// nothing else.
    pub fn handle_request<H: Handler>(
        &self,
        files: impl FileSystem,
        config: impl Into<Arc<Config>>,
        handler: impl Fn() -> H,
    ) {
        if let Some(guest) = self.gate.admit(1) {
            self.serve(&guest, &files, &config.into(), handler, None);
        }
    }

    /// Serves until it is stopped, each connection with a handler of its own. `files` is a
    /// [`Disk`](crate::Disk), [`NoFiles`](crate::NoFiles) or any other [`FileSystem`], or a reference or an [`Arc`] to one. A handler that panics loses its connection
    /// and nothing else.
    ///
    /// # Errors
    /// None here. All servers return the same, and others may fail to begin.
    pub fn serve_forever<H: Handler>(
        self,
        files: impl FileSystem,
        config: impl Into<Arc<Config>>,
        handler: impl Fn() -> H,
    ) -> io::Result<()> {
        let config = config.into();
        while let Some(guest) = self.gate.admit(1) {
            self.serve(&guest, &files, &config, &handler, None);
        }
        Ok(())
    }

    /// Serves as [`serve_forever`](Self::serve_forever) does, and lets handlers take their connections over
    /// ([`Next::Upgrade`](sanserve_core::Next::Upgrade)): then `upgrade` is called with the handler and the transport, on the
    /// thread of the connection. Until it returns, this is a connection of the server, and counts as such. No deadline
    /// holds for it: how long it takes is up to the new protocol. When the server is stopped it goes on, and when the grace is
    /// over its socket is shut down, so that it reads the end; it has to return then.
    ///
    /// # Errors
    /// Those of [`serve_forever`](Self::serve_forever).
    pub fn serve_with_upgrades<H: Handler>(
        self,
        files: impl FileSystem,
        config: impl Into<Arc<Config>>,
        handler: impl Fn() -> H,
        upgrade: impl Fn(H, UpgradedStream),
    ) -> io::Result<()> {
        let config = config.into();
        while let Some(guest) = self.gate.admit(1) {
            self.serve(&guest, &files, &config, &handler, Some(&upgrade));
        }
        Ok(())
    }

    fn serve<H: Handler>(
        &self,
        guest: &Guest<'_>,
        files: &impl FileSystem,
        config: &Arc<Config>,
        handler: impl Fn() -> H,
        upgrade: Option<&dyn Fn(H, UpgradedStream)>,
    ) {
        let serve = || {
            let mut transport = (self.transport)(guest.socket())?;
            if upgrade.is_some() {
                transport.allow_upgrade();
            }
            let note = |phase| guest.note(phase);
            let upgraded = blocking::serve_noted(
                transport,
                files,
                Arc::clone(config),
                handler(),
                &self.log,
                guest.stop(),
                &note,
            )?;
            if let (Some((handler, stream)), Some(upgrade)) = (upgraded, upgrade) {
                guest.is_upgraded();
                upgrade(handler, stream);
            }
            Ok(())
        };
        // A panic has been reported by its hook.
        let served = panic::catch_unwind(AssertUnwindSafe(serve)).unwrap_or(Ok(()));
        let peer = || guest.socket().peer_addr().ok();
        if let Some(line) = failure_line(peer, config, &served) {
            (self.log)(&line);
        }
    }
}

impl fmt::Debug for HTTPServer {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = out.debug_struct("HTTPServer");
        out.field("address", &self.address).finish_non_exhaustive()
    }
}

/// Stops a server. There may be many, and they may outlive it.
#[derive(Clone, Debug)]
pub struct Stopper(Weak<Gate>);

impl Stopper {
    /// Accepts no more connections, closes idle ones, waits up to `grace` for running replies, and cuts off those that are
    /// left then. It returns when no connection is left, or when the grace is over; so does `serve_forever`,
    /// except that it waits for a call of the file system, or of a handler, that has not returned.
    ///
    /// It blocks the thread that calls it, which therefore must not be one that serves. Calling it again, with less grace or
    /// with more, does no harm: the least counts.
    pub fn shutdown(&self, grace: Duration) {
        if let Some(gate) = self.0.upgrade() {
            gate.close();
            gate.clear(grace);
        }
    }
}

/// Listens at the first of these addresses where that is possible, and returns the address with the port that was chosen.
/// Otherwise the error is that of the last address.
pub(crate) fn listen(address: impl ToSocketAddrs) -> Result<(TcpListener, SocketAddr), BindError> {
    let mut last = None;
    for address in resolve(address)? {
        match listen_at(address) {
            Ok(listening) => return Ok(listening),
            Err(error) => last = Some(BindError::new(ListenAddr::Ip(address), error)),
        }
    }
    Err(last.expect("a name that is resolved has an address"))
}

fn listen_at(address: SocketAddr) -> io::Result<(TcpListener, SocketAddr)> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    // On Windows this would let two servers share the port.
    #[cfg(unix)]
    socket.set_reuse_address(true)?;
    if address.ip() == Ipv6Addr::UNSPECIFIED {
        let _ = socket.set_only_v6(false);
    }
    #[cfg(target_os = "linux")]
    let _ = defer::defer_accept(&socket);
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    let listener = TcpListener::from(socket);
    let address = listener.local_addr()?;
    Ok((listener, address))
}

/// A log line about what was wrong with a transport, in the format of the log. That a peer went away or was cut off concerns nobody
/// else, but what he did wrong may be a mistake on this side, such as a certificate that he does not
/// trust.
pub(crate) fn failure_line(
    peer: impl FnOnce() -> Option<SocketAddr>,
    config: &Config,
    served: &io::Result<()>,
) -> Option<String> {
    let error = served.as_ref().err();
    let error = error.filter(|error| error.kind() == ErrorKind::InvalidData)?;
    let peer = peer().map_or("-".into(), |peer| peer.ip().to_string());
    let unix = SystemTime::now().duration_since(UNIX_EPOCH);
    let unix = unix.map_or(0, |unix| unix.as_secs() as i64);
    let record = LogRecord {
        client_address: &peer,
        request: &RequestHead::new(),
        unix: Some(unix),
        offset: (config.local_offset)(unix),
        authenticated: false,
        event: LogEvent::Message(&format_args!("TLS: {error}")),
    };
    let mut line = String::new();
    let written = (config.log_format)(&record, &mut line);
    written.is_ok().then_some(line)
}

/// For how many connections there is room: each is a descriptor, and some have a file open.
#[cfg(any(all(unix, feature = "mio"), feature = "tokio"))]
pub(crate) fn connections_default() -> usize {
    #[cfg(unix)]
    if let Some(limit) = rustix::process::getrlimit(rustix::process::Resource::Nofile).current {
        let most = usize::try_from(limit / 4 * 3).unwrap_or(MOST);
        return most.clamp(1, MOST);
    }
    MOST
}

#[cfg(any(all(unix, feature = "mio"), feature = "tokio"))]
const MOST: usize = 16_384;

/// How long it waits before it accepts again, after that has failed.
pub(crate) const ACCEPT_BACKOFF: Duration = Duration::from_millis(50);

/// As many as Linux allows at most, if nobody changed that, is 4096; Python asks for 5.
const BACKLOG: i32 = 1024;
