//! What a connection does with requests and handlers, whole and byte by byte.

mod world;

use sanserve_core::{Config, Event, Exchange, Files, Handler, Limits, Next, Protocol, from_fn};
use world::{BIG, World};

fn modern() -> Config {
    Config {
        protocol: Protocol::Http11,
        ..Config::default()
    }
}

/// Runs `input` whole and byte by byte, and checks that this makes no difference.
fn run<H: Handler>(config: Config, handler: impl Fn() -> H, input: &[u8]) -> World<H> {
    let mut whole = World::new(config, handler(), input);
    whole.run();
    let mut bytewise = World::new(config, handler(), input);
    bytewise.piece = 1;
    bytewise.run();
    assert_eq!(whole.text(), bytewise.text());
    assert_eq!(whole.log, bytewise.log);
    whole
}

/// Sends content back, in pieces that depend on how it came; `head` is sent first or last.
struct Echo {
    head_first: bool,
    content: Vec<u8>,
}

impl Echo {
    fn new(head_first: bool) -> Self {
        Echo {
            head_first,
            content: Vec::new(),
        }
    }
}

impl Handler for Echo {
    fn begin(&mut self, ex: &mut Exchange<'_>) -> Next {
        self.content.clear();
        if self.head_first {
            ex.send_response(200);
            ex.end_headers();
        }
        Next::Body
    }

    fn resume(&mut self, ex: &mut Exchange<'_>, event: Event<'_>) -> Next {
        if let Event::Data(bytes) = event {
            self.content.extend_from_slice(bytes);
            return Next::Body;
        }
        if !self.head_first {
            ex.send_response(200);
            ex.end_headers();
        }
        ex.write(&self.content);
        Next::Done
    }
}

#[test]
fn pipelined_requests_are_answered_together() {
    let input = b"GET /hello.txt HTTP/1.1\r\nHost: h\r\n\r\n".repeat(100);
    let world = run(modern(), Files::new, &input);
    assert_eq!(world.statuses().len(), 100);
    // The first read is small; the second brings all the others.
    assert_eq!(world.writes, 2);
}

#[test]
fn content_comes_in_by_length_and_by_chunks_and_goes_out_by_chunks() {
    let input = b"POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello\
        POST / HTTP/1.1\r\nTransfer-Encoding: Chunked\r\n\r\n\
        3;ext=\"1\"\r\nabc\r\n00a\r\n0123456789\r\n0\r\nX-Trailer: t\r\nY: z\r\n\r\n\
        POST / HTTP/1.0\r\nContent-Length: 2\r\n\r\nhi";
    for head_first in [false, true] {
        let world = run(modern(), || Echo::new(head_first), input);
        let contents: Vec<_> = world.text().split("\r\n\r\n").map(str::to_owned).collect();
        assert_eq!(contents[1].split("HTTP").next(), Some("5\r\nhello\r\n0"));
        assert_eq!(
            contents[3].split("HTTP").next(),
            Some("d\r\nabc0123456789\r\n0")
        );
        assert_eq!(
            contents[5], "hi",
            "to HTTP/1.0 until the end of the connection"
        );
    }
}

#[test]
fn a_peer_that_waits_is_asked_for_its_content_before_the_reply() {
    let input = b"POST / HTTP/1.1\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n";
    for head_first in [false, true] {
        let mut world = World::new(modern(), Echo::new(head_first), input);
        world = world.then(std::time::Duration::from_secs(1), b"hello");
        world.run();
        assert_eq!(
            world.statuses(),
            ["HTTP/1.1 100 Continue", "HTTP/1.1 200 OK"]
        );
    }
    // Nobody wants it: no 100, and no guess at what follows.
    let input = [&input[..], b"GET / HTTP/1.1\r\n\r\n"].concat();
    let world = run(modern(), Files::new, &input);
    assert_eq!(
        world.statuses(),
        ["HTTP/1.1 501 Unsupported method ('POST')"]
    );
}

