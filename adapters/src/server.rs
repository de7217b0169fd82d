//! Servers with Python's names: [`HTTPServer`] here, one with threads in `threading`, those over TLS in `https`. Also
//! opens the listening sockets of all servers.
//!
//! The [`Acceptor`] accepts connections and shuts the server down; [`serve`](crate::blocking::serve) serves a
//! connection.

mod acceptor;
#[cfg(target_os = "linux")]
mod defer_accept;
#[cfg(feature = "tls")]
mod https;
pub(crate) mod table;
mod threading;

use std::error::Error;
use std::fmt;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv6Addr, SocketAddr, TcpListener, TcpStream, ToSocketAddrs};
use std::panic::{self, AssertUnwindSafe};
use std::sync::{Arc, Weak};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use sanserve_core::log::{LogEvent, LogRecord};
use sanserve_core::wire::RequestHead;
use sanserve_core::{Config, FileSystem, Handler};
use socket2::{Domain, Socket, Type};

use self::acceptor::{AcceptedConnection, Acceptor};
#[cfg(feature = "tls")]
pub use self::https::{HTTPSServer, ThreadingHTTPSServer};
pub use self::threading::ThreadingHTTPServer;
use crate::bind_error::resolve;
use crate::blocking::{self, Transport};
use crate::proxy_protocol::{InvalidHeader, IsProxy};
use crate::{BindError, ListenAddr, Recorder, UpgradedStream};

/// A server that serves one connection after the other, on the calling thread: for systems without threads, or
/// to serve a single request. A slow client delays all others; with [`ThreadingHTTPServer`] it does not. It
/// listens as soon as it is created; connections that arrive before it serves wait.
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
    acceptor: Arc<Acceptor>,
    address: SocketAddr,
    transport: Box<MakeTransport>,
    log: Box<dyn Fn(&str) + Send + Sync>,
    recorder: Option<Recorder>,
    is_proxy: Option<IsProxy>,
}

/// Makes the transport of a socket, with TLS or without.
type MakeTransport = dyn for<'a> Fn(&'a TcpStream) -> io::Result<Transport<'a>> + Send + Sync;

impl HTTPServer {
    /// Listens on `address`. If a name has several addresses, the first one that works is used. With port 0 the
    /// system chooses a port. Listening on `::` includes IPv4 if the system supports that.
    ///
    /// # Errors
    /// If the address cannot be resolved, does not belong to this machine, is in use, or is not permitted.
    pub fn bind(address: impl ToSocketAddrs) -> Result<HTTPServer, BindError> {
        let (listener, address) = listen(address)?;
        Ok(HTTPServer {
            address,
            acceptor: Arc::new(Acceptor::new(listener)),
            transport: Box::new(|socket| Ok(Transport::from(socket))),
            log: Box::new(blocking::stderr),
            recorder: None,
            is_proxy: None,
        })
    }

    /// Serves HTTPS. The handshake is part of a connection, and may take as long as a request head,
    /// [`Timeouts::head`], counted from when the connection is accepted.
    ///
    /// [`Timeouts::head`]: sanserve_core::Timeouts::head
    #[cfg(feature = "tls")]
    #[must_use]
    pub fn with_tls(self, tls: crate::Tls) -> HTTPServer {
        let transport: Box<MakeTransport> = Box::new(move |socket| Transport::tls(socket, &tls));
        HTTPServer { transport, ..self }
    }

    /// Sets where log lines go, each ended by a newline; by default [standard error](blocking::stderr). A
    /// server with threads calls the function from several of them at the same time.
    pub fn with_log(self, log: impl Fn(&str) + Send + Sync + 'static) -> HTTPServer {
        let log = Box::new(log);
        HTTPServer { log, ..self }
    }

    /// Records all connections. By default nothing is recorded.
    #[must_use]
    pub fn with_recorder(self, recorder: &Recorder) -> HTTPServer {
        let recorder = Some(recorder.clone());
        HTTPServer { recorder, ..self }
    }

