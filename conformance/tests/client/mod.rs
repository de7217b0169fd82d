//! The other side of the std adapter: a socket, bare or below TLS, that is written by one thread and
//! read by another.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rustls::{ClientConfig, ClientConnection};

/// A connection to a server.
pub(crate) struct Client {
    socket: TcpStream,
    tls: Option<Mutex<ClientConnection>>,
}

impl Client {
    /// Connects, over TLS if there is a configuration for it.
    pub(crate) fn connect(to: SocketAddr, tls: Option<&Arc<ClientConfig>>) -> io::Result<Client> {
        let mut socket = TcpStream::connect(to)?;
        socket.set_nodelay(true)?;
        socket.set_read_timeout(Some(Duration::from_secs(20)))?;
        let mut tls = tls.map(|config| {
            let name = "localhost".try_into().expect("a name");
            ClientConnection::new(Arc::clone(config), name).expect("a good configuration")
        });
        if let Some(tls) = &mut tls {
            tls.complete_io(&mut socket)?;
        }
        let tls = tls.map(Mutex::new);
        Ok(Client { socket, tls })
    }

    /// Sends some of these bytes, over TLS as a record of their own.
    pub(crate) fn send(&self, from: &[u8]) -> io::Result<usize> {
        let mut socket = &self.socket;
        let Some(tls) = &self.tls else {
            return socket.write(from);
        };
        let mut tls = tls.lock().expect("no panic");
        let n = tls.writer().write(from)?;
        while tls.wants_write() {
            tls.write_tls(&mut socket)?;
        }
        Ok(n)
    }

    /// Says that nothing more will come. Over TLS that is a close_notify, and the socket stays open.
    pub(crate) fn end(&self) -> io::Result<()> {
        let mut socket = &self.socket;
        let Some(tls) = &self.tls else {
            return socket.shutdown(Shutdown::Write);
        };
        let mut tls = tls.lock().expect("no panic");
        tls.send_close_notify();
        while tls.wants_write() {
            tls.write_tls(&mut socket)?;
        }
        Ok(())
    }

    /// Reads to the end, which need not be a close_notify: a server may break off.
    pub(crate) fn receive(&self) -> io::Result<Vec<u8>> {
        let (mut socket, mut bytes) = (&self.socket, Vec::new());
        let Some(tls) = &self.tls else {
            socket.read_to_end(&mut bytes)?;
            return Ok(bytes);
        };
        let mut records = vec![0; 64 * 1024];
        loop {
            let n = match socket.read(&mut records) {
                Ok(n) => n,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            let (mut come, mut tls) = (&records[..n], tls.lock().expect("no panic"));
            while n == 0 || !come.is_empty() {
                tls.read_tls(&mut come)?;
                tls.process_new_packets().map_err(io::Error::other)?;
                match tls.reader().read_to_end(&mut bytes) {
                    Ok(_) => return Ok(bytes),
                    Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                    Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(bytes),
                    Err(error) => return Err(error),
                }
            }
        }
    }
}
