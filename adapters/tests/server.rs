//! Listening, threads, and the end of it all.

mod peer;

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use peer::{BIG, LONG, ask, connect, get, head, hello, rest, site};
use sanserve_core::{Config, Event, Exchange, Files, Handler, Next, Protocol, from_fn};
use sanserve_server::{Disk, HTTPServer, NoFiles, Stopper, ThreadingHTTPServer};
use socket2::SockRef;

/// A server on a thread of its own.
struct Running {
    address: SocketAddr,
    stopper: Stopper,
    thread: JoinHandle<()>,
    done: mpsc::Receiver<()>,
}

impl Running {
    fn start(
        server: ThreadingHTTPServer,
        run: impl FnOnce(ThreadingHTTPServer, &Disk, Config) + Send + 'static,
    ) -> Running {
        let (address, stopper) = (server.server_address(), server.stopper());
        let server = server.with_log(|_| ());
        Running::spawn(address, stopper, |disk, config| run(server, disk, config))
    }

    /// The same in turn.
    fn in_turn() -> Running {
        let server = HTTPServer::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let (address, stopper) = (server.server_address(), server.stopper());
        let server = server.with_log(|_| ());
        Running::spawn(address, stopper, |disk, config| {
            server.serve_forever(disk, config, Files::new).unwrap();
        })
    }

    fn spawn(
        address: SocketAddr,
        stopper: Stopper,
        run: impl FnOnce(&Disk, Config) + Send + 'static,
    ) -> Running {
        let (over, done) = mpsc::channel();
        let thread = thread::spawn(move || {
            let site = site();
            let config = Config::default().with_protocol(Protocol::Http11);
            run(&Disk::open(site.path()).unwrap(), config);
            over.send(()).unwrap();
        });
        Running {
            address,
            stopper,
            thread,
            done,
        }
    }

    fn files(server: ThreadingHTTPServer) -> Running {
        Running::start(server, |server, disk, config| {
            server.serve_forever(disk, config, Files::new).unwrap();
        })
    }

    /// Stops it, and asserts that it stops well before `LONG` is over.
    fn stop(self, grace: Duration) {
        let start = Instant::now();
        self.stopper.shutdown(grace);
        self.returns();
        assert!(start.elapsed() < LONG / 2, "it took {:?}", start.elapsed());
    }

    fn returns(self) {
        self.done
            .recv_timeout(LONG)
            .expect("the server does not return");
        self.thread.join().unwrap();
    }
}

fn server() -> ThreadingHTTPServer {
    ThreadingHTTPServer::bind((Ipv4Addr::LOCALHOST, 0)).unwrap()
}

#[test]
fn files_are_served_on_kept_and_on_new_connections() {
    let running = Running::files(server());
    let socket = connect(running.address);
    for _ in 0..3 {
        hello(&socket);
    }
    assert!(get(running.address, "/a.txt").ends_with("\r\n\r\nhello\n"));
    ask(&socket, "/big");
    assert!(head(&socket).contains(&format!("Content-Length: {BIG}\r\n")));
    let address = running.address;
    let reader = thread::spawn(move || rest(&socket).unwrap());
    assert!(get(address, "/nope").starts_with("HTTP/1.1 404 "));
    running.stop(LONG);
    assert_eq!(reader.join().unwrap(), BIG);
}

/// Files, by a handler that counts how many there are of it.
struct Counted {
    files: Files,
    alive: Arc<AtomicUsize>,
}

impl Counted {
    fn new(alive: &Arc<AtomicUsize>, most: &AtomicUsize) -> Counted {
        let now = alive.fetch_add(1, Ordering::SeqCst) + 1;
        most.fetch_max(now, Ordering::SeqCst);
        Counted {
            files: Files::new(),
            alive: Arc::clone(alive),
        }
    }
}

impl Handler for Counted {
    fn begin(&mut self, ex: &mut Exchange<'_>) -> Next {
        self.files.begin(ex)
    }

    fn resume(&mut self, ex: &mut Exchange<'_>, event: Event<'_>) -> Next {
        self.files.resume(ex, event)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.alive.fetch_sub(1, Ordering::SeqCst);
    }
}

#[test]
fn more_clients_than_places_are_all_served_in_the_end() {
    let most = Arc::new(AtomicUsize::new(0));
    let seen = Arc::clone(&most);
    let running = Running::start(
        server().with_max_connections(3),
        move |server, disk, config| {
            let alive = Arc::default();
            server
                .serve_forever(disk, config, || Counted::new(&alive, &seen))
                .unwrap();
        },
    );
    // These have all places, each with a running reply.
    let first: Vec<_> = (0..3).map(|_| connect(running.address)).collect();
    for socket in &first {
        ask(socket, "/big");
        assert!(head(socket).starts_with("HTTP/1.1 200 OK\r\n"));
    }
    // These wait in the queue, their request already sent.
    let late: Vec<_> = (0..20).map(|_| connect(running.address)).collect();
    for socket in &late {
        ask(socket, "/a.txt");
    }
    drop(first);
    for socket in late {
        assert!(head(&socket).starts_with("HTTP/1.1 200 OK\r\n"));
    }
    running.stop(LONG);
    assert_eq!(most.load(Ordering::SeqCst), 3);
}

