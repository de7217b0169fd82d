//! Tests of replies: interim replies, framing, mistakes of handlers that become 500, content larger than the outbox,
//! and errors of the file system.

mod drive;
mod world;

use std::sync::Arc;

use drive::{drive, http11, no_files, reply};
use sanserve_core::{
    Ask, Event, Exchange, Files, FsError, Got, Handler, Limits, Next, Path, Upload, from_fn,
};
use world::{BIG, World};

/// Opens the requested file, reads the content of the request, and sends the file in chunks.
struct Chunked;

impl Handler for Chunked {
    fn begin(&mut self, ex: &mut Exchange<'_>) -> Next {
        Next::Open(Path::parse(ex.path()).expect("no NUL"))
    }

    fn resume(&mut self, ex: &mut Exchange<'_>, event: Event<'_>) -> Next {
        match event {
            Event::Opened(_, meta) => {
                ex.send_response(200);
                ex.send_header("X-Length", meta.len);
                ex.end_headers();
                Next::Send(0..meta.len)
            }
            _ => Next::Done,
        }
    }
}

#[test] // Copy within chunked framing
fn a_file_in_chunks_is_not_sent_by_reference() {
    let mut world = World::new(http11(), Chunked, b"GET /sent HTTP/1.1\r\nHost: h\r\n\r\n");
    world.run();
    let text = world.text();
    let (_, mut rest) = text.split_once("\r\n\r\n").expect("a head");
    let mut len = 0;
    loop {
        let (size, content) = rest.split_once("\r\n").expect("a chunk's size");
        let size = usize::from_str_radix(size, 16).expect("hexadecimal");
        assert_eq!(&content[size..size + 2], "\r\n");
        (len, rest) = (len + size, &content[size + 2..]);
        if size == 0 {
            break;
        }
    }
    assert_eq!((len, rest), (BIG.len(), ""));
}

#[test] // file closed by Next::Body
fn an_open_file_stays_open_while_content_is_read() {
    struct Late(bool);
    impl Handler for Late {
        fn begin(&mut self, _: &mut Exchange<'_>) -> Next {
            Next::Open(Path::parse("/hello.txt").expect("no NUL"))
        }
        fn resume(&mut self, ex: &mut Exchange<'_>, event: Event<'_>) -> Next {
            match event {
                Event::End if std::mem::replace(&mut self.0, true) => Next::Done,
                Event::End => {
                    ex.send_response(200);
                    ex.send_header("Content-Length", 6);
                    ex.end_headers();
                    Next::Send(0..6)
                }
                _ => Next::Body,
            }
        }
    }
    let input = b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nhi";
    let mut world = World::new(http11(), Late(false), input);
    world.run();
    assert_eq!(world.statuses(), ["HTTP/1.1 200 OK"]);
    assert!(world.output.ends_with(b"\r\n\r\nhello\n"));
}

#[test] // breaks off without a word
fn the_reason_of_a_broken_reply_is_logged() {
    struct Eager;
    impl Handler for Eager {
        fn begin(&mut self, ex: &mut Exchange<'_>) -> Next {
            ex.send_response(200);
            ex.end_headers();
            Next::Flush
        }
        fn resume(&mut self, _: &mut Exchange<'_>, _: Event<'_>) -> Next {
            Next::Body
        }
    }
    let input = b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n";
    let said = drive(http11(), Eager, input, no_files);
    assert!(said.text.starts_with("HTTP/1.1 200 OK\r\n"));
    assert!(
        said.log.ends_with("] Bad chunked content\n"),
        "{}",
        said.log
    );
}

#[test] // interim reply is final; Connection in interim reply
fn an_interim_reply_is_followed_by_the_final_one() {
    let handler = from_fn(|ex| {
        ex.send_response(103);
        ex.send_header("Link", "</a>");
        ex.end_headers();
        ex.send_response(204);
        ex.end_headers();
        Next::Done
    });
    let said = drive(
        http11(),
        handler,
        b"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n",
        no_files,
    );
    let heads: Vec<_> = said.text.split_terminator("\r\n\r\n").collect();
    assert_eq!(heads.len(), 2, "{}", said.text);
    assert!(heads[0].starts_with("HTTP/1.1 103 ") && !heads[0].contains("Connection"));
    assert!(heads[1].starts_with("HTTP/1.1 204 ") && heads[1].ends_with("\r\nConnection: close"));
}

