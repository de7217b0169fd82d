//! Components that wasmtime runs, and clients of them.

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

/// A component that is run; to drop it ends it.
pub(crate) struct Component {
    process: Child,
    /// What it said first.
    pub(crate) line: String,
    pub(crate) log: Rc<Log>,
}

/// What a component writes to its standard error. A file has all of it as soon as it is written.
pub(crate) struct Log {
    file: File,
    /// How much of it was read.
    read: Cell<u64>,
}

impl Component {
    /// Runs it, and waits for its first line.
    pub(crate) fn start(mut wasmtime: Command) -> Component {
        let file = tempfile::tempfile().expect("a file for the log");
        wasmtime.stdin(Stdio::null()).stdout(Stdio::piped());
        wasmtime.stderr(file.try_clone().expect("a second handle"));
        let mut process = wasmtime.spawn().expect("wasmtime runs");
        let output = process.stdout.take().expect("a pipe");
        Component::listen(process, output, file)
    }

    /// Serves with it. Here the first line is the host's and comes by standard error, so it is on
    /// standard output that the component logs.
    #[allow(dead_code, reason = "not every test has one that is served with")]
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
            // It may have more to say.
            let _ = output.read_to_end(&mut Vec::new());
        });
        let line = lines.recv_timeout(START).unwrap_or_default();
        let read = Cell::new(0);
        let log = Rc::new(Log { file, read });
        Component { process, line, log }
    }

    /// Where it listens; its first line says so, alone or behind `http://`.
    ///
    /// # Panics
    /// If it does not, with what it says instead.
    pub(crate) fn address(&self) -> SocketAddr {
        let line = self.line.trim();
        let found = line.split_once("http://").map_or(line, |(_, rest)| rest);
        let found = found.split('/').next().unwrap_or_default();
        let found: Option<SocketAddr> = found.parse().ok();
        let address = found.unwrap_or_else(|| panic!("{line:?}, {:?}", self.log.take()));
        SocketAddr::from(([127, 0, 0, 1], address.port()))
    }

    /// A client that gives up after a while.
    pub(crate) fn connect(&self) -> TcpStream {
        let socket = TcpStream::connect(self.address()).expect("it listens");
        socket.set_read_timeout(Some(TIMEOUTS)).expect("a limit");
        socket
    }

    /// The whole reply to a request for this path.
    pub(crate) fn get(&self, path: &str) -> String {
        let mut socket = self.connect();
        write!(socket, "GET {path} HTTP/1.0\r\n\r\n").expect("it reads");
        rest(&mut socket)
    }
}

/// Where the files of a case come from: `disk`, which the host hands over, or where that will not do
/// `site`, which is memory: for scripts, since there are no processes, for what WASI 0.2 cannot say
/// of a disk, names that are not UTF-8 and times before 1970, and for names that a disk of Windows reads
/// otherwise.
#[allow(dead_code, reason = "not every test runs the list")]
pub(crate) fn files(case: &Case) -> &'static str {
    const UNSAYABLE: [&str; 14] = [
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
        || UNSAYABLE.contains(&&case.name[..]);
    if in_memory { "site" } else { "disk" }
}

/// All that a socket has still to say.
pub(crate) fn rest(socket: &mut TcpStream) -> String {
    let mut reply = Vec::new();
    socket.read_to_end(&mut reply).expect("a reply");
    String::from_utf8_lossy(&reply).into()
}

impl Log {
    /// What has come since it was last asked.
    pub(crate) fn take(&self) -> String {
        let (mut bytes, mut piece) = (Vec::new(), [0; 4096]);
        while let Ok(n @ 1..) = self.file.read_at(&mut piece, self.read.get()) {
            bytes.extend_from_slice(&piece[..n]);
            self.read.set(self.read.get() + n as u64);
        }
        String::from_utf8(bytes).expect("a log is UTF-8")
    }
}

impl Drop for Component {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// So long it may take to compile a component.
const START: Duration = Duration::from_secs(60);

/// So long a client waits: less than a server waits for a head.
const TIMEOUTS: Duration = Duration::from_secs(20);
