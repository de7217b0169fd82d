//! Scripts at work: what they are given, what they leave behind, and that nothing stays.

#![cfg(unix)]

use std::fs::{self, Permissions};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use sanserve::{Disk, Stopper, ThreadingHTTPServer};
use sanserve_core::{Cgi, Config, Patience};
use tempfile::TempDir;

/// A server of scripts, in a folder that everybody may read.
struct Scripts {
    folder: TempDir,
    address: SocketAddr,
    log: Arc<Mutex<String>>,
    stopper: Stopper,
    server: Option<JoinHandle<()>>,
}

impl Scripts {
    fn serve(scripts: &[(&str, &str)], patience: Patience) -> Scripts {
        let folder = TempDir::new().unwrap();
        let cgi_bin = folder.path().join("cgi-bin");
        fs::create_dir(&cgi_bin).unwrap();
        fs::set_permissions(folder.path(), Permissions::from_mode(0o777)).unwrap();
        for (name, text) in scripts {
            let path = cgi_bin.join(name);
            fs::write(&path, format!("#!/bin/sh\n{text}")).unwrap();
            fs::set_permissions(path, Permissions::from_mode(0o755)).unwrap();
        }
        let log = Arc::new(Mutex::new(String::new()));
        let sink = Arc::clone(&log);
        let server = ThreadingHTTPServer::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let server = server.log(move |lines| sink.lock().unwrap().push_str(lines));
        let (address, stopper) = (server.server_address(), server.stopper());
        let disk = Disk::open(folder.path()).unwrap();
        let config = Config {
            patience,
            ..Config::default()
        };
        let server =
            thread::spawn(move || server.serve_forever(&disk, config, || Cgi::new("h", 1)));
        Scripts {
            folder,
            address,
            log,
            stopper,
            server: Some(server),
        }
    }

    fn send(&self, request: &[u8]) -> TcpStream {
        let mut socket = TcpStream::connect(self.address).unwrap();
        socket
            .set_read_timeout(Some(Duration::from_secs(20)))
            .unwrap();
        socket.write_all(request).unwrap();
        socket
    }

    /// The reply to a GET of a script.
    fn get(&self, script: &str) -> String {
        let mut reply = Vec::new();
        let mut socket = self.send(format!("GET /cgi-bin/{script} HTTP/1.0\r\n\r\n").as_bytes());
        socket.read_to_end(&mut reply).unwrap();
        String::from_utf8_lossy(&reply).into_owned()
    }

    fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    /// A file in the folder, as soon as it is there and not empty.
    fn wait_for(&self, name: &str) -> String {
        let path = self.folder.path().join(name);
        wait(|| {
            fs::read_to_string(&path)
                .ok()
                .filter(|text| text.ends_with('\n'))
        })
    }
}

impl Drop for Scripts {
    fn drop(&mut self) {
        self.stopper.shutdown(Duration::ZERO);
        let _ = self.server.take().map(JoinHandle::join);
    }
}

/// Looks again and again, for twenty seconds at most.
fn wait<T>(mut look: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(
            start.elapsed() < Duration::from_secs(20),
            "it does not come"
        );
        thread::yield_now();
    }
}

fn is_alive(pid: &str) -> bool {
    PathBuf::from(format!("/proc/{}", pid.trim())).exists()
}

const HEAD: &str = "printf 'Content-Type: text/plain\\n\\n'\n";

fn quick() -> Patience {
    Patience {
        ask: Duration::from_secs(2),
        ..Patience::default()
    }
}

#[test]
fn content_and_output_of_any_size_pass() {
    let scripts = Scripts::serve(&[("cat", &format!("{HEAD}cat"))], Patience::default());
    for len in [0, 5, 70_000, 10_000_000] {
        let content: Vec<u8> = (0..len).map(|at: u32| (at % 251) as u8).collect();
        let head = format!("POST /cgi-bin/cat HTTP/1.0\r\nContent-Length: {len}\r\n\r\n");
        let mut socket = scripts.send(&[head.as_bytes(), &content].concat());
        let mut reply = Vec::new();
        socket.read_to_end(&mut reply).unwrap();
        let at = reply
            .windows(4)
            .position(|four| four == b"\r\n\r\n")
            .unwrap()
            + 4;
        assert!(
            reply[at..] == content,
            "{len} bytes: {} came back",
            reply.len() - at
        );
    }
}

