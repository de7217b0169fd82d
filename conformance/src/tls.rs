//! [`Certificate`]: a certificate for a test server, and a TLS client that trusts it. Feature `tls`.

use std::fmt;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustls::crypto::ring;
use rustls::{ClientConfig, ClientConnection, RootCertStore};

use crate::Client;
use crate::client::connect_socket;

/// A self-signed certificate for `localhost`, and a client that trusts it.
pub struct Certificate {
    pem: String,
    client: Arc<ClientConfig>,
}

impl Certificate {
    /// Generates a certificate with a new key.
    ///
    /// # Panics
    /// If the system has no randomness.
    #[must_use]
    pub fn generate() -> Self {
        let generated = rcgen::generate_simple_self_signed(["localhost".into()])
            .expect("the parameters are valid");
        let mut roots = RootCertStore::empty();
        roots
            .add(generated.cert.der().clone())
            .expect("the certificate is valid");
        let client = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("ring supports TLS 1.2 and 1.3")
            .with_root_certificates(roots)
            .with_no_client_auth();
        Self {
            pem: generated.cert.pem() + &generated.signing_key.serialize_pem(),
            client: Arc::new(client),
        }
    }

    /// Returns the certificate and its key as PEM, for the server.
    #[must_use]
    pub fn pem(&self) -> &str {
        &self.pem
    }

    /// Connects over TLS, for [`servers`](crate::servers). Each write is one record. A half-close is a close_notify;
    /// the socket stays open.
    ///
    /// # Errors
    /// The errors of the socket and of the handshake.
    pub fn connect(&self, to: SocketAddr) -> io::Result<Client> {
        let mut socket = connect_socket(to)?;
        let name = "localhost".try_into().expect("a name");
        let mut tls = ClientConnection::new(Arc::clone(&self.client), name).map_err(other)?;
        tls.complete_io(&mut socket)?;
        let (tls, socket_below) = (Mutex::new(tls), socket.try_clone()?);
        let stream = Arc::new(TlsSocket { socket, tls });
        let reader = Reader {
            stream: Arc::clone(&stream),
            records: vec![0; 16 * 1024],
            plain: io::Cursor::default(),
        };
        Ok(Client::new(reader, Writer(stream)).with_socket(socket_below))
    }
}

impl fmt::Debug for Certificate {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Certificate").finish_non_exhaustive()
    }
}

/// The connection, shared by both halves. The lock is not held while waiting for the socket.
struct TlsSocket {
    socket: TcpStream,
    tls: Mutex<ClientConnection>,
}

impl TlsSocket {
    fn tls(&self) -> MutexGuard<'_, ClientConnection> {
        self.tls.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Encrypts with `encrypt`, and sends the result. Only the writing half calls it.
    fn send<T>(
        &self,
        encrypt: impl FnOnce(&mut ClientConnection) -> io::Result<T>,
    ) -> io::Result<T> {
        let mut records = Vec::new();
        let encrypted = {
            let mut tls = self.tls();
            let encrypted = encrypt(&mut tls)?;
            while tls.wants_write() {
                tls.write_tls(&mut records)?;
            }
            encrypted
        };
        (&self.socket).write_all(&records)?;
        Ok(encrypted)
    }
}

struct Reader {
    stream: Arc<TlsSocket>,
    /// A buffer for encrypted data.
    records: Vec<u8>,
    /// Decrypted data that was not read yet.
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
            let (mut received, mut plain, mut tls) =
                (&self.records[..n], Vec::new(), self.stream.tls());
            while n == 0 || !received.is_empty() {
                tls.read_tls(&mut received)?;
                tls.process_new_packets().map_err(other)?;
                match tls.reader().read_to_end(&mut plain) {
                    Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                    // A server may abort the connection without a close_notify.
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
        self.0.send(|tls| tls.writer().write(from))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        let _ = self.0.send(|tls| {
            tls.send_close_notify();
            Ok(())
        });
    }
}

fn other(error: rustls::Error) -> io::Error {
    io::Error::other(error)
}
