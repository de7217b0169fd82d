//! Tests the timeouts of a connection, with a simulated clock: how slow a peer, a file or a CGI process may be, and
//! what the peer gets at a deadline. Also how a connection lingers, is parked and ends, and what a step
//! reports besides its want, such as its phase.

mod world;

use std::time::Duration;

use sanserve_core::{
    CgiScript, Config, Connection, Event, Exchange, Files, Got, Handler, Next, Now, Opened, Parked,
    Path, Phase, Protocol, Timeouts, Want, from_fn,
};
use world::{BIG, Counter, World};

const SECOND: Duration = Duration::from_secs(1);

fn http11() -> Config {
    Config::default().with_protocol(Protocol::Http11)
}

#[test]
fn a_slow_head_gets_408_at_its_deadline() {
    let config = Config::default();
    let mut world = World::new(config.clone(), Files::new(), b"");
    world.input.clear();
    let head = b"GET /hello.txt HTTP/1.0\r\nX: "
        .iter()
        .chain([&b'y'; 1000]);
    world = head.enumerate().fold(world, |world, (i, &byte)| {
        world.then(SECOND * i as u32, &[byte])
    });
    let took = world.run();
    assert_eq!(world.statuses(), ["HTTP/1.0 408 Request Timeout"]);
    assert!(
        world.log.contains("code 408, message Request Timeout"),
        "{}",
        world.log
    );
    let timeouts = config.timeouts;
    assert!(
        took >= timeouts.head && took <= timeouts.head + timeouts.linger,
        "{took:?}"
    );
}

#[test]
fn a_page_follows_a_408_unless_the_request_begins_as_head() {
    for (head, has_page) in [
        ("HEAD /hello.txt HTTP/1.1\r\nHost: h\r\n", false),
        ("HEAD /hello", false),
        ("HEAD", true),
        ("GET /hello", true),
    ] {
        let mut world = World::new(http11(), Files::new(), head.as_bytes());
        world.half_close = false;
        world.run();
        assert_eq!(world.statuses(), ["HTTP/1.1 408 Request Timeout"], "{head}");
        let text = world.text();
        assert_eq!(!text.ends_with("\r\n\r\n"), has_page, "{head}: {text}");
    }
}

#[test]
fn an_idle_connection_closes_without_a_reply() {
    let mut world = World::new(
        http11(),
        Files::new(),
        b"GET /hello.txt HTTP/1.1\r\nHost: h\r\n\r\n",
    );
    world.half_close = false;
    assert_eq!(world.run(), http11().timeouts.idle);
    assert_eq!(world.statuses(), ["HTTP/1.1 200 OK"]);
    assert_eq!(world.log.lines().count(), 1);
}

#[test]
fn a_connection_stays_open_longer_than_announced() {
    for (idle, promised) in [
        (60, Some(54)),
        (10, Some(9)),
        (5, Some(4)),
        (1, None),
        (0, None),
    ] {
        let timeouts = Timeouts::default().with_idle(SECOND * idle);
        let config = http11().with_keep_alive(true).with_timeouts(timeouts);
        let request = b"GET /hello.txt HTTP/1.1\r\nHost: h\r\n\r\n";
        let mut world = World::new(config.clone(), Files::new(), request);
        if let Some(promised) = promised {
            // The next request arrives at the last moment.
            world = world.then(SECOND * promised, request);
        }
        world.half_close = false;
        world.run();
        let said = promised.map(|seconds| format!("\r\nKeep-Alive: timeout={seconds}\r\n"));
        match said {
            Some(said) => assert_eq!(world.text().matches(&said).count(), 2, "{}", world.text()),
            None => assert!(!world.text().contains("Keep-Alive"), "{}", world.text()),
        }
    }
}

