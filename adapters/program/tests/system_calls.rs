//! Tests the cost of requests: their system calls, counted by strace, and the memory while a gigabyte is sent. Also
//! tests that startup reads at most one time-zone file.

#![cfg(target_os = "linux")]

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::{Child, ChildStderr, Command, Stdio};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

const PROGRAM: &str = env!("CARGO_BIN_EXE_sanserve");

/// The running program.
struct Program {
    child: Child,
    address: String,
}

impl Program {
    fn start(site: &Path, runtime: &str) -> Program {
        let mut command = Command::new(PROGRAM);
        command.args(["-q", "-b", "127.0.0.1", "-p", "HTTP/1.1"]);
        command.args(["--runtime", runtime, "-d"]);
        let child = command.arg(site).arg("0").stdout(Stdio::piped()).spawn();
        let mut child = child.expect("the program starts");
        let mut banner = String::new();
        let stdout = child.stdout.take().expect("the stream is piped");
        BufReader::new(stdout)
            .read_line(&mut banner)
            .expect("the program prints its banner");
        let address = banner
            .split("http://")
            .nth(1)
            .and_then(|rest| rest.split('/').next());
        let address = address.expect("the banner has the address").to_owned();
        Program { child, address }
    }

    /// Traces every system call until the program ends. Returns `None` if strace is not installed.
    fn trace(&self, into: &Path) -> Option<(Child, BufReader<ChildStderr>)> {
        let mut strace = Command::new("strace");
        strace
            .arg("-f")
            .arg("-o")
            .arg(into)
            .arg("-p")
            .arg(self.child.id().to_string());
        let mut child = strace.stderr(Stdio::piped()).spawn().ok()?;
        let mut stderr = BufReader::new(child.stderr.take().expect("the stream is piped"));
        let mut line = String::new();
        stderr.read_line(&mut line).expect("strace prints a line");
        assert!(line.contains("attached"), "strace: {line}");
        // strace would end if nobody read its standard error.
        Some((child, stderr))
    }

    /// Requests `target` several times on one connection. Returns the length of the last content.
    fn get(&self, target: &str, times: usize) -> u64 {
        let mut socket = TcpStream::connect(&self.address).expect("the program listens");
        socket.set_nodelay(true).expect("a socket");
        let mut reader = BufReader::with_capacity(1 << 20, socket.try_clone().expect("a socket"));
        let mut len = 0;
        for _ in 0..times {
            write!(socket, "GET {target} HTTP/1.1\r\nHost: h\r\n\r\n")
                .expect("the program reads the request");
            len = read_head(&mut reader);
            let mut content = reader.by_ref().take(len);
            let got =
                std::io::copy(&mut content, &mut std::io::sink()).expect("the program replies");
            assert_eq!(got, len);
        }
        len
    }

    /// Returns the peak of resident memory in KiB.
    fn peak(&self) -> u64 {
        let status = format!("/proc/{}/status", self.child.id());
        let status = fs::read_to_string(status).expect("the program is running");
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("VmHWM:"))
            .expect("Linux has this entry");
        line.trim()
            .trim_end_matches(" kB")
            .parse()
            .expect("a number")
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Reads the head of a 200, and returns its `Content-Length`.
fn read_head(reader: &mut impl BufRead) -> u64 {
    let mut lines = reader
        .lines()
        .map(|line| line.expect("the program replies"));
    assert_eq!(lines.next().as_deref(), Some("HTTP/1.1 200 OK"));
    let fields: Vec<_> = lines.take_while(|line| !line.is_empty()).collect();
    let len = fields
        .iter()
        .find_map(|line| line.strip_prefix("Content-Length: "));
    len.expect("a file has a length").parse().expect("a number")
}

/// Waits until this Unix time.
fn wait_until(unix: i64) {
    while SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("the time is after 1970")
        .as_secs()
        < unix as u64
    {
        thread::sleep(Duration::from_millis(20));
    }
}

fn sparse(folder: &TempDir, name: &str, len: u64) {
    let file = File::create(folder.path().join(name)).expect("a temporary file");
    file.set_len(len).expect("large files are supported");
}

/// Returns, in order, the system calls of the thread that made the call `made`.
fn calls<'a>(trace: &'a str, made: &str) -> Vec<&'a str> {
    let lines = trace.lines().filter_map(|line| line.split_once(' '));
    let calls = lines.filter_map(|(id, call)| Some((id, call.trim_start().split_once('(')?.0)));
    let calls: Vec<_> = calls.collect();
    let (thread, _) = calls
        .iter()
        .find(|(_, call)| *call == made)
        .expect("the call was made");
    // With debug assertions the standard library checks a descriptor with fcntl before closing it.
    let looks = |call: &str| cfg!(debug_assertions) && call == "fcntl";
    let counts = |call: &str| !call.starts_with('<') && !looks(call);
    calls
        .iter()
        .filter(|(id, call)| id == thread && counts(call))
        .map(|(_, call)| *call)
        .collect()
}

