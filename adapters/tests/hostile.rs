//! Peers that misbehave, against the program as it is: thousands who are slow, more than there is
//! room for, and those who leave in the middle of a word.
#![cfg(target_os = "linux")]

mod peer;
mod running;

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use peer::{LONG, ask, connect, head, site};
use running::{PROGRAM, Program};
use rustix::process::{Resource, Signal, getrlimit, setrlimit};

/// So many half-open heads, and so many slow readers.
const MANY: usize = 2_000;
/// The machine may be busy with something else: so many crowds may come until one of them disturbs
/// as little as it has to. The first two come in any case.
const CROWDS: usize = 6;

#[test]
fn four_thousand_slow_clients_disturb_nobody_and_leave_nothing() {
    if !may_open(8 * MANY as u64) {
        return;
    }
    let site = site();
    fs::write(site.path().join("page"), [b'x'; 1024]).unwrap();
    // On one core, and so with one thread.
    let mut command = Command::new("taskset");
    command.args(["-c", &core(), PROGRAM, "0", "-q", "-b", "127.0.0.1"]);
    let program = Program::start(command.args(["-p", "HTTP/1.1", "-d"]).arg(site.path()));
    let address = program.address();
    // Whatever is set up by the first requests is there from now on.
    median(address, || ());
    let (files, fresh) = (descriptors(&program), resident(&program));
    let (mut disturbs, mut before) = (true, None);
    for crowd in 0..CROWDS {
        let alone = median(address, || ());
        let (heads, readers) = (half_open(address), slow_readers(address));
        let mut turn = (0..MANY).cycle();
        let among = median(address, || {
            let at = turn.next().unwrap_or_default();
            (&heads[at]).write_all(b"x").unwrap();
            (&readers[at]).read_exact(&mut [0; 64]).unwrap();
        });
        let (most, held) = (resident(&program), descriptors(&program));
        assert!(held >= files + 2 * MANY, "only {held} descriptors");
        drop((heads, readers));
        wait("descriptors are left", || descriptors(&program) == files);
        let after = resident(&program);
        println!("alone {alone:?}, among {among:?}; {fresh} KiB fresh, {most} most, {after} after");
        disturbs &= among > 2 * alone;
        let before = *before.get_or_insert(after);
        let back = || resident(&program) * 10 <= before * 11;
        wait("memory is not given back", back);
        if crowd > 0 && !disturbs {
            break;
        }
    }
    assert!(!disturbs, "a crowd makes others wait");
    program.signal(Signal::INT);
    program.ends();
}

/// Connections on which half a request line was sent.
fn half_open(address: SocketAddr) -> Vec<TcpStream> {
    let begin = |_| {
        let mut socket = connect(address);
        socket.write_all(b"GET /pa").unwrap();
        socket
    };
    (0..MANY).map(begin).collect()
}

/// Connections on which a large file comes that nobody takes.
fn slow_readers(address: SocketAddr) -> Vec<TcpStream> {
    let begin = |_| {
        let socket = connect(address);
        ask(&socket, "/big");
        socket
    };
    let all: Vec<_> = (0..MANY).map(begin).collect();
    for socket in &all {
        assert!(head(socket).starts_with("HTTP/1.1 200 OK\r\n"));
    }
    all
}

/// How long a client waits for a page, from the beginning of its connection. Something else happens
/// before each.
fn median(address: SocketAddr, mut between: impl FnMut()) -> Duration {
    let mut times = [(); 200].map(|()| {
        between();
        let start = Instant::now();
        let mut socket = connect(address);
        ask(&socket, "/page");
        assert!(head(&socket).starts_with("HTTP/1.1 200 OK\r\n"));
        socket.read_exact(&mut [0; 1024]).unwrap();
        start.elapsed()
    });
    times.sort();
    times[times.len() / 2]
}

/// Lets this process, and so its children, open that many files, if that may be.
fn may_open(files: u64) -> bool {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    setrlimit(Resource::Nofile, limit).unwrap();
    let enough = limit.current.is_none_or(|most| most >= files);
    if !enough {
        let ci = std::env::var_os("CI").is_some();
        assert!(!ci, "CI has to allow {files} files");
        eprintln!("SKIPPED: this user may not open {files} files");
    }
    enough
}

/// One of the cores that may be used.
fn core() -> String {
    let cores = field("self", "Cpus_allowed_list:");
    cores.split([',', '-']).next().unwrap().to_owned()
}

/// How much memory is resident, in KiB.
fn resident(program: &Program) -> u64 {
    let text = field(&program.child.id().to_string(), "VmRSS:");
    text.trim_end_matches(" kB").parse().unwrap()
}

/// How many descriptors it has open.
fn descriptors(program: &Program) -> usize {
    let place = format!("/proc/{}/fd", program.child.id());
    fs::read_dir(place).unwrap().count()
}

/// What the system says of a process.
fn field(process: &str, name: &str) -> String {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let mut lines = status.lines();
    let value = lines.find_map(|line| line.strip_prefix(name)).unwrap();
    value.trim().to_owned()
}

/// Waits until that is so.
fn wait(complaint: &str, mut done: impl FnMut() -> bool) {
    let start = Instant::now();
    while !done() {
        assert!(start.elapsed() < LONG, "{complaint}");
        sleep(Duration::from_millis(10));
    }
}
