//! Tests of slow readers, with a model of the two systems between the engine and a reading client, and a simulated
//! clock.
//!
//! The sending system accepts bytes up to the size of its buffer, and more only when a third of that is free, as Linux
//! does. The receiving system acknowledges bytes that fit into its own buffer, and announces free space only when a
//! certain part has been read: on a loopback device nearly all of it.

use std::time::Duration;

use sanserve_core::{
    Config, Connection, Delivery, Event, Exchange, Got, Handler, Meta, Next, Now, Opened, Path,
    Protocol, Want, from_fn,
};

const SECOND: Duration = Duration::from_secs(1);
const TICK: Duration = Duration::from_millis(250);
const KIB: u64 = 1024;
const MIB: u64 = 1024 * KIB;

/// Sends a file of this length.
struct Send(u64);

impl Handler for Send {
    fn begin(&mut self, _: &mut Exchange<'_>) -> Next {
        Next::Open(Path::default())
    }

    fn resume(&mut self, ex: &mut Exchange<'_>, event: Event<'_>) -> Next {
        match event {
            Event::Opened(_, meta) => {
                ex.send_response(200);
                ex.send_header("Content-Length", meta.len);
                ex.end_headers();
                Next::Send(0..self.0)
            }
            _ => Next::Done,
        }
    }
}

/// Both systems and the reader.
#[derive(Clone, Copy)]
struct Network {
    /// The size of the sending system's buffer, and the bytes in it.
    send_max: u64,
    unacknowledged: u64,
    /// The size of the receiving system's buffer, and the bytes in it.
    receive_max: u64,
    unread: u64,
    /// How much of the receiving buffer must be free before that is announced.
    announced_from: u64,
    window: u64,
    /// The bytes per second that the client reads, and until when.
    rate: u64,
    stops: Duration,
    /// The bytes that it has read, and a fraction of a byte.
    read: f64,
}

impl Network {
    fn new(send_max: u64, receive_max: u64, announced_from: u64, rate: u64) -> Network {
        Network {
            send_max,
            unacknowledged: 0,
            receive_max,
            unread: 0,
            announced_from,
            window: receive_max,
            rate,
            stops: Duration::MAX,
            read: 0.0,
        }
    }

    /// Returns how many of these bytes the sending system accepts.
    fn write(&mut self, len: u64) -> Option<u64> {
        let free = self.send_max - self.unacknowledged;
        if free < self.send_max / 3 {
            return None;
        }
        let n = free.min(len);
        self.unacknowledged += n;
        self.transfer();
        Some(n)
    }

    fn transfer(&mut self) {
        let n = self.unacknowledged.min(self.window);
        self.unacknowledged -= n;
        self.window -= n;
        self.unread += n;
    }

    fn acknowledged(&self) -> u64 {
        self.read as u64 + self.unread
    }

    /// Advances the time by a small step.
    fn tick(&mut self, now: Duration) {
        if now < self.stops {
            let more = self.rate as f64 * TICK.as_secs_f64();
            let n = more.min(self.unread as f64 + self.read.fract());
            let before = self.read as u64;
            self.read += n;
            self.unread -= self.read as u64 - before;
        }
        let free = self.receive_max - self.unread;
        if self.window == 0 && free >= self.announced_from {
            self.window = free;
            self.transfer();
        }
    }
}

/// The result of a connection.
#[derive(Debug)]
struct Outcome {
    /// The bytes that the client has read, or will find in its system's buffer.
    received: u64,
    took: Duration,
    log: String,
}

/// The parameters of a connection.
struct Setup {
    config: Config,
    path: Network,
    len: u64,
    sendable: bool,
    /// What the peer sends after its request, repeatedly, once a second.
    chatter: &'static [u8],
    request: &'static [u8],
    /// Whether the adapter reports acknowledgements.
    tells: bool,
    /// Whether it reports their number, or only the outstanding bytes.
    counts: bool,
}

