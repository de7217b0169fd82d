//! Many connections on one thread: what keeps it from serving, and what must not.
#![cfg(unix)]

mod pair;
mod peer;
mod slow;

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use pair::Pair;
use peer::{BIG, LONG, ask, connect, get, head, hello, rest, site};
use sanserve_core::{Config, Exchange, FileSystem, Files, Handler, Protocol, Timeouts, from_fn};
use sanserve_server::event_loop::{HTTPServer, Stopper};
use sanserve_server::{Disk, NoFiles};
use slow::Slow;
use tempfile::TempDir;

/// A server on a thread of its own. It ends with this.
struct Running {
    address: SocketAddr,
    stopper: Stopper,
    log: Arc<Mutex<String>>,
    done: mpsc::Receiver<()>,
    _site: TempDir,
}

impl Running {
    /// Serves the site's files.
    fn files(timeouts: Timeouts) -> Running {
        Running::with(|server| server, timeouts)
    }

    fn with(set_up: impl FnOnce(HTTPServer) -> HTTPServer, timeouts: Timeouts) -> Running {
        let site = site();
        let disk = Disk::open(site.path()).unwrap();
        Running::start(site, set_up, disk, timeouts, Files::new)
    }

    fn start<H: Handler>(
        site: TempDir,
        set_up: impl FnOnce(HTTPServer) -> HTTPServer,
        files: impl FileSystem<File: Send + 'static> + Send + Sync + 'static,
        timeouts: Timeouts,
        handler: impl Fn() -> H + Send + Sync + 'static,
    ) -> Running {
        let server = HTTPServer::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let (log, (over, done)) = (Arc::new(Mutex::new(String::new())), mpsc::channel());
        let sink = Arc::clone(&log);
        let server = set_up(server.with_threads(1));
        let server = server.with_log(move |lines| sink.lock().unwrap().push_str(lines));
        let (address, stopper) = (server.server_address(), server.stopper());
        let config = Config::default()
            .with_protocol(Protocol::Http11)
            .with_timeouts(timeouts);
        thread::spawn(move || {
            server.serve_forever(&files, config, handler).unwrap();
            let _ = over.send(());
        });
        Running {
            address,
            stopper,
            log,
            done,
            _site: site,
        }
    }

    fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    /// Stops it, and asserts that it stops well before `LONG` is over.
    fn stop(self, grace: Duration) {
        let start = Instant::now();
        self.stopper.shutdown(grace);
        self.returns();
        assert!(start.elapsed() < LONG / 2, "it took {:?}", start.elapsed());
    }

    fn returns(&self) {
        let done = self.done.recv_timeout(LONG);
        done.expect("the server does not return");
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stopper.shutdown(Duration::ZERO);
    }
}

#[test]
fn files_are_served_on_kept_and_on_new_connections() {
    let running = Running::files(Timeouts::default());
    let socket = connect(running.address);
    (0..3).for_each(|_| hello(&socket));
    assert!(get(running.address, "/a.txt").ends_with("\r\n\r\nhello\n"));
    ask(&socket, "/big");
    assert!(head(&socket).contains(&format!("Content-Length: {BIG}\r\n")));
    let address = running.address;
    let reader = thread::spawn(move || rest(&socket).unwrap());
    assert!(get(address, "/nope").starts_with("HTTP/1.1 404 "));
    running.stop(LONG);
    assert_eq!(reader.join().unwrap(), BIG);
}

#[test]
fn pipelined_requests_are_answered_in_their_order() {
    let running = Running::files(Timeouts::default());
    let socket = connect(running.address);
    // More than has its turn at once, and more than is read at once.
    let (get, head) = ("GET /a.txt HTTP/1.1\r\n", "HEAD /a.txt HTTP/1.1\r\n");
    let some = [get, get, head, get, ""].join("Host: test\r\n\r\n");
    let requests = some.repeat(200) + "GET /b HTTP/1.0\r\n\r\n";
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
    // Nothing is done twice when its turn is over.
    let log = running.log();
    assert_eq!(log.matches("\"GET /a.txt HTTP/1.1\" 200 -\n").count(), 600);
    assert_eq!(log.matches("\"HEAD /a.txt HTTP/1.1\" 200 -\n").count(), 200);
    running.stop(LONG);
}

