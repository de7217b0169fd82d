//! Tests the cases for servers behind a host that parses HTTP itself: which of them apply, their form, and how a
//! request is sent and its reply parsed.

use std::io::{self, Read, Write};
use std::thread;

use sanserve_conformance::host::{HostedSuite, Reply, Request};
use sanserve_conformance::{Client, Fragmentation, Suite, case, text};

/// The numbers change with the suite. They are checked so that no case is dropped by accident.
#[test]
fn the_number_of_cases_that_do_not_apply_is_known() {
    let hosted = HostedSuite::new(&Suite::standard(), |_, _| None);
    let left_out = hosted.left_out.iter();
    let left_out: Vec<_> = left_out
        .map(|(reason, names)| (*reason, names.len()))
        .collect();
    let expected = [
        ("HTTP/0.9", 25),
        ("a field's syntax", 157),
        ("a line's end", 31),
        ("a truncated reply", 1),
        ("an expectation", 6),
        ("an interim reply", 2),
        ("cut short", 54),
        ("no reply", 4),
        ("the content's framing", 240),
        ("the host", 113),
        ("the limits of a head", 35),
        ("the request line's syntax", 136),
        ("the syntax", 104),
        ("the target's syntax", 84),
        ("upgrades", 9),
        ("when the client sends and reads", 31),
    ];
    assert_eq!(left_out, expected);
    assert_eq!(hosted.suite.cases().len(), 1788);
}

/// Converts a case with this request and reply. Returns its form and requests, or why it does not apply.
fn form(sent: &str, reply_text: &str) -> Result<(String, Vec<Request>), &'static str> {
    let cases = case::read(
        "test",
        &format!("case one\n> {sent}\n< {reply_text}\nlog \"GET http://x/a HTTP/1.0\" 200 -\n"),
    );
    let hosted = HostedSuite::new(&Suite::new(cases, Vec::new()), |_, _| None);
    match hosted.suite.cases() {
        [case] => {
            let reply = case.reply.tokens().iter();
            let reply: Vec<u8> = reply.map(|token| token.unwrap_or(b'*')).collect();
            let form = format!("{} {}", text::show(&reply), case.log[0]);
            Ok((form, hosted.requests["one"].clone()))
        }
        _ => Err(hosted.left_out.keys().next().expect("a reason")),
    }
}

#[test]
fn expected_and_observed_replies_have_the_same_form() {
    let sent = r"GET http://x/a HTTP/1.0\r\nHost: x\r\nConnection: close\r\nX: y\r\n\r\n";
    let reply_text =
        r"HTTP/1.0 200 OK\r\nServer: *\r\nConnection: close\r\nContent-Length: 2\r\nA: b\r\n\r\nhi";
    let (seen, requests) = form(sent, reply_text).expect("it applies");
    assert_eq!(
        seen,
        r#"200\r\na: b\r\nserver: \*\r\n\r\nhi "GET /a HTTP/1.1" 200 -"#
    );
    assert_eq!(
        (&requests[0].method[..], &requests[0].target[..]),
        ("GET", "/a")
    );
    let fields = [("Host".into(), b"x".to_vec()), ("X".into(), b"y".to_vec())];
    assert_eq!(requests[0].fields, fields);
    assert_eq!(requests[0].content, None);
}

#[test]
fn each_request_that_gets_a_reply_is_converted() {
    let sent = r"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2;a\r\nhi\r\n0\r\n\r\nHEAD / HTTP/1.1\r\nHost: x\r\n\r\nNONSENSE";
    let reply_text = r"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n";
    let (seen, requests) = form(sent, reply_text).expect("it applies");
    assert!(
        seen.starts_with(r"200\r\n\r\nabc200\r\ncontent-length: 5\r\n\r\n "),
        "{seen}"
    );
    assert_eq!(requests.len(), 2);
    assert_eq!(requests[0].content.as_deref(), Some(&b"hi"[..]));
}

