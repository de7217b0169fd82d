//! Tests how much memory ten thousand idle connections need, and one over TLS, while new clients are still served.

#![cfg(target_os = "linux")]

#[path = "../../tests/certificate/mod.rs"]
mod certificate;
#[path = "../../tests/client/mod.rs"]
mod client;
mod process;

use std::fs;
use std::io::{Read, Write};
use std::thread::sleep;
use std::time::{Duration, Instant};

use certificate::TestCertificate;
use client::{TIMEOUT, connect, get_hello, site};
use process::Program;
use rustix::process::{Resource, getrlimit, setrlimit};

const CONNECTIONS: usize = 10_000;

#[test]
fn ten_thousand_idle_connections_take_seven_mebibytes_on_tokio_fifty_two() {
    // In one test, since each needs most of the available descriptors.
    check_memory("mio", 7);
    check_memory("tokio", 52);
}

/// Checks that ten thousand connections, with one request each, need less than `mib` MiB.
fn check_memory(runtime: &str, mib: u64) {
    let kib = mib * 1024;
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    setrlimit(Resource::Nofile, limit).unwrap();
    if limit.current.is_some_and(|files| files < 14_000) {
        assert!(
            std::env::var_os("CI").is_none(),
            "CI has to allow more files"
        );
        eprintln!("SKIPPED: this user may not open 14,000 files");
        return;
    }
    let site = site();
    let options = [
        "-q",
        "-b",
        "127.0.0.1",
        "-p",
        "HTTP/1.1",
        "--runtime",
        runtime,
    ];
    let program = Program::serve(site.path(), &options);
    let idle: Vec<_> = (0..CONNECTIONS)
        .map(|_| {
            let socket = connect(program.address());
            get_hello(&socket);
            socket
        })
        .collect();
    // Connections free their buffers after a moment.
    let (start, mut resident) = (Instant::now(), resident(&program));
    while resident >= kib && start.elapsed() < TIMEOUT {
        sleep(Duration::from_millis(100));
        resident = self::resident(&program);
    }
    // All connections are still open, and a new client is served.
    let other = connect(program.address());
    [&other, &idle[0], &idle[CONNECTIONS - 1]]
        .into_iter()
        .for_each(get_hello);
    program.stop();
    println!("{CONNECTIONS} idle connections with {runtime}: {resident} KiB resident");
    assert!(resident < kib, "{resident} KiB");
}

#[test]
fn an_idle_https_connection_takes_less_than_five_kibibytes_on_tokio_fourteen() {
    // The average of a thousand. Most is the state of rustls: keys, and on tokio a buffer of 4 KiB.
    for (runtime, kib) in [("mio", 5), ("tokio", 14)] {
        let certificate = TestCertificate::new();
        let site = site();
        let mut command = Program::command(site.path());
        command.args(["-q", "-b", "127.0.0.1", "-p", "HTTP/1.1"]);
        command.args(["--runtime", runtime, "--tls-cert"]);
        command.arg(certificate.file("cert.pem")).arg("--tls-key");
        let program = Program::start(command.arg(certificate.file("key.pem")));
        let open = || {
            let mut stream = certificate.connect(program.address());
            let request = b"GET /a.txt HTTP/1.1\r\nHost: h\r\n\r\n";
            stream.write_all(request).unwrap();
            stream.read_exact(&mut [0; 200]).unwrap();
            stream
        };
        // Sets up everything that is allocated once, such as the session cache.
        let _first: Vec<_> = (0..300).map(|_| open()).collect();
        let before = resident(&program);
        let _idle: Vec<_> = (0..1000).map(|_| open()).collect();
        // Connections free their buffers after a moment.
        let each = || (resident(&program) - before) as f64 / 1000.0;
        let start = Instant::now();
        while each() >= f64::from(kib) && start.elapsed() < TIMEOUT {
            sleep(Duration::from_millis(100));
        }
        println!("an idle HTTPS connection with {runtime}: {:.1} KiB", each());
        assert!(each() < f64::from(kib), "{:.1} KiB with {runtime}", each());
        program.stop();
    }
}

/// Returns the private memory of a program in KiB. Code is not counted, since its size depends on the build.
fn resident(program: &Program) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", program.child.id())).unwrap();
    let mut lines = status.lines();
    let line = lines
        .find_map(|line| line.strip_prefix("RssAnon:"))
        .unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}
