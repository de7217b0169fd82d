//! A server as firmware runs it: files built into the program, a byte stream of embedded-io, no operating system.
//! Only `Serial`, which takes the place of a driver, depends on the machine.
//!
//! `printf 'GET / HTTP/1.0\r\n\r\n' | cargo run -p sanserve-examples --bin embedded`

use std::io::{self, Read, Write};
use std::time::Instant;

use sanserve_core::{Config, Connection, Files, Now};
use sanserve_server::{Flash, Node, embedded};

static SITE: Flash = Flash::new(&[
    Node::file(
        "index.html",
        b"<!DOCTYPE html><title>Lamp</title><a href=src/>",
    ),
    Node::directory(
        "src",
        &[Node::file("embedded.rs", include_bytes!("embedded.rs"))],
    ),
]);

fn main() -> io::Result<()> {
    let mut config = Config::default();
    config.limits = config
        .limits
        .with_head(
            config
                .limits
                .head
                .with_request_line(512)
                .with_field_bytes(1024),
        )
        .with_outbox(1024);
    let mut conn = Connection::new(config, "-", Files::new());
    let start = Instant::now();
    let clock = || Now {
        tick: start.elapsed(),
        unix: None, // there is no clock that knows the date
    };
    embedded::serve(&mut conn, &mut Serial, &SITE, clock, |_| ())
}

/// Standard input and output, in place of a serial line or a socket of a network stack.
struct Serial;

impl ::embedded_io::ErrorType for Serial {
    type Error = io::Error;
}

impl ::embedded_io::Read for Serial {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        io::stdin().read(into)
    }
}

impl ::embedded_io::Write for Serial {
    fn write(&mut self, from: &[u8]) -> io::Result<usize> {
        io::stdout().write(from)
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stdout().flush()
    }
}
