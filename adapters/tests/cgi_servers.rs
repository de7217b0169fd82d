//! Tests CGI scripts on every server: the replies that clients get, the log, and when scripts are killed.
#![cfg(unix)]

use std::cell::RefCell;
use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use sanserve_core::{Cgi, Config, Protocol, Timeouts};
use sanserve_server::{ThreadingHTTPServer, event_loop, stdio, tokio_rt::HTTPServer};
use socket2::SockRef;
use tokio::runtime::Runtime;

use self::cgi_site::{CgiSite, TIMEOUT};

mod cgi_site;

/// Serves a directory while the test talks to the server, waits for the end of all connections and scripts, and returns
/// the log.
type Serve = fn(&CgiSite, Timeouts, &dyn Fn(SocketAddr)) -> String;

/// The servers: with a thread for each connection, with a task for each, and the event loop with one thread.
const ALL: [Serve; 3] = [serve_by_threads, serve_by_tasks, serve_by_event_loop];

/// Runs a function when dropped, so that the server is stopped even if the test panics.
struct OnDrop<F: Fn()>(F);

impl<F: Fn()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        self.0();
    }
}

fn serve_by_threads(site: &CgiSite, timeouts: Timeouts, test: &dyn Fn(SocketAddr)) -> String {
    let log = Arc::new(Mutex::new(String::new()));
    let lines = Arc::clone(&log);
    let server = ThreadingHTTPServer::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let server = server.with_log(move |text| lines.lock().unwrap().push_str(text));
    let (address, stopper) = (server.server_address(), server.stopper());
    let disk = site.disk();
    thread::scope(|scope| {
        scope.spawn(|| server.serve_forever(&disk, config(timeouts), cgi));
        let _stop = OnDrop(|| stopper.shutdown(TIMEOUT));
        test(address);
    });
    drop(disk);
    site.assert_clean();
    Arc::into_inner(log).unwrap().into_inner().unwrap()
}

fn serve_by_event_loop(site: &CgiSite, timeouts: Timeouts, test: &dyn Fn(SocketAddr)) -> String {
    let log = Arc::new(Mutex::new(String::new()));
    let lines = Arc::clone(&log);
    let server = event_loop::HTTPServer::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let server = server.with_threads(1);
    let server = server.with_log(move |text| lines.lock().unwrap().push_str(text));
    let (address, stopper) = (server.server_address(), server.stopper());
    let disk = site.disk();
    thread::scope(|scope| {
        let serving = scope.spawn(|| server.serve_forever(&disk, config(timeouts), cgi));
        let stop = OnDrop(|| stopper.shutdown(TIMEOUT));
        test(address);
        drop(stop);
        serving.join().unwrap().unwrap();
    });
    drop(disk);
    site.assert_clean();
    Arc::into_inner(log).unwrap().into_inner().unwrap()
}

fn serve_by_tasks(site: &CgiSite, timeouts: Timeouts, test: &dyn Fn(SocketAddr)) -> String {
    let log = Arc::new(Mutex::new(String::new()));
    let lines = Arc::clone(&log);
    let runtime = Runtime::new().unwrap();
    let (address, serving) = {
        let _guard = runtime.enter();
        let server = HTTPServer::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let server = server.with_log(move |text| lines.lock().unwrap().push_str(text));
        let (address, stopper) = (server.server_address(), server.stopper());
        let disk = Arc::new(site.disk());
        let serving = runtime.spawn(server.serve_forever(disk, config(timeouts), cgi));
        let _stop = OnDrop(|| drop(stopper.shutdown(TIMEOUT)));
        test(address);
        (address, serving)
    };
    runtime.block_on(serving).unwrap().unwrap();
    assert!(TcpStream::connect(address).is_err());
    drop(runtime);
    site.assert_clean();
    Arc::into_inner(log).unwrap().into_inner().unwrap()
}

/// Makes a directory, after tokio has opened the descriptors that it keeps for the life of the process.
fn new_site() -> CgiSite {
    drop(Runtime::new().unwrap());
    CgiSite::new()
}

fn cgi() -> Cgi {
    Cgi::new("localhost", 8000)
}

fn config(timeouts: Timeouts) -> Config {
    Config::default()
        .with_protocol(Protocol::Http11)
        .with_timeouts(timeouts)
}

fn connect(address: SocketAddr) -> TcpStream {
    let socket = TcpStream::connect(address).unwrap();
    socket.set_read_timeout(Some(TIMEOUT)).unwrap();
    socket.set_write_timeout(Some(TIMEOUT)).unwrap();
    socket
}

