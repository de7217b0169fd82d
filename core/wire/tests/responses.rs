//! Tests of parsing responses: heads, interim responses, and content (RFC 9112 §4 and §6.3).

use sanserve_wire::{Body, Limits, ParseError, Piece, ResponseHead, Version};

fn parse(input: &[u8]) -> Result<ResponseHead, ParseError> {
    let mut head = ResponseHead::new();
    let found = head.parse(input, &Limits::new())?;
    assert_eq!(found, Some(input.len()), "{}", input.escape_ascii());
    Ok(head)
}

fn with_fields(status: u16, fields: &str) -> ResponseHead {
    parse(format!("HTTP/1.1 {status} x\r\n{fields}\r\n").as_bytes()).expect("a good head")
}

#[test]
fn a_status_line_has_a_version_three_digits_and_a_reason() {
    let line = |line: &str| {
        let head = parse(format!("{line}\r\n\r\n").as_bytes())?;
        Ok((head.version(), head.status(), head.reason().to_owned()))
    };
    let good = |version, status, reason: &str| Ok((version, status, reason.to_owned()));
    assert_eq!(line("HTTP/1.1 200 OK"), good(Version::Http11, 200, "OK"));
    assert_eq!(
        line("HTTP/1.0 404 Not Found"),
        good(Version::Http10, 404, "Not Found")
    );
    assert_eq!(line("HTTP/1.9 299 "), good(Version::Http11, 299, ""));
    assert_eq!(line("HTTP/1.1 204"), good(Version::Http11, 204, ""));
    assert_eq!(
        line("HTTP/1.1 999  a\tb"),
        good(Version::Http11, 999, " a\tb")
    );
    for (text, error) in [
        ("HTTP/2.0 200 OK", ParseError::UnsupportedVersion),
        ("HTTP/1.10 200 OK", ParseError::Version),
        ("http/1.1 200 OK", ParseError::Version),
        ("HTTP/1.1  200 OK", ParseError::StatusLine),
        ("HTTP/1.1 20 OK", ParseError::StatusLine),
        ("HTTP/1.1 2000 OK", ParseError::StatusLine),
        ("HTTP/1.1 +20 OK", ParseError::StatusLine),
        ("HTTP/1.1 099 OK", ParseError::StatusLine),
        ("HTTP/1.1 200\tOK", ParseError::StatusLine),
        ("HTTP/1.1 200 O\rK", ParseError::StatusLine),
        ("HTTP/1.1 200 O\0K", ParseError::StatusLine),
        ("HTTP/1.1", ParseError::Version),
        ("", ParseError::Version),
    ] {
        assert_eq!(line(text), Err(error), "{text:?}");
    }
}

#[test]
fn bare_lf_folded_lines_and_spaces_before_a_colon_are_refused() {
    for (input, error) in [
        ("HTTP/1.1 200 OK\n\r\n", ParseError::BareLf),
        ("HTTP/1.1 200 OK\r\nA: b\n\r\n", ParseError::BareLf),
        ("HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n", ParseError::Field),
        ("HTTP/1.1 200 OK\r\nA : b\r\n\r\n", ParseError::Field),
        ("HTTP/1.1 200 OK\r\nA: b\rc\r\n\r\n", ParseError::Field),
        ("HTTP/1.1 200 OK\r\n: b\r\n\r\n", ParseError::Field),
    ] {
        assert_eq!(parse(input.as_bytes()).err(), Some(error), "{input:?}");
    }
}

#[test]
fn pieces_of_any_length_give_the_same_head() {
    let input = b"HTTP/1.1 200 \xe9t\xe9\r\nSet-Cookie: a\r\nX: \xff\r\nset-cookie: b\r\n\r\nHTTP";
    for piece in 1..input.len() {
        let mut head = ResponseHead::new();
        let ends = (piece..).step_by(piece).map(|end| end.min(input.len()));
        let found = ends
            .take(input.len())
            .find_map(|end| head.parse(&input[..end], &Limits::new()).transpose());
        assert_eq!(found, Some(Ok(input.len() - 4)));
        assert_eq!((head.status(), head.reason()), (200, "\u{e9}t\u{e9}"));
        assert_eq!(&*head.reason_bytes(), b"\xe9t\xe9");
        assert!(head.get_all("Set-Cookie").eq(["a", "b"]));
        let names = head.fields().iter().map(|(name, _)| name);
        assert!(names.eq(["Set-Cookie", "X", "set-cookie"]));
        assert_eq!(head.fields().get_bytes("X").as_deref(), Some(&b"\xff"[..]));
    }
}

