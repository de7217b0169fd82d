//! Tests the program where sendfile(2) does not exist, and where the disk fails while a file is sent: a sandbox
//! (seccomp) makes sendfile(2), or reads beyond an offset, fail.
#![cfg(target_os = "linux")]

#[path = "../../tests/client/mod.rs"]
mod client;
mod process;
mod seccomp;

use std::fs;
use std::io::{Read, Write};
use std::path::Path;
use std::process::Command;

use client::connect;
use process::{Program, RUNTIMES};
use rustix::process::Signal;
use tempfile::TempDir;

/// More than is sent together with the head.
const LEN: usize = 1 << 20;

fn site() -> (TempDir, Vec<u8>) {
    let site = TempDir::new().unwrap();
    let content: Vec<u8> = (0..LEN).map(|at| (at / 251 + at % 251) as u8).collect();
    fs::write(site.path().join("large"), &content).unwrap();
    (site, content)
}

/// The program in a sandbox in which sendfile(2), and reading beyond an offset, fail with this error.
fn in_a_sandbox(site: &Path, options: &[&str], error: i32, readable: u32) -> Command {
    let filter = filter(error, readable);
    let mut command = Program::command(site);
    command.args(["-b", "127.0.0.1"]).args(options);
    seccomp::confine(&mut command, filter);
    command
}

fn filter(error: i32, readable: u32) -> Vec<libc::sock_filter> {
    use seccomp::{end, jump, load};
    vec![
        load(0),
        jump(libc::BPF_JEQ, libc::SYS_sendfile as u32, 5, 0),
        jump(libc::BPF_JEQ, libc::SYS_pread64 as u32, 1, 0),
        jump(libc::BPF_JEQ, libc::SYS_preadv2 as u32, 0, 2),
        // The fourth argument.
        load(16 + 3 * 8),
        jump(libc::BPF_JGE, readable, 1, 0),
        end(libc::SECCOMP_RET_ALLOW),
        end(libc::SECCOMP_RET_ERRNO | error as u32),
    ]
}

/// Requests the file, and reads its content until the connection ends.
fn content(program: &Program) -> Vec<u8> {
    let mut socket = connect(program.address());
    socket.write_all(b"GET /large HTTP/1.0\r\n\r\n").unwrap();
    let mut reply = Vec::new();
    let _ = socket.read_to_end(&mut reply);
    let head = reply.windows(4).position(|end| end == b"\r\n\r\n");
    reply.split_off(head.expect("a head") + 4)
}

fn end(program: Program) -> String {
    program.signal(Signal::TERM);
    program.ends().stderr
}

#[test]
fn without_sendfile_files_are_read() {
    let (site, wanted) = site();
    for error in [libc::EINVAL, libc::ENOSYS, libc::EPERM, libc::EOVERFLOW] {
        for runtime in RUNTIMES {
            let options = ["--runtime", runtime];
            let mut command = in_a_sandbox(site.path(), &options, error, u32::MAX);
            let program = Program::start(&mut command);
            let got = content(&program) == wanted;
            let log = end(program);
            assert!(got, "{runtime}, error {error}: not the whole file; {log}");
        }
    }
}

#[test]
fn a_disk_error_during_sendfile_is_logged() {
    let (site, wanted) = site();
    let good = 64 * 1024;
    for runtime in RUNTIMES {
        let options = ["--runtime", runtime];
        let mut command = in_a_sandbox(site.path(), &options, libc::EIO, good);
        let program = Program::start(&mut command);
        let got = content(&program);
        let log = end(program);
        assert!(got.len() < LEN && wanted.starts_with(&got), "{runtime}");
        assert!(
            log.contains("The open file cannot be read"),
            "{runtime}: {log}"
        );
    }
}