    /// Requires the header of the PROXY protocol, version 1 or 2, from the peers for which `is_proxy` returns `true`: it
    /// begins the connection, before TLS, and its client replaces the peer. The argument is the address of the peer, or
    /// `None` for a Unix domain socket. A proxy that sends no valid header is disconnected, and the log says so; the
    /// header may take as long as a request head, [`Timeouts::head`](sanserve_core::Timeouts::head). From other peers the
    /// header is a malformed request, as it is by default from all.
    #[must_use]
    pub fn with_proxy_protocol(
        self,
        is_proxy: impl Fn(Option<IpAddr>) -> bool + Send + Sync + 'static,
    ) -> HTTPServer {
        let is_proxy: Option<IsProxy> = Some(Arc::new(is_proxy));
        HTTPServer { is_proxy, ..self }
    }

    /// Returns the address that the server listens on, with the port that was chosen.
    #[must_use]
    pub fn server_address(&self) -> SocketAddr {
        self.address
    }

    /// Returns the port that the server listens on.
    #[must_use]
    pub fn server_port(&self) -> u16 {
        self.address.port()
    }

    /// Returns a handle that stops the server from another thread.
    #[must_use]
    pub fn stopper(&self) -> Stopper {
        Stopper(Arc::downgrade(&self.acceptor))
    }

    /// Serves one connection, with all its requests, and returns. Waits for a connection, or until the server
    /// is stopped. A handler that panics loses its connection and nothing else.
    pub fn handle_request<H: Handler>(
        &self,
        files: impl FileSystem,
        config: impl Into<Arc<Config>>,
        handler: impl Fn() -> H,
    ) {
        if let Some(connection) = self.acceptor.accept(1) {
            self.serve(&connection, &files, &config.into(), handler, None);
        }
    }

    /// Serves until the server is stopped, each connection with its own handler. `files` is a
    /// [`Disk`](crate::Disk), [`NoFiles`](crate::NoFiles) or any other [`FileSystem`], or a reference or an
    /// [`Arc`] to one. A handler that panics loses its connection and nothing else.
    ///
    /// # Errors
    /// Never. All servers have this signature, and others may fail to start.
    pub fn serve_forever<H: Handler>(
        self,
        files: impl FileSystem,
        config: impl Into<Arc<Config>>,
        handler: impl Fn() -> H,
    ) -> io::Result<()> {
        let config = config.into();
        while let Some(connection) = self.acceptor.accept(1) {
            self.serve(&connection, &files, &config, &handler, None);
        }
        Ok(())
    }

    /// Serves as [`serve_forever`](Self::serve_forever) does, and lets handlers take over their connections
    /// ([`Next::Upgrade`](sanserve_core::Next::Upgrade)): `upgrade` is then called with the handler and the
    /// stream, on the thread of the connection. Until it returns, the connection counts as one of the server.
    /// No deadline of the engine applies to it: how long it takes is up to the new protocol. When the server is
    /// stopped, `upgrade` may continue; when the grace period is over, its socket is shut down, so that it
    /// reads the end of the stream, and must return.
    ///
    /// # Errors
    /// The errors of [`serve_forever`](Self::serve_forever).
    pub fn serve_with_upgrades<H: Handler>(
        self,
        files: impl FileSystem,
        config: impl Into<Arc<Config>>,
        handler: impl Fn() -> H,
        upgrade: impl Fn(H, UpgradedStream),
    ) -> io::Result<()> {
        let config = config.into();
        while let Some(connection) = self.acceptor.accept(1) {
            self.serve(&connection, &files, &config, &handler, Some(&upgrade));
        }
        Ok(())
    }

