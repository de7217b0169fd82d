//! Tests of input that does not continue the previous one: no parser panics, after a reset everything is as with a new
//! value, and no head examines bytes again that it has examined before.

mod random;

use random::Random;
use sanserve_wire::{Body, Fields, Limits, RequestHead, ResponseHead};

/// Reads everything from a request head, none of which may panic.
fn read_request(head: &RequestHead) -> String {
    let body = Body::of_request(head);
    let seen = (
        head.request_line(),
        head.method(),
        head.target_bytes(),
        head.path(),
        head.version(),
    );
    let fields: Vec<_> = head.fields().iter_bytes().collect();
    let redirect = head.internal_redirect("/x");
    let redirect = redirect.as_ref().map(|head| head.fields().len());
    format!(
        "{seen:?} {fields:?} {:?} {body:?} {:?} {redirect:?}",
        head.authority(),
        head.expects_100()
    )
}

fn read_response(head: &ResponseHead) -> String {
    let body = Body::of_response(head, "GET");
    let fields: Vec<_> = head.fields().iter_bytes().collect();
    format!(
        "{} {:?} {:?} {fields:?} {body:?}",
        head.status(),
        head.reason(),
        head.version()
    )
}

#[test]
fn no_input_makes_a_head_panic_and_reset_clears_it() {
    let mut random = Random(1);
    let limits = Limits::new()
        .with_request_line(60)
        .with_field_bytes(80)
        .with_field_count(4);
    let (mut request, mut response) = (RequestHead::new(), ResponseHead::new());
    for round in 0..100_000 {
        let input = random.message(8);
        let input = &input[..random.below(input.len() + 1)];
        let _ = (
            request.parse(input, &limits),
            response.parse(input, &limits),
        );
        read_request(&request);
        read_response(&response);
        if round % 4 > 0 {
            continue;
        }
        request.reset();
        response.reset();
        let (mut new_request, mut new_response) = (RequestHead::new(), ResponseHead::new());
        let input = random.message(8);
        assert_eq!(
            request.parse(&input, &limits),
            new_request.parse(&input, &limits)
        );
        assert_eq!(
            response.parse(&input, &limits),
            new_response.parse(&input, &limits)
        );
        assert_eq!(read_request(&request), read_request(&new_request));
        assert_eq!(read_response(&response), read_response(&new_response));
    }
}

#[test]
fn no_input_makes_content_or_trailers_panic() {
    let mut random = Random(2);
    let mut head = RequestHead::new();
    let chunked = b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n";
    head.parse(chunked, &Limits::new()).expect("a good head");
    let mut trailers = Fields::new();
    for _ in 0..20_000 {
        let mut body = Body::of_request(&head).expect("chunked");
        for _ in 0..6 {
            let input = random.message(6);
            let _ = trailers.parse_trailers(&input);
            let max = 1 + random.below(9);
            if body.next_up_to(&input, max).is_err() {
                break;
            }
        }
    }
}

#[test]
fn a_changed_byte_at_a_line_end_is_an_error() {
    let limits = Limits::new();
    let mut request = RequestHead::new();
    assert_eq!(request.parse(b"GET / HTTP/1.1\r\n", &limits), Ok(None));
    assert!(request.parse(b"GET / HTTP/1.1x\n", &limits).is_err());
    let mut response = ResponseHead::new();
    assert_eq!(response.parse(b"HTTP/1.1 200 OK\r\n", &limits), Ok(None));
    assert!(response.parse(b"HTTP/1.1 200 OKx\n", &limits).is_err());
}

/// Replaces these bytes by line ends, except for the last three, which a search for `\r\n\r\n` has to read again, and
/// appends one more byte.
fn with_line_ends(examined: &[u8]) -> Vec<u8> {
    let last = &examined[examined.len().saturating_sub(3)..];
    let line_ends = vec![b'\n'; examined.len() - last.len()];
    [&line_ends, last, b"x"].concat()
}

#[test] // otherwise the work for a head that arrives byte by byte would be quadratic
fn examined_bytes_are_not_examined_again() {
    let limits = Limits::new();
    let input = b"GET /long HTTP/1.1\r\nHost: h\r\nX: 1\r\n\r";
    for end in 1..=input.len() {
        let mut head = RequestHead::new();
        assert_eq!(head.parse(&input[..end], &limits), Ok(None));
        let changed = with_line_ends(&input[..end]);
        assert_eq!(head.parse(&changed, &limits), Ok(None), "request, {end}");
    }
    let input = b"HTTP/1.1 200 OK\r\nServer: s\r\nX: 1\r\n\r";
    for end in 1..=input.len() {
        let mut head = ResponseHead::new();
        assert_eq!(head.parse(&input[..end], &limits), Ok(None));
        let changed = with_line_ends(&input[..end]);
        assert_eq!(head.parse(&changed, &limits), Ok(None), "response, {end}");
    }
}
