//! Tests custom implementations of `FileSystem` on every server: with any type of open file, with errors, and with
//! answers that come late.
#![cfg(unix)]

mod certificate;
mod client;
mod servers;

use std::any::Any;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Condvar, Mutex};
use std::thread;

use certificate::TestCertificate;
use client::{connect, noise};
use sanserve_core::{
    Ask, Config, Connection, Entries, Entry, FileSystem, Files, FsError, Got, Meta, Opened, Path,
    Protocol,
};
use sanserve_server::memory::{PeerScript, run};
use sanserve_server::stdio;
use servers::{SERVERS, Setup, TestServer};

/// An entry of a [`Map`].
#[derive(Clone)]
enum Node {
    Bytes(Arc<[u8]>),
    /// Can be opened but not read.
    Unreadable,
    /// Cannot be opened because of this error.
    Fault(FsError),
    /// Can be opened once the test opens the gate.
    Slow(Arc<Gate>),
}

#[derive(Default)]
struct Gate(Mutex<bool>, Condvar);

impl Gate {
    fn wait(&self) {
        drop(self.1.wait_while(self.0.lock().unwrap(), |open| !*open));
    }

    fn open(&self) {
        *self.0.lock().unwrap() = true;
        self.1.notify_all();
    }
}

/// A map from names to files, which claim to be sendable but have no descriptor.
#[derive(Clone)]
struct Map(BTreeMap<&'static str, Node>);

impl Map {
    fn new() -> Map {
        let bytes = |bytes: &[u8]| Node::Bytes(bytes.into());
        Map(BTreeMap::from([
            ("a.txt", bytes(b"hello\n")),
            ("large", bytes(&noise(LARGE))),
            ("unreadable", Node::Unreadable),
            ("missing", Node::Fault(FsError::NotFound)),
            ("secret", Node::Fault(FsError::Forbidden)),
            ("busy", Node::Fault(FsError::NoResources)),
            ("broken", Node::Fault(FsError::Io)),
        ]))
    }
}

impl FileSystem for Map {
    type File = Option<Arc<[u8]>>;

    fn open(&self, path: &Path) -> Result<Opened<Self::File>, FsError> {
        if path.as_bytes().is_empty() {
            return Ok(Opened::Directory);
        }
        let name = str::from_utf8(path.as_bytes()).map_err(|_| FsError::NotFound)?;
        let (file, len) = match self.0.get(name).ok_or(FsError::NotFound)? {
            Node::Bytes(bytes) => (Some(Arc::clone(bytes)), bytes.len()),
            Node::Unreadable => (None, LARGE),
            Node::Fault(error) => return Err(*error),
            Node::Slow(gate) => {
                gate.wait();
                (Some((*b"at last").into()), 7)
            }
        };
        let meta = Meta::new(len as u64);
        Ok(Opened::File {
            sendable: file.is_some(),
            file,
            meta,
        })
    }

    fn list(&self, _: &Path) -> Result<Arc<Entries>, FsError> {
        let entries = self.0.keys().map(|name| Entry {
            name: name.as_bytes(),
            directory: false,
            link: false,
            unavailable: false,
            len: None,
            modified: None,
        });
        Ok(Arc::new(entries.collect()))
    }

    fn read(&self, file: &mut Self::File, at: u64, into: &mut [u8]) -> Result<usize, FsError> {
        let bytes = file.as_deref().ok_or(FsError::Io)?;
        let rest = &bytes[bytes.len().min(at as usize)..];
        let n = rest.len().min(into.len()).min(10_000);
        into[..n].copy_from_slice(&rest[..n]);
        Ok(n)
    }
}

/// A file system that shows how a file was sent: read by the server, its content is all `r`; sent by its descriptor,
/// `s`.
struct SentOrRead;

impl FileSystem for SentOrRead {
    type File = Descriptor;

    fn open(&self, path: &Path) -> Result<Opened<Descriptor>, FsError> {
        let mut file = tempfile::tempfile().map_err(|_| FsError::NoResources)?;
        file.write_all(&[b's'; LARGE]).map_err(|_| FsError::Io)?;
        let meta = Meta::new(LARGE as u64);
        let file = match path.as_bytes() {
            b"file" => Descriptor::File(file),
            _ => Descriptor::Owned(file.into()),
        };
        Ok(Opened::File {
            file,
            meta,
            sendable: true,
        })
    }

    fn list(&self, _: &Path) -> Result<Arc<Entries>, FsError> {
        Err(FsError::NotFound)
    }

    fn read(&self, _: &mut Descriptor, _: u64, into: &mut [u8]) -> Result<usize, FsError> {
        into.fill(b'r');
        Ok(into.len())
    }

    /// Reading never blocks.
    fn try_fill(&self, file: &mut Descriptor, at: u64, into: &mut [u8]) -> Got<Descriptor> {
        self.fill(file, at, into)
    }

    fn system_file<'a>(&self, file: &'a mut Descriptor) -> Option<&'a mut dyn Any> {
        match file {
            Descriptor::File(file) => Some(file),
            Descriptor::Owned(file) => Some(file),
        }
    }
}