#[test] // 204 with content
fn a_204_has_neither_content_nor_framing() {
    let text = reply(|ex| {
        ex.send_response(204);
        ex.end_headers();
        ex.write(b"dropped");
        Next::Done
    });
    assert!(
        text.ends_with("\r\n\r\n") && !text.contains("Transfer-Encoding"),
        "{text}"
    );
}

#[test] // 205 with page
fn a_205_has_no_error_page() {
    let text = reply(|ex| ex.send_error(205, "Reset Content"));
    assert!(
        text.starts_with("HTTP/1.1 205 ") && !text.contains("<html"),
        "{text}"
    );
}

#[test] // empty write ends chunks
fn an_empty_write_makes_no_chunk() {
    let text = reply(|ex| {
        ex.send_response(200);
        ex.end_headers();
        ex.write(b"");
        ex.write(b"x");
        Next::Done
    });
    assert!(
        text.split_once("\r\n\r\n")
            .is_some_and(|(_, rest)| rest == "1\r\nx\r\n0\r\n\r\n"),
        "{text}"
    );
}

#[test] // too much content; end_headers() forgotten; colon, NUL, beyond Latin-1 in a field
fn more_mistakes_of_handlers_become_500() {
    let says = |text: &str, what: &str| {
        let line = text.lines().next().unwrap_or_default();
        assert_eq!(line, format!("HTTP/1.1 500 The handler {what}"));
    };
    let much = reply(|ex| {
        ex.send_response(200);
        ex.send_header("Content-Length", 2);
        ex.end_headers();
        ex.write(b"abc");
        Next::Done
    });
    says(&much, "wrote more than Content-Length");
    let open = reply(|ex| {
        ex.send_response(200);
        Next::Done
    });
    says(&open, "did not call end_headers()");
    fn field(ex: &mut Exchange<'_>, name: &str, value: &str) -> Next {
        ex.send_response(200);
        ex.send_header(name, value);
        ex.end_headers();
        Next::Done
    }
    let what = "gave send_header() an invalid name or value";
    says(&reply(|ex| field(ex, "X:y", "z")), what);
    says(&reply(|ex| field(ex, "X(y)", "z")), what);
    says(&reply(|ex| field(ex, "X@y", "z")), what);
    says(&reply(|ex| field(ex, "X\u{e9}", "z")), what);
    says(&reply(|ex| field(ex, "", "z")), what);
    says(&reply(|ex| field(ex, "X", "a\0b")), what);
    says(&reply(|ex| field(ex, "X", "\u{20ac}")), what);
}

#[test] // forbidden index: next tried
fn an_index_page_that_may_not_be_read_hides_the_directory() {
    for error in [FsError::Forbidden, FsError::Io] {
        let said = drive(
            http11(),
            Files::new(),
            b"GET / HTTP/1.1\r\nHost: h\r\n\r\n",
            |ask| match ask {
                Ask::Open(path) if path.file_name() == b"index.html" => Got::Opened(Err(error)),
                Ask::Open(_) => Got::Opened(Err(FsError::NotFound)),
                Ask::List(_) => Got::Listed(Ok(Arc::default())),
                _ => unreachable!("no script is run"),
            },
        );
        assert!(
            said.text.starts_with("HTTP/1.1 404 File not found"),
            "{}",
            said.text
        );
    }
}

#[test] // It is not known whether the file exists.
fn a_lack_of_resources_is_a_503() {
    for target in ["/a.txt", "/"] {
        let request = format!("GET {target} HTTP/1.1\r\nHost: h\r\n\r\n");
        let said = drive(http11(), Files::new(), request.as_bytes(), |_| {
            Got::Opened(Err(FsError::NoResources))
        });
        let status = "HTTP/1.1 503 Not enough resources to open the file\r\n";
        assert!(said.text.starts_with(status), "{}", said.text);
    }
    for request in [
        "PUT /a.txt HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 7\r\n\
         Content-Type: multipart/form-data; boundary=b\r\n\r\n--b--\r\n",
    ] {
        let said = drive(http11(), Upload::new(), request.as_bytes(), |_| {
            Got::Opened(Err(FsError::NoResources))
        });
        let status = "HTTP/1.1 503 Not enough resources to store the file\r\n";
        assert!(said.text.starts_with(status), "{}", said.text);
    }
}

/// Writes content that is larger than the outbox, and records how much had been sent when it was resumed.
struct Large(usize);

