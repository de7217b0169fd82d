//! Runs the suite on the stdio adapter, over pipes and over a socket. Every second connection has an asynchronous
//! handler.

#![cfg(unix)]

use std::io;
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::thread;

use sanserve_conformance::{Case, Client, HangUp, Log, Site, clients, run_except};
use sanserve_server::{Disk, stdio};

/// Runs the suite. `open` returns a client, and standard input and output of the server.
fn conform(
    name: &str,
    excludes: impl Fn(&Case) -> Option<&'static str>,
    open: impl Fn() -> io::Result<(Client, OwnedFd, OwnedFd)>,
) {
    let site = Site::standard().in_temp_dir().expect("a site");
    let mut connections = 0;
    let connect = clients(|case| {
        let (peer, input, output) = open()?;
        let disk = Disk::open(site.root_for(case)?)?
            .with_portable_names(case.portable_names())
            .with_portable_tags(true)
            .with_upload_tokens(sanserve_conformance::upload_token);
        let (case, log) = (case.clone(), Log::default());
        let connection = connections;
        connections += 1;
        let lines = log.clone();
        let serve = move || {
            let (config, handler) = (case.config(), case.alternating_handler(connection));
            stdio::serve(input, output, &disk, config, handler, &|lines| {
                log.push(lines);
            })
        };
        let served = thread::spawn(serve);
        Ok((peer, move || {
            served
                .join()
                .expect("it does not panic")
                .expect("the connection does not fail");
            lines.take()
        }))
    });
    run_except(name, excludes, connect);
}

/// Only a process as a whole is stopped.
fn excludes(case: &Case) -> Option<&'static str> {
    match case {
        _ if case.upgrades => Some("upgrades"),
        _ => case.stops().then_some("stopping"),
    }
}

#[test]
fn conforms() {
    let excludes = |case: &Case| match case.pace.hangs_up {
        // The end of a pipe that is written to counts as a reset.
        Some((_, HangUp::Closes)) => Some("clients that close"),
        _ => excludes(case),
    };
    conform("stdio", excludes, || {
        let (input, write) = io::pipe()?;
        let (read, output) = io::pipe()?;
        Ok((Client::new(read, write), input.into(), output.into()))
    });
}

#[test]
fn conforms_over_a_socket() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    conform("stdio, a socket", excludes, || {
        let peer = Client::connect(listener.local_addr()?)?;
        let (socket, _) = listener.accept()?;
        Ok((peer, socket.try_clone()?.into(), socket.into()))
    });
}
