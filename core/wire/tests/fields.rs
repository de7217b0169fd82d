//! Tests of fields: their maximum number and length, the case of names, the bytes of values, hop-by-hop fields,
//! and the fields of trailers.

use sanserve_wire::{Body, Fields, Limits, ParseError, Piece, RequestHead};

fn with_fields(count: usize) -> Vec<u8> {
    let fields: String = (1..count).map(|n| format!("X-{n}: {n}\r\n")).collect();
    format!("GET / HTTP/1.1\r\nHost: h\r\n{fields}\r\n").into_bytes()
}

#[test] // 0, 15 to 17 and 99 to 101 are where the room for them changes
fn the_number_of_fields_is_limited_by_field_count_alone() {
    for count in [1, 2, 15, 16, 17, 50, 99, 100, 101, 500, 2000] {
        let input = with_fields(count);
        let found = |count| {
            let mut head = RequestHead::new();
            let found = head.parse(&input, &Limits::new().with_field_count(count));
            (found, head.fields().len())
        };
        assert_eq!(found(count), (Ok(Some(input.len())), count));
        assert_eq!(found(count + 1), (Ok(Some(input.len())), count));
        assert_eq!(found(usize::MAX), (Ok(Some(input.len())), count));
        assert_eq!(
            found(count - 1).0,
            Err(ParseError::TooManyFields),
            "{count}"
        );
    }
    let none = b"GET / HTTP/1.0\r\n\r\n";
    let limits = Limits::new().with_field_count(0);
    assert_eq!(
        RequestHead::new().parse(none, &limits),
        Ok(Some(none.len()))
    );
}

#[test] // a head that follows another one with the same fields is not parsed again
fn a_lower_field_count_applies_to_the_next_head() {
    let input = with_fields(3);
    let mut head = RequestHead::new();
    assert_eq!(head.parse(&input, &Limits::new()), Ok(Some(input.len())));
    let found = head.parse(&input, &Limits::new().with_field_count(2));
    assert_eq!(found, Err(ParseError::TooManyFields));
}

#[test]
fn a_lower_limit_of_bytes_applies_to_the_next_head() {
    let input = b"GET / HTTP/1.1\r\nHost: h\r\nX: 1\r\n\r\n";
    // Each includes the ends of its lines.
    let (line, fields) = (16, 15);
    let limits = |line, fields| {
        let limits = Limits::new().with_request_line(line);
        limits.with_field_bytes(fields)
    };
    for (limits, expected) in [
        (limits(line, fields), Ok(Some(input.len()))),
        (limits(line, fields - 1), Err(ParseError::FieldsTooLong)),
        (limits(line - 1, fields), Err(ParseError::StartLineTooLong)),
    ] {
        let mut head = RequestHead::new();
        assert_eq!(head.parse(input, &Limits::new()), Ok(Some(input.len())));
        assert_eq!(head.parse(input, &limits), expected);
        assert_eq!(RequestHead::new().parse(input, &limits), expected);
    }
}

#[test]
fn limits_may_be_usize_max() {
    let limits = Limits::new()
        .with_request_line(usize::MAX)
        .with_field_bytes(usize::MAX)
        .with_field_count(usize::MAX);
    let input = with_fields(3);
    for end in 0..input.len() {
        assert_eq!(RequestHead::new().parse(&input[..end], &limits), Ok(None));
    }
    assert_eq!(
        RequestHead::new().parse(&input, &limits),
        Ok(Some(input.len()))
    );
    assert_eq!(limits.buffer_size(), usize::MAX);
}

#[test] // RFC 9110 §5.5: obs-text
fn targets_and_values_are_available_as_the_bytes_sent() {
    let mut head = RequestHead::new();
    let input = b"GET /\xc3\xa9\xff?\x80 HTTP/1.1\r\nHost: h\r\nX:\t\xe9\x80 \r\nY: y\r\n\r\n";
    assert_eq!(head.parse(input, &Limits::new()), Ok(Some(input.len())));
    assert_eq!(&*head.target_bytes(), b"/\xc3\xa9\xff?\x80");
    assert_eq!(head.target(), "/\u{c3}\u{a9}\u{ff}?\u{80}");
    let fields: Vec<_> = head.fields().iter_bytes().collect();
    let wanted: [(&str, &[u8]); 3] = [("Host", b"h"), ("X", b"\xe9\x80"), ("Y", b"y")];
    assert_eq!(fields.len(), 3);
    assert!(
        fields
            .iter()
            .map(|(name, value)| (*name, &**value))
            .eq(wanted)
    );
}