#[test]
fn a_silent_peer_is_disconnected() {
    let mut world = World::new(http11(), Files::new(), b"");
    (world.half_close, world.input) = (false, Vec::new());
    assert_eq!(world.run(), http11().timeouts.idle);
    assert_eq!((world.text().as_str(), world.log.as_str()), ("", ""));
}

#[test]
fn an_idle_connection_holds_less_than_two_kib() {
    let size = size_of::<Connection<std::fs::File, Files>>();
    let mut world = World::new(
        http11(),
        Files::new(),
        b"GET /hello.txt HTTP/1.1\r\nHost: h\r\n\r\n",
    );
    world = world.then(SECOND * 30, b"GET /big HTTP/1.1\r\nHost: h\r\n\r\n");
    world.half_close = false;
    world.run();
    assert_eq!(world.statuses().len(), 2);
    println!(
        "size_of: {size} bytes; on the heap while idle: {} bytes",
        world.idle_bytes
    );
    assert!(
        size + world.idle_bytes < 2048,
        "{size} + {}",
        world.idle_bytes
    );
}

#[test]
fn a_reader_that_is_too_slow_loses_the_connection() {
    for target in ["big", "sent"] {
        let request = format!("GET /{target} HTTP/1.0\r\n\r\n");
        let mut world = World::new(Config::default(), Files::new(), request.as_bytes());
        // 100 bytes a second, of a million.
        (world.piece, world.write_takes) = (100, SECOND);
        let took = world.run();
        assert!(took < SECOND * 60, "{took:?}");
        assert!(world.output.len() < 10_000);
        assert!(
            world
                .log
                .ends_with("The client reads the reply too slowly\n"),
            "{}",
            world.log
        );
    }
}

#[test]
fn a_fast_reader_may_not_pause_for_longer() {
    let mut world = World::new(
        Config::default(),
        Files::new(),
        b"GET /big HTTP/1.0\r\n\r\n",
    );
    world.stalls_after = 500_000;
    let took = world.run();
    assert!(world.output.len() >= 500_000);
    assert!(took <= SECOND * 31, "{took:?}");
}

#[test]
fn a_reader_that_is_just_fast_enough_gets_everything() {
    let mut world = World::new(
        Config::default(),
        Files::new(),
        b"GET /big HTTP/1.0\r\n\r\n",
    );
    (world.piece, world.write_takes) = (1_000, SECOND);
    let took = world.run();
    assert!(took > SECOND * 1_000);
    assert!(world.output.ends_with(&BIG));
}

#[test]
fn content_that_arrives_too_slowly_gets_408() {
    let head = b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 100000\r\n\r\n";
    let mut world = World::new(http11(), Counter(0), head);
    for i in 1..10_000 {
        world = world.then(SECOND * i, b"x");
    }
    let took = world.run();
    assert_eq!(
        world.statuses(),
        ["HTTP/1.1 408 The content arrives too slowly"]
    );
    assert!(took < SECOND * 60, "{took:?}");
}

/// Runs `/big` as a CGI script, and sends its output.
struct Run;

impl Handler for Run {
    fn begin(&mut self, ex: &mut Exchange<'_>) -> Next {
        let path = Path::parse(ex.path()).expect("no NUL in it");
        let (args, env, path_translated) = (Vec::new(), Vec::new(), Path::default());
        Next::Run(Box::new(CgiScript {
            path,
            args,
            env,
            path_translated,
        }))
    }

    fn resume(&mut self, ex: &mut Exchange<'_>, event: Event<'_>) -> Next {
        match event {
            Event::Running(_) => {
                ex.send_response(200);
                ex.end_headers();
                Next::Send(0..1)
            }
            _ => Next::Done,
        }
    }
}

