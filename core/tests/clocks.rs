//! Tests of the clocks of timeouts: each runs only while the connection waits for what it measures, and may be
//! infinite.

mod world;

use std::time::Duration;

use sanserve_core::{Config, Event, Exchange, Files, Handler, Next, Protocol};
use world::World;

const SECOND: Duration = Duration::from_secs(1);
const HELLO: &[u8] = b"GET /hello.txt HTTP/1.1\r\nHost: h\r\n\r\n";

fn http11() -> Config {
    Config::default().with_protocol(Protocol::Http11)
}

struct Counter {
    head_first: bool,
    len: usize,
}

impl Handler for Counter {
    fn begin(&mut self, ex: &mut Exchange<'_>) -> Next {
        if self.head_first {
            ex.send_response(200);
            ex.end_headers();
        }
        Next::Body
    }

    fn resume(&mut self, ex: &mut Exchange<'_>, event: Event<'_>) -> Next {
        if let Event::Data(bytes) = event {
            self.len += bytes.len();
            return Next::Body;
        }
        if !self.head_first {
            ex.send_response(200);
            ex.end_headers();
        }
        ex.write(self.len.to_string().as_bytes());
        Next::Done
    }
}

fn upload(head_first: bool, expect: &str) -> World<Counter> {
    let head = format!("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 100000\r\n{expect}\r\n");
    let mut world = World::new(http11(), Counter { head_first, len: 0 }, head.as_bytes());
    for i in 1..=100 {
        world = world.then(SECOND * i, &[b'x'; 1000]);
    }
    world.run();
    world
}

#[test]
fn a_100_does_not_start_the_clock_of_the_reply() {
    let world = upload(false, "Expect: 100-continue\r\n");
    assert_eq!(
        world.statuses(),
        ["HTTP/1.1 100 Continue", "HTTP/1.1 200 OK"],
        "{}",
        world.log
    );
}

#[test]
fn a_client_that_got_a_100_gets_a_408() {
    let head = b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n";
    let mut world = World::new(
        http11(),
        Counter {
            head_first: false,
            len: 0,
        },
        head,
    );
    world.half_close = false;
    world.run();
    assert_eq!(
        world.statuses(),
        [
            "HTTP/1.1 100 Continue",
            "HTTP/1.1 408 The content arrives too slowly"
        ],
        "{}",
        world.log
    );
}

#[test]
fn a_head_that_was_sent_early_does_not_start_the_clock_of_the_rest() {
    let world = upload(true, "");
    assert!(
        world.text().ends_with("6\r\n100000\r\n0\r\n\r\n"),
        "{}",
        world.log
    );
}

#[test]
fn an_error_reply_on_an_old_connection_has_its_own_time() {
    let mut world = World::new(http11(), Files::new(), HELLO);
    world = world.then(SECOND * 40, b"BAD\r\n\r\n");
    world.run();
    assert_eq!(
        world.statuses(),
        ["HTTP/1.1 200 OK", "HTTP/1.1 400 Bad request syntax ('BAD')"],
        "{}",
        world.log
    );
}

#[test]
fn a_second_head_that_is_late_gets_408_too() {
    let mut world = World::new(http11(), Files::new(), HELLO);
    world = world.then(SECOND * 5, b"GET / HT");
    world.half_close = false;
    world.run();
    assert_eq!(
        world.statuses(),
        ["HTTP/1.1 200 OK", "HTTP/1.1 408 Request Timeout"],
        "{}",
        world.log
    );
}

#[test]
fn infinite_timeouts_do_not_panic() {
    let mut config = http11();
    config.timeouts.head = Duration::MAX;
    World::new(config.clone(), Files::new(), HELLO).run();
    config.timeouts.idle = Duration::MAX;
    config.timeouts.grace = Duration::MAX;
    World::new(config, Files::new(), HELLO).run();
}