fn send(address: SocketAddr, request: &str, content: &[u8]) -> TcpStream {
    let mut socket = connect(address);
    socket.write_all(request.as_bytes()).unwrap();
    socket.write_all(content).unwrap();
    socket
}

/// Reads until the connection is closed or reset.
fn read_all(mut socket: &TcpStream) -> Vec<u8> {
    let mut reply = Vec::new();
    match socket.read_to_end(&mut reply) {
        Ok(_) => {}
        Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset),
    }
    reply
}

fn read_text(socket: &TcpStream) -> String {
    String::from_utf8(read_all(socket)).unwrap()
}

/// Returns timeouts with a short deadline for scripts.
fn short_timeouts() -> Timeouts {
    Timeouts::default().with_ask(Duration::from_secs(1))
}

#[test]
fn posted_content_is_echoed_by_the_script() {
    let site = new_site().with_script(
        "a",
        "echo Content-Type: x/y; echo; cat; echo $CONTENT_LENGTH >&2",
    );
    let content: Vec<u8> = (0..10 * 1024 * 1024_u32)
        .map(|n| (n ^ n >> 9) as u8)
        .collect();
    for serve in ALL {
        let log = serve(&site, Timeouts::default(), &|address| {
            let len = content.len();
            let request = format!("POST /cgi-bin/a HTTP/1.0\r\nContent-Length: {len}\r\n\r\n");
            let reply = read_all(&send(address, &request, &content));
            assert!(reply.starts_with(b"HTTP/1.1 200 "));
            assert!(reply.ends_with(&content));
        });
        assert!(log.contains("] 10485760\n"), "{log}");
    }
}

#[test]
fn scripts_of_one_connection_run_one_after_another() {
    let site = new_site().with_script(
        "a",
        "echo Content-Type: x/y; echo; echo \"<$QUERY_STRING>\"; cat",
    );
    for serve in ALL {
        serve(&site, Timeouts::default(), &|address| {
            let request = "GET /cgi-bin/a?one HTTP/1.1\r\nHost: h\r\n\r\n\
            POST /cgi-bin/a?two HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n\
            5\r\nhello\r\n0\r\n\r\n\
            GET /cgi-bin/a?three HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";
            let reply = read_text(&send(address, request, b""));
            assert_eq!(reply.matches("HTTP/1.1 200 ").count(), 3, "{reply}");
            let at = |text| {
                reply
                    .find(text)
                    .unwrap_or_else(|| panic!("no {text} in {reply}"))
            };
            assert!(
                at("<one>") < at("<two>") && at("hello") < at("<three>"),
                "{reply}"
            );
        });
    }
}

#[test]
fn failures_of_scripts_are_logged() {
    let site = new_site()
        .with_script("a", "echo oops >&2; echo Content-Type: x/y; echo; exit 3")
        .with_script("b", "kill -9 $$");
    site.write("c", "#!/nowhere\n", 0o755);
    for serve in ALL {
        let log = serve(&site, Timeouts::default(), &|address| {
            let get = |name| {
                read_text(&send(
                    address,
                    &format!("GET /cgi-bin/{name} HTTP/1.0\r\n\r\n"),
                    b"",
                ))
            };
            assert!(get("a").starts_with("HTTP/1.1 200 "));
            assert!(get("b").starts_with("HTTP/1.1 500 "));
            assert!(get("c").starts_with("HTTP/1.1 500 "));
        });
        // Standard error is logged before the reply begins.
        assert!(
            log.find("] oops\n") < log.find("\"GET /cgi-bin/a "),
            "{log}"
        );
        for line in ["oops", "CGI script exit code 3", "CGI script exit code -9"] {
            assert!(log.contains(&format!("] {line}\n")), "{log}");
        }
        assert!(log.contains("] CGI script cannot be run: "), "{log}");
    }
}

