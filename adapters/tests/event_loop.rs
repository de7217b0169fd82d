//! Tests the event loop with one thread: files, slow and failing disks, pipelining, limits and deadlines, shutdown, a
//! panic, the log, and TLS.
#![cfg(unix)]

mod certificate;
mod client;
mod gated_disk;

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use certificate::TestCertificate;
use client::{BIG_LEN, TIMEOUT, connect, drain, get, get_hello, read_head, send_get, site};
use gated_disk::GatedDisk;
use sanserve_core::{
    Config, Entries, Exchange, FileSystem, Files, FsError, Handler, Opened, Path, Protocol,
    Timeouts, from_fn,
};
use sanserve_server::event_loop::{HTTPServer, Stopper};
use sanserve_server::{Disk, NoFiles, OpenFile};
use tempfile::TempDir;

/// A running server, which is stopped when this is dropped.
struct RunningServer {
    address: SocketAddr,
    stopper: Stopper,
    log: Arc<Mutex<String>>,
    returned: mpsc::Receiver<()>,
    _site: TempDir,
}

impl RunningServer {
    /// Serves the files of [`site`].
    fn files(timeouts: Timeouts) -> RunningServer {
        RunningServer::with(|server| server, timeouts)
    }

    fn with(set_up: impl FnOnce(HTTPServer) -> HTTPServer, timeouts: Timeouts) -> RunningServer {
        let site = site();
        let disk = Disk::open(site.path()).unwrap();
        RunningServer::start(site, set_up, disk, timeouts, Files::new)
    }

    fn start<H: Handler>(
        site: TempDir,
        set_up: impl FnOnce(HTTPServer) -> HTTPServer,
        files: impl FileSystem<File: Send + 'static> + Send + Sync + 'static,
        timeouts: Timeouts,
        handler: impl Fn() -> H + Send + Sync + 'static,
    ) -> RunningServer {
        let server = HTTPServer::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let (log, (done, returned)) = (Arc::new(Mutex::new(String::new())), mpsc::channel());
        let sink = Arc::clone(&log);
        let server = set_up(server.with_threads(1));
        let server = server.with_log(move |lines| sink.lock().unwrap().push_str(lines));
        let (address, stopper) = (server.server_address(), server.stopper());
        let config = Config::default()
            .with_protocol(Protocol::Http11)
            .with_timeouts(timeouts);
        thread::spawn(move || {
            server.serve_forever(&files, config, handler).unwrap();
            let _ = done.send(());
        });
        RunningServer {
            address,
            stopper,
            log,
            returned,
            _site: site,
        }
    }

    fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    /// Stops the server, and asserts that it returns well before `TIMEOUT`.
    fn stop(self, grace: Duration) {
        let start = Instant::now();
        self.stopper.shutdown(grace);
        self.wait();
        assert!(
            start.elapsed() < TIMEOUT / 2,
            "it took {:?}",
            start.elapsed()
        );
    }

    /// Waits until the server has returned.
    fn wait(&self) {
        let returned = self.returned.recv_timeout(TIMEOUT);
        returned.expect("the server does not return");
    }
}

impl Drop for RunningServer {
    fn drop(&mut self) {
        self.stopper.shutdown(Duration::ZERO);
    }
}

#[test]
fn files_are_served_on_persistent_and_new_connections() {
    let server = RunningServer::files(Timeouts::default());
    let socket = connect(server.address);
    (0..3).for_each(|_| get_hello(&socket));
    assert!(get(server.address, "/a.txt").ends_with("\r\n\r\nhello\n"));
    send_get(&socket, "/big");
    assert!(read_head(&socket).contains(&format!("Content-Length: {BIG_LEN}\r\n")));
    let address = server.address;
    let reader = thread::spawn(move || drain(&socket).unwrap());
    assert!(get(address, "/nope").starts_with("HTTP/1.1 404 "));
    server.stop(TIMEOUT);
    assert_eq!(reader.join().unwrap(), BIG_LEN);
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let server = RunningServer::files(Timeouts::default());
    let socket = connect(server.address);
    // More requests than one turn of the connection answers, and more bytes than one read returns.
    let (get, head) = ("GET /a.txt HTTP/1.1\r\n", "HEAD /a.txt HTTP/1.1\r\n");
    let group = [get, get, head, get, ""].join("Host: test\r\n\r\n");
    let requests = group.repeat(200) + "GET /b HTTP/1.0\r\n\r\n";
    let mut writer = socket.try_clone().unwrap();
    let writing = thread::spawn(move || writer.write_all(requests.as_bytes()).unwrap());
    let mut replies = String::new();
    { &socket }.read_to_string(&mut replies).unwrap();
    writing.join().unwrap();
    let statuses: Vec<_> = replies
        .split("HTTP/1.1 ")
        .skip(1)
        .map(|reply| &reply[..3])
        .collect();
    let (last, others) = statuses.split_last().unwrap();
    assert_eq!((others.len(), *last), (800, "404"));
    assert!(others.iter().all(|status| *status == "200"));
    assert_eq!(replies.matches("\r\n\r\nhello\n").count(), 600);
    // No request is answered twice when a turn ends.
    let log = server.log();
    assert_eq!(log.matches("\"GET /a.txt HTTP/1.1\" 200 -\n").count(), 600);
    assert_eq!(log.matches("\"HEAD /a.txt HTTP/1.1\" 200 -\n").count(), 200);
    server.stop(TIMEOUT);
}

