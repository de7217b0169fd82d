//! Ten thousand connections that are kept alive and idle: what they cost, and that they are in
//! nobody's way.

#![cfg(target_os = "linux")]

mod peer;
mod running;

use std::fs;
use std::thread::sleep;
use std::time::{Duration, Instant};

use peer::{LONG, connect, hello, site};
use running::Program;
use rustix::process::{Resource, Signal, getrlimit, setrlimit};

const MANY: usize = 10_000;

#[test]
fn ten_thousand_idle_connections_fit_in_sixteen_mebibytes_on_tokio_in_sixty() {
    // One after the other: each takes most of the descriptors that there are.
    fit("mio", 16);
    fit("tokio", 60);
}

/// Ten thousand connections that have made a request each, in so many MiB.
fn fit(runtime: &str, most: u64) {
    let most = most * 1024;
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    setrlimit(Resource::Nofile, limit).unwrap();
    if limit.current.is_some_and(|files| files < 14_000) {
        assert!(
            std::env::var_os("CI").is_none(),
            "CI has to allow more files"
        );
        eprintln!("SKIPPED: this user may not open 14,000 files");
        return;
    }
    let site = site();
    let options = [
        "-q",
        "-b",
        "127.0.0.1",
        "-p",
        "HTTP/1.1",
        "--runtime",
        runtime,
    ];
    let program = Program::serve(site.path(), &options);
    let idle: Vec<_> = (0..MANY)
        .map(|_| {
            let socket = connect(program.address());
            hello(&socket);
            socket
        })
        .collect();
    // A connection gives its buffers back soon.
    let (start, mut resident) = (Instant::now(), resident(&program));
    while resident >= most && start.elapsed() < LONG {
        sleep(Duration::from_millis(100));
        resident = self::resident(&program);
    }
    // They are all there, and so is whoever comes next.
    let other = connect(program.address());
    [&other, &idle[0], &idle[MANY - 1]]
        .into_iter()
        .for_each(hello);
    program.signal(Signal::INT);
    program.ends();
    println!("{MANY} idle connections with {runtime}: {resident} KiB resident");
    assert!(resident < most, "{resident} KiB");
}

/// How much memory is resident, in KiB.
fn resident(program: &Program) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", program.child.id())).unwrap();
    let mut lines = status.lines();
    let line = lines.find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}
