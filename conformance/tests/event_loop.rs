//! Runs the suite on the event-loop adapter, over sockets and TLS, with a disk.

#![cfg(unix)]

mod https;
#[cfg(target_os = "linux")]
mod tools;
#[cfg(target_os = "linux")]
mod trace;

use std::time::Duration;
use std::{io, thread};

use sanserve_conformance::{
    Case, Client, Log, Shout, Site, SiteFolder, StartedServer, run, servers,
};
use sanserve_core::Handler;
use sanserve_server::Disk;
use sanserve_server::event_loop::HTTPServer;

/// Returns the handler for a connection of a case.
type MakeHandler = fn(&Case) -> Box<dyn Handler + Send>;

/// Starts a server for a case, with or without TLS.
fn start(
    site: &SiteFolder,
    make_handler: MakeHandler,
    over: impl Fn(HTTPServer) -> HTTPServer,
) -> impl FnMut(&Case, Log) -> io::Result<StartedServer> {
    move |case, log| {
        let server = over(HTTPServer::bind("127.0.0.1:0")?.with_threads(1));
        let server = server.with_log(move |lines| log.push(lines));
        let (address, case) = (server.server_address(), case.clone());
        let stopper = server.stopper();
        let disk = Disk::open(site.root_for(&case)?)?
            .with_portable_names(case.portable_names())
            .with_portable_tags(true)
            .with_upload_tokens(sanserve_conformance::upload_token);
        thread::spawn(move || {
            let (config, handler) = (case.config(), || make_handler(&case));
            match case.upgrades {
                true => server.serve_with_upgrades(&disk, config, handler, |_, stream| {
                    // A client that disconnects ends the protocol.
                    let _ = Shout::default().serve(stream);
                }),
                false => server.serve_forever(&disk, config, handler),
            }
        });
        Ok(StartedServer::new(address, move || {
            stopper.shutdown(GRACE);
        }))
    }
}

#[test]
fn conforms() {
    let site = Site::standard().in_temp_dir().expect("a site");
    let start = start(&site, Case::handler, |server| server);
    run("mio", servers(start, Client::connect));
}

#[test]
fn conforms_with_asynchronous_handlers() {
    let site = Site::standard().in_temp_dir().expect("a site");
    let start = start(&site, Case::async_handler, |server| server);
    run("mio, async handlers", servers(start, Client::connect));
}

#[test]
fn conforms_over_tls() {
    let site = Site::standard().in_temp_dir().expect("a site");
    let (certificate, tls) = https::certified();
    let start = start(&site, Case::handler, move |server| {
        server.with_tls(tls.clone())
    });
    run("mio over TLS", servers(start, |to| certificate.connect(to)));
}

#[cfg(target_os = "linux")]
#[test]
fn the_timed_cases_have_partial_writes_and_reach_deadlines() {
    let Some(trace) = trace::Trace::of_timed_cases() else {
        return;
    };
    let partial = trace.partial_writes();
    // Nothing is ready, although the poll did not return immediately.
    let deadlines = trace.deadlines(|call| {
        let is_poll = call.starts_with("epoll_wait(") || call.starts_with("epoll_pwait(");
        is_poll && call.contains(", [], ") && !call.contains(", 0)") && !call.contains(", 0,")
    });
    println!("mio: {partial} partial writes, {deadlines} deadlines reached");
    assert!(partial >= 10, "{partial} partial writes");
    assert!(deadlines >= 5, "{deadlines} deadlines reached");
}

/// The time for replies in progress when a server is stopped: longer than any case takes.
const GRACE: Duration = Duration::from_secs(20);
