//! The grammar of requests: valid, unusual, invalid and damaged ones.

use super::Random;

/// The requests that a peer will send.
#[derive(Clone, Debug, Default)]
pub(super) struct Requests {
    pub(super) bytes: Vec<u8>,
    /// The request lines that a handler must get; `None` if damage makes them unknown.
    pub(super) lines: Option<Vec<Vec<u8>>>,
    /// The content of each of these requests.
    pub(super) contents: Vec<Vec<u8>>,
    /// Whether the content may have megabytes.
    large: bool,
    /// There was an error, after which no line is a request.
    broken: bool,
    /// Where each request ends, including its content.
    pub(super) ends: Vec<usize>,
}

impl Requests {
    /// Generates a few requests for these targets. They may be damaged.
    pub(super) fn grow(random: &mut Random, targets: &[&str]) -> Requests {
        let mut requests = Requests {
            lines: Some(Vec::new()),
            ..Requests::default()
        };
        if random.one_in(200) {
            return requests.burst(random, targets);
        }
        requests.large = random.one_in(64);
        let many = if random.one_in(100) { 40 } else { 4 };
        for _ in 0..random.below(many) + 1 {
            if !requests.add(random, targets) {
                break;
            }
        }
        match random.below(6) {
            0 => requests.damage(random),
            1 => {
                let len = random.below(requests.bytes.len() + 1);
                requests.bytes.truncate(len);
            }
            _ => {}
        }
        requests
    }

    /// Generates many small requests.
    fn burst(mut self, random: &mut Random, targets: &[&str]) -> Requests {
        let line = [b"GET ", random.pick(targets).as_bytes(), b" HTTP/1.1"].concat();
        for _ in 0..100 + random.below(900) {
            self.line(&line);
            self.line(b"Host: h");
            self.line(b"");
            self.ends.push(self.bytes.len());
        }
        self.lines = Some(vec![line; self.ends.len()]);
        self.contents = vec![Vec::new(); self.ends.len()];
        self
    }

    /// Adds a request. Returns false if nothing can follow it.
    fn add(&mut self, random: &mut Random, targets: &[&str]) -> bool {
        if random.one_in(20) {
            self.bytes
                .extend_from_slice(random.pick(&[&b"\r\n"[..], b"\n"]));
        }
        let method = match random.below(20) {
            0..10 => "GET",
            10..13 => "HEAD",
            13..18 => "POST",
            _ => random.pick(&["OPTIONS", "get", "PUT", "DELETE", "CONNECT", "X", ""]),
        };
        let version = match random.below(20) {
            0..14 => " HTTP/1.1",
            14..17 => " HTTP/1.0",
            17 => "",
            _ => random.pick(&[
                " HTTP/0.9",
                " HTTP/1.2",
                " HTTP/2.0",
                " HTTP/1.x",
                " x HTTP/1.1",
            ]),
        };
        let target = match method {
            "CONNECT" => "h:80",
            _ => random.pick(targets),
        };
        let line = [
            method.as_bytes(),
            b" ",
            target.as_bytes(),
            version.as_bytes(),
        ]
        .concat();
        self.bytes.extend_from_slice(&line);
        let (lines, broken) = (self.lines.as_mut(), self.broken);
        if let Some(lines) = lines.filter(|_| !broken) {
            lines.push(line);
            self.contents.push(Vec::new());
        }
        self.bytes.extend_from_slice(b"\r\n");
        let simple = version.is_empty();
        let names_host = version == " HTTP/1.1" && !random.one_in(40);
        let can_continue = simple || self.fields_and_content(random, method == "POST", names_host);
        if can_continue && !self.broken {
            self.ends.push(self.bytes.len());
        }
        can_continue
    }

