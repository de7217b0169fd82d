//! `--record FILE`: the recording of real connections, its replay, and what it never contains.
#![cfg(unix)]

#[path = "../../tests/client/mod.rs"]
mod client;
mod process;

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::Instant;

use client::{connect, drain, get, site};
use process::{PROGRAM, Program, RUNTIMES};
use rustix::process::Signal;
use sanserve_conformance::recording::{Recording, Replay};
use tempfile::TempDir;

/// A served directory, and a folder for the recording beside it.
struct Recorded {
    site: TempDir,
    folder: TempDir,
}

impl Recorded {
    fn new() -> Recorded {
        let (site, folder) = (site(), tempfile::tempdir().unwrap());
        Recorded { site, folder }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("traffic.txt")
    }

    fn command(&self, options: &[&str]) -> Command {
        let mut command = Program::command(self.site.path());
        command
            .args(["--bind", "127.0.0.1", "--record"])
            .arg(self.path());
        command.args(options);
        command
    }

    fn serve(&self, options: &[&str]) -> Program {
        Program::start(&mut self.command(options))
    }

    /// Stops the program, and returns the recording, which must have its end.
    fn stop(&self, program: Program, signal: Signal) -> String {
        program.signal(signal);
        assert!(program.ends().status.success());
        let text = self.text();
        assert!(text.ends_with("\nend\t0\n"), "{text}");
        text
    }

    /// Waits until the recording has this number of events.
    fn wait_for(&self, event: &str, count: usize) {
        let started = Instant::now();
        while self.text().matches(event).count() < count {
            assert!(started.elapsed() < client::TIMEOUT, "{}", self.text());
            thread::yield_now();
        }
    }

    fn text(&self) -> String {
        fs::read_to_string(self.path()).unwrap()
    }
}

fn replay(text: &str) -> Replay {
    Recording::parse(text).unwrap().replay_command()
}

/// Asserts that a replay has this many replies, all equal to the recorded ones.
#[track_caller]
fn assert_same(text: &str, replies: usize) {
    let replay = replay(text);
    assert!(replay.differences.is_empty(), "{replay}\n{text}");
    assert_eq!(replay.replies, replies, "{text}");
}

/// Sends these bytes in pieces of `size`, each when the one before it was sent, and returns all replies.
fn send(address: SocketAddr, bytes: &[u8], size: usize) -> Vec<u8> {
    try_send(address, bytes, size).unwrap()
}

/// Does the same, and fails if the server closes the connection before it has received everything.
fn try_send(address: SocketAddr, bytes: &[u8], size: usize) -> io::Result<Vec<u8>> {
    let mut socket = connect(address);
    socket.set_nodelay(true)?;
    for piece in bytes.chunks(size) {
        socket.write_all(piece)?;
    }
    socket.shutdown(Shutdown::Write)?;
    let mut replies = Vec::new();
    socket.read_to_end(&mut replies)?;
    Ok(replies)
}

/// Requests of several kinds.
const REQUESTS: &[&str] = &[
    "GET /a.txt HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "HEAD /a.txt HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: localhost\r\nAccept: application/json\r\n\r\n",
    "GET /?zip HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "GET /a.txt HTTP/1.1\r\nHost: localhost\r\nRange: bytes=0-0,2-2\r\n\r\n",
    "PUT /new HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n7\r\nprivate\r\n0\r\n\r\n",
    "GET /new HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "GET /missing HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "DELETE /new HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "DELETE /new HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "PUT /directory/ HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n",
];

/// Requests that end the connection.
const LAST_REQUESTS: &[&str] = &[
    "POST /a.txt HTTP/1.1\r\nHost: a\r\nContent-Length: 7\r\n\r\nprivate",
    "GET /a.txt HTTP/1.1\r\n\r\n",
    "GET / HTTP/3.0\r\n\r\n",
    "GET /a.txt\r\n",
];

