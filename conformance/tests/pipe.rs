//! The list on the plainest loop there is, over a pipe, its files those of the site itself: what
//! ports without sockets and without a disk are given.

use std::io::{Read, Write};
use std::time::{Duration, Instant, SystemTime};

use sanserve_conformance::{Case, End, Log, Site, pipes, run};
use sanserve_core::{Connection, FileSystem, Got, Now, Want};

#[test]
fn conforms() {
    let site = Site::standard();
    run(
        "a pipe",
        pipes(|case, end, log| serve(&site, case, end, log)),
    );
}

/// The loop of the engine's front page, over a link that blocks.
fn serve(site: &Site, case: &Case, mut end: End, log: &Log) {
    let mut conn = Connection::new(case.config(), "192.0.2.1", case.handler());
    let start = Instant::now();
    let mut got = Got::Nothing;
    loop {
        got = match conn.step(now(start.elapsed()), got).want {
            Want::Read(into) => end.read(into).map_or(Got::Failed, Got::Bytes),
            Want::Write(from) => end.write(from).map_or(Got::Failed, Got::Bytes),
            Want::Fill { file, at, into } => site.fill(file, at, into),
            Want::Copy { .. } => unreachable!("no file of the site is sendable"),
            Want::Give { file, from } => site.give(file, from),
            Want::Ask(ask) => site.answer(ask),
            Want::Log(lines) => {
                log.push(lines);
                Got::Nothing
            }
            Want::Shutdown => {
                end.shutdown();
                Got::Nothing
            }
            Want::Close => break,
        };
    }
}

fn now(tick: Duration) -> Now {
    let unix = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let unix = unix.ok().map(|unix| unix.as_secs() as i64);
    Now { tick, unix }
}
