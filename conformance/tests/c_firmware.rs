//! Tests the firmware in C in QEMU: its loop, with the engine as a static library without std, answers requests over
//! the serial line, and uses no additional memory for each.

#![cfg(unix)]

mod tools;

use std::io::{BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use tools::{KillOnDrop, inner_build};

/// A running machine. It stops when this is dropped.
struct Machine {
    qemu: KillOnDrop,
    received: Receiver<u8>,
}

impl Machine {
    fn start(image: &Path) -> Machine {
        let mut qemu = Command::new("qemu-system-arm");
        qemu.args(["-machine", "lm3s6965evb", "-display", "none"]);
        qemu.args(["-monitor", "none", "-serial", "stdio", "-kernel"]);
        qemu.arg(image).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut qemu = qemu.spawn().expect("QEMU starts");
        let line = qemu.stdout.take().expect("it is piped");
        let (sender, received) = channel();
        thread::spawn(move || {
            let bytes = BufReader::new(line).bytes().map_while(Result::ok);
            bytes
                .map_while(|byte| sender.send(byte).ok())
                .for_each(drop);
        });
        let qemu = KillOnDrop(qemu);
        let machine = Machine { qemu, received };
        assert_eq!(machine.read_to("\n"), "ready\n");
        machine
    }

    /// Sends a request, and returns the reply, which ends with this text.
    fn ask(&mut self, request: &str, reply_end: &str) -> String {
        let mut line = self.qemu.0.stdin.as_ref().expect("it is piped");
        line.write_all(request.as_bytes()).expect("QEMU reads");
        self.read_to(reply_end)
    }

    fn read_to(&self, end: &str) -> String {
        let mut text = String::new();
        while !text.ends_with(end) {
            let byte = self.received.recv_timeout(Duration::from_secs(60));
            let byte = byte.unwrap_or_else(|error| panic!("{error} after {text:?}"));
            text.push(byte.into());
        }
        text
    }
}

/// Builds the image. Returns none, and prints a message, if a program is missing.
fn build() -> Option<PathBuf> {
    let (_, clang) = (tools::find("qemu-system-arm")?, tools::find("clang")?);
    let target = "thumbv7m-none-eabi";
    let mut cargo = inner_build::cargo(".");
    for (setting, value) in [("OPT_LEVEL", "z"), ("LTO", "fat"), ("CODEGEN_UNITS", "1")] {
        cargo.env(format!("CARGO_PROFILE_RELEASE_{setting}"), value);
    }
    cargo.args([
        "rustc",
        "--quiet",
        "--release",
        "--locked",
        "--target",
        target,
    ]);
    cargo.args(["--package", "sanserve-c", "--no-default-features"]);
    cargo.args(["--crate-type", "staticlib"]);
    assert!(cargo.status().expect("cargo runs").success());
    let library = inner_build::target()
        .join(target)
        .join("release/libsanserve_c.a");

    let rustc = Command::new("rustc")
        .args(["--print", "target-libdir"])
        .output();
    let libraries = String::from_utf8(rustc.expect("rustc runs").stdout).expect("a path");
    let linker = Path::new(libraries.trim()).with_file_name("bin/gcc-ld/ld.lld");
    let (root, image) = (
        inner_build::root(),
        inner_build::target().join("firmware-c.elf"),
    );
    let example = |file: &str| root.join("examples/c/firmware").join(file);
    let mut clang = Command::new(clang);
    // Rust's enums have the size that Arm's ABI requires, and which clang has to be told.
    clang.args([
        "--target=thumbv7m-none-eabi",
        "-fshort-enums",
        "-std=gnu11",
        "-Os",
    ]);
    clang.args(["-Wall", "-Wextra", "-Werror", "-ffreestanding", "-nostdlib"]);
    clang.arg(format!("--ld-path={}", linker.display()));
    clang.arg("-I").arg(root.join("adapters/c/include"));
    clang.args(["main.c", "board.c"].map(example)).arg(library);
    clang.arg("-T").arg(example("link.ld"));
    clang.args(["-Wl,--gc-sections", "-o"]).arg(&image);
    let linked = clang.output().expect("clang runs");
    let errors = String::from_utf8_lossy(&linked.stderr);
    assert!(linked.status.success(), "{errors}");
    Some(image)
}

#[test]
fn the_firmware_in_c_answers_over_its_serial_line() {
    let Some(image) = build() else {
        return;
    };
    let mut machine = Machine::start(&image);
    let get = |target: &str, fields: &str| {
        format!("GET {target} HTTP/1.1\r\nHost: board\r\n{fields}\r\n")
    };
    let page = "<!DOCTYPE html><title>Board</title><p>It runs.</p>\n";
    let reply = machine.ask(&get("/", ""), page);
    assert!(reply.starts_with("HTTP/1.1 200 OK\r\n"), "{reply}");
    assert!(reply.contains("\r\nContent-Length: 51\r\n"), "{reply}");
    let reply = machine.ask(&get("/", "Range: bytes=2-8\r\n"), "\r\n\r\nDOCTYPE");
    assert!(
        reply.starts_with("HTTP/1.1 206 Partial Content\r\n"),
        "{reply}"
    );
    let reply = machine.ask(&get("/none", ""), "</html>\n");
    assert!(reply.starts_with("HTTP/1.1 404 "), "{reply}");
    // This closes the connection of the engine; the next one begins with the next byte.
    let reply = machine.ask("BAD\r\n\r\n", "</html>\n");
    assert!(reply.starts_with("HTTP/1.1 400 "), "{reply}");
    // More memory than the heap has in all, if 64 bytes were lost for each request.
    for request in 0..500 {
        let closes = if request % 10 == 0 {
            "Connection: close\r\n"
        } else {
            ""
        };
        let reply = machine.ask(&get("/state.json", closes), "{\"running\": true}\n");
        assert!(
            reply.starts_with("HTTP/1.1 200 OK\r\n"),
            "{request}: {reply}"
        );
    }
}
