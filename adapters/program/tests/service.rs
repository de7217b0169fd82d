//! Tests the program as a service: listen addresses, inherited sockets, and notifications of the service manager.
#![cfg(unix)]

#[path = "../../tests/client/mod.rs"]
mod client;
mod process;

use std::fs;
use std::io::{BufRead, Read, Write};
use std::mem;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};
use std::path::Path;
use std::process::{Command, Stdio};

use client::{TIMEOUT, get, site};
use process::{Ended, PROGRAM, Program, RUNTIMES};
use rustix::process::Signal;
use tempfile::TempDir;

/// Requests `a.txt` on a Unix socket, and returns the reply.
fn get_at(path: &Path) -> String {
    let mut socket = UnixStream::connect(path).unwrap();
    socket.set_read_timeout(Some(TIMEOUT)).unwrap();
    socket.write_all(b"GET /a.txt HTTP/1.0\r\n\r\n").unwrap();
    let mut reply = String::new();
    socket.read_to_string(&mut reply).unwrap();
    reply
}

fn is_hello(reply: &str) -> bool {
    reply.starts_with("HTTP/1.1 200 OK\r\n") && reply.ends_with("\r\n\r\nhello\n")
}

/// Stops the program as a service manager does.
fn stop(program: Program) -> Ended {
    program.signal(Signal::TERM);
    let ended = program.ends();
    assert_eq!(ended.status.code(), Some(0), "{}", ended.stderr);
    ended
}

/// Runs the program with options with which it cannot listen, and returns its error.
fn refusal(directory: &Path, options: &[&str], code: i32) -> String {
    let ended = Program::serve(directory, options).ends();
    assert_eq!(ended.status.code(), Some(code), "{}", ended.stderr);
    assert_eq!(ended.stderr.lines().count(), 1, "{}", ended.stderr);
    ended.stderr
}

/// The value of `--bind` for a path.
fn bind(path: &Path) -> String {
    format!("unix:{}", path.display())
}

#[test]
fn it_listens_on_several_addresses_and_prints_them() {
    let (site, folder) = (site(), TempDir::new().unwrap());
    let path = folder.path().join("socket");
    let unix = bind(&path);
    let options = ["-b", "127.0.0.1", "-b", "localhost", "--bind", &unix];
    let mut program = Program::serve(site.path(), &options);
    assert!(is_hello(&get(program.address(), "/a.txt")));
    let mut second = String::new();
    program.stdout.read_line(&mut second).unwrap();
    let mut third = String::new();
    program.stdout.read_line(&mut third).unwrap();
    assert_eq!(third, format!("Serving HTTP on {unix} ...\n"));
    assert!(is_hello(&get_at(&path)));
    program.banner = second;
    assert!(is_hello(&get(program.address(), "/a.txt")));
    let log = stop(program).stderr;
    let mut peers: Vec<_> = log
        .lines()
        .filter_map(|line| line.split(' ').next())
        .collect();
    peers.sort_unstable();
    assert_eq!(peers.len(), 3, "{log}");
    assert_eq!(peers[2], "unix:", "{log}");
}

#[test]
fn only_a_stale_socket_is_replaced() {
    let (site, folder) = (site(), TempDir::new().unwrap());
    let path = folder.path().join("socket");
    let unix = bind(&path);
    // The socket file remains after its listener has closed.
    drop(UnixListener::bind(&path).unwrap());
    let program = Program::serve(site.path(), &["-b", &unix]);
    assert!(is_hello(&get_at(&path)));

    let message = refusal(site.path(), &["-b", &unix], 1);
    assert!(message.contains("already exists"), "{message}");
    assert!(is_hello(&get_at(&path)));
    stop(program);

    let file = folder.path().join("file");
    fs::write(&file, "mine").unwrap();
    let message = refusal(site.path(), &["-b", &bind(&file)], 1);
    assert!(message.contains("already exists"), "{message}");
    assert_eq!(fs::read(&file).unwrap(), b"mine");

    let message = refusal(
        site.path(),
        &["-b", &bind(&folder.path().join("no/socket"))],
        1,
    );
    assert!(message.contains("cannot listen on"), "{message}");
}

#[test]
fn threads_serve_several_addresses() {
    let site = site();
    let options = ["-b", "127.0.0.1", "-b", "localhost", "--runtime", "std"];
    let mut program = Program::serve(site.path(), &options);
    assert!(is_hello(&get(program.address(), "/a.txt")));
    let mut second = String::new();
    program.stdout.read_line(&mut second).unwrap();
    let first = mem::replace(&mut program.banner, second);
    assert_ne!(first, program.banner);
    assert!(is_hello(&get(program.address(), "/a.txt")));
    assert_eq!(stop(program).stderr.lines().count(), 2);
}

#[test]
fn only_mio_listens_on_a_path_and_tokio_on_one_address() {
    let (site, folder) = (site(), TempDir::new().unwrap());
    let unix = bind(&folder.path().join("socket"));
    for runtime in &RUNTIMES[1..] {
        let message = refusal(site.path(), &["-b", &unix, "--runtime", runtime], 2);
        assert!(message.contains("only --runtime mio"), "{message}");
    }
    for runtime in RUNTIMES.iter().filter(|runtime| **runtime == "tokio") {
        let options = ["-b", "127.0.0.1", "-b", "::1", "--runtime", runtime];
        let message = refusal(site.path(), &options, 2);
        assert!(message.contains("on one address only"), "{message}");
    }
}

