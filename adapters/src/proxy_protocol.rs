//! The PROXY protocol of HAProxy, versions 1 and 2: a header before everything else, TLS included, with which a proxy
//! reports the address of its client. [`Header`] parses it without I/O, [`HeaderReader`] does so while
//! it is still in a socket, and [`ProxyProtocol`] is a layer that reads it.
//!
//! The specification is `doc/proxy-protocol.txt` of HAProxy; the sections below are its own.

use std::error::Error;
use std::fmt::{self, Display};
use std::io::{self, ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, Shutdown, TcpStream};
use std::str::FromStr;
use std::sync::Arc;

use crate::layer::Layer;

/// A function that returns whether a peer is a proxy, which must send the header. The address is `None` for a Unix
/// domain socket.
pub(crate) type IsProxy = Arc<dyn Fn(Option<IpAddr>) -> bool + Send + Sync>;

/// Parses a header that arrives in pieces. It stores at most 107 bytes, however long the header is.
#[derive(Debug)]
pub(crate) struct Header {
    /// The beginning of the header.
    start: Vec<u8>,
    /// The number of bytes so far.
    len: usize,
}

/// What the header says about the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// The proxy forwards this client.
    Client(IpAddr),
    /// The proxy speaks for itself, or does not know the client: the peer is the client.
    Peer,
}

/// The peer does not send a valid header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct InvalidHeader;

impl Display for InvalidHeader {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("the proxy did not send a valid header of the PROXY protocol")
    }
}

impl Error for InvalidHeader {}

impl From<InvalidHeader> for io::Error {
    fn from(error: InvalidHeader) -> io::Error {
        io::Error::new(ErrorKind::InvalidData, error)
    }
}

impl Header {
    pub(crate) fn new() -> Header {
        Header {
            start: Vec::new(),
            len: 0,
        }
    }

    /// Parses further bytes. Returns how many of them belong to the header, and its content if it is complete. Until
    /// then, all of them do.
    pub(crate) fn parse(&mut self, bytes: &[u8]) -> Result<(usize, Option<Origin>), InvalidHeader> {
        let before = self.len;
        let stored = bytes.len().min(START_MAX - self.start.len());
        self.start.extend_from_slice(&bytes[..stored]);
        self.len += bytes.len();
        let found = match self.start.first() {
            Some(b'P') => version_1(&self.start)?,
            Some(b'\r') => version_2(&self.start)?,
            Some(_) => return Err(InvalidHeader),
            None => None,
        };
        Ok(match found {
            Some((end, origin)) if end <= self.len => (end - before, Some(origin)),
            _ => (bytes.len(), None),
        })
    }
}

/// Returns the length and the content of a header of version 1, if it is complete (§2.1).
fn version_1(start: &[u8]) -> Result<Option<(usize, Origin)>, InvalidHeader> {
    let known = start.len().min(PREFIX_1.len());
    if start[..known] != PREFIX_1[..known] {
        return Err(InvalidHeader);
    }
    let Some(end) = start.iter().position(|byte| *byte == b'\n') else {
        return match start.len() {
            START_MAX.. => Err(InvalidHeader),
            _ => Ok(None),
        };
    };
    let line = start[..end].strip_suffix(b"\r").ok_or(InvalidHeader)?;
    let line = str::from_utf8(line).map_err(|_| InvalidHeader)?;
    let words: Vec<&str> = line.split(' ').collect();
    let origin = match words[..] {
        ["PROXY", "UNKNOWN", ..] => Origin::Peer,
        ["PROXY", "TCP4", ref rest @ ..] => client::<Ipv4Addr>(rest)?,
        ["PROXY", "TCP6", ref rest @ ..] => client::<Ipv6Addr>(rest)?,
        _ => return Err(InvalidHeader),
    };
    Ok(Some((end + 1, origin)))
}

/// Parses the addresses and the ports of both ends, of which the first is the client's.
fn client<A: FromStr + Into<IpAddr>>(words: &[&str]) -> Result<Origin, InvalidHeader> {
    let &[source, destination, from, to] = words else {
        return Err(InvalidHeader);
    };
    let address = |text: &str| text.parse::<A>().map_err(|_| InvalidHeader);
    let (source, _) = (address(source)?, address(destination)?);
    match is_port(from) && is_port(to) {
        true => Ok(Origin::Client(source.into())),
        false => Err(InvalidHeader),
    }
}

