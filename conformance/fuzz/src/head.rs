//! Request heads: the same whether they come whole or byte by byte, and as httparse reads them.
//!
//! Where httparse reads a whole head, so do we, and see the same method, target and fields; the
//! exceptions are ours on purpose and stand in [`may_refuse`]. Where it refuses a field, we do.
//! What could be read in two ways is not accepted at all. Of the request line we take more than
//! httparse in two things that Python takes: any version below 2.0, and two words alone.

use httparse::{Request, Status};
use sanserve_core::wire::{HeadEncoder, Limits, ParseError, RequestHead, Version};

/// Checks one head.
pub fn check(data: &[u8]) {
    let limits = Limits::new().with_request_line(200).with_field_bytes(1000);
    let (mut head, mut slow) = (RequestHead::new(), RequestHead::new());
    let result = head.parse(data, &limits);

    // The first prefix that settles it says the same as the whole.
    let settled = (0..=data.len()).find_map(|len| match slow.parse(&data[..len], &limits) {
        Ok(None) => None,
        result => Some(result),
    });
    assert_eq!(settled.unwrap_or(Ok(None)), result, "byte by byte");
    assert_eq!(seen(&slow), seen(&head), "byte by byte");

    if let Ok(Some(taken)) = result {
        assert!(!has_bare_lf(&data[..taken]), "LF alone");
        let hosts = head
            .fields()
            .iter()
            .filter(|(name, _)| is_host(name))
            .count();
        assert!(hosts == 1 || hosts == 0 && head.version() < Version::Http11);
        written_again(&head);
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
        (Ok(Status::Complete(_)), Err(bad)) => {
            assert!(
                may_refuse(bad, &request, data),
                "httparse accepts it, here it is {bad:?}"
            );
        }
        (Err(httparse::Error::HeaderName | httparse::Error::HeaderValue), Ok(Some(_))) => {
            panic!("httparse refuses a field");
        }
        _ => {}
    }
}

/// What we refuse on purpose though httparse does not.
fn may_refuse(bad: ParseError, request: &Request<'_, '_>, data: &[u8]) -> bool {
    let target = request.path.unwrap_or_default();
    let mut hosts = request.headers.iter().filter(|field| is_host(field.name));
    match bad {
        ParseError::StartLineTooLong | ParseError::FieldsTooLong => true,
        // It skips any number of empty lines at the start, we one (RFC 9112 §2.2).
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

/// Encodes a head, and parses that.
fn written_again(head: &RequestHead) {
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
        "written again"
    );
    let (again, head) = (seen(&again), seen(head));
    assert_eq!(
        (again.1, again.2, again.3),
        (head.1, head.2, head.3),
        "written again"
    );
}

fn is_host(name: &str) -> bool {
    name.eq_ignore_ascii_case("host")
}

/// Whether a line of `data` ends with LF without CR before it.
pub(crate) fn has_bare_lf(data: &[u8]) -> bool {
    let mut lines = data.split_inclusive(|&byte| byte == b'\n');
    lines.any(|line| line.ends_with(b"\n") && !line.ends_with(b"\r\n"))
}

/// All that can be seen of a head.
fn seen(head: &RequestHead) -> (&str, &str, &str, Vec<(&str, &str)>) {
    let fields = head.fields().iter().collect();
    (head.request_line(), head.method(), head.target(), fields)
}

/// httparse takes UTF-8 for text, we one byte for one character.
fn latin1(text: &str) -> String {
    text.bytes().map(char::from).collect()
}

/// The requests of the conformance list, and heads at the edges.
pub fn seeds() -> Vec<Vec<u8>> {
    let cases = sanserve_conformance::case::all();
    let mut seeds: Vec<Vec<u8>> = cases.into_iter().map(|case| case.request).collect();
    seeds.extend(super::owned(&[
        b"\r\nGET / HTTP/1.1\nA:\t b \t\nC:\n\n",
        b"GET \t /a b HTTP/1.0\r\n\r\n",
        b"G\xc3\xa9T /\xff HTTP/1.1\r\nX: \xff\x80\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\r\n\n",
    ]));
    // Found: too long and badly ended at once, which was one or the other depending on the pieces.
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
