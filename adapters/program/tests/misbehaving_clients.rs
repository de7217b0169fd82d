//! Tests misbehaving clients: thousands of slow ones, more than there are connections or descriptors, those that
//! disconnect in the middle of a request or reply, and those that send content that is not read.
#![cfg(target_os = "linux")]

#[path = "../../tests/client/mod.rs"]
mod client;
mod process;
mod resources;
#[path = "../../../conformance/tests/tools/mod.rs"]
mod tools;

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::Path;
use std::process::Command;
use std::sync::mpsc;
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

use client::{TIMEOUT, connect, get, get_hello, read_head, send_get, site};
use process::{PROGRAM, Program};
use resources::{core, descriptors, on_core, resident, threads};
use rustix::process::{Resource, getrlimit, setrlimit};
use sanserve_core::{Config, Files, Protocol};
use sanserve_server::{Disk, event_loop::HTTPServer};
use socket2::SockRef;

/// The number of connections with half a request, and of those that do not read.
const SLOW_CLIENTS: usize = 2_000;

#[test]
fn four_thousand_slow_clients_leak_nothing() {
    if !may_open(8 * SLOW_CLIENTS as u64) {
        return;
    }
    let site = site();
    // On one core the program has one thread.
    let mut command = Command::new("taskset");
    command.args(["-c", &core(), PROGRAM, "0", "-q", "-b", "127.0.0.1"]);
    let program = Program::start(command.args(["-p", "HTTP/1.1", "-d"]).arg(site.path()));
    let address = program.address();
    let files = idle_descriptors(&program);
    // Sets up everything that the first requests allocate.
    (0..200).for_each(|_| get_hello(&connect(address)));
    let fresh = resident(&program);
    for _ in 0..2 {
        let slow = SlowClients::connect(address, SLOW_CLIENTS);
        get_hello(&connect(address));
        let (peak, held) = (resident(&program), descriptors(&program));
        assert!(held >= files + 2 * SLOW_CLIENTS, "only {held} descriptors");
        drop(slow);
        wait("descriptors are left", || descriptors(&program) == files);
        println!(
            "{fresh} KiB fresh, {peak} peak, {} after",
            resident(&program)
        );
        wait("memory is not freed", || {
            resident(&program) * 10 <= fresh * 11
        });
    }
    program.stop();
}

#[test]
fn more_slow_clients_do_not_make_other_requests_more_expensive() {
    if tools::find("valgrind").is_none() || !may_open(8_000) {
        return;
    }
    // Fewer than 400 clients would leave the server spare buffers, which save it some work.
    let [few, many] = [400, 800].map(instructions_per_request);
    println!("{few} instructions a request among 400 slow clients of each kind, {many} among 800");
    assert!(many * 10 <= few * 11, "{few} instructions, then {many}");
}

/// Returns the instructions that the program executes for a request with its connection, among `n` slow clients of each
/// kind. Before each request one of them sends a byte, and one reads some.
fn instructions_per_request(n: usize) -> u64 {
    let [without, with] = [0, 100].map(|requests| {
        let site = site();
        let counts = site.path().join("counts");
        let mut command = Command::new("taskset");
        command.args(["-c", &core(), "valgrind", "--tool=callgrind"]);
        command.arg(format!("--callgrind-out-file={}", counts.display()));
        // Its warnings would fill the pipe.
        command.arg("--log-file=/dev/null");
        command.args([
            PROGRAM,
            "0",
            "-q",
            "-b",
            "127.0.0.1",
            "-p",
            "HTTP/1.1",
            "-d",
        ]);
        let program = Program::start(command.arg(site.path()));
        let slow = SlowClients::connect(program.address(), n);
        for (head, reader) in slow.heads.iter().zip(&slow.readers).take(requests) {
            (&*head).write_all(b"x").unwrap();
            (&*reader).read_exact(&mut [0; 64]).unwrap();
            get_hello(&connect(program.address()));
        }
        program.stop();
        let text = fs::read_to_string(counts).unwrap();
        let total = text.lines().find_map(|line| line.strip_prefix("totals: "));
        let total: u64 = total.expect("callgrind counted").parse().unwrap();
        total
    });
    (with - without) / 100
}

#[test]
fn past_the_limit_of_connections_clients_wait_without_a_busy_loop() {
    with_server(8, |address, thread| {
        let mut inside: Vec<_> = (0..8).map(|_| connect(address)).collect();
        for socket in &inside {
            send_get(socket, "/big");
            assert!(read_head(socket).starts_with("HTTP/1.1 200 OK\r\n"));
        }
        let late: Vec<_> = (0..3).map(|_| connect(address)).collect();
        late.iter().for_each(|socket| send_get(socket, "/big"));
        assert_idle(|| on_core(thread));
        for socket in late {
            socket.set_nonblocking(true).unwrap();
            let result = (&socket).read(&mut [0]);
            assert_eq!(result.unwrap_err().kind(), ErrorKind::WouldBlock);
            socket.set_nonblocking(false).unwrap();
            // When one connection ends, the next client gets its reply.
            drop(inside.remove(0));
            assert!(read_head(&socket).starts_with("HTTP/1.1 200 OK\r\n"));
            inside.push(socket);
        }
    });
}

