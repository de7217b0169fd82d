//! [`Shout`]: the protocol of the cases that upgrade their connection, and the handler that upgrades to it.

use alloc::vec::Vec;
#[cfg(feature = "std")]
use std::io::{self, ErrorKind, Read, Write};

use sanserve_core::wire::Version;
use sanserve_core::{Event, Exchange, Handler, Next};

/// The protocol to which [cases](crate::Case::upgrades) upgrade their connection. It does no I/O.
///
/// The server returns every byte in upper case as soon as it arrives. After a full stop it closes the connection. When
/// the client half-closes, the server sends `THE END` and closes the connection.
///
/// A port runs it on the transport of an upgraded connection, after the bytes that the client has already sent
/// ([`Upgraded::received`](sanserve_core::Upgraded::received)). For streams that block there is
/// [`serve`](Self::serve).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shout {
    is_ended: bool,
}

impl Shout {
    /// Returns the reply to these bytes. Pass an empty slice when the client has half-closed.
    pub fn receive(&mut self, bytes: &[u8]) -> Vec<u8> {
        if bytes.is_empty() {
            self.is_ended = true;
            return b"THE END".into();
        }
        let stop = bytes.iter().position(|byte| *byte == b'.');
        self.is_ended = stop.is_some();
        bytes[..stop.map_or(bytes.len(), |at| at + 1)].to_ascii_uppercase()
    }

    /// Returns whether the server closes the connection after the last reply.
    #[must_use]
    pub fn is_ended(&self) -> bool {
        self.is_ended
    }

    /// Runs the protocol to its end on a stream that blocks.
    ///
    /// # Errors
    /// The errors of the stream.
    #[cfg(feature = "std")]
    pub fn serve(mut self, mut stream: impl Read + Write) -> io::Result<()> {
        let mut buffer = [0; 1000];
        while !self.is_ended {
            let n = match stream.read(&mut buffer) {
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                read => read?,
            };
            stream.write_all(&self.receive(&buffer[..n]))?;
            stream.flush()?;
        }
        Ok(())
    }
}

/// Upgrades connections to [`Shout`], after it has read the content of the request. `CONNECT` does the same. Other
/// requests are rejected with 426.
pub(crate) struct Upgrades;

impl Handler for Upgrades {
    fn begin(&mut self, ex: &mut Exchange<'_>) -> Next {
        if ex.command() == "CONNECT" {
            ex.send_response(200);
            ex.end_headers();
            return Next::Upgrade;
        }
        match wants_shout(ex) {
            true => Next::Body,
            false => upgrade_required(ex),
        }
    }

    fn resume(&mut self, ex: &mut Exchange<'_>, event: Event<'_>) -> Next {
        if let Event::Data(_) = event {
            return Next::Body;
        }
        ex.send_response(101);
        ex.send_header("Connection", "Upgrade");
        ex.send_header("Upgrade", "shout");
        ex.end_headers();
        Next::Upgrade
    }
}

/// Returns whether the client asks for an upgrade to this protocol (RFC 9110 §7.8): names of protocols are compared
/// without regard to case, and HTTP/1.0 has no upgrades.
fn wants_shout(ex: &Exchange<'_>) -> bool {
    let lists = |name, item: &str| {
        let mut items = ex.get_all(name).flat_map(|value| value.split(','));
        items.any(|found| found.trim().eq_ignore_ascii_case(item))
    };
    ex.request_version() == Version::Http11
        && lists("Connection", "upgrade")
        && lists("Upgrade", "shout")
}

/// Names the protocol, as every 426 has to (RFC 9110 §15.5.22).
fn upgrade_required(ex: &mut Exchange<'_>) -> Next {
    ex.send_response(426);
    ex.send_header("Upgrade", "shout");
    ex.send_header("Content-Length", 14);
    ex.end_headers();
    ex.write(b"please shout!\n");
    Next::Done
}
