//! Every example is run.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

/// An example at work; it ends with the test.
struct Program {
    child: Child,
    address: String,
}

impl Program {
    fn start(command: &mut Command) -> Program {
        let child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
        let mut child = child.expect("the example starts");
        let mut line = String::new();
        let stdout = child.stdout.take().expect("it is piped");
        BufReader::new(stdout)
            .read_line(&mut line)
            .expect("it prints its address");
        let (_, address) = line.trim().split_once("://").expect("it is a URL");
        let address = address.trim_end_matches('/').into();
        Program { child, address }
    }

    fn connect(&self) -> TcpStream {
        TcpStream::connect(&self.address).expect("it listens")
    }

    fn get(&self, target: &str) -> String {
        let mut socket = self.connect();
        write!(socket, "GET {target} HTTP/1.0\r\n\r\n").expect("it reads");
        let mut reply = String::new();
        socket.read_to_string(&mut reply).expect("it answers");
        reply
    }

    /// The most memory that was resident, in KiB.
    #[cfg(target_os = "linux")]
    fn peak(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))
            .expect("it is running");
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("VmHWM:"))
            .expect("Linux tells it");
        line.trim()
            .trim_end_matches(" kB")
            .parse()
            .expect("a number")
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn https_serves_the_current_directory() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let made = rcgen::generate_simple_self_signed(["localhost".into()]).expect("a certificate");
    let write = |name: &str, text: String| {
        std::fs::write(folder.path().join(name), text).expect("a file of ours");
    };
    write("cert.pem", made.cert.pem());
    write("key.pem", made.signing_key.serialize_pem());
    let mut command = Command::new(env!("CARGO_BIN_EXE_https"));
    command.args(["cert.pem", "key.pem"]);
    let program = Program::start(command.current_dir(folder.path()));
    let mut roots = rustls::RootCertStore::empty();
    roots.add(made.cert.der().clone()).expect("the same");
    let config = rustls::ClientConfig::builder().with_root_certificates(roots);
    let config = Arc::new(config.with_no_client_auth());
    let name = "localhost".try_into().expect("a name");
    let client = rustls::ClientConnection::new(config, name).expect("a good configuration");
    let mut stream = rustls::StreamOwned::new(client, program.connect());
    write!(stream, "GET /cert.pem HTTP/1.0\r\n\r\n").expect("it reads");
    let mut reply = String::new();
    stream.read_to_string(&mut reply).expect("it answers");
    assert!(reply.ends_with(&made.cert.pem()), "{reply}");
}

#[test]
fn hello_greets() {
    let program = Program::start(&mut Command::new(env!("CARGO_BIN_EXE_hello")));
    let reply = program.get("/you");
    assert!(reply.starts_with("HTTP/1.0 200 OK\r\n"), "{reply}");
    assert!(
        reply.ends_with("\r\n\r\nHello, you asked for /you\n"),
        "{reply}"
    );
}

#[test]
#[cfg(target_os = "linux")]
fn echo_streams_a_hundred_megabytes_each_way_through_less_than_ten() {
    const LEN: u64 = 100 << 20;
    let program = Program::start(&mut Command::new(env!("CARGO_BIN_EXE_echo")));
    let mut socket = program.connect();
    let mut sender = socket.try_clone().expect("a socket of ours");
    let send = std::thread::spawn(move || {
        write!(
            sender,
            "POST / HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: {LEN}\r\n\r\n"
        )
        .expect("it reads");
        for _ in 0..LEN >> 16 {
            sender.write_all(&[b'y'; 1 << 16]).expect("it reads");
        }
    });
    let mut counted = 0;
    let mut buffer = vec![0; 1 << 20];
    loop {
        match socket.read(&mut buffer).expect("it answers") {
            0 => break,
            n => counted += buffer[..n].iter().filter(|&&byte| byte == b'y').count() as u64,
        }
    }
    send.join().expect("all was sent");
    // The date may hold a y or two.
    assert!((LEN..LEN + 10).contains(&counted), "{counted}");

    let mut socket = program.connect();
    write!(
        socket,
        "GET /{LEN} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
    )
    .expect("it reads");
    let got = std::io::copy(&mut socket, &mut std::io::sink()).expect("it answers");
    assert!(got > LEN && got < LEN + 1000);
    println!("resident at most: {} KiB", program.peak());
    assert!(program.peak() < 10 * 1024, "{} KiB", program.peak());
}