/// Returns whether this is a port, without leading zeros (§2.1).
fn is_port(text: &str) -> bool {
    // The parser of the standard library accepts a plus sign and leading zeros.
    let has_digits = text.bytes().all(|byte| byte.is_ascii_digit());
    let is_canonical = text == "0" || !text.starts_with('0');
    has_digits && is_canonical && text.parse::<u16>().is_ok()
}

/// Returns the length and the content of a header of version 2, once its fixed part and its addresses have arrived
/// (§2.2). The extensions that follow are skipped.
fn version_2(start: &[u8]) -> Result<Option<(usize, Origin)>, InvalidHeader> {
    let known = start.len().min(SIGNATURE_2.len());
    if start[..known] != SIGNATURE_2[..known] {
        return Err(InvalidHeader);
    }
    let Some(&[command, family, high, low]) = start.get(12..16) else {
        return Ok(None);
    };
    let len = usize::from(u16::from_be_bytes([high, low]));
    let is_local = match command {
        0x20 => true,
        0x21 => false,
        _ => return Err(InvalidHeader),
    };
    let addresses = match family {
        0x11 => 12,
        0x21 => 36,
        // A Unix domain socket, or not specified.
        0x31 | 0x00 => 0,
        _ if is_local => 0,
        _ => return Err(InvalidHeader),
    };
    if len < addresses && !is_local {
        return Err(InvalidHeader);
    }
    let end = 16 + len;
    if is_local || addresses == 0 {
        return Ok(Some((end, Origin::Peer)));
    }
    let Some(content) = start.get(16..16 + addresses) else {
        return Ok(None);
    };
    let source: IpAddr = match *content {
        [a, b, c, d, _, _, _, _, _, _, _, _] => Ipv4Addr::new(a, b, c, d).into(),
        _ => {
            let source: [u8; 16] = content[..16].try_into().map_err(|_| InvalidHeader)?;
            Ipv6Addr::from(source).into()
        }
    };
    Ok(Some((end, Origin::Client(source))))
}

/// Parses the header while it is still in a socket, so that an adapter takes nothing out that follows it: TLS begins
/// with that.
#[derive(Debug)]
pub(crate) struct HeaderReader {
    /// `None` when it was read.
    header: Option<Header>,
    /// The client, until the connection has taken note of it.
    client: Option<IpAddr>,
}

impl HeaderReader {
    pub(crate) fn new() -> HeaderReader {
        HeaderReader {
            header: Some(Header::new()),
            client: None,
        }
    }

    /// Returns whether the header is not complete yet.
    pub(crate) fn is_reading(&self) -> bool {
        self.header.is_some()
    }

    /// Parses bytes at which the caller has peeked. Returns how many of them belong to the header, which the caller has
    /// to take out of the socket.
    pub(crate) fn parse(&mut self, peeked: &[u8]) -> Result<usize, InvalidHeader> {
        let Some(header) = &mut self.header else {
            return Ok(0);
        };
        let (used, origin) = header.parse(peeked)?;
        if let Some(origin) = origin {
            self.header = None;
            self.client = match origin {
                Origin::Client(client) => Some(client),
                Origin::Peer => None,
            };
        }
        Ok(used)
    }

    /// Returns the client, once, when the header is complete.
    pub(crate) fn take_client(&mut self) -> Option<IpAddr> {
        self.client.take()
    }
}

/// A layer that reads the header, and then passes everything to the layer above it, or to the connection.
pub(crate) struct ProxyProtocol {
    header: HeaderReader,
    above: Option<Box<dyn Layer>>,
    /// Whether the peer still has to be told that nothing more will come.
    ending: bool,
}

impl ProxyProtocol {
    /// Creates a layer below another one, such as TLS.
    pub(crate) fn new(above: Option<Box<dyn Layer>>) -> ProxyProtocol {
        ProxyProtocol {
            header: HeaderReader::new(),
            above,
            ending: false,
        }
    }
}