#[test]
fn a_slow_disk_keeps_nobody_waiting_but_who_asked_for_it() {
    let site = site();
    let slow = Slow::new(&site);
    let timeouts = Timeouts::default();
    let running = Running::start(site, |server| server, slow.clone(), timeouts, Files::new);
    let sockets = ["/slow", "/read"].map(|name| {
        let socket = connect(running.address);
        ask(&socket, name);
        socket
    });
    let other = connect(running.address);
    (0..100).for_each(|_| hello(&other));
    slow.go();
    for (socket, content) in sockets.iter().zip(["hi", "slow to read"]) {
        assert!(head(socket).contains(&format!("\r\nContent-Length: {}\r\n", content.len())));
        let mut got = vec![0; content.len()];
        { socket }.read_exact(&mut got).unwrap();
        assert_eq!(got, content.as_bytes());
        hello(socket);
    }
    running.stop(LONG);
}

#[test]
fn a_disk_that_is_too_slow_is_given_up() {
    let site = site();
    let slow = Slow::new(&site);
    let timeouts = Timeouts::default().with_ask(Duration::from_millis(200));
    let running = Running::start(site, |server| server, slow.clone(), timeouts, Files::new);
    for name in ["/slow", "/read"] {
        let reply = get(running.address, name);
        assert!(reply.starts_with("HTTP/1.1 504 "), "{reply}");
    }
    // Whoever has the place now does not get what was meant for another.
    let next = connect(running.address);
    hello(&next);
    slow.go();
    hello(&next);
    running.stop(LONG);
}

#[test]
fn more_clients_than_places_are_all_served_in_the_end() {
    let running = Running::with(|server| server.with_max_connections(3), Timeouts::default());
    // These have all places, each with a running reply.
    let first: Vec<_> = (0..3).map(|_| connect(running.address)).collect();
    for socket in &first {
        ask(socket, "/big");
        assert!(head(socket).starts_with("HTTP/1.1 200 OK\r\n"));
    }
    // These wait in the queue, their request already sent.
    let late: Vec<_> = (0..20).map(|_| connect(running.address)).collect();
    late.iter().for_each(|socket| ask(socket, "/a.txt"));
    // None of them gets a place, for that would cut off a reply.
    for socket in &late {
        socket.set_nonblocking(true).unwrap();
        assert!(
            matches!({ socket }.read(&mut [0]), Err(error) if error.kind() == io::ErrorKind::WouldBlock)
        );
        socket.set_nonblocking(false).unwrap();
    }
    drop(first);
    for socket in late {
        assert!(head(&socket).starts_with("HTTP/1.1 200 OK\r\n"));
    }
    running.stop(LONG);
}

#[test]
fn stopping_lets_idle_connections_go_at_once_and_a_running_reply_finish() {
    let timeouts = Timeouts::default().with_idle(3 * LONG).with_park(3 * LONG);
    let running = Running::files(timeouts);
    let kept: Vec<_> = (0..5).map(|_| connect(running.address)).collect();
    kept.iter().for_each(hello);
    let busy = connect(running.address);
    ask(&busy, "/big");
    ask(&busy, "/a.txt");
    head(&busy);
    let stopper = running.stopper.clone();
    let stopping = thread::spawn(move || stopper.shutdown(LONG));
    for socket in &kept {
        assert_eq!(rest(socket).unwrap(), 0);
    }
    // The listening socket went before them.
    assert!(TcpStream::connect(running.address).is_err());
    assert_eq!(rest(&busy).unwrap(), BIG);
    stopping.join().unwrap();
    running.returns();
}