#[test]
fn custom_changes_what_it_says() {
    let folder = tempfile::TempDir::new().expect("a temporary folder");
    for name in ["a.rs", "b.txt", ".secret"] {
        std::fs::write(folder.path().join(name), name).expect("a file of ours");
    }
    let program = Program::start(Command::new(env!("CARGO_BIN_EXE_custom")).current_dir(&folder));
    let reply = program.get("/a.rs");
    assert!(
        reply.contains("Content-type: text/x-rust\r\n")
            && reply.contains("Cache-Control: no-cache\r\n")
    );
    assert!(program.get("/b.txt").ends_with("\r\n\r\nb.txt"));
    assert!(program.get("/.secret").starts_with("HTTP/1.0 404 "));
}

#[test]
#[cfg(unix)]
fn cgi_runs_a_script() {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt;

    let folder = tempfile::TempDir::new().expect("a temporary folder");
    let script = folder.path().join("cgi-bin/hello");
    fs::create_dir(folder.path().join("cgi-bin")).expect("a folder of ours");
    fs::write(
        &script,
        "#!/bin/sh\nprintf 'Content-Type: text/plain\\n\\nHello, %s\\n' \"$QUERY_STRING\"",
    )
    .expect("a file");
    for path in [folder.path(), &script] {
        fs::set_permissions(path, Permissions::from_mode(0o755)).expect("a file of ours");
    }
    let program = Program::start(Command::new(env!("CARGO_BIN_EXE_cgi")).arg(folder.path()));
    let reply = program.get("/cgi-bin/hello?you");
    assert!(
        reply.starts_with("HTTP/1.0 200 Script output follows\r\n"),
        "{reply}"
    );
    assert!(reply.ends_with("\r\n\r\nHello, you\n"), "{reply}");
}

/// Gives an example its input; answers whether it did well, and what it said.
fn talk(program: &str, input: &[u8]) -> (bool, String) {
    let mut command = Command::new(program);
    let command = command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().expect("the example starts");
    let mut stdin = child.stdin.take().expect("it is piped");
    stdin.write_all(input).expect("it reads");
    drop(stdin);
    let output = child.wait_with_output().expect("it ends");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    (output.status.success(), said)
}

#[test]
fn embedded_serves_what_is_built_in() {
    let get = |target: &str| {
        let request = format!("GET {target} HTTP/1.0\r\n\r\n");
        let (good, said) = talk(env!("CARGO_BIN_EXE_embedded"), request.as_bytes());
        assert!(good, "{said}");
        said
    };
    assert!(get("/").contains("<title>Lamp</title>"));
    assert!(get("/src/").contains("<a href=\"embedded.rs\">"));
    let source = include_str!("../embedded.rs");
    let said = get("/src/embedded.rs");
    assert!(said.starts_with("HTTP/1.0 200 OK\r\n") && said.ends_with(source));
    assert!(get("/nope").starts_with("HTTP/1.0 404 "));
}

#[test]
fn parser_takes_a_request_apart() {
    let parse = |input: &[u8]| talk(env!("CARGO_BIN_EXE_parser"), input);
    let (good, said) = parse(b"GET /a?b HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc");
    assert!(
        good && said.contains("target  \"/a?b\"\n") && said.contains("field   \"Host\": \"h\"\n"),
        "{said}"
    );
    assert_eq!(
        parse(b"GET / HTTP/3.0\r\n\r\n"),
        (
            false,
            "505 unsupported HTTP version: only 1.x is understood\n".into()
        )
    );
    assert_eq!(
        parse(b"GET / HTTP/1.1\r\nHost"),
        (false, "the head is not complete\n".into())
    );
}

#[test]
fn replay_wants_the_same_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("transcript.txt");
    let transcript = sanserve_conformance::sim::Sim::standard()
        .play(1, true)
        .transcript;
    let replay = |text: &str| {
        std::fs::write(&path, text).expect("a file of ours");
        let mut command = Command::new(env!("CARGO_BIN_EXE_replay"));
        command.arg(&path).output().expect("the example runs")
    };
    let same = replay(&transcript);
    assert!(same.status.success() && same.stdout.ends_with(b" steps, all the same\n"));
    let other = replay(&transcript.replace("\tread ", "\tread 1"));
    assert!(!other.status.success() && !other.stderr.is_empty());
}