#[test]
fn a_silent_script_is_killed_at_its_deadline() {
    let site = new_site().with_script("mute", "sleep 1000").with_script(
        "stuck",
        "trap '' TERM; echo Content-Type: x/y; echo; echo begin; sleep 1000",
    );
    for serve in ALL {
        let log = serve(&site, short_timeouts(), &|address| {
            let start = Instant::now();
            let reply = read_text(&send(
                address,
                "GET /cgi-bin/mute HTTP/1.1\r\nHost: h\r\n\r\n",
                b"",
            ));
            assert!(reply.starts_with("HTTP/1.1 504 "), "{reply}");
            let reply = read_text(&send(
                address,
                "GET /cgi-bin/stuck HTTP/1.1\r\nHost: h\r\n\r\n",
                b"",
            ));
            assert!(reply.contains("begin\n"), "{reply}");
            assert!(
                !reply.ends_with("0\r\n\r\n"),
                "the reply looks complete: {reply}"
            );
            assert!(start.elapsed() < TIMEOUT / 2);
        });
        assert_eq!(log.matches("takes too long").count(), 2, "{log}");
    }
}

#[test]
fn a_script_is_killed_when_its_client_disconnects() {
    let site = new_site().with_script(
        "a",
        "echo Content-Type: x/y; echo; while :; do echo more; done",
    );
    for serve in ALL {
        let start = Instant::now();
        serve(&site, Timeouts::default(), &|address| {
            let mut socket = send(address, "GET /cgi-bin/a HTTP/1.1\r\nHost: h\r\n\r\n", b"");
            socket.read_exact(&mut [0; 1000]).unwrap();
            socket.shutdown(Shutdown::Both).unwrap();
        });
        assert!(
            start.elapsed() < TIMEOUT / 2,
            "it took {:?}",
            start.elapsed()
        );
    }
}

/// Returns timeouts of which only this one ends within a test.
fn long_timeouts(half_closed: Duration) -> Timeouts {
    Timeouts::default()
        .with_ask(TIMEOUT * 10)
        .with_half_closed(half_closed)
}

/// Scripts that never write to standard output: one is silent, the other writes to standard error.
const SILENT: [(&str, &str); 2] = [
    ("mute", "touch ../marks/runs; sleep 1000"),
    (
        "loud",
        "touch ../marks/runs; while :; do echo more >&2; done",
    ),
];

fn with_silent_scripts() -> CgiSite {
    let site = new_site();
    SILENT
        .into_iter()
        .fold(site, |site, (name, body)| site.with_script(name, body))
}

/// Runs each silent script, disconnects its client in some way, and waits for the end of the script.
fn disconnect_from_silent_scripts(
    serve: Serve,
    timeouts: Timeouts,
    disconnect: &dyn Fn(TcpStream),
) -> String {
    let site = with_silent_scripts();
    serve(&site, timeouts, &|address| {
        for (name, _) in SILENT {
            let request = format!("GET /cgi-bin/{name} HTTP/1.1\r\nHost: h\r\n\r\n");
            let socket = send(address, &request, b"");
            site.wait_for_file("marks/runs");
            disconnect(socket);
            let took = site.wait_for_end_of_scripts();
            assert!(took < TIMEOUT / 4, "{name} ran for {took:?}");
        }
    })
}

#[test]
fn a_silent_script_is_killed_when_its_client_closes_the_connection() {
    for serve in ALL {
        let log = disconnect_from_silent_scripts(
            serve,
            long_timeouts(Duration::from_millis(100)),
            &|socket| {
                drop(socket);
            },
        );
        assert_eq!(log.matches("closed its side").count(), 2, "{log}");
    }
}

#[test] // The deadline of half-closed connections is far away.
fn a_silent_script_is_killed_immediately_when_its_client_resets_the_connection() {
    for serve in ALL {
        let log = disconnect_from_silent_scripts(serve, long_timeouts(TIMEOUT * 10), &|socket| {
            let now = Some(Duration::ZERO);
            SockRef::from(&socket).set_linger(now).unwrap();
            drop(socket);
        });
        assert_eq!(log.matches("The client disconnected").count(), 2, "{log}");
    }
}

#[test] // The request that was not read hides the end of the stream, so only the end of the connection can be detected.
fn a_script_is_killed_with_its_client_even_with_unread_requests() {
    for serve in ALL {
        disconnect_from_silent_scripts(
            serve,
            long_timeouts(Duration::from_millis(100)),
            &|mut socket| {
                socket.write_all(b"GET / HTTP/1.1\r\n").unwrap();
                drop(socket);
            },
        );
    }
}

#[test]
fn a_half_closed_client_still_gets_the_output_of_a_script() {
    let site = new_site().with_script(
        "a",
        "sleep 0.3; echo Content-Type: x/y; echo; sleep 0.3; echo done",
    );
    for serve in ALL {
        serve(&site, Timeouts::default(), &|address| {
            let request = "GET /cgi-bin/a HTTP/1.1\r\nHost: h\r\n\r\n";
            let socket = send(address, request, b"");
            socket.shutdown(Shutdown::Write).unwrap();
            let reply = read_text(&socket);
            assert!(reply.contains("done"), "{reply}");
        });
    }
}

