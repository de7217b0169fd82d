//! Scripts over sockets: what clients get of them, and when they end.
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

use self::stage::{LONG, Stage};

mod stage;

/// Serves a stage while somebody talks with it, waits for the end of all connections, and for
/// that of all scripts, and returns what was logged.
type Serve = fn(&Stage, Timeouts, &dyn Fn(SocketAddr)) -> String;

/// With a thread and with a task for each connection, and with all on one thread.
const ALL: [Serve; 3] = [serve_by_threads, serve_by_tasks, serve_by_turns];

/// Stops a server, however the talk with it ends.
struct Stop<F: Fn()>(F);

impl<F: Fn()> Drop for Stop<F> {
    fn drop(&mut self) {
        self.0();
    }
}

fn serve_by_threads(stage: &Stage, timeouts: Timeouts, talk: &dyn Fn(SocketAddr)) -> String {
    let log = Arc::new(Mutex::new(String::new()));
    let lines = Arc::clone(&log);
    let server = ThreadingHTTPServer::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let server = server.with_log(move |text| lines.lock().unwrap().push_str(text));
    let (address, stopper) = (server.server_address(), server.stopper());
    let disk = stage.disk();
    thread::scope(|scope| {
        scope.spawn(|| server.serve_forever(&disk, config(timeouts), cgi));
        let _stop = Stop(|| stopper.shutdown(LONG));
        talk(address);
    });
    drop(disk);
    stage.assert_clean();
    Arc::into_inner(log).unwrap().into_inner().unwrap()
}

fn serve_by_turns(stage: &Stage, timeouts: Timeouts, talk: &dyn Fn(SocketAddr)) -> String {
    let log = Arc::new(Mutex::new(String::new()));
    let lines = Arc::clone(&log);
    let server = event_loop::HTTPServer::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let server = server.with_threads(1);
    let server = server.with_log(move |text| lines.lock().unwrap().push_str(text));
    let (address, stopper) = (server.server_address(), server.stopper());
    let disk = stage.disk();
    thread::scope(|scope| {
        let serving = scope.spawn(|| server.serve_forever(&disk, config(timeouts), cgi));
        let stop = Stop(|| stopper.shutdown(LONG));
        talk(address);
        drop(stop);
        serving.join().unwrap().unwrap();
    });
    drop(disk);
    stage.assert_clean();
    Arc::into_inner(log).unwrap().into_inner().unwrap()
}

fn serve_by_tasks(stage: &Stage, timeouts: Timeouts, talk: &dyn Fn(SocketAddr)) -> String {
    let log = Arc::new(Mutex::new(String::new()));
    let lines = Arc::clone(&log);
    let runtime = Runtime::new().unwrap();
    let (address, serving) = {
        let _inside = runtime.enter();
        let server = HTTPServer::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let server = server.with_log(move |text| lines.lock().unwrap().push_str(text));
        let (address, stopper) = (server.server_address(), server.stopper());
        let disk = Arc::new(stage.disk());
        let serving = runtime.spawn(server.serve_forever(disk, config(timeouts), cgi));
        let _stop = Stop(|| drop(stopper.shutdown(LONG)));
        talk(address);
        (address, serving)
    };
    runtime.block_on(serving).unwrap().unwrap();
    assert!(TcpStream::connect(address).is_err());
    drop(runtime);
    stage.assert_clean();
    Arc::into_inner(log).unwrap().into_inner().unwrap()
}

/// A stage, once tokio has what it keeps open for as long as the process lives.
fn stage() -> Stage {
    drop(Runtime::new().unwrap());
    Stage::new()
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
    socket.set_read_timeout(Some(LONG)).unwrap();
    socket.set_write_timeout(Some(LONG)).unwrap();
    socket
}

fn ask(address: SocketAddr, request: &str, content: &[u8]) -> TcpStream {
    let mut socket = connect(address);
    socket.write_all(request.as_bytes()).unwrap();
    socket.write_all(content).unwrap();
    socket
}

/// All that comes, until the connection ends in whatever way.
fn rest(mut socket: &TcpStream) -> Vec<u8> {
    let mut reply = Vec::new();
    match socket.read_to_end(&mut reply) {
        Ok(_) => {}
        Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset),
    }
    reply
}

fn text(socket: &TcpStream) -> String {
    String::from_utf8(rest(socket)).unwrap()
}

/// Short timeouts for scripts.
fn hasty() -> Timeouts {
    Timeouts::default().with_ask(Duration::from_secs(1))
}

#[test]
fn what_is_posted_comes_back() {
    let stage = stage().script(
        "a",
        "echo Content-Type: x/y; echo; cat; echo $CONTENT_LENGTH >&2",
    );
    let content: Vec<u8> = (0..10 * 1024 * 1024_u32)
        .map(|n| (n ^ n >> 9) as u8)
        .collect();
    for serve in ALL {
        let log = serve(&stage, Timeouts::default(), &|address| {
            let len = content.len();
            let request = format!("POST /cgi-bin/a HTTP/1.0\r\nContent-Length: {len}\r\n\r\n");
            let reply = rest(&ask(address, &request, &content));
            assert!(reply.starts_with(b"HTTP/1.1 200 "));
            assert!(reply.ends_with(&content));
        });
        assert!(log.contains("] 10485760\n"), "{log}");
    }
}