impl Setup {
    fn of(path: Network, len: u64) -> Setup {
        Setup {
            config: Config::default().with_protocol(Protocol::Http11),
            path,
            len,
            sendable: true,
            chatter: b"",
            request: b"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n",
            tells: true,
            counts: true,
        }
    }

    /// Runs the connection to its end. Bytes that are then unacknowledged are lost if the peer still sends.
    fn run(self) -> Outcome {
        let Setup {
            config,
            mut path,
            len,
            sendable,
            chatter,
            request,
            tells,
            counts,
        } = self;
        let mut conn = Connection::<(), _>::new(config, "192.0.2.1", Send(len));
        let (mut tick, mut got, mut log) = (Duration::ZERO, Got::Nothing, String::new());
        let (mut input, mut heard) = (Some(request), Duration::ZERO);
        loop {
            let now = Now { tick, unix: None };
            if tells && conn.is_overdue(now) {
                let outstanding = path.unacknowledged;
                let acknowledged = counts.then_some(path.acknowledged());
                conn.delivered(
                    now,
                    Delivery {
                        acknowledged,
                        outstanding,
                    },
                );
            }
            let step = conn.step(now, got);
            got = match step.want {
                Want::Read(into) => match input.take() {
                    Some(request) => {
                        into[..request.len()].copy_from_slice(request);
                        Got::Bytes(request.len())
                    }
                    None if !chatter.is_empty() && tick >= heard + SECOND => {
                        heard = tick;
                        let n = chatter.len().min(into.len());
                        into[..n].copy_from_slice(&chatter[..n]);
                        Got::Bytes(n)
                    }
                    None => Got::Nothing,
                },
                Want::Write(from) => wrote(path.write(from.len() as u64)),
                Want::Copy { len, .. } => wrote(path.write(len)),
                Want::ReadFile { into, .. } => Got::Bytes(into.len()),
                Want::Ask(_) => Got::Opened(Ok(Opened::File {
                    file: (),
                    meta: Meta::new(len),
                    sendable,
                })),
                Want::Log(lines) => {
                    log.push_str(lines);
                    Got::Bytes(0)
                }
                Want::Commit { .. } | Want::Wait | Want::Upgrade => {
                    unreachable!("only files are sent")
                }
                Want::Shutdown => Got::Bytes(0),
                Want::Close => {
                    let received = path.read as u64 + path.unread;
                    return Outcome {
                        received,
                        took: tick,
                        log,
                    };
                }
                Want::WriteFile { .. } => unreachable!("no content is sent"),
            };
            if let Got::Nothing = got {
                tick += TICK;
                path.tick(tick);
                assert!(tick < SECOND * 1_000_000, "the connection never ends");
            }
        }
    }
}

fn wrote(n: Option<u64>) -> Got<()> {
    n.map_or(Got::Nothing, |n| Got::Bytes(n as usize))
}

#[test]
fn a_reader_that_is_fast_enough_gets_everything_whatever_the_systems_buffer() {
    for rate in [500, 1_000, 8_000, 40_000, 200_000] {
        for send_max in [64 * KIB, 4 * MIB, 16 * MIB] {
            for (receive_max, announced_from) in [
                (4 * KIB, 2 * KIB),
                (64 * KIB, 65_483),
                (256 * KIB, 16 * KIB),
                (256 * KIB, 256 * KIB),
            ] {
                for (sendable, counts) in [(true, true), (false, true), (true, false)] {
                    let path = Network::new(send_max, receive_max, announced_from, rate);
                    let len = send_max + 2 * MIB;
                    let outcome = Setup {
                        sendable,
                        counts,
                        ..Setup::of(path, len)
                    }
                    .run();
                    assert!(
                        outcome.received > len,
                        "{rate} bytes a second, {send_max} and {receive_max} bytes: {outcome:?}"
                    );
                }
            }
        }
    }
}

