//! Tests of handlers that wait to be woken, that upgrade the connection, and that never make progress; also of replies
//! in many pieces, refused content, and the reason why a connection closes.

mod world;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Wake, Waker};
use std::time::Duration;

use sanserve_core::log::{self, CloseReason, LogEvent, LogRecord};
use sanserve_core::{
    Config, Connection, Event, Exchange, Got, Handler, Limits, Next, Now, Protocol, Step, Want,
};
use world::World;

fn http11() -> Config {
    Config::default().with_protocol(Protocol::Http11)
}

const GET: &[u8] = b"GET / HTTP/1.1\r\nHost: h\r\n\r\n";

/// Answers every event with the same `Next`.
struct Again(fn() -> Next);

impl Handler for Again {
    fn begin(&mut self, ex: &mut Exchange<'_>) -> Next {
        if ex.header("X-Reply").is_some() {
            ex.send_response(200);
            ex.end_headers();
        }
        (self.0)()
    }

    fn resume(&mut self, _: &mut Exchange<'_>, _: Event<'_>) -> Next {
        (self.0)()
    }
}

#[test]
fn a_handler_that_keeps_asking_for_the_same_thing_gets_a_500() {
    let needs: [fn() -> Next; 6] = [
        || Next::Body,
        || Next::Flush,
        || Next::Feed,
        || Next::Write(Vec::new().into()),
        || Next::WriteFile(Vec::new()),
        || Next::Wait(Duration::ZERO),
    ];
    for need in needs {
        let mut world = World::new(http11(), Again(need), GET);
        world.run();
        let text = world.text();
        assert!(text.starts_with("HTTP/1.1 500 "), "{:?}: {text}", need());
        assert!(text.contains("Connection: close"), "{:?}: {text}", need());
        assert!(
            world.log.contains("The handler "),
            "{:?}: {}",
            need(),
            world.log
        );
    }
}

/// Sends an empty range of a file repeatedly.
struct SendsNothing;

impl Handler for SendsNothing {
    fn begin(&mut self, ex: &mut Exchange<'_>) -> Next {
        ex.send_response(200);
        ex.end_headers();
        Next::Open(sanserve_core::Path::from_bytes(b"big".to_vec()).expect("a path"))
    }

    fn resume(&mut self, _: &mut Exchange<'_>, _: Event<'_>) -> Next {
        Next::Send(0..0)
    }
}

#[test]
fn a_handler_that_keeps_sending_nothing_gets_a_500() {
    let mut world = World::new(http11(), SendsNothing, GET);
    world.run();
    assert!(
        world.log.contains("keeps asking for the same thing"),
        "{}",
        world.log
    );
}

#[test]
fn many_pipelined_requests_in_one_step_are_not_an_endless_handler() {
    let ok: fn() -> Next = || Next::Done;
    let request = b"GET / HTTP/1.1\r\nHost: h\r\nX-Reply: 1\r\nContent-Length: 1\r\n\r\nx";
    let config = http11().with_limits(Limits::default().with_requests(5_000));
    let mut world = World::new(config, Again(ok), &request.repeat(3_000));
    world.run();
    let statuses = world.statuses();
    assert_eq!(statuses.len(), 3_000);
    assert!(statuses.iter().all(|status| status == "HTTP/1.1 200 OK"));
}

#[derive(Default)]
struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// Sends a line for each wake-up, and ends after a second without one.
#[derive(Default)]
struct Lines(usize);

impl Handler for Lines {
    fn begin(&mut self, ex: &mut Exchange<'_>) -> Next {
        ex.send_response(200);
        ex.end_headers();
        ex.write(b"start\n");
        ex.waker().wake_by_ref();
        Next::Wait(Duration::from_secs(1))
    }

    fn resume(&mut self, ex: &mut Exchange<'_>, event: Event<'_>) -> Next {
        match event {
            Event::Woken => {
                self.0 += 1;
                ex.write(format!("{}\n", self.0).as_bytes());
                Next::Wait(Duration::from_secs(1))
            }
            Event::TimedOut => {
                ex.write(b"end\n");
                Next::Done
            }
            other => panic!("a handler that waits was told {other:?}"),
        }
    }
}

/// Makes one step at this time.
fn step<H: Handler>(conn: &mut Connection<(), H>, seconds: u64, got: Got<()>) -> Step<'_, ()> {
    let now = Now {
        tick: Duration::from_secs(seconds),
        unix: None,
    };
    conn.step(now, got)
}