#[test]
fn cases_about_the_host_do_not_apply() {
    let reply_text = r"HTTP/1.1 200 OK\r\n\r\n";
    let host = |line: &str| form(&format!(r"{line}\r\nHost: x\r\n\r\n"), reply_text).map(|_| ());
    assert_eq!(host("GET /a%20b?c= HTTP/1.1"), Ok(()));
    assert_eq!(host("BREW / HTTP/1.1"), Ok(()));
    assert_eq!(host("GET /%zz HTTP/1.1"), Err("the target's syntax"));
    assert_eq!(host("GET a HTTP/1.1"), Err("the target's syntax"));
    assert_eq!(host("CONNECT x:1 HTTP/1.1"), Err("the target's syntax"));
    assert_eq!(host("GET  / HTTP/1.1"), Err("the request line's syntax"));
    assert_eq!(host("GET / HTTP/2.0"), Err("the request line's syntax"));
    assert_eq!(host("GET /"), Err("HTTP/0.9"));
    assert_eq!(host(r"GET / HTTP/1.1\r\nA : b"), Err("a field's syntax"));
    assert_eq!(host(r"GET / HTTP/1.1\nA: b"), Err("a line's end"));
    assert_eq!(host(r"GET / HTTP/1.1\r\nHost: y"), Err("the host"));
    assert_eq!(
        host(r"GET / HTTP/1.1\r\nContent-Length: 1"),
        Err("cut short")
    );
    assert_eq!(
        host(r"GET / HTTP/1.1\r\nContent-Length: -1"),
        Err("the content's framing")
    );
    let sent = r"GET / HTTP/1.1\r\nHost: x\r\n\r\n";
    let short = r"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhi";
    assert_eq!(form(sent, short), Err("a truncated reply"));
    assert_eq!(form(sent, r"HTTP/1.1 400 Bad\r\n\r\n"), Err("the syntax"));
}

/// Sends a request to a server that replies with `bytes` when the request ends with `end`. Returns the reply and the
/// request.
fn exchange(request: &Request, end: &str, bytes: &[u8]) -> (io::Result<Reply>, String) {
    let (mut input, write) = io::pipe().expect("a pipe");
    let (read, mut output) = io::pipe().expect("a pipe");
    thread::scope(|scope| {
        let server = scope.spawn(move || {
            let (mut received, mut byte) = (Vec::new(), [0]);
            while !received.ends_with(end.as_bytes()) {
                input.read_exact(&mut byte).expect("a whole request");
                received.extend(byte);
            }
            output.write_all(bytes).expect("the client reads");
            String::from_utf8(received).expect("text")
        });
        let reply = request.exchange(Client::new(read, write), Fragmentation::Seeded(1));
        (reply, server.join().expect("it does not panic"))
    })
}

#[test]
fn a_request_is_sent_and_its_reply_parsed() {
    let sent =
        r"POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n";
    let (_, requests) = form(sent, r"HTTP/1.1 200 OK\r\n\r\n").expect("it applies");
    let chunked = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n";
    let (reply, received) = exchange(&requests[0], "0\r\n\r\n", chunked);
    let reply = reply.expect("a whole reply");
    assert_eq!((reply.status, &reply.content[..]), (200, &b"abc"[..]));
    let head =
        "POST /a HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n";
    assert_eq!(received, format!("{head}1\r\nh\r\n1\r\ni\r\n0\r\n\r\n"));
    let (_, requests) =
        form(r"HEAD / HTTP/1.0\r\n\r\n", r"HTTP/1.1 200 OK\r\n\r\n").expect("it applies");
    let (reply, _) = exchange(
        &requests[0],
        "\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n",
    );
    let reply = reply.expect("a whole reply");
    assert_eq!((reply.fields.len(), reply.content.len()), (1, 0));
}

#[test]
fn a_truncated_reply_is_an_error() {
    let (_, requests) =
        form(r"GET / HTTP/1.0\r\n\r\n", r"HTTP/1.1 200 OK\r\n\r\n").expect("it applies");
    for short in [
        &b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell"[..],
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
        b"HTTP/1.1 200 OK\r\n",
        b"",
    ] {
        let (reply, _) = exchange(&requests[0], "\r\n\r\n", short);
        let error = reply.expect_err("it is short");
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
    }
}
