//! A server without threads: where it listens, and one connection at a time.

mod peer;

use std::net::Ipv4Addr;

use peer::{LONG, ask, connect, head};
use sanserve_core::{Config, from_fn};
use sanserve_server::{HTTPServer, NoFiles};

#[test]
fn one_connection_is_handled_and_no_further_one() {
    let server = HTTPServer::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let server = server.with_log(|_| ());
    let address = server.server_address();
    assert_eq!(address.port(), server.server_port());
    let gone = || from_fn(|ex| ex.send_error(410, "Gone"));
    for _ in 0..2 {
        let (first, second) = (connect(address), connect(address));
        ask(&first, "/");
        server.handle_request(NoFiles, Config::default(), gone);
        assert!(head(&first).starts_with("HTTP/1.0 410 Gone\r\n"));
        drop(second);
        server.handle_request(NoFiles, Config::default(), gone);
    }
    server.stopper().shutdown(LONG);
    server.handle_request(NoFiles, Config::default(), gone);
}

#[test]
fn the_first_address_that_can_be_had_is_taken() {
    let taken = HTTPServer::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let addresses = [taken.server_address(), (Ipv4Addr::LOCALHOST, 0).into()];
    let other = HTTPServer::bind(&addresses[..]).unwrap();
    assert_ne!(other.server_port(), taken.server_port());
    assert!(HTTPServer::bind(&addresses[..1]).is_err());
    assert!(HTTPServer::bind(&addresses[..0]).is_err());
}
