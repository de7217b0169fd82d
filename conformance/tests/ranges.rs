//! Tests that every reply has the right bytes of the file: requests ten thousand random ranges of random files, in
//! memory and from each adapter without a host. The parsers of fields and replies are independent of the engine.

#![cfg(unix)]

mod https;

use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::{Duration, Instant};
use std::{fs, io, thread};

use ::tokio::runtime::Runtime;
use embassy_futures::block_on;
use sanserve_conformance::{
    Case, Client, Fragmentation, Log, Observed, PipeEnd, case, clients, pipes, servers,
};
use sanserve_core::{Config, Connection, Files, Now, Protocol};
use sanserve_server::memory::{self, PeerScript, Tree};
use sanserve_server::{
    Disk, ThreadingHTTPServer, embedded, embedded_async, event_loop, stdio, tokio_rt,
};
use tempfile::TempDir;

/// The lengths of files: empty, one byte, a few bytes, more than the outbox.
const LENGTHS: [usize; 7] = [0, 1, 2, 10, 127, 2_000, 70_000];

const CONFIG: fn() -> Config = || Config::default().with_protocol(Protocol::Http11);

/// SplitMix64, for reproducible random numbers.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }

    fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    /// Returns content that is often similar to multipart boundaries.
    fn file(&mut self, len: usize) -> Vec<u8> {
        let odd = b"\r\n--\0:Content-Range";
        let byte = |random: &mut Random| match random.below(3) {
            0 => odd[random.below(odd.len())],
            _ => random.next() as u8,
        };
        (0..len).map(|_| byte(self)).collect()
    }

    /// Returns a position within or near a file of this length.
    fn position(&mut self, len: usize) -> String {
        match self.below(20) {
            0 => "0".repeat(self.below(30) + 1),
            1 => format!("{}{}", self.next(), self.below(1_000_000_000)),
            2 => u64::MAX.to_string(),
            3 => (len + self.below(3)).saturating_sub(1).to_string(),
            _ => self.below(len + len / 8 + 1).to_string(),
        }
    }

    fn spec(&mut self, len: usize) -> String {
        let first = self.position(len);
        match self.below(100) {
            0 => ["", "-", "x", "1-x", "+1-2", "1 - 2", "--1"][self.below(7)].to_owned(),
            1 => first,
            2..5 => format!("{first}-{}", self.position(len)),
            5..10 => format!("{first}-"),
            10..15 => format!("-{first}"),
            15..25 => format!("-{}", self.below(5)),
            _ => {
                let end = first.parse::<u128>().unwrap_or_default() + self.below(9) as u128;
                format!("{first}-{end}")
            }
        }
    }

    /// Returns the value of a `Range` field.
    fn range(&mut self, len: usize) -> String {
        let count = match self.below(20) {
            0 => self.below(200),
            1..8 => 1,
            _ => self.below(8),
        };
        let unit = match self.below(50) {
            0 => "items",
            1 => "BYTES",
            _ => "bytes",
        };
        let specs: Vec<_> = (0..count).map(|_| self.spec(len)).collect();
        let comma = [",", ", ", " ,\t", ",,"][self.below(4)];
        format!("{unit}={}", specs.join(comma))
    }
}

/// The expected reply: 200 with the whole file, 416, or these ranges.
#[derive(Debug, PartialEq, Eq)]
enum Answer {
    All,
    Nothing,
    Parts(Vec<RangeInclusive<usize>>),
}

/// Parses a field as in RFC 9110 §14.1.2, with integers that are wide enough for this test.
fn meaning(value: &str, len: usize) -> Answer {
    let (unit, list) = value.split_once('=').expect("it has this form");
    if unit.to_lowercase() != "bytes" {
        return Answer::All;
    }
    let specs: Vec<_> = list.split(',').map(str::trim).collect();
    let specs: Vec<_> = specs.into_iter().filter(|spec| !spec.is_empty()).collect();
    if specs.is_empty() {
        return Answer::All;
    }
    let mut parts: Vec<RangeInclusive<usize>> = Vec::new();
    for spec in specs {
        let Some((first, last)) = positions(spec, len as u128) else {
            return Answer::All;
        };
        if first > last || first >= len as u128 {
            continue;
        }
        parts.push(first as usize..=last.min(len as u128 - 1) as usize);
    }
    // Merge pairs until no two ranges overlap or are adjacent.
    while let Some((one, other)) = touching(&parts) {
        let gone = parts.remove(other);
        let kept = &mut parts[one];
        *kept = *kept.start().min(gone.start())..=*kept.end().max(gone.end());
    }
    match parts.len() {
        0 => Answer::Nothing,
        65.. => Answer::All,
        _ => Answer::Parts(parts),
    }
}