#[test]
fn stopping_lets_idle_connections_go_at_once() {
    let running = Running::start(server(), |server, disk, config| {
        // Nothing but being stopped can wake them up.
        let timeouts = config.timeouts.with_idle(3 * LONG).with_park(3 * LONG);
        let config = config.with_timeouts(timeouts);
        server.serve_forever(disk, config, Files::new).unwrap();
    });
    let kept: Vec<_> = (0..5).map(|_| connect(running.address)).collect();
    kept.iter().for_each(hello);
    let silent = connect(running.address);
    running.stop(LONG);
    for socket in &kept {
        assert_eq!(rest(socket).unwrap(), 0);
    }
    // It may have come in or not.
    assert!(matches!(rest(&silent), Ok(0) | Err(_)));
}

#[test]
fn stopping_lets_a_running_reply_finish_and_no_further_one_begin() {
    let running = Running::files(server());
    let socket = connect(running.address);
    ask(&socket, "/big");
    ask(&socket, "/a.txt");
    head(&socket);
    let stopper = running.stopper.clone();
    let stopping = thread::spawn(move || stopper.shutdown(LONG));
    refuses(running.address);
    assert_eq!(rest(&socket).unwrap(), BIG);
    stopping.join().unwrap();
    running.returns();
}

#[test]
fn a_reply_that_lasts_longer_than_the_grace_is_cut_off() {
    let running = Running::files(server());
    let socket = connect(running.address);
    ask(&socket, "/big");
    head(&socket);
    running.stop(Duration::from_millis(10));
    assert!(!matches!(rest(&socket), Ok(BIG)));
}

#[test]
fn a_server_that_is_stopped_before_it_serves_returns_at_once() {
    for ip in [Ipv4Addr::UNSPECIFIED, Ipv4Addr::LOCALHOST] {
        let server = ThreadingHTTPServer::bind((ip, 0)).unwrap();
        let stopper = server.stopper();
        stopper.shutdown(LONG);
        Running::files(server).returns();
        stopper.shutdown(LONG);
    }
}

#[test]
fn a_port_can_be_listened_at_again_at_once() {
    let running = Running::files(server());
    let address = running.address;
    get(address, "/a.txt");
    running.stop(LONG);
    let again = Running::files(ThreadingHTTPServer::bind(address).unwrap());
    get(address, "/a.txt");
    again.stop(LONG);
}

#[test]
fn listening_everywhere_takes_both_families_in_and_can_be_stopped() {
    let Ok(server) = ThreadingHTTPServer::bind((Ipv6Addr::UNSPECIFIED, 0)) else {
        eprintln!("skipped: no IPv6 here");
        return;
    };
    let running = Running::files(server);
    let port = running.address.port();
    hello(&connect((Ipv6Addr::LOCALHOST, port).into()));
    hello(&connect((Ipv4Addr::LOCALHOST, port).into()));
    running.stop(LONG);
}

#[test]
fn a_client_that_resets_does_no_harm() {
    let running = Running::files(server().with_max_connections(1));
    for target in ["/a.txt", "/big"] {
        let socket = connect(running.address);
        ask(&socket, target);
        head(&socket);
        SockRef::from(&socket)
            .set_linger(Some(Duration::ZERO))
            .unwrap();
        drop(socket);
        hello(&connect(running.address));
    }
    running.stop(LONG);
}

#[test]
fn who_sends_nothing_or_reads_nothing_gives_his_place_up() {
    let running = Running::start(server().with_max_connections(1), |server, disk, config| {
        let timeouts = config
            .timeouts
            .with_idle(Duration::from_millis(300))
            .with_park(Duration::from_millis(100))
            .with_grace(Duration::from_millis(300))
            .with_rate(u32::MAX);
        let config = config.with_timeouts(timeouts);
        server.serve_forever(disk, config, Files::new).unwrap();
    });
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
    let running = Running::start(server().with_max_connections(1), |server, disk, config| {
        let answer = |ex: &mut Exchange<'_>| {
            assert!(ex.path() != "/panic", "as was asked for");
            ex.send_error(410, "Gone")
        };
        server
            .serve_forever(disk, config, || from_fn(answer))
            .unwrap();
    });
    let socket = connect(running.address);
    ask(&socket, "/panic");
    assert!(matches!(rest(&socket), Ok(0) | Err(_)));
    assert!(get(running.address, "/a.txt").starts_with("HTTP/1.1 410 Gone\r\n"));
    running.stop(LONG);
}

#[test]
fn one_after_the_other_all_are_served() {
    let running = Running::in_turn();
    let (first, second) = (connect(running.address), connect(running.address));
    hello(&first);
    hello(&first);
    ask(&second, "/a.txt");
    drop(first);
    assert!(head(&second).starts_with("HTTP/1.1 200 OK\r\n"));
    // The second is idle and has the only place.
    running.stop(LONG);
}

#[test]
fn no_files_are_found_where_there_are_none() {
    let running = Running::start(server(), |server, _, config| {
        server.serve_forever(NoFiles, config, Files::new).unwrap();
    });
    assert!(get(running.address, "/").starts_with("HTTP/1.1 404 "));
    running.stop(LONG);
}

#[test]
fn a_reply_in_turn_is_cut_off_after_the_grace_too() {
    let running = Running::in_turn();
    let socket = connect(running.address);
    ask(&socket, "/big");
    head(&socket);
    running.stop(Duration::from_millis(10));
}

/// Waits until nobody listens there any more.
fn refuses(address: SocketAddr) {
    let start = Instant::now();
    while TcpStream::connect(address).is_ok() {
        assert!(start.elapsed() < LONG, "{address} still listens");
        thread::yield_now();
    }
}