#[test]
fn a_cgi_process_may_be_slow_but_not_silent() {
    let mut world = World::new(Config::default(), Run, b"GET /big HTTP/1.0\r\n\r\n");
    world.disk_takes = SECOND * 20;
    assert!(world.run() > SECOND * 60);
    assert!(world.output.ends_with(&BIG[..100_000]), "{}", world.log);
    world = World::new(Config::default(), Run, b"GET /big HTTP/1.0\r\n\r\n");
    world.disk_takes = SECOND * 31;
    world.run();
    assert_eq!(
        world.statuses(),
        ["HTTP/1.0 504 The file system takes too long"]
    );
}

/// Runs a CGI process that is asked for output once a second and gives this answer; `watch` is called before each
/// answer. Returns how long it ran, and the log.
fn run_cgi_process(
    answer: impl FnMut() -> Got<()>,
    watch: impl FnMut(&mut Connection<(), Run>, Duration),
) -> (Duration, String) {
    run_cgi_process_for(Duration::ZERO, answer, watch)
}

/// Does the same for a client that needs this long for each write.
fn run_cgi_process_for(
    write_takes: Duration,
    mut answer: impl FnMut() -> Got<()>,
    mut watch: impl FnMut(&mut Connection<(), Run>, Duration),
) -> (Duration, String) {
    let mut conn = Connection::new(Config::default(), "192.0.2.1", Run);
    let mut log = String::new();
    let (mut tick, mut got) = (Duration::ZERO, Got::Nothing);
    loop {
        let step = conn.step(Now { tick, unix: None }, got);
        got = match step.want {
            Want::Read(into) => {
                let request = b"GET /big HTTP/1.0\r\n\r\n";
                into[..request.len()].copy_from_slice(request);
                Got::Bytes(request.len())
            }
            Want::Ask(_) => Got::Opened(Ok(Opened::Process(()))),
            Want::ReadFile { .. } => {
                tick += SECOND;
                watch(&mut conn, tick);
                answer()
            }
            Want::Write(from) => {
                tick += write_takes;
                Got::Bytes(from.len())
            }
            Want::Log(lines) => {
                log.push_str(lines);
                Got::Nothing
            }
            Want::Shutdown | Want::Close => return (tick, log),
            want => panic!("{want:?}"),
        };
        assert!(tick < SECOND * 1_000, "the process is never ended");
    }
}

#[test]
fn lines_on_standard_error_do_not_renew_the_deadline_of_a_cgi_process() {
    let (took, log) = run_cgi_process(|| Got::Note("more\n".into()), |_, _| ());
    assert_eq!(took, Config::default().timeouts.ask);
    assert!(
        log.contains("more") && log.contains("takes too long"),
        "{log}"
    );
    // They do not shorten it either, and output renews it.
    let mut n = 0;
    let (took, ..) = run_cgi_process(
        || {
            n += 1;
            match n {
                20 => Got::Bytes(1),
                n if n % 2 == 0 => Got::Note("more\n".into()),
                _ => Got::Nothing,
            }
        },
        |_, _| (),
    );
    assert_eq!(took, SECOND * 20 + Config::default().timeouts.ask);
}

#[test]
fn a_silent_cgi_process_is_ended_soon_after_its_client_has_closed_its_side() {
    let soon = Config::default().timeouts.half_closed;
    let closed = |conn: &mut Connection<_, _>, tick| {
        assert!(conn.awaits_work());
        if tick >= SECOND * 5 {
            conn.peer_closed();
        }
    };
    let (took, log) = run_cgi_process(|| Got::Nothing, closed);
    assert_eq!(took, SECOND * 5 + soon);
    assert!(log.contains("closed its side"), "{log}");
    // A client that has closed only one side receives the output, so the process may continue.
    let mut n = 0;
    let (took, ..) = run_cgi_process(
        || {
            n += 1;
            if n < 100 { Got::Bytes(1) } else { Got::Nothing }
        },
        closed,
    );
    assert_eq!(took, SECOND * 99 + soon);
}

