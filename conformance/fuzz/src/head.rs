//! The fuzz target for request heads. Checks that they are parsed the same whether they arrive whole or byte by byte,
//! that httparse parses them alike, and that an accepted head can be encoded and is parsed back as the same.
//!
//! If httparse accepts a whole head, so does sanserve, with the same method, target and fields; [`may_refuse`] has the
//! exceptions, which are intended. If httparse rejects a field, so does sanserve. Ambiguous heads are rejected. Like
//! Python and unlike httparse, sanserve accepts any version below 2.0, and a request line of two words.

use httparse::{Request, Status};
use sanserve_core::wire::{HeadEncoder, Limits, ParseError, RequestHead, Version};

/// Checks one head.
pub fn check(data: &[u8]) {
    let limits = Limits::new().with_request_line(200).with_field_bytes(1000);
    let (mut head, mut slow) = (RequestHead::new(), RequestHead::new());
    let result = head.parse(data, &limits);

    // The first prefix with a result has the same result as the whole head.
    let settled = (0..=data.len()).find_map(|len| match slow.parse(&data[..len], &limits) {
        Ok(None) => None,
        result => Some(result),
    });
    assert_eq!(settled.unwrap_or(Ok(None)), result, "byte by byte");
    assert_eq!(parts(&slow), parts(&head), "byte by byte");

    if let Ok(Some(taken)) = result {
        assert!(!has_bare_lf(&data[..taken]), "bare LF");
        let hosts = head
            .fields()
            .iter()
            .filter(|(name, _)| is_host(name))
            .count();
        assert!(hosts == 1 || hosts == 0 && head.version() < Version::Http11);
        check_round_trip(&head);
    }

    let mut slots = [httparse::EMPTY_HEADER; 100];
    let mut request = Request::new(&mut slots);
    match (request.parse(data), result) {
        (Ok(Status::Complete(len)), Ok(Some(taken))) => {
            assert_eq!(taken, len);
            let theirs = (
                request.method.map_or(String::new(), latin1),
                request.path.map_or(String::new(), latin1),
                request.headers.iter().map(|field| {
                    let value: String = field.value.iter().copied().map(char::from).collect();
                    (field.name.to_owned(), value)
                }),
            );
            assert_eq!((head.method(), head.target()), (&*theirs.0, &*theirs.1));
            let ours = head
                .fields()
                .iter()
                .map(|(name, value)| (name.into(), value.into()));
            assert!(ours.eq(theirs.2), "other fields");
        }
        (Ok(Status::Complete(_)), Ok(None)) => panic!("httparse finds a whole head"),
        (Ok(Status::Complete(_)), Err(error)) => {
            assert!(
                may_refuse(error, &request, data),
                "httparse accepts it, sanserve rejects it: {error:?}"
            );
        }
        (Err(httparse::Error::HeaderName | httparse::Error::HeaderValue), Ok(Some(_))) => {
            panic!("httparse refuses a field");
        }
        _ => {}
    }
}

/// Whether sanserve deliberately rejects a head that httparse accepts.
fn may_refuse(error: ParseError, request: &Request<'_, '_>, data: &[u8]) -> bool {
    let target = request.path.unwrap_or_default();
    let mut hosts = request.headers.iter().filter(|field| is_host(field.name));
    match error {
        ParseError::StartLineTooLong | ParseError::FieldsTooLong => true,
        // httparse skips any number of empty lines at the start, sanserve one (RFC 9112 §2.2).
        ParseError::RequestLine => data.starts_with(b"\r\n") || data.starts_with(b"\n"),
        ParseError::BareLf => has_bare_lf(data),
        ParseError::Target => {
            let plain = |byte| matches!(byte, b'/' | b'?' | b'.' | b'0'..=b'9' | b'A'..=b'z');
            request.method == Some("CONNECT")
                || !target.starts_with('/')
                || !target.bytes().all(plain)
        }
        ParseError::MissingHost => hosts.next().is_none(),
        ParseError::Host => {
            let name =
                |field: &httparse::Header<'_>| field.value.iter().all(u8::is_ascii_alphanumeric);
            let plain = |field: &httparse::Header<'_>| !field.value.is_empty() && name(field);
            let one = hosts.next().is_some_and(plain) && hosts.next().is_none();
            !one || !target.starts_with('/')
        }
        _ => false,
    }
}

/// Encodes a head, and parses the result.
fn check_round_trip(head: &RequestHead) {
    let (mut out, target) = (Vec::new(), head.target_bytes());
    if head.version() == Version::Http09 {
        return;
    }
    let encoder = HeadEncoder::request(&mut out, head.method(), target, head.version());
    let mut encoder = encoder.expect("a head that was parsed can be written");
    let fields = head.fields().iter_bytes();
    encoder
        .fields(fields)
        .expect("fields that were parsed can be written");
    encoder.end();
    let (mut again, limits) = (RequestHead::new(), Limits::new());
    assert_eq!(
        again.parse(&out, &limits),
        Ok(Some(out.len())),
        "round trip"
    );
    let (again, head) = (parts(&again), parts(head));
    assert_eq!(
        (again.1, again.2, again.3),
        (head.1, head.2, head.3),
        "round trip"
    );
}

fn is_host(name: &str) -> bool {
    name.eq_ignore_ascii_case("host")
}

/// Returns whether a line of `data` ends with a bare LF.
pub(crate) fn has_bare_lf(data: &[u8]) -> bool {
    let mut lines = data.split_inclusive(|&byte| byte == b'\n');
    lines.any(|line| line.ends_with(b"\n") && !line.ends_with(b"\r\n"))
}

/// Returns all parts of a head.
fn parts(head: &RequestHead) -> (&str, &str, &str, Vec<(&str, &str)>) {
    let fields = head.fields().iter().collect();
    (head.request_line(), head.method(), head.target(), fields)
}

/// Converts text of httparse, which is UTF-8, to one character a byte.
fn latin1(text: &str) -> String {
    text.bytes().map(char::from).collect()
}

/// The requests of all cases, and edge cases of the grammar.
pub fn seeds() -> Vec<Vec<u8>> {
    let cases = sanserve_conformance::case::all();
    let mut seeds: Vec<Vec<u8>> = cases.into_iter().map(|case| case.request).collect();
    seeds.extend(super::owned(&[
        b"\r\nGET / HTTP/1.1\nA:\t b \t\nC:\n\n",
        b"GET \t /a b HTTP/1.0\r\n\r\n",
        b"G\xc3\xa9T /\xff HTTP/1.1\r\nX: \xff\x80\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\r\n\n",
    ]));
    // Found by the fuzzer: both too long and badly ended. Which error was reported depended on the pieces.
    seeds.push(
        [
            b"GET / HTTP/1.1\r\nX: ",
            &*vec![b'y'; 1000],
            b"\nZ: z\r\n\r\n",
        ]
        .concat(),
    );
    seeds
}
