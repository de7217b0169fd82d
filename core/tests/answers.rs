//! Tests the adapter's answers to wants: a wrong kind of answer panics, a broken transport closes the connection, a
//! file that is too short breaks the reply off, and files are closed before the next request.

mod drive;
mod world;

use std::rc::Rc;
use std::sync::Arc;

use drive::{drive, http11};
use sanserve_core::{
    Ask, Config, Connection, Event, Exchange, Files, FsError, Got, Handler, Meta, Next, Now,
    Opened, Path, Want,
};
use world::World;

/// Runs a request for a directory, whose index page and listing get these answers.
fn answered(open: fn() -> Got<()>, list: fn() -> Got<()>) {
    let answer = |ask: &Ask| match ask {
        Ask::List(_) => list(),
        _ => open(),
    };
    drive(
        http11(),
        Files::new(),
        b"GET / HTTP/1.1\r\nHost: h\r\n\r\n",
        answer,
    );
}

fn nothing() -> Got<()> {
    Got::Opened(Err(FsError::NotFound))
}

#[test]
#[should_panic = "was answered by a wrong kind of Got"]
fn bytes_are_no_answer_to_open() {
    answered(|| Got::Bytes(1), nothing);
}

#[test]
#[should_panic = "was answered by a wrong kind of Got"]
fn a_listing_is_no_answer_to_open() {
    answered(|| Got::Listed(Ok(Arc::default())), nothing);
}

#[test]
#[should_panic = "Want::Ask was answered by another kind of Opened"]
fn a_process_is_no_answer_to_open() {
    answered(|| Got::Opened(Ok(Opened::Process(()))), nothing);
}

#[test]
#[should_panic = "was answered by a wrong kind of Got"]
fn an_opened_directory_is_no_answer_to_list() {
    answered(nothing, nothing);
}

#[test]
fn a_connection_with_a_broken_transport_closes_and_stays_closed() {
    let mut conn = Connection::<(), _>::new(Config::default(), "192.0.2.1", Files::new());
    conn.step(Now::default(), Got::Nothing);
    for got in [Got::Failed, Got::Nothing, Got::Nothing] {
        assert!(matches!(conn.step(Now::default(), got).want, Want::Close));
    }
}

#[test]
fn the_pending_want_shows_what_was_read_and_what_will_be_written() {
    let mut conn = Connection::<(), _>::new(Config::default(), "192.0.2.1", Files::new());
    assert!(matches!(conn.pending_want(), Want::Close));
    let request = b"GET /a HTTP/1.0\r\n\r\n";
    let Want::Read(into) = conn.step(Now::default(), Got::Nothing).want else {
        panic!("the request is read first");
    };
    into[..request.len()].copy_from_slice(request);
    let Want::Read(into) = conn.pending_want() else {
        panic!("the read is pending until the next step");
    };
    assert!(into.starts_with(request));
    let got = Got::Bytes(request.len());
    assert!(matches!(
        conn.step(Now::default(), got).want,
        Want::Ask(Ask::Open(_))
    ));
    assert!(matches!(conn.pending_want(), Want::Ask(Ask::Open(path)) if path.as_bytes() == b"a"));
    let mut want = conn.step(Now::default(), nothing()).want;
    if let Want::Log(_) = want {
        want = conn.step(Now::default(), Got::Nothing).want;
    }
    let Want::Write(from) = want else {
        panic!("a reply is written");
    };
    let reply = from.to_vec();
    assert!(matches!(conn.pending_want(), Want::Write(from) if from == reply));
}

#[test]
fn the_pending_want_of_a_connection_that_was_reset_is_close() {
    let mut conn = Connection::<(), _>::new(Config::default(), "192.0.2.1", Files::new());
    let request = b"GET /a HTTP/1.0\r\n\r\n";
    if let Want::Read(into) = conn.step(Now::default(), Got::Nothing).want {
        into[..request.len()].copy_from_slice(request);
    }
    let got = Got::Bytes(request.len());
    assert!(matches!(conn.step(Now::default(), got).want, Want::Ask(_)));
    conn.peer_reset();
    assert!(matches!(conn.pending_want(), Want::Close));
}

/// Announces that a file is twice as long as it is, and sends it by reference.
struct Longer;

