//! Runs the suite on the adapters for embedded-io and embedded-io-async, over a pipe and without a disk.

mod tree;

use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use embassy_futures::{block_on, yield_now};
use sanserve_conformance::{Case, Log, PipeEnd, pipes, run_except};
use sanserve_core::{Connection, Handler, Now};
use sanserve_server::memory::{File, WritableTree};
use sanserve_server::{embedded, embedded_async};

type Served = Connection<File, Box<dyn Handler + Send>>;

/// Runs the suite on a loop, which gets a connection, its transport, a clock and a log.
fn conform(
    name: &str,
    excludes: impl Fn(&Case) -> Option<&'static str>,
    serve: impl Fn(&mut Served, &mut PipeEnd, &WritableTree, &dyn Fn() -> Now, &dyn Fn(&str)) + Sync,
) {
    let tree = tree::tree();
    let start = Instant::now();
    let clock = || {
        let unix = SystemTime::now().duration_since(UNIX_EPOCH);
        Now {
            tick: start.elapsed(),
            unix: unix.ok().map(|unix| unix.as_secs() as i64),
        }
    };
    let serve = |case: &Case, mut end: PipeEnd, log: &Log| {
        let mut conn = Connection::new(case.config(), "192.0.2.1", case.handler());
        let shelf = WritableTree::new(tree.clone().portable_names(case.portable_names()));
        serve(&mut conn, &mut end, &shelf, &clock, &|lines| {
            log.push(lines);
        });
    };
    run_except(name, excludes, pipes(serve));
}

/// The caller of these loops stops them, and their transports cannot be watched.
fn excludes(case: &Case) -> Option<&'static str> {
    match case {
        _ if case.stops() => Some("stopping"),
        _ if case.hangs_up() => Some("clients that disconnect during work"),
        _ => None,
    }
}

#[test]
fn conforms() {
    let excludes = |case: &Case| case.is_timed().then_some("deadlines");
    conform(
        "embedded-io",
        excludes,
        |conn, transport, shelf, clock, log| {
            embedded::serve(conn, transport, shelf, clock, log).expect("the pipe does not fail");
        },
    );
}

#[test]
fn conforms_with_deadlines() {
    conform(
        "embedded-io, ready",
        excludes,
        |conn, transport, shelf, clock, log| {
            let sleep = |_| thread::yield_now();
            let served =
                embedded::serve_ready(conn, transport, shelf, clock, log, PipeEnd::shutdown, sleep);
            served.expect("the pipe does not fail");
        },
    );
}

#[test]
fn conforms_asynchronously() {
    conform(
        "embedded-io-async",
        excludes,
        |conn, transport, shelf, clock, log| {
            let sleep = async |left: Duration| {
                let until = clock().tick.saturating_add(left);
                while clock().tick < until {
                    yield_now().await;
                }
            };
            let served =
                embedded_async::serve(conn, transport, shelf, clock, log, PipeEnd::shutdown, sleep);
            block_on(served).expect("the pipe does not fail");
        },
    );
}