#[test]
fn on_stdio_a_silent_script_is_killed_when_the_client_closes() {
    let site = with_silent_scripts();
    let run = |input: OwnedFd, output: OwnedFd, close: &dyn Fn()| {
        let disk = site.disk();
        thread::scope(|scope| {
            let timeouts = long_timeouts(Duration::from_millis(100));
            let (disk, config) = (&disk, config(timeouts));
            scope.spawn(move || stdio::serve(input, output, disk, config, cgi(), &|_| ()));
            site.wait_for_file("marks/runs");
            close();
            let took = site.wait_for_end_of_scripts();
            assert!(took < TIMEOUT / 4, "it ran for {took:?}");
        });
    };
    let request = b"GET /cgi-bin/mute HTTP/1.1\r\nHost: h\r\n\r\n";
    let (mut client, server) = UnixStream::pair().unwrap();
    client.write_all(request).unwrap();
    let client = RefCell::new(Some(client));
    run(server.try_clone().unwrap().into(), server.into(), &|| {
        client.take();
    });
    let (input, mut to) = std::io::pipe().unwrap();
    let (from, output) = std::io::pipe().unwrap();
    to.write_all(request).unwrap();
    let client = RefCell::new(Some((to, from)));
    run(input.into(), output.into(), &|| {
        client.take();
    });
}

#[test]
fn scripts_over_the_limit_get_503() {
    let body =
        "echo Content-Type: x/y; echo; echo runs; until [ -e ../marks/go ]; do sleep 0.02; done";
    for serve in ALL {
        let site = new_site().with_script("a", body).with_max_scripts(2);
        let log = serve(&site, Timeouts::default(), &|address| {
            let get = || {
                let request = "GET /cgi-bin/a HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";
                send(address, request, b"")
            };
            let mut running = [get(), get()];
            for socket in &mut running {
                let mut reply = Vec::new();
                while !reply.ends_with(b"runs\n\r\n") {
                    let mut byte = [0];
                    socket.read_exact(&mut byte).unwrap();
                    reply.extend(byte);
                }
            }
            let reply = read_text(&get());
            assert!(reply.starts_with("HTTP/1.1 503 "), "{reply}");
            // Once they have ended, other scripts can run.
            fs::write(site.root().join("marks/go"), "").unwrap();
            for socket in &running {
                read_text(socket);
            }
            let reply = read_text(&get());
            assert!(reply.starts_with("HTTP/1.1 200 "), "{reply}");
        });
        assert!(
            log.contains("message Too many CGI scripts are running"),
            "{log}"
        );
    }
}

#[test]
fn many_concurrent_scripts_leave_nothing_behind() {
    let body = "echo Content-Type: x/y; echo; sleep 1000 & echo $CONTENT_LENGTH; cat";
    let site = new_site().with_script("a", body);
    for serve in ALL {
        serve(&site, Timeouts::default(), &|address| {
            let sockets: Vec<_> = (0..50)
                .map(|n| {
                    let request =
                        format!("POST /cgi-bin/a HTTP/1.0\r\nContent-Length: {n}\r\n\r\n");
                    send(address, &request, &vec![b'x'; n])
                })
                .collect();
            for (n, socket) in sockets.iter().enumerate() {
                let length = if n == 0 { String::new() } else { n.to_string() };
                let reply = read_text(socket);
                assert!(
                    reply.ends_with(&format!("\r\n\r\n{length}\n{}", "x".repeat(n))),
                    "{reply}"
                );
            }
        });
    }
}

#[test]
fn a_script_that_writes_only_to_standard_error_is_killed_at_its_deadline() {
    let site = new_site().with_script("a", "while :; do echo more; done >&2");
    for serve in ALL {
        let start = Instant::now();
        let log = serve(&site, short_timeouts(), &|address| {
            let reply = read_text(&send(
                address,
                "GET /cgi-bin/a HTTP/1.1\r\nHost: h\r\n\r\n",
                b"",
            ));
            assert!(reply.starts_with("HTTP/1.1 504 "), "{reply}");
        });
        assert!(
            start.elapsed() < TIMEOUT / 2,
            "it took {:?}",
            start.elapsed()
        );
        assert!(log.len() < 500_000, "{} bytes", log.len());
    }
}