#[test] // RFC 9110 §7.6.1
fn fields_that_connection_names_in_any_order_are_not_end_to_end() {
    let named: String = (0..50).rev().map(|n| format!("x-{n},")).collect();
    let fields: String = (0..60).map(|n| format!("X-{n}: {n}\r\n")).collect();
    let input =
        format!("GET / HTTP/1.0\r\nConnection: {named}\r\n{fields}connection: y\r\nY: 1\r\n\r\n");
    let mut head = RequestHead::new();
    assert_eq!(
        head.parse(input.as_bytes(), &Limits::new()),
        Ok(Some(input.len()))
    );
    let passed = head.fields().end_to_end().map(|(name, _)| name.to_owned());
    assert!(passed.eq((50..60).map(|n| format!("X-{n}"))));
}

/// Returns the result of `Body` for chunked content with these trailer fields.
fn trailers(section: &str) -> Result<Fields, ParseError> {
    let mut head = RequestHead::new();
    let input = b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n";
    head.parse(input, &Limits::new())?;
    let mut body = Body::of_request(&head)?;
    let input = format!("0\r\n{section}\r\nNEXT");
    let (mut rest, mut fields) = (input.as_bytes(), Fields::new());
    loop {
        let n = match body.next(rest)? {
            Piece::Trailers(n) => {
                fields.parse_trailers(&rest[..n])?;
                n
            }
            Piece::Skip(n) => n,
            Piece::End => break,
            piece => panic!("{piece:?} in trailers"),
        };
        rest = &rest[n..];
    }
    assert_eq!(rest, b"NEXT");
    Ok(fields)
}

#[test]
fn trailer_fields_are_handed_out_in_order_with_duplicates() {
    let fields = trailers("B: 1\r\na: 2\r\nb:3\r\n").expect("good trailers");
    assert!(fields.iter().eq([("B", "1"), ("a", "2"), ("b", "3")]));
    assert!(fields.get_all("b").eq(["1", "3"]));
    assert!(trailers("").expect("no trailers").is_empty());
}

#[test] // RFC 9110 §6.5.1
fn forbidden_trailer_fields_are_omitted() {
    for name in [
        "Transfer-Encoding",
        "content-length",
        "Host",
        "Content-Encoding",
        "Content-Type",
        "Content-Range",
        "Trailer",
        "Authorization",
        "Set-Cookie",
        "Cookie",
        "Cache-Control",
        "Max-Forwards",
        "TE",
        "Expect",
        "Range",
        "If-Match",
        "if-none-match",
        "Proxy-Authorization",
        "proxy-connection",
        "WWW-Authenticate",
        "Connection",
        "Keep-Alive",
        "Upgrade",
    ] {
        let fields = trailers(&format!("A: 1\r\n{name}: 7\r\nB: 2\r\n")).expect("good trailers");
        assert!(fields.iter().eq([("A", "1"), ("B", "2")]), "{name}");
        assert_eq!((fields.get(name), fields.len()), (None, 2));
    }
    let kept = [
        "Digest",
        "ETag",
        "If",
        "Proxy",
        "Server-Timing",
        "I",
        "\u{21}",
    ];
    for name in kept {
        let fields = trailers(&format!("{name}: 7\r\n")).expect("good trailers");
        assert_eq!(fields.get(name), Some("7"), "{name}");
    }
}

#[test]
fn trailers_are_bounded() {
    let many = |count| trailers(&"a:b\r\n".repeat(count)).map(|fields| fields.len());
    assert_eq!(
        (many(16), many(17)),
        (Ok(16), Err(ParseError::TooManyFields))
    );
    let long = |len| trailers(&format!("a:{}\r\n", "x".repeat(len))).map(|fields| fields.len());
    assert_eq!(
        (long(4090), long(4091)),
        (Ok(1), Err(ParseError::FieldsTooLong))
    );
}

#[test] // also what did not come from a `Piece::Trailers`
fn parse_trailers_rejects_everything_else() {
    for section in [
        "",
        "\r\n\r\n",
        "A: b",
        "A: b\r\n",
        "A: b\r\n\r\nC: d\r\n\r\n",
        "A\r\n\r\n",
        "A: b\n\r\n",
    ] {
        assert!(
            Fields::new().parse_trailers(section.as_bytes()).is_err(),
            "{section:?}"
        );
    }
    let long = format!("A: {}\r\n\r\n", "x".repeat(5000));
    assert_eq!(
        Fields::new().parse_trailers(long.as_bytes()),
        Err(ParseError::FieldsTooLong)
    );
}

#[test] // RFC 9110 §5.1
fn field_names_are_case_insensitive() {
    let mut head = RequestHead::new();
    let text = b"GET / HTTP/1.0\r\nx-NAME: 1\r\nX-Name: 2\r\n\r\n";
    head.parse(text, &Limits::default()).expect("a head");
    assert_eq!(head.field("X-name"), Some("1"));
}
