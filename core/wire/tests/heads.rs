//! Tests of request heads: the result of parsing does not depend on the previous head, whose fields are reused if they
//! are the same, nor on how the input is divided. Also tests empty heads, the authority and internal redirects.

use sanserve_wire::{Body, Limits, ParseError, RequestHead};

/// Everything that a head returns.
fn all(head: &RequestHead, found: Result<Option<usize>, ParseError>) -> String {
    let fields: Vec<_> = head.fields().iter().collect();
    let named = ["Host", "hOST", "a", "", "Range", "Content-Length", "X"];
    let values = named.map(|name| head.get_all(name).collect::<Vec<_>>());
    format!(
        "{found:?} {:?} {:?} {:?} {:?} {:?} {fields:?} {values:?} {} {:?} {:?}",
        head.request_line(),
        head.method(),
        head.target(),
        head.path(),
        head.version(),
        // An incomplete head returns nothing else.
        found.is_ok_and(|found| found.is_some()) && head.keep_alive(),
        head.expects_100(),
        Body::of_request(head),
    )
}

/// Returns the result after each piece.
fn parse(head: &mut RequestHead, input: &[u8], piece: usize, limits: &Limits) -> Vec<String> {
    let mut said = Vec::new();
    for end in (piece.min(input.len())..=input.len()).step_by(piece) {
        let found = head.parse(&input[..end], limits);
        said.push(all(head, found));
        if found != Ok(None) {
            break;
        }
    }
    said
}

const LINES: &[&str] = &[
    "GET /\u{e9} HTTP/1.1\r\n",
    "GET /a HTTP/1.1\r\n",
    "HEAD /a HTTP/1.0\r\n",
    "GET http://h?q HTTP/1.0\r\n",
    "POST /a%20b HTTP/1.1\r\n",
    "GET /long/b?q=%zz HTTP/1.1\r\n",
    "GET /%zz HTTP/1.1\r\n",
    "GET /a#b HTTP/1.1\r\n",
    "GET /a HTTP/1.2\r\n",
    "GET /a HTTP/2.0\r\n",
    "GET /a HTTP/1.1\n",
    "GET /a\r\n",
    "GET  /a HTTP/1.1\r\n",
    "G@T /a HTTP/1.1\r\n",
    " /a HTTP/1.1\r\n",
    "GET http://h/a HTTP/1.1\r\n",
    "GET http://other/a HTTP/1.1\r\n",
    "CONNECT /a HTTP/1.1\r\n",
    "CONNECT h:80 HTTP/1.1\r\n",
    "OPTIONS * HTTP/1.1\r\n",
    // The same text as the line with U+00E9, in UTF-8.
    "GET /\u{c3}\u{a9} HTTP/1.1\r\n",
    "\r\nGET /a HTTP/1.1\r\n",
    "\r\n\r\nGET /a HTTP/1.1\r\n",
    "GET /a/quite/long/path/that/is/too/long HTTP/1.1\r\n",
];

const FIELDS: &[&str] = &[
    "\r\n",
    "Host: h\r\n\r\n",
    "Host: g\r\n\r\n",
    "Host: h\r\nA: b\r\n\r\n",
    "Host: h\r\nHost: h\r\n\r\n",
    "X: y\r\n\r\n",
    "Host: h\r\nConnection: close\r\n\r\n",
    "Host: h\r\nConnection: keep-alive\r\nContent-Length: 3\r\n\r\n",
    "Host: h\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n",
    "Host: h\r\nA: \u{e9}\r\n\r\n",
    // The same text as the previous one, in UTF-8.
    "Host: h\r\nA: \u{c3}\u{a9}\r\n\r\n",
    "Host: h\r\nA : b\r\n\r\n",
    "Host: h\r\nA: b\n\r\n",
    "Host: h\r\nLong: 0123456789012345678901234567890123456789\r\n\r\n",
];

/// Each request line with each set of fields, as bytes, with further input.
fn inputs() -> Vec<Vec<u8>> {
    let one = |line: &&str, fields: &&str| {
        let text = [line, *fields, "GET /next"].concat();
        text.chars().map(|char| char as u8).collect()
    };
    let lines = LINES.iter();
    lines
        .flat_map(|line| FIELDS.iter().map(move |fields| one(line, fields)))
        .collect()
}

/// Parses the second input with a head that has parsed the first one, and with a new one.
fn compare(before: &[u8], input: &[u8], piece: usize, limits: &Limits) {
    let mut used = RequestHead::new();
    parse(&mut used, before, before.len(), &Limits::default());
    let used = parse(&mut used, input, piece, limits);
    let new = parse(&mut RequestHead::new(), input, piece, limits);
    let text = String::from_utf8_lossy;
    assert_eq!(used, new, "{:?} after {:?}", text(input), text(before));
}