#[test]
fn a_reader_with_a_larger_buffer_has_to_be_faster() {
    // 554 seconds must suffice to read the whole buffer.
    for (rate, receive_max) in [(8_000, 4 * MIB), (40_000, 16 * MIB)] {
        let path = Network::new(16 * MIB, receive_max, receive_max, rate);
        let outcome = Setup::of(path, 40 * MIB).run();
        assert!(outcome.received > 40 * MIB, "{outcome:?}");
    }
}

#[test]
fn a_reader_below_the_rate_is_cut_off() {
    for send_max in [64 * KIB, 4 * MIB, 16 * MIB] {
        let path = Network::new(send_max, 64 * KIB, 16 * KIB, 300);
        let outcome = Setup::of(path, 20 * MIB).run();
        assert!(
            outcome
                .log
                .contains("The client reads the reply too slowly"),
            "{outcome:?}"
        );
        // The 65,536 bytes in advance, and 30 seconds, are used up at 200 bytes a second.
        assert!(outcome.took < SECOND * 500, "{outcome:?}");
    }
}

#[test]
fn a_reader_that_reads_nothing_is_cut_off_by_its_systems_acknowledgements() {
    for (receive_max, most) in [(4 * KIB, 39), (64 * KIB, 162), (6 * MIB, 585)] {
        let path = Network::new(4 * MIB, receive_max, receive_max, 0);
        let outcome = Setup::of(path, 20 * MIB).run();
        assert!(
            outcome
                .log
                .contains("The client reads the reply too slowly"),
            "{outcome:?}"
        );
        assert!(outcome.took <= SECOND * most, "{outcome:?}");
        assert!(outcome.took >= SECOND * 30, "{outcome:?}");
    }
}

#[test]
fn a_reader_that_stops_is_cut_off_within_twice_the_time_for_its_buffer() {
    let longest = (SECOND * 30 + SECOND * (256 * 1024 / 500) + SECOND) * 2;
    for stops in [1, 31, 100, 400, 700, 1_300] {
        let mut path = Network::new(4 * MIB, 64 * KIB, 4 * KIB, 40_000);
        path.stops = SECOND * stops;
        let outcome = Setup::of(path, 100 * MIB).run();
        assert!(
            outcome
                .log
                .contains("The client reads the reply too slowly"),
            "{outcome:?}"
        );
        assert!(outcome.took <= path.stops + longest, "{outcome:?}");
    }
}

#[test]
fn without_acknowledgements_a_peer_that_accepts_nothing_for_30_seconds_is_cut_off() {
    let path = Network::new(4 * MIB, 64 * KIB, 4 * KIB, 40_000);
    let outcome = Setup {
        tells: false,
        ..Setup::of(path, 20 * MIB)
    }
    .run();
    assert!(
        outcome
            .log
            .contains("The client reads the reply too slowly"),
        "{outcome:?}"
    );
    assert_eq!(outcome.took, SECOND * 30);
}

#[test]
fn a_closing_connection_stays_open_until_everything_is_acknowledged() {
    for request in [
        &b"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"[..],
        b"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n",
        // Its content is too long to be drained.
        b"GET / HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000000\r\n\r\n",
    ] {
        let (rate, len) = (8_000, MIB);
        let path = Network::new(4 * MIB, 64 * KIB, 65_483, rate);
        let setup = Setup {
            request,
            chatter: b"garbage",
            ..Setup::of(path, len)
        };
        let linger = setup.config.timeouts.linger;
        let outcome = setup.run();
        assert!(outcome.received > len, "{outcome:?}");
        // The bytes that the last announcement allowed were read later.
        let took = Duration::from_secs((len - 65_536) / rate);
        assert!(
            outcome.took >= took && outcome.took <= took + SECOND * 10 + linger * 2,
            "{outcome:?}"
        );
    }
}

