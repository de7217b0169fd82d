//! Tests the conversion for hosts that speak HTTP themselves: a request that the host has parsed becomes
//! bytes for a connection, and the bytes that the connection writes become the head and content of a reply.

use sanserve_server::host::{Head, IncompleteReply, Piece, Reply, Request};

/// Reads a request to the end of the available bytes, in small pieces.
fn read(request: &mut Request) -> String {
    let (mut bytes, mut piece) = (Vec::new(), [0; 7]);
    loop {
        match request.read(&mut piece) {
            0 => return String::from_utf8(bytes).unwrap(),
            n => bytes.extend(&piece[..n]),
        }
    }
}

#[test]
fn connection_fields_of_the_host_are_not_forwarded() {
    let fields: [(&str, &[u8]); 5] = [
        ("accept", b"*/*"),
        ("Connection", b"upgrade"),
        ("Upgrade", b"websocket"),
        ("TE", b"trailers"),
        ("X", b"\xff"),
    ];
    let mut request = Request::new("GET", "/a?b", Some("h:80"), fields, false);
    let mut bytes = [0; 100];
    let n = request.read(&mut bytes);
    let expected =
        b"GET /a?b HTTP/1.1\r\naccept: */*\r\nX: \xff\r\nHost: h:80\r\nConnection: close\r\n\r\n";
    assert_eq!(&bytes[..n], expected);
    assert!(request.is_empty());
}

#[test]
fn the_host_field_wins_over_the_authority_and_is_always_present() {
    let mut request = Request::new("GET", "/", Some("a"), [("host", &b"b"[..])], false);
    assert_eq!(
        read(&mut request),
        "GET / HTTP/1.1\r\nhost: b\r\nConnection: close\r\n\r\n"
    );
    let mut request = Request::new("OPTIONS", "*", None, [], false);
    let expected = "OPTIONS * HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    assert_eq!(read(&mut request), expected);
}

#[test]
fn content_is_framed_by_length_or_in_chunks() {
    let mut request = Request::new("POST", "/", None, [("content-length", &b"5"[..])], true);
    read(&mut request);
    request.content(b"hello");
    request.end();
    assert_eq!(read(&mut request), "hello");

    let mut request = Request::new("POST", "/", None, [], true);
    assert!(
        read(&mut request).ends_with("\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n")
    );
    request.content(b"");
    request.content(b"hello, world\n");
    assert!(!request.is_empty());
    assert_eq!(read(&mut request), "d\r\nhello, world\n\r\n");
    request.end();
    request.end();
    assert_eq!(read(&mut request), "0\r\n\r\n");
}

/// Parses a reply in pieces of this length, and returns its head and content.
fn parse(reply: &mut Reply, bytes: &[u8], piece: usize) -> (Option<Head>, Vec<u8>) {
    let (mut rest, mut parsed, mut content) = (bytes, None, Vec::new());
    while !rest.is_empty() {
        let n = match reply.take(&rest[..piece.min(rest.len())]).unwrap() {
            Piece::Skip(n) => n,
            Piece::Head(n, head) => {
                assert!(parsed.replace(head).is_none());
                n
            }
            Piece::Content(bytes) => {
                content.extend(bytes);
                bytes.len()
            }
        };
        rest = &rest[n..];
    }
    (parsed, content)
}

#[test]
fn a_reply_is_parsed_from_pieces_of_any_length() {
    let bytes = b"HTTP/1.0 103 Early Hints\r\nLink: </a>\r\n\r\n\
        HTTP/1.0 200 \xe4\r\nX: \xff\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello";
    for piece in 1..=bytes.len() {
        let mut reply = Reply::new("GET");
        let (head, content) = parse(&mut reply, bytes, piece);
        let head = head.unwrap();
        assert_eq!((head.status, head.content), (200, true));
        let fields = [("X", &b"\xff"[..]), ("Content-Length", b"5")];
        assert!(
            fields.into_iter().eq(head
                .fields
                .iter()
                .map(|(name, value)| (&name[..], &value[..])))
        );
        assert_eq!(content, b"hello");
        assert_eq!(reply.end(), Ok(()));
    }
}

#[test]
fn a_truncated_reply_is_an_error() {
    let mut reply = Reply::new("GET");
    parse(&mut reply, b"HTTP/1.0 200 OK\r\n", 100);
    assert_eq!(reply.end(), Err(IncompleteReply));
    parse(&mut reply, b"Content-Length: 5\r\n\r\nhell", 100);
    assert_eq!(
        (reply.remaining(), reply.end()),
        (Some(1), Err(IncompleteReply))
    );
    reply.sent(1);
    assert_eq!(reply.end(), Ok(()));
    assert_eq!(
        Reply::new("GET").take(b"nonsense\r\n\r\n"),
        Err(IncompleteReply)
    );
}

#[test]
fn a_reply_without_content_keeps_its_content_length() {
    for (method, status) in [("HEAD", "200"), ("GET", "304")] {
        let mut reply = Reply::new(method);
        let text = format!("HTTP/1.0 {status} X\r\nContent-Length: 5\r\n\r\n");
        let (head, _) = parse(&mut reply, text.as_bytes(), 100);
        let head = head.unwrap();
        assert_eq!((head.fields.len(), head.content), (1, false));
        assert_eq!((reply.remaining(), reply.end()), (None, Ok(())));
    }
}

#[test]
fn chunks_are_decoded_and_a_missing_last_chunk_is_an_error() {
    let head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    let bytes = [
        &head[..],
        b"1F\r\n\r\n0123456789012345678901234567\n\r\n2\r\n0\r\r\n0\r\n\r\n",
    ]
    .concat();
    for piece in 1..=bytes.len() {
        let mut reply = Reply::new("GET");
        let (head, content) = parse(&mut reply, &bytes, piece);
        assert!(head.unwrap().fields.is_empty());
        assert_eq!(content, b"\r\n0123456789012345678901234567\n0\r");
        assert_eq!(reply.end(), Ok(()));
    }
    for end in head.len()..bytes.len() {
        let mut reply = Reply::new("GET");
        parse(&mut reply, &bytes[..end], 5);
        assert_eq!(
            (reply.remaining(), reply.end()),
            (None, Err(IncompleteReply))
        );
    }
}
