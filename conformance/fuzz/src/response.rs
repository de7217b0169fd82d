//! The fuzz target for response heads. Checks that they are parsed the same whether they arrive whole or byte by byte,
//! that httparse parses them alike, and that an accepted head can be encoded and is parsed back as the same.
//!
//! If httparse accepts a whole head, so does sanserve, with the same status, reason and fields; [`may_refuse`] has the
//! exceptions, which are intended. If httparse rejects a field, so does sanserve.

use httparse::{Response, Status};
use sanserve_core::wire::{Body, HeadEncoder, Limits, ParseError, ResponseHead};

/// Checks one head.
pub fn check(data: &[u8]) {
    let limits = Limits::new().with_request_line(200).with_field_bytes(1000);
    let (mut head, mut slow) = (ResponseHead::new(), ResponseHead::new());
    let result = head.parse(data, &limits);

    // The first prefix with a result has the same result as the whole head.
    let settled = (0..=data.len()).find_map(|len| match slow.parse(&data[..len], &limits) {
        Ok(None) => None,
        result => Some(result),
    });
    assert_eq!(settled.unwrap_or(Ok(None)), result, "byte by byte");
    assert_eq!(parts(&slow), parts(&head), "byte by byte");

    if let Ok(Some(taken)) = result {
        let lines = data[..taken].split_inclusive(|&byte| byte == b'\n');
        assert!(
            lines.into_iter().all(|line| line.ends_with(b"\r\n")),
            "bare LF"
        );
        check_round_trip(&head);
        for method in ["GET", "HEAD", "CONNECT"] {
            let body = Body::of_response(&head, method);
            assert!(method != "HEAD" || body == Ok(Body::EMPTY));
        }
    }

    let mut slots = [httparse::EMPTY_HEADER; 100];
    let mut response = Response::new(&mut slots);
    match (response.parse(data), result) {
        (Ok(Status::Complete(len)), Ok(Some(taken))) => {
            assert_eq!(taken, len);
            assert_eq!(Some(head.status()), response.code);
            let theirs = response.headers.iter();
            let theirs = theirs.map(|field| (field.name, field.value.into()));
            assert!(head.fields().iter_bytes().eq(theirs), "other fields");
            // httparse reports a reason phrase with bytes above 0x7F as empty.
            let reason = response.reason.unwrap_or_default();
            assert!(!head.reason().is_ascii() || head.reason() == reason);
        }
        (Ok(Status::Complete(_)), Ok(None)) => panic!("httparse finds a whole head"),
        (Ok(Status::Complete(_)), Err(error)) => assert!(
            may_refuse(error, data),
            "httparse accepts it, sanserve rejects it: {error:?}"
        ),
        (Err(httparse::Error::HeaderName | httparse::Error::HeaderValue), Ok(Some(_))) => {
            panic!("httparse refuses a field");
        }
        _ => {}
    }
}

/// Whether sanserve deliberately rejects a head that httparse accepts.
fn may_refuse(error: ParseError, data: &[u8]) -> bool {
    match error {
        ParseError::StartLineTooLong | ParseError::FieldsTooLong => true,
        // httparse skips empty lines at the start.
        ParseError::Version => data.starts_with(b"\r\n") || data.starts_with(b"\n"),
        ParseError::BareLf => super::head::has_bare_lf(data),
        // httparse accepts a status below 100, which RFC 9110 §15 does not allow.
        ParseError::StatusLine => data.get(9) == Some(&b'0'),
        _ => false,
    }
}

/// Encodes a head, and parses the result.
fn check_round_trip(head: &ResponseHead) {
    let mut out = Vec::new();
    let encoder =
        HeadEncoder::response(&mut out, head.version(), head.status(), head.reason_bytes());
    let mut encoder = encoder.expect("a head that was parsed can be written");
    let fields = head.fields().iter_bytes();
    encoder
        .fields(fields)
        .expect("fields that were parsed can be written");
    encoder.end();
    let (mut again, limits) = (ResponseHead::new(), Limits::new());
    assert_eq!(
        again.parse(&out, &limits),
        Ok(Some(out.len())),
        "round trip"
    );
    assert_eq!(parts(&again), parts(head), "round trip");
}

/// Returns all parts of a head.
fn parts(head: &ResponseHead) -> (u16, &str, Vec<(&str, &str)>) {
    let fields = head.fields().iter().collect();
    (head.status(), head.reason(), fields)
}

/// Edge cases of the grammar.
pub fn seeds() -> Vec<Vec<u8>> {
    super::owned(&[
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
        b"HTTP/1.0 404 Not Found\r\nA:\t b \t\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
        b"HTTP/1.1 204\r\n\r\n",
        b"HTTP/1.1 299 \r\n\r\n",
        b"HTTP/1.1 200 \xe9\xff\tx\r\nX: \xff\x80\r\n\r\n",
        b"HTTP/1.1 099 x\r\n\r\n",
        b"HTTP/1.1 200 OK\nA: b\n\n",
        b"HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n",
        b"HTTP/1.1 200  OK \r\nA : b\r\n\r\n",
        b"\r\nHTTP/1.1 200 OK\r\n\r\n",
        b"HTTP/1.7 200 OK\r\n\r\n",
        b"HTTP/2.0 200 OK\r\n\r\n",
        b"ICY 200 OK\r\n\r\n",
    ])
}