/// The two types of descriptors that a server can send.
enum Descriptor {
    File(File),
    Owned(OwnedFd),
}

/// The length of a large file: more than one write takes, and more than sockets buffer.
const LARGE: usize = 9_000_001;

fn setup() -> Setup {
    Setup {
        connections: 100,
        ..Setup::default()
    }
}

fn request(target: &str) -> String {
    format!("GET {target} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n")
}

/// Sends a request, and returns the reply, which may be cut off.
fn get(mut stream: impl Read + Write, target: &str) -> Vec<u8> {
    stream.write_all(request(target).as_bytes()).unwrap();
    let mut reply = Vec::new();
    // Over TLS a reply that is cut off is an error.
    let _ = stream.read_to_end(&mut reply);
    reply
}

fn content(reply: &[u8]) -> &[u8] {
    let end = reply.windows(4).position(|bytes| bytes == b"\r\n\r\n");
    &reply[end.expect("a head") + 4..]
}

/// Checks the replies for each file of a [`Map`].
fn check_map(name: &str, get: impl Fn(&str) -> Vec<u8>) {
    assert_eq!(content(&get("/a.txt")), b"hello\n", "{name}");
    assert!(content(&get("/large")) == noise(LARGE), "{name}");
    let listing = String::from_utf8(get("/")).unwrap();
    assert!(listing.contains("\"unreadable\""), "{name}: {listing}");
    // As with Python, a file that cannot be opened is not found. Only a lack of resources says nothing about the file.
    for (target, status) in [
        ("/missing", "404"),
        ("/secret", "404"),
        ("/busy", "503"),
        ("/broken", "404"),
    ] {
        let reply = String::from_utf8(get(target)).unwrap();
        let line = format!("HTTP/1.1 {status} ");
        assert!(reply.starts_with(&line), "{name}: {target}: {reply}");
    }
    // Nothing has been sent yet, so the status can still be an error.
    let reply = String::from_utf8(get("/unreadable")).unwrap();
    assert!(reply.starts_with("HTTP/1.1 500 "), "{name}: {reply}");
}

#[test]
fn files_and_errors_of_a_custom_file_system_reach_the_client() {
    for name in SERVERS {
        let server = TestServer::with_file_system(name, setup(), Map::new());
        check_map(name, |target| get(connect(server.address), target));
    }
}

#[test]
fn a_custom_file_system_is_served_over_tls() {
    let certificate = TestCertificate::new();
    for name in SERVERS {
        let tls = Some(certificate.tls());
        let setup = Setup { tls, ..setup() };
        let server = TestServer::with_file_system(name, setup, Map::new());
        check_map(name, |target| {
            get(certificate.connect(server.address), target)
        });
    }
}

#[test]
fn a_custom_file_system_is_served_on_stdio_and_in_memory() {
    let config = || Config::default().with_protocol(Protocol::Http11);
    check_map("stdio", |target| {
        let (client, server) = UnixStream::pair().unwrap();
        let (input, output) = (server.try_clone().unwrap().into(), server.into());
        let thread = thread::spawn(move || {
            stdio::serve(input, output, &Map::new(), config(), Files::new(), &|_| ())
        });
        let reply = get(client, target);
        thread.join().unwrap().unwrap();
        reply
    });
    check_map("memory", |target| {
        let mut conn = Connection::new(config(), "192.0.2.1", Files::new());
        let request = request(target);
        let script = PeerScript {
            input: request.as_bytes(),
            half_close: true,
        };
        run(&mut conn, &Map::new(), script, |n| n).bytes
    });
}