impl Handler for Large {
    fn begin(&mut self, ex: &mut Exchange<'_>) -> Next {
        ex.send_response(200);
        if ex.path() == "/length" {
            ex.send_header("Content-Length", self.0);
        }
        ex.end_headers();
        Next::Write(vec![b'x'; self.0].into())
    }

    fn resume(&mut self, _: &mut Exchange<'_>, event: Event<'_>) -> Next {
        assert!(matches!(event, Event::End));
        Next::Done
    }
}

#[test]
fn large_content_is_written_as_fast_as_the_peer_reads() {
    const LEN: usize = 1_000_000;
    for (request, framing) in [
        (
            "GET /length HTTP/1.1\r\nHost: h\r\n\r\n",
            "Content-Length: 1000000",
        ),
        (
            "GET / HTTP/1.1\r\nHost: h\r\n\r\n",
            "Transfer-Encoding: chunked",
        ),
        ("GET / HTTP/1.0\r\n\r\n", "Connection: close"),
    ] {
        let mut world = World::new(http11(), Large(LEN), request.as_bytes());
        world.piece = 10_000;
        world.run();
        let text = world.text();
        let (head, content) = text.split_once("\r\n\r\n").expect("a head");
        assert!(head.contains(framing), "{head}");
        assert_eq!(content.bytes().filter(|byte| *byte == b'x').count(), LEN);
        assert!(
            world.conn.allocated() < 64 * 1024,
            "{}",
            world.conn.allocated()
        );
    }
}

#[test]
fn a_handler_that_writes_more_than_the_outbox_at_once_gets_500() {
    let outbox = Limits::default().outbox;
    let written = |len: usize, pieces: usize| {
        let handler = from_fn(move |ex| {
            ex.send_response(200);
            ex.end_headers();
            (0..pieces).for_each(|_| ex.write(&vec![b'x'; len]));
            Next::Done
        });
        drive(http11(), handler, b"GET / HTTP/1.0\r\n\r\n", no_files)
    };
    for (len, pieces) in [(outbox, 1), (1, outbox), (outbox / 4, 5)] {
        assert!(
            written(len, pieces).text.starts_with("HTTP/1.1 200 "),
            "{len}"
        );
    }
    for (len, pieces) in [(2 * outbox, 1), (1000, outbox / 500)] {
        let said = written(len, pieces);
        let message =
            "The handler wrote more than Limits::outbox: return Next::Write or Next::Flush";
        assert!(
            said.text
                .starts_with(&format!("HTTP/1.1 500 {message}\r\n")),
            "{len}"
        );
        assert!(said.log.contains(message), "{}", said.log);
    }
}

#[test]
fn a_piece_of_content_fits_into_the_outbox() {
    let echo = |input: &[u8]| {
        struct Echo(usize);
        impl Handler for Echo {
            fn begin(&mut self, ex: &mut Exchange<'_>) -> Next {
                ex.send_response(200);
                ex.end_headers();
                Next::Body
            }
            fn resume(&mut self, ex: &mut Exchange<'_>, event: Event<'_>) -> Next {
                match event {
                    Event::Data(bytes) => {
                        self.0 = self.0.max(bytes.len());
                        ex.write(bytes);
                        Next::Body
                    }
                    _ => Next::Done,
                }
            }
        }
        let config = http11().with_limits(Limits::default().with_outbox(1024));
        drive(config, Echo(0), input, no_files).text
    };
    let head = format!(
        "POST / HTTP/1.1\r\nHost: h\r\nX: {}\r\nContent-Length: 50000\r\n\r\n",
        "y".repeat(60_000)
    );
    let text = echo(&[head.as_bytes(), &vec![b'z'; 50_000]].concat());
    assert!(text.starts_with("HTTP/1.1 200 "));
    assert_eq!(text.bytes().filter(|byte| *byte == b'z').count(), 50_000);
}

#[test]
fn a_directory_that_may_not_be_listed_is_404_as_in_cpython() {
    let fs = |ask: &Ask| match ask {
        Ask::List(_) => Got::Listed(Err(FsError::Forbidden)),
        _ => no_files(ask),
    };
    let said = drive(
        http11(),
        Files::new(),
        b"GET / HTTP/1.1\r\nHost: h\r\n\r\n",
        fs,
    );
    let wanted = "HTTP/1.1 404 No permission to list directory\r\n";
    assert!(said.text.starts_with(wanted), "{}", said.text);
}