#[test]
fn a_reply_that_lasts_longer_than_the_grace_is_cut_off() {
    let running = Running::files(Timeouts::default());
    let socket = connect(running.address);
    ask(&socket, "/big");
    head(&socket);
    running.stop(Duration::from_millis(10));
    assert!(!matches!(rest(&socket), Ok(BIG)));
}

#[test]
fn a_server_that_is_stopped_before_it_serves_returns_at_once() {
    let set_up = |server: HTTPServer| {
        server.stopper().shutdown(LONG);
        server
    };
    Running::with(set_up, Timeouts::default()).returns();
}

#[test]
fn who_sends_nothing_or_reads_nothing_gives_his_place_up() {
    let timeouts = Timeouts::default()
        .with_idle(Duration::from_millis(300))
        .with_park(Duration::from_millis(100))
        .with_grace(Duration::from_millis(300))
        .with_rate(u32::MAX);
    let running = Running::with(|server| server.with_max_connections(1), timeouts);
    let silent = connect(running.address);
    assert_eq!(rest(&silent).unwrap(), 0);
    let deaf = connect(running.address);
    ask(&deaf, "/big");
    hello(&connect(running.address));
    assert!(!matches!(rest(&deaf), Ok(BIG)));
    running.stop(LONG);
}

#[test]
fn a_handler_that_panics_loses_its_own_connection_only() {
    let answer = |ex: &mut Exchange<'_>| {
        assert!(ex.path() != "/panic", "as was asked for");
        ex.send_error(410, "Gone")
    };
    let (one, timeouts) = (
        |server: HTTPServer| server.with_max_connections(2),
        Timeouts::default(),
    );
    let running = Running::start(site(), one, NoFiles, timeouts, move || from_fn(answer));
    let other = connect(running.address);
    for _ in 0..3 {
        let socket = connect(running.address);
        ask(&socket, "/panic");
        assert!(matches!(rest(&socket), Ok(0) | Err(_)));
    }
    ask(&other, "/");
    assert!(head(&other).starts_with("HTTP/1.1 410 Gone\r\n"));
    assert!(get(running.address, "/a.txt").starts_with("HTTP/1.1 410 Gone\r\n"));
    running.stop(LONG);
}

#[test]
fn who_has_seen_the_end_of_a_connection_finds_it_in_the_log() {
    let running = Running::files(Timeouts::default());
    for n in 1..=50 {
        get(running.address, "/a.txt");
        let log = running.log();
        assert_eq!(log.matches("\"GET /a.txt HTTP/1.0\" 200 -\n").count(), n);
    }
    running.stop(LONG);
}

#[test]
fn over_tls_who_is_silent_keeps_nobody_waiting() {
    let pair = Pair::new();
    let tls = pair.tls();
    let running = Running::with(|server| server.with_tls(tls), Timeouts::default());
    let _silent: Vec<_> = (0..50).map(|_| connect(running.address)).collect();
    let mut stream = pair.connect(running.address);
    write!(stream, "GET /big HTTP/1.0\r\n\r\n").unwrap();
    // Without a close_notify at the end, this would be an error. It takes many turns.
    let mut reply = Vec::new();
    stream.read_to_end(&mut reply).unwrap();
    let head = reply.windows(4).position(|at| at == b"\r\n\r\n").unwrap();
    assert_eq!(reply.len() - head - 4, BIG);
    let mut plain = connect(running.address);
    plain.write_all(b"\x00 nothing at all\r\n\r\n").unwrap();
    let mut alert = Vec::new();
    plain.read_to_end(&mut alert).unwrap();
    // An alert, of two bytes, fatal.
    assert_eq!((alert[0], alert[4], alert[5], alert.len()), (21, 2, 2, 7));
    // The peer reads the end before its line is in the log.
    let start = Instant::now();
    while !running.log().contains("] TLS: neither TLS nor HTTP\n") {
        assert!(start.elapsed() < LONG, "{}", running.log());
        thread::yield_now();
    }
    running.stop(LONG);
}
