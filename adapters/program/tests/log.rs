//! Tests a log that is not read, or that cannot be written: the program still serves and exits.
#![cfg(unix)]

#[path = "../../tests/client/mod.rs"]
mod client;
mod process;

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use client::{TIMEOUT, connect, get, site};
use process::{PROGRAM, Program, RUNTIMES};
use rustix::process::{Pid, Signal, kill_process};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};
use tempfile::TempDir;

/// A number of requests whose log lines, of [`LINE`] bytes each, fill any pipe and the queue behind it.
const REQUESTS: usize = 500;
const LINE: usize = 8 * 1024;

/// Longer than the program takes to exit if it only waits a second for the log.
const END: Duration = Duration::from_secs(10);

#[test]
fn an_unread_log_blocks_neither_serving_nor_stopping() {
    for runtime in RUNTIMES {
        let (_site, mut log, program) = with_unread_pipe(&["--runtime", runtime]);
        request_all(&connect(program.address()));
        ends_in_time(program, Signal::TERM);
        // The lines in the pipe are in order.
        let mut lines = String::new();
        log.read_to_string(&mut lines).unwrap();
        let lines: Vec<_> = lines.lines().collect();
        let whole = &lines[..lines.len() - 1];
        assert!(whole.len() > 5, "{runtime}: {} lines", whole.len());
        (0..).zip(whole).for_each(|(at, line)| is_line(line, at));
    }
}

#[test]
fn ctrl_c_does_not_wait_for_an_unread_log() {
    let (_site, log, program) = with_unread_pipe(&[]);
    request_all(&connect(program.address()));
    ends_in_time(program, Signal::INT);
    drop(log);
}

#[test]
fn ctrl_c_does_not_wait_for_its_own_message_to_be_read() {
    // As with `sanserve 2>&1 | reader`, standard output and standard error are one full pipe.
    let site = site();
    let (read, write) = io::pipe().unwrap();
    let mut command = Program::command(site.path());
    command.args(["-b", "127.0.0.1", "-p", "HTTP/1.1"]);
    command.stdout(write.try_clone().unwrap()).stderr(write);
    let child = command.stdin(Stdio::null()).spawn().unwrap();
    drop(command);
    let mut log = BufReader::new(read);
    let mut banner = String::new();
    log.read_line(&mut banner).unwrap();
    let address = banner.split("http://").nth(1).unwrap();
    let address = address.split('/').next().unwrap().parse().unwrap();
    request_all(&connect(address));
    let start = Instant::now();
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    assert_eq!(output(child).status.code(), Some(0));
    assert!(start.elapsed() < END, "{:?}", start.elapsed());
}

#[test]
fn dropped_lines_are_counted_in_the_log() {
    for runtime in RUNTIMES {
        let (_site, log, program) = with_unread_pipe(&["--runtime", runtime]);
        let socket = connect(program.address());
        request_all(&socket);
        let mut lines = BufReader::new(log).lines().map(Result::unwrap);
        let mut logged = 0;
        let notice = loop {
            let line = lines.next().unwrap();
            if line.starts_with("sanserve: ") {
                break line;
            }
            is_line(&line, logged);
            logged += 1;
        };
        // The queue holds 1 MiB.
        assert!((100..300).contains(&logged), "{runtime}: {logged}");
        let dropped = REQUESTS - logged;
        assert_eq!(
            notice,
            format!(
                "sanserve: {dropped} log lines were dropped because the log could not be written in time"
            )
        );
        request(&socket, REQUESTS);
        is_line(&lines.next().unwrap(), REQUESTS);
        // The exit waits while the log is being read.
        let rest = thread::spawn(move || lines.count());
        ends_in_time(program, Signal::TERM);
        assert_eq!(rest.join().unwrap(), 0);
    }
}

#[test]
fn a_late_reader_still_gets_the_end_of_the_log() {
    let (_site, mut log, program) = with_unread_pipe(&[]);
    let socket = connect(program.address());
    // More than a pipe holds, and less than the queue.
    let some = 100;
    (0..some).for_each(|at| request(&socket, at));
    let reader = thread::spawn(move || {
        let mut lines = String::new();
        log.read_to_string(&mut lines).map(|_| lines).unwrap()
    });
    ends_in_time(program, Signal::TERM);
    let lines = reader.join().unwrap();
    assert_eq!(lines.lines().count(), some);
    (0..)
        .zip(lines.lines())
        .for_each(|(at, line)| is_line(line, at));
}