#[test]
fn a_script_finds_its_environment_and_nothing_else() {
    let text = format!(
        "{HEAD}env | cut -d= -f1 | sort\necho fds; ls -l /proc/self/fd | grep -c socket\npwd\nid -u; id -G"
    );
    let scripts = Scripts::serve(&[("env", &text)], Patience::default());
    let reply = scripts.get("env");
    let said = reply.split("\r\n\r\n").nth(1).unwrap();
    let (names, rest) = said.split_once("fds\n").unwrap();
    let known = [
        "CONTENT_TYPE",
        "GATEWAY_INTERFACE",
        "HTTP_ACCEPT",
        "HTTP_COOKIE",
        "HTTP_REFERER",
        "HTTP_USER_AGENT",
        "LANG",
        "LC_ALL",
        "OLDPWD",
        "PATH",
        "PATH_INFO",
        "PATH_TRANSLATED",
        "PWD",
        "QUERY_STRING",
        "REMOTE_ADDR",
        "REMOTE_HOST",
        "REQUEST_METHOD",
        "SCRIPT_NAME",
        "SERVER_NAME",
        "SERVER_PORT",
        "SERVER_PROTOCOL",
        "SERVER_SOFTWARE",
        "SHLVL",
        "TMPDIR",
        "TZ",
        "_",
    ];
    let strangers: Vec<_> = names.lines().filter(|name| !known.contains(name)).collect();
    assert!(strangers.is_empty(), "{strangers:?}");
    let mut rest = rest.lines();
    // Neither the listening socket nor that of any client.
    assert_eq!(rest.next().map(str::trim), Some("0"));
    assert!(rest.next().unwrap().ends_with("/cgi-bin"));
    if rustix::process::geteuid().is_root() {
        let nobody = nix::unistd::User::from_name("nobody").unwrap().unwrap();
        assert_eq!(rest.next(), Some(nobody.uid.to_string().as_str()));
        assert_eq!(
            rest.next(),
            Some(nobody.gid.to_string().as_str()),
            "and no other group"
        );
    }
}

#[test]
fn a_script_that_never_ends_is_ended() {
    let text = "echo $$ >../pid; sleep 1000 & echo $! >../child; wait";
    let scripts = Scripts::serve(&[("sleep", text)], quick());
    let reply = scripts.get("sleep");
    assert!(reply.starts_with("HTTP/1.0 504 "), "{reply}");
    let (pid, child) = (scripts.wait_for("pid"), scripts.wait_for("child"));
    wait(|| (!is_alive(&pid) && !is_alive(&child)).then_some(()));
}

#[test]
fn a_script_ends_with_its_client() {
    let text =
        format!("echo $$ >../pid; trap '' TERM PIPE HUP\n{HEAD}while :; do echo 0123456789; done");
    let scripts = Scripts::serve(&[("flood", &text)], Patience::default());
    let mut socket = scripts.send(b"GET /cgi-bin/flood HTTP/1.0\r\n\r\n");
    socket.read_exact(&mut [0; 100_000]).unwrap();
    let pid = scripts.wait_for("pid");
    assert!(is_alive(&pid));
    drop(socket);
    wait(|| (!is_alive(&pid)).then_some(()));
}

#[test]
fn a_flood_of_complaints_blocks_nothing_and_is_cut_in_the_log() {
    let text = format!(
        "i=0; while [ $i -lt 20000 ]; do echo 0123456789 >&2; i=$((i+1)); done\n{HEAD}echo done"
    );
    let scripts = Scripts::serve(&[("err", &text)], Patience::default());
    assert!(scripts.get("err").ends_with("\r\n\r\ndone\n"));
    let log = scripts.log();
    assert!(log.contains("0123456789\n") && log.contains("(and more on standard error)\n"));
    assert!(log.len() < 100_000, "{} bytes of log", log.len());
}

#[test]
fn what_a_script_leaves_behind_goes_with_it() {
    let text = format!("{HEAD}echo hi; sleep 1000 >/dev/null 2>&1 & echo $! >../child");
    let closing = format!("exec <&-; {HEAD}echo hi; exec >&- 2>&-; echo $$ >../pid; sleep 1000");
    let scripts = Scripts::serve(&[("fork", &text), ("closing", &closing)], quick());
    assert!(scripts.get("fork").ends_with("\r\n\r\nhi\n"));
    let child = scripts.wait_for("child");
    wait(|| (!is_alive(&child)).then_some(()));
    assert!(scripts.get("closing").ends_with("\r\n\r\nhi\n"));
    let pid = scripts.wait_for("pid");
    wait(|| (!is_alive(&pid)).then_some(()));
}

#[test]
fn no_descriptor_and_no_thread_stays() {
    let fail = "echo oops >&2; exit 3";
    let scripts = Scripts::serve(
        &[("ok", &format!("{HEAD}echo hi")), ("fail", fail)],
        quick(),
    );
    let count = || {
        let fds = fs::read_dir("/proc/self/fd").unwrap().count();
        (fds, fs::read_dir("/proc/self/task").unwrap().count())
    };
    scripts.get("ok");
    // Other tests run in this process meanwhile, so there may be more of both, but not hundreds.
    let before = count();
    for _ in 0..200 {
        assert!(scripts.get("ok").ends_with("hi\n"));
        assert!(scripts.get("fail").starts_with("HTTP/1.0 500 "));
    }
    let after = count();
    assert!(
        after.0 < before.0 + 100 && after.1 < before.1 + 100,
        "{before:?} {after:?}"
    );
    assert!(
        scripts.log().contains("] oops\n") && scripts.log().contains("] CGI script exit code 3\n")
    );
}
