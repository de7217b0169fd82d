//! Tests `ThreadingHTTPServer` and `HTTPServer`: listening, files, the limit of connections, misbehaving clients, a
//! panic, and shutdown.

mod client;
mod counted;

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use client::{BIG_LEN, TIMEOUT, connect, drain, get, get_hello, read_head, send_get, site};
use counted::Counted;
use sanserve_core::{Config, Exchange, Files, Protocol, from_fn};
use sanserve_server::{Disk, HTTPServer, NoFiles, Stopper, ThreadingHTTPServer};
use socket2::SockRef;

/// A server that runs on a thread.
struct RunningServer {
    address: SocketAddr,
    stopper: Stopper,
    thread: JoinHandle<()>,
    returned: mpsc::Receiver<()>,
}

impl RunningServer {
    fn start(
        server: ThreadingHTTPServer,
        run: impl FnOnce(ThreadingHTTPServer, &Disk, Config) + Send + 'static,
    ) -> RunningServer {
        let (address, stopper) = (server.server_address(), server.stopper());
        let server = server.with_log(|_| ());
        RunningServer::spawn(address, stopper, |disk, config| run(server, disk, config))
    }

    /// Starts a server that serves one connection at a time.
    fn sequential() -> RunningServer {
        let server = HTTPServer::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let (address, stopper) = (server.server_address(), server.stopper());
        let server = server.with_log(|_| ());
        RunningServer::spawn(address, stopper, |disk, config| {
            server.serve_forever(disk, config, Files::new).unwrap();
        })
    }

    fn spawn(
        address: SocketAddr,
        stopper: Stopper,
        run: impl FnOnce(&Disk, Config) + Send + 'static,
    ) -> RunningServer {
        let (done, returned) = mpsc::channel();
        let thread = thread::spawn(move || {
            let site = site();
            let config = Config::default().with_protocol(Protocol::Http11);
            run(&Disk::open(site.path()).unwrap(), config);
            done.send(()).unwrap();
        });
        RunningServer {
            address,
            stopper,
            thread,
            returned,
        }
    }

