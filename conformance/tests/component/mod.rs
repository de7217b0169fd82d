//! [`Component`]: runs a component in wasmtime, connects clients to it, and reads its log. [`files`] chooses the file
//! system for a case: a disk, or the site in memory for what WASI cannot do with a disk.

use std::cell::Cell;
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::FileExt;
use std::process::{Child, Command, Stdio};
use std::rc::Rc;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use sanserve_conformance::Case;

use crate::tools::KillOnDrop;

/// A running component. It stops when this is dropped.
pub(crate) struct Component {
    _process: KillOnDrop,
    /// Its first line of output.
    pub(crate) line: String,
    pub(crate) log: Rc<Log>,
}

/// The standard error of a component. It is a file, so that a line is complete as soon as it is written.
pub(crate) struct Log {
    file: File,
    /// The number of bytes that were read.
    read: Cell<u64>,
}

impl Component {
    /// Runs a component, and waits for its first line.
    pub(crate) fn start(mut wasmtime: Command) -> Component {
        let file = tempfile::tempfile().expect("a file for the log");
        wasmtime.stdin(Stdio::null()).stdout(Stdio::piped());
        wasmtime.stderr(file.try_clone().expect("a second handle"));
        let mut process = wasmtime.spawn().expect("wasmtime runs");
        let output = process.stdout.take().expect("a pipe");
        Component::listen(process, output, file)
    }

    /// Runs a component with `wasmtime serve`. Here the first line is wasmtime's and on standard error, so the
    /// component logs to standard output.
    #[allow(dead_code, reason = "not every test uses `wasmtime serve`")]
    pub(crate) fn serve(mut wasmtime: Command) -> Component {
        let file = tempfile::tempfile().expect("a file for the log");
        wasmtime.stdin(Stdio::null()).stderr(Stdio::piped());
        wasmtime.stdout(file.try_clone().expect("a second handle"));
        let mut process = wasmtime.spawn().expect("wasmtime runs");
        let output = process.stderr.take().expect("a pipe");
        Component::listen(process, output, file)
    }

    /// Waits for the first line of `output`.
    fn listen(process: Child, output: impl Read + Send + 'static, file: File) -> Component {
        let mut output = BufReader::new(output);
        let (send, lines) = mpsc::channel();
        thread::spawn(move || {
            let mut line = String::new();
            let _ = output.read_line(&mut line);
            let _ = send.send(line);
            // Read the rest, so that the process is not blocked.
            let _ = output.read_to_end(&mut Vec::new());
        });
        let line = lines.recv_timeout(START).unwrap_or_default();
        let read = Cell::new(0);
        let log = Rc::new(Log { file, read });
        Component {
            _process: KillOnDrop(process),
            line,
            log,
        }
    }

    /// Returns the address at which it listens, from its first line, with or without `http://`.
    ///
    /// # Panics
    /// With its first line, if that is not an address.
    pub(crate) fn address(&self) -> SocketAddr {
        let line = self.line.trim();
        let found = line.split_once("http://").map_or(line, |(_, rest)| rest);
        let found = found.split('/').next().unwrap_or_default();
        let found: Option<SocketAddr> = found.parse().ok();
        let address = found.unwrap_or_else(|| panic!("{line:?}, {:?}", self.log.take()));
        SocketAddr::from(([127, 0, 0, 1], address.port()))
    }

    /// Connects with a read timeout.
    pub(crate) fn connect(&self) -> TcpStream {
        let socket = TcpStream::connect(self.address()).expect("it listens");
        socket.set_read_timeout(Some(TIMEOUTS)).expect("a limit");
        socket
    }

    /// Returns the whole reply to a GET of this path.
    pub(crate) fn get(&self, path: &str) -> String {
        let mut socket = self.connect();
        write!(socket, "GET {path} HTTP/1.0\r\n\r\n").expect("it reads");
        rest(&mut socket)
    }
}

/// Returns the file system for a case: `disk`, the directory of the host, or `site`, the site in memory. The latter is
/// for CGI scripts, because there are no processes; for names that are not UTF-8 and times before 1970, which WASI 0.2
/// does not support; and for names that Windows interprets differently.
#[allow(dead_code, reason = "not every test runs the suite")]
pub(crate) fn files(case: &Case) -> &'static str {
    const NOT_ON_WASI: [&str; 14] = [
        "if_modified_since_HEAD/IMS neg.txt b",
        "listing/odd names",
        "listing/odd names in JSON",
        "listing/odd names in text",
        "mime_HEAD//neg.txt",
        "mime_HEAD//trail.",
        "paths/decoded once: bad%ED%B3%BF.txt",
        "paths_GET//",
        "paths_GET//bad%ED%B3%BF.txt",
        "paths_HEAD//",
        "paths_HEAD///",
        "paths_HEAD//bad\\xff.txt",
        "paths_HEAD//file.txt/../",
        "validators/tag before 1970",
    ];
    let in_memory = case.handler == "cgi"
        || case.option("names") == Some("any")
        || NOT_ON_WASI.contains(&&case.name[..]);
    if in_memory { "site" } else { "disk" }
}

/// Reads the rest of a connection.
pub(crate) fn rest(socket: &mut TcpStream) -> String {
    let mut reply = Vec::new();
    socket.read_to_end(&mut reply).expect("a reply");
    String::from_utf8_lossy(&reply).into()
}

impl Log {
    /// Returns the lines since the last call.
    pub(crate) fn take(&self) -> String {
        let (mut bytes, mut piece) = (Vec::new(), [0; 4096]);
        while let Ok(n @ 1..) = self.file.read_at(&mut piece, self.read.get()) {
            bytes.extend_from_slice(&piece[..n]);
            self.read.set(self.read.get() + n as u64);
        }
        String::from_utf8(bytes).expect("a log is UTF-8")
    }
}

/// The time limit for compiling a component.
const START: Duration = Duration::from_secs(60);

/// The read timeout of clients: less than the server's timeout for a head.
const TIMEOUTS: Duration = Duration::from_secs(20);