#[test]
fn a_replay_is_equal_to_what_was_recorded() {
    for runtime in RUNTIMES {
        let recorded = Recorded::new();
        // The archive contains all files.
        fs::remove_file(recorded.site.path().join("big")).unwrap();
        let options = ["--runtime", runtime, "--upload", "--delete", "--archive"];
        let program = recorded.serve(&options);
        let requests = REQUESTS.concat();
        let replies = send(program.address(), requests.as_bytes(), requests.len());
        assert!(replies.windows(7).any(|part| part == b"private"));
        send(program.address(), REQUESTS[..5].concat().as_bytes(), 3);
        for request in LAST_REQUESTS {
            send(program.address(), request.as_bytes(), request.len());
        }
        let text = recorded.stop(program, Signal::TERM);
        assert!(!text.contains("private"), "{text}");
        assert_same(&text, REQUESTS.len() + 5 + LAST_REQUESTS.len());
        assert_eq!(replay(&text).connections, 2 + LAST_REQUESTS.len(), "{text}");
    }
}

#[test]
fn uploads_in_parts_are_replayed_without_their_tokens() {
    for runtime in RUNTIMES {
        let recorded = Recorded::new();
        let program = recorded.serve(&["--runtime", runtime, "--upload"]);
        let ask = |request: String| {
            let reply = send(program.address(), request.as_bytes(), request.len());
            String::from_utf8(reply).unwrap()
        };
        let field = "Host: localhost\r\nConnection: close\r\nContent-Length: 3";
        let created = ask(format!(
            "PUT /parts HTTP/1.1\r\n{field}\r\nUpload-Complete: ?0\r\n\r\none"
        ));
        let (_, target) = created
            .split_once("Location: .")
            .unwrap_or_else(|| panic!("{created}"));
        let target = target.split("\r\n").next().unwrap();
        let asked = ask(format!(
            "HEAD {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        ));
        assert!(asked.contains("Upload-Offset: 3\r\n"), "{asked}");
        let stored = ask(format!(
            "PATCH {target} HTTP/1.1\r\n{field}\r\nContent-Type: application/partial-upload\r\n\
             Upload-Offset: 3\r\nUpload-Complete: ?1\r\n\r\ntwo"
        ));
        assert!(stored.starts_with("HTTP/1.1 201 "), "{stored}");
        let begun = ask(format!(
            "PUT /other HTTP/1.1\r\n{field}\r\nUpload-Complete: ?0\r\n\r\none"
        ));
        let (_, other) = begun.split_once("Location: .").expect("a target");
        let other = other.split("\r\n").next().unwrap();
        let cancelled = ask(format!(
            "DELETE {other} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        ));
        assert!(cancelled.starts_with("HTTP/1.1 204 "), "{cancelled}");
        let text = recorded.stop(program, Signal::TERM);
        for target in [target, other] {
            let (_, token) = target.split_once('=').unwrap();
            assert!(!text.contains(token), "{text}");
        }
        assert_same(&text, 5);
    }
}

#[test]
fn large_files_and_listings_are_replayed_without_their_content() {
    for runtime in RUNTIMES {
        let recorded = Recorded::new();
        fs::write(recorded.site.path().join("large"), client::noise(3_000_000)).unwrap();
        fs::create_dir(recorded.site.path().join("many")).unwrap();
        for number in 0..300 {
            let name = format!("many/a file with the number {number}");
            File::create(recorded.site.path().join(name)).unwrap();
        }
        let program = recorded.serve(&["--runtime", runtime]);
        for target in ["/large", "/many/"] {
            let mut socket = connect(program.address());
            write!(socket, "GET {target} HTTP/1.0\r\n\r\n").unwrap();
            assert!(drain(&socket).unwrap() > 30_000);
        }
        let text = recorded.stop(program, Signal::TERM);
        assert!(text.len() < 100_000, "{} bytes", text.len());
        assert_same(&text, 2);
    }
}

#[test]
fn recorded_content_is_compared() {
    for runtime in RUNTIMES {
        let recorded = Recorded::new();
        let program = recorded.serve(&["--runtime", runtime, "--record-content"]);
        let address = program.address();
        let request = "GET /a.txt HTTP/1.0\r\nCookie: private\r\n\r\n";
        let reply = String::from_utf8(send(address, request.as_bytes(), 100)).unwrap();
        let content = reply.split_once("\r\n\r\n").unwrap().1.trim_end();
        let text = recorded.stop(program, Signal::TERM);
        assert!(
            text.contains(content) && !text.contains("private"),
            "{text}"
        );
        assert_same(&text, 1);
        let other = "?".repeat(content.len());
        let changed = text.replace(
            &format!("content-bytes\t{content}"),
            &format!("content-bytes\t{other}"),
        );
        assert_ne!(text, changed);
        let differences = replay(&changed).differences;
        assert_eq!(differences[0].text, "other content of the same length");
    }
}

#[test]
fn a_changed_setting_shows_as_a_difference() {
    let recorded = Recorded::new();
    fs::write(recorded.site.path().join(".env"), "private").unwrap();
    let program = recorded.serve(&["--hidden", "--header", "X-A", "b"]);
    get(program.address(), "/a.txt");
    get(program.address(), "/.env");
    let text = recorded.stop(program, Signal::TERM);
    assert_same(&text, 2);
    let without = |line: &str| {
        let changed = text.replace(line, "");
        assert_ne!(text, changed);
        let replay = replay(&changed);
        let differences = replay.differences.iter().map(ToString::to_string);
        differences.collect::<Vec<_>>().join("\n")
    };
    let difference = without("note\thidden\tyes\n");
    let expected = "connection 1, reply 0, \"GET /.env HTTP/1.0\": status 200, now 404";
    assert_eq!(difference, expected);
    let difference = without("note\theader\tX-A: b\n");
    assert!(difference.contains("reply 0") && difference.contains("field `x-a: b`, now"));
    let difference = without("\thttp11=1");
    assert!(difference.contains("now"), "{difference}");
}

#[test]
fn passwords_and_scripts_are_replayed() {
    for runtime in RUNTIMES {
        let recorded = Recorded::new();
        let scripts = recorded.site.path().join("cgi-bin");
        fs::create_dir(&scripts).unwrap();
        let script = "#!/bin/sh\necho 'Status: 299 Fine'\necho 'Set-Cookie: id=private'\necho\n\
                      echo private >&2\ncat\necho private";
        let mut options = File::options();
        let file = options.write(true).create_new(true).mode(0o755);
        let mut file = file.open(scripts.join("a")).unwrap();
        file.write_all(script.as_bytes()).unwrap();
        drop(file);
        let options = ["--runtime", runtime, "--cgi", "--auth", "mary:private"];
        let program = recorded.serve(&options);
        let request = |credentials: &str| {
            let field = match credentials {
                "" => String::new(),
                _ => format!("Authorization: Basic {credentials}\r\n"),
            };
            let request = format!(
                "POST /cgi-bin/a?token=private HTTP/1.0\r\n{field}Content-Length: 7\r\n\r\nprivate"
            );
            let reply = send(program.address(), request.as_bytes(), 1000);
            String::from_utf8(reply).unwrap()
        };
        for wrong in ["", "bWFyeTp3cm9uZw==", "invalid"] {
            assert!(request(wrong).starts_with("HTTP/1.1 401 "));
        }
        for _ in 0..2 {
            let reply = request("bWFyeTpwcml2YXRl");
            assert!(reply.starts_with("HTTP/1.1 299 Fine") && reply.contains("private"));
        }
        let text = recorded.stop(program, Signal::TERM);
        assert!(
            !text.contains("private") && !text.contains("bWFyeTp"),
            "{text}"
        );
        assert_same(&text, 5);
    }
}

/// The recording has the rights of everybody, and those of all users together.
#[test]
fn rights_are_replayed() {
    let recorded = Recorded::new();
    let program = recorded.serve(&["--upload", "--upload-auth", "mary:private"]);
    for (request, status) in [
        ("GET / HTTP/1.0\r\n\r\n", "200"),
        ("PUT /1 HTTP/1.0\r\nContent-Length: 1\r\n\r\na", "401"),
        (
            "PUT /1 HTTP/1.0\r\nAuthorization: Basic bWFyeTpwcml2YXRl\r\nContent-Length: 1\r\n\r\na",
            "201",
        ),
        (
            "GET / HTTP/1.0\r\nAuthorization: Basic bWFyeTpwcml2YXRl\r\n\r\n",
            "200",
        ),
        (
            "GET / HTTP/1.0\r\nAuthorization: Basic bWFyeTp3cm9uZw==\r\n\r\n",
            "401",
        ),
    ] {
        let reply = send(program.address(), request.as_bytes(), 1000);
        assert_eq!(&reply[9..12], status.as_bytes(), "{request}");
    }
    let text = recorded.stop(program, Signal::TERM);
    assert!(text.contains("note\trights-of-everybody\tread\n"), "{text}");
    assert!(
        text.contains("note\trights-of-users\tread,write,delete\n"),
        "{text}"
    );
    assert_same(&text, 5);
}

#[test]
fn no_rights_of_everybody_are_replayed() {
    let recorded = Recorded::new();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("users");
    fs::write(&path, "mary:private:rights=write\n").unwrap();
    let program = recorded.serve(&["--auth-file", path.to_str().unwrap()]);
    for field in ["", "Authorization: Basic bWFyeTpwcml2YXRl\r\n"] {
        let request = format!("GET /a.txt HTTP/1.0\r\n{field}\r\n");
        let reply = send(program.address(), request.as_bytes(), 1000);
        assert_eq!(&reply[9..12], b"403", "{request}");
    }
    let text = recorded.stop(program, Signal::TERM);
    assert_same(&text, 2);
}

/// Requests and fields with the secret `s3cr3t`.
const SECRETS: &[&str] = &[
    "GET /a.txt?password=s3cr3t HTTP/1.1\r\nHost: a\r\n\r\n",
    "GET /a.txt?a=b&Access%5FToken=s3cr3t&c=d HTTP/1.1\r\nHost: a\r\n\r\n",
    "GET http://mary:s3cr3t@a/a.txt HTTP/1.1\r\nHost: a\r\n\r\n",
    "GET /a.txt HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer s3cr3t\r\n\r\n",
    "GET /a.txt HTTP/1.1\r\nHost: a\r\nauthorization:Basic bWFyeTpzM2NyM3Q=\r\n\r\n",
    "GET /a.txt HTTP/1.1\r\nHost: a\r\nPROXY-AUTHORIZATION: \t Basic s3cr3t\r\n\r\n",
    "GET /a.txt HTTP/1.1\r\nHost: a\r\nCookie: a=s3cr3t; b=s3cr3t\r\nAccept: text/plain\r\n\r\n",
    "GET /a.txt HTTP/1.1\r\nHost: a\r\nX-Api-Key: s3cr3t\r\nX-Auth-Token: s3cr3t\r\n\r\n",
    "GET /a.txt HTTP/1.1\r\nHost: a\r\nX-CSRF-Token: s3cr3t\r\nX-Badge: s3cr3t\r\n\r\n",
    "GET /a.txt HTTP/1.1\r\nHost: a\r\nReferer: http://a:s3cr3t@b/?code=s3cr3t\r\n\r\n",
    "POST /a.txt HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\n\r\ns3cr3t",
    "POST /a.txt HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n6;s3cr3t\r\ns3cr3t\r\n0\r\n\
     X-Secret: s3cr3t\r\n\r\n",
    // These end the connection.
    "GET /a.txt HTTP/1.1\r\nHost: a\r\nCookie: a\r\n s3cr3t\r\n\r\n",
    "GET /a.txt HTTP/1.1\r\nHost: a\r\nCookie : s3cr3t\r\n\r\n",
    "GET /a.txt HTTP/1.1\r\nHost: a\r\nA: b\rCookie: s3cr3t\r\n\r\n",
    "GET /a.txt HTTP/1.1\r\nHost: a\r\nCookie s3cr3t\r\n\r\n",
    "POST /a.txt HTTP/1.1\r\nHost: a\r\nContent-Length: 6, 6\r\n\r\ns3cr3t",
    "POST /a.txt HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\ns3cr3t\n",
    "POST /a.txt HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nz\r\ns3cr3t\n",
    "GET /a.txt HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: b\r\n\r\ns3cr3t\n",
    "CONNECT mary:s3cr3t@a:443 HTTP/1.1\r\nHost: a\r\n\r\ns3cr3t\n",
    "GET /a.txt HTTP/1.1\r\nHost: a\r\nAuthorization: Basic s3cr3t",
    "GET http://mary:s3cr3t",
];

#[test]
fn secrets_are_never_recorded() {
    for runtime in RUNTIMES {
        let recorded = Recorded::new();
        let options = [
            "--runtime",
            runtime,
            "--record-secret",
            "x-badge",
            "--header",
            "Set-Cookie: a=s3cr3t",
        ];
        let program = recorded.serve(&options);
        for request in SECRETS {
            for size in [request.len(), 1] {
                send(program.address(), request.as_bytes(), size);
            }
        }
        let text = recorded.stop(program, Signal::TERM);
        for secret in ["s3cr3t", "bWFyeTpzM2NyM3Q"] {
            let found = text.lines().find(|line| line.contains(secret));
            assert_eq!(found, None);
        }
        // Byte by byte it is not contained either.
        let column = |line: &str| line.split('\t').nth(4).unwrap_or_default().to_string();
        let read = text.lines().filter(|line| line.contains("\tread\t"));
        let read: String = read.map(column).collect();
        assert!(read.contains("Cookie: ") && !read.contains("s3cr3t"));
        let replay = replay(&text);
        assert!(replay.differences.is_empty(), "{replay}");
    }
}

/// Heads that are malformed, with the secret `hunter2`.
const MALFORMED: &[&[u8]] = &[
    b"my private hunter2 here\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\nthis line is no field hunter2\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\nBad Name: hunter2\r\nA: hunter2\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\nA: hunter2\x01\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\nA: b\nB: hunter2\r\n\r\n",
    b"HEAD / HTTP/1.1\r\nHost: a\r\nhunter2\r\n\r\n",
    b"hunter2\r\n\r\n",
    b"hunter2: my words HTTP/1.1\r\n\r\n",
    b"GET hunter2 HTTP/1.1\r\n\r\n",
    b"HEAD hunter2 HTTP/1.1\r\nHost: a\r\n\r\n",
    b"HEAD my hunter2\r\n\r\n",
    b"GET hunter2\r\n",
    b"GET /hunter2 HTTP/1.1\nHost: a\r\n\r\n",
    b"GET /hunter2\n",
    b"hunter2 /a HTTP/3.0\r\n\r\n",
    b"hunter2 /a\r\n",
    b"h@hunter2 /a\r\n",
    b"it's <hunter2> & \\ \xe9\x85\r\n\r\n",
    b"it's \"hunter2\" HTTP/1.1 \r\n\r\n",
    b"\x16\x03\x01hunter2\xff\n",
    b"\x16\x03\x01hunter2\xff",
    b"HEAD /hunter2",
    b"GET /a\r\nA: hunter2\r\n\r\n",
];

#[test]
fn malformed_heads_are_removed_and_replayed() {
    for runtime in RUNTIMES {
        let recorded = Recorded::new();
        let program = recorded.serve(&["--runtime", runtime]);
        for head in MALFORMED {
            for size in [head.len(), 1] {
                // The server may answer and close before the last byte.
                let _ = try_send(program.address(), head, size);
            }
        }
        let text = recorded.stop(program, Signal::TERM);
        for word in ["hunter2", "private", "words", "this", "Name"] {
            let found = text.lines().find(|line| line.contains(word));
            assert_eq!(found, None);
        }
        let column = |line: &str| line.split('\t').nth(4).unwrap_or_default().to_string();
        let read = text.lines().filter(|line| line.contains("\tread\t"));
        let read: String = read.map(column).collect();
        assert!(!read.contains("hunter2"), "{read}");
        assert_same(&text, MALFORMED.len() * 2);
    }
}

#[test]
fn a_recording_of_a_killed_server_is_read_up_to_its_last_event() {
    let recorded = Recorded::new();
    let program = recorded.serve(&[]);
    for _ in 0..20 {
        get(program.address(), "/a.txt");
    }
    recorded.wait_for("\tcontent\t", 20);
    program.signal(Signal::KILL);
    program.ends();
    let text = recorded.text();
    assert_eq!(Recording::parse(&text).unwrap().dropped(), None);
    assert_same(&text, 20);
    // Wherever the file ends, everything before is read.
    for len in (HEADER.len()..text.len()).step_by(7) {
        let replay = replay(&text[..len]);
        assert!(replay.differences.is_empty(), "{len}: {replay}");
        let heads = text[..len].lines().filter(|line| line.contains("\thead\t"));
        assert!(replay.replies + 1 >= heads.count(), "{len}: {replay}");
    }
}

const HEADER: &str = "# sanserve recording 1\n";

#[test]
fn a_file_that_cannot_grow_does_not_stop_the_server() {
    let recorded = Recorded::new();
    let mut command = Command::new("sh");
    // The unit is 512 bytes.
    command.args(["-c", "ulimit -f 8; exec \"$0\" \"$@\"", PROGRAM]);
    command.args(recorded.command(&[]).get_args());
    let program = Program::start(&mut command);
    for _ in 0..50 {
        assert!(get(program.address(), "/a.txt").starts_with("HTTP/1.1 200 OK\r\n"));
    }
    program.signal(Signal::TERM);
    let ended = program.ends();
    assert!(ended.status.success());
    let message = "events were not recorded, because the file could not be written in time";
    assert!(ended.stderr.contains(message), "{}", ended.stderr);
    let text = recorded.text();
    assert!(text.len() <= 4096 && text.ends_with('\n'), "{text}");
    let replay = replay(&text);
    assert!(
        replay.replies > 0 && replay.differences.is_empty(),
        "{replay}"
    );
}

#[test]
fn the_length_of_the_file_is_limited() {
    let recorded = Recorded::new();
    let program = recorded.serve(&["--record-limit", "4K"]);
    for _ in 0..50 {
        get(program.address(), "/a.txt");
    }
    program.signal(Signal::TERM);
    program.ends();
    let text = recorded.text();
    let recording = Recording::parse(&text).unwrap();
    assert!(text.len() < 4096 + 30, "{text}");
    assert!(
        recording.dropped().is_some_and(|dropped| dropped > 0),
        "{text}"
    );
    assert!(recording.replay_command().differences.is_empty());
}

#[test]
fn ctrl_c_ends_the_recording() {
    for runtime in RUNTIMES {
        let recorded = Recorded::new();
        let program = recorded.serve(&["--runtime", runtime]);
        get(program.address(), "/a.txt");
        // This connection is open at the end.
        let open = connect(program.address());
        client::send_get(&open, "/a.txt");
        client::read_head(&open);
        recorded.wait_for("\thead\t", 2);
        let text = recorded.stop(program, Signal::INT);
        assert_same(&text, 2);
    }
}

#[test]
fn a_connection_on_standard_input_is_recorded() {
    let recorded = Recorded::new();
    let mut command = Command::new(PROGRAM);
    let record = [Path::new("--record"), &recorded.path()];
    command.arg("--stdio").args(record).arg("--directory");
    command.arg(recorded.site.path());
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.stderr(Stdio::null()).spawn().unwrap();
    let request = "GET /a.txt HTTP/1.0\r\nCookie: private\r\n\r\n";
    let mut input = child.stdin.take().unwrap();
    input.write_all(request.as_bytes()).unwrap();
    drop(input);
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success() && output.stdout.starts_with(b"HTTP/1.1 200 OK\r\n"));
    let text = recorded.text();
    assert!(
        text.ends_with("\nend\t0\n") && !text.contains("private"),
        "{text}"
    );
    assert_same(&text, 1);
}

#[test]
fn a_recording_is_private_and_replaces_nothing() {
    let recorded = Recorded::new();
    let program = recorded.serve(&[]);
    let mode = fs::metadata(recorded.path()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    recorded.stop(program, Signal::TERM);
    let complaint = complaint(&mut recorded.command(&[]));
    let name = recorded.path().display().to_string();
    assert!(
        complaint.starts_with(&format!(
            "sanserve: error: cannot create {name} for --record: "
        )),
        "{complaint}"
    );
}

#[test]
fn a_recording_in_the_served_directory_is_refused() {
    let site = site();
    for name in ["traffic.txt", "./.hidden"] {
        let mut command = Program::command(Path::new("."));
        command.current_dir(site.path()).args(["--record", name]);
        let expected = format!(
            "sanserve: error: --record {name} is in the served directory, where every client could read it: \
             move it, or serve another directory\n"
        );
        assert_eq!(complaint(&mut command), expected);
    }
}

#[test]
fn options_of_a_recording_require_one() {
    let site = site();
    for (options, message) in [
        (
            &["--record-content"][..],
            "--record-content requires --record: add it",
        ),
        (
            &["--record-limit", "1M"],
            "--record-limit requires --record: add it",
        ),
        (
            &["--record-secret", "a"],
            "--record-secret requires --record: add it",
        ),
    ] {
        let mut command = Command::new(PROGRAM);
        command.current_dir(site.path()).args(options);
        assert_eq!(
            complaint(&mut command),
            format!("sanserve: error: {message}\n")
        );
    }
}

/// Runs a command line that is wrong, and returns the message.
fn complaint(command: &mut Command) -> String {
    let output = command.stdin(Stdio::null()).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    String::from_utf8(output.stderr).unwrap()
}