#[test]
fn unread_sockets_and_terminals_do_not_block_it() {
    let (near, far) = UnixStream::pair().unwrap();
    let (terminal, end) = terminal();
    for (log, kept) in [(OwnedFd::from(far), OwnedFd::from(near)), (end, terminal)] {
        let site = site();
        let mut command = Program::command(site.path());
        command.args(["-b", "127.0.0.1", "-p", "HTTP/1.1"]);
        let program = Program::start_with_log(&mut command, log);
        drop(command);
        request_all(&connect(program.address()));
        ends_in_time(program, Signal::TERM);
        drop(kept);
    }
}

#[test]
fn stdio_serves_while_the_log_is_unread() {
    let site = site();
    let (log, write) = io::pipe().unwrap();
    let mut command = Command::new(PROGRAM);
    command.arg("-d").arg(site.path());
    command.args(["--stdio", "-p", "HTTP/1.1"]).stderr(write);
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    drop(command);
    let mut input = child.stdin.take().unwrap();
    let writer = thread::spawn(move || {
        for at in 0..REQUESTS {
            input.write_all(text(at).as_bytes()).unwrap();
        }
    });
    let Output { status, stdout, .. } = output(child);
    writer.join().unwrap();
    let replies = String::from_utf8(stdout).unwrap();
    assert_eq!(replies.matches("\r\n\r\nhello\n").count(), REQUESTS);
    assert!(status.success());
    drop(log);
}

#[test]
#[cfg(target_os = "linux")]
fn a_full_disk_under_the_log_does_not_block_it() {
    for runtime in RUNTIMES {
        let site = site();
        let full = File::options().write(true).open("/dev/full").unwrap();
        let mut command = Program::command(site.path());
        command.args(["-b", "127.0.0.1", "--runtime", runtime]);
        let program = Program::start_with_log(&mut command, full);
        for _ in 0..3 {
            assert!(get(program.address(), "/a.txt").starts_with("HTTP/1.1 200 OK\r\n"));
        }
        ends_in_time(program, Signal::TERM);
    }
}

/// Starts the program. Returns its site, the pipe of its standard error, and the program.
fn with_unread_pipe(options: &[&str]) -> (TempDir, io::PipeReader, Program) {
    let site = site();
    let (read, write) = io::pipe().unwrap();
    let mut command = Program::command(site.path());
    command.args(["-b", "127.0.0.1", "-p", "HTTP/1.1"]);
    let program = Program::start_with_log(command.args(options), write);
    (site, read, program)
}

/// Returns both ends of a terminal without echo.
fn terminal() -> (OwnedFd, OwnedFd) {
    let terminal = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&terminal).unwrap();
    unlockpt(&terminal).unwrap();
    let name = ptsname(&terminal, Vec::new()).unwrap();
    let end = File::options()
        .read(true)
        .write(true)
        .open(name.to_str().unwrap())
        .unwrap();
    let mut modes = tcgetattr(&end).unwrap();
    modes.local_modes.remove(LocalModes::ECHO);
    tcsetattr(&end, OptionalActions::Now, &modes).unwrap();
    (terminal, end.into())
}

/// Sends all requests one after the other, and reads the replies.
fn request_all(socket: &TcpStream) {
    (0..REQUESTS).for_each(|at| request(socket, at));
}

fn request(mut socket: &TcpStream, at: usize) {
    socket.write_all(text(at).as_bytes()).unwrap();
    assert!(client::read_head(socket).starts_with("HTTP/1.1 200 OK\r\n"));
    socket.read_exact(&mut [0; 6]).unwrap();
}

fn text(at: usize) -> String {
    format!("GET /a.txt?{at:0LINE$} HTTP/1.1\r\nHost: h\r\n\r\n")
}

/// Asserts that this is the log line of the request with this number.
fn is_line(line: &str, at: usize) {
    let end = format!("] \"GET /a.txt?{at:0LINE$} HTTP/1.1\" 200 -");
    assert!(
        line.ends_with(&end),
        "not request {at}: {}",
        &line[..80.min(line.len())]
    );
}

/// Waits for a process to exit, and kills it after a timeout.
fn output(child: Child) -> Output {
    let pid = Pid::from_child(&child);
    let (over, ended) = mpsc::channel();
    thread::spawn(move || over.send(child.wait_with_output().unwrap()));
    ended.recv_timeout(TIMEOUT).unwrap_or_else(|_| {
        let _ = kill_process(pid, Signal::KILL);
        panic!("the program does not exit");
    })
}

/// Stops the program, and checks that it does not wait for a reader of its log.
fn ends_in_time(program: Program, signal: Signal) {
    let start = Instant::now();
    program.signal(signal);
    assert_eq!(program.ends().status.code(), Some(0));
    assert!(start.elapsed() < END, "it took {:?}", start.elapsed());
}
