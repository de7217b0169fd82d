//! Tests that a client that reads slowly gets the whole reply, and that one that stops is cut off, on every runtime,
//! with and without TLS. The bytes that clients have received count, not those in the buffers of the system. The tests
//! use real sockets with large buffers, and short timeouts.
#![cfg(target_os = "linux")]

mod certificate;
mod client;
mod slow_client;

use std::fs::{self, File};
use std::io::Read;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use certificate::{Stream, TestCertificate};
use rustix::net::sockopt;
use rustls::StreamOwned;
use rustls::version::TLS13;
use sanserve_core::{Config, Files, Protocol, Timeouts, archive::Download};
use slow_client::{RUNTIMES, Recorder, Server, Setup, connect, read_slowly, send_get};
use tempfile::TempDir;

const MIB: usize = 1024 * 1024;

/// How long the clients read slowly: many times the grace period.
const SLOW: Duration = Duration::from_secs(7);

/// Returns the default configuration with a grace period of one second.
fn config() -> Config {
    Config::default()
        .with_protocol(Protocol::Http11)
        .with_timeouts(Timeouts::default().with_grace(Duration::from_secs(1)))
}

/// Makes files a little longer than the buffers, a directory with a long listing, and one with a large archive.
fn site() -> TempDir {
    let site = TempDir::new().unwrap();
    let sparse = |name: &str, len: usize| {
        let file = File::create(site.path().join(name)).unwrap();
        file.set_len(len as u64).unwrap();
    };
    sparse("6", 6 * MIB);
    sparse("20", 20 * MIB);
    fs::create_dir(site.path().join("many")).unwrap();
    for number in 0..6_000 {
        sparse(&format!("many/a file with a number, which is {number}"), 0);
    }
    fs::create_dir(site.path().join("archived")).unwrap();
    sparse("archived/6", 6 * MIB);
    site
}

/// A reply that is read slowly at first, and then to its end.
struct Reader {
    tls: bool,
    send_buffer: usize,
    target: &'static str,
    rate: usize,
}

/// Returns the replies to read: each file at each rate, and the generated replies at one rate.
fn readers() -> Vec<Reader> {
    let mut readers = Vec::new();
    let mut add = |tls, send_buffer, target, rate| {
        readers.push(Reader {
            tls,
            send_buffer,
            target,
            rate,
        });
    };
    for rate in [1_000, 8_000, 40_000, 200_000] {
        add(false, 4 * MIB, "/6", rate);
        add(false, 16 * MIB, "/20", rate);
        add(true, 4 * MIB, "/6", rate);
    }
    for tls in [false, true] {
        add(tls, MIB / 4, "/many/", 8_000);
        add(tls, MIB / 4, "/archived/?tar", 8_000);
    }
    readers
}

fn handler() -> Files {
    let mut files = Files::new();
    files.settings_mut().archive = Arc::new(Download::parse);
    files
}

#[test]
fn a_slow_reader_gets_the_whole_reply_from_every_runtime() {
    let (site, certificate) = (site(), TestCertificate::new());
    let readers = readers();
    thread::scope(|scope| {
        for runtime in RUNTIMES {
            for reader in &readers {
                let (site, certificate) = (site.path(), &certificate);
                scope.spawn(move || run(runtime, reader, site, certificate));
            }
        }
    });
}

fn run(runtime: &'static str, reader: &Reader, site: &Path, certificate: &TestCertificate) {
    let &Reader {
        tls,
        send_buffer,
        target,
        rate,
    } = reader;
    let server = Server::start(
        Setup {
            runtime,
            tls: tls.then(|| certificate.tls()),
            send_buffer,
            connections: 1,
            config: config(),
            handler,
        },
        site,
    );
    let socket = connect(server.address);
    let name = format!("{runtime}, TLS {tls}, {target} at {rate} bytes a second");
    let outcome = if tls {
        let mut stream: Stream = StreamOwned::new(certificate.client(&TLS13, &[]), socket);
        send_get(&mut stream, target);
        read_to_the_end(&mut stream, |stream| &stream.sock, rate)
    } else {
        let mut socket = socket;
        send_get(&mut socket, target);
        read_to_the_end(&mut socket, |socket| socket, rate)
    };
    let reply = outcome.unwrap_or_else(|error| panic!("{name}: {error}; {}", server.log()));
    assert!(
        !server.log().contains("too slowly"),
        "{name}: {}",
        server.log()
    );
    assert!(
        is_complete(&reply),
        "{name}: {} bytes; {}",
        reply.len(),
        server.log()
    );
}

