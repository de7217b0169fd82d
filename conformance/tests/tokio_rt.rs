//! Runs the suite on the tokio adapter, over sockets and TLS, with a disk.

#![cfg(unix)]

mod https;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use sanserve_conformance::{Case, Client, Log, Site, SiteFolder, StartedServer, run, servers};
use sanserve_server::Disk;
use sanserve_server::tokio_rt::HTTPServer;
use tokio::runtime::Runtime;

/// Starts a server for a case, with or without TLS.
fn start<'a>(
    site: &'a SiteFolder,
    runtime: &'a Runtime,
    over: impl Fn(HTTPServer) -> HTTPServer + 'a,
) -> impl FnMut(&Case, Log) -> io::Result<StartedServer> + 'a {
    move |case, log| {
        let _inside = runtime.enter();
        let server = over(HTTPServer::bind("127.0.0.1:0")?).with_log(move |lines| log.push(lines));
        let (address, case) = (server.server_address(), case.clone());
        let stopper = server.stopper();
        let disk = Disk::open(site.root_for(&case)?)?;
        let disk = disk.with_portable_names(case.portable_names());
        let disk = Arc::new(disk.with_portable_tags(true));
        runtime.spawn(server.serve_forever(disk, case.config(), move || case.handler()));
        Ok(StartedServer::new(address, move || {
            drop(stopper.shutdown(GRACE));
        }))
    }
}

#[test]
fn conforms() {
    let site = Site::standard().in_temp_dir().expect("a site");
    let runtime = Runtime::new().expect("a runtime");
    let start = start(&site, &runtime, |server| server);
    run("tokio", servers(start, Client::connect));
}

#[test]
fn conforms_over_tls() {
    let site = Site::standard().in_temp_dir().expect("a site");
    let runtime = Runtime::new().expect("a runtime");
    let (certificate, tls) = https::certified();
    let start = start(&site, &runtime, move |server| server.with_tls(tls.clone()));
    run(
        "tokio over TLS",
        servers(start, |to| certificate.connect(to)),
    );
}

/// The time for replies in progress when a server is stopped: longer than any case takes.
const GRACE: Duration = Duration::from_secs(20);
