//! Tests the firmware example in QEMU on two machines: runs the suite over serial and Ethernet, the documented commands,
//! and measures the memory of requests and connections.

#![cfg(unix)]

mod machine;
mod tools;

use std::cell::RefCell;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use machine::{Board, LM3S6965, Machine, VIRT};
use sanserve_conformance::{Case, Client, Fragmentation, Observed, case, clients, run_except};

/// Over a serial line. A second line signals where a connection begins and ends.
#[test]
fn conforms_over_a_serial_line() {
    let Some(image) = LM3S6965.build("serial-conformance") else {
        return;
    };
    let machine = Machine::start(&LM3S6965, &image, &[]).expect("QEMU starts");
    let run_case = clients(|case| {
        machine.begin(case)?;
        let (read, write) = machine.wire();
        Ok((Client::new(read, write), || machine.end().0))
    });
    conform(&LM3S6965, "firmware, UART", run_case);
}

#[test]
fn conforms_over_ethernet() {
    conforms_over_a_network(&LM3S6965, "firmware, Ethernet");
}

#[test]
fn conforms_on_risc_v() {
    conforms_over_a_network(&VIRT, "firmware, RISC-V");
}

/// Over QEMU's user network, which forwards a port of the host. QEMU keeps a closed connection for ten seconds, and
/// stalls at two thousand, so the machine is restarted before that.
fn conforms_over_a_network(board: &Board, name: &str) {
    let Some(image) = board.build("ethernet-conformance") else {
        return;
    };
    let start = || Machine::start_with_network(board, &image).expect("QEMU starts");
    let running = RefCell::new((start(), 0));
    let run_case = clients(|case| {
        let mut machine = running.borrow_mut();
        machine.1 += 1;
        if machine.1 == 1_000 {
            *machine = (start(), 0);
        }
        let (machine, address) = &machine.0;
        machine.begin(case)?;
        Ok((Client::connect(*address)?, || running.borrow().0.0.end().0))
    });
    conform(board, name, run_case);
}

/// The commands of `docs/platforms.md` print what that page shows.
#[test]
fn runs_as_documented() {
    let Some(curl) = tools::find("curl") else {
        return;
    };
    for (board, image) in [
        (LM3S6965, "ethernet"),
        (LM3S6965, "serial"),
        (VIRT, "ethernet"),
        (VIRT, "serial"),
    ] {
        if !board.has_qemu() {
            continue;
        }
        let free = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr());
        let port = free.expect("a free port").port().to_string();
        let mut cargo = board.cargo(&["run", "--quiet", "--release", "--bin", image]);
        let cargo = cargo
            .env("PORT", &port)
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        // Cargo execs QEMU, so that QEMU is killed at the end of the test.
        let _running = tools::KillOnDrop(cargo.spawn().expect("cargo runs"));
        let url = format!("http://127.0.0.1:{port}/data/log.txt");
        let mut curl = Command::new(&curl);
        curl.args([
            "--silent",
            "--fail",
            "--max-time",
            "5",
            "--range",
            "0-16",
            &url,
        ]);
        let start = Instant::now();
        let output = loop {
            let output = curl.output().expect("curl runs");
            if output.status.success() || start.elapsed() > Duration::from_secs(120) {
                break output.stdout;
            }
            thread::yield_now();
        };
        assert_eq!(output, b"line 0001 of the ", "{image} on {}", board.target);
    }
}

/// Runs the cases that apply to a board. The files are built into the image and read-only.
fn conform(board: &Board, name: &str, run_case: impl FnMut(&Case, Fragmentation) -> Observed) {
    let excludes = |case: &Case| match case {
        _ if case.is_timed() => Some("when the client sends and reads"),
        _ if case.stores => Some("files that are stored"),
        _ if case.upgrades => Some("upgrades"),
        _ if case.portable_names() => Some("names that Windows forbids"),
        _ if board.is_small => exceeds_memory(case),
        _ => None,
    };
    run_except(name, excludes, run_case);
}

/// Returns the reason why a case does not fit into 256 KiB of flash and 64 KiB of RAM.
fn exceeds_memory(case: &Case) -> Option<&'static str> {
    match case {
        _ if case.setup().compresses() => Some("compression, for lack of flash"),
        _ if case.setup().has_styled_pages() => Some("pages for people, for lack of flash"),
        _ if case.setup().trusts_proxies() => Some("trusted proxies, for lack of flash"),
        _ if case.setup().has_resumable_uploads() => Some("uploads in parts, for lack of flash"),
        _ if case.request.len() > REQUEST_MAX => Some("requests that 64 KiB of memory cannot hold"),
        _ => None,
    }
}

