//! [`Request`]: a request of a client, and the reply that it must get.

use sanserve_conformance::sim::Random;

use super::files::{SIZE_MAX, content};

pub(super) struct Request {
    pub(super) bytes: Vec<u8>,
    /// The length of the head, with the header of a proxy before it.
    pub(super) head_len: usize,
    /// The length of the header of a proxy.
    header_len: usize,
    pub(super) status: u16,
    expected: Content,
}

enum Content {
    File(usize),
    Text(&'static [u8]),
}

impl Request {
    /// Creates the request with this number of a client: for a file, to store one, or to a handler that waits.
    pub(super) fn new(link: usize, number: usize, size_max: usize, random: &mut Random) -> Request {
        let size = size_max.min(random.pick(&[0, 10, 700, 5_000, 40_000, SIZE_MAX]));
        let size = random.below(size + 1);
        match random.below(8) {
            0 => {
                let millis = random.below(400);
                let line = format!("GET /wait/{link}/{millis}?{number}");
                Request::made(&line, 0, 200, Content::Text(b"woken"))
            }
            1 => {
                let line = format!("PUT /put/{link}/0?{number}");
                Request::made(&line, size, 201, Content::Text(b""))
            }
            _ => {
                let line = format!("GET /files/{link}/{size}?{number}");
                Request::made(&line, 0, 200, Content::File(size))
            }
        }
    }

    /// Creates a request for another protocol, with its first bytes, which the server sends back.
    pub(super) fn upgrade(link: usize, number: usize) -> Request {
        let line = format!("GET /upgrade/{link}/0?{number}");
        let mut request = Request::made(&line, 0, 101, Content::Text(ECHOED));
        request.add_field(b"Connection: upgrade\r\nUpgrade: simulation\r\n");
        request.bytes.extend(ECHOED);
        request
    }

    fn made(line: &str, len: usize, status: u16, expected: Content) -> Request {
        let head = format!("{line} HTTP/1.1\r\nHost: x\r\nContent-Length: {len}\r\n\r\n");
        let mut bytes = head.into_bytes();
        let head_len = bytes.len();
        bytes.extend(content(0, len as u64));
        Request {
            bytes,
            head_len,
            header_len: 0,
            status,
            expected,
        }
    }

    /// Adds a field to the head.
    pub(super) fn add_field(&mut self, field: &[u8]) {
        let end = self.head_len - 2;
        self.bytes.splice(end..end, field.iter().copied());
        self.head_len += field.len();
    }

    /// Sends the header of a proxy before the request.
    pub(super) fn prepend(&mut self, header: &[u8]) {
        self.bytes.splice(..0, header.iter().copied());
        self.head_len += header.len();
        self.header_len = header.len();
    }

    /// Returns the target, as it is in the log.
    pub(super) fn target(&self) -> String {
        let mut words = self.bytes[self.header_len..].split(|byte| *byte == b' ');
        let target = words.nth(1).unwrap_or_default();
        format!(" {} HTTP", String::from_utf8_lossy(target))
    }

    /// Checks the beginning of what was received. Returns the length of the reply, if it is complete.
    pub(super) fn check(&self, received: &[u8]) -> Result<Option<usize>, String> {
        let Some(head) = received.windows(4).position(|it| it == b"\r\n\r\n") else {
            return Ok(None);
        };
        let text = String::from_utf8_lossy(&received[..head]);
        let status = text.get(9..12).and_then(|it| it.parse().ok());
        if !text.starts_with("HTTP/1.1 ") || status != Some(self.status) {
            return Err(format!("unexpected head {text:?}"));
        }
        let wanted = match self.expected {
            Content::File(len) => content(0, len as u64),
            Content::Text(text) => text,
        };
        let mut lines = text.lines();
        let length = lines.find_map(|line| line.strip_prefix("Content-Length: "));
        let length = length.and_then(|it| it.parse().ok()).unwrap_or(0);
        if self.status != 101 && length != wanted.len() {
            return Err(format!("Content-Length is {length}, not {}", wanted.len()));
        }
        let end = head + 4 + wanted.len();
        match received.get(head + 4..end) {
            None => Ok(None),
            Some(bytes) if bytes == wanted => Ok(Some(end)),
            Some(_) => Err("the content is wrong".into()),
        }
    }
}

/// What a client sends after the request for another protocol.
const ECHOED: &[u8] = b"the first bytes of another protocol";
