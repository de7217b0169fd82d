//! Tests handlers that are functions which block, on every server.

mod client;
mod servers;

use std::io::{self, BufRead, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;
use std::{iter, thread};

use client::{TIMEOUT, connect, noise, read_head, send_get};
use sanserve_core::HttpError;
use sanserve_server::{BlockingExchange, ThreadPool, from_blocking_fn};
use servers::{SERVERS, Setup, TestServer};

type Result = std::result::Result<(), HttpError>;

fn start(
    name: &str,
    threads: usize,
    function: impl Fn(&mut BlockingExchange) -> Result + Clone + Send + Sync + 'static,
) -> TestServer {
    let pool = ThreadPool::new(threads);
    let handler = move || from_blocking_fn(&pool, function.clone());
    TestServer::with_handler(name, Setup::default(), handler)
}

fn send_post(mut socket: &TcpStream, len: usize) {
    write!(
        socket,
        "POST /a?x=1+2 HTTP/1.1\r\nHost: h\r\nContent-Length: {len}\r\n\r\n"
    )
    .unwrap();
}

fn read_to_end(mut socket: &TcpStream) -> String {
    let mut text = Vec::new();
    socket.read_to_end(&mut text).unwrap();
    text.iter().map(|&byte| char::from(byte)).collect()
}

#[test]
fn content_is_read_and_written_with_backpressure() {
    let content = noise(4 << 20);
    for name in SERVERS {
        let server = start(name, 1, |ex| {
            assert_eq!((ex.command(), ex.path()), ("POST", "/a?x=1+2"));
            assert_eq!(ex.query().next(), Some(("x".into(), "1 2".into())));
            assert_eq!(ex.header("host"), Some("h"));
            assert_eq!(ex.client_address(), "127.0.0.1");
            ex.send_response(200);
            ex.send_header("Content-Length", 4 << 20);
            ex.call(|ex| ex.send_date("Last-Modified", 0));
            ex.end_headers();
            assert_eq!(io::copy(&mut ex.rfile, &mut ex.wfile)?, 4 << 20);
            Ok(())
        });
        let socket = connect(server.address);
        send_post(&socket, content.len());
        let (mut sender, sent) = (socket.try_clone().unwrap(), content.clone());
        let sending = thread::spawn(move || sender.write_all(&sent).unwrap());
        let head = read_head(&socket);
        assert!(
            head.contains("Last-Modified: Thu, 01 Jan 1970"),
            "{name}: {head}"
        );
        let mut echoed = vec![0; content.len()];
        (&socket).read_exact(&mut echoed).unwrap();
        assert!(echoed == content, "{name}");
        sending.join().unwrap();
    }
}

#[test]
fn lines_are_read_and_further_requests_use_the_same_connection() {
    for name in SERVERS {
        let server = start(name, 1, |ex| {
            let mut line = String::new();
            ex.rfile.read_line(&mut line)?;
            ex.reply(200, "text/plain", line)?;
            Ok(())
        });
        let socket = connect(server.address);
        for _ in 0..2 {
            send_post(&socket, 8);
            (&socket).write_all(b"one\ntwo\n").unwrap();
            assert!(
                read_head(&socket).contains("Content-Length: 4\r\n"),
                "{name}"
            );
            let mut line = [0; 4];
            (&socket).read_exact(&mut line).unwrap();
            assert_eq!(&line, b"one\n", "{name}");
        }
    }
}

/// More than the buffers of server, sockets and system hold together.
const LONG: usize = 256 << 20;

#[test]
fn a_function_blocks_while_the_client_does_not_read_and_fails_when_it_disconnects() {
    for name in SERVERS {
        let (sender, progress) = mpsc::channel();
        let server = start(name, 1, move |ex: &mut BlockingExchange| {
            ex.send_response(200);
            ex.end_headers();
            let (piece, mut written) = (vec![b'x'; 64 * 1024], 0);
            while written < LONG {
                match ex.wfile.write(&piece) {
                    Ok(n) => written += n,
                    Err(error) => {
                        assert!(ex.is_closed());
                        sender.send(Err((written, error.kind()))).unwrap();
                        return Ok(());
                    }
                }
                sender.send(Ok(())).unwrap();
            }
            Ok(())
        });
        let socket = connect(server.address);
        send_get(&socket, "/");
        read_head(&socket);
        // Until nothing happens for a second.
        while let Ok(progress) = progress.recv_timeout(Duration::from_secs(1)) {
            progress.unwrap();
        }
        drop(socket);
        let ended = || progress.recv_timeout(TIMEOUT).unwrap().err();
        let (written, kind) = iter::repeat_with(ended).flatten().next().unwrap();
        assert!(written < LONG, "{name}");
        assert_eq!(kind, ErrorKind::ConnectionAborted, "{name}");
    }
}

#[test]
fn a_function_that_reads_fails_when_the_client_disconnects() {
    for name in SERVERS {
        let (sender, result) = mpsc::channel();
        let server = start(name, 1, move |ex: &mut BlockingExchange| {
            let read = ex.rfile.read_to_end(&mut Vec::new());
            sender.send(read.unwrap_err().kind()).unwrap();
            Ok(())
        });
        let socket = connect(server.address);
        send_post(&socket, 10);
        socket.shutdown(Shutdown::Write).unwrap();
        let kind = result.recv_timeout(TIMEOUT).unwrap();
        assert_eq!(kind, ErrorKind::ConnectionAborted, "{name}");
        assert!(read_to_end(&socket).starts_with("HTTP/1.1 400 "), "{name}");
    }
}

#[test]
fn errors_and_panics_are_replies() {
    for name in SERVERS {
        let server = start(name, 1, |ex| match ex.path() {
            "/missing" => Err(HttpError::new(404, "Nothing is here")),
            "/error" => Err(io::Error::other("a secret"))?,
            "/nothing" => Ok(()),
            _ => panic!("as the test intends"),
        });
        for (path, status) in [
            ("/missing", "404 Nothing is here"),
            ("/error", "500 Internal Server Error"),
            ("/nothing", "500 The handler sent no reply"),
            ("/panic", "500 Internal Server Error"),
            ("/missing", "404 Nothing is here"), // the only thread has survived
        ] {
            let reply = client::get(server.address, path);
            let line = format!("HTTP/1.1 {status}\r\n");
            assert!(reply.starts_with(&line), "{name} {path}: {reply}");
            assert!(!reply.contains("secret"), "{name}");
        }
    }
}

#[test]
fn requests_wait_for_a_free_thread() {
    for name in SERVERS {
        let (sender, entered) = mpsc::channel();
        let (release, released) = mpsc::channel::<()>();
        let released = Arc::new(Mutex::new(released));
        let server = start(name, 1, move |ex: &mut BlockingExchange| {
            sender.send(ex.path().to_owned()).unwrap();
            released.lock().unwrap().recv().unwrap();
            ex.reply(200, "text/plain", "x")?;
            Ok(())
        });
        let sockets = [connect(server.address), connect(server.address)];
        send_get(&sockets[0], "/one");
        assert_eq!(entered.recv_timeout(TIMEOUT).unwrap(), "/one", "{name}");
        send_get(&sockets[1], "/two");
        let other = entered.recv_timeout(Duration::from_millis(500));
        assert!(other.is_err(), "{name}: {other:?}");
        release.send(()).unwrap();
        assert_eq!(entered.recv_timeout(TIMEOUT).unwrap(), "/two", "{name}");
        assert!(entered.try_recv().is_err());
        release.send(()).unwrap();
        for socket in &sockets {
            assert!(read_head(socket).starts_with("HTTP/1.1 200 "), "{name}");
        }
    }
}