#[test]
fn a_slow_reader_that_has_closed_its_side_gets_all_output_of_a_cgi_process() {
    let write_takes = Config::default().timeouts.half_closed * 3;
    let mut left = 10;
    let answer = || {
        left -= 1;
        Got::Bytes(if left > 0 { 5000 } else { 0 })
    };
    let closed = |conn: &mut Connection<_, _>, _| conn.peer_closed();
    let (took, log) = run_cgi_process_for(write_takes, answer, closed);
    assert!(took >= write_takes * 9, "{took:?}");
    assert!(!log.contains("closed its side"), "{log}");
}

#[test]
fn a_cgi_process_is_ended_immediately_when_the_connection_is_reset() {
    let reset = |conn: &mut Connection<_, _>, tick| {
        if tick == SECOND * 5 {
            conn.peer_reset();
        }
    };
    let (took, log) = run_cgi_process(|| Got::Nothing, reset);
    assert_eq!(took, SECOND * 5);
    assert!(log.contains("The client disconnected"), "{log}");
}

#[test]
fn a_slow_reader_does_not_count_against_a_cgi_process() {
    let timeouts = Timeouts::default().with_grace(SECOND * 100).with_rate(10);
    let config = Config::default().with_timeouts(timeouts);
    let mut world = World::new(config.clone(), Run, b"GET /big HTTP/1.0\r\n\r\n");
    (world.piece, world.write_takes) = (683, SECOND * 40);
    world.run();
    assert!(world.output.ends_with(&BIG[..100_000]));
    assert!(!world.log.contains("takes too long"), "{}", world.log);
}

#[test]
fn a_disk_that_never_answers_gets_504() {
    let mut world = World::new(
        Config::default(),
        Files::new(),
        b"GET /big HTTP/1.0\r\n\r\n",
    );
    world.disk_takes = SECOND * 31;
    world.run();
    assert_eq!(
        world.statuses(),
        ["HTTP/1.0 504 The file system takes too long"]
    );
}

#[test]
fn a_file_that_cannot_be_read_in_time_gets_504_too() {
    let config = Config::default();
    let mut world = World::new(config.clone(), Files::new(), b"GET /big HTTP/1.0\r\n\r\n");
    world.disk_stalls = true;
    assert_eq!(world.run(), config.timeouts.ask);
    assert_eq!(
        world.statuses(),
        ["HTTP/1.0 504 Reading the file takes too long"]
    );
}

#[test]
fn a_file_that_only_reports_work_is_abandoned_after_an_hour() {
    let config = Config::default();
    let mut world = World::new(config.clone(), Files::new(), b"GET /big HTTP/1.0\r\n\r\n");
    (world.reports_work_after, world.disk_takes) = (0, SECOND * 29);
    let took = world.run();
    let timeouts = config.timeouts;
    assert_eq!(timeouts.work, SECOND * 3600);
    assert!(took >= timeouts.work, "{took:?}");
    assert!(took <= timeouts.work + timeouts.ask * 3, "{took:?}");
    assert!(
        world.log.ends_with("Reading the file takes too long\n"),
        "{}",
        world.log
    );
}

#[test]
fn buffered_output_is_sent_before_long_work() {
    let config = Config::default();
    for reports_work_after in [0, 20_000] {
        let mut world = World::new(config.clone(), Files::new(), b"GET /big HTTP/1.0\r\n\r\n");
        (
            world.reports_work_after,
            world.disk_takes,
            world.resets_after_reports,
        ) = (reports_work_after, SECOND, 2);
        world.run();
        let text = world.text();
        let (_, content) = text.split_once("\r\n\r\n").expect("the head was sent");
        assert_eq!(world.sent_at_second_report, text.len());
        assert!(content.len() as u64 >= reports_work_after);
    }
}

