//! [`Request`]: what the host was asked, as a client would have written it.

use core::fmt::Write;

use sanserve_core::Buffer;

use super::is_of_connection;

/// A request, as the bytes that a connection reads.
#[derive(Debug)]
pub struct Request {
    waiting: Buffer,
    /// The content comes in chunks, the last of which is still to come.
    chunked: bool,
}

impl Request {
    /// Its head. `target` is path and query, or `*`. `authority` becomes the field `Host`, if there
    /// is none. Fields that speak of the host's own connection are left out. `content` says whether
    /// there may be content; where no field tells its length it goes in chunks.
    ///
    /// The host has checked all of it: none of these holds a line break.
    pub fn new<'a>(
        method: &str,
        target: &str,
        authority: Option<&str>,
        fields: impl IntoIterator<Item = (&'a str, &'a [u8])>,
        content: bool,
    ) -> Request {
        let mut head = Buffer::new();
        let _ = write!(head, "{method} {target} HTTP/1.1\r\n"); // a buffer takes everything
        let mut field = |name: &str, value: &[u8]| {
            head.push(name.as_bytes());
            head.push(b": ");
            head.push(value);
            head.push(b"\r\n");
        };
        let (mut host, mut length) = (false, false);
        for (name, value) in fields {
            if !is_of_connection(name) {
                host |= name.eq_ignore_ascii_case("host");
                length |= name.eq_ignore_ascii_case("content-length");
                field(name, value);
            }
        }
        if !host {
            field("Host", authority.unwrap_or("localhost").as_bytes());
        }
        let chunked = content && !length;
        if chunked {
            field("Transfer-Encoding", b"chunked");
        }
        field("Connection", b"close");
        head.push(b"\r\n");
        Request {
            waiting: head,
            chunked,
        }
    }

    /// Whether all that is known of it was read. Before it is read again the host has to give
    /// [`content`](Self::content) or tell that it has [ended](Self::end).
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Adds content.
    pub fn content(&mut self, bytes: &[u8]) {
        if self.chunked && !bytes.is_empty() {
            let _ = write!(self.waiting, "{:x}\r\n", bytes.len());
        }
        self.waiting.push(bytes);
        if self.chunked && !bytes.is_empty() {
            self.waiting.push(b"\r\n");
        }
    }

    /// The content was whole. Where it broke off this is not called, and it is not taken for whole.
    pub fn end(&mut self) {
        if core::mem::take(&mut self.chunked) {
            self.waiting.push(b"0\r\n\r\n");
        }
    }

    /// Reads some of it; 0 says that no more will come.
    pub fn read(&mut self, into: &mut [u8]) -> usize {
        let n = self.waiting.len().min(into.len());
        into[..n].copy_from_slice(&self.waiting.filled()[..n]);
        self.waiting.consume(n);
        n
    }
}