#[test]
fn a_slow_disk_delays_only_the_requests_that_use_it() {
    let site = site();
    let disk = GatedDisk::new(&site);
    let timeouts = Timeouts::default();
    let server = RunningServer::start(site, |server| server, disk.clone(), timeouts, Files::new);
    let sockets = ["/slow-open", "/slow-read"].map(|name| {
        let socket = connect(server.address);
        send_get(&socket, name);
        socket
    });
    let other = connect(server.address);
    (0..100).for_each(|_| get_hello(&other));
    disk.release();
    for (socket, content) in sockets.iter().zip(["hi", "slow to read"]) {
        assert!(read_head(socket).contains(&format!("\r\nContent-Length: {}\r\n", content.len())));
        let mut received = vec![0; content.len()];
        { socket }.read_exact(&mut received).unwrap();
        assert_eq!(received, content.as_bytes());
        get_hello(socket);
    }
    server.stop(TIMEOUT);
}

#[test]
fn a_request_to_a_disk_that_is_too_slow_gets_504() {
    let site = site();
    let disk = GatedDisk::new(&site);
    let timeouts = Timeouts::default().with_ask(Duration::from_millis(200));
    let server = RunningServer::start(site, |server| server, disk.clone(), timeouts, Files::new);
    for name in ["/slow-open", "/slow-read"] {
        let reply = get(server.address, name);
        assert!(reply.starts_with("HTTP/1.1 504 "), "{reply}");
    }
    // A late answer of the disk must not reach the connection that has taken the slot.
    let next = connect(server.address);
    get_hello(&next);
    disk.release();
    get_hello(&next);
    server.stop(TIMEOUT);
}

/// A file system that fails after the first MiB of a file.
struct Failing(Disk);

const GOOD: u64 = 1 << 20;

impl FileSystem for Failing {
    type File = OpenFile;

    fn open(&self, path: &Path) -> Result<Opened<OpenFile>, FsError> {
        let mut opened = self.0.open(path)?;
        if let Opened::File { sendable, .. } = &mut opened {
            *sendable = false;
        }
        Ok(opened)
    }

    fn list(&self, path: &Path) -> Result<Arc<Entries>, FsError> {
        self.0.list(path)
    }

    fn read(&self, file: &mut OpenFile, at: u64, into: &mut [u8]) -> Result<usize, FsError> {
        let good = GOOD.saturating_sub(at).min(into.len() as u64) as usize;
        match &mut into[..good] {
            [] => Err(FsError::Io),
            into => self.0.read(file, at, into),
        }
    }
}

#[test]
fn a_disk_error_aborts_the_reply_and_is_logged() {
    let site = site();
    let disk = Failing(Disk::open(site.path()).unwrap());
    let timeouts = Timeouts::default();
    let server = RunningServer::start(site, |server| server, disk, timeouts, Files::new);
    let (other, socket) = (connect(server.address), connect(server.address));
    get_hello(&other);
    send_get(&socket, "/big");
    assert!(read_head(&socket).contains(&format!("Content-Length: {BIG_LEN}\r\n")));
    let got = drain(&socket);
    assert!(matches!(got, Ok(n) if n as u64 <= GOOD), "{got:?}");
    get_hello(&other);
    let log = server.log();
    assert!(log.contains("The open file cannot be read"), "{log}");
    server.stop(TIMEOUT);
}

#[test]
fn clients_over_the_connection_limit_are_served_later() {
    let server = RunningServer::with(|server| server.with_max_connections(3), Timeouts::default());
    // These take all connections, each with a running reply.
    let first: Vec<_> = (0..3).map(|_| connect(server.address)).collect();
    for socket in &first {
        send_get(socket, "/big");
        assert!(read_head(socket).starts_with("HTTP/1.1 200 OK\r\n"));
    }
    // These wait in the queue, their request already sent.
    let late: Vec<_> = (0..20).map(|_| connect(server.address)).collect();
    late.iter().for_each(|socket| send_get(socket, "/a.txt"));
    // None of them is accepted, since that would cut off a reply.
    for socket in &late {
        socket.set_nonblocking(true).unwrap();
        assert!(
            matches!({ socket }.read(&mut [0]), Err(error) if error.kind() == io::ErrorKind::WouldBlock)
        );
        socket.set_nonblocking(false).unwrap();
    }
    drop(first);
    for socket in late {
        assert!(read_head(&socket).starts_with("HTTP/1.1 200 OK\r\n"));
    }
    server.stop(TIMEOUT);
}