#[test]
fn unread_content_is_never_taken_for_a_request() {
    let smuggled = b"GET /dir/ HTTP/1.1\r\n\r\n";
    let after = b"GET /hello.txt HTTP/1.1\r\n\r\n";
    let counted = [
        b"GET /hello.txt HTTP/1.1\r\nContent-Length: 22\r\n\r\n",
        &smuggled[..],
        after,
    ]
    .concat();
    let chunked = [
        b"GET /hello.txt HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n16\r\n",
        &smuggled[..],
        b"\r\n0\r\n\r\n",
        after,
    ]
    .concat();
    for input in [counted, chunked] {
        let world = run(modern(), Files::new, &input);
        assert_eq!(world.statuses(), ["HTTP/1.1 200 OK"; 2]);
        assert!(!world.log.contains("/dir/"), "{}", world.log);
    }
}

#[test]
fn framing_that_two_readers_could_understand_in_two_ways_is_refused() {
    for fields in [
        "Content-Length: 5\r\nContent-Length: 5",
        "Content-Length: 5\r\nContent-Length: 6",
        "Content-Length: 5, 5",
        "Content-Length: +5",
        "Content-Length: -5",
        "Content-Length: 0x5",
        "Content-Length: 5 5",
        "Content-Length: ",
        "Content-Length: 99999999999999999999",
        "Content-Length: 5\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nContent-Length: 5",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: identity",
        "Transfer-Encoding: chunked, gzip",
        "Transfer-Encoding: xchunked",
        "Transfer-Encoding: chunked;q=1",
        "Transfer-Encoding: \"chunked\"",
        "Content-Length : 5",
        "Content-Length\t: 5",
        " Content-Length: 5",
        "X: y\r\n Content-Length: 5",
        "X: a\rContent-Length: 5",
        "X: a\0b",
        ": 5",
        "Content-Length",
    ] {
        let input = format!("GET /hello.txt HTTP/1.1\r\n{fields}\r\n\r\nGET / HTTP/1.1\r\n\r\n");
        let world = run(modern(), Files::new, input.as_bytes());
        let statuses = world.statuses();
        assert_eq!(statuses.len(), 1, "{fields:?}: {statuses:?}");
        assert!(
            statuses[0].starts_with("HTTP/1.1 400 "),
            "{fields:?}: {statuses:?}"
        );
        assert!(world.said, "{fields:?}: the connection lingers");
    }
    let old = b"GET /hello.txt HTTP/1.0\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n";
    assert_eq!(
        run(modern(), Files::new, old).statuses(),
        ["HTTP/1.1 400 Bad Transfer-Encoding"]
    );
    let gzip = b"GET /hello.txt HTTP/1.1\r\nTransfer-Encoding: gzip, chunked\r\n\r\n";
    assert_eq!(
        run(modern(), Files::new, gzip).statuses(),
        ["HTTP/1.1 501 Unsupported Transfer-Encoding"]
    );
}

#[test]
fn chunks_that_are_none_are_refused() {
    for chunks in [
        "5\nhello\r\n0\r\n\r\n",
        "5\r\nhello0\r\n\r\n",
        "5\r\nhelloXX0\r\n\r\n",
        "0x5\r\nhello\r\n0\r\n\r\n",
        "-5\r\nhello\r\n0\r\n\r\n",
        " 5\r\nhello\r\n0\r\n\r\n",
        "5 5\r\nhello\r\n0\r\n\r\n",
        "\r\nhello\r\n0\r\n\r\n",
        "11111111111111111\r\nhello\r\n0\r\n\r\n",
        "5;a\nb\r\nhello\r\n0\r\n\r\n",
        "5;a\rb\r\nhello\r\n0\r\n\r\n",
        "0\r\nnot a field\r\n\r\n",
        "0\r\nX : y\r\n\r\n",
        "0\r\nX: y\n\r\n\r\nZ",
    ] {
        let input = format!(
            "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}GET / HTTP/1.1\r\n\r\n"
        );
        let world = run(modern(), || Echo::new(false), input.as_bytes());
        assert_eq!(
            world.statuses(),
            ["HTTP/1.1 400 Bad chunked content"],
            "{chunks:?}"
        );
    }
    let long = format!(
        "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5;{}",
        "x".repeat(10_000)
    );
    assert_eq!(
        run(modern(), || Echo::new(false), long.as_bytes()).statuses(),
        ["HTTP/1.1 400 Bad chunked content"]
    );
}

