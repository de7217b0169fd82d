//! Tests the examples as programs: runs each, and checks its output or replies.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

/// A running example, which is killed when this is dropped.
struct Example {
    child: Child,
    address: String,
}

impl Example {
    fn start(command: &mut Command) -> Example {
        let child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
        let mut child = child.expect("the example starts");
        let mut line = String::new();
        let stdout = child.stdout.take().expect("stdout is piped");
        BufReader::new(stdout)
            .read_line(&mut line)
            .expect("the example prints its address");
        let (_, address) = line.trim().split_once("://").expect("a URL");
        let address = address.trim_end_matches('/').into();
        Example { child, address }
    }

    fn connect(&self) -> TcpStream {
        TcpStream::connect(&self.address).expect("the example listens")
    }

    fn get(&self, target: &str) -> String {
        let mut socket = self.connect();
        write!(socket, "GET {target} HTTP/1.0\r\n\r\n").expect("the request can be sent");
        let mut reply = String::new();
        socket.read_to_string(&mut reply).expect("a reply arrives");
        reply
    }

    /// Returns the peak resident memory, in KiB.
    #[cfg(target_os = "linux")]
    fn peak_memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))
            .expect("the example is running");
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("VmHWM:"))
            .expect("Linux reports it");
        line.trim()
            .trim_end_matches(" kB")
            .parse()
            .expect("a number")
    }
}

impl Drop for Example {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn https_serves_the_current_directory() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let pair = rcgen::generate_simple_self_signed(["localhost".into()]).expect("a certificate");
    let write = |name: &str, text: String| {
        std::fs::write(folder.path().join(name), text).expect("the file can be written");
    };
    write("cert.pem", pair.cert.pem());
    write("key.pem", pair.signing_key.serialize_pem());
    let mut command = Command::new(env!("CARGO_BIN_EXE_https"));
    command.args(["cert.pem", "key.pem"]);
    let example = Example::start(command.current_dir(folder.path()));
    let mut roots = rustls::RootCertStore::empty();
    roots
        .add(pair.cert.der().clone())
        .expect("a valid certificate");
    let config = rustls::ClientConfig::builder().with_root_certificates(roots);
    let config = Arc::new(config.with_no_client_auth());
    let name = "localhost".try_into().expect("a name");
    let client = rustls::ClientConnection::new(config, name).expect("a valid configuration");
    let mut stream = rustls::StreamOwned::new(client, example.connect());
    write!(stream, "GET /cert.pem HTTP/1.0\r\n\r\n").expect("the request can be sent");
    let mut reply = String::new();
    stream.read_to_string(&mut reply).expect("a reply arrives");
    assert!(reply.ends_with(&pair.cert.pem()), "{reply}");
}

#[test]
fn hello_greets() {
    let example = Example::start(&mut Command::new(env!("CARGO_BIN_EXE_hello")));
    let reply = example.get("/you");
    assert!(reply.starts_with("HTTP/1.0 200 OK\r\n"), "{reply}");
    assert!(
        reply.ends_with("\r\n\r\nHello, you asked for /you\n"),
        "{reply}"
    );
}

#[test]
#[cfg(target_os = "linux")]
fn echo_streams_100_mib_each_way_in_less_than_10_mib_of_memory() {
    const LEN: u64 = 100 << 20;
    let example = Example::start(&mut Command::new(env!("CARGO_BIN_EXE_echo")));
    let mut socket = example.connect();
    let mut sender = socket.try_clone().expect("the socket can be cloned");
    let send = std::thread::spawn(move || {
        write!(
            sender,
            "POST / HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: {LEN}\r\n\r\n"
        )
        .expect("the request can be sent");
        for _ in 0..LEN >> 16 {
            sender
                .write_all(&[b'y'; 1 << 16])
                .expect("the request can be sent");
        }
    });
    let mut counted = 0;
    let mut buffer = vec![0; 1 << 20];
    loop {
        match socket.read(&mut buffer).expect("a reply arrives") {
            0 => break,
            n => counted += buffer[..n].iter().filter(|&&byte| byte == b'y').count() as u64,
        }
    }
    send.join().expect("the whole content was sent");
    // The head of the reply may contain a few of them, too.
    assert!((LEN..LEN + 10).contains(&counted), "{counted}");

    let mut socket = example.connect();
    write!(socket, "GET /{LEN} HTTP/1.0\r\nHost: h\r\n\r\n").expect("the request can be sent");
    let got = std::io::copy(&mut socket, &mut std::io::sink()).expect("a reply arrives");
    assert!(got > LEN && got < LEN + 1000);
    println!("peak memory: {} KiB", example.peak_memory());
    assert!(
        example.peak_memory() < 10 * 1024,
        "{} KiB",
        example.peak_memory()
    );
}

