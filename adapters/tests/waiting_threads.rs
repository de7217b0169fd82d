//! Hundreds of waiting clients take no thread each. This is a test of its own, since it counts the threads of its process.
#![cfg(target_os = "linux")]

mod peer;
mod serving;
mod waits;

use std::fs;

use peer::{LONG, ask, connect, head, hello};
use serving::{Serving, Setup};
use waits::Messages;

/// How many threads this process has.
fn threads() -> usize {
    fs::read_dir("/proc/self/task").unwrap().count()
}

#[test]
fn six_hundred_waiting_clients_take_no_thread_each() {
    sanserve_server::raise_descriptor_limit();
    for name in ["mio", "mio of four threads", "tokio"] {
        let (handler, waiting) = Messages::new();
        let server = Serving::with_handler(name, Setup::default(), handler);
        let other = connect(server.address);
        hello(&other);
        let before = threads();
        let clients: Vec<_> = (0..600)
            .map(|_| {
                let socket = connect(server.address);
                ask(&socket, "/wait");
                (socket, waiting.recv_timeout(LONG).unwrap())
            })
            .collect();
        hello(&other);
        // Threads of the server itself may start late.
        assert!(threads() < before + 20, "{name}: {before}, {}", threads());
        for (_, events) in &clients {
            events.end();
        }
        for (socket, _) in &clients {
            assert!(head(socket).starts_with("HTTP/1.1 200 "), "{name}");
        }
    }
}