#[test]
fn limits_hold() {
    let limits = Limits {
        requests: 3,
        ..Limits::default()
    };
    let input = b"GET /hello.txt HTTP/1.1\r\n\r\n".repeat(5);
    let world = run(Config { limits, ..modern() }, Files::new, &input);
    assert_eq!(world.statuses().len(), 3);
    assert_eq!(world.text().matches("Connection: close").count(), 1);

    let unending = vec![b'x'; 1_000_000];
    assert_eq!(
        run(modern(), Files::new, &unending).statuses(),
        ["HTTP/1.1 414 URI Too Long"]
    );
    let field = [b"GET / HTTP/1.1\r\nX: ", &unending[..]].concat();
    assert_eq!(
        run(modern(), Files::new, &field).statuses(),
        ["HTTP/1.1 431 Line too long"]
    );
    let trailer = [
        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX: ",
        &unending[..],
    ]
    .concat();
    assert_eq!(
        run(modern(), || Echo::new(false), &trailer).statuses(),
        ["HTTP/1.1 431 Line too long"]
    );
}

#[test]
fn a_file_that_turns_out_short_breaks_the_reply_off() {
    // Nothing of the small one has left: it becomes a 500. The large one is under way.
    let input = b"GET /short HTTP/1.1\r\n\r\nGET /hello.txt HTTP/1.1\r\n\r\n";
    let world = run(modern(), Files::new, input);
    assert_eq!(
        world.statuses(),
        ["HTTP/1.1 500 The file ended before its time"]
    );
    let input = b"GET /shorter HTTP/1.1\r\n\r\nGET /hello.txt HTTP/1.1\r\n\r\n";
    let mut world = World::new(modern(), Files::new(), input);
    world.run();
    assert_eq!(world.statuses(), ["HTTP/1.1 200 OK"]);
    assert!(world.output.len() < 501_000 && world.log.contains("The file ended before its time"));
}

#[test]
fn large_files_go_by_reference_if_they_can() {
    for target in ["big", "sent"] {
        let world = run(
            modern(),
            Files::new,
            format!("GET /{target} HTTP/1.1\r\n\r\n").as_bytes(),
        );
        assert!(
            world.output.ends_with(&BIG)
                && world.text().contains("\r\nContent-Length: 1048576\r\n")
        );
        assert_eq!(
            world.writes == 1,
            target == "sent",
            "{} writes",
            world.writes
        );
    }
}

/// What becomes of a handler's mistake.
fn blame(handler: fn(&mut Exchange<'_>) -> Next) -> String {
    let world = run(
        modern(),
        || from_fn(handler),
        b"GET / HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\n\r\n",
    );
    assert_eq!(world.statuses().len(), 1);
    world.statuses().remove(0)
}

#[test]
fn a_handlers_mistakes_become_500_and_are_named() {
    let says = |what: &str| format!("HTTP/1.1 500 The handler {what}");
    assert_eq!(blame(|_| Next::Done), says("sent no reply"));
    let injected = blame(|ex| {
        ex.send_response(200);
        ex.send_header("X", "a\r\nSet-Cookie: stolen=1");
        ex.end_headers();
        Next::Done
    });
    assert_eq!(injected, says("gave send_header() what no field can hold"));
    let short = blame(|ex| {
        ex.send_response(200);
        ex.send_header("Content-Length", 10);
        ex.end_headers();
        ex.write(b"short");
        Next::Done
    });
    assert_eq!(short, says("wrote less than Content-Length"));
    let twice = blame(|ex| {
        ex.send_response(200);
        ex.end_headers();
        ex.send_response(200);
        Next::Done
    });
    assert_eq!(twice, says("called send_response() twice"));
    let early = blame(|ex| {
        ex.write(b"x");
        Next::Done
    });
    assert_eq!(early, says("wrote content before end_headers()"));
    let closed = blame(|ex| {
        ex.send_response(200);
        ex.end_headers();
        Next::Send(0..10)
    });
    assert_eq!(closed, says("sent a file that is not open"));
}
