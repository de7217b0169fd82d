//! Sends a request to a host over a connection, and parses the reply.

use std::io;

use super::{Reply, Request};
use crate::{Client, Fragmentation, Pace};

impl Request {
    /// Sends the request on a new connection, divided as the fragmentation says, and reads the reply. The log of the
    /// reply is empty.
    ///
    /// # Errors
    /// The errors of the connection; [`InvalidData`](io::ErrorKind::InvalidData) if the reply is incomplete or invalid.
    pub fn exchange(&self, client: Client, fragmentation: Fragmentation) -> io::Result<Reply> {
        let bytes =
            client.send_and_read(&self.to_bytes(), false, &Pace::default(), fragmentation)?;
        let invalid = || {
            let message = format!("incomplete or invalid reply: {}", bytes.escape_ascii());
            io::Error::new(io::ErrorKind::InvalidData, message)
        };
        Reply::parse(&bytes, &self.method).ok_or_else(invalid)
    }

    /// Returns the bytes of the request, with `Connection: close`.
    fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = format!("{} {} HTTP/1.1\r\n", self.method, self.target).into_bytes();
        let mut field = |name: &str, value: &[u8]| {
            bytes.extend([name.as_bytes(), b": ", value, b"\r\n"].concat());
        };
        for (name, value) in &self.fields {
            field(name, value);
        }
        field("Connection", b"close");
        let is_length = |(name, _): &(String, _)| name.eq_ignore_ascii_case("content-length");
        match &self.content {
            Some(content) if !self.fields.iter().any(is_length) => {
                field("Transfer-Encoding", b"chunked");
                bytes.extend(b"\r\n");
                // In two chunks, so that there is a boundary within the content.
                let (one, two) = content.split_at(content.len() / 2);
                for chunk in [one, two].into_iter().filter(|chunk| !chunk.is_empty()) {
                    bytes.extend(format!("{:x}\r\n", chunk.len()).into_bytes());
                    bytes.extend([chunk, b"\r\n"].concat());
                }
                bytes.extend(b"0\r\n\r\n");
            }
            content => bytes.extend([b"\r\n", content.as_deref().unwrap_or_default()].concat()),
        }
        bytes
    }
}

impl Reply {
    /// Parses the bytes of a closed connection; `None` if the reply is incomplete or invalid.
    fn parse(bytes: &[u8], method: &str) -> Option<Self> {
        let mut rest = bytes;
        loop {
            let mut slots = [httparse::EMPTY_HEADER; 256];
            let mut head = httparse::Response::new(&mut slots);
            let httparse::Status::Complete(end) = head.parse(rest).ok()? else {
                return None;
            };
            rest = &rest[end..];
            let status = head.code?;
            if status < 200 {
                continue;
            }
            let fields = head.headers.iter();
            let fields: Vec<(String, Vec<u8>)> = fields
                .map(|field| (field.name.into(), field.value.into()))
                .collect();
            let mut content = Vec::new();
            if super::expected_reply::has_content(status, method) {
                content = match super::request::parse_content(&fields, rest).ok()? {
                    (Some(content), end) if end == rest.len() => content,
                    (None, _) => rest.to_vec(),
                    _ => return None,
                };
            }
            return Some(Self {
                status,
                fields,
                content,
                log: String::new(),
            });
        }
    }
}