#[test]
fn shutdown_closes_idle_connections_and_lets_a_running_reply_finish() {
    let timeouts = Timeouts::default()
        .with_idle(3 * TIMEOUT)
        .with_park(3 * TIMEOUT);
    let server = RunningServer::files(timeouts);
    let idle: Vec<_> = (0..5).map(|_| connect(server.address)).collect();
    idle.iter().for_each(get_hello);
    let busy = connect(server.address);
    send_get(&busy, "/big");
    send_get(&busy, "/a.txt");
    read_head(&busy);
    let stopper = server.stopper.clone();
    let stopping = thread::spawn(move || stopper.shutdown(TIMEOUT));
    for socket in &idle {
        assert_eq!(drain(socket).unwrap(), 0);
    }
    // The listening socket was closed before them.
    assert!(TcpStream::connect(server.address).is_err());
    assert_eq!(drain(&busy).unwrap(), BIG_LEN);
    stopping.join().unwrap();
    server.wait();
}

#[test]
fn a_reply_that_outlasts_the_grace_period_is_cut_off() {
    let server = RunningServer::files(Timeouts::default());
    let socket = connect(server.address);
    send_get(&socket, "/big");
    read_head(&socket);
    server.stop(Duration::from_millis(10));
    assert!(!matches!(drain(&socket), Ok(BIG_LEN)));
}

#[test]
fn a_server_stopped_before_it_serves_returns_immediately() {
    let set_up = |server: HTTPServer| {
        server.stopper().shutdown(TIMEOUT);
        server
    };
    RunningServer::with(set_up, Timeouts::default()).wait();
}

#[test]
fn a_client_that_sends_or_reads_nothing_is_disconnected() {
    let timeouts = Timeouts::default()
        .with_idle(Duration::from_millis(300))
        .with_park(Duration::from_millis(100))
        .with_grace(Duration::from_millis(300))
        .with_rate(u32::MAX);
    let server = RunningServer::with(|server| server.with_max_connections(1), timeouts);
    let silent = connect(server.address);
    assert_eq!(drain(&silent).unwrap(), 0);
    let reads_nothing = connect(server.address);
    send_get(&reads_nothing, "/big");
    get_hello(&connect(server.address));
    assert!(!matches!(drain(&reads_nothing), Ok(BIG_LEN)));
    server.stop(TIMEOUT);
}

#[test]
fn a_panicking_handler_loses_only_its_own_connection() {
    let answer = |ex: &mut Exchange<'_>| {
        assert!(ex.path() != "/panic", "panic as requested");
        ex.send_error(410, "Gone")
    };
    let (set_up, timeouts) = (
        |server: HTTPServer| server.with_max_connections(2),
        Timeouts::default(),
    );
    let server = RunningServer::start(site(), set_up, NoFiles, timeouts, move || from_fn(answer));
    let other = connect(server.address);
    for _ in 0..3 {
        let socket = connect(server.address);
        send_get(&socket, "/panic");
        assert!(matches!(drain(&socket), Ok(0) | Err(_)));
    }
    send_get(&other, "/");
    assert!(read_head(&other).starts_with("HTTP/1.1 410 Gone\r\n"));
    assert!(get(server.address, "/a.txt").starts_with("HTTP/1.1 410 Gone\r\n"));
    server.stop(TIMEOUT);
}

#[test]
fn the_log_line_is_written_before_the_connection_closes() {
    let server = RunningServer::files(Timeouts::default());
    for n in 1..=50 {
        get(server.address, "/a.txt");
        let log = server.log();
        assert_eq!(log.matches("\"GET /a.txt HTTP/1.0\" 200 -\n").count(), n);
    }
    server.stop(TIMEOUT);
}

#[test]
fn silent_tls_clients_do_not_delay_others() {
    let certificate = TestCertificate::new();
    let tls = certificate.tls();
    let server = RunningServer::with(|server| server.with_tls(tls), Timeouts::default());
    let _silent: Vec<_> = (0..50).map(|_| connect(server.address)).collect();
    let mut stream = certificate.connect(server.address);
    write!(stream, "GET /big HTTP/1.0\r\n\r\n").unwrap();
    // Without a close_notify at the end, reading would fail. The reply takes many turns of the connection.
    let mut reply = Vec::new();
    stream.read_to_end(&mut reply).unwrap();
    let head = reply.windows(4).position(|at| at == b"\r\n\r\n").unwrap();
    assert_eq!(reply.len() - head - 4, BIG_LEN);
    let mut plain = connect(server.address);
    plain.write_all(b"\x00 nothing at all\r\n\r\n").unwrap();
    let mut alert = Vec::new();
    plain.read_to_end(&mut alert).unwrap();
    // A fatal alert of two bytes.
    assert_eq!((alert[0], alert[4], alert[5], alert.len()), (21, 2, 2, 7));
    // The client may see the end before the line is logged.
    let start = Instant::now();
    while !server.log().contains("] TLS: neither TLS nor HTTP\n") {
        assert!(start.elapsed() < TIMEOUT, "{}", server.log());
        thread::yield_now();
    }
    server.stop(TIMEOUT);
}
