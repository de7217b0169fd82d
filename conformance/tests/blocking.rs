//! Runs the suite on the blocking adapter, over sockets and TLS, with a disk.

#![cfg(any(unix, windows))]

mod https;
mod system;
#[cfg(target_os = "linux")]
mod tools;
#[cfg(target_os = "linux")]
mod trace;

use std::time::Duration;
use std::{io, thread};

use sanserve_conformance::{
    Case, Client, Log, Shout, Site, SiteFolder, StartedServer, run_except, servers,
};
use sanserve_core::Handler;
use sanserve_server::{Disk, ThreadingHTTPServer};

use self::system::excludes;

/// Returns the handler for a connection of a case.
type MakeHandler = fn(&Case) -> Box<dyn Handler + Send>;

/// Starts a server for a case, with or without TLS.
fn start(
    site: &SiteFolder,
    make_handler: MakeHandler,
    over: impl Fn(ThreadingHTTPServer) -> ThreadingHTTPServer,
) -> impl FnMut(&Case, Log) -> io::Result<StartedServer> {
    move |case, log| {
        let server = over(ThreadingHTTPServer::bind("127.0.0.1:0")?);
        let server = server.with_log(move |lines| log.push(lines));
        let (address, case) = (server.server_address(), case.clone());
        let stopper = server.stopper();
        let disk = Disk::open(site.root_for(&case)?)?
            .with_portable_names(case.portable_names())
            .with_portable_tags(true);
        #[cfg(unix)]
        let disk = disk.with_upload_tokens(sanserve_conformance::upload_token);
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
    run_except("std", excludes, servers(start, Client::connect));
}

#[test]
fn conforms_with_asynchronous_handlers() {
    let site = Site::standard().in_temp_dir().expect("a site");
    let start = start(&site, Case::async_handler, |server| server);
    run_except(
        "std, async handlers",
        excludes,
        servers(start, Client::connect),
    );
}

#[test]
fn conforms_over_tls() {
    let site = Site::standard().in_temp_dir().expect("a site");
    let (certificate, tls) = https::certified();
    let start = start(&site, Case::handler, move |server| {
        server.with_tls(tls.clone())
    });
    run_except(
        "std over TLS",
        excludes,
        servers(start, |to| certificate.connect(to)),
    );
}

#[cfg(target_os = "linux")]
#[test]
fn the_timed_cases_have_partial_writes_and_reach_deadlines() {
    let Some(trace) = trace::Trace::of_timed_cases() else {
        return;
    };
    let partial = trace.partial_writes();
    // A read waits for the timeout of its socket, a write in a poll.
    let deadlines = trace.deadlines(|call| {
        let is_read = call.starts_with("recvfrom(") && !call.contains("MSG_");
        let is_write = call.starts_with("ppoll(") && call.contains("POLLOUT");
        is_read && call.contains("EAGAIN") || is_write && call.contains("Timeout")
    });
    println!("std: {partial} partial writes, {deadlines} deadlines reached");
    assert!(partial >= 10, "{partial} partial writes");
    assert!(deadlines >= 6, "{deadlines} deadlines reached");
}

/// The time for replies in progress when a server is stopped: longer than any case takes.
const GRACE: Duration = Duration::from_secs(20);