#[test]
fn a_client_that_hangs_up_during_long_work_ends_it() {
    let config = Config::default().with_log_format(sanserve_core::log::json);
    let mut world = World::new(config.clone(), Files::new(), b"GET /big HTTP/1.0\r\n\r\n");
    (
        world.reports_work_after,
        world.disk_takes,
        world.resets_after_reports,
    ) = (0, SECOND, 3);
    assert_eq!(world.run(), SECOND * (3 + 1));
    assert!(world.log.contains("\"bytes\":0,"), "{}", world.log);
    assert!(world.log.contains("\"complete\":false"), "{}", world.log);
}

#[test]
fn lingering_ends_at_its_deadline() {
    // More content than is drained, and a peer that never stops sending.
    let head = b"GET /hello.txt HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000000\r\n\r\n";
    let mut world = World::new(http11(), Files::new(), head);
    for i in 1..100_000 {
        world = world.then(Duration::from_millis(i), b"garbage");
    }
    let took = world.run();
    assert_eq!(world.statuses(), ["HTTP/1.1 200 OK"]);
    assert!(
        world.has_shut_down,
        "the peer was told that nothing more will come"
    );
    assert!(took <= http11().timeouts.linger + SECOND, "{took:?}");
}

#[test]
fn the_reply_announces_the_close_if_content_is_unread() {
    let handler = from_fn(|ex| {
        ex.send_response(204);
        ex.end_headers();
        Next::Done
    });
    let put = b"PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\n";
    let mut world = World::new(http11(), handler, put);
    world.half_close = false;
    let took = world.run();
    // Late bytes do not cut off the reply.
    assert!(world.has_shut_down);
    let Timeouts { grace, linger, .. } = http11().timeouts;
    assert_eq!(took, grace + linger);
}

#[test]
fn finish_completes_the_current_reply_and_then_closes() {
    let input = b"GET /big HTTP/1.1\r\nHost: h\r\n\r\nGET /hello.txt HTTP/1.1\r\nHost: h\r\n\r\n";
    let mut world = World::new(http11(), Files::new(), input);
    world.finish_after = 1;
    world.run();
    assert_eq!(world.statuses(), ["HTTP/1.1 200 OK"]);
    assert!(world.output.ends_with(&BIG));
}

#[test]
fn finish_half_closes_after_a_reply_that_is_being_written() {
    // If another request is unread, a close would reset the connection and destroy the end of the reply (RFC 9112
    // §9.6).
    let handler = from_fn(|ex| {
        ex.send_response(200);
        ex.send_header("Content-Length", 1000);
        ex.end_headers();
        ex.write(&[b'x'; 1000]);
        Next::Done
    });
    let request = b"GET / HTTP/1.1\r\nHost: h\r\n\r\n";
    let mut conn = Connection::<(), _>::new(http11(), "-", handler);
    let (mut left, mut got, mut is_written) = (Some(request), Got::Nothing, false);
    loop {
        got = match conn.step(Now::default(), got).want {
            Want::Read(into) => {
                let bytes = left.take().expect("nothing is read before the half-close");
                into[..bytes.len()].copy_from_slice(bytes);
                Got::Bytes(bytes.len())
            }
            Want::Write(_) if !is_written => {
                conn.finish();
                is_written = true;
                Got::Bytes(100)
            }
            Want::Write(from) => Got::Bytes(from.len()),
            Want::Log(lines) => Got::Bytes(lines.len()),
            Want::Shutdown => break,
            _ => panic!("it closes without a half-close"),
        };
    }
}

