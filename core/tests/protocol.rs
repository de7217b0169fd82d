//! Tests of connections with handlers and files, with their input whole and byte by byte: pipelining, `100 Continue`,
//! limits of a head, files, and mistakes of handlers. The conformance cases cover the parsing of requests.

mod world;

use sanserve_core::{Config, Event, Exchange, Files, Handler, Next, Protocol, from_fn};
use world::{BIG, World};

fn http11() -> Config {
    Config::default().with_protocol(Protocol::Http11)
}

/// Runs `input` whole and byte by byte, and checks that the results are equal.
fn run<H: Handler>(config: Config, handler: impl Fn() -> H, input: &[u8]) -> World<H> {
    let mut whole = World::new(config.clone(), handler(), input);
    whole.run();
    let mut bytewise = World::new(config, handler(), input);
    bytewise.piece = 1;
    bytewise.run();
    assert_eq!(whole.text(), bytewise.text());
    assert_eq!(whole.log, bytewise.log);
    whole
}

/// Echoes content, in pieces that depend on how it arrived; the head is sent first or last.
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
    let world = run(http11(), Files::new, &input);
    assert_eq!(world.statuses().len(), 100);
    // The first read is small; the second receives all the others.
    assert_eq!(world.writes, 2);
}

#[test]
fn a_peer_that_waits_is_asked_for_its_content_before_the_reply() {
    let input = b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n";
    for head_first in [false, true] {
        let mut world = World::new(http11(), Echo::new(head_first), input);
        world = world.then(std::time::Duration::from_secs(1), b"hello");
        world.run();
        assert_eq!(
            world.statuses(),
            ["HTTP/1.1 100 Continue", "HTTP/1.1 200 OK"]
        );
    }
    // The content is not read: no 100, and the connection closes.
    let input = [&input[..], b"GET / HTTP/1.1\r\nHost: h\r\n\r\n"].concat();
    let world = run(http11(), Files::new, &input);
    assert_eq!(world.statuses(), ["HTTP/1.1 405 Method Not Allowed"]);
}

#[test]
fn a_small_reply_leaves_in_one_write() {
    for target in ["hello.txt", "nothing", "dir", ""] {
        let input = format!("GET /{target} HTTP/1.1\r\nHost: h\r\n\r\n");
        let mut world = World::new(http11(), Files::new(), input.as_bytes());
        world.run();
        assert_eq!((world.statuses().len(), world.writes), (1, 1), "/{target}");
    }
}

#[test]
fn an_endless_head_is_refused_at_the_limit() {
    let unending = vec![b'x'; 1_000_000];
    let world = run(http11(), Files::new, &unending);
    assert_eq!(world.statuses(), ["HTTP/1.1 414 URI Too Long"]);
    let field = [b"GET / HTTP/1.1\r\nHost: h\r\nX: ", &unending[..]].concat();
    let world = run(http11(), Files::new, &field);
    assert_eq!(world.statuses(), ["HTTP/1.1 431 Line too long"]);
}

#[test]
fn a_file_that_turns_out_shorter_breaks_off_the_reply() {
    // Nothing of the small file has been sent: it becomes a 500. The large one is being sent.
    let input = b"GET /short HTTP/1.1\r\nHost: h\r\n\r\nGET /hello.txt HTTP/1.1\r\nHost: h\r\n\r\n";
    let world = run(http11(), Files::new, input);
    assert_eq!(
        world.statuses(),
        ["HTTP/1.1 500 The file for '/short' ended after 50 of 100 announced bytes"]
    );
    let input =
        b"GET /shorter HTTP/1.1\r\nHost: h\r\n\r\nGET /hello.txt HTTP/1.1\r\nHost: h\r\n\r\n";
    let mut world = World::new(http11(), Files::new(), input);
    world.run();
    assert_eq!(world.statuses(), ["HTTP/1.1 200 OK"]);
    assert!(
        world.output.len() < 501_000
            && world
                .log
                .contains("The file for '/shorter' ended after 500000 of 1048576 announced bytes")
    );
}

#[test]
fn large_files_are_sent_by_reference_if_possible() {
    for target in ["big", "sent"] {
        let world = run(
            http11(),
            Files::new,
            format!("GET /{target} HTTP/1.1\r\nHost: h\r\n\r\n").as_bytes(),
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

/// Returns the reply to a handler's mistake.
fn reply_to_mistake(handler: fn(&mut Exchange<'_>) -> Next) -> String {
    let world = run(
        http11(),
        || from_fn(handler),
        b"GET / HTTP/1.1\r\nHost: h\r\n\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n",
    );
    assert_eq!(world.statuses().len(), 1);
    world.statuses().remove(0)
}

#[test]
fn a_handlers_mistakes_become_500_and_are_named() {
    let says = |what: &str| format!("HTTP/1.1 500 The handler {what}");
    assert_eq!(reply_to_mistake(|_| Next::Done), says("sent no reply"));
    let injected = reply_to_mistake(|ex| {
        ex.send_response(200);
        ex.send_header("X", "a\r\nSet-Cookie: stolen=1");
        ex.end_headers();
        Next::Done
    });
    assert_eq!(
        injected,
        says("gave send_header() an invalid name or value")
    );
    let short = reply_to_mistake(|ex| {
        ex.send_response(200);
        ex.send_header("Content-Length", 10);
        ex.end_headers();
        ex.write(b"short");
        Next::Done
    });
    assert_eq!(short, says("wrote less than Content-Length"));
    let twice = reply_to_mistake(|ex| {
        ex.send_response(200);
        ex.end_headers();
        ex.send_response(200);
        Next::Done
    });
    assert_eq!(twice, says("called send_response() twice"));
    for length in ["+5", "five", "5, 5", ""] {
        let world = run(
            http11(),
            || {
                from_fn(move |ex: &mut Exchange<'_>| {
                    ex.send_response(200);
                    ex.send_header("Content-Length", length);
                    ex.end_headers();
                    Next::Done
                })
            },
            b"GET / HTTP/1.1\r\nHost: h\r\n\r\n",
        );
        let named = says("sent a Content-Length that is not a number");
        assert_eq!(world.statuses(), [named], "{length:?}");
    }
    let coded = reply_to_mistake(|ex| {
        ex.send_response(200);
        ex.send_header("Transfer-Encoding", "gzip");
        ex.end_headers();
        Next::Done
    });
    assert_eq!(
        coded,
        says("sent a Transfer-Encoding, which end_headers() chooses")
    );
    let early = reply_to_mistake(|ex| {
        ex.write(b"x");
        Next::Done
    });
    assert_eq!(early, says("wrote content before end_headers()"));
    let closed = reply_to_mistake(|ex| {
        ex.send_response(200);
        ex.end_headers();
        Next::Send(0..10)
    });
    assert_eq!(closed, says("sent a file that is not open"));
}