#[test]
fn a_small_file_costs_six_system_calls_and_a_large_one_is_sent_by_reference() {
    // recvfrom openat2 statx pread64 close sendto
    count("std", "/small", "pread64", false, 6);
}

#[test]
fn an_unchanged_small_file_costs_three_system_calls() {
    // recvfrom statx sendto, and epoll_wait
    count("std", "/small", "statx", true, 3);
    count("mio", "/small", "statx", true, 4);
}

#[test]
fn among_many_connections_a_small_file_costs_one_more() {
    // epoll_wait recvfrom openat2 statx preadv2 close sendto
    count("mio", "/small", "preadv2", false, 7);
}

#[test]
fn an_unchanged_large_file_is_not_opened_again() {
    // epoll_wait recvfrom statx sendto preadv2 sendfile
    count("mio", "/medium", "sendfile", true, 6);
}

#[test]
fn pipelined_requests_are_answered_in_one_write() {
    let folder = TempDir::new().expect("a temporary folder");
    let trace = folder.path().join("trace");
    sparse(&folder, "small", 1024);
    settle(&folder, "small");
    let program = Program::start(folder.path(), "mio");
    let Some((mut strace, _stderr)) = program.trace(&trace) else {
        return skip();
    };
    let mut socket = TcpStream::connect(&program.address).expect("the program listens");
    let mut reader = BufReader::new(socket.try_clone().expect("a socket"));
    for _ in 0..50 {
        let requests = "GET /small HTTP/1.1\r\nHost: h\r\n\r\n".repeat(16);
        socket
            .write_all(requests.as_bytes())
            .expect("the program reads the request");
        for _ in 0..16 {
            let mut content = vec![0; read_head(&mut reader) as usize];
            reader
                .read_exact(&mut content)
                .expect("the program replies");
        }
    }
    drop(program);
    strace.wait().expect("strace exits with the program");
    let trace = fs::read_to_string(trace).expect("strace wrote it");
    let calls = calls(&trace, "sendto");
    let count = |name| calls.iter().filter(|call| **call == name).count();
    // Of sixteen, the first is looked up, and the second, after which the result is reused.
    println!("50 times 16 requests: {} statx", count("statx"));
    println!("50 times 16 requests: {} sendto", count("sendto"));
    assert!(count("statx") <= 2 * 55 && count("sendto") <= 55);
}

#[test]
fn a_connection_with_a_request_is_not_registered_with_the_poller() {
    let folder = TempDir::new().expect("a temporary folder");
    let trace = folder.path().join("trace");
    sparse(&folder, "small", 1024);
    let program = Program::start(folder.path(), "mio");
    let Some((mut strace, _stderr)) = program.trace(&trace) else {
        return skip();
    };
    for _ in 0..100 {
        let mut socket = TcpStream::connect(&program.address).expect("the program listens");
        let request = "GET /small HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";
        socket
            .write_all(request.as_bytes())
            .expect("the program reads the request");
        assert!(
            socket
                .read_to_end(&mut Vec::new())
                .expect("the program replies")
                > 1024
        );
    }
    drop(program);
    strace.wait().expect("strace exits with the program");
    let trace = fs::read_to_string(trace).expect("strace wrote it");
    let count = |name: &str| trace.matches(&format!(" {name}(")).count();
    println!("100 connections: {} recvfrom", count("recvfrom"));
    println!("100 connections: {} epoll_ctl", count("epoll_ctl"));
    assert!(count("recvfrom") <= 105 && count("epoll_ctl") <= 5);
    // No TCP_INFO is needed to know whether everything was acknowledged.
    assert_eq!(trace.matches("TCP_INFO").count(), 0);
}

