//! The loops for embedded-io: deadlines, links that buffer, links that break; files in flash.

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

/// A link whose peer says this and then nothing. It keeps what is written until it is flushed.
struct Line {
    said: &'static [u8],
    held: Vec<u8>,
    got: Vec<u8>,
    /// How many bytes it takes.
    room: usize,
    /// What a further read or write ends in.
    broken: Option<ErrorKind>,
}

fn line(said: &'static str) -> Line {
    Line {
        said: said.as_bytes(),
        held: Vec::new(),
        got: Vec::new(),
        room: usize::MAX,
        broken: None,
    }
}

impl ErrorType for Line {
    type Error = ErrorKind;
}

impl Read for Line {
    fn read(&mut self, into: &mut [u8]) -> Result<usize, ErrorKind> {
        if self.said.is_empty() {
            return Err(self.broken.expect("a silent peer is not read from"));
        }
        assert!(self.held.is_empty(), "the peer may be waiting for this");
        Ok(self.said.read(into).unwrap_or_default())
    }
}

impl Write for Line {
    fn write(&mut self, from: &[u8]) -> Result<usize, ErrorKind> {
        let n = from.len().min(self.room - self.held.len() - self.got.len());
        assert!(n > 0, "a peer that takes nothing is not written to");
        self.held.extend(&from[..n]);
        Ok(n)
    }

    fn flush(&mut self) -> Result<(), ErrorKind> {
        self.got.append(&mut self.held);
        Ok(())
    }
}

impl ReadReady for Line {
    fn read_ready(&mut self) -> Result<bool, ErrorKind> {
        assert!(self.held.is_empty(), "the peer may be waiting for this");
        Ok(!self.said.is_empty() || self.broken.is_some())
    }
}

impl WriteReady for Line {
    fn write_ready(&mut self) -> Result<bool, ErrorKind> {
        Ok(self.held.len() + self.got.len() < self.room)
    }
}

/// The same, asynchronous: what is not ready is never ready.
struct Later(Line);

impl ErrorType for Later {
    type Error = ErrorKind;
}

impl embedded_io_async::Read for Later {
    async fn read(&mut self, into: &mut [u8]) -> Result<usize, ErrorKind> {
        if self.0.read_ready()? {
            return self.0.read(into);
        }
        pending().await
    }
}

