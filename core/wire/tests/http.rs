//! Tests of the conversions to the heads of the `http` crate and back.
#![cfg(feature = "http")]

use http::{Method, Request, Response, StatusCode};
use sanserve_wire::{EncodeError, HeadEncoder, Limits, RequestHead, ResponseHead};

#[test]
fn a_request_survives_the_round_trip() {
    for input in [
        &b"GET /a?b HTTP/1.1\r\nhost: h\r\nx: \xff\r\nx: 2\r\n\r\n"[..],
        b"OPTIONS * HTTP/1.1\r\nhost: h\r\n\r\n",
        b"CONNECT h:443 HTTP/1.1\r\nhost: h:443\r\n\r\n",
        b"GET http://h/a HTTP/1.0\r\n\r\n",
        b"M-SEARCH / HTTP/1.1\r\nhost: h\r\n\r\n",
    ] {
        let mut head = RequestHead::new();
        assert_eq!(head.parse(input, &Limits::new()), Ok(Some(input.len())));
        let parts = head.to_http().expect("a request");
        assert_eq!(parts.method.as_str(), head.method());
        let mut out = Vec::new();
        HeadEncoder::from_http_request(&mut out, &parts)
            .expect("the same")
            .end();
        assert_eq!(
            out.escape_ascii().to_string(),
            input.escape_ascii().to_string()
        );
    }
}

#[test]
fn a_response_survives_the_round_trip() {
    let input = b"HTTP/1.1 404 Not Found\r\nset-cookie: a\r\nset-cookie: b\r\n\r\n";
    let mut head = ResponseHead::new();
    assert!(head.to_http().is_err(), "there is no status yet");
    assert_eq!(head.parse(input, &Limits::new()), Ok(Some(input.len())));
    let parts = head.to_http().expect("a response");
    assert_eq!(parts.status, StatusCode::NOT_FOUND);
    let mut out = Vec::new();
    HeadEncoder::from_http_response(&mut out, &parts)
        .expect("the same")
        .end();
    assert_eq!(out, input);
}

#[test]
fn heads_that_http_1_cannot_represent_are_errors() {
    let encode = |request: Request<()>| {
        let mut out = Vec::new();
        let head = HeadEncoder::from_http_request(&mut out, &request.into_parts().0);
        head.map(|_| ()).err()
    };
    let request = Request::get("/")
        .version(http::Version::HTTP_2)
        .body(())
        .unwrap();
    assert_eq!(encode(request), Some(EncodeError::Version));
    let request = Request::builder()
        .method(Method::GET)
        .uri("h:1")
        .body(())
        .unwrap();
    assert_eq!(encode(request), Some(EncodeError::Target));
    let response = Response::builder()
        .version(http::Version::HTTP_3)
        .body(())
        .unwrap();
    let mut out = Vec::new();
    let head = HeadEncoder::from_http_response(&mut out, &response.into_parts().0);
    assert_eq!(head.err(), Some(EncodeError::Version));
}
