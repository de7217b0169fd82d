//! Tests that the event loop looks at the files once for requests that it received together, and that no request is
//! answered by a look from before it was sent.
#![cfg(unix)]

mod client;

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::Duration;

use client::{connect, read_head, send_get};
use sanserve_core::{
    Ask, Config, Entries, Event, Exchange, FileSystem, Files, FsError, Got, Handler, Meta, Next,
    Opened, Path, Protocol,
};
use sanserve_server::event_loop::{HTTPServer, Stopper};

/// A file system with one file, `a`, whose content is the number of its changes.
#[derive(Clone)]
struct Changing {
    changes: Arc<AtomicUsize>,
    looks: Arc<AtomicUsize>,
    gate: Arc<Mutex<Gate>>,
    /// Called at the end of the next look at `a`.
    after_look: Arc<Mutex<Option<Hook>>>,
}

type Hook = Box<dyn FnOnce() + Send>;

/// The ends of the channels with which a request for `hold` blocks the server.
struct Gate {
    held: mpsc::Sender<()>,
    release: mpsc::Receiver<()>,
}

impl Changing {
    fn look(&self) -> usize {
        self.looks.fetch_add(1, Ordering::SeqCst);
        let content = self.changes.load(Ordering::SeqCst);
        let after_look = self.after_look.lock().unwrap().take();
        after_look.into_iter().for_each(|call| call());
        content
    }
}

impl FileSystem for Changing {
    type File = usize;

    fn open(&self, path: &Path) -> Result<Opened<usize>, FsError> {
        match path.as_bytes() {
            b"a" => Ok(opened(self.look())),
            b"hold" => {
                let gate = self.gate.lock().unwrap();
                gate.held.send(()).unwrap();
                gate.release.recv().unwrap();
                Err(FsError::NotFound)
            }
            _ => Err(FsError::NotFound),
        }
    }

    fn list(&self, _: &Path) -> Result<Arc<Entries>, FsError> {
        Err(FsError::NotFound)
    }

    fn read(&self, file: &mut usize, _: u64, into: &mut [u8]) -> Result<usize, FsError> {
        into[0] = b'0' + *file as u8;
        Ok(1)
    }

    fn try_answer(&self, ask: &Ask) -> Got<usize> {
        self.answer(ask)
    }

    fn try_fill(&self, file: &mut usize, at: u64, into: &mut [u8]) -> Got<usize> {
        self.fill(file, at, into)
    }

    fn reopen(&self, file: &usize) -> Option<Opened<usize>> {
        Some(opened(*file))
    }
}

fn opened(file: usize) -> Opened<usize> {
    Opened::File {
        file,
        meta: Meta::new(1),
        sendable: false,
    }
}

/// Serves files; a POST changes `a` when its content is complete.
struct Changes(Files, Arc<AtomicUsize>);

impl Handler for Changes {
    fn begin(&mut self, ex: &mut Exchange<'_>) -> Next {
        match ex.command() {
            "POST" => Next::Body,
            _ => self.0.begin(ex),
        }
    }

    fn resume(&mut self, ex: &mut Exchange<'_>, event: Event<'_>) -> Next {
        match (ex.command(), event) {
            ("POST", Event::End) => {
                self.1.fetch_add(1, Ordering::SeqCst);
                ex.send_response(204);
                ex.end_headers();
                Next::Done
            }
            ("POST", _) => Next::Body,
            (_, event) => self.0.resume(ex, event),
        }
    }
}

/// A server with one thread, which the test can hold.
struct HeldServer {
    address: SocketAddr,
    files: Changing,
    stopper: Stopper,
    held: mpsc::Receiver<()>,
    release: mpsc::Sender<()>,
    holder: TcpStream,
}

impl HeldServer {
    fn start() -> HeldServer {
        let ((held, is_held), (release, is_released)) = (mpsc::channel(), mpsc::channel());
        let gate = Gate {
            held,
            release: is_released,
        };
        let files = Changing {
            changes: Arc::default(),
            looks: Arc::default(),
            gate: Arc::new(Mutex::new(gate)),
            after_look: Arc::default(),
        };
        let server = HTTPServer::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let server = server.with_threads(1).with_log(|_| ());
        let (address, stopper) = (server.server_address(), server.stopper());
        let config = Config::default().with_protocol(Protocol::Http11);
        let served = files.clone();
        thread::spawn(move || {
            let changes = Arc::clone(&served.changes);
            let handler = || Changes(Files::new(), Arc::clone(&changes));
            server.serve_forever(&served, config, handler).unwrap();
        });
        HeldServer {
            address,
            files,
            stopper,
            held: is_held,
            release,
            holder: connect(address),
        }
    }

    /// Returns a connection of which the loop knows.
    fn connection(&self) -> TcpStream {
        let socket = connect(self.address);
        send_get(&socket, "/a");
        assert!(read_reply(&socket).starts_with("HTTP/1.1 200 OK\r\n"));
        socket
    }

