//! [`Certificate`]: what a server over TLS and its client need for a test. Feature `tls`.

use std::fmt;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustls::crypto::ring;
use rustls::{ClientConfig, ClientConnection, RootCertStore};

use crate::Client;
use crate::client::TIMEOUTS;

/// A certificate for `localhost` that nobody has signed, and a client that trusts it.
pub struct Certificate {
    pem: String,
    client: Arc<ClientConfig>,
}

impl Certificate {
    /// Makes one, with a new key.
    ///
    /// # Panics
    /// If the system has no randomness.
    #[must_use]
    pub fn generate() -> Self {
        let made = rcgen::generate_simple_self_signed(["localhost".into()]).expect("a certificate");
        let mut roots = RootCertStore::empty();
        roots.add(made.cert.der().clone()).expect("it is whole");
        let client = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("ring has all that TLS 1.2 and 1.3 need")
            .with_root_certificates(roots)
            .with_no_client_auth();
        Self {
            pem: made.cert.pem() + &made.signing_key.serialize_pem(),
            client: Arc::new(client),
        }
    }

    /// The certificate and its key, for the server.
    #[must_use]
    pub fn pem(&self) -> &str {
        &self.pem
    }

    /// Connects over TLS, for [`servers`](crate::servers). Each piece that is sent is a record of its
    /// own; the half-close is a close_notify, after which the socket stays open.
    ///
    /// # Errors
    /// Those of the system and of the handshake.
    pub fn connect(&self, to: SocketAddr) -> io::Result<Client> {
        let mut socket = TcpStream::connect(to)?;
        socket.set_nodelay(true)?;
        socket.set_read_timeout(Some(TIMEOUTS))?;
        let name = "localhost".try_into().expect("a name");
        let mut tls = ClientConnection::new(Arc::clone(&self.client), name).map_err(other)?;
        tls.complete_io(&mut socket)?;
        let tls = Mutex::new(tls);
        let stream = Arc::new(TlsSocket { socket, tls });
        let reader = Reader {
            stream: Arc::clone(&stream),
            records: vec![0; 16 * 1024],
            plain: io::Cursor::default(),
        };
        Ok(Client::new(reader, Writer(stream)))
    }
}

impl fmt::Debug for Certificate {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Certificate").finish_non_exhaustive()
    }
}

/// What both halves share. The lock is not held while the socket is waited for.
struct TlsSocket {
    socket: TcpStream,
    tls: Mutex<ClientConnection>,
}

impl TlsSocket {
    fn tls(&self) -> MutexGuard<'_, ClientConnection> {
        self.tls.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends what TLS has to say.
    fn flush(&self, tls: &mut ClientConnection) -> io::Result<()> {
        while tls.wants_write() {
            tls.write_tls(&mut &self.socket)?;
        }
        Ok(())
    }
}

struct Reader {
    stream: Arc<TlsSocket>,
    /// Room for what comes.
    records: Vec<u8>,
    /// What came of it and was not read yet.
    plain: io::Cursor<Vec<u8>>,
}

impl Read for Reader {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        loop {
            let n = self.plain.read(into)?;
            if n > 0 || into.is_empty() {
                return Ok(n);
            }
            let n = match (&self.stream.socket).read(&mut self.records) {
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                read => read?,
            };
            let (mut come, mut plain, mut tls) =
                (&self.records[..n], Vec::new(), self.stream.tls());
            while n == 0 || !come.is_empty() {
                tls.read_tls(&mut come)?;
                tls.process_new_packets().map_err(other)?;
                match tls.reader().read_to_end(&mut plain) {
                    Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                    // The end need not be a close_notify: a server may break off.
                    Err(error) if error.kind() != ErrorKind::UnexpectedEof => return Err(error),
                    _ if plain.is_empty() => return Ok(0),
                    _ => break,
                }
            }
            self.plain = io::Cursor::new(plain);
        }
    }
}

struct Writer(Arc<TlsSocket>);

impl Write for Writer {
    fn write(&mut self, from: &[u8]) -> io::Result<usize> {
        let mut tls = self.0.tls();
        let n = tls.writer().write(from)?;
        self.0.flush(&mut tls)?;
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        let mut tls = self.0.tls();
        tls.send_close_notify();
        let _ = self.0.flush(&mut tls);
    }
}

fn other(error: rustls::Error) -> io::Error {
    io::Error::other(error)
}
