//! Tests of the limits of a connection in time and memory: when each timeout begins, what is freed early, how much is
//! buffered, and what happens to a file that cannot be read.

mod drive;
mod world;

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use drive::{drive, holds, http11, no_files};
use sanserve_core::{
    ArchiveFormat, ArchiveRequest, CgiScript, Config, Connection, Create, Directory, Event,
    Exchange, Files, FsError, Got, Handler, Limits, Meta, Next, Now, Opened, Path, Want, from_fn,
    listing,
};
use world::{BIG, Counter, World};

const SECOND: Duration = Duration::from_secs(1);
const HELLO: &[u8] = b"GET /hello.txt HTTP/1.1\r\nHost: h\r\n\r\n";

#[test] // reply start ignores earlier replies
fn a_retracted_reply_leaves_the_earlier_ones() {
    let input = [HELLO, b"GET /short HTTP/1.1\r\nHost: h\r\n\r\n"].concat();
    let mut world = World::new(http11(), Files::new(), &input);
    world.run();
    assert_eq!(
        world.statuses(),
        [
            "HTTP/1.1 200 OK",
            "HTTP/1.1 500 The file for '/short' ended after 50 of 100 announced bytes"
        ]
    );
}

#[test] // ReadFile failed: no 500
fn a_file_that_cannot_be_read_is_a_500() {
    let said = drive(http11(), Files::new(), HELLO, |_| {
        Got::Opened(Ok(Opened::File {
            file: (),
            meta: Meta::new(6),
            sendable: false,
        }))
    });
    assert!(said.text.starts_with("HTTP/1.1 500 "), "{}", said.text);
}

#[test] // a file that fails is held until the connection closes
fn a_file_that_cannot_be_read_is_dropped_immediately() {
    let file = Rc::new(());
    let mut conn = Connection::new(http11(), "192.0.2.1", Files::new());
    let (mut rest, mut got) = (HELLO, Got::Nothing);
    loop {
        got = match conn.step(Now::default(), got).want {
            Want::Read(into) => {
                into[..rest.len()].copy_from_slice(rest);
                Got::Bytes(std::mem::take(&mut rest).len())
            }
            Want::Ask(_) => Got::Opened(Ok(Opened::File {
                file: Rc::clone(&file),
                meta: Meta::new(6),
                sendable: false,
            })),
            Want::ReadFile { .. } => Got::Refused(FsError::Io),
            Want::Write(from) => {
                assert!(from.starts_with(b"HTTP/1.1 500 "));
                break assert_eq!(Rc::strong_count(&file), 1);
            }
            _ => Got::Nothing,
        };
    }
}

/// Opens a file, and then wants something else.
struct OpensBefore(Option<Next>);

impl Handler for OpensBefore {
    fn begin(&mut self, _: &mut Exchange<'_>) -> Next {
        Next::Open(Path::default())
    }

    fn resume(&mut self, _: &mut Exchange<'_>, event: Event<'_>) -> Next {
        assert!(matches!(event, Event::Opened(..)));
        self.0.take().expect("it is resumed once")
    }
}

/// Returns how often an open file is held when `next` is asked of the file system.
fn holders_during(next: Next) -> usize {
    let mut file = Some(Rc::new(()));
    let held = Rc::downgrade(file.as_ref().expect("a file"));
    let mut conn = Connection::new(http11(), "192.0.2.1", OpensBefore(Some(next)));
    let (mut rest, mut got) = (HELLO, Got::Nothing);
    loop {
        got = match conn.step(Now::default(), got).want {
            Want::Read(into) => {
                into[..rest.len()].copy_from_slice(rest);
                Got::Bytes(std::mem::take(&mut rest).len())
            }
            Want::Ask(_) => match file.take() {
                Some(file) => Got::Opened(Ok(Opened::File {
                    file,
                    meta: Meta::new(6),
                    sendable: false,
                })),
                None => return held.strong_count(),
            },
            _ => Got::Nothing,
        };
    }
}

#[test]
fn a_file_is_closed_before_the_handler_gets_another_one() {
    let path = Path::default;
    let archive = ArchiveRequest {
        path: path(),
        format: ArchiveFormat::Zip,
        hidden: false,
    };
    let script = CgiScript {
        path: path(),
        args: Vec::new(),
        env: Vec::new(),
        path_translated: path(),
    };
    for next in [
        Next::Open(path()),
        Next::List(path()),
        Next::Run(Box::new(script)),
        Next::Archive(Box::new(archive)),
        Next::Create(Box::new(Create::new(path()))),
    ] {
        assert_eq!(holders_during(next.clone()), 0, "{next:?}");
    }
}