impl embedded_io_async::Write for Later {
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

/// Serves a peer, by both loops that keep deadlines; time passes only while the peer is waited for.
/// Answers what it got, after how many seconds.
fn serve(peer: impl Fn() -> Line) -> (String, u64) {
    let config = Config::default().with_protocol(Protocol::Http11);
    let tick = Cell::new(Duration::ZERO);
    let clock = || Now {
        tick: tick.get(),
        unix: None,
    };
    let pass = |left| tick.set(tick.get() + left);
    let conn = || Connection::new(config.clone(), "192.0.2.1", Files::new());

    let mut line = peer();
    let shut = RefCell::new(0);
    let shutdown = |_: &mut Line| *shut.borrow_mut() += 1;
    let served =
        embedded::serve_ready(&mut conn(), &mut line, &SITE, clock, |_| (), shutdown, pass);
    served.expect("nothing breaks");
    let said = (String::from_utf8(line.got).unwrap(), tick.take().as_secs());

    let mut line = Later(peer());
    let shutdown = |_: &mut Later| *shut.borrow_mut() += 1;
    let mut conn = conn();
    let sleep = async |left| pass(left);
    let served = embedded_async::serve(&mut conn, &mut line, &SITE, clock, |_| (), shutdown, sleep);
    block_on(served).expect("nothing breaks");
    let again = (String::from_utf8(line.0.got).unwrap(), tick.get().as_secs());
    assert_eq!(said, again);
    assert!(matches!(shut.into_inner(), 0 | 2));
    said
}

#[test]
fn a_peer_that_says_nothing_is_let_go() {
    assert_eq!(serve(|| line("")), (String::new(), 60));
}

#[test]
fn half_a_head_is_answered_in_time() {
    let (said, seconds) = serve(|| line("GET /sub/a.txt HTTP/1.1\r\n"));
    assert!(
        said.starts_with("HTTP/1.1 408 Request Timeout\r\n"),
        "{said}"
    );
    assert_eq!(seconds, 30 + 2, "to linger included");
}

#[test]
fn a_reply_is_flushed_before_the_next_request_is_waited_for() {
    let (said, seconds) = serve(|| line("GET /sub/a.txt HTTP/1.1\r\nHost: h\r\n\r\n"));
    assert!(said.ends_with("\r\n\r\nhello\n"), "{said}");
    assert_eq!(seconds, 60);
}

#[test]
fn a_peer_that_takes_nothing_is_let_go() {
    let (said, seconds) = serve(|| Line {
        room: 10,
        ..line("GET /sub/a.txt HTTP/1.1\r\nHost: h\r\n\r\n")
    });
    assert_eq!((&*said, seconds), ("HTTP/1.1 2", 30));
}

/// Serves a peer by the loop that only blocks; two seconds pass with each look at the clock.
fn serve_blocking(mut line: Line) -> (String, Result<(), ErrorKind>) {
    let tick = Cell::new(Duration::ZERO);
    let clock = || Now {
        tick: tick.replace(tick.get() + Duration::from_secs(2)),
        unix: None,
    };
    let config = Config::default().with_protocol(Protocol::Http11);
    let mut conn = Connection::new(config, "192.0.2.1", Files::new());
    let served = embedded::serve(&mut conn, &mut line, &SITE, clock, |_| ());
    (String::from_utf8(line.got).unwrap(), served)
}

#[test]
fn a_link_that_only_blocks_is_given_back_after_the_last_reply() {
    let (said, served) = serve_blocking(line("GET / HTTP/1.0\r\n\r\n"));
    assert!(said.ends_with("\r\n\r\n<!DOCTYPE html>"), "{said}");
    assert_eq!(served, Ok(()));
}

#[test]
fn a_link_that_gives_up_by_itself_keeps_deadlines() {
    let (said, served) = serve_blocking(Line {
        broken: Some(ErrorKind::TimedOut),
        ..line("GET /")
    });
    assert!(
        said.starts_with("HTTP/1.1 408 Request Timeout\r\n"),
        "{said}"
    );
    assert_eq!(served, Ok(()));
}

#[test]
fn a_link_that_breaks_says_how() {
    let (said, served) = serve_blocking(Line {
        broken: Some(ErrorKind::ConnectionReset),
        ..line("GET / HTTP/1.1\r\nHost: h\r\n\r\n")
    });
    assert!(said.ends_with("<!DOCTYPE html>"), "{said}");
    assert_eq!(served, Err(ErrorKind::ConnectionReset));
}

#[test]
fn flash_has_files_and_directories() {
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
    for none in ["/nope", "/sub/nope", "/index.html/sub", "/sub/a.txt/x"] {
        assert!(SITE.open(&path(none)).is_err(), "{none}");
        assert!(SITE.list(&path(none)).is_err(), "{none}");
    }
    assert!(SITE.list(&path("/index.html")).is_err());
    assert_eq!(SITE.read(&mut &b"hello"[..], 3, &mut [0; 9]), Ok(2));
    assert_eq!(SITE.read(&mut &b"hello"[..], 9, &mut [0; 9]), Ok(0));
}

#[test]
#[cfg(feature = "std")]
fn a_folder_becomes_source_text() {
    use std::fs::{self, File};
    use std::time::{Duration, UNIX_EPOCH};

    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("sub")).unwrap();
    for name in ["b \"c\".txt", "sub/a.txt"] {
        let path = folder.path().join(name);
        fs::write(&path, "a").unwrap();
        let file = File::options().append(true).open(path).unwrap();
        let changed = UNIX_EPOCH + Duration::from_secs(1_577_836_800);
        file.set_modified(changed).unwrap();
    }
    let root = folder.path().canonicalize().unwrap();
    let root = root.to_str().unwrap();
    // The 64-bit FNV-1a of "a" among the test vectors of its authors.
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