#[test]
fn a_file_with_a_descriptor_uses_sendfile_but_is_read_for_tls() {
    let certificate = TestCertificate::new();
    let by_reference = if cfg!(target_os = "linux") {
        b's'
    } else {
        b'r'
    };
    let consists_of = |reply: &[u8], expected: u8| {
        let content = content(reply);
        let count = content.iter().filter(|byte| **byte == expected).count();
        // The end of the file is read if it fits into the outbox.
        content.len() == LARGE && count >= LARGE - 32 * 1024
    };
    for name in SERVERS {
        let server = TestServer::with_file_system(name, setup(), SentOrRead);
        for target in ["/file", "/owned"] {
            let reply = get(connect(server.address), target);
            assert!(consists_of(&reply, by_reference), "{name}: {target}");
        }
        let tls = Some(certificate.tls());
        let server = TestServer::with_file_system(name, Setup { tls, ..setup() }, SentOrRead);
        let reply = get(certificate.connect(server.address), "/file");
        assert!(consists_of(&reply, b'r'), "{name} over TLS");
    }
}

#[test]
fn a_slow_file_system_does_not_delay_other_connections() {
    for name in SERVERS {
        let gate = Arc::new(Gate::default());
        let mut map = Map::new();
        map.0.insert("slow", Node::Slow(Arc::clone(&gate)));
        let server = TestServer::with_file_system(name, setup(), map);
        let slow = connect(server.address);
        (&slow).write_all(request("/slow").as_bytes()).unwrap();
        let quick = get(connect(server.address), "/a.txt");
        gate.open();
        assert_eq!(content(&quick), b"hello\n", "{name}");
        let mut reply = Vec::new();
        (&slow).read_to_end(&mut reply).unwrap();
        assert_eq!(content(&reply), b"at last", "{name}");
    }
}

/// Answers twice that it is busy before it opens anything.
struct Busy(Mutex<u32>, Map);

impl FileSystem for Busy {
    type File = <Map as FileSystem>::File;

    fn open(&self, path: &Path) -> Result<Opened<Self::File>, FsError> {
        self.1.open(path)
    }

    fn list(&self, path: &Path) -> Result<Arc<Entries>, FsError> {
        self.1.list(path)
    }

    fn read(&self, file: &mut Self::File, at: u64, into: &mut [u8]) -> Result<usize, FsError> {
        self.1.read(file, at, into)
    }

    fn answer(&self, ask: &Ask) -> Got<Self::File> {
        let mut asked = self.0.lock().unwrap();
        *asked += 1;
        match *asked {
            1 | 2 => Got::Nothing,
            _ => self.1.answer(ask),
        }
    }
}

#[test]
fn a_busy_file_system_is_asked_again() {
    for name in SERVERS {
        let server = TestServer::with_file_system(name, setup(), Busy(Mutex::new(0), Map::new()));
        let reply = get(connect(server.address), "/a.txt");
        assert_eq!(content(&reply), b"hello\n", "{name}");
    }
}

#[test]
fn a_file_system_can_be_passed_by_value_reference_box_or_arc() {
    fn opens(files: impl FileSystem) -> bool {
        matches!(
            files.open(&Path::parse("/a.txt").unwrap()),
            Ok(Opened::File { .. })
        )
    }
    let shared = Arc::new(Map::new());
    assert!(opens(&*shared) && opens(&shared) && opens(Arc::clone(&shared)));
    assert!(opens(Box::new(Map::new())) && opens(Map::new()));
    let any: Box<dyn FileSystem<File = Option<Arc<[u8]>>>> = Box::new(Map::new());
    assert!(opens(any));
}

#[test]
fn references_forward_the_methods_with_defaults() {
    let files = Arc::new(&SentOrRead);
    let path = Path::parse("/file").unwrap();
    let Ok(Opened::File { mut file, .. }) = files.open(&path) else {
        panic!("not a file");
    };
    assert!(files.system_file(&mut file).is_some());
    assert!(matches!(
        files.try_fill(&mut file, 0, &mut [0; 4]),
        Got::Bytes(4)
    ));
    let busy = Arc::new(Box::new(Busy(Mutex::new(0), Map::new())));
    assert!(matches!(busy.answer(&Ask::Open(path)), Got::Nothing));
}