#[test]
fn a_closing_connection_is_closed_when_nothing_more_is_acknowledged() {
    let mut path = Network::new(4 * MIB, 64 * KIB, 4 * KIB, 8_000);
    path.stops = SECOND * 20;
    let setup = Setup {
        chatter: b"garbage",
        ..Setup::of(path, MIB)
    };
    let longest = (SECOND * 30 + SECOND * (256 * 1024 / 500)) * 2;
    let outcome = setup.run();
    assert!(
        outcome.took > path.stops && outcome.took < path.stops + longest,
        "{outcome:?}"
    );
}

#[test]
fn an_idle_connection_stays_open_while_its_last_reply_is_read() {
    let request = b"GET / HTTP/1.1\r\nHost: h\r\n\r\n";
    let path = Network::new(4 * MIB, 64 * KIB, 4 * KIB, 8_000);
    let setup = Setup {
        request,
        ..Setup::of(path, MIB)
    };
    let idle = setup.config.timeouts.idle;
    let took = Duration::from_secs(MIB / 8_000);
    let outcome = setup.run();
    assert!(outcome.received > MIB, "{outcome:?}");
    assert!(
        outcome.took + SECOND * 9 >= took && outcome.took <= took + idle,
        "{outcome:?}"
    );
    // But not when nothing more is read.
    let stopped = Network {
        stops: SECOND * 20,
        ..path
    };
    let outcome = Setup {
        request,
        ..Setup::of(stopped, MIB)
    }
    .run();
    assert!(outcome.took <= SECOND * 20 + idle * 2, "{outcome:?}");
}

#[test]
fn an_idle_connection_whose_last_reply_is_read_below_the_rate_is_closed() {
    let request = b"GET / HTTP/1.1\r\nHost: h\r\n\r\n";
    let outcome_at = |rate| {
        let path = Network::new(4 * MIB, 64 * KIB, 1, rate);
        Setup {
            request,
            ..Setup::of(path, MIB)
        }
        .run()
    };
    // 65,536 bytes in advance are used up after 131 seconds, and each check is 60 seconds after the last.
    let outcome = outcome_at(1);
    assert!(outcome.took <= SECOND * (131 + 60), "{outcome:?}");
    let outcome = outcome_at(600);
    assert!(outcome.received > MIB, "{outcome:?}");
}

#[test]
fn a_client_that_stops_reading_a_short_reply_is_cut_off() {
    const TAKEN: usize = 25_000;
    let handler = from_fn(|ex| {
        ex.send_response(200);
        ex.send_header("Content-Length", 20_000);
        ex.end_headers();
        ex.write(&[b'x'; 20_000]);
        Next::Done
    });
    let config = Config::default().with_protocol(Protocol::Http11);
    let mut conn = Connection::<(), _>::new(config, "-", handler);
    let (mut tick, mut got) = (Duration::ZERO, Got::Nothing);
    let (mut requests, mut written) = (2, 0);
    // The client reads its first reply, and almost nothing of its second one.
    while tick < 600 * SECOND {
        let now = Now { tick, unix: None };
        if conn.is_overdue(now) {
            let delivery = Delivery {
                acknowledged: Some(TAKEN as u64 - 100),
                outstanding: 100,
            };
            conn.delivered(now, delivery);
        }
        let step = conn.step(now, got);
        let deadline = step.deadline;
        got = match step.want {
            Want::Read(into) if requests > 0 => {
                requests -= 1;
                let request = b"GET / HTTP/1.1\r\nHost: h\r\n\r\n";
                into[..request.len()].copy_from_slice(request);
                Got::Bytes(request.len())
            }
            Want::Write(from) if written < TAKEN => {
                let n = from.len().min(TAKEN - written);
                written += n;
                Got::Bytes(n)
            }
            Want::Log(lines) => Got::Bytes(lines.len()),
            Want::Close => return,
            _ => {
                tick = tick.max(deadline.expect("every wait has a deadline"));
                Got::Nothing
            }
        };
    }
    panic!("the connection is still open");
}