#[test]
fn custom_files_changes_headers_media_types_and_hidden_names() {
    let folder = tempfile::TempDir::new().expect("a temporary folder");
    for name in ["a.rs", "b.txt", ".secret"] {
        std::fs::write(folder.path().join(name), name).expect("the file can be written");
    }
    let example =
        Example::start(Command::new(env!("CARGO_BIN_EXE_custom_files")).current_dir(&folder));
    let reply = example.get("/a.rs");
    assert!(
        reply.contains("Content-type: text/x-rust\r\n")
            && reply.contains("Cache-Control: no-cache\r\n")
    );
    assert!(example.get("/b.txt").ends_with("\r\n\r\nb.txt"));
    assert!(example.get("/.secret").starts_with("HTTP/1.0 404 "));
}

#[test]
#[cfg(unix)]
fn cgi_runs_a_script() {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt;

    let folder = tempfile::TempDir::new().expect("a temporary folder");
    let script = folder.path().join("cgi-bin/hello");
    fs::create_dir(folder.path().join("cgi-bin")).expect("the folder can be made");
    fs::write(
        &script,
        "#!/bin/sh\nprintf 'Content-Type: text/plain\\n\\nHello, %s\\n' \"$QUERY_STRING\"",
    )
    .expect("a file");
    for path in [folder.path(), &script] {
        fs::set_permissions(path, Permissions::from_mode(0o755)).expect("the file can be written");
    }
    let example = Example::start(Command::new(env!("CARGO_BIN_EXE_cgi")).arg(folder.path()));
    let reply = example.get("/cgi-bin/hello?you");
    assert!(
        reply.starts_with("HTTP/1.0 200 Script output follows\r\n"),
        "{reply}"
    );
    assert!(reply.ends_with("\r\n\r\nHello, you\n"), "{reply}");
}

/// Runs an example with this standard input. Returns whether it succeeded, and its standard output.
fn run_with_input(path: &str, input: &[u8]) -> (bool, String) {
    let mut command = Command::new(path);
    let command = command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().expect("the example starts");
    let mut stdin = child.stdin.take().expect("stdin is piped");
    stdin.write_all(input).expect("the input can be written");
    drop(stdin);
    let output = child.wait_with_output().expect("the example ends");
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    (output.status.success(), stdout)
}

#[test]
fn embedded_serves_the_files_built_into_it() {
    let get = |target: &str| {
        let request = format!("GET {target} HTTP/1.0\r\n\r\n");
        let (success, reply) = run_with_input(env!("CARGO_BIN_EXE_embedded"), request.as_bytes());
        assert!(success, "{reply}");
        reply
    };
    assert!(get("/").contains("<title>Lamp</title>"));
    assert!(get("/src/").contains("<a href=\"embedded.rs\">"));
    let source = include_str!("../embedded.rs");
    let reply = get("/src/embedded.rs");
    assert!(reply.starts_with("HTTP/1.0 200 OK\r\n") && reply.ends_with(source));
    assert!(get("/nope").starts_with("HTTP/1.0 404 "));
}

#[test]
fn parser_prints_the_parts_of_a_request() {
    let parse = |input: &[u8]| run_with_input(env!("CARGO_BIN_EXE_parser"), input);
    let (success, stdout) = parse(b"GET /a?b HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc");
    assert!(
        success
            && stdout.contains("target  \"/a?b\"\n")
            && stdout.contains("field   \"Host\": \"h\"\n"),
        "{stdout}"
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
fn a_transcript_is_replayed() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("transcript.txt");
    let transcript = sanserve_conformance::sim::Sim::standard()
        .simulate(1, true)
        .transcript;
    let replay = |text: &str| {
        std::fs::write(&path, text).expect("the file can be written");
        let mut command = Command::new(env!("CARGO_BIN_EXE_replay"));
        command.arg(&path).output().expect("the example runs")
    };
    let unchanged = replay(&transcript);
    assert!(unchanged.status.success() && unchanged.stdout.ends_with(b" steps, all the same\n"));
    let changed = replay(&transcript.replace("\tread ", "\tread 1"));
    assert!(!changed.status.success() && !changed.stderr.is_empty());
}

#[test]
fn websocket_echoes_beside_files_on_each_server() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    std::fs::write(folder.path().join("a.txt"), "hello\n").expect("the file can be written");
    for server in ["threads", "event-loop", "tokio"] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_websocket"));
        let example = Example::start(command.arg(server).current_dir(&folder));
        let url = format!("ws://{}/echo", example.address);
        let (mut socket, _) = tungstenite::client(url, example.connect()).expect("a handshake");
        for message in ["short".into(), "long".repeat(100_000)] {
            let message = tungstenite::Message::text(message);
            socket
                .send(message.clone())
                .expect("the message can be sent");
            assert_eq!(socket.read().expect("a reply arrives"), message, "{server}");
        }
        assert!(example.get("/a.txt").ends_with("\r\n\r\nhello\n"));
        let reply = example.get("/echo");
        assert!(reply.starts_with("HTTP/1.1 426 "), "{server}: {reply}");
        socket.close(None).expect("the message can be sent");
        while socket.read().is_ok() {}
    }
}