#[test] // finish() leaves an idle connection open
fn finish_closes_an_idle_connection_at_once() {
    let mut world = World::new(http11(), Files::new(), HELLO);
    (world.half_close, world.finish_after) = (false, 1);
    assert_eq!(world.run(), Duration::ZERO);
    assert_eq!(world.statuses(), ["HTTP/1.1 200 OK"]);
}

#[test] // linger collects what comes
fn bytes_that_arrive_while_lingering_are_discarded() {
    let input = [b"GET /hello.txt HTTP/1.0\r\n\r\n", &vec![b'x'; 1 << 20][..]].concat();
    let mut world = World::new(Config::default(), Files::new(), &input);
    world.run();
    assert!(
        world.conn.allocated() < 32 * 1024,
        "{}",
        world.conn.allocated()
    );
}

#[test] // linger deadline from before
fn lingering_begins_when_the_reply_is_sent() {
    let mut world = World::new(
        Config::default(),
        Files::new(),
        b"GET /hello.txt HTTP/1.0\r\n\r\n",
    );
    (world.half_close, world.piece, world.write_takes) = (false, 40, SECOND);
    let took = world.run();
    assert!(world.writes > 3);
    assert_eq!(
        took,
        SECOND * world.writes as u32 + Config::default().timeouts.linger
    );
}

#[test] // since not set at Ask/Done
fn the_file_system_has_a_deadline_of_its_own() {
    let mut world = World::new(http11(), Files::new(), b"GET /hello.txt HT");
    world = world.then(SECOND * 20, b"TP/1.1\r\nHost: h\r\n\r\n");
    world.disk_takes = SECOND * 15;
    world.run();
    assert_eq!(world.statuses(), ["HTTP/1.1 200 OK"]);
}

#[test] // since not set after drain
fn the_idle_timeout_begins_after_the_content() {
    let head = b"GET /hello.txt HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\n";
    let mut world = World::new(http11(), Files::new(), head);
    world = world.then(SECOND * 25, b"hello");
    world.half_close = false;
    assert_eq!(world.run(), SECOND * 25 + http11().timeouts.idle);
}

#[test] // since not set at first byte of head
fn the_timeout_for_a_head_begins_with_its_first_byte() {
    let mut world = World::new(http11(), Files::new(), b"");
    world.input.clear();
    world = world.then(SECOND * 50, b"GET /hello.txt HT");
    world = world.then(SECOND * 70, b"TP/1.1\r\nHost: h\r\n\r\n");
    world.run();
    assert_eq!(world.statuses(), ["HTTP/1.1 200 OK"]);
}

#[test] // the head's time runs while the reply before it is taken
fn a_head_has_its_full_timeout_after_a_slowly_read_reply() {
    let mut config = http11();
    config.timeouts.head = SECOND * 5;
    let mut world = World::new(
        config,
        Files::new(),
        &[HELLO, b"GET /hello.txt HT"].concat(),
    );
    world = world.then(SECOND, b"TP/1.1\r\nHost: h\r\n\r\n");
    (world.piece, world.write_takes) = (100, SECOND * 3);
    world.run();
    assert_eq!(world.statuses(), ["HTTP/1.1 200 OK"; 2]);
}

#[test] // 408 for a blank line
fn an_empty_line_does_not_count_as_a_late_head() {
    let mut world = World::new(http11(), Files::new(), &[HELLO, b"\r\n"].concat());
    world.half_close = false;
    world.run();
    assert_eq!(world.statuses(), ["HTTP/1.1 200 OK"]);
    assert_eq!(world.log.lines().count(), 1);
}

#[test] // Copy does not count for rate
fn a_reader_of_a_file_sent_by_reference_may_be_as_slow() {
    let mut world = World::new(
        Config::default(),
        Files::new(),
        b"GET /sent HTTP/1.0\r\n\r\n",
    );
    (world.piece, world.write_takes) = (1_000, SECOND);
    world.run();
    assert!(world.output.ends_with(&BIG));
}

fn upload(expect: &str) -> World<Counter> {
    let head = format!("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 100000\r\n{expect}\r\n");
    let mut world = World::new(http11(), Counter(0), head.as_bytes());
    for i in 1..=100 {
        world = world.then(SECOND * i, &[b'x'; 1000]);
    }
    world.run();
    world
}

#[test] // inward not counted
fn content_that_arrives_just_fast_enough_is_read() {
    let world = upload("");
    assert_eq!(world.statuses(), ["HTTP/1.1 200 OK"]);
    assert!(world.text().contains("\r\n100000\r\n"));
}