/// Passes the request to a new connection, and returns all wants up to the first wait, as text.
fn until_it_waits<H: Handler>(
    conn: &mut Connection<(), H>,
    seconds: u64,
    mut got: Got<()>,
    input: &mut &[u8],
) -> String {
    let mut written = String::new();
    loop {
        got = match step(conn, seconds, got).want {
            Want::Read(into) if !input.is_empty() => {
                let n = input.len().min(into.len());
                into[..n].copy_from_slice(&input[..n]);
                *input = &input[n..];
                Got::Bytes(n)
            }
            Want::Write(from) => {
                written += &String::from_utf8_lossy(from);
                Got::Bytes(from.len())
            }
            Want::Log(_) | Want::Shutdown => Got::Nothing,
            _ => return written,
        }
    }
}

#[test]
fn a_waiting_handler_has_its_output_sent_first() {
    let wakes = Arc::new(Count::default());
    let mut conn = Connection::new(http11(), "192.0.2.1", Lines::default());
    conn.set_waker(Waker::from(Arc::clone(&wakes)));
    let written = until_it_waits(&mut conn, 10, Got::Nothing, &mut &GET[..]);
    assert!(written.ends_with("6\r\nstart\n\r\n"), "{written}");
    assert_eq!(wakes.0.load(Ordering::Relaxed), 1);

    let waits = step(&mut conn, 10, Got::Nothing);
    assert!(matches!(waits.want, Want::Wait));
    assert_eq!(waits.deadline, Some(Duration::from_secs(11)));
    let written = until_it_waits(&mut conn, 10, Got::Woken, &mut &[][..]);
    assert_eq!(written, "2\r\n1\n\r\n");
    assert!(conn.awaits_work(), "the adapter watches the peer meanwhile");
    let written = until_it_waits(&mut conn, 12, Got::Nothing, &mut &[][..]);
    assert_eq!(written, "4\r\nend\n\r\n0\r\n\r\n");
}

#[test]
fn a_wait_ends_two_seconds_after_the_client_has_closed_its_side() {
    struct Forever;
    impl Handler for Forever {
        fn begin(&mut self, _: &mut Exchange<'_>) -> Next {
            Next::Wait(Duration::from_secs(3_600))
        }
    }
    let mut conn = Connection::new(http11(), "192.0.2.1", Forever);
    until_it_waits(&mut conn, 10, Got::Nothing, &mut &GET[..]);
    conn.peer_closed();
    assert_eq!(
        step(&mut conn, 10, Got::Nothing).deadline,
        Some(Duration::from_secs(12))
    );
    let written = until_it_waits(&mut conn, 12, Got::Nothing, &mut &[][..]);
    assert!(written.starts_with("HTTP/1.1 504 "), "{written}");
}

/// Upgrades the connection.
struct Takes;

impl Handler for Takes {
    fn begin(&mut self, ex: &mut Exchange<'_>) -> Next {
        if ex.command() == "CONNECT" {
            ex.send_response(200);
        } else {
            ex.send_response(101);
            ex.send_header("Connection", "Upgrade");
            ex.send_header("Upgrade", "echo");
        }
        if ex.header("X-Open-Head").is_none() {
            ex.end_headers();
        }
        Next::Upgrade
    }
}

const UPGRADE: &str = "GET / HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: echo\r\n";

#[test]
fn an_upgraded_connection_is_handed_over_with_the_bytes_received() {
    for (request, head) in [
        (
            format!("{UPGRADE}\r\nraw bytes"),
            "HTTP/1.1 101 Switching Protocols\r\n",
        ),
        (
            "CONNECT h:1 HTTP/1.1\r\nHost: h:1\r\n\r\nraw bytes".into(),
            "HTTP/1.1 200 OK\r\n",
        ),
    ] {
        let mut conn = Connection::new(http11(), "192.0.2.1", Takes);
        conn.allow_upgrade();
        let written = until_it_waits(&mut conn, 10, Got::Nothing, &mut request.as_bytes());
        assert!(written.starts_with(head), "{written}");
        assert!(written.ends_with("\r\n\r\n"), "{written}");
        for field in ["Transfer-Encoding", "Content-Length", "Connection: close"] {
            assert!(!written.contains(field), "{written}");
        }
        assert!(matches!(
            step(&mut conn, 10, Got::Nothing).want,
            Want::Upgrade
        ));
        assert_eq!(conn.into_upgraded().received, b"raw bytes");
    }
}