#[test]
fn server_sent_events_go_to_every_subscribed_client() {
    let example = Example::start(&mut Command::new(env!("CARGO_BIN_EXE_server_sent_events")));
    let subscribe = || {
        let mut socket = example.connect();
        write!(socket, "GET /events HTTP/1.1\r\nHost: h\r\n\r\n").expect("the request can be sent");
        let mut lines = BufReader::new(socket)
            .lines()
            .map(|line| line.expect("an event arrives"));
        // The client is subscribed once the head of the reply has arrived.
        assert!(lines.any(|line| line.is_empty()));
        lines
    };
    let mut clients = [subscribe(), subscribe()];
    for message in ["one", "two"] {
        let mut socket = example.connect();
        let len = message.len();
        write!(
            socket,
            "POST / HTTP/1.0\r\nContent-Length: {len}\r\n\r\n{message}"
        )
        .expect("the request can be sent");
        let mut reply = String::new();
        socket.read_to_string(&mut reply).expect("a reply arrives");
        assert!(reply.starts_with("HTTP/1.1 204 "), "{reply}");
        for client in &mut clients {
            let data = client.find(|line| line.starts_with("data: "));
            assert_eq!(data, Some(format!("data: {message}")));
        }
    }
}

#[test]
fn thread_pool_replies_when_the_work_is_done() {
    let example = Example::start(&mut Command::new(env!("CARGO_BIN_EXE_thread_pool")));
    // π(10⁵) and π(10³), by OEIS A006880.
    assert!(example.get("/100000").ends_with("\r\n\r\n9592\n"));
    assert!(example.get("/1000").ends_with("\r\n\r\n168\n"));
    assert!(example.get("/x").starts_with("HTTP/1.1 404 "));
}

/// Sends a request with content, and returns the reply.
fn send(example: &Example, method: &str, target: &str, content: &str) -> String {
    let mut socket = example.connect();
    let len = content.len();
    write!(
        socket,
        "{method} {target} HTTP/1.0\r\nContent-Length: {len}\r\n\r\n{content}"
    )
    .expect("the request can be sent");
    let mut reply = String::new();
    socket.read_to_string(&mut reply).expect("a reply arrives");
    reply
}

#[test]
fn upload_stores_files_and_sends_them() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let example = Example::start(Command::new(env!("CARGO_BIN_EXE_upload")).current_dir(&folder));
    let reply = send(&example, "PUT", "/a.txt", "hello");
    assert!(reply.starts_with("HTTP/1.1 201 "), "{reply}");
    let stored = std::fs::read_to_string(folder.path().join("a.txt"));
    assert_eq!(stored.expect("a file"), "hello");
    assert!(example.get("/a.txt").ends_with("\r\n\r\nhello"));
    let reply = send(&example, "PUT", "/a.txt", "other");
    assert!(reply.starts_with("HTTP/1.1 409 "), "{reply}");
}

#[test]
fn json_api_adds_and_searches_notes() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    std::fs::write(folder.path().join("a.txt"), "hello\n").expect("the file can be written");
    let example = Example::start(Command::new(env!("CARGO_BIN_EXE_json_api")).current_dir(&folder));
    let post = |form| send(&example, "POST", "/api/notes", form);
    let added = post("text=caf%C3%A9+au+lait");
    assert!(added.starts_with("HTTP/1.1 201 "), "{added}");
    assert!(
        added.ends_with("{\"id\":1,\"text\":\"caf\u{e9} au lait\"}"),
        "{added}"
    );
    assert!(post("text=tea").ends_with("{\"id\":2,\"text\":\"tea\"}"));
    assert!(post("note=tea").starts_with("HTTP/1.1 400 "));
    let found = example.get("/api/notes?contains=%C3%A9");
    assert!(
        found.ends_with("[{\"id\":1,\"text\":\"caf\u{e9} au lait\"}]"),
        "{found}"
    );
    assert!(example.get("/a.txt").ends_with("\r\n\r\nhello\n"));
}

/// Reads up to this end.
fn read_to(socket: &mut TcpStream, end: &str) -> Vec<u8> {
    let (mut received, mut byte) = (Vec::new(), [0]);
    while !received.ends_with(end.as_bytes()) {
        socket.read_exact(&mut byte).expect("the whole request");
        received.extend(byte);
    }
    received
}