    fn files(server: ThreadingHTTPServer) -> RunningServer {
        RunningServer::start(server, |server, disk, config| {
            server.serve_forever(disk, config, Files::new).unwrap();
        })
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
    fn wait(self) {
        self.returned
            .recv_timeout(TIMEOUT)
            .expect("the server does not return");
        self.thread.join().unwrap();
    }
}

fn bind() -> ThreadingHTTPServer {
    ThreadingHTTPServer::bind((Ipv4Addr::LOCALHOST, 0)).unwrap()
}

#[test]
fn files_are_served_on_persistent_and_new_connections() {
    let server = RunningServer::files(bind());
    let socket = connect(server.address);
    for _ in 0..3 {
        get_hello(&socket);
    }
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
fn clients_over_the_connection_limit_are_served_later() {
    let max_alive = Arc::new(AtomicUsize::new(0));
    let max = Arc::clone(&max_alive);
    let server = RunningServer::start(
        bind().with_max_connections(3),
        move |server, disk, config| {
            let alive = Arc::default();
            server
                .serve_forever(disk, config, || Counted::new(&alive, &max))
                .unwrap();
        },
    );
    // These take all connections, each with a running reply.
    let first: Vec<_> = (0..3).map(|_| connect(server.address)).collect();
    for socket in &first {
        send_get(socket, "/big");
        assert!(read_head(socket).starts_with("HTTP/1.1 200 OK\r\n"));
    }
    // These wait in the queue, their request already sent.
    let late: Vec<_> = (0..20).map(|_| connect(server.address)).collect();
    for socket in &late {
        send_get(socket, "/a.txt");
    }
    drop(first);
    for socket in late {
        assert!(read_head(&socket).starts_with("HTTP/1.1 200 OK\r\n"));
    }
    server.stop(TIMEOUT);
    assert_eq!(max_alive.load(Ordering::SeqCst), 3);
}

#[test]
fn shutdown_closes_idle_connections_immediately() {
    let server = RunningServer::start(bind(), |server, disk, config| {
        // Only the shutdown can wake the connections.
        let timeouts = config
            .timeouts
            .with_idle(3 * TIMEOUT)
            .with_park(3 * TIMEOUT);
        let config = config.with_timeouts(timeouts);
        server.serve_forever(disk, config, Files::new).unwrap();
    });
    let idle: Vec<_> = (0..5).map(|_| connect(server.address)).collect();
    idle.iter().for_each(get_hello);
    let silent = connect(server.address);
    server.stop(TIMEOUT);
    for socket in &idle {
        assert_eq!(drain(socket).unwrap(), 0);
    }
    // The server may have accepted this connection or not.
    assert!(matches!(drain(&silent), Ok(0) | Err(_)));
}

#[test]
fn shutdown_lets_a_running_reply_finish_but_no_other_begin() {
    let server = RunningServer::files(bind());
    let socket = connect(server.address);
    send_get(&socket, "/big");
    send_get(&socket, "/a.txt");
    read_head(&socket);
    let stopper = server.stopper.clone();
    let stopping = thread::spawn(move || stopper.shutdown(TIMEOUT));
    wait_until_refused(server.address);
    assert_eq!(drain(&socket).unwrap(), BIG_LEN);
    stopping.join().unwrap();
    server.wait();
}

#[test]
fn a_reply_that_outlasts_the_grace_period_is_cut_off() {
    let server = RunningServer::files(bind());
    let socket = connect(server.address);
    send_get(&socket, "/big");
    read_head(&socket);
    server.stop(Duration::from_millis(10));
    assert!(!matches!(drain(&socket), Ok(BIG_LEN)));
}

#[test]
fn a_server_stopped_before_it_serves_returns_immediately() {
    for ip in [Ipv4Addr::UNSPECIFIED, Ipv4Addr::LOCALHOST] {
        let server = ThreadingHTTPServer::bind((ip, 0)).unwrap();
        let stopper = server.stopper();
        stopper.shutdown(TIMEOUT);
        RunningServer::files(server).wait();
        stopper.shutdown(TIMEOUT);
    }
}

#[test]
fn a_port_can_be_bound_again_immediately() {
    let server = RunningServer::files(bind());
    let address = server.address;
    get(address, "/a.txt");
    server.stop(TIMEOUT);
    let again = RunningServer::files(ThreadingHTTPServer::bind(address).unwrap());
    get(address, "/a.txt");
    again.stop(TIMEOUT);
}

#[test]
fn listening_on_all_addresses_accepts_ipv4_and_ipv6() {
    let Ok(server) = ThreadingHTTPServer::bind((Ipv6Addr::UNSPECIFIED, 0)) else {
        eprintln!("skipped: no IPv6");
        return;
    };
    let server = RunningServer::files(server);
    let port = server.address.port();
    get_hello(&connect((Ipv6Addr::LOCALHOST, port).into()));
    get_hello(&connect((Ipv4Addr::LOCALHOST, port).into()));
    server.stop(TIMEOUT);
}

#[test]
fn a_reset_by_the_client_does_no_harm() {
    let server = RunningServer::files(bind().with_max_connections(1));
    for target in ["/a.txt", "/big"] {
        let socket = connect(server.address);
        send_get(&socket, target);
        read_head(&socket);
        SockRef::from(&socket)
            .set_linger(Some(Duration::ZERO))
            .unwrap();
        drop(socket);
        get_hello(&connect(server.address));
    }
    server.stop(TIMEOUT);
}

#[test]
fn a_client_that_sends_or_reads_nothing_is_disconnected() {
    let server = RunningServer::start(bind().with_max_connections(1), |server, disk, config| {
        let timeouts = config
            .timeouts
            .with_idle(Duration::from_millis(300))
            .with_park(Duration::from_millis(100))
            .with_grace(Duration::from_millis(300))
            .with_rate(u32::MAX);
        let config = config.with_timeouts(timeouts);
        server.serve_forever(disk, config, Files::new).unwrap();
    });
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
    let server = RunningServer::start(bind().with_max_connections(1), |server, disk, config| {
        let answer = |ex: &mut Exchange<'_>| {
            assert!(ex.path() != "/panic", "panic as requested");
            ex.send_error(410, "Gone")
        };
        server
            .serve_forever(disk, config, || from_fn(answer))
            .unwrap();
    });
    let socket = connect(server.address);
    send_get(&socket, "/panic");
    assert!(matches!(drain(&socket), Ok(0) | Err(_)));
    assert!(get(server.address, "/a.txt").starts_with("HTTP/1.1 410 Gone\r\n"));
    server.stop(TIMEOUT);
}

#[test]
fn http_server_serves_connections_one_after_another() {
    let server = RunningServer::sequential();
    let (first, second) = (connect(server.address), connect(server.address));
    get_hello(&first);
    get_hello(&first);
    send_get(&second, "/a.txt");
    drop(first);
    assert!(read_head(&second).starts_with("HTTP/1.1 200 OK\r\n"));
    // The second connection is idle, and the only one.
    server.stop(TIMEOUT);
}

#[test]
fn no_files_means_404_for_every_path() {
    let server = RunningServer::start(bind(), |server, _, config| {
        server.serve_forever(NoFiles, config, Files::new).unwrap();
    });
    assert!(get(server.address, "/").starts_with("HTTP/1.1 404 "));
    server.stop(TIMEOUT);
}

#[test]
fn http_server_cuts_off_a_reply_after_the_grace_period() {
    let server = RunningServer::sequential();
    let socket = connect(server.address);
    send_get(&socket, "/big");
    read_head(&socket);
    server.stop(Duration::from_millis(10));
}

/// Waits until the server no longer listens.
fn wait_until_refused(address: SocketAddr) {
    let start = Instant::now();
    while TcpStream::connect(address).is_ok() {
        assert!(start.elapsed() < TIMEOUT, "{address} still listens");
        thread::yield_now();
    }
}