    fn serve<H: Handler>(
        &self,
        connection: &AcceptedConnection<'_>,
        files: &impl FileSystem,
        config: &Arc<Config>,
        handler: impl Fn() -> H,
        upgrade: Option<&dyn Fn(H, UpgradedStream)>,
    ) {
        let serve = || {
            let mut transport = (self.transport)(connection.socket())?;
            if let Some(is_proxy) = &self.is_proxy {
                transport.expect_header(is_proxy)?;
            }
            if upgrade.is_some() {
                transport.allow_upgrade();
            }
            transport.record(self.recorder.as_ref());
            let on_phase = |phase| connection.set_phase(phase);
            let upgraded = blocking::serve_observed(
                transport,
                files,
                Arc::clone(config),
                handler(),
                &self.log,
                connection.stop(),
                &on_phase,
            )?;
            if let (Some((handler, stream)), Some(upgrade)) = (upgraded, upgrade) {
                connection.mark_upgraded();
                upgrade(handler, stream);
            }
            Ok(())
        };
        // A panic has already been reported by the panic hook.
        let served = panic::catch_unwind(AssertUnwindSafe(serve)).unwrap_or(Ok(()));
        let peer = || connection.socket().peer_addr().ok();
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

/// Stops a server. It can be cloned, and may outlive the server.
#[derive(Clone, Debug)]
pub struct Stopper(Weak<Acceptor>);

impl Stopper {
    /// Stops accepting connections, closes idle ones, waits up to `grace` for replies in progress, and closes
    /// the remaining connections then. It returns when no connection is left or when the grace period is over.
    /// So does `serve_forever`, except that it waits for a call of the file system or of a handler that has not
    /// returned.
    ///
    /// This function blocks, so a thread that serves must not call it. It may be called again with a shorter or
    /// longer grace period: the shortest one counts.
    pub fn shutdown(&self, grace: Duration) {
        if let Some(acceptor) = self.0.upgrade() {
            acceptor.close();
            acceptor.wait_until_empty(grace);
        }
    }
}

/// Listens on the first address that works, and returns it with the port that was chosen. If none works, the
/// error is that of the last one.
pub(crate) fn listen(address: impl ToSocketAddrs) -> Result<(TcpListener, SocketAddr), BindError> {
    let mut last = None;
    for address in resolve(address)? {
        match listen_at(address) {
            Ok(bound) => return Ok(bound),
            Err(error) => last = Some(BindError::new(ListenAddr::Ip(address), error)),
        }
    }
    Err(last.expect("a name that is resolved has an address"))
}

fn listen_at(address: SocketAddr) -> io::Result<(TcpListener, SocketAddr)> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    // On Windows, two servers could share the port then.
    #[cfg(unix)]
    socket.set_reuse_address(true)?;
    if address.ip() == Ipv6Addr::UNSPECIFIED {
        let _ = socket.set_only_v6(false);
    }
    #[cfg(target_os = "linux")]
    let _ = defer_accept::defer_accept(&socket);
    socket.bind(&address.into())?;
    socket.listen(LISTEN_BACKLOG)?;
    let listener = TcpListener::from(socket);
    let address = listener.local_addr()?;
    Ok((listener, address))
}

/// Returns a log line about an error of a connection, in the configured format. Only protocol errors are
/// logged, because they may have a cause on this side, such as a certificate that the client does not trust. A
/// client that disconnects is not worth a line.
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
    let is_header = |error: &(dyn Error + 'static)| error.is::<InvalidHeader>();
    let protocol = match error.get_ref().is_some_and(|error| is_header(error)) {
        true => "PROXY protocol",
        false => "TLS",
    };
    let record = LogRecord {
        client_address: &peer,
        request: &RequestHead::new(),
        unix: Some(unix),
        offset: (config.local_offset)(unix),
        authenticated: false,
        event: LogEvent::Message(&format_args!("{protocol}: {error}")),
    };
    let mut line = String::new();
    let written = (config.log_format)(&record, &mut line);
    written.is_ok().then_some(line)
}

/// Returns the default for the maximum number of connections: each needs a descriptor, and some have an open file.
#[cfg(any(all(unix, feature = "mio"), feature = "tokio"))]
pub(crate) fn connections_default() -> usize {
    #[cfg(unix)]
    if let Some(limit) = rustix::process::getrlimit(rustix::process::Resource::Nofile).current {
        let limit = usize::try_from(limit / 4 * 3).unwrap_or(CONNECTIONS_MAX);
        return limit.clamp(1, CONNECTIONS_MAX);
    }
    CONNECTIONS_MAX
}

#[cfg(any(all(unix, feature = "mio"), feature = "tokio"))]
const CONNECTIONS_MAX: usize = 16_384;

/// The pause after accepting a connection has failed.
pub(crate) const ACCEPT_BACKOFF: Duration = Duration::from_millis(50);

/// Linux allows at most 4096 by default; Python asks for 5.
const LISTEN_BACKLOG: i32 = 1024;
