//! Tests the adapters for embedded-io: deadlines, transports that buffer or fail, and files in flash.

use std::cell::{Cell, RefCell};
use std::future::pending;
use std::time::Duration;

use embassy_futures::block_on;
use embedded_io::{ErrorKind, ErrorType, Read, ReadReady, Write, WriteReady};
use sanserve_core::{Config, Connection, FileSystem, Files, Now, Path, Protocol};
use sanserve_server::{Flash, Node, embedded, embedded_async};

static SITE: Flash = Flash::new(&[
    Node::file("index.html", b"<!DOCTYPE html>"),
    Node::directory(
        "sub",
        &[Node::file("a.txt", b"hello\n").modified(1_577_836_800)],
    ),
]);

/// A transport whose client sends this input and then nothing. It buffers the output until it is flushed.
struct FakeTransport {
    input: &'static [u8],
    buffered: Vec<u8>,
    sent: Vec<u8>,
    /// The number of bytes that the client accepts.
    capacity: usize,
    /// The error of a read after the end of the input.
    error: Option<ErrorKind>,
}

fn transport(input: &'static str) -> FakeTransport {
    FakeTransport {
        input: input.as_bytes(),
        buffered: Vec::new(),
        sent: Vec::new(),
        capacity: usize::MAX,
        error: None,
    }
}

impl ErrorType for FakeTransport {
    type Error = ErrorKind;
}

impl Read for FakeTransport {
    fn read(&mut self, into: &mut [u8]) -> Result<usize, ErrorKind> {
        if self.input.is_empty() {
            return Err(self.error.expect("a read from a silent client would block"));
        }
        assert!(
            self.buffered.is_empty(),
            "the client may be waiting for this"
        );
        Ok(self.input.read(into).unwrap_or_default())
    }
}

impl Write for FakeTransport {
    fn write(&mut self, from: &[u8]) -> Result<usize, ErrorKind> {
        let free = self.capacity - self.buffered.len() - self.sent.len();
        let n = from.len().min(free);
        assert!(
            n > 0,
            "a write to a client that accepts nothing would block"
        );
        self.buffered.extend(&from[..n]);
        Ok(n)
    }

    fn flush(&mut self) -> Result<(), ErrorKind> {
        self.sent.append(&mut self.buffered);
        Ok(())
    }
}

impl ReadReady for FakeTransport {
    fn read_ready(&mut self) -> Result<bool, ErrorKind> {
        assert!(
            self.buffered.is_empty(),
            "the client may be waiting for this"
        );
        Ok(!self.input.is_empty() || self.error.is_some())
    }
}

impl WriteReady for FakeTransport {
    fn write_ready(&mut self) -> Result<bool, ErrorKind> {
        Ok(self.buffered.len() + self.sent.len() < self.capacity)
    }
}

/// The asynchronous version of [`FakeTransport`]. A call that is not ready stays pending forever.
struct AsyncFakeTransport(FakeTransport);

impl ErrorType for AsyncFakeTransport {
    type Error = ErrorKind;
}

impl embedded_io_async::Read for AsyncFakeTransport {
    async fn read(&mut self, into: &mut [u8]) -> Result<usize, ErrorKind> {
        if self.0.read_ready()? {
            return self.0.read(into);
        }
        pending().await
    }
}

impl embedded_io_async::Write for AsyncFakeTransport {
    async fn write(&mut self, from: &[u8]) -> Result<usize, ErrorKind> {
        if self.0.write_ready()? {
            return self.0.write(from);
        }
        pending().await
    }

    async fn flush(&mut self) -> Result<(), ErrorKind> {
        self.0.flush()
    }
}

/// Serves a transport by both adapters that keep deadlines. Time passes only while the adapter waits for the client.
/// Returns the bytes sent and the number of seconds.
fn serve(new_transport: impl Fn() -> FakeTransport) -> (String, u64) {
    let config = Config::default().with_protocol(Protocol::Http11);
    let tick = Cell::new(Duration::ZERO);
    let clock = || Now {
        tick: tick.get(),
        unix: None,
    };
    let advance = |time| tick.set(tick.get() + time);
    let new_conn = || Connection::new(config.clone(), "192.0.2.1", Files::new());

    let mut transport = new_transport();
    let shutdowns = RefCell::new(0);
    let shutdown = |_: &mut FakeTransport| *shutdowns.borrow_mut() += 1;
    let result = embedded::serve_ready(
        &mut new_conn(),
        &mut transport,
        &SITE,
        clock,
        |_| (),
        shutdown,
        advance,
    );
    result.expect("no error");
    let first = (
        String::from_utf8(transport.sent).unwrap(),
        tick.take().as_secs(),
    );

    let mut transport = AsyncFakeTransport(new_transport());
    let shutdown = |_: &mut AsyncFakeTransport| *shutdowns.borrow_mut() += 1;
    let mut conn = new_conn();
    let sleep = async |time| advance(time);
    let serving = embedded_async::serve(
        &mut conn,
        &mut transport,
        &SITE,
        clock,
        |_| (),
        shutdown,
        sleep,
    );
    block_on(serving).expect("no error");
    let second = (
        String::from_utf8(transport.0.sent).unwrap(),
        tick.get().as_secs(),
    );
    assert_eq!(first, second);
    assert!(matches!(shutdowns.into_inner(), 0 | 2));
    first
}

#[test]
fn a_silent_client_is_disconnected_at_the_idle_timeout() {
    assert_eq!(serve(|| transport("")), (String::new(), 60));
}