/// Returns the indices of the first two ranges that overlap or are adjacent.
fn touching(parts: &[RangeInclusive<usize>]) -> Option<(usize, usize)> {
    let touch = |a: &RangeInclusive<usize>, b: &RangeInclusive<usize>| {
        *a.start() <= b.end() + 1 && *b.start() <= a.end() + 1
    };
    let pairs = (0..parts.len()).flat_map(|one| (one + 1..parts.len()).map(move |o| (one, o)));
    pairs
        .into_iter()
        .find(|&(one, other)| touch(&parts[one], &parts[other]))
}

/// Returns the first and last position; `None` if the range is invalid. An unsatisfiable one is reversed.
fn positions(spec: &str, len: u128) -> Option<(u128, u128)> {
    let digits = |text: &str| !text.is_empty() && text.chars().all(|c| c.is_ascii_digit());
    let (first, last) = spec.split_once('-')?;
    let number = |text: &str| text.parse::<u128>().expect("38 digits at most");
    match (first, last) {
        ("", last) if digits(last) => match number(last) {
            0 => Some((1, 0)),
            _ if len == 0 => None,
            n => Some((len.saturating_sub(n), len - 1)),
        },
        (first, "") if digits(first) => Some((number(first), u128::MAX)),
        (first, last) if digits(first) && digits(last) && number(first) <= number(last) => {
            Some((number(first), number(last)))
        }
        _ => None,
    }
}

/// Asserts that the reply to a field has the right bytes of the file.
fn check(reply: &[u8], value: &str, file: &[u8]) {
    let end = find(reply, b"\r\n\r\n").expect("a head");
    let head = str::from_utf8(&reply[..end]).expect("a head is text");
    let content = &reply[end + 4..];
    let (line, fields) = head.split_once("\r\n").expect("fields");
    let len = field(fields, "Content-Length").expect("a length");
    assert_eq!(len, content.len().to_string());
    let answer = meaning(value, file.len());
    match (line, &answer) {
        ("HTTP/1.1 200 OK", Answer::All) => assert_eq!(content, file),
        ("HTTP/1.1 416 Range Not Satisfiable", Answer::Nothing) => {
            let range = format!("bytes */{}", file.len());
            assert_eq!(field(fields, "Content-Range"), Some(&*range));
        }
        ("HTTP/1.1 206 Partial Content", Answer::Parts(parts)) => match &parts[..] {
            [part] => {
                assert_eq!(field(fields, "Content-Range"), Some(&*place(part, file)));
                assert_eq!(content, &file[part.clone()]);
            }
            parts => {
                assert_eq!(field(fields, "Content-Range"), None);
                let kind = field(fields, "Content-Type").expect("a type");
                let boundary = kind.strip_prefix("multipart/byteranges; boundary=");
                check_parts(content, boundary.expect("a boundary"), parts, file);
            }
        },
        _ => panic!("{line}, but {answer:?}"),
    }
}

/// Parses `multipart/byteranges` (RFC 2046 §5.1.1).
fn check_parts(content: &[u8], boundary: &str, parts: &[RangeInclusive<usize>], file: &[u8]) {
    let delimiter = format!("\r\n--{boundary}");
    let mut rest = content;
    for part in parts {
        rest = rest.strip_prefix(delimiter.as_bytes()).expect("a boundary");
        rest = rest.strip_prefix(b"\r\n").expect("another part");
        let end = find(rest, b"\r\n\r\n").expect("the head of a part");
        let fields = str::from_utf8(&rest[..end]).expect("a head is text");
        assert_eq!(field(fields, "Content-Range"), Some(&*place(part, file)));
        assert_eq!(
            field(fields, "Content-Type"),
            Some("application/octet-stream")
        );
        rest = rest[end + 4..]
            .strip_prefix(&file[part.clone()])
            .expect("the bytes of the file");
    }
    assert_eq!(rest, format!("{delimiter}--\r\n").as_bytes());
}