/// The program as systemd starts it, with the socket as descriptor 3.
fn hand_over(socket: OwnedFd, directory: &Path, options: &[&str]) -> Command {
    let mut command = Command::new("sh");
    let script = r#"export LISTEN_PID=$$ LISTEN_FDS=1; exec "$0" "$@" 3<&0 </dev/null"#;
    command.args(["-c", script, PROGRAM, "0", "-d"]);
    command
        .arg(directory)
        .args(options)
        .stdin(Stdio::from(socket));
    command.env_remove("FORCE_COLOR").stdout(Stdio::piped());
    command.stderr(Stdio::piped());
    command
}

/// Starts the program, and waits for its first line.
fn start(mut command: Command) -> Program {
    let child = command.spawn().unwrap();
    // This closes the test's copy of the socket.
    drop(command);
    Program::after_banner(child)
}

#[test]
fn it_serves_on_an_inherited_socket() {
    let site = site();
    let socket = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address: SocketAddr = socket.local_addr().unwrap();
    // Clients that connect before the start wait.
    let early = client::connect(address);
    let program = start(hand_over(socket.into(), site.path(), &[]));
    assert_eq!(program.address(), address);
    client::send_get(&early, "/a.txt");
    assert!(client::read_head(&early).starts_with("HTTP/1.1 200 OK\r\n"));
    assert!(is_hello(&get(address, "/a.txt")));
    // Without --bind it listens only on the inherited socket.
    assert_eq!(stop(program).stdout, "");
}

#[test]
fn it_serves_on_an_inherited_path_and_on_bind() {
    let (site, folder) = (site(), TempDir::new().unwrap());
    let path = folder.path().join("socket");
    let socket = UnixListener::bind(&path).unwrap();
    let mut program = start(hand_over(socket.into(), site.path(), &["-b", "127.0.0.1"]));
    assert_eq!(
        program.banner,
        format!("Serving HTTP on {} ...\n", bind(&path))
    );
    assert!(is_hello(&get_at(&path)));
    program.banner.clear();
    program.stdout.read_line(&mut program.banner).unwrap();
    assert!(is_hello(&get(program.address(), "/a.txt")));
    stop(program);
}

#[test]
fn an_inherited_socket_that_does_not_listen_is_refused() {
    let site = site();
    let (datagrams, _far) = UnixDatagram::pair().unwrap();
    let (connected, _far) = UnixStream::pair().unwrap();
    for socket in [datagrams.into(), connected.into()] {
        let ended = start(hand_over(socket, site.path(), &[])).ends();
        assert_eq!(ended.status.code(), Some(2), "{}", ended.stderr);
        assert!(ended.stderr.contains("LISTEN_FDS"), "{}", ended.stderr);
        assert_eq!(ended.stderr.lines().count(), 1, "{}", ended.stderr);
    }
}

#[test]
fn inherited_sockets_are_an_error_on_other_runtimes() {
    let site = site();
    for runtime in &RUNTIMES[1..] {
        let socket = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let options = ["-b", "127.0.0.1", "--runtime", runtime];
        let ended = start(hand_over(socket.into(), site.path(), &options)).ends();
        assert_eq!(ended.status.code(), Some(2), "{}", ended.stderr);
        assert!(
            ended.stderr.contains("only --runtime mio"),
            "{}",
            ended.stderr
        );
    }
}

#[test]
fn the_service_manager_is_notified_when_it_is_ready() {
    let (site, folder) = (site(), TempDir::new().unwrap());
    let path = folder.path().join("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(TIMEOUT)).unwrap();
    let mut command = Program::command(site.path());
    let program = Program::start(
        command
            .args(["-b", "127.0.0.1"])
            .env("NOTIFY_SOCKET", &path),
    );
    let mut notification = [0; 100];
    let len = socket.recv(&mut notification).unwrap();
    assert_eq!(notification[..len].trim_ascii(), b"READY=1");
    assert!(is_hello(&get(program.address(), "/a.txt")));
    stop(program);
}

/// The protocol of sd_notify(3) for `Type=notify-reload`.
#[cfg(target_os = "linux")]
#[test]
fn the_service_manager_is_notified_of_a_reload() {
    let (site, folder) = (site(), TempDir::new().unwrap());
    let (path, users) = (folder.path().join("notify"), folder.path().join("users"));
    fs::write(&users, "mary:secret\n").unwrap();
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(TIMEOUT)).unwrap();
    let receive = || {
        let mut notification = [0; 100];
        let len = socket.recv(&mut notification).unwrap();
        String::from_utf8(notification[..len].to_vec()).unwrap()
    };
    let mut command = Command::new("setsid");
    command.env("NOTIFY_SOCKET", &path).arg(PROGRAM);
    command.args(["0", "-d"]).arg(site.path());
    let program = Program::start(command.arg("--auth-file").arg(&users));
    assert_eq!(receive().trim(), "READY=1");
    program.signal(Signal::HUP);
    let notification = receive();
    let since = notification.strip_prefix("RELOADING=1\nMONOTONIC_USEC=");
    let since = since.unwrap_or_else(|| panic!("{notification}"));
    assert!(since.trim().parse::<u64>().unwrap() > 0, "{notification}");
    assert_eq!(receive().trim(), "READY=1");
    stop(program);
}
