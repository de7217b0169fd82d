//! Runs the suite on the event-loop adapter, over sockets and TLS, with a disk.

#![cfg(unix)]

mod https;

use std::time::Duration;
use std::{io, thread};

use sanserve_conformance::{Case, Client, Log, Site, SiteFolder, StartedServer, run, servers};
use sanserve_server::Disk;
use sanserve_server::event_loop::HTTPServer;

/// Starts a server for a case, with or without TLS.
fn start(
    site: &SiteFolder,
    over: impl Fn(HTTPServer) -> HTTPServer,
) -> impl FnMut(&Case, Log) -> io::Result<StartedServer> {
    move |case, log| {
        let server = over(HTTPServer::bind("127.0.0.1:0")?.with_threads(1));
        let server = server.with_log(move |lines| log.push(lines));
        let (address, case) = (server.server_address(), case.clone());
        let stopper = server.stopper();
        let disk = Disk::open(site.root_for(&case)?)?
            .with_portable_names(case.portable_names())
            .with_portable_tags(true);
        thread::spawn(move || server.serve_forever(&disk, case.config(), || case.handler()));
        Ok(StartedServer::new(address, move || {
            stopper.shutdown(GRACE);
        }))
    }
}

#[test]
fn conforms() {
    let site = Site::standard().in_temp_dir().expect("a site");
    run(
        "mio",
        servers(start(&site, |server| server), Client::connect),
    );
}

#[test]
fn conforms_over_tls() {
    let site = Site::standard().in_temp_dir().expect("a site");
    let (certificate, tls) = https::certified();
    let start = start(&site, move |server| server.with_tls(tls.clone()));
    run("mio over TLS", servers(start, |to| certificate.connect(to)));
}

/// The time for replies in progress when a server is stopped: longer than any case takes.
const GRACE: Duration = Duration::from_secs(20);