/// The maximum length of a request in bytes. If a long line is rejected, it is also in the log and on the error page,
/// and so several times in memory. Most longer requests are about a limit of 64 KiB.
const REQUEST_MAX: usize = 8_000;

/// After a hundred thousand requests, no more memory is in use than after the first hundred. Each connection has nearly
/// a thousand pipelined requests.
#[test]
fn requests_use_no_additional_memory() {
    let Some(image) = LM3S6965.build("ethernet-conformance") else {
        return;
    };
    let (machine, address) = Machine::start_with_network(&LM3S6965, &image).expect("QEMU starts");
    let text = "case many\noption protocol HTTP/1.1\n";
    let case = &case::read("many", text)[0];
    let used = |requests: usize| {
        machine.begin_quietly(case).expect("the machine listens");
        let socket = TcpStream::connect(address).expect("QEMU listens");
        let timeouts = Some(Duration::from_secs(20));
        socket.set_read_timeout(timeouts).expect("it is not zero");
        let replies = ask(&socket, requests);
        assert_eq!(replies, requests, "all are answered");
        machine.end().1
    };
    let first = used(100);
    for _ in 0..100 {
        assert_eq!(used(999), first, "bytes of the heap");
    }
    println!(
        "100,000 requests: {first} bytes of the heap in use after the first hundred and after all"
    );
}

/// Sends pipelined requests on a connection. Returns the number of complete replies.
fn ask(mut socket: &TcpStream, requests: usize) -> usize {
    let kinds = [
        "/file.txt HTTP/1.1\r\n",
        "/file.txt HTTP/1.1\r\nRange: bytes=1-2,4-\r\n",
        "/file.txt HTTP/1.1\r\nIf-Modified-Since: Wed, 01 Jan 2020 00:00:00 GMT\r\n",
        "/sub/ HTTP/1.1\r\n",
    ];
    thread::scope(|scope| {
        scope.spawn(move || {
            let all =
                (0..requests).map(|at| format!("GET {}Host: x\r\n\r\n", kinds[at % kinds.len()]));
            let sent = socket.write_all(all.collect::<String>().as_bytes());
            sent.and_then(|()| socket.shutdown(Shutdown::Write))
                .expect("it reads all of them");
        });
        let mut text = Vec::new();
        socket.read_to_end(&mut text).expect("it answers");
        let head =
            |line: &&[u8]| line.starts_with(b"HTTP/1.1 2") || line.starts_with(b"HTTP/1.1 304");
        text.split(|&byte| byte == b'\n').filter(head).count()
    })
}

/// The image has memory for four connections of any size.
#[test]
fn four_connections_of_maximum_size_fit() {
    for board in [LM3S6965, VIRT] {
        if let Some(image) = board.build("ethernet") {
            let (_machine, address) =
                Machine::start_with_network(&board, &image).expect("QEMU starts");
            connect_four_times(address);
        }
    }
}

/// Four connections at the same time, each as large as a client can make it.
fn connect_four_times(address: SocketAddr) {
    let field = |len: usize| format!("{}: b\r\n", "a".repeat(len));
    let line = format!("GET /data/?{} HTTP/1.1\r\n", "q".repeat(200));
    // The maximum number of fields, with the maximum total length.
    let fields = format!("Host: x\r\n{}{}", field(1).repeat(98), field(150));
    let head = line + &fields;
    let mut sockets: Vec<_> = (0..4)
        .map(|_| TcpStream::connect(address).expect("QEMU listens"))
        .collect();
    for round in 0..3 {
        for socket in &mut sockets {
            let timeouts = Some(Duration::from_secs(20));
            socket.set_read_timeout(timeouts).expect("it is not zero");
            socket.write_all(head.as_bytes()).expect("it reads");
        }
        for socket in &mut sockets {
            socket.write_all(b"\r\n").expect("it reads");
        }
        for socket in &mut sockets {
            let mut reply = Vec::new();
            while !reply.ends_with(b"</html>\n") {
                let mut byte = [0];
                socket.read_exact(&mut byte).expect("it answers");
                reply.push(byte[0]);
            }
            assert!(reply.starts_with(b"HTTP/1.1 200 OK\r\n"), "round {round}");
        }
    }
}