#[test]
fn a_parked_connection_continues_where_it_was() {
    let mut config = http11();
    config.limits.requests = 2;
    let mut asked = 0;
    let handler = from_fn(move |ex: &mut Exchange<'_>| {
        asked += 1;
        ex.send_response(200);
        ex.send_header("Content-Length", 1);
        ex.end_headers();
        ex.write(asked.to_string().as_bytes());
        Next::Done
    });
    let (begin, idle) = (SECOND * 7, config.timeouts.idle);
    let parked = Parked::new(handler, begin);
    assert_eq!(parked.deadline(&config.timeouts), begin + idle);
    let mut conn = Connection::<(), _>::unpark(config.clone(), "192.0.2.1", parked);
    let request = b"GET / HTTP/1.1\r\nHost: h\r\n\r\n";

    let (said, by) = run_to_wait(&mut conn, SECOND * 50, request);
    assert!(said.ends_with("\r\n\r\n1"), "{said}");
    assert!(!conn.can_park());
    let (said, by) = run_to_wait(&mut conn, by.unwrap(), b"");
    assert!(said.is_empty() && conn.can_park());
    assert_eq!(by, Some(SECOND * 50 + idle));

    let parked = conn.park();
    assert_eq!(parked.deadline(&config.timeouts), SECOND * 50 + idle);
    let mut conn = Connection::<(), _>::unpark(config.clone(), "192.0.2.1", parked);
    // No bytes have arrived after all.
    let (said, by) = run_to_wait(&mut conn, SECOND * 60, b"");
    assert!(said.is_empty() && conn.can_park());
    assert_eq!(by, Some(SECOND * 50 + idle));
    // The handler is the same, and the last request is announced as such.
    let (said, _) = run_to_wait(&mut conn, SECOND * 70, request);
    assert!(said.contains("Connection: close\r\n"), "{said}");
    assert!(said.ends_with("\r\n\r\n2"), "{said}");
    assert!(!conn.can_park());
}

/// Runs a connection with that input as far as possible; returns its output, and its deadline.
fn run_to_wait<H: Handler>(
    conn: &mut Connection<(), H>,
    tick: Duration,
    mut input: &[u8],
) -> (String, Option<Duration>) {
    let (mut said, mut got) = (String::new(), Got::Nothing);
    let unix = None;
    loop {
        let step = conn.step(Now { tick, unix }, got);
        got = match step.want {
            Want::Read(_) if input.is_empty() => return (said, step.deadline),
            Want::Read(into) => {
                let n = input.len().min(into.len());
                into[..n].copy_from_slice(&input[..n]);
                input = &input[n..];
                Got::Bytes(n)
            }
            Want::Write(from) => {
                said.push_str(str::from_utf8(from).unwrap());
                Got::Bytes(from.len())
            }
            _ => Got::Nothing,
        };
    }
}

#[test]
fn a_write_before_a_copy_is_marked() {
    // A head before a file that is sent by reference is marked as such; all other writes are complete.
    for (target, more) in [("sent", true), ("big", false), ("hello.txt", false)] {
        let request = format!("GET /{target} HTTP/1.0\r\n\r\n");
        let mut world = World::new(Config::default(), Files::new(), request.as_bytes());
        world.run();
        assert_eq!(world.writes_before_copy, usize::from(more), "{target}");
    }
    let mut world = World::new(
        Config::default(),
        Files::new(),
        b"HEAD /sent HTTP/1.0\r\n\r\n",
    );
    world.run();
    assert_eq!(world.writes_before_copy, 0);
}

#[test]
fn a_shutdown_says_whether_the_peer_may_still_send() {
    let get = "GET /hello.txt HTTP/1.1\r\nHost: h\r\n";
    for (request, more) in [
        (format!("{get}Connection: close\r\n\r\n"), false),
        ("GET /hello.txt HTTP/1.0\r\n\r\n".into(), false),
        (format!("{get}Connection: close\r\n\r\nG"), true),
        (format!("{get}\r\n{get}Connection: close\r\n\r\n"), false),
        // The server closes after the second request, which the peer does not know yet.
        (format!("{get}\r\n{get}\r\n"), true),
        // Its content has not arrived yet.
        (
            format!("{get}Connection: close\r\nContent-Length: 99999\r\n\r\n"),
            true,
        ),
        // Old clients send a line break after their content.
        (
            format!("{get}Connection: close\r\nContent-Length: 1\r\n\r\nx"),
            true,
        ),
        ("nonsense\r\n\r\n".into(), true),
    ] {
        let mut config = http11();
        config.limits.requests = 2;
        let mut world = World::new(config.clone(), Files::new(), request.as_bytes());
        world.half_close = false;
        world.run();
        assert_eq!(
            (world.has_shut_down, world.peer_may_send),
            (true, more),
            "{request}"
        );
    }
}

