//! Tests that hundreds of waiting clients need no thread each. The test has a process of its own, because it counts the
//! threads of the process.
#![cfg(target_os = "linux")]

mod client;
mod servers;
mod waiting_handler;

use std::fs;

use client::{TIMEOUT, connect, get_hello, read_head, send_get};
use servers::{Setup, TestServer};
use waiting_handler::MessageHandler;

/// Returns the number of threads of this process.
fn threads() -> usize {
    fs::read_dir("/proc/self/task").unwrap().count()
}

#[test]
fn six_hundred_waiting_clients_need_no_thread_each() {
    sanserve_server::raise_descriptor_limit();
    for name in ["event loop", "event loop with four threads", "tokio"] {
        let (handler, requests) = MessageHandler::new();
        let server = TestServer::with_handler(name, Setup::default(), handler);
        let other = connect(server.address);
        get_hello(&other);
        let before = threads();
        let clients: Vec<_> = (0..600)
            .map(|_| {
                let socket = connect(server.address);
                send_get(&socket, "/wait");
                (socket, requests.recv_timeout(TIMEOUT).unwrap())
            })
            .collect();
        get_hello(&other);
        // Some threads of the server itself may start late.
        assert!(threads() < before + 20, "{name}: {before}, {}", threads());
        for (_, request) in &clients {
            request.end();
        }
        for (socket, _) in &clients {
            assert!(read_head(socket).starts_with("HTTP/1.1 200 "), "{name}");
        }
    }
}
