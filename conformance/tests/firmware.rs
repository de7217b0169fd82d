//! The list on the firmware, in a machine of QEMU.

#![cfg(unix)]

mod machine;
mod tools;

use std::cell::RefCell;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use machine::Machine;
use sanserve_conformance::{Case, Client, Fragmentation, Observed, case, clients, run_except};

/// Over a serial line. Another one tells what that cannot: that a connection begins, and where it ends.
#[test]
fn conforms_over_a_serial_line() {
    let Some(image) = machine::build("serial-conformance") else {
        return;
    };
    let machine = Machine::start(&image, &[]).expect("QEMU starts");
    let converse = clients(|case| {
        machine.begin(case)?;
        let (read, write) = machine.wire();
        Ok((Client::new(read, write), || machine.end().0))
    });
    conform("firmware, UART", converse);
}

/// Over Ethernet, through QEMU's own network, which has the machine's port at one of the host. It keeps a
/// connection for ten seconds after its end, and stalls when it has two thousand of them: a machine is
/// started anew before that.
#[test]
fn conforms_over_ethernet() {
    let Some(image) = machine::build("ethernet-conformance") else {
        return;
    };
    let start = || Machine::start_with_network(&image).expect("QEMU starts");
    let running = RefCell::new((start(), 0));
    let converse = clients(|case| {
        let mut machine = running.borrow_mut();
        machine.1 += 1;
        if machine.1 == 1_000 {
            *machine = (start(), 0);
        }
        let (machine, address) = &machine.0;
        machine.begin(case)?;
        Ok((Client::connect(*address)?, || running.borrow().0.0.end().0))
    });
    conform("firmware, Ethernet", converse);
}

/// The commands of `docs/platforms.md` print what that page shows.
#[test]
fn runs_as_documented() {
    let (Some(_), Some(curl)) = (tools::find("qemu-system-arm"), tools::find("curl")) else {
        return;
    };
    for image in ["ethernet", "serial"] {
        let free = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr());
        let port = free.expect("a free port").port().to_string();
        let mut cargo = machine::cargo(&["run", "--quiet", "--release", "--bin", image]);
        let cargo = cargo
            .env("PORT", &port)
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        // Cargo becomes QEMU, so that this ends with the test.
        let _running = machine::KillOnDrop(cargo.spawn().expect("cargo runs"));
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
        assert_eq!(output, b"line 0001 of the ", "{image}");
    }
}

/// Runs the cases whose requests the machine can hold. What it serves is in flash, to be read.
fn conform(name: &str, converse: impl FnMut(&Case, Fragmentation) -> Observed) {
    let refuses = |case: &Case| match case {
        _ if case.stores => Some("files that are stored"),
        _ if case.portable_names() => Some("names of Windows"),
        _ if case.request.len() > REQUEST_MAX => Some("requests that 64 KiB of memory cannot hold"),
        _ => None,
    };
    run_except(name, refuses, converse);
}

/// Who is refused a line that long is told so, with the line, in the log and on a page: that is in memory
/// several times. Most that are longer are about a limit of 64 KiB.
const REQUEST_MAX: usize = 8_000;

/// A hundred thousand requests, and no more memory than after the first hundred. Each connection has a
/// thousand, asked for without waiting for what came before.
#[test]
fn requests_use_no_additional_memory() {
    let Some(image) = machine::build("ethernet-conformance") else {
        return;
    };
    let (machine, address) = Machine::start_with_network(&image).expect("QEMU starts");
    let text = "case many\noption protocol HTTP/1.1\n";
    let case = &case::read("many", text)[0];
    let used = |requests: usize| {
        machine.begin(case).expect("the machine listens");
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

/// Sends so many requests on a connection and answers how many replies with their content came.
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

/// Four connections, each as large as its peer can make it, in the 24 KiB that the image has for them.
#[test]
fn four_connections_of_maximum_size_fit() {
    let Some(image) = machine::build("ethernet") else {
        return;
    };
    let (_machine, address) = Machine::start_with_network(&image).expect("QEMU starts");
    let field = |len: usize| format!("{}: b\r\n", "a".repeat(len));
    let line = format!("GET /data/?{} HTTP/1.1\r\n", "q".repeat(200));
    // As many fields as there may be, one of them as long as all of them may be together.
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
