//! The list on the std adapter, over real sockets and a real disk, and the same over TLS.

#![cfg(unix)]

mod client;

use std::collections::HashMap;
use std::fs::{self, Permissions};
use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::PermissionsExt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use client::Client;
use rustls::{ClientConfig, RootCertStore};
use sanserve::{Disk, ThreadingHTTPServer, Tls};
use sanserve_conformance::{Case, Pace, Site, Subject, Transcript, run};
use tempfile::TempDir;

/// One server for each kind that a case asks for, all of the same folder.
struct Std {
    site: TempDir,
    servers: HashMap<String, (SocketAddr, Arc<Mutex<String>>)>,
    tls: Option<(Tls, Arc<ClientConfig>)>,
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
            let server = match &self.tls {
                Some((tls, _)) => server.tls(tls.clone()),
                None => server,
            };
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

impl Std {
    /// Sends what the case says, reading at the same time: a server that has heard enough is not
    /// drowned with the rest.
    fn talk(&self, address: SocketAddr, case: &Case, pace: Pace) -> io::Result<Vec<u8>> {
        let tls = self.tls.as_ref().map(|(_, config)| config);
        let client = Client::connect(address, tls)?;
        let ended = AtomicBool::new(false);
        thread::scope(|scope| {
            let reader = scope.spawn(|| {
                let bytes = client.receive();
                ended.store(true, Ordering::Relaxed);
                bytes
            });
            let (mut rest, mut pieces) = (&case.request[..], pace.pieces());
            while !rest.is_empty() && !ended.load(Ordering::Relaxed) {
                let n = pieces.next_len(rest.len());
                match client.send(&rest[..n]) {
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
                let _ = client.end();
            }
            reader.join().expect("reading does not panic")
        })
    }
}

impl Subject for Std {
    fn name(&self) -> &str {
        self.tls.as_ref().map_or("std", |_| "std over TLS")
    }

    fn converse(&mut self, case: &Case, pace: Pace) -> Transcript {
        let (address, log) = self.server(case);
        let bytes = self.talk(address, case, pace).expect("no link breaks here");
        let log = std::mem::take(&mut *log.lock().expect("no panic"));
        Transcript {
            bytes,
            log: log.lines().map(str::to_owned).collect(),
        }
    }
}

#[test]
fn conforms() {
    conform(None);
}

#[test]
fn conforms_over_tls() {
    let made = rcgen::generate_simple_self_signed(["localhost".into()]).expect("a certificate");
    let folder = TempDir::new().expect("a temporary folder");
    let file = folder.path().join("both.pem");
    let both = made.cert.pem() + &made.signing_key.serialize_pem();
    fs::write(&file, both).expect("a file of ours");
    let tls = Tls::load(file, None, None).expect("a good certificate");
    let mut roots = RootCertStore::empty();
    roots.add(made.cert.der().clone()).expect("the same");
    let config = ClientConfig::builder().with_root_certificates(roots);
    conform(Some((tls, Arc::new(config.with_no_client_auth()))));
}

fn conform(tls: Option<(Tls, Arc<ClientConfig>)>) {
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
        tls,
    });
}