#[test]
fn a_partial_head_gets_408_at_its_deadline() {
    let (sent, seconds) = serve(|| transport("GET /sub/a.txt HTTP/1.1\r\n"));
    assert!(
        sent.starts_with("HTTP/1.1 408 Request Timeout\r\n"),
        "{sent}"
    );
    assert_eq!(seconds, 30 + 2, "including the lingering close");
}

#[test]
fn a_reply_is_flushed_before_the_next_request_is_read() {
    let (sent, seconds) = serve(|| transport("GET /sub/a.txt HTTP/1.1\r\nHost: h\r\n\r\n"));
    assert!(sent.ends_with("\r\n\r\nhello\n"), "{sent}");
    assert_eq!(seconds, 60);
}

#[test]
fn a_client_that_reads_nothing_is_disconnected() {
    let (sent, seconds) = serve(|| FakeTransport {
        capacity: 10,
        ..transport("GET /sub/a.txt HTTP/1.1\r\nHost: h\r\n\r\n")
    });
    assert_eq!((&*sent, seconds), ("HTTP/1.1 2", 30));
}

/// Serves a transport by the adapter that only blocks. Each look at the clock takes two seconds.
fn serve_blocking(mut transport: FakeTransport) -> (String, Result<(), ErrorKind>) {
    let tick = Cell::new(Duration::ZERO);
    let clock = || Now {
        tick: tick.replace(tick.get() + Duration::from_secs(2)),
        unix: None,
    };
    let config = Config::default().with_protocol(Protocol::Http11);
    let mut conn = Connection::new(config, "192.0.2.1", Files::new());
    let result = embedded::serve(&mut conn, &mut transport, &SITE, clock, |_| ());
    (String::from_utf8(transport.sent).unwrap(), result)
}

#[test]
fn a_blocking_transport_is_returned_after_the_last_reply() {
    let (sent, result) = serve_blocking(transport("GET / HTTP/1.0\r\n\r\n"));
    assert!(sent.ends_with("\r\n\r\n<!DOCTYPE html>"), "{sent}");
    assert_eq!(result, Ok(()));
}

#[test]
fn a_transport_with_its_own_timeout_keeps_deadlines() {
    let (sent, result) = serve_blocking(FakeTransport {
        error: Some(ErrorKind::TimedOut),
        ..transport("GET /")
    });
    assert!(
        sent.starts_with("HTTP/1.1 408 Request Timeout\r\n"),
        "{sent}"
    );
    assert_eq!(result, Ok(()));
}

#[test]
fn a_transport_error_is_returned() {
    let (sent, result) = serve_blocking(FakeTransport {
        error: Some(ErrorKind::ConnectionReset),
        ..transport("GET / HTTP/1.1\r\nHost: h\r\n\r\n")
    });
    assert!(sent.ends_with("<!DOCTYPE html>"), "{sent}");
    assert_eq!(result, Err(ErrorKind::ConnectionReset));
}

#[test]
fn flash_contains_files_and_directories() {
    let path = |target| Path::parse(target).unwrap();
    let names = |target| {
        let entries = SITE.list(&path(target)).unwrap();
        let name = |entry: sanserve_core::Entry<'_>| entry.name.escape_ascii().to_string();
        entries
            .iter()
            .map(|entry| (entry.directory, name(entry)))
            .collect::<Vec<_>>()
    };
    assert_eq!(
        names("/"),
        [(false, "index.html".into()), (true, "sub".into())]
    );
    assert_eq!(names("/sub/"), [(false, "a.txt".into())]);
    for missing in ["/nope", "/sub/nope", "/index.html/sub", "/sub/a.txt/x"] {
        assert!(SITE.open(&path(missing)).is_err(), "{missing}");
        assert!(SITE.list(&path(missing)).is_err(), "{missing}");
    }
    assert!(SITE.list(&path("/index.html")).is_err());
    assert_eq!(SITE.read(&mut &b"hello"[..], 3, &mut [0; 9]), Ok(2));
    assert_eq!(SITE.read(&mut &b"hello"[..], 9, &mut [0; 9]), Ok(0));
}

#[test]
#[cfg(feature = "std")]
fn a_folder_becomes_rust_source() {
    use std::fs::{self, File};
    use std::time::{Duration, UNIX_EPOCH};

    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("sub")).unwrap();
    for name in ["b \"c\".txt", "sub/a.txt"] {
        let path = folder.path().join(name);
        fs::write(&path, "a").unwrap();
        let file = File::options().append(true).open(path).unwrap();
        let time = UNIX_EPOCH + Duration::from_secs(1_577_836_800);
        file.set_modified(time).unwrap();
    }
    let root = folder.path().canonicalize().unwrap();
    let root = root.to_str().unwrap();
    // The 64-bit FNV-1a hash of "a", from the test vectors of its authors.
    let times = format!(
        "modified(1577836800).version({})",
        0xaf63_dc4c_8601_ec8c_u64
    );
    assert_eq!(
        Flash::source(&folder).unwrap(),
        format!(
            "::sanserve_server::Flash::new(&[\
             ::sanserve_server::Node::file(\"b \\\"c\\\".txt\", include_bytes!(\"{root}/b \\\"c\\\".txt\")).{times},\
             ::sanserve_server::Node::directory(\"sub\", &[\
             ::sanserve_server::Node::file(\"a.txt\", include_bytes!(\"{root}/sub/a.txt\")).{times},]),])\n"
        )
    );
}