#[test] // rest: log kept
fn an_idle_connection_keeps_no_log_memory() {
    let line = format!(
        "GET /hello.txt?{} HTTP/1.1\r\nHost: h\r\n\r\n",
        "x".repeat(60_000)
    );
    let mut world = World::new(http11(), Files::new(), line.as_bytes());
    world.half_close = false;
    world.run();
    assert!(world.idle_bytes < 1024, "{}", world.idle_bytes);
}

#[test] // outbox bound for pipelined replies
fn pipelined_replies_wait_for_room() {
    let handler = from_fn(|ex| {
        ex.send_response(200);
        ex.send_header("Content-Length", 1000);
        ex.end_headers();
        ex.write(&[b'x'; 1000]);
        Next::Done
    });
    let said = drive(
        http11(),
        handler,
        &b"GET / HTTP/1.1\r\nHost: h\r\n\r\n".repeat(900),
        no_files,
    );
    assert_eq!(said.text.matches("HTTP/1.1 200 OK").count(), 900);
    assert!(said.most < Limits::default().outbox + 2000, "{}", said.most);
}

#[test] // outbox bound while body is read
fn a_reply_to_content_waits_for_room() {
    struct Loud;
    impl Handler for Loud {
        fn begin(&mut self, ex: &mut Exchange<'_>) -> Next {
            ex.send_response(200);
            ex.end_headers();
            Next::Body
        }
        fn resume(&mut self, ex: &mut Exchange<'_>, event: Event<'_>) -> Next {
            match event {
                Event::Data(_) => {
                    ex.write(&[b'x'; 1000]);
                    Next::Body
                }
                _ => Next::Done,
            }
        }
    }
    let mut input = b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
    input.extend(b"1\r\nx\r\n".repeat(3000));
    input.extend(b"0\r\n\r\n");
    let said = drive(http11(), Loud, &input, no_files);
    assert!(said.text.ends_with("\r\n0\r\n\r\n"));
    assert!(said.most < Limits::default().outbox + 2000, "{}", said.most);
}

#[test] // listing never flushes
fn a_long_listing_is_sent_in_pieces() {
    let names: Vec<_> = (0..5000).map(|i| format!("{i:050}").into_bytes()).collect();
    let names: Vec<&[u8]> = names.iter().map(Vec::as_slice).collect();
    let said = drive(
        http11(),
        Files::new(),
        b"GET / HTTP/1.1\r\nHost: h\r\n\r\n",
        holds(&names),
    );
    assert!(said.text.ends_with("</html>\n") && said.text.len() > 500_000);
    assert!(said.most < Limits::default().outbox + 2000, "{}", said.most);
}

/// A function that replies with a listing.
type List = fn(&mut Exchange<'_>, Directory<'_>) -> Next;

#[test]
fn a_listing_is_written_through_an_outbox_that_is_smaller_than_its_top() {
    let names: Vec<_> = (0..500)
        .map(|at| format!("{at:050}").into_bytes())
        .collect();
    let names: Vec<&[u8]> = names.iter().map(Vec::as_slice).collect();
    for list in [listing::page as List, listing::python] {
        let page = |outbox| {
            let limits = Limits::default().with_outbox(outbox);
            let config = http11().with_limits(limits);
            let mut files = Files::new();
            files.settings_mut().list_directory = Arc::new(list);
            drive(
                config,
                files,
                b"GET / HTTP/1.1\r\nHost: h\r\n\r\n",
                holds(&names),
            )
            .text
        };
        let text = page(32 * 1024);
        assert!(text.starts_with("HTTP/1.1 200 OK\r\n") && text.ends_with("</html>\n"));
        assert!(page(512) == text, "the same page");
        assert!(page(1024) == text, "the same page");
    }
}

/// The file service, observed from outside.
struct Seen(Rc<RefCell<Files>>);

impl Handler for Seen {
    fn begin(&mut self, ex: &mut Exchange<'_>) -> Next {
        self.0.borrow_mut().begin(ex)
    }

    fn resume(&mut self, ex: &mut Exchange<'_>, event: Event<'_>) -> Next {
        self.0.borrow_mut().resume(ex, event)
    }
}

#[test]
fn a_listing_is_dropped_once_it_is_sent() {
    for method in ["GET", "HEAD"] {
        let files = Rc::new(RefCell::new(Files::new()));
        let request = format!("{method} / HTTP/1.1\r\nHost: h\r\n\r\n");
        let mut world = World::new(http11(), Seen(files.clone()), request.as_bytes());
        world.half_close = false;
        world.run();
        assert!(
            !format!("{:?}", files.borrow()).contains("Entry"),
            "{:?}",
            files.borrow()
        );
    }
}