#[test]
fn websocket_echoes_beside_files_on_each_server() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    std::fs::write(folder.path().join("a.txt"), "hello\n").expect("a file of ours");
    for server in ["std", "mio", "tokio"] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_websocket"));
        let program = Program::start(command.arg(server).current_dir(&folder));
        let url = format!("ws://{}/echo", program.address);
        let (mut socket, _) = tungstenite::client(url, program.connect()).expect("a handshake");
        for message in ["short".into(), "long".repeat(100_000)] {
            let message = tungstenite::Message::text(message);
            socket.send(message.clone()).expect("it reads");
            assert_eq!(socket.read().expect("it answers"), message, "{server}");
        }
        assert!(program.get("/a.txt").ends_with("\r\n\r\nhello\n"));
        let reply = program.get("/echo");
        assert!(reply.starts_with("HTTP/1.1 426 "), "{server}: {reply}");
        socket.close(None).expect("it reads");
        while socket.read().is_ok() {}
    }
}

#[test]
fn events_go_to_every_client_that_listens() {
    let program = Program::start(&mut Command::new(env!("CARGO_BIN_EXE_events")));
    let listen = || {
        let mut socket = program.connect();
        write!(socket, "GET /events HTTP/1.1\r\nHost: h\r\n\r\n").expect("it reads");
        let mut lines = BufReader::new(socket)
            .lines()
            .map(|line| line.expect("it sends"));
        // It listens as soon as it has the head.
        assert!(lines.any(|line| line.is_empty()));
        lines
    };
    let mut clients = [listen(), listen()];
    for message in ["one", "two"] {
        let mut socket = program.connect();
        let len = message.len();
        write!(
            socket,
            "POST / HTTP/1.0\r\nContent-Length: {len}\r\n\r\n{message}"
        )
        .expect("it reads");
        let mut reply = String::new();
        socket.read_to_string(&mut reply).expect("it answers");
        assert!(reply.starts_with("HTTP/1.1 204 "), "{reply}");
        for client in &mut clients {
            let data = client.find(|line| line.starts_with("data: "));
            assert_eq!(data, Some(format!("data: {message}")));
        }
    }
}

#[test]
fn slow_answers_when_its_work_is_done() {
    let program = Program::start(&mut Command::new(env!("CARGO_BIN_EXE_slow")));
    // π(10⁵) and π(10³), by OEIS A006880.
    assert!(program.get("/100000").ends_with("\r\n\r\n9592\n"));
    assert!(program.get("/1000").ends_with("\r\n\r\n168\n"));
    assert!(program.get("/x").starts_with("HTTP/1.1 404 "));
}

#[test]
fn settings_come_from_a_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("settings.toml");
    let write = |more: &str| {
        let root = folder.path();
        let text = format!(
            "address = '127.0.0.1:0'\nroot = '{}'\n{more}",
            root.display()
        );
        std::fs::write(&file, text).expect("the file can be written");
    };
    std::fs::write(folder.path().join("a.txt"), "hello\n").expect("the file can be written");
    write("error_text = 'Ask the librarian.'\n[headers]\nX-Shelf = 'three'\n");
    let program = Program::start(Command::new(env!("CARGO_BIN_EXE_settings")).arg(&file));
    let reply = program.get("/a.txt");
    assert!(
        reply.contains("\r\nX-Shelf: three\r\n") && reply.ends_with("\r\n\r\nhello\n"),
        "{reply}"
    );
    let error = program.get("/b.txt");
    assert!(
        error.starts_with("HTTP/1.1 404 ") && error.ends_with("\nAsk the librarian.\n"),
        "{error}"
    );

    write("idle_timout = 5\n");
    let failed = Command::new(env!("CARGO_BIN_EXE_settings"))
        .arg(&file)
        .output();
    let said = String::from_utf8(failed.expect("it runs").stderr).expect("text");
    assert!(said.contains("idle_timout"), "{said}");
}