    /// Calls `send` while the loop is held, so that one poll reports everything that it sends.
    fn during_hold(&self, send: impl FnOnce()) {
        send_get(&self.holder, "/hold");
        self.held.recv().unwrap();
        self.files.looks.store(0, Ordering::SeqCst);
        send();
        self.release.send(()).unwrap();
    }

    fn looks(&self) -> usize {
        self.files.looks.load(Ordering::SeqCst)
    }
}

impl Drop for HeldServer {
    fn drop(&mut self) {
        self.stopper.shutdown(Duration::ZERO);
    }
}

/// Reads a reply with one byte of content.
fn read_reply(mut socket: &TcpStream) -> String {
    let mut reply = read_head(socket);
    let mut content = [0];
    socket.read_exact(&mut content).unwrap();
    reply.push(content[0].into());
    reply
}

#[test]
fn requests_that_arrive_together_cost_one_look_at_the_file() {
    let server = HeldServer::start();
    let sockets: Vec<_> = (0..20).map(|_| server.connection()).collect();
    server.during_hold(|| sockets.iter().for_each(|socket| send_get(socket, "/a")));
    for socket in &sockets {
        assert!(read_reply(socket).ends_with("\r\n\r\n0"));
    }
    assert_eq!(server.looks(), 1);
}

#[test]
fn a_request_that_is_sent_after_a_change_sees_it_also_in_the_same_round() {
    // The system may report them in any order.
    for early_is_first in [true, false] {
        let server = HeldServer::start();
        let (early, late) = (server.connection(), server.connection());
        let changes = Arc::clone(&server.files.changes);
        // Of this content, the loop reads only the beginning before it answers anything.
        let head = format!("GET /none HTTP/1.1\r\nHost: h\r\nContent-Length: {CONTENT}\r\n\r\n");
        let begin = [head.as_bytes(), &[b'x'; CONTENT]].concat();
        server.during_hold(|| {
            let mut send = [
                (&early, &b"GET /a HTTP/1.1\r\nHost: h\r\n\r\n"[..]),
                (&late, &begin),
            ];
            if !early_is_first {
                send.reverse();
            }
            for (mut socket, bytes) in send {
                socket.write_all(bytes).unwrap();
            }
            let late = late.try_clone().unwrap();
            let change = move || {
                changes.fetch_add(1, Ordering::SeqCst);
                send_get(&late, "/a");
            };
            *server.files.after_look.lock().unwrap() = Some(Box::new(change));
        });
        assert!(read_reply(&early).ends_with("\r\n\r\n0"));
        let missing = read_head(&late);
        assert!(missing.starts_with("HTTP/1.1 404 "), "{missing}");
        skip_content(&late, &missing);
        assert!(read_reply(&late).ends_with("\r\n\r\n1"));
        assert_eq!(server.looks(), 2);
    }
}

#[test]
fn a_request_after_one_that_may_change_something_looks_again() {
    let server = HeldServer::start();
    let (other, mixed) = (server.connection(), server.connection());
    server.during_hold(|| {
        send_get(&other, "/a");
        let [get, post] = ["GET /a", "POST /a"].map(|it| format!("{it} HTTP/1.1\r\nHost: h\r\n"));
        let requests = format!("{get}\r\n{get}\r\n{post}Content-Length: 0\r\n\r\n{get}\r\n");
        (&mixed).write_all(requests.as_bytes()).unwrap();
    });
    // It may be answered before the change or after it.
    read_reply(&other);
    for expected in ["0", "0", "1"] {
        if expected == "1" {
            assert!(read_head(&mixed).starts_with("HTTP/1.1 204 "));
        }
        assert!(read_reply(&mixed).ends_with(expected));
    }
    assert_eq!(server.looks(), 2);
}

#[test]
fn a_request_behind_content_that_changes_something_looks_again() {
    // The system may report them in any order.
    for other_is_first in [true, false] {
        let server = HeldServer::start();
        let (other, mixed) = (server.connection(), server.connection());
        // The second piece must not wait for the first to be acknowledged.
        mixed.set_nodelay(true).unwrap();
        let begin = b"POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nx";
        (&mixed).write_all(begin).unwrap();
        // The loop has begun the POST when it has answered this.
        server.connection();
        server.during_hold(|| {
            let mut send = [
                (&other, &b"GET /a HTTP/1.1\r\nHost: h\r\n\r\n"[..]),
                (&mixed, b"xGET /a HTTP/1.1\r\nHost: h\r\n\r\n"),
            ];
            if !other_is_first {
                send.reverse();
            }
            for (mut socket, bytes) in send {
                socket.write_all(bytes).unwrap();
            }
        });
        read_reply(&other);
        assert!(read_head(&mixed).starts_with("HTTP/1.1 204 "));
        assert!(read_reply(&mixed).ends_with("\r\n\r\n1"));
    }
}

/// Reads the content of a reply with this head.
fn skip_content(mut socket: &TcpStream, head: &str) {
    let (_, rest) = head.split_once("Content-Length: ").unwrap();
    let len = rest.split_once('\r').unwrap().0.parse().unwrap();
    socket.read_exact(&mut vec![0; len]).unwrap();
}

/// More bytes of content than the loop reads at once.
const CONTENT: usize = 30_000;
