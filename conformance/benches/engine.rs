//! What the engine costs, in instructions: each piece of work is done under callgrind, a thousand
//! times and two thousand times, and the difference is what one takes. The same program on the same
//! input counts the same on a busy machine. `make bench`.

use std::env;
use std::hint::black_box;
use std::process::Command;

use sanserve::{Flash, Node};
use sanserve_core::wire::Head;
use sanserve_core::{Config, Connection, FileSystem, Files, Got, Limits, Now, Protocol, Want};

/// A piece of work, and how to do it so many times.
type Work = (&'static str, fn(usize));

const WORK: &[Work] = &[
    ("head, curl", |n| heads(CURL.as_bytes(), n)),
    ("head, a browser", |n| heads(BROWSER.as_bytes(), n)),
    ("head, 100 fields", |n| heads(many_fields().as_bytes(), n)),
    ("httparse, curl", |n| httparse(CURL.as_bytes(), n)),
    ("httparse, a browser", |n| httparse(BROWSER.as_bytes(), n)),
    ("httparse, 100 fields", |n| {
        httparse(many_fields().as_bytes(), n);
    }),
    ("GET of 1 KiB, curl", |n| serve(CURL, n)),
    ("GET of 1 KiB, a browser", |n| serve(BROWSER, n)),
    ("16 pipelined", |n| serve(&CURL.repeat(16), n)),
    ("304", |n| {
        serve(&with(CURL, "If-None-Match: \"2-400\"\r\n"), n);
    }),
    ("range", |n| {
        serve(&with(CURL, "Range: bytes=100-199\r\n"), n);
    }),
    ("404", |n| serve(&CURL.replace("/1k.bin", "/none"), n)),
    ("listing of 10", |n| {
        serve(&CURL.replace("/1k.bin", "/list/"), n);
    }),
];

const CURL: &str = "GET /1k.bin HTTP/1.1\r\nHost: 127.0.0.1:8000\r\nUser-Agent: curl/8.5.0\r\n\
    Accept: */*\r\n\r\n";

const BROWSER: &str = "GET /1k.bin HTTP/1.1\r\nHost: 127.0.0.1:8000\r\nConnection: keep-alive\r\n\
    sec-ch-ua: \"Chromium\";v=\"130\", \"Not?A_Brand\";v=\"99\"\r\nsec-ch-ua-mobile: ?0\r\n\
    sec-ch-ua-platform: \"Linux\"\r\nUpgrade-Insecure-Requests: 1\r\nUser-Agent: Mozilla/5.0 (X11; \
    Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36\r\nAccept: \
    text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8\r\n\
    Sec-Fetch-Site: none\r\nSec-Fetch-Mode: navigate\r\nSec-Fetch-User: ?1\r\n\
    Sec-Fetch-Dest: document\r\nAccept-Encoding: gzip, deflate, br, zstd\r\n\
    Accept-Language: en-US,en;q=0.9\r\n\r\n";

static SITE: Flash = Flash::new(&[
    Node::file("1k.bin", &[b'x'; 1024])
        .modified(1_700_000_000)
        .version(2),
    Node::directory("list", &[Node::file("a name", b""); 10]),
]);

fn with(request: &str, field: &str) -> String {
    request.replace("\r\n\r\n", &format!("\r\n{field}\r\n"))
}

fn many_fields() -> String {
    let fields: String = (0..97)
        .map(|n| format!("X-Field-{n}: value {n}\r\n"))
        .collect();
    with(CURL, &fields)
}

fn heads(bytes: &[u8], times: usize) {
    let (mut head, limits) = (Head::new(), Limits::default());
    for _ in 0..times {
        let found = head.parse(black_box(bytes), &limits);
        assert_eq!(found, Ok(Some(bytes.len())));
        black_box(&head);
    }
}

fn httparse(bytes: &[u8], times: usize) {
    for _ in 0..times {
        let mut fields = [httparse::EMPTY_HEADER; 128];
        let mut request = httparse::Request::new(&mut fields);
        let found = request.parse(black_box(bytes)).expect("a good head");
        assert_eq!(found, httparse::Status::Complete(bytes.len()));
        black_box(&request);
    }
}

/// Has some requests answered, that many times, on one connection as long as it lasts.
fn serve(requests: &str, times: usize) {
    let config = Config {
        protocol: Protocol::Http11,
        log_format: |_, _| Ok(()),
        limits: Limits {
            requests: u32::MAX,
            ..Limits::default()
        },
        ..Config::default()
    };
    let mut conn = Connection::new(config, "127.0.0.1", Files::new());
    let (mut got, mut left, mut rest) = (Got::Nothing, times, &b""[..]);
    let now = Now {
        unix: Some(1_790_000_000),
        ..Now::default()
    };
    loop {
        got = match conn.step(now, got).want {
            Want::Read(_) if rest.is_empty() && left == 0 => break,
            Want::Read(into) => {
                if rest.is_empty() {
                    (left, rest) = (left - 1, requests.as_bytes());
                }
                let n = rest.len().min(into.len());
                into[..n].copy_from_slice(&rest[..n]);
                rest = &rest[n..];
                Got::Bytes(n)
            }
            Want::Write(from) => Got::Bytes(black_box(from).len()),
            Want::Fill { file, at, into } => SITE.fill(file, at, into),
            Want::Ask(ask) => SITE.answer(ask),
            Want::Log(_) => Got::Nothing,
            Want::Shutdown | Want::Close => {
                (conn, rest) = (Connection::new(config, "127.0.0.1", Files::new()), b"");
                Got::Nothing
            }
            Want::Copy { .. } | Want::Give { .. } => unreachable!("nothing here is sent so"),
        };
    }
}

fn main() {
    let mut args = env::args().skip(1).filter(|arg| arg != "--bench");
    if let (Some(name), Some(times)) = (args.next(), args.next()) {
        let (_, work) = WORK
            .iter()
            .find(|(other, _)| *other == name)
            .expect("known work");
        return work(times.parse().expect("a number"));
    }
    for (name, _) in WORK {
        let each = (instructions(name, 2_000) - instructions(name, 1_000)) / 1_000;
        println!("{name:28} {each:>9}");
    }
}

/// How many instructions this program takes to do it so many times.
fn instructions(name: &str, times: usize) -> u64 {
    let this = env::current_exe().expect("this program");
    let mut valgrind = Command::new("valgrind");
    let valgrind = valgrind.args(["--tool=callgrind", "--callgrind-out-file=/dev/null"]);
    let ran = valgrind.arg(this).args([name, &times.to_string()]).output();
    let said = ran.expect("valgrind is installed").stderr;
    let said = String::from_utf8_lossy(&said);
    let count = said
        .lines()
        .find_map(|line| line.split_once("Collected : "));
    count
        .expect("callgrind counts")
        .1
        .trim()
        .parse()
        .expect("a number")
}
