//! [`Request`]: serializes the host's request as a client would have sent it, without the fields that apply only to the
//! host's connection.

use core::fmt::Write;

use sanserve_core::Buffer;

use super::is_hop_by_hop;

/// A request, serialized for a connection to read.
#[derive(Debug)]
pub struct Request {
    buffer: Buffer,
    /// Whether the content is sent in chunks, and the last one is still to come.
    chunked: bool,
}

impl Request {
    /// Serializes the head. `target` is path and query, or `*`. `authority` becomes the field `Host`, if there
    /// is none. Fields that apply only to the host's connection are left out. `content` says whether there may
    /// be content; if no field gives its length, it is sent in chunks.
    ///
    /// The host has validated all arguments: none contains a line break.
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
            if !is_hop_by_hop(name) {
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
            buffer: head,
            chunked,
        }
    }

    /// Returns whether everything so far was read. Before the next read, the host has to add
    /// [`content`](Self::content) or call [`end`](Self::end).
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.buffer.is_empty()
    }

    /// Adds content.
    pub fn content(&mut self, bytes: &[u8]) {
        if self.chunked && !bytes.is_empty() {
            let _ = write!(self.buffer, "{:x}\r\n", bytes.len());
        }
        self.buffer.push(bytes);
        if self.chunked && !bytes.is_empty() {
            self.buffer.push(b"\r\n");
        }
    }

    /// Marks the content as complete. If it was cut off, do not call this, so that it is not taken for complete.
    pub fn end(&mut self) {
        if core::mem::take(&mut self.chunked) {
            self.buffer.push(b"0\r\n\r\n");
        }
    }

    /// Reads some bytes; 0 means that no more will follow.
    pub fn read(&mut self, into: &mut [u8]) -> usize {
        let n = self.buffer.len().min(into.len());
        into[..n].copy_from_slice(&self.buffer.filled()[..n]);
        self.buffer.consume(n);
        n
    }
}