    fn fields_and_content(&mut self, random: &mut Random, often: bool, names_host: bool) -> bool {
        if names_host || random.one_in(10) {
            self.line(b"Host: h");
        }
        for _ in 0..random.below(4) {
            self.line(random.pick(GOOD));
        }
        if random.one_in(30) {
            self.line(random.pick(BAD));
            if let (Some(lines), false) = (&mut self.lines, self.broken) {
                lines.pop();
            }
            self.broken = true;
        }
        if random.one_in(100) {
            self.line(&[&b"X: "[..], &vec![b'x'; random.below(3000)]].concat());
        }
        let expects = random.one_in(20);
        if expects {
            self.line(b"Expect: 100-continue");
        }
        if !random.one_in(if often { 1 } else { 10 }) {
            self.bytes.extend_from_slice(b"\r\n");
            return true;
        }
        let content = content(random, self.large);
        let is_chunked = random.one_in(2);
        if is_chunked {
            self.line(b"Transfer-Encoding: chunked");
        } else {
            self.line(format!("Content-Length: {}", content.len()).as_bytes());
        }
        self.line(b"");
        if expects && random.one_in(2) {
            // The peer waits for a 100 that may never come before it sends the content.
            return false;
        }
        let is_known = !self.broken;
        if is_chunked {
            self.chunks(random, &content);
        } else {
            self.bytes.extend_from_slice(&content);
        }
        if let Some(last) = self.contents.last_mut().filter(|_| is_known) {
            *last = content;
        }
        true
    }

    fn line(&mut self, line: &[u8]) {
        self.bytes.extend_from_slice(line);
        self.bytes.extend_from_slice(b"\r\n");
    }

    fn chunks(&mut self, random: &mut Random, mut content: &[u8]) {
        while !content.is_empty() {
            let piece;
            (piece, content) = content.split_at(1 + random.below(content.len()));
            let extension = random.pick(&["", "", ";x", " ; y=\"z\""]);
            let size = format!("{:x}{extension}", piece.len());
            if random.one_in(60) {
                self.broken = true;
                self.bytes
                    .extend_from_slice(&broken_chunk(random, size.as_bytes(), piece));
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
    fn damage(&mut self, random: &mut Random) {
        (self.lines, self.ends) = (None, Vec::new());
        let bytes = &mut self.bytes;
        for _ in 0..random.below(4) + 1 {
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

/// Returns content, which often looks like a request.
fn content(random: &mut Random, large: bool) -> Vec<u8> {
    let word = random.pick(&[
        &b"x"[..],
        b"GET /smuggled HTTP/1.1\r\n\r\n",
        b"0\r\n\r\n",
        b"\0\xff",
    ]);
    let len = match random.below(40) {
        _ if large => {
            // Every order of magnitude up to 4 MiB is equally likely.
            let order = 1 << random.below(22);
            order + random.below(order)
        }
        0 => random.below(9000),
        1..4 => random.below(600),
        4..8 => 0,
        _ => 1 + random.below(60),
    };
    let mut content = word.repeat(len.div_ceil(word.len()));
    content.truncate(len);
    content
}

const GOOD: &[&[u8]] = &[
    b"Connection: close",
    b"Connection: keep-alive",
    b"Connection: x, Keep-Alive",
    b"If-Modified-Since: Wed, 01 Jan 2020 00:00:00 GMT",
    b"If-Modified-Since: Wed, 01 Jan 2025 00:00:00 GMT",
    b"If-Modified-Since: yesterday",
    b"If-None-Match: *",
    b"If-None-Match: \"a\", W/\"b\",,\"c\"",
    b"If-Match: *",
    b"If-Match: \"a\"",
    b"If-Unmodified-Since: Wed, 01 Jan 2025 00:00:00 GMT",
    b"If-Range: \"a\"",
    b"If-Range: Sun, 13 Sep 2020 12:26:40 GMT",
    b"Range: bytes=1-3",
    b"Range: bytes=-5",
    b"Range: bytes=0-0,2-",
    b"Range: bytes=0-0,-1,3-99999999999999999999,2-2",
    b"Range: bytes=-999999, 5-, ,70000-",
    b"Accept-Encoding: gzip;q=0.5, br, *;q=0",
    b"Access-Control-Request-Method: GET",
    b"User-Agent: x",
    b"Accept: */*",
    b"X: \xff\x80",
    b"X:",
];

/// Invalid fields, after which the connection must close.
const BAD: &[&[u8]] = &[
    b"X : y",
    b" folded",
    b"no field",
    b"Content-Length: 1x",
    b"Content-Length: 5\r\nContent-Length: 5",
    b"Content-Length: 5\r\nTransfer-Encoding: chunked",
    b"Content-Length: 99999999999999999999",
    b"Transfer-Encoding: gzip",
    b"Host: h\r\nHost: h",
    b"Host: a,b",
    b"X: a\rb",
    b"X: \0",
];
