//! The list on the std adapter, over real sockets and a real disk.

#![cfg(unix)]

use std::collections::HashMap;
use std::fs::{self, Permissions};
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use sanserve::{Disk, ThreadingHTTPServer};
use sanserve_conformance::{Case, Pace, Site, Subject, Transcript, run};
use tempfile::TempDir;

/// One server for each kind that a case asks for, all of the same folder.
struct Std {
    site: TempDir,
    servers: HashMap<String, (SocketAddr, Arc<Mutex<String>>)>,
}

impl Std {
    /// The server for a case, started if there is none yet. It ends with the process.
    fn server(&mut self, case: &Case) -> (SocketAddr, Arc<Mutex<String>>) {
        let kind = format!("{} {:?}", case.handler, case.options);
        let site = self.site.path().join("site");
        let start = || {
            let log = Arc::new(Mutex::new(String::new()));
            let sink = Arc::clone(&log);
            let server = ThreadingHTTPServer::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
            let server = server.log(move |lines| sink.lock().expect("no panic").push_str(lines));
            let address = server.server_address();
            let disk = Disk::open(&site).expect("the site was made");
            let case = case.clone();
            thread::spawn(move || server.serve_forever(&disk, case.config(), || case.handler()));
            (address, log)
        };
        self.servers.entry(kind).or_insert_with(start).clone()
    }
}

impl Subject for Std {
    fn name(&self) -> &str {
        "std"
    }

    fn converse(&mut self, case: &Case, pace: Pace) -> Transcript {
        let (address, log) = self.server(case);
        let bytes = talk(address, case, pace).expect("no link breaks here");
        let log = std::mem::take(&mut *log.lock().expect("no panic"));
        Transcript {
            bytes,
            log: log.lines().map(str::to_owned).collect(),
        }
    }
}

/// Sends what the case says, reading at the same time: a server that has heard enough is not
/// drowned with the rest.
fn talk(address: SocketAddr, case: &Case, pace: Pace) -> io::Result<Vec<u8>> {
    let mut socket = TcpStream::connect(address)?;
    socket.set_nodelay(true)?;
    socket.set_read_timeout(Some(Duration::from_secs(20)))?;
    let mut reader = socket.try_clone()?;
    let ended = AtomicBool::new(false);
    thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let mut bytes = Vec::new();
            let result = reader.read_to_end(&mut bytes);
            ended.store(true, Ordering::Relaxed);
            result.map(|_| bytes)
        });
        let (mut rest, mut pieces) = (&case.request[..], pace.pieces());
        while !rest.is_empty() && !ended.load(Ordering::Relaxed) {
            let n = pieces.next_len(rest.len());
            match socket.write(&rest[..n]) {
                Ok(n) => rest = &rest[n..],
                // It is the reader who decides whether the server was right to go.
                Err(error)
                    if matches!(
                        error.kind(),
                        ErrorKind::BrokenPipe | ErrorKind::ConnectionReset
                    ) =>
                {
                    break;
                }
                Err(error) => return Err(error),
            }
        }
        if case.half_close {
            let _ = socket.shutdown(Shutdown::Write);
        }
        let bytes = reader.join().expect("reading does not panic");
        // The server lingers for as long as this side is open.
        drop(socket);
        bytes
    })
}

#[test]
fn conforms() {
    let site = TempDir::new().expect("a temporary folder");
    // Scripts run as nobody, if this is root.
    let all = Permissions::from_mode(0o755);
    fs::set_permissions(site.path(), all).expect("a folder of ours");
    Site::standard()
        .make(&site.path().join("site"))
        .expect("the site can be made");
    run(&mut Std {
        site,
        servers: HashMap::new(),
    });
}