/// Starts the proxy before a server that reads a request, up to the end of `request_end`, sends `response` and closes.
/// Returns what the client receives for `request`, and what the server has read.
fn through_proxy(request: &str, request_end: &str, response: &str) -> (String, String) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("an address").to_string();
    let example = Example::start(Command::new(env!("CARGO_BIN_EXE_proxy")).arg(address));
    std::thread::scope(|scope| {
        let server = scope.spawn(move || {
            let (mut socket, _) = listener.accept().expect("the proxy connects");
            let received = read_to(&mut socket, request_end);
            socket.write_all(response.as_bytes()).expect("it is read");
            String::from_utf8(received).expect("text")
        });
        let (mut client, mut reply) = (example.connect(), String::new());
        client.write_all(request.as_bytes()).expect("it is read");
        client.read_to_string(&mut reply).expect("a reply arrives");
        (reply, server.join().expect("the server does not panic"))
    })
}

#[test]
fn proxy_forwards_what_is_end_to_end() {
    let (reply, received) = through_proxy(
        "POST /a?b HTTP/1.1\r\nHost: site\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\
         Connection: close, X-Hop\r\nX-Hop: 1\r\n\r\nabc",
        "\r\n\r\nabc",
        "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 201 Made\r\nKeep-Alive: 5\r\n\
         Set-Cookie: a\r\nSet-Cookie: \u{e9}\r\nContent-Length: 2\r\n\r\nhi",
    );
    assert_eq!(
        received,
        "POST /a?b HTTP/1.1\r\nHost: site\r\nContent-Length: 3\r\nConnection: close\r\n\
         Via: 1.1 proxy\r\n\r\nabc"
    );
    let (_, reply) = reply.split_once("HTTP/1.1 103 ").expect("early hints");
    assert_eq!(
        reply,
        "Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 201 Made\r\nSet-Cookie: a\r\n\
         Set-Cookie: \u{e9}\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi"
    );
}

#[test]
fn proxy_lets_no_truncated_response_look_complete() {
    let request = "GET / HTTP/1.1\r\nHost: h\r\n\r\n";
    let response = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n";
    let (reply, _) = through_proxy(request, "\r\n\r\n", response);
    // An error page, if the proxy had not sent anything yet.
    let is_error = reply.starts_with("HTTP/1.1 500 ");
    assert!(is_error || !reply.ends_with("0\r\n\r\n"), "{reply}");
    for response in ["", "HTTP/1.1 200", "SSH-2.0-x\r\n"] {
        let request = "GET / HTTP/1.0\r\nHost: h\r\n\r\n";
        let (reply, _) = through_proxy(request, "\r\n\r\n", response);
        assert!(reply.starts_with("HTTP/1.1 502 "), "{response:?}: {reply}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn proxy_holds_no_content_in_memory() {
    const LEN: u64 = 64 << 20;
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("an address").to_string();
    let example = Example::start(Command::new(env!("CARGO_BIN_EXE_proxy")).arg(address));
    let server = std::thread::spawn(move || {
        let (mut socket, _) = listener.accept().expect("the proxy connects");
        read_to(&mut socket, "\r\n\r\n");
        let mut content = (&socket).take(LEN);
        let received = std::io::copy(&mut content, &mut std::io::sink()).expect("content");
        write!(socket, "HTTP/1.0 200 OK\r\n\r\n").expect("it is read");
        std::io::copy(&mut std::io::repeat(b'x').take(LEN), &mut socket).expect("it is read");
        received
    });
    let mut client = example.connect();
    write!(
        client,
        "POST / HTTP/1.0\r\nHost: h\r\nContent-Length: {LEN}\r\n\r\n"
    )
    .expect("it is read");
    std::io::copy(&mut std::io::repeat(b'x').take(LEN), &mut client).expect("it is read");
    let received = std::io::copy(&mut client, &mut std::io::sink()).expect("a reply");
    assert!((LEN..LEN + 1000).contains(&received), "{received}");
    assert_eq!(server.join().expect("the server does not panic"), LEN);
    let peak = example.peak_memory();
    assert!(peak < LEN / 1024 / 4, "{peak} KiB");
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
    let example = Example::start(Command::new(env!("CARGO_BIN_EXE_settings")).arg(&file));
    let reply = example.get("/a.txt");
    assert!(
        reply.contains("\r\nX-Shelf: three\r\n") && reply.ends_with("\r\n\r\nhello\n"),
        "{reply}"
    );
    let error = example.get("/b.txt");
    assert!(
        error.starts_with("HTTP/1.1 404 ") && error.ends_with("\nAsk the librarian.\n"),
        "{error}"
    );

    write("idle_timout = 5\n");
    let failed = Command::new(env!("CARGO_BIN_EXE_settings"))
        .arg(&file)
        .output();
    let stderr = String::from_utf8(failed.expect("the example runs").stderr).expect("text");
    assert!(stderr.contains("idle_timout"), "{stderr}");
}