/// Returns the expected value of `Content-Range`.
fn place(part: &RangeInclusive<usize>, file: &[u8]) -> String {
    format!("bytes {}-{}/{}", part.start(), part.end(), file.len())
}

fn field<'a>(fields: &'a str, name: &str) -> Option<&'a str> {
    let mut fields = fields
        .split("\r\n")
        .filter_map(|line| line.split_once(": "));
    fields
        .find(|(other, _)| *other == name)
        .map(|(_, value)| value)
}

fn find(bytes: &[u8], part: &[u8]) -> Option<usize> {
    bytes.windows(part.len()).position(|window| window == part)
}

/// Requests `times` random ranges of files, which are given by their index, and checks each reply.
fn run(seed: u64, times: usize, files: &[Vec<u8>], mut ask: impl FnMut(usize, &str) -> Vec<u8>) {
    let mut random = Random(seed);
    let (mut several, mut nothing) = (0, 0);
    for at in 0..times {
        let number = if random.one_in(20) {
            files.len() - 1
        } else {
            random.below(files.len() - 1)
        };
        let value = random.range(files[number].len());
        let reply = ask(number, &value);
        let message = format!("seed {seed}, number {at}: Range: {value} of {number}");
        let guard = PrintOnPanic(message);
        check(&reply, &value, &files[number]);
        std::mem::forget(guard);
        several += usize::from(find(&reply, b"multipart").is_some());
        nothing += usize::from(reply.starts_with(b"HTTP/1.1 416"));
    }
    // Each kind of reply must occur often enough.
    assert!(
        several > times / 10 && nothing > times / 50,
        "{several}, {nothing}"
    );
}

/// Prints the request if the check panics.
struct PrintOnPanic(String);

impl Drop for PrintOnPanic {
    fn drop(&mut self) {
        eprintln!("{}", self.0);
    }
}

fn files() -> Vec<Vec<u8>> {
    let mut random = Random(1);
    LENGTHS.map(|len| random.file(len)).to_vec()
}

fn request(number: usize, value: &str) -> String {
    format!("GET /{number} HTTP/1.1\r\nHost: h\r\nConnection: close\r\nRange: {value}\r\n\r\n")
}

/// Returns a tree with the files.
fn tree(files: &[Vec<u8>]) -> Tree {
    let named = files.iter().enumerate();
    named.fold(Tree::new(), |tree, (number, file)| {
        tree.file(number.to_string(), 0, file)
    })
}

fn in_memory(seed: u64, sendable: bool) {
    let files = files();
    let tree = tree(&files).sendable(sendable);
    let mut fragmentation = Random(seed);
    run(seed, 10_000, &files, |number, value| {
        let mut conn = Connection::new(CONFIG(), "192.0.2.1", Files::new());
        let input = request(number, value);
        let script = PeerScript {
            input: input.as_bytes(),
            half_close: true,
        };
        let whole = fragmentation.one_in(4);
        let fragmentation = |len: usize| {
            if whole {
                len
            } else {
                fragmentation.below(len.min(5_000)) + 1
            }
        };
        memory::run(&mut conn, &tree, script, fragmentation).bytes
    });
}

#[test]
fn ranges_in_memory_have_the_right_bytes() {
    in_memory(2, false);
}

#[test]
fn ranges_sent_by_reference_have_the_right_bytes() {
    in_memory(3, true);
}

/// Requests ranges from a server, with a new connection for each request, as the conformance suite does.
fn of_server(seed: u64, times: usize, mut talk: impl FnMut(&Case, Fragmentation) -> Observed) {
    let mut case = case::read("ranges", "case ranges\n").remove(0);
    run(seed, times, &files(), |number, value| {
        case.request = request(number, value).into_bytes();
        talk(&case, Fragmentation::Whole).bytes
    });
}

/// Returns a folder with the files.
fn folder() -> TempDir {
    let folder = TempDir::new().expect("a temporary folder");
    for (number, file) in files().iter().enumerate() {
        fs::write(folder.path().join(number.to_string()), file).expect("the file can be written");
    }
    folder
}