impl Handler for Longer {
    fn begin(&mut self, _: &mut Exchange<'_>) -> Next {
        Next::Open(Path::parse("/sent").expect("no NUL"))
    }

    fn resume(&mut self, ex: &mut Exchange<'_>, event: Event<'_>) -> Next {
        let Event::Opened(_, meta) = event else {
            return Next::Done;
        };
        ex.send_response(200);
        ex.send_header("Content-Length", 2 * meta.len);
        ex.end_headers();
        Next::Send(0..2 * meta.len)
    }
}

#[test]
fn a_file_sent_by_reference_that_is_too_short_breaks_off_the_reply() {
    let mut world = World::new(
        http11(),
        Longer,
        b"GET / HTTP/1.1\r\nHost: h\r\n\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n",
    );
    world.run();
    assert_eq!(world.statuses().len(), 1);
    assert!(
        world
            .log
            .contains("The file for '/' ended after 1048576 of 2097152 announced bytes")
    );
    assert!(!world.has_shut_down);
}

/// Reads a file, and sends what it has read.
struct Reader;

impl Handler for Reader {
    fn begin(&mut self, _: &mut Exchange<'_>) -> Next {
        Next::Open(Path::parse("/hello.txt").expect("no NUL"))
    }

    fn resume(&mut self, ex: &mut Exchange<'_>, event: Event<'_>) -> Next {
        match event {
            Event::Opened(..) => {
                ex.send_response(200);
                ex.end_headers();
                Next::Read
            }
            Event::Data(bytes) => {
                ex.write(bytes);
                Next::Read
            }
            _ => Next::Done,
        }
    }
}

#[test]
fn a_file_is_read_from_its_start_to_its_end() {
    let mut world = World::new(Config::default(), Reader, b"GET / HTTP/1.0\r\n\r\n");
    world.run();
    assert!(
        world.text().ends_with("\r\n\r\nhello\n"),
        "{}",
        world.text()
    );
}

/// Begins the reply before it reads the content.
struct Early;

impl Handler for Early {
    fn begin(&mut self, ex: &mut Exchange<'_>) -> Next {
        ex.send_response(200);
        ex.end_headers();
        Next::Body
    }

    fn resume(&mut self, ex: &mut Exchange<'_>, event: Event<'_>) -> Next {
        match event {
            Event::Data(bytes) => {
                ex.write(bytes);
                Next::Body
            }
            _ => Next::Done,
        }
    }
}

#[test]
fn bad_content_breaks_off_a_reply_that_has_begun() {
    let head = b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n";
    let mut world = World::new(http11(), Early, head)
        .then(std::time::Duration::from_secs(1), b"x\r\n")
        .then(
            std::time::Duration::from_secs(1),
            b"GET / HTTP/1.1\r\nHost: h\r\n\r\n",
        );
    world.run();
    assert_eq!(world.statuses(), ["HTTP/1.1 200 OK"]);
    assert!(
        world.text().ends_with("2\r\nhi\r\n"),
        "no end of the content"
    );
}

#[test]
fn nothing_is_open_between_two_requests() {
    let (file, mut got) = (Rc::new(()), Got::Nothing);
    let mut conn = Connection::new(http11(), "192.0.2.1", Files::new());
    let mut input: &[u8] = b"GET /x HTTP/1.1\r\nHost: h\r\n\r\n";
    loop {
        got = match conn.step(Now::default(), got).want {
            Want::Read(_) if input.is_empty() => break,
            Want::Read(into) => {
                let n = input.len();
                into[..n].copy_from_slice(input);
                input = &[];
                Got::Bytes(n)
            }
            Want::Write(from) => Got::Bytes(from.len()),
            Want::ReadFile { into, .. } => {
                assert_eq!(Rc::strong_count(&file), 2);
                Got::Bytes(into.len())
            }
            Want::Ask(_) => Got::Opened(Ok(Opened::File {
                file: Rc::clone(&file),
                meta: Meta::new(3),
                sendable: false,
            })),
            Want::Log(_) => Got::Nothing,
            want => unreachable!("{want:?}"),
        };
    }
    assert_eq!(Rc::strong_count(&file), 1);
}
