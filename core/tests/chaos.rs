//! Nothing that a peer can send makes the engine panic, hang or overstep its limits: mutated
//! requests in random pieces at random times. `CHAOS_SECONDS` says how long, two if not.

mod world;

use std::time::{Duration, Instant};

use sanserve_core::{Config, Event, Exchange, Files, Handler, Limits, Next, Protocol};
use world::World;

/// Marsaglia's xorshift64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }

    fn pick<'a, T: ?Sized>(&mut self, of: &[&'a T]) -> &'a T {
        of[self.below(of.len())]
    }
}

const METHODS: &[&str] = &["GET", "HEAD", "POST", "get", "OPTIONS", "G\u{e9}T", ""];
const TARGETS: &[&str] = &[
    "/",
    "/hello.txt",
    "/big",
    "/sent",
    "/short",
    "/shorter",
    "/dir",
    "/dir/",
    "//dir",
    "/%ff%00",
    "/../../x",
    "/%ED%B3%BF",
    "*",
    "http://h/",
    "HTTP://h?x",
    "/?a#b",
    "/%",
    "/\\x/../dir",
    "/nul.txt",
    "/%2e%2e/%2f",
];
const VERSIONS: &[&str] = &[
    " HTTP/1.1",
    " HTTP/1.1\r\nHost: h",
    " HTTP/1.1\r\nHost: h",
    " HTTP/1.0",
    " HTTP/0.9",
    " HTTP/2.0",
    " HTTP/1.x",
    "",
];
const FIELDS: &[&str] = &[
    "Host: h",
    "Content-Length: 5",
    "Content-Length: 70000",
    "Content-Length: 99999999999999999999",
    "Content-Length: x",
    "Transfer-Encoding: chunked",
    "Transfer-Encoding: gzip",
    "Connection: close",
    "Connection: keep-alive",
    "Expect: 100-continue",
    "If-Modified-Since: Wed, 01 Jan 2020 00:00:00 GMT",
    "If-Modified-Since: 1 Jan 0 99:99",
    "If-None-Match: *",
    "If-None-Match: \"a\", W/\"15e59a35e63e1780-6\",,\"",
    "If-Match: \"15e59a35e63e1780-6\"",
    "If-Unmodified-Since: Wed, 01 Jan 2020 00:00:00 GMT",
    "If-Range: \"15e59a35e63e1780-6\"",
    "Range: bytes=0-1",
    "Range: bytes=0-0,-1,3-99999999999999999999,2-2",
    "Range: bytes=-999999, 5-, ,70000-",
    "Accept-Encoding: gzip;q=0.5, br, *;q=0",
    "Accept: text/html, */*",
    "Access-Control-Request-Method: GET",
    " folded",
    "X : y",
    "X: \u{ff}\u{80}",
];
const BODIES: &[&str] = &[
    "",
    "hello",
    "5\r\nhello\r\n0\r\n\r\n",
    "0\r\nX: y\r\n\r\n",
    "ffffffffffffffff\r\n",
    "5;x\r\n",
];

/// A few requests, then a few bytes of them changed, cut or doubled.
fn input(random: &mut Random) -> Vec<u8> {
    let mut text = String::new();
    for _ in 0..1 + random.below(4) {
        text += &format!(
            "{} {}{}\r\n",
            random.pick(METHODS),
            random.pick(TARGETS),
            random.pick(VERSIONS)
        );
        for _ in 0..random.below(5) {
            text += random.pick(FIELDS);
            text += "\r\n";
        }
        text += "\r\n";
        text += random.pick(BODIES);
    }
    // Latin-1, as the wire has it.
    let mut bytes: Vec<u8> = text.chars().map(|char| char as u8).collect();
    for _ in 0..random.below(4) {
        let at = random.below(bytes.len());
        match random.below(4) {
            0 => bytes[at] = random.next() as u8,
            1 => bytes.truncate(at + 1),
            2 => bytes.insert(at, b"\r\n\0 :"[random.below(5)]),
            _ => bytes.extend_from_within(at..),
        }
    }
    bytes
}

/// Uses everything that a handler can ask for, in an order that the request decides.
struct Wild(Random);

impl Handler for Wild {
    fn begin(&mut self, ex: &mut Exchange<'_>) -> Next {
        self.act(ex)
    }