#[test]
fn an_unsupported_upgrade_is_an_error() {
    let simple = format!("{UPGRADE}\r\n");
    let open = format!("{UPGRADE}X-Open-Head: 1\r\n\r\n");
    let content = format!("{UPGRADE}Content-Length: 5\r\n\r\n");
    for (request, allowed, status) in [
        (simple, false, "501"),
        (open, true, "500"),
        (content, true, "500"),
    ] {
        let mut conn = Connection::new(http11(), "192.0.2.1", Takes);
        if allowed {
            conn.allow_upgrade();
        }
        let written = until_it_waits(&mut conn, 10, Got::Nothing, &mut request.as_bytes());
        assert!(
            written.starts_with(&format!("HTTP/1.1 {status} ")),
            "{written}"
        );
    }
}

#[test]
fn log_events_tell_why_a_connection_closes() {
    fn reasons(record: &LogRecord<'_>, out: &mut dyn std::fmt::Write) -> std::fmt::Result {
        match record.event {
            LogEvent::Reply { close, .. } => writeln!(out, "{close:?}"),
            _ => Ok(()),
        }
    }
    let reason = |config: Config, request: &[u8]| {
        let config = config.with_log_format(reasons);
        let mut world = World::new(config, Again(|| Next::Done), request);
        world.run();
        world.log.lines().next().unwrap_or_default().to_owned()
    };
    let request = |fields: &str| format!("GET / HTTP/1.1\r\nHost: h\r\nX-Reply: 1\r\n{fields}\r\n");
    let of = |reason: Option<CloseReason>| format!("{reason:?}");
    assert_eq!(reason(http11(), request("").as_bytes()), of(None));
    let close = request("Connection: close\r\n");
    assert_eq!(
        reason(http11(), close.as_bytes()),
        of(Some(CloseReason::Requested))
    );
    assert_eq!(
        reason(Config::default(), request("").as_bytes()),
        of(Some(CloseReason::Http10))
    );
    assert_eq!(
        reason(http11(), b"nonsense\r\n\r\n"),
        of(Some(CloseReason::Error))
    );
    let mut one = http11();
    one.limits.requests = 1;
    assert_eq!(
        reason(one, request("").as_bytes()),
        of(Some(CloseReason::RequestLimit))
    );
    _ = log::python;
}

