//! Readers that are slow but quick enough: however much of a reply the system has taken, what counts is what they
//! took. With real sockets, whose buffers are large, and short timeouts, so that the tests are short.
#![cfg(target_os = "linux")]

mod pair;
mod peer;
mod readers;

use std::fs::{self, File};
use std::io::Read;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use pair::{Pair, Stream};
use readers::{Keeping, RUNTIMES, Server, Setup, ask, connect, read_slowly};
use rustix::net::sockopt;
use rustls::StreamOwned;
use rustls::version::TLS13;
use sanserve_core::{Config, Files, Protocol, Timeouts, archive::Download};
use tempfile::TempDir;

const MIB: usize = 1024 * 1024;

/// How long readers are slow: many times the grace.
const SLOW: Duration = Duration::from_secs(7);

/// A second of grace, and what is the default for all else.
fn config() -> Config {
    Config::default()
        .with_protocol(Protocol::Http11)
        .with_timeouts(Timeouts::default().with_grace(Duration::from_secs(1)))
}

/// Files that are a little longer than the buffers, and a directory that makes a long listing and a large archive.
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
    fs::create_dir(site.path().join("packed")).unwrap();
    sparse("packed/6", 6 * MIB);
    site
}

/// A reply that is read slowly at first, and then to its end.
struct Reader {
    tls: bool,
    send_buffer: usize,
    target: &'static str,
    rate: usize,
}

/// What is read: each file at each rate, and what is made for the reply at one of them.
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
        add(tls, MIB / 4, "/packed/?tar", 8_000);
    }
    readers
}

fn handler() -> Files {
    let mut files = Files::new();
    files.settings_mut().archive = Arc::new(Download::parse);
    files
}

#[test]
fn a_slow_reader_gets_everything_from_every_runtime() {
    let (site, pair) = (site(), Pair::new());
    let readers = readers();
    thread::scope(|scope| {
        for runtime in RUNTIMES {
            for reader in &readers {
                let (site, pair) = (site.path(), &pair);
                scope.spawn(move || run(runtime, reader, site, pair));
            }
        }
    });
}

fn run(runtime: &'static str, reader: &Reader, site: &Path, pair: &Pair) {
    let &Reader {
        tls,
        send_buffer,
        target,
        rate,
    } = reader;
    let server = Server::start(
        Setup {
            runtime,
            tls: tls.then(|| pair.tls()),
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
        let mut stream: Stream = StreamOwned::new(pair.client(&TLS13, &[]), socket);
        ask(&mut stream, target);
        read_to_the_end(&mut stream, |stream| &stream.sock, rate)
    } else {
        let mut socket = socket;
        ask(&mut socket, target);
        read_to_the_end(&mut socket, |socket| socket, rate)
    };
    let reply = outcome.unwrap_or_else(|error| panic!("{name}: {error}; {}", server.log()));
    assert!(
        !server.log().contains("too slowly"),
        "{name}: {}",
        server.log()
    );
    assert!(
        is_whole(&reply),
        "{name}: {} bytes; {}",
        reply.len(),
        server.log()
    );
}

/// The whole reply, the first part of it slowly.
fn read_to_the_end<S: Read>(
    stream: &mut S,
    socket: impl Fn(&S) -> &std::net::TcpStream,
    rate: usize,
) -> std::io::Result<Vec<u8>> {
    let mut kept = Keeping::new(stream);
    let (_, ended) = read_slowly(&mut kept, rate, SLOW, |_| ())?;
    assert!(
        !ended,
        "the reply has ended before it was to be read quickly"
    );
    // The rest may come at once.
    sockopt::set_socket_recv_buffer_size(socket(kept.stream), MIB).unwrap();
    let Keeping { stream, mut read } = kept;
    stream.read_to_end(&mut read)?;
    Ok(read)
}

/// Whether a reply is a 200 with all of its content: as long as it says, or ended by the last chunk.
fn is_whole(reply: &[u8]) -> bool {
    let end = reply
        .windows(4)
        .position(|four| four == b"\r\n\r\n")
        .unwrap();
    let head = String::from_utf8_lossy(&reply[..end]);
    let content = &reply[end + 4..];
    let len = head
        .lines()
        .find_map(|line| line.strip_prefix("Content-Length: "));
    let whole = match len {
        Some(len) => content.len() == len.parse::<usize>().unwrap(),
        None => content.ends_with(b"\r\n0\r\n\r\n"),
    };
    head.starts_with("HTTP/1.1 200 OK") && whole
}

#[test]
fn a_client_that_stops_reading_is_cut_off_when_its_system_has_taken_its_share() {
    let site = site();
    let mut config = config();
    // What the system of the client takes counts for at most 2.6 seconds.
    config.timeouts.rate = 100_000;
    let longest = Duration::from_secs(1) + Duration::from_secs_f64(2.7);
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
                let mut socket = peer::connect(server.address);
                ask(&mut socket, "/20");
                while !server
                    .log()
                    .contains("The client reads the reply too slowly")
                {
                    assert!(
                        start.elapsed() < longest * 2,
                        "{runtime}: it is not cut off"
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

/// With the receive buffer that the system chooses. Its `--limit-rate` begins with a megabyte or two at once, so what is slow
/// is who reads the output of curl.
#[test]
fn curl_at_8_kilobytes_a_second_runs_to_its_end() {
    let (site, pair) = (site(), Pair::new());
    thread::scope(|scope| {
        for runtime in RUNTIMES {
            for tls in [false, true] {
                let (site, pair) = (site.path(), &pair);
                scope.spawn(move || run_curl(runtime, tls, site, pair));
            }
        }
    });
}

fn run_curl(runtime: &'static str, tls: bool, site: &Path, pair: &Pair) {
    let setup = Setup {
        runtime,
        tls: tls.then(|| pair.tls()),
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
    let curl = curl.stdout(Stdio::piped()).spawn();
    let mut curl = curl.expect("curl has to be installed");
    let mut output = curl.stdout.take().expect("it is piped");
    let mut kept = Keeping::new(&mut output);
    let (_, ended) = read_slowly(&mut kept, 8_000, SLOW, |_| ()).unwrap();
    assert!(!ended, "{runtime}, TLS {tls}: {}", server.log());
    let Keeping { mut read, .. } = kept;
    output.read_to_end(&mut read).unwrap();
    let status = curl.wait().unwrap();
    assert!(
        status.success(),
        "{runtime}, TLS {tls}: {status}; {}",
        server.log()
    );
    assert!(
        is_whole(&read),
        "{runtime}, TLS {tls}: {} bytes",
        read.len()
    );
}