impl Layer for ProxyProtocol {
    fn read(&mut self, mut socket: &TcpStream, into: &mut [u8]) -> io::Result<usize> {
        if !self.header.is_reading() {
            return match &mut self.above {
                Some(layer) => layer.read(socket, into),
                None => socket.read(into),
            };
        }
        let mut bytes = [0; START_MAX];
        let n = socket.peek(&mut bytes)?;
        if n == 0 {
            return Ok(0);
        }
        let used = self.header.parse(&bytes[..n])?;
        socket.read_exact(&mut bytes[..used])?;
        Err(ErrorKind::Interrupted.into())
    }

    fn write(&mut self, mut socket: &TcpStream, from: &[u8]) -> io::Result<usize> {
        match &mut self.above {
            Some(layer) => layer.write(socket, from),
            None => socket.write(from),
        }
    }

    fn shutdown(&mut self) {
        match &mut self.above {
            Some(layer) => layer.shutdown(),
            None => self.ending = true,
        }
    }

    fn is_handshaking(&self) -> bool {
        let above = self.above.as_ref();
        self.header.is_reading() || above.is_some_and(|layer| layer.is_handshaking())
    }

    fn is_plain(&self) -> bool {
        self.above.as_ref().is_some_and(|layer| layer.is_plain())
    }

    fn has_output(&self) -> bool {
        let above = self.above.as_ref();
        self.ending || above.is_some_and(|layer| layer.has_output())
    }

    fn flush(&mut self, socket: &TcpStream) -> io::Result<()> {
        if let Some(layer) = &mut self.above {
            return layer.flush(socket);
        }
        self.ending = false;
        socket.shutdown(Shutdown::Write)
    }

    fn take_client(&mut self) -> Option<IpAddr> {
        self.header.take_client()
    }
}

/// How a header of version 1 begins.
const PREFIX_1: &[u8] = b"PROXY ";

/// How a header of version 2 begins.
const SIGNATURE_2: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";

/// The longest header of version 1, with its line end (§2.1). Of version 2, this includes the addresses.
pub(crate) const START_MAX: usize = 107;

#[cfg(test)]
mod tests {
    use super::{Header, InvalidHeader, Origin, START_MAX};

    /// Parses a header in pieces of this length, followed by other bytes, and returns its length and content.
    fn parse(bytes: &[u8], piece: usize) -> Result<Option<(usize, Origin)>, InvalidHeader> {
        let (mut header, mut at) = (Header::new(), 0);
        while at < bytes.len() {
            let end = bytes.len().min(at + piece);
            let (used, origin) = header.parse(&bytes[at..end])?;
            at += used;
            if let Some(origin) = origin {
                return Ok(Some((at, origin)));
            }
            assert_eq!(at, end, "an incomplete header takes everything");
        }
        Ok(None)
    }

    fn parse_all(bytes: &[u8]) -> Result<Option<(usize, Origin)>, InvalidHeader> {
        let whole = parse(bytes, START_MAX);
        for piece in [1, 2, 3, 16, 17] {
            assert_eq!(
                parse(bytes, piece),
                whole,
                "in pieces of {piece}: {bytes:?}"
            );
        }
        whole
    }

    fn version_2(command: u8, family: u8, content: &[u8]) -> Vec<u8> {
        let len = u16::try_from(content.len()).unwrap().to_be_bytes();
        let head = [command, family, len[0], len[1]];
        [b"\r\n\r\n\0\r\nQUIT\n", &head[..], content].concat()
    }

