//! Every example is run.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};

/// Ends the program with the test.
struct Program(Child);

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn hello_greets() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hello"));
    let child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
    let mut program = Program(child.expect("the example starts"));
    let mut line = String::new();
    let stdout = program.0.stdout.take().expect("it is piped");
    BufReader::new(stdout)
        .read_line(&mut line)
        .expect("it prints its address");
    let address = line
        .trim()
        .trim_start_matches("http://")
        .trim_end_matches('/');
    let mut socket = TcpStream::connect(address).expect("it listens");
    socket
        .write_all(b"GET /you HTTP/1.0\r\n\r\n")
        .expect("it reads");
    let mut reply = String::new();
    socket.read_to_string(&mut reply).expect("it answers");
    assert!(reply.starts_with("HTTP/1.0 200 OK\r\n"), "{reply}");
    assert!(
        reply.ends_with("\r\n\r\nHello, you asked for /you\n"),
        "{reply}"
    );
}

#[test]
fn parser_takes_a_request_apart() {
    let parse = |input: &[u8]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_parser"));
        let command = command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("the example starts");
        child
            .stdin
            .take()
            .expect("it is piped")
            .write_all(input)
            .expect("it reads");
        let output = child.wait_with_output().expect("it ends");
        (
            output.status.success(),
            String::from_utf8_lossy(&output.stdout).into_owned(),
        )
    };
    let (good, said) = parse(b"GET /a?b HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc");
    assert!(
        good && said.contains("target  \"/a?b\"\n") && said.contains("field   \"Host\": \"h\"\n"),
        "{said}"
    );
    assert_eq!(
        parse(b"GET / HTTP/3.0\r\n\r\n"),
        (false, "505 Invalid HTTP version (3.0)\n".into())
    );
    assert_eq!(
        parse(b"GET / HTTP/1.1\r\nHost"),
        (false, "the head is not complete\n".into())
    );
}