fn threads(
    folder: &TempDir,
    over: impl Fn(ThreadingHTTPServer) -> ThreadingHTTPServer,
) -> impl FnMut(&Case, Log) -> io::Result<SocketAddr> {
    move |_, log| {
        let server = over(ThreadingHTTPServer::bind("127.0.0.1:0")?);
        let server = server.with_log(move |lines| log.push(lines));
        let (address, disk) = (server.server_address(), Disk::open(folder)?);
        thread::spawn(move || server.serve_forever(&disk, CONFIG(), Files::new));
        Ok(address)
    }
}

#[test]
fn ranges_over_sockets_have_the_right_bytes() {
    let folder = folder();
    let start = threads(&folder, |server| server);
    of_server(4, 10_000, servers(start, Client::connect));
}

#[test]
fn ranges_over_tls_have_the_right_bytes() {
    let (folder, (certificate, tls)) = (folder(), https::certified());
    let start = threads(&folder, move |server| server.with_tls(tls.clone()));
    // Only a few requests, because each of them needs a handshake; the adapter is the same.
    of_server(5, 300, servers(start, |to| certificate.connect(to)));
}

#[test]
fn ranges_on_tokio_have_the_right_bytes() {
    let (folder, runtime) = (folder(), Runtime::new().expect("a runtime"));
    let start = |_: &Case, log: Log| {
        let _inside = runtime.enter();
        let server =
            tokio_rt::HTTPServer::bind("127.0.0.1:0")?.with_log(move |lines| log.push(lines));
        let (address, disk) = (server.server_address(), Arc::new(Disk::open(&folder)?));
        runtime.spawn(server.serve_forever(disk, CONFIG(), Files::new));
        Ok(address)
    };
    of_server(6, 10_000, servers(start, Client::connect));
}

#[test]
fn ranges_on_mio_have_the_right_bytes() {
    let folder = folder();
    let start = |_: &Case, log: Log| {
        let server =
            event_loop::HTTPServer::bind("127.0.0.1:0")?.with_log(move |lines| log.push(lines));
        let (address, disk) = (server.server_address(), Disk::open(&folder)?);
        thread::spawn(move || server.serve_forever(&disk, CONFIG(), Files::new));
        Ok(address)
    };
    of_server(7, 10_000, servers(start, Client::connect));
}

#[test]
fn ranges_on_stdio_have_the_right_bytes() {
    let folder = folder();
    let connect = clients(|_| {
        let (input, write) = io::pipe()?;
        let (read, output) = io::pipe()?;
        let disk = Disk::open(&folder)?;
        let (input, output) = (input.into(), output.into());
        let serve = move || stdio::serve(input, output, &disk, CONFIG(), Files::new(), &|_| ());
        let served = thread::spawn(serve);
        Ok((Client::new(read, write), move || {
            served
                .join()
                .expect("it does not panic")
                .expect("the connection does not fail");
            String::new()
        }))
    });
    of_server(8, 10_000, connect);
}

/// Requests ranges over pipes with the traits of embedded-io.
fn embedded(
    seed: u64,
    serve: impl Fn(&mut Connection<memory::File, Files>, &mut PipeEnd, &Tree, &dyn Fn() -> Now) + Sync,
) {
    let tree = tree(&files());
    let start = Instant::now();
    let clock = || Now {
        tick: start.elapsed(),
        unix: None,
    };
    let serve = |_: &Case, mut end: PipeEnd, _: &Log| {
        let mut conn = Connection::new(CONFIG(), "192.0.2.1", Files::new());
        serve(&mut conn, &mut end, &tree, &clock);
    };
    of_server(seed, 10_000, pipes(serve));
}

#[test]
fn ranges_on_embedded_io_have_the_right_bytes() {
    embedded(9, |conn, transport, tree, clock| {
        embedded::serve(conn, transport, tree, clock, |_| ()).expect("the pipe does not fail");
    });
}

#[test]
fn ranges_on_embedded_io_async_have_the_right_bytes() {
    embedded(10, |conn, transport, tree, clock| {
        let sleep = async |_: Duration| std::future::pending().await;
        let served = embedded_async::serve(
            conn,
            transport,
            tree,
            clock,
            |_| (),
            PipeEnd::shutdown,
            sleep,
        );
        block_on(served).expect("the pipe does not fail");
    });
}