#[test]
fn a_connection_reports_its_phase() {
    let handler = from_fn(|ex| {
        ex.send_response(204);
        ex.end_headers();
        Next::Done
    });
    let mut conn = Connection::<(), _>::new(http11(), "-", handler);
    let mut feed = |bytes: &[u8]| {
        let mut phases = Vec::new();
        let mut left = Some(bytes);
        let mut got = Got::Nothing;
        loop {
            let step = conn.step(Now::default(), got);
            phases.push(step.phase);
            got = match step.want {
                Want::Read(into) => match left.take() {
                    Some(bytes) if !bytes.is_empty() => {
                        let n = bytes.len().min(into.len());
                        into[..n].copy_from_slice(&bytes[..n]);
                        left = Some(&bytes[n..]);
                        Got::Bytes(n)
                    }
                    _ => return phases,
                },
                Want::Write(from) => Got::Bytes(from.len()),
                _ => Got::Nothing,
            };
        }
    };
    use Phase::{Busy, Head, Idle};
    assert_eq!(feed(b""), [Idle]);
    assert_eq!(feed(b"GET /"), [Idle, Head]);
    // Logging and writing are part of the reply.
    assert_eq!(
        feed(b" HTTP/1.1\r\nHost: h\r\n\r\n"),
        [Head, Busy, Busy, Idle]
    );
    // The reply has been written; the rest of the request's content is of no use.
    let put = b"PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\n";
    assert_eq!(feed(put).last(), Some(&Head));
}

#[test]
fn finish_waits_neither_for_half_a_head_nor_for_unread_content() {
    let owed = b"PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\n";
    for input in [&b"GET / HT"[..], owed] {
        let handler = from_fn(|ex| {
            ex.send_response(204);
            ex.end_headers();
            Next::Done
        });
        let mut conn = Connection::<(), _>::new(http11(), "-", handler);
        let (mut left, mut got, mut wants) = (Some(input), Got::Nothing, 0);
        loop {
            got = match conn.step(Now::default(), got).want {
                Want::Read(into) if left.is_some() => {
                    let bytes = left.take().expect("it is there");
                    into[..bytes.len()].copy_from_slice(bytes);
                    Got::Bytes(bytes.len())
                }
                Want::Read(_) => {
                    conn.finish();
                    Got::Nothing
                }
                Want::Write(from) => Got::Bytes(from.len()),
                Want::Shutdown | Want::Close => break,
                _ => Got::Nothing,
            };
            wants += 1;
            assert!(wants < 10, "it continues to wait");
        }
    }
}

#[test]
fn a_password_is_not_verified_for_a_client_that_has_closed_its_side() {
    let guard = sanserve_core::Guard::new(Files::new(), |_| None);
    let mut conn = Connection::<(), _>::new(http11(), "-", guard);
    let request = b"GET / HTTP/1.1\r\nHost: h\r\nAuthorization: Basic YTpi\r\n\r\n";
    let Want::Read(into) = conn.step(Now::default(), Got::Nothing).want else {
        panic!("it reads first")
    };
    into[..request.len()].copy_from_slice(request);
    let step = conn.step(Now::default(), Got::Bytes(request.len()));
    assert!(matches!(
        step.want,
        Want::Ask(sanserve_core::Ask::Verify(_))
    ));
    assert_eq!(step.deadline, Some(Timeouts::default().ask));
    assert!(conn.awaits_work());
    conn.peer_closed();
    let step = conn.step(Now::default(), Got::Nothing);
    assert_eq!(step.deadline, Some(Timeouts::default().half_closed));
}