#[test] // the fields of the last head are taken for those of this one
fn the_previous_head_makes_no_difference() {
    let inputs = inputs();
    let limits = Limits::new().with_request_line(40).with_field_bytes(60);
    // Of the lines that allow further input, the first few suffice.
    for before in &inputs[..FIELDS.len() * 5] {
        for input in &inputs {
            compare(before, input, input.len(), &Limits::default());
            compare(before, input, input.len(), &limits);
        }
    }
}

#[test] // a head that comes in pieces is taken for the last one
fn splitting_the_input_makes_no_difference() {
    let inputs = inputs();
    let last = [
        &b"GET /a HTTP/1.1\r\nHost: h\r\nA: b\r\n\r\n"[..],
        b"GET /a HTTP/1.0\r\n\r\n",
    ];
    for before in last {
        for input in &inputs {
            for piece in [1, 2, 7] {
                compare(before, input, piece, &Limits::default());
            }
        }
    }
}

#[test] // only the second head is compared with the last
fn only_the_last_head_is_reused() {
    let limits = Limits::default();
    let heads = inputs();
    let mut used = RequestHead::new();
    for input in heads.iter().chain(heads.iter().rev()) {
        let new = parse(&mut RequestHead::new(), input, input.len(), &limits);
        for _ in 0..2 {
            assert_eq!(parse(&mut used, input, input.len(), &limits), new);
        }
    }
}

#[test]
fn input_shorter_than_what_was_examined_begins_a_new_head() {
    let (mut head, limits) = (RequestHead::new(), Limits::new());
    for (examined, input) in [
        ("GET /a HTTP/1.1\r\n", "GET / HTTP/1.1\r\nA: b\r\n\r\n"),
        ("GET /a HTTP/1.1\r\n", "GET /b HTTP/1.1\r\n\r\n"),
        ("GET /a HTTP/1.1\r\nA: b", "GET /b HTTP/1.1\r\nC: d\r\n\r\n"),
    ] {
        head.reset();
        assert_eq!(head.parse(examined.as_bytes(), &limits), Ok(None));
        let shorter = &input.as_bytes()[..examined.len() - 1];
        assert_eq!(head.parse(shorter, &limits), Ok(None));
        let found = head.parse(input.as_bytes(), &limits);
        let mut new = RequestHead::new();
        let expected = new.parse(input.as_bytes(), &limits);
        assert_eq!(all(&head, found), all(&new, expected), "{input}");
    }
}

#[test] // RFC 9112 §3.3
fn the_authority_of_connect_is_its_target() {
    let limits = Limits::new();
    let mut head = RequestHead::new();
    let input = b"CONNECT internal:22 HTTP/1.1\r\nHost: public.example\r\n\r\n";
    assert_eq!(head.parse(input, &limits), Ok(Some(input.len())));
    assert_eq!(head.authority(), Some("internal:22"));
    assert!(!head.is_for("public.example", 80));
}

#[test]
fn an_internal_redirect_rejects_characters_of_more_than_one_byte() {
    let limits = Limits::new();
    let mut head = RequestHead::new();
    let input = b"GET / HTTP/1.1\r\nHost: h\r\n\r\n";
    assert_eq!(head.parse(input, &limits), Ok(Some(input.len())));
    assert!(head.internal_redirect("/a\u{10d}\u{10a}b").is_none());
    assert!(head.internal_redirect("/a").is_some());
}

#[test] // found by the fuzzer: LineEnd of the whole, FieldsTooLong byte by byte
fn the_error_of_a_bad_head_does_not_depend_on_how_it_is_split() {
    let limits = Limits::new().with_field_bytes(100);
    for len in 90..110 {
        let input = [
            b"GET / HTTP/1.0\r\nX: ",
            &*vec![b'y'; len],
            b"\nZ: z\r\n\r\n",
        ]
        .concat();
        let mut head = RequestHead::new();
        let in_pieces = (0..=input.len()).find_map(|len| head.parse(&input[..len], &limits).err());
        assert_eq!(
            RequestHead::new().parse(&input, &limits).err(),
            in_pieces,
            "{len}"
        );
    }
}

#[test]
fn an_empty_head_has_empty_values() {
    let head = RequestHead::default();
    assert_eq!((head.request_line(), head.fields().len()), ("", 0));
}