/// Reads the whole reply, the first part of it slowly.
fn read_to_the_end<S: Read>(
    stream: &mut S,
    socket: impl Fn(&S) -> &std::net::TcpStream,
    rate: usize,
) -> std::io::Result<Vec<u8>> {
    let mut recorder = Recorder::new(stream);
    let (_, ended) = read_slowly(&mut recorder, rate, SLOW, |_| ())?;
    assert!(!ended, "the reply ended during the slow part");
    // The rest is read quickly.
    sockopt::set_socket_recv_buffer_size(socket(recorder.stream), MIB).unwrap();
    let Recorder { stream, mut read } = recorder;
    stream.read_to_end(&mut read)?;
    Ok(read)
}

/// Returns whether a reply is a 200 with its whole content: as long as `Content-Length`, or with the last chunk.
fn is_complete(reply: &[u8]) -> bool {
    let end = reply
        .windows(4)
        .position(|four| four == b"\r\n\r\n")
        .unwrap();
    let head = String::from_utf8_lossy(&reply[..end]);
    let content = &reply[end + 4..];
    let len = head
        .lines()
        .find_map(|line| line.strip_prefix("Content-Length: "));
    let has_content = match len {
        Some(len) => content.len() == len.parse::<usize>().unwrap(),
        None => content.ends_with(b"\r\n0\r\n\r\n"),
    };
    head.starts_with("HTTP/1.1 200 OK") && has_content
}

#[test]
fn a_client_that_stops_reading_is_cut_off_once_its_buffers_are_full() {
    let site = site();
    let mut config = config();
    // The bytes in the client's receive buffer count for at most 2.6 seconds.
    config.timeouts.rate = 100_000;
    let deadline = Duration::from_secs(1) + Duration::from_secs_f64(2.7);
    thread::scope(|scope| {
        for runtime in RUNTIMES {
            let (site, config) = (site.path(), config.clone());
            scope.spawn(move || {
                let setup = Setup {
                    runtime,
                    tls: None,
                    send_buffer: 4 * MIB,
                    connections: 1,
                    config,
                    handler: Files::new,
                };
                let server = Server::start(setup, site);
                let start = Instant::now();
                let mut socket = client::connect(server.address);
                send_get(&mut socket, "/20");
                while !server
                    .log()
                    .contains("The client reads the reply too slowly")
                {
                    assert!(
                        start.elapsed() < deadline * 2,
                        "{runtime}: the client is not cut off"
                    );
                    thread::sleep(Duration::from_millis(10));
                }
                let took = start.elapsed();
                println!("{runtime}: cut off after {took:?}");
                assert!(took >= Duration::from_secs(1), "{runtime}: {took:?}");
                drop(socket);
            });
        }
    });
}

/// curl uses the default receive buffer. Its `--limit-rate` reads a megabyte or two immediately, so the test reads the
/// output of curl slowly instead.
#[test]
fn curl_at_8_kilobytes_a_second_gets_the_whole_file() {
    let (site, certificate) = (site(), TestCertificate::new());
    thread::scope(|scope| {
        for runtime in RUNTIMES {
            for tls in [false, true] {
                let (site, certificate) = (site.path(), &certificate);
                scope.spawn(move || run_curl(runtime, tls, site, certificate));
            }
        }
    });
}

fn run_curl(runtime: &'static str, tls: bool, site: &Path, certificate: &TestCertificate) {
    let setup = Setup {
        runtime,
        tls: tls.then(|| certificate.tls()),
        send_buffer: 4 * MIB,
        connections: 1,
        config: config(),
        handler: Files::new,
    };
    let server = Server::start(setup, site);
    let scheme = if tls { "https" } else { "http" };
    let mut curl = Command::new("curl");
    curl.args([
        "--insecure",
        "--silent",
        "--show-error",
        "--include",
        "--no-buffer",
    ]);
    curl.args(["--http1.1", "--max-time", "60", "--noproxy", "*"]);
    curl.arg(format!("{scheme}://{}/6", server.address));
    let spawned = curl.stdout(Stdio::piped()).spawn();
    let mut child = spawned.expect("curl is installed");
    let mut output = child.stdout.take().expect("stdout is piped");
    let mut recorder = Recorder::new(&mut output);
    let (_, ended) = read_slowly(&mut recorder, 8_000, SLOW, |_| ()).unwrap();
    assert!(!ended, "{runtime}, TLS {tls}: {}", server.log());
    let Recorder { mut read, .. } = recorder;
    output.read_to_end(&mut read).unwrap();
    let status = child.wait().unwrap();
    assert!(
        status.success(),
        "{runtime}, TLS {tls}: {status}; {}",
        server.log()
    );
    assert!(
        is_complete(&read),
        "{runtime}, TLS {tls}: {} bytes",
        read.len()
    );
}