    fn resume(&mut self, ex: &mut Exchange<'_>, event: Event<'_>) -> Next {
        if let Event::Data(bytes) = event {
            ex.write(bytes);
        }
        self.act(ex)
    }
}

impl Wild {
    fn act(&mut self, ex: &mut Exchange<'_>) -> Next {
        match self.0.below(15) {
            0 | 1 => Next::Body,
            2 => Next::Open(sanserve_core::Path::parse(ex.path()).unwrap_or_default()),
            3 => Next::List(sanserve_core::Path::parse(ex.path()).unwrap_or_default()),
            4 => Next::Send(0..self.0.next() % 2_000_000),
            5 => Next::Flush,
            12 => Next::Read,
            13 => Next::Feed,
            14 => Next::Run(sanserve_core::Program {
                path: sanserve_core::Path::parse(ex.path()).unwrap_or_default(),
                args: Vec::new(),
                env: Vec::new(),
                path_translated: sanserve_core::Path::default(),
            }),
            6 => ex.send_error(404, ex.path()),
            7 => Next::Done,
            8 => {
                ex.send_response([200, 204, 304, 100, 999][self.0.below(5)]);
                self.act(ex)
            }
            9 => {
                ex.send_header(
                    ["Content-Length", "Connection", "X", "X\n"][self.0.below(4)],
                    self.0.below(100),
                );
                self.act(ex)
            }
            10 => {
                ex.end_headers();
                self.act(ex)
            }
            _ => {
                ex.write(&[b'x'; 100]);
                self.act(ex)
            }
        }
    }
}

fn live(seed: u64) {
    let mut random = Random(seed);
    let limits = Limits {
        outbox: 512 << random.below(8),
        fields: 4096,
        request_line: 1024,
        ..Limits::default()
    };
    let protocol = [Protocol::Http10, Protocol::Http11][random.below(2)];
    let config = Config {
        protocol,
        limits,
        ..Config::default()
    };
    let input = input(&mut random);
    if random.below(2) == 0 {
        let mut files = Files::new();
        files.precompressed = random.below(2) == 0;
        files.cors = [None, Some("*")][random.below(2)];
        files.spa = [None, Some("hello.txt"), Some("nope")][random.below(3)];
        files.not_found_page = [None, Some("big"), Some("dir")][random.below(3)];
        run(World::new(config, files, &[]), &input, random);
    } else {
        let wild = Wild(Random(random.next()));
        run(World::new(config, wild, &[]), &input, random);
    }
}

fn run<H: Handler>(mut world: World<H>, input: &[u8], mut random: Random) {
    world.input.clear();
    world.piece = 1 + random.below(5000);
    world.half_close = random.below(2) == 0;
    world.disk_takes = Duration::from_millis(random.next() % 200);
    world.write_takes = Duration::from_millis(random.next() % 20);
    let (mut rest, mut after) = (input, Duration::ZERO);
    while !rest.is_empty() {
        let n = 1 + random.below(rest.len().min(400));
        world = world.then(after, &rest[..n]);
        after += Duration::from_millis([0, 1, 100, 5_000, 40_000][random.below(5)]);
        rest = &rest[n..];
    }
    let limits = world.config.limits;
    let took = world.run();
    assert!(took < Duration::from_secs(10_000), "{took:?}");
    let most = 4 * (limits.fields + limits.request_line + limits.outbox) + 32 * 1024;
    assert!(
        world.conn.allocated() < most,
        "{} bytes",
        world.conn.allocated()
    );
}

#[test]
fn nothing_a_peer_sends_breaks_the_engine() {
    let seconds = std::env::var("CHAOS_SECONDS")
        .map_or(2, |text| text.parse().expect("CHAOS_SECONDS is a number"));
    let (start, mut seeds) = (Instant::now(), 0);
    while start.elapsed() < Duration::from_secs(seconds) {
        seeds += 1;
        // Seeds that lie close together must not begin alike.
        let seed = u64::wrapping_mul(seeds, 0x9e37_79b9_7f4a_7c15);
        if let Err(panic) = std::panic::catch_unwind(|| live(seed)) {
            eprintln!("seed number {seeds}");
            std::panic::resume_unwind(panic);
        }
    }
    println!("{seeds} seeds in {seconds} s");
}
