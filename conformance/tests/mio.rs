//! The list on the mio adapter.

#![cfg(unix)]

use std::thread;

use sanserve::Disk;
use sanserve::mio::HTTPServer;
use sanserve_conformance::{Case, Log, Peer, Site, run, servers};

#[test]
fn conforms() {
    let site = Site::standard().make_temporary().expect("a site");
    let start = |case: &Case, log: Log| {
        let server = HTTPServer::bind("127.0.0.1:0")?.threads(1);
        let server = server.log(move |lines| log.push(lines));
        let (address, case) = (server.server_address(), case.clone());
        let disk = Disk::open(&site)?;
        thread::spawn(move || server.serve_forever(&disk, case.config(), || case.handler()));
        Ok(address)
    };
    run("mio", servers(start, Peer::connect));
}
