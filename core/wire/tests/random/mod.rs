//! [`Random`]: generates inputs for the tests, the same ones in every run.

/// The generator xorshift64* (Vigna 2016).
pub(crate) struct Random(pub(crate) u64);

impl Random {
    /// Returns a number below `end`.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) as usize % end
    }

    /// Returns at most `max` tokens of HTTP, joined, of which a few bytes are changed.
    #[allow(dead_code, reason = "not every test needs messages")]
    pub(crate) fn message(&mut self, max: usize) -> Vec<u8> {
        let count = self.below(max + 1);
        let tokens = (0..count).map(|_| TOKENS[self.below(TOKENS.len())]);
        let mut bytes = tokens.collect::<Vec<_>>().concat();
        for _ in 0..self.below(3).min(bytes.len()) {
            let at = self.below(bytes.len());
            bytes[at] = self.below(256) as u8;
        }
        bytes
    }
}

const TOKENS: [&[u8]; 24] = [
    b"GET / HTTP/1.1\r\n",
    b"HTTP/1.1 200 OK\r\n",
    b"Host: h\r\n",
    b"\r\n",
    b"\r\n",
    b"\n",
    b"\r",
    b" ",
    b":",
    b"A: b\r\n",
    b"Content-Length: 3\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"3\r\nabc\r\n",
    b"0\r\n",
    b"abc",
    b"POST http://h?q HTTP/1.1\r\n",
    b"GET /\xff HTTP/1.0\r\n",
    b"X: \xe9\r\n",
    b"GET /\r\n",
    b"HTTP/1.0 304\r\n",
    b"Connection: close\r\n",
    b"Expect: 100-continue\r\n",
    b"D: e\r\nF: g\r\n",
    b"\x16\x03",
];
