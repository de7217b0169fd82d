//! [`WORK`]: the pieces of work that are measured, such as serving a request of curl or parsing a head. Each has a
//! function that does it a given number of times.

use std::hint::black_box;
use std::sync::Arc;

use sanserve_core::wire::{self, Body, Piece, RequestHead};
use sanserve_core::{
    Config, Connection, Event, Exchange, FileSystem, Files, Got, Handler, Limits, Next, Now,
    Protocol, Want,
};
use sanserve_server::{Flash, Node};

use crate::hyper;

/// The name of a piece of work, and the function that does it a given number of times.
pub type Work = (&'static str, fn(usize));

pub const WORK: &[Work] = &[
    ("GET of 1 KiB, curl", |n| serve(&[CURL], n)),
    ("GET of 1 KiB, a browser", |n| serve(&[BROWSER], n)),
    ("GET of 1 KiB, other fields each time", |n| {
        serve(&[CURL, OTHER], n);
    }),
    ("the same by hyper, curl", |n| hyper::serve(CURL, n)),
    ("the same by hyper, a browser", |n| hyper::serve(BROWSER, n)),
    ("16 pipelined", |n| serve(&[&CURL.repeat(16)], n)),
    ("304", |n| {
        serve(&[&with(CURL, "If-None-Match: \"2-400\"\r\n")], n);
    }),
    ("range", |n| {
        serve(&[&with(CURL, "Range: bytes=100-199\r\n")], n);
    }),
    ("404", |n| serve(&[&CURL.replace("/1k.bin", "/none")], n)),
    ("listing of 10", |n| {
        serve(&[&CURL.replace("/1k.bin", "/list/")], n);
    }),
    ("listing of 1,000", |n| {
        serve(&[&CURL.replace("/1k.bin", "/long/")], n);
    }),
    ("POST in 16 chunks", |n| {
        exchange(&[&chunked()], n, || Post);
    }),
    ("chunks alone, 16", |n| chunks(&chunked(), n)),
    ("head, curl", |n| heads(&[CURL], n)),
    ("head, a browser", |n| heads(&[BROWSER], n)),
    ("head, other fields each time", |n| heads(&[CURL, OTHER], n)),
    ("head, 100 fields, others each time", |n| {
        heads(&[&many_fields(""), &many_fields("x")], n);
    }),
    ("httparse, curl", |n| httparse(CURL.as_bytes(), n)),
    ("httparse, a browser", |n| httparse(BROWSER.as_bytes(), n)),
    ("httparse, 100 fields", |n| {
        httparse(many_fields("").as_bytes(), n);
    }),
];

pub const CURL: &str = "GET /1k.bin HTTP/1.1\r\nHost: 127.0.0.1:8000\r\nUser-Agent: curl/8.5.0\r\n\
    Accept: */*\r\n\r\n";

/// As long as `CURL`, with another `User-Agent`.
const OTHER: &str = "GET /1k.bin HTTP/1.1\r\nHost: 127.0.0.1:8000\r\nUser-Agent: curl/8.6.0\r\n\
    Accept: */*\r\n\r\n";

pub const BROWSER: &str = "GET /1k.bin HTTP/1.1\r\nHost: 127.0.0.1:8000\r\nConnection: keep-alive\r\n\
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
    Node::directory("long", &[Node::file("a name", b""); 1000]),
]);

fn with(request: &str, field: &str) -> String {
    request.replace("\r\n\r\n", &format!("\r\n{field}\r\n"))
}

fn many_fields(end: &str) -> String {
    let fields: String = (0..97)
        .map(|n| format!("X-Field-{n}: value {n}{end}\r\n"))
        .collect();
    with(CURL, &fields)
}

fn chunked() -> String {
    let head = CURL.replace("GET", "POST");
    let chunk = format!("100\r\n{}\r\n", "x".repeat(256));
    with(&head, "Transfer-Encoding: chunked\r\n") + &chunk.repeat(16) + "0\r\n\r\n"
}