#[test] // RFC 9112 §6.3, its rules in their order
fn the_framing_depends_on_method_status_and_fields() {
    let body = |status, fields: &str, method: &str| {
        let body = Body::of_response(&with_fields(status, fields), method)?;
        Ok((body.remaining(), body.is_until_close()))
    };
    let length = "Content-Length: 5\r\n";
    let chunked = "Transfer-Encoding: chunked\r\n";
    let empty = Ok((Some(0), false));
    for status in [100, 103, 204, 304] {
        for fields in [length, chunked, ""] {
            assert_eq!(body(status, fields, "GET"), empty, "{status} {fields}");
        }
    }
    assert_eq!(body(200, length, "HEAD"), empty);
    assert_eq!(body(200, length, "CONNECT"), empty);
    assert_eq!(body(404, length, "CONNECT"), Ok((Some(5), false)));
    assert_eq!(body(200, length, "GET"), Ok((Some(5), false)));
    assert_eq!(body(200, chunked, "GET"), Ok((None, false)));
    assert_eq!(body(200, "", "GET"), Ok((None, true)));
    for (fields, error) in [
        (
            "Content-Length: 5\r\nContent-Length: 5\r\n",
            ParseError::ContentLength,
        ),
        ("Content-Length: 5, 5\r\n", ParseError::ContentLength),
        ("Content-Length: +5\r\n", ParseError::ContentLength),
        (
            "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
            ParseError::TransferEncoding,
        ),
        ("Transfer-Encoding: gzip\r\n", ParseError::TransferEncoding),
        (
            "Transfer-Encoding: gzip, chunked\r\n",
            ParseError::UnsupportedCoding,
        ),
        (
            "Transfer-Encoding: chunked, chunked\r\n",
            ParseError::TransferEncoding,
        ),
    ] {
        assert_eq!(body(200, fields, "GET"), Err(error), "{fields}");
    }
    let old = parse(b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n").expect("a head");
    assert_eq!(
        Body::of_response(&old, "GET"),
        Err(ParseError::TransferEncoding)
    );
}

#[test]
fn content_until_close_is_everything_received() {
    let mut body = Body::of_response(&with_fields(200, ""), "GET").expect("until close");
    assert_eq!(body.next(b""), Ok(Piece::More));
    assert_eq!(body.next(b"abc"), Ok(Piece::Data(3)));
    assert_eq!(body.next_up_to(b"abc", 2), Ok(Piece::Data(2)));
    assert_eq!(body.end_of_input(), Ok(()));
}

#[test]
fn the_end_of_input_in_the_middle_of_counted_or_chunked_content_is_an_error() {
    for (fields, input) in [
        ("Content-Length: 5\r\n", &b"hell"[..]),
        ("Transfer-Encoding: chunked\r\n", b"4\r\nhell\r\n"),
    ] {
        let mut body = Body::of_response(&with_fields(200, fields), "GET").expect("a framing");
        let mut rest = input;
        while let Ok(Piece::Data(n) | Piece::Skip(n)) = body.next(rest) {
            rest = &rest[n..];
        }
        assert_eq!(body.end_of_input(), Err(ParseError::Incomplete), "{fields}");
    }
    assert_eq!(Body::EMPTY.end_of_input(), Ok(()));
}

#[test]
fn interim_responses_precede_the_final_one() {
    let interim = [100, 102, 103, 199];
    assert!(
        interim
            .iter()
            .all(|&status| with_fields(status, "").is_interim())
    );
    let last = [101, 200, 304, 500];
    assert!(
        !last
            .iter()
            .any(|&status| with_fields(status, "").is_interim())
    );
    assert!(with_fields(101, "").ends_http("GET"));
    assert!(with_fields(200, "").ends_http("CONNECT"));
    assert!(!with_fields(200, "").ends_http("GET"));
    assert!(!with_fields(407, "").ends_http("CONNECT"));
}

#[test] // RFC 9112 §9.3
fn a_response_keeps_the_connection_open_by_version_and_connection_field() {
    assert!(with_fields(200, "").keep_alive());
    assert!(!with_fields(200, "Connection: a, Close\r\n").keep_alive());
    assert!(!parse(b"HTTP/1.0 200 OK\r\n\r\n").unwrap().keep_alive());
    let kept = b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n\r\n";
    assert!(parse(kept).unwrap().keep_alive());
}

#[test]
fn limits_apply_to_responses() {
    let input = b"HTTP/1.1 200 OK\r\nA: b\r\nC: d\r\n\r\n";
    let found = |limits: Limits| ResponseHead::new().parse(input, &limits);
    let exact = Limits::new()
        .with_request_line(17)
        .with_field_bytes(12)
        .with_field_count(2);
    assert_eq!(found(exact), Ok(Some(input.len())));
    assert_eq!(
        found(exact.with_request_line(16)),
        Err(ParseError::StartLineTooLong)
    );
    assert_eq!(
        found(exact.with_field_bytes(11)),
        Err(ParseError::FieldsTooLong)
    );
    assert_eq!(
        found(exact.with_field_count(1)),
        Err(ParseError::TooManyFields)
    );
}

#[test] // left() known for a chunk
fn the_remaining_length_of_chunked_content_is_unknown() {
    let head = with_fields(200, "Transfer-Encoding: chunked\r\n");
    let mut body = Body::of_response(&head, "GET").expect("chunked");
    assert_eq!(body.next(b"5\r\nhel"), Ok(Piece::Skip(3)));
    assert_eq!(
        (body.next(b"hel"), body.remaining()),
        (Ok(Piece::Data(3)), None)
    );
}
