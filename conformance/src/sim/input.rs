//! [`Input`]: writes the requests of a peer as bytes, with random and sometimes invalid chunks, damages some or cuts
//! them off, and stores what a handler must get.

use super::Random;
use super::request::{Content, Request};

/// The bytes of the requests of a connection.
#[derive(Clone, Debug, Default)]
pub(super) struct Input {
    pub(super) bytes: Vec<u8>,
    /// The request lines that a handler must get; `None` if damage makes them unknown.
    pub(super) lines: Option<Vec<Vec<u8>>>,
    /// The content of each of these requests.
    pub(super) contents: Vec<Vec<u8>>,
    /// Where each request ends, including its content.
    pub(super) ends: Vec<usize>,
    /// There was an error, after which no line is a request.
    is_broken: bool,
}

impl Input {
    /// Writes these requests one after the other.
    pub(super) fn of<'a>(requests: impl IntoIterator<Item = &'a Request>) -> Input {
        let mut input = Input {
            lines: Some(Vec::new()),
            ..Input::default()
        };
        for request in requests {
            if !input.add(request) {
                break;
            }
        }
        input
    }

    /// Writes a request. Returns false if nothing can follow it.
    fn add(&mut self, request: &Request) -> bool {
        self.bytes.extend_from_slice(request.lead);
        let start = self.bytes.len();
        self.bytes.extend_from_slice(request.method.as_bytes());
        self.bytes.push(b' ');
        self.bytes.extend_from_slice(request.target.as_bytes());
        self.bytes.extend_from_slice(request.version.as_bytes());
        let line = self.bytes[start..].to_vec();
        self.is_broken |= request.invalid.is_some();
        if let (Some(lines), false) = (&mut self.lines, self.is_broken) {
            lines.push(line);
            self.contents.push(Vec::new());
        }
        self.bytes.extend_from_slice(b"\r\n");
        if !request.version.is_empty() {
            for field in &request.fields {
                self.line(field);
            }
            match &request.content {
                None => self.line(b""),
                Some(content) if !self.content(content) => return false,
                Some(_) => {}
            }
        }
        if !self.is_broken {
            self.ends.push(self.bytes.len());
        }
        true
    }

    /// Writes content and its framing. Returns false if the peer withholds it.
    fn content(&mut self, content: &Content) -> bool {
        let bytes = &content.bytes;
        match content.chunks {
            Some(_) => self.line(b"Transfer-Encoding: chunked"),
            None => self.line(format!("Content-Length: {}", bytes.len()).as_bytes()),
        }
        self.line(b"");
        if content.is_withheld {
            return false;
        }
        let is_known = !self.is_broken;
        match &content.chunks {
            Some(random) => self.chunks(&mut random.clone(), bytes, content.may_break),
            None => self.bytes.extend_from_slice(bytes),
        }
        if let (Some(last), true) = (self.contents.last_mut(), is_known) {
            last.clone_from(bytes);
        }
        true
    }

    fn line(&mut self, line: &[u8]) {
        self.bytes.extend_from_slice(line);
        self.bytes.extend_from_slice(b"\r\n");
    }

    fn chunks(&mut self, random: &mut Random, mut content: &[u8], may_break: bool) {
        while !content.is_empty() {
            let piece;
            (piece, content) = content.split_at(1 + random.below(content.len()));
            let extension = random.pick(&["", "", ";x", " ; y=\"z\""]);
            let size = format!("{:x}{extension}", piece.len());
            if may_break && random.one_in(60) {
                self.is_broken = true;
                let broken = broken_chunk(random, size.as_bytes(), piece);
                self.bytes.extend_from_slice(&broken);
                return;
            }
            self.line(size.as_bytes());
            self.line(piece);
        }
        self.bytes.extend_from_slice(random.pick(&[
            &b"0\r\n\r\n"[..],
            b"000\r\n\r\n",
            b"0;x\r\n\r\n",
            b"0\r\nX: y\r\n\r\n",
        ]));
    }

    /// Changes, removes, repeats or inserts bytes. The requests are unknown after that.
    pub(super) fn damage(&mut self, mut random: Random) {
        (self.lines, self.ends) = (None, Vec::new());
        let bytes = &mut self.bytes;
        let at = random.below(bytes.len().max(1)).min(bytes.len());
        let to = at + random.below(bytes.len() - at + 1).min(60);
        match random.below(6) {
            0 if at < bytes.len() => bytes[at] = random.number() as u8,
            1 if at < bytes.len() => bytes[at] ^= 1 << random.below(8),
            2 => bytes.insert(at, random.pick(b"\r\n\0 :0")),
            3 => _ = bytes.drain(at..to),
            4 => {
                let piece = bytes[at..to].to_vec();
                let at = random.below(bytes.len() + 1);
                _ = bytes.splice(at..at, piece);
            }
            _ => {
                let garbage = (0..random.below(20)).map(|_| random.number() as u8);
                let garbage: Vec<u8> = garbage.collect();
                _ = bytes.splice(at..at, garbage);
            }
        }
    }

    /// Cuts the bytes off at a random place.
    pub(super) fn cut(&mut self, mut random: Random) {
        let len = random.below(self.bytes.len() + 1);
        self.bytes.truncate(len);
    }
}

/// Returns an invalid chunk, with a last chunk after it.
fn broken_chunk(random: &mut Random, size: &[u8], piece: &[u8]) -> Vec<u8> {
    let end = b"0\r\n\r\n";
    match random.below(5) {
        0 => [size, b"\r\n", piece, b"xx", end].concat(),
        1 => [size, b"\r\n", piece, b"\n", end].concat(),
        2 => [size, b"\n", piece, b"\r\n", end].concat(),
        3 => [b"0x", size, b"\r\n", piece, b"\r\n", end].concat(),
        _ => [b"-", size, b"\r\n", piece, b"\r\n", end].concat(),
    }
}