fn heads(inputs: &[&str], times: usize) {
    let (mut head, limits) = (RequestHead::new(), wire::Limits::default());
    for input in inputs.iter().cycle().take(times) {
        let found = head.parse(black_box(input.as_bytes()), &limits);
        assert_eq!(found, Ok(Some(input.len())));
        black_box(&head);
    }
}

fn httparse(bytes: &[u8], times: usize) {
    for _ in 0..times {
        let mut fields = [httparse::EMPTY_HEADER; 128];
        let mut request = httparse::Request::new(&mut fields);
        let found = request.parse(black_box(bytes)).expect("the head is valid");
        assert_eq!(found, httparse::Status::Complete(bytes.len()));
        black_box(&request);
    }
}

/// Parses chunked content.
fn chunks(request: &str, times: usize) {
    let mut head = RequestHead::new();
    let found = head.parse(request.as_bytes(), &wire::Limits::default());
    let content = &request.as_bytes()[found
        .expect("the head is valid")
        .expect("the head is complete")..];
    for _ in 0..times {
        let mut body = Body::of_request(black_box(&head)).expect("the framing is valid");
        let mut rest = black_box(content);
        while let Piece::Data(n) | Piece::Skip(n) = body.next(rest).expect("the chunks are valid") {
            rest = &rest[n..];
        }
        assert!(rest.is_empty());
    }
}

/// Reads all content, and sends an empty reply.
struct Post;

impl Handler for Post {
    fn begin(&mut self, _: &mut Exchange<'_>) -> Next {
        Next::Body
    }

    fn resume(&mut self, ex: &mut Exchange<'_>, event: Event<'_>) -> Next {
        if let Event::Data(bytes) = event {
            black_box(bytes);
            return Next::Body;
        }
        ex.send_response(204);
        ex.end_headers();
        Next::Done
    }
}

/// Serves files.
fn serve(requests: &[&str], times: usize) {
    let files = Files::new();
    exchange(requests, times, || files.clone());
}

/// Serves this number of requests, taken in turn, on as few connections as possible.
fn exchange<H: Handler>(requests: &[&str], times: usize, handler: impl Fn() -> H) {
    let config = Config::default()
        .with_protocol(Protocol::Http11)
        .with_log_format(|_, _| Ok(()))
        .with_limits(Limits::default().with_requests(u32::MAX));
    let config = Arc::new(config);
    let mut conn = Connection::new(Arc::clone(&config), "127.0.0.1", handler());
    let mut left = requests.iter().cycle().take(times);
    let (mut got, mut rest) = (Got::Nothing, &b""[..]);
    let now = Now {
        unix: Some(1_790_000_000),
        ..Now::default()
    };
    loop {
        got = match conn.step(now, got).want {
            Want::Read(into) => {
                if rest.is_empty() {
                    match left.next() {
                        Some(request) => rest = request.as_bytes(),
                        None => break,
                    }
                }
                let n = rest.len().min(into.len());
                into[..n].copy_from_slice(&rest[..n]);
                rest = &rest[n..];
                Got::Bytes(n)
            }
            Want::Write(from) => Got::Bytes(black_box(from).len()),
            Want::ReadFile { file, at, into } => SITE.fill(file, at, into),
            Want::Ask(ask) => SITE.answer(ask),
            Want::Log(_) => Got::Nothing,
            Want::Shutdown | Want::Close => {
                (conn, rest) = (
                    Connection::new(Arc::clone(&config), "127.0.0.1", handler()),
                    b"",
                );
                Got::Nothing
            }
            Want::Commit { .. } | Want::Wait | Want::Upgrade => unreachable!("nothing here waits"),
            Want::Copy { .. } | Want::WriteFile { .. } => {
                unreachable!("no file is sendable or written")
            }
        };
    }
}
