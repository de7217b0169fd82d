//! Tests `HTTPServer`, which serves one connection at a time: `handle_request`, and the addresses it binds.

mod client;

use std::net::Ipv4Addr;

use client::{TIMEOUT, connect, read_head, send_get};
use sanserve_core::{Config, from_fn};
use sanserve_server::{HTTPServer, NoFiles};

#[test]
fn handle_request_serves_exactly_one_connection() {
    let server = HTTPServer::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let server = server.with_log(|_| ());
    let address = server.server_address();
    assert_eq!(address.port(), server.server_port());
    let gone = || from_fn(|ex| ex.send_error(410, "Gone"));
    for _ in 0..2 {
        let (first, second) = (connect(address), connect(address));
        send_get(&first, "/");
        server.handle_request(NoFiles, Config::default(), gone);
        assert!(read_head(&first).starts_with("HTTP/1.0 410 Gone\r\n"));
        drop(second);
        server.handle_request(NoFiles, Config::default(), gone);
    }
    server.stopper().shutdown(TIMEOUT);
    server.handle_request(NoFiles, Config::default(), gone);
}

#[test]
fn bind_takes_the_first_available_address() {
    let first = HTTPServer::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let addresses = [first.server_address(), (Ipv4Addr::LOCALHOST, 0).into()];
    let second = HTTPServer::bind(&addresses[..]).unwrap();
    assert_ne!(second.server_port(), first.server_port());
    assert!(HTTPServer::bind(&addresses[..1]).is_err());
    assert!(HTTPServer::bind(&addresses[..0]).is_err());
}