#[test]
fn without_descriptors_clients_wait_without_a_busy_loop() {
    let site = site();
    let program = few_descriptors(24, site.path());
    let clients: Vec<_> = (0..60).map(|_| connect(program.address())).collect();
    let threads = threads(&program);
    assert_idle(|| threads.iter().map(|thread| on_core(thread)).sum());
    for socket in clients {
        send_get(&socket, "/none");
        let head = read_head(&socket);
        assert!(&head[9..12] == "404" || &head[9..12] == "503", "{head}");
    }
    let left = || get(program.address(), "/a.txt").contains(" 200 OK");
    wait("it does not recover", left);
    program.stop();
}

#[test]
fn clients_that_disconnect_at_any_point_leak_nothing() {
    let site = site();
    // Room for 48.
    let program = few_descriptors(64, site.path());
    let address = program.address();
    let files = idle_descriptors(&program);
    let request = b"POST /a.txt HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello";
    for resets in [false, true] {
        let leave = |socket: TcpStream| {
            let linger = resets.then_some(Duration::ZERO);
            SockRef::from(&socket).set_linger(linger).unwrap();
        };
        for sent in 0..=request.len() {
            let socket = connect(address);
            (&socket).write_all(&request[..sent]).unwrap();
            leave(socket);
        }
        for taken in [0, 1, 100, 1_000, 100_000, 10_000_000] {
            let socket = connect(address);
            send_get(&socket, "/big");
            (&socket).read_exact(&mut vec![0; taken]).unwrap();
            leave(socket);
        }
    }
    wait("descriptors are left", || descriptors(&program) == files);
    // All 48 clients are accepted.
    let clients: Vec<_> = (0..48).map(|_| connect(address)).collect();
    clients.iter().for_each(get_hello);
    program.stop();
}

#[test]
fn a_reply_arrives_although_its_request_has_unread_content() {
    with_server(8, |address, _| {
        for (line, status, end) in [
            ("POST /a.txt", "405", "</html>\n"),
            ("GET /a.txt", "200", "\r\n\r\nhello\n"),
        ] {
            let mut socket = connect(address);
            let length = 8 << 20;
            let head = format!("{line} HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n");
            socket.write_all(head.as_bytes()).unwrap();
            // Sends all content before reading the reply.
            for _ in 0..128 {
                socket.write_all(&[b'x'; 64 * 1024]).unwrap();
            }
            let mut reply = String::new();
            socket.read_to_string(&mut reply).unwrap();
            assert_eq!(&reply[9..12], status, "{reply}");
            assert!(reply.ends_with(end), "{reply}");
        }
    });
}

/// Runs a test against a server with one thread and a limit of connections. The test gets the address and the thread's
/// folder in `/proc`.
fn with_server(connections: usize, test: impl FnOnce(SocketAddr, &Path)) {
    let site = site();
    let disk = Disk::open(site.path()).unwrap();
    let server = HTTPServer::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let server = server.with_threads(1).with_max_connections(connections);
    let server = server.with_log(|_| ());
    let (address, stopper) = (server.server_address(), server.stopper());
    let config = Config::default().with_protocol(Protocol::Http11);
    let (sender, receiver) = mpsc::channel();
    let serving = thread::spawn(move || {
        let thread = fs::read_link("/proc/thread-self").unwrap();
        sender.send(Path::new("/proc").join(thread)).unwrap();
        server.serve_forever(&disk, config, Files::new).unwrap();
    });
    test(address, &receiver.recv().unwrap());
    stopper.shutdown(Duration::ZERO);
    serving.join().unwrap();
}

/// Starts the program with a limit of descriptors.
fn few_descriptors(limit: usize, site: &Path) -> Program {
    let mut command = Command::new("sh");
    let line = format!("ulimit -n {limit}; exec \"$0\" 0 -b 127.0.0.1 -p HTTP/1.1 -d \"$1\"");
    // On one core, since each thread needs its own descriptors.
    let line = line.replace("exec", &format!("exec taskset -c {}", core()));
    Program::start(command.args(["-c", &line, PROGRAM]).arg(site))
}

/// Waits until the threads use almost no CPU time for half a second.
fn assert_idle(spent: impl Fn() -> Duration) {
    let half = Duration::from_millis(500);
    wait("something spins", || {
        let before = spent();
        sleep(half);
        let last = spent() - before;
        println!("on a core for {last:?} of {half:?}");
        last < half / 20
    });
}

/// Clients that send half a request, and clients that request a large file and do not read it.
struct SlowClients {
    heads: Vec<TcpStream>,
    readers: Vec<TcpStream>,
}

impl SlowClients {
    /// Connects `n` clients of each kind.
    fn connect(address: SocketAddr, n: usize) -> SlowClients {
        let half = |_| {
            let mut socket = connect(address);
            socket.write_all(b"GET /a.").unwrap();
            socket
        };
        let large = |_| {
            let socket = connect(address);
            send_get(&socket, "/big");
            assert!(read_head(&socket).starts_with("HTTP/1.1 200 OK\r\n"));
            socket
        };
        SlowClients {
            heads: (0..n).map(half).collect(),
            readers: (0..n).map(large).collect(),
        }
    }
}

/// Raises the limit of open files for this process and its children. Returns false if that is not permitted.
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

/// Returns the number of descriptors of an idle program.
fn idle_descriptors(program: &Program) -> usize {
    let socket = connect(program.address());
    send_get(&socket, "/none");
    assert!(read_head(&socket).starts_with("HTTP/1.1 404 "));
    descriptors(program) - 1
}

/// Waits until `done` returns true.
fn wait(complaint: &str, mut done: impl FnMut() -> bool) {
    let start = Instant::now();
    while !done() {
        assert!(start.elapsed() < TIMEOUT, "{complaint}");
        sleep(Duration::from_millis(10));
    }
}