/// Sends this many pieces of content, each with a `Next` of its own.
struct Pieces(usize, fn(&mut Exchange<'_>) -> Next);

impl Handler for Pieces {
    fn begin(&mut self, ex: &mut Exchange<'_>) -> Next {
        ex.send_response(200);
        ex.end_headers();
        self.resume(ex, Event::End)
    }

    fn resume(&mut self, ex: &mut Exchange<'_>, _: Event<'_>) -> Next {
        if self.0 == 0 {
            return Next::Done;
        }
        self.0 -= 1;
        (self.1)(ex)
    }
}

#[test]
fn a_reply_of_many_small_pieces_is_whole() {
    let write = |_: &mut Exchange<'_>| Next::Write(b"0123456789".into());
    let flush = |ex: &mut Exchange<'_>| {
        ex.write(b"0123456789");
        Next::Flush
    };
    for piece in [write, flush] {
        for method in ["GET", "HEAD"] {
            let request = format!(
                "{method} / HTTP/1.1\r\nHost: h\r\n\r\n{method} / HTTP/1.1\r\nHost: h\r\n\r\n"
            );
            let mut world = World::new(http11(), Pieces(5_000, piece), request.as_bytes());
            world.run();
            assert_eq!(
                world.statuses(),
                ["HTTP/1.1 200 OK"; 2],
                "{method}: {}",
                world.log
            );
            let content = world.text().matches("0123456789").count();
            // Some are split where the outbox was full.
            assert!(
                if method == "GET" {
                    content > 4_900
                } else {
                    content == 0
                },
                "{content}"
            );
        }
    }
}

/// Runs a CGI script, and replies 507 and keeps the connection if the script cannot receive its content.
struct Feeds;

impl Handler for Feeds {
    fn begin(&mut self, ex: &mut Exchange<'_>) -> Next {
        if ex.path() != "/run" {
            ex.send_response(200);
            ex.send_header("X-Path", ex.path());
            ex.send_header("Content-Length", 0);
            ex.end_headers();
            return Next::Done;
        }
        Next::Run(Box::new(sanserve_core::CgiScript {
            path: sanserve_core::Path::default(),
            args: Vec::new(),
            env: Vec::new(),
            path_translated: sanserve_core::Path::default(),
        }))
    }

    fn resume(&mut self, ex: &mut Exchange<'_>, event: Event<'_>) -> Next {
        match event {
            Event::Running(_) => Next::Feed,
            _ => {
                ex.send_response(507);
                ex.send_header("Content-Length", 0);
                ex.end_headers();
                Next::Done
            }
        }
    }
}

/// Returns the output of `handler` for `input` until the connection closes. `opened` answers requests to the file
/// system, `given` writes to a file or CGI process.
fn output_of(
    handler: impl Handler,
    mut input: &[u8],
    opened: fn() -> Got<()>,
    given: fn() -> Got<()>,
) -> String {
    let mut conn = Connection::new(http11(), "192.0.2.1", handler);
    let (mut got, mut output) = (Got::Nothing, String::new());
    loop {
        got = match step(&mut conn, 10, got).want {
            Want::Read(into) => {
                let n = input.len().min(into.len());
                into[..n].copy_from_slice(&input[..n]);
                input = &input[n..];
                Got::Bytes(n)
            }
            Want::Write(from) => {
                output += &String::from_utf8_lossy(from);
                Got::Bytes(from.len())
            }
            Want::Ask(_) => opened(),
            Want::WriteFile { .. } => given(),
            Want::Close => break,
            _ => Got::Nothing,
        };
    }
    output
}

#[test]
fn content_that_a_script_refuses_is_not_parsed_as_the_next_request() {
    let evil = "GET /evil HTTP/1.1\r\nHost: h\r\n\r\n";
    let content = format!("{}{evil}", "x".repeat(20_000));
    let fields = "X-Long: ".to_owned() + &"y".repeat(20_000);
    let request = format!(
        "POST /run HTTP/1.1\r\nHost: h\r\n{fields}\r\nContent-Length: {}\r\n\r\n{content}GET /next HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n",
        content.len()
    );
    let output = output_of(
        Feeds,
        request.as_bytes(),
        || Got::Opened(Ok(sanserve_core::Opened::Process(()))),
        || Got::Refused(sanserve_core::FsError::NoSpace),
    );
    assert!(output.starts_with("HTTP/1.1 507 "), "{output}");
    assert!(!output.contains("/evil"), "{output}");
}

/// Creates a file, writes some bytes to it, and replies whether that succeeded.
struct Stores;

impl Handler for Stores {
    fn begin(&mut self, _: &mut Exchange<'_>) -> Next {
        Next::Create(Box::new(sanserve_core::Create::new(
            sanserve_core::Path::default(),
        )))
    }

    fn resume(&mut self, ex: &mut Exchange<'_>, event: Event<'_>) -> Next {
        match event {
            Event::Created(_) => Next::WriteFile(b"0123456789".to_vec()),
            Event::Failed(_, error) => ex.send_error(507, format_args!("{error:?}")),
            _ => ex.send_error(200, "given"),
        }
    }
}

#[test]
fn a_file_that_accepts_no_more_bytes_is_incomplete() {
    let output = output_of(
        Stores,
        GET,
        || Got::Opened(Ok(sanserve_core::Opened::Writer(()))),
        || Got::Bytes(0),
    );
    assert!(output.starts_with("HTTP/1.1 507 "), "{output}");
}

#[test]
fn a_wait_that_is_woken_all_the_time_ends_at_its_deadline() {
    let mut conn = Connection::new(http11(), "192.0.2.1", Lines::default());
    until_it_waits(&mut conn, 10, Got::Nothing, &mut &GET[..]);
    let written = until_it_waits(&mut conn, 11, Got::Woken, &mut &[][..]);
    assert!(written.contains("end\n"), "{written}");
}

/// Sends a line for each wake-up.
struct Events;

impl Handler for Events {
    fn begin(&mut self, ex: &mut Exchange<'_>) -> Next {
        ex.send_response(200);
        ex.end_headers();
        Next::Wait(Duration::from_secs(3_600))
    }

    fn resume(&mut self, ex: &mut Exchange<'_>, _: Event<'_>) -> Next {
        ex.write(b"event\n");
        Next::Wait(Duration::from_secs(3_600))
    }
}

#[test]
fn a_client_that_has_closed_its_side_is_served_as_long_as_it_reads() {
    let mut conn = Connection::new(http11(), "192.0.2.1", Events);
    until_it_waits(&mut conn, 10, Got::Nothing, &mut &GET[..]);
    conn.peer_closed();
    for second in 11..20 {
        let written = until_it_waits(&mut conn, second, Got::Woken, &mut &[][..]);
        assert!(written.contains("event\n"), "{written}");
    }
    until_it_waits(&mut conn, 22, Got::Nothing, &mut &[][..]);
    assert!(matches!(
        step(&mut conn, 22, Got::Nothing).want,
        Want::Close
    ));
}
