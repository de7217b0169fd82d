//! Tests the reader of replies that the checks of the simulation use: which replies are complete, and which are
//! invalid.

use sanserve_conformance::sim::reader::{Logged, ReplyEnd, parse};

fn parse_one(output: &str, request: &str) -> Result<(u16, ReplyEnd, usize), String> {
    let line = Logged {
        line: request,
        status: 200,
    };
    let replies = parse(output.as_bytes(), &[line])?;
    let reply = &replies[0];
    Ok((reply.status, reply.end, reply.body.len()))
}

#[test]
fn recognizes_complete_replies() {
    let get = |output: &str| parse_one(output, "GET / HTTP/1.1");
    let head = "HTTP/1.1 200 OK\r\nServer: x\r\n";
    let with = |rest: &str| get(&format!("{head}{rest}"));
    assert_eq!(
        with("Content-Length: 2\r\n\r\nhi"),
        Ok((200, ReplyEnd::Complete, 2))
    );
    assert_eq!(
        with("Content-Length: 3\r\n\r\nhi"),
        Ok((200, ReplyEnd::Truncated, 2))
    );
    assert_eq!(with("\r\nhi"), Ok((200, ReplyEnd::Closed, 2)));
    assert_eq!(with(""), Ok((0, ReplyEnd::Truncated, 0)));
    let chunked = |rest: &str| with(&format!("Transfer-Encoding: chunked\r\n\r\n{rest}"));
    assert_eq!(
        chunked("2\r\nhi\r\n0\r\n\r\n"),
        Ok((200, ReplyEnd::Complete, 2))
    );
    assert_eq!(
        chunked("2\r\nhi\r\n0\r\n"),
        Ok((200, ReplyEnd::Complete, 2)).map(|(s, _, n)| (s, ReplyEnd::Truncated, n))
    );
    assert_eq!(chunked("2\r\nhi\r\n"), Ok((200, ReplyEnd::Truncated, 2)));
    assert_eq!(
        get("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n"),
        Ok((204, ReplyEnd::Complete, 0))
    );
    let head_only = parse_one(
        "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n",
        "HEAD / HTTP/1.1",
    );
    assert_eq!(head_only, Ok((200, ReplyEnd::Complete, 0)));
    assert_eq!(parse_one("hi", "GET /"), Ok((0, ReplyEnd::Closed, 2)));
}

#[test]
fn rejects_invalid_replies() {
    for bad in [
        "HTTP/2.0 200 OK\r\n\r\n",
        "HTTP/1.1 20 OK\r\n\r\n",
        "HTTP/1.1 200 O\x07K\r\n\r\n",
        "HTTP/1.1 200 OK\r\nX : y\r\n\r\n",
        "HTTP/1.1 200 OK\r\nno field\r\n\r\n",
        "HTTP/1.1 200 OK\r\nX: a\rb\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx",
        "HTTP/1.1 200 OK\r\nContent-Length: +1\r\n\r\nx",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nxxx\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX",
        "HTTP/1.1 204 No Content\r\n\r\nx\r\n\r\n",
    ] {
        assert!(parse_one(bad, "GET / HTTP/1.1").is_err(), "{bad:?}");
    }
}