#[test]
fn one_connection_runs_one_after_the_other() {
    let stage = stage().script(
        "a",
        "echo Content-Type: x/y; echo; echo \"<$QUERY_STRING>\"; cat",
    );
    for serve in ALL {
        serve(&stage, Timeouts::default(), &|address| {
            let request = "GET /cgi-bin/a?one HTTP/1.1\r\nHost: h\r\n\r\n\
            POST /cgi-bin/a?two HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n\
            5\r\nhello\r\n0\r\n\r\n\
            GET /cgi-bin/a?three HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";
            let reply = text(&ask(address, request, b""));
            assert_eq!(reply.matches("HTTP/1.1 200 ").count(), 3, "{reply}");
            let at = |what| {
                reply
                    .find(what)
                    .unwrap_or_else(|| panic!("no {what} in {reply}"))
            };
            assert!(
                at("<one>") < at("<two>") && at("hello") < at("<three>"),
                "{reply}"
            );
        });
    }
}

#[test]
fn what_goes_wrong_stands_in_the_log() {
    let stage = stage()
        .script("a", "echo oops >&2; echo Content-Type: x/y; echo; exit 3")
        .script("b", "kill -9 $$");
    stage.write("c", "#!/nowhere\n", 0o755);
    for serve in ALL {
        let log = serve(&stage, Timeouts::default(), &|address| {
            let get = |name| {
                text(&ask(
                    address,
                    &format!("GET /cgi-bin/{name} HTTP/1.0\r\n\r\n"),
                    b"",
                ))
            };
            assert!(get("a").starts_with("HTTP/1.1 200 "));
            assert!(get("b").starts_with("HTTP/1.1 500 "));
            assert!(get("c").starts_with("HTTP/1.1 500 "));
        });
        // The first of it is said before the reply begins.
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
fn a_script_that_keeps_silent_is_given_up() {
    let stage = stage().script("mute", "sleep 1000").script(
        "stuck",
        "trap '' TERM; echo Content-Type: x/y; echo; echo begin; sleep 1000",
    );
    for serve in ALL {
        let log = serve(&stage, hasty(), &|address| {
            let start = Instant::now();
            let reply = text(&ask(
                address,
                "GET /cgi-bin/mute HTTP/1.1\r\nHost: h\r\n\r\n",
                b"",
            ));
            assert!(reply.starts_with("HTTP/1.1 504 "), "{reply}");
            let reply = text(&ask(
                address,
                "GET /cgi-bin/stuck HTTP/1.1\r\nHost: h\r\n\r\n",
                b"",
            ));
            assert!(reply.contains("begin\n"), "{reply}");
            assert!(
                !reply.ends_with("0\r\n\r\n"),
                "it is no whole reply: {reply}"
            );
            assert!(start.elapsed() < LONG / 2);
        });
        assert_eq!(log.matches("takes too long").count(), 2, "{log}");
    }
}

#[test]
fn a_script_ends_when_its_client_is_gone() {
    let stage = stage().script(
        "a",
        "echo Content-Type: x/y; echo; while :; do echo more; done",
    );
    for serve in ALL {
        let start = Instant::now();
        serve(&stage, Timeouts::default(), &|address| {
            let mut socket = ask(address, "GET /cgi-bin/a HTTP/1.1\r\nHost: h\r\n\r\n", b"");
            socket.read_exact(&mut [0; 1000]).unwrap();
            socket.shutdown(Shutdown::Both).unwrap();
        });
        assert!(start.elapsed() < LONG / 2, "it took {:?}", start.elapsed());
    }
}

/// Deadlines that end nothing within a test, but for this one.
fn patient(half_closed: Duration) -> Timeouts {
    Timeouts::default()
        .with_ask(LONG * 10)
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

fn with_silent_scripts() -> Stage {
    let stage = stage();
    SILENT
        .into_iter()
        .fold(stage, |stage, (name, body)| stage.script(name, body))
}

/// Has each silent script run, does something with its client, and waits for the end of the script.
fn leave(
    serve: Serve,
    timeouts: Timeouts,
    leave: &dyn Fn(TcpStream) -> Option<TcpStream>,
) -> String {
    let stage = with_silent_scripts();
    serve(&stage, timeouts, &|address| {
        for (name, _) in SILENT {
            let request = format!("GET /cgi-bin/{name} HTTP/1.1\r\nHost: h\r\n\r\n");
            let socket = ask(address, &request, b"");
            stage.wait_for("marks/runs");
            let left = leave(socket);
            let took = stage.wait_for_the_end_of_scripts();
            assert!(took < LONG / 4, "{name} ran for {took:?}");
            drop(left);
        }
    })
}

#[test]
fn a_silent_script_ends_when_its_client_closes_the_connection() {
    for serve in ALL {
        let log = leave(serve, patient(Duration::from_millis(100)), &|socket| {
            drop(socket);
            None
        });
        assert_eq!(log.matches("closed its side").count(), 2, "{log}");
    }
}

#[test] // The deadline for clients that have closed one side is far away.
fn a_silent_script_ends_at_once_when_its_client_resets_the_connection() {
    for serve in ALL {
        let log = leave(serve, patient(LONG * 10), &|socket| {
            let now = Some(Duration::ZERO);
            SockRef::from(&socket).set_linger(now).unwrap();
            drop(socket);
            None
        });
        assert_eq!(log.matches("The client disconnected").count(), 2, "{log}");
    }
}

#[test] // It has more to send than it has sent, so that nothing but its end can be found.
fn a_script_ends_with_its_client_though_the_next_request_was_not_read() {
    for serve in ALL {
        leave(serve, patient(Duration::from_millis(100)), &|mut socket| {
            socket.write_all(b"GET / HTTP/1.1\r\n").unwrap();
            drop(socket);
            None
        });
    }
}

#[test]
fn a_client_that_has_closed_one_side_gets_what_a_script_writes_in_time() {
    let stage = stage().script(
        "a",
        "sleep 0.3; echo Content-Type: x/y; echo; sleep 0.3; echo done",
    );
    for serve in ALL {
        serve(&stage, Timeouts::default(), &|address| {
            let request = "GET /cgi-bin/a HTTP/1.1\r\nHost: h\r\n\r\n";
            let socket = ask(address, request, b"");
            socket.shutdown(Shutdown::Write).unwrap();
            let reply = text(&socket);
            assert!(reply.contains("done"), "{reply}");
        });
    }
}

#[test]
fn a_silent_script_ends_when_the_other_end_of_standard_output_is_closed() {
    let stage = with_silent_scripts();
    let run = |input: OwnedFd, output: OwnedFd, close: &dyn Fn()| {
        let disk = stage.disk();
        thread::scope(|scope| {
            let timeouts = patient(Duration::from_millis(100));
            let (disk, config) = (&disk, config(timeouts));
            scope.spawn(move || stdio::serve(input, output, disk, config, cgi(), &|_| ()));
            stage.wait_for("marks/runs");
            close();
            let took = stage.wait_for_the_end_of_scripts();
            assert!(took < LONG / 4, "it ran for {took:?}");
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
fn more_scripts_than_are_allowed_get_503() {
    let body =
        "echo Content-Type: x/y; echo; echo runs; until [ -e ../marks/go ]; do sleep 0.02; done";
    for serve in ALL {
        let stage = stage().script("a", body).with_max_scripts(2);
        let log = serve(&stage, Timeouts::default(), &|address| {
            let get = || {
                let request = "GET /cgi-bin/a HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";
                ask(address, request, b"")
            };
            let mut running = [get(), get()];
            for socket in &mut running {
                let mut said = Vec::new();
                while !said.ends_with(b"runs\n\r\n") {
                    let mut byte = [0];
                    socket.read_exact(&mut byte).unwrap();
                    said.extend(byte);
                }
            }
            let reply = text(&get());
            assert!(reply.starts_with("HTTP/1.1 503 "), "{reply}");
            // When they have ended there is room again.
            fs::write(stage.root().join("marks/go"), "").unwrap();
            for socket in &running {
                text(socket);
            }
            let reply = text(&get());
            assert!(reply.starts_with("HTTP/1.1 200 "), "{reply}");
        });
        assert!(
            log.contains("message Too many CGI scripts are running"),
            "{log}"
        );
    }
}

#[test]
fn many_at_a_time_leave_nothing_behind() {
    let body = "echo Content-Type: x/y; echo; sleep 1000 & echo $CONTENT_LENGTH; cat";
    let stage = stage().script("a", body);
    for serve in ALL {
        serve(&stage, Timeouts::default(), &|address| {
            let sockets: Vec<_> = (0..50)
                .map(|n| {
                    let request =
                        format!("POST /cgi-bin/a HTTP/1.0\r\nContent-Length: {n}\r\n\r\n");
                    ask(address, &request, &vec![b'x'; n])
                })
                .collect();
            for (n, socket) in sockets.iter().enumerate() {
                let length = if n == 0 { String::new() } else { n.to_string() };
                let reply = text(socket);
                assert!(
                    reply.ends_with(&format!("\r\n\r\n{length}\n{}", "x".repeat(n))),
                    "{reply}"
                );
            }
        });
    }
}

#[test]
fn a_script_that_only_complains_is_given_up() {
    let stage = stage().script("a", "while :; do echo more; done >&2");
    for serve in ALL {
        let start = Instant::now();
        let log = serve(&stage, hasty(), &|address| {
            let reply = text(&ask(
                address,
                "GET /cgi-bin/a HTTP/1.1\r\nHost: h\r\n\r\n",
                b"",
            ));
            assert!(reply.starts_with("HTTP/1.1 504 "), "{reply}");
        });
        assert!(start.elapsed() < LONG / 2, "it took {:?}", start.elapsed());
        assert!(log.len() < 500_000, "{} bytes", log.len());
    }
}
