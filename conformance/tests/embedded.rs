//! Runs the suite on the adapters for embedded-io and embedded-io-async, over a pipe and without a disk. On
//! embedded-io, every second connection has an asynchronous handler.

mod tree;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use embassy_futures::{block_on, yield_now};
use sanserve_conformance::{Case, Log, PipeEnd, pipes, run_except};
use sanserve_core::{Connection, Handler, Now};
use sanserve_server::memory::{File, WritableTree};
use sanserve_server::{embedded, embedded_async};

type Served = Connection<File, Box<dyn Handler + Send>>;

/// Returns the handler for a connection of a case, from the number of the connection.
type MakeHandler = fn(&Case, usize) -> Box<dyn Handler + Send>;

/// Runs the suite on a loop, which gets a connection, its transport, a clock and a log.
fn conform(
    name: &str,
    make_handler: MakeHandler,
    excludes: impl Fn(&Case) -> Option<&'static str>,
    serve: impl Fn(&mut Served, &mut PipeEnd, &WritableTree, &dyn Fn() -> Now, &dyn Fn(&str)) + Sync,
) {
    let tree = tree::tree();
    let (start, connections) = (Instant::now(), AtomicUsize::new(0));
    let clock = || {
        let unix = SystemTime::now().duration_since(UNIX_EPOCH);
        Now {
            tick: start.elapsed(),
            unix: unix.ok().map(|unix| unix.as_secs() as i64),
        }
    };
    let serve = |case: &Case, mut end: PipeEnd, log: &Log| {
        let handler = make_handler(case, connections.fetch_add(1, Ordering::Relaxed));
        let mut conn = Connection::new(case.config(), "192.0.2.1", handler);
        let shelf = WritableTree::new(tree.clone().portable_names(case.portable_names()))
            .with_upload_tokens(sanserve_conformance::upload_token);
        serve(&mut conn, &mut end, &shelf, &clock, &|lines| {
            log.push(lines);
        });
    };
    run_except(name, excludes, pipes(serve));
}

/// The caller of these loops stops them, and their transports cannot be watched.
fn excludes(case: &Case) -> Option<&'static str> {
    match case {
        _ if case.upgrades => Some("upgrades"),
        _ if case.stops() => Some("stopping"),
        _ if case.hangs_up() => Some("clients that disconnect during work"),
        _ => None,
    }
}

#[test]
fn conforms() {
    let excludes = |case: &Case| match case {
        _ if case.upgrades => Some("upgrades"),
        _ => case.is_timed().then_some("deadlines"),
    };
    conform(
        "embedded-io",
        Case::alternating_handler,
        excludes,
        |conn, transport, shelf, clock, log| {
            embedded::serve(conn, transport, shelf, clock, log).expect("the pipe does not fail");
        },
    );
}

#[test]
fn conforms_with_deadlines() {
    let name = "embedded-io, ready";
    conform(name, Case::alternating_handler, excludes, serve_ready);
}

/// Each timed case has only one connection, so that the handlers do not alternate.
#[test]
fn conforms_with_deadlines_of_asynchronous_handlers() {
    let excludes = |case: &Case| match case.is_timed() {
        true => excludes(case),
        false => Some("not timed"),
    };
    let name = "embedded-io, ready, async handlers";
    conform(name, |case, _| case.async_handler(), excludes, serve_ready);
}

fn serve_ready(
    conn: &mut Served,
    transport: &mut PipeEnd,
    shelf: &WritableTree,
    clock: &dyn Fn() -> Now,
    log: &dyn Fn(&str),
) {
    let sleep = |_| thread::yield_now();
    let served =
        embedded::serve_ready(conn, transport, shelf, clock, log, PipeEnd::shutdown, sleep);
    served.expect("the pipe does not fail");
}

#[test]
fn conforms_asynchronously() {
    let handler: MakeHandler = |case, _| case.handler();
    conform("embedded-io-async", handler, excludes, serve_async);
}

#[test]
fn conforms_with_asynchronous_handlers() {
    let name = "embedded-io-async, async handlers";
    conform(name, |case, _| case.async_handler(), excludes, serve_async);
}

fn serve_async(
    conn: &mut Served,
    transport: &mut PipeEnd,
    shelf: &WritableTree,
    clock: &dyn Fn() -> Now,
    log: &dyn Fn(&str),
) {
    let sleep = async |left: Duration| {
        let until = clock().tick.saturating_add(left);
        while clock().tick < until {
            yield_now().await;
        }
    };
    let served =
        embedded_async::serve(conn, transport, shelf, clock, log, PipeEnd::shutdown, sleep);
    block_on(served).expect("the pipe does not fail");
}