#[test]
fn startup_reads_at_most_one_time_zone_file() {
    let folder = TempDir::new().expect("a temporary folder");
    let trace = folder.path().join("trace");
    let mut strace = Command::new("strace");
    strace.arg("-f").arg("-o").arg(&trace).arg(PROGRAM);
    // A log needs local time.
    strace.args(["-b", "127.0.0.1", "-d"]).arg(folder.path());
    let Ok(mut child) = strace.arg("0").stdout(Stdio::piped()).spawn() else {
        return skip();
    };
    let stdout = child.stdout.take().expect("the stream is piped");
    let mut line = String::new();
    BufReader::new(stdout)
        .read_line(&mut line)
        .expect("the program prints its banner");
    let trace_of_start = fs::read_to_string(&trace).expect("strace writes it");
    let program = trace_of_start.split(' ').next().expect("a process");
    let program = Pid::from_raw(program.parse().expect("a number")).expect("not 0");
    kill_process(program, Signal::TERM).expect("a child of this process");
    child.wait().expect("strace exits with the program");
    let zones = trace_of_start.matches("zoneinfo").count();
    println!("{} system calls", trace_of_start.lines().count());
    assert!(zones <= 1, "it looks at {zones} zones");
}

/// Notes that the test was skipped.
fn skip() {
    assert!(std::env::var_os("CI").is_none(), "CI has to install strace");
    eprintln!("SKIPPED: system calls are counted by strace, which is not installed");
}

/// Waits until a file has not changed for long enough to be cached.
fn settle(folder: &TempDir, name: &str) {
    let file = fs::metadata(folder.path().join(name)).expect("the file exists");
    wait_until(file.ctime() + 3);
}

/// Counts the system calls for a file on the thread that makes the call `made`. The file is new, or `settled`:
/// unchanged for long enough to be cached.
fn count(runtime: &str, target: &str, made: &str, settled: bool, limit: usize) {
    let folder = TempDir::new().expect("a temporary folder");
    let trace = folder.path().join("trace");
    sparse(&folder, "small", 1024);
    sparse(&folder, "large", 10 << 20);
    sparse(&folder, "medium", 100 << 10);
    if settled {
        settle(&folder, "medium");
    }
    let program = Program::start(folder.path(), runtime);
    let Some((mut strace, _stderr)) = program.trace(&trace) else {
        return skip();
    };
    program.get(target, 110);
    assert_eq!(program.get("/large", 1), 10 << 20);
    drop(program);
    strace.wait().expect("strace exits with the program");

    let trace = fs::read_to_string(trace).expect("strace wrote it");
    let small = calls(&trace, made);
    let reads: Vec<_> = (0..small.len())
        .filter(|&at| small[at] == "recvfrom")
        .collect();
    // From the read of the tenth request to the read a hundred requests later.
    let hundred = &small[reads[9]..reads[109]];
    println!(
        "a kept-alive request for {target} with {runtime}: {}",
        hundred[..hundred.len() / 100].join(" ")
    );
    // The event loop may wake up one extra time.
    assert!(
        hundred.len() <= 105 * limit,
        "{} system calls for 100 requests",
        hundred.len()
    );
    let large = calls(&trace, "sendfile");
    // After a partial write, the rest may fit into the outbox.
    let reads = large.iter().filter(|call| **call == "pread64").count();
    assert!(reads <= 1, "the large file was read: {large:?}");
    // All packets except the last are full.
    let corks = trace.matches("TCP_CORK").count();
    assert_eq!(corks, if runtime == "mio" { 2 } else { 0 });
}

#[test]
fn sending_a_gigabyte_takes_less_than_four_megabytes_of_memory() {
    let folder = TempDir::new().expect("a temporary folder");
    sparse(&folder, "huge", 1 << 30);
    for runtime in ["std", "mio"] {
        let program = Program::start(folder.path(), runtime);
        // Resident code depends on the build.
        let before = program.peak();
        assert_eq!(program.get("/huge", 1), 1 << 30);
        let more = program.peak() - before;
        println!("resident with {runtime}: {before} KiB, and {more} KiB for a gigabyte");
        assert!(more < 4 * 1024, "{more} KiB");
    }
}