    /// The examples of the specification, and its limits.
    #[test]
    fn version_1_is_a_line() {
        let client = |text: &str| Origin::Client(text.parse().unwrap());
        for (line, origin) in [
            (
                "PROXY TCP4 192.0.2.1 192.0.2.2 56324 443",
                client("192.0.2.1"),
            ),
            (
                "PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535",
                client("255.255.255.255"),
            ),
            (
                "PROXY TCP6 2001:db8::1 2001:db8::2 1 80",
                client("2001:db8::1"),
            ),
            ("PROXY TCP4 192.0.2.1 192.0.2.2 0 0", client("192.0.2.1")),
            ("PROXY UNKNOWN", Origin::Peer),
            (
                "PROXY UNKNOWN ffff:f...f:ffff ffff:f...f:ffff 65535 65535",
                Origin::Peer,
            ),
        ] {
            let bytes = format!("{line}\r\nGET / HTTP/1.1\r\n");
            assert_eq!(
                parse_all(bytes.as_bytes()),
                Ok(Some((line.len() + 2, origin))),
                "{line}"
            );
            assert_eq!(parse_all(line.as_bytes()), Ok(None), "{line}");
        }
        let longest = format!("PROXY UNKNOWN {}\r\n", "x".repeat(START_MAX - 16));
        assert_eq!(
            parse_all(longest.as_bytes()),
            Ok(Some((START_MAX, Origin::Peer)))
        );
        for wrong in [
            "GET / HTTP/1.1\r\n\r\n",
            "PROXY\r\n",
            "PROXY TCP4 192.0.2.1 192.0.2.2 56324\r\n",
            "PROXY TCP4 192.0.2.1 192.0.2.2 56324 443 \r\n",
            "PROXY TCP4 192.0.2.1 192.0.2.2 56324 65536\r\n",
            "PROXY TCP4 192.0.2.1 192.0.2.2 +1 443\r\n",
            "PROXY TCP4 192.0.2.1 192.0.2.2 56324 +443\r\n",
            "PROXY TCP4 192.0.2.1 192.0.2.2 -0 443\r\n",
            "PROXY TCP4 192.0.2.1 192.0.2.2 00 443\r\n",
            "PROXY TCP6 2001:db8::1 2001:db8::2 1 080\r\n",
            "PROXY TCP4 192.0.2.1 192.0.2.2 1\t 80\r\n",
            "PROXY TCP4 192.0.2.1 192.0.2.2  80\r\n",
            "PROXY TCP4 192.0.2.01 192.0.2.2 1 80\r\n",
            "PROXY TCP4 2001:db8::1 2001:db8::2 1 80\r\n",
            "PROXY TCP6 192.0.2.1 192.0.2.2 1 80\r\n",
            "PROXY TCP4 192.0.2.1  192.0.2.2 1 80\r\n",
            "PROXY TCP4 192.0.2.1 192.0.2.2 1 80\n",
            "PROXY UDP4 192.0.2.1 192.0.2.2 1 80\r\n",
            &format!("PROXY UNKNOWN {}\r\n", "x".repeat(START_MAX)),
        ] {
            assert_eq!(parse_all(wrong.as_bytes()), Err(InvalidHeader), "{wrong}");
        }
    }

    #[test]
    fn version_2_is_binary() {
        let ipv4 = [192, 0, 2, 1, 192, 0, 2, 2, 0xdc, 4, 1, 0xbb];
        let ipv6 = [[0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]; 2].concat();
        let ipv6 = [&ipv6[..], &[0, 1, 0, 80]].concat();
        let extensions = [4, 0, 1, 0].repeat(10_000);
        let client = |text: &str| Origin::Client(text.parse().unwrap());
        for (bytes, origin) in [
            (version_2(0x21, 0x11, &ipv4), client("192.0.2.1")),
            (version_2(0x21, 0x21, &ipv6), client("2001:db8::1")),
            (
                version_2(0x21, 0x11, &[&ipv4[..], &extensions].concat()),
                client("192.0.2.1"),
            ),
            (version_2(0x21, 0x31, &[0; 216]), Origin::Peer),
            (version_2(0x21, 0x00, &[]), Origin::Peer),
            (version_2(0x20, 0x00, &[]), Origin::Peer),
            (version_2(0x20, 0x11, &ipv4), Origin::Peer),
            (version_2(0x20, 0x7f, &[0; 40]), Origin::Peer),
        ] {
            let len = bytes.len();
            let followed = [&bytes[..], b"\x16\x03\x01"].concat();
            assert_eq!(parse_all(&followed), Ok(Some((len, origin))));
            assert_eq!(parse_all(&bytes[..len - 1]), Ok(None));
        }
        for wrong in [
            version_2(0x11, 0x11, &ipv4),
            version_2(0x22, 0x11, &ipv4),
            version_2(0x21, 0x12, &ipv4),
            version_2(0x21, 0x11, &ipv4[..11]),
            version_2(0x21, 0x21, &ipv4),
            b"\r\n\r\n\0\r\nQUIT\r".to_vec(),
        ] {
            assert_eq!(parse_all(&wrong), Err(InvalidHeader), "{wrong:?}");
        }
    }
}
