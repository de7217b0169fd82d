//! Tests of the encoder: the parser reads the same values from its output, values that would be read differently are
//! errors, and an unfinished head is removed.

mod random;

use random::Random;
use sanserve_wire::{
    Body, EncodeError, Fields, HeadEncoder, Limits, Piece, RequestHead, ResponseHead, Version,
    encode_chunk, encode_chunk_size, encode_last_chunk,
};

fn request(method: &str, target: &[u8]) -> Result<Vec<u8>, EncodeError> {
    let mut out = b"before".to_vec();
    let mut head = HeadEncoder::request(&mut out, method, target, Version::Http11)?;
    head.field("Host", "h")?;
    head.end();
    Ok(out.split_off(6))
}

#[test]
fn heads_look_as_in_the_rfc() {
    assert_eq!(
        request("GET", b"/a?b").unwrap(),
        b"GET /a?b HTTP/1.1\r\nHost: h\r\n\r\n"
    );
    assert_eq!(
        request("OPTIONS", b"*").unwrap(),
        b"OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n"
    );
    assert_eq!(
        request("CONNECT", b"h:1").unwrap(),
        b"CONNECT h:1 HTTP/1.1\r\nHost: h\r\n\r\n"
    );
    let mut out = Vec::new();
    let mut head = HeadEncoder::response(&mut out, Version::Http10, 301, "").unwrap();
    head.field("A", "\t b c ").unwrap();
    head.end();
    assert_eq!(out, b"HTTP/1.0 301 \r\nA: b c\r\n\r\n");
}

#[test]
fn line_breaks_and_spaces_cannot_be_injected() {
    for target in [
        "", " ", "/a b", "/a\r\n", "/\0", "/#a", "a", "*", "http://", "h:1", "/%zz",
    ] {
        assert_eq!(
            request("GET", target.as_bytes()),
            Err(EncodeError::Target),
            "{target:?}"
        );
    }
    for method in ["", "G ET", "GET\r\n", "G\u{e9}T", "GET:"] {
        assert_eq!(
            request(method, b"/"),
            Err(EncodeError::Method),
            "{method:?}"
        );
    }
    let mut out = Vec::new();
    let mut head = HeadEncoder::request(&mut out, "GET", "/", Version::Http11).unwrap();
    for name in ["", "a b", "a:", "a\r\nb", "\u{e9}"] {
        assert_eq!(head.field(name, "v"), Err(EncodeError::Name), "{name:?}");
    }
    for value in ["a\r\nb: c", "a\nb", "a\rb", "\0", "\x7f", "a\r\n b"] {
        assert_eq!(head.field("a", value), Err(EncodeError::Value), "{value:?}");
    }
    head.end();
    assert_eq!(out, b"GET / HTTP/1.1\r\n\r\n");
    for (status, reason, error) in [
        (99, "", EncodeError::Status),
        (1000, "", EncodeError::Status),
        (200, "a\r\n", EncodeError::Reason),
    ] {
        let head = HeadEncoder::response(&mut out, Version::Http11, status, reason);
        assert_eq!(head.err(), Some(error));
    }
    let head = HeadEncoder::response(&mut out, Version::Http09, 200, "");
    assert_eq!(head.err(), Some(EncodeError::Version));
}

#[test]
fn an_unfinished_head_is_removed() {
    let mut out = b"before".to_vec();
    let mut head = HeadEncoder::response(&mut out, Version::Http11, 200, "OK").unwrap();
    head.field("A", "b").unwrap();
    drop(head);
    assert_eq!(out, b"before");
    assert_eq!(
        encode_last_chunk(&mut out, [("A", "b"), ("C", "\n")]),
        Err(EncodeError::Value)
    );
    assert_eq!(out, b"before");
}

#[test] // RFC 9112 §7.1
fn chunk_sizes_are_hexadecimal() {
    for size in [
        0,
        1,
        9,
        10,
        15,
        16,
        255,
        256,
        0x1234_5678_9abc_def0,
        u64::MAX,
    ] {
        let mut out = Vec::new();
        encode_chunk_size(&mut out, size);
        assert_eq!(out, format!("{size:x}\r\n").into_bytes());
    }
    let mut out = Vec::new();
    encode_chunk(&mut out, b"");
    assert_eq!(out, b"", "an empty chunk would be the last");
}

#[test]
fn chunked_content_is_decoded_as_it_was_encoded() {
    let mut random = Random(3);
    let mut head = ResponseHead::new();
    let text = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    head.parse(text, &Limits::new()).expect("a good head");
    for _ in 0..300 {
        let (mut out, mut content) = (Vec::new(), Vec::new());
        for _ in 0..random.below(5) {
            let part = vec![b'x'; random.below(70)];
            encode_chunk(&mut out, &part);
            content.extend_from_slice(&part);
        }
        encode_last_chunk(&mut out, [("A", "1"), ("B", "2")]).unwrap();
        let mut body = Body::of_response(&head, "GET").unwrap();
        let (mut rest, mut read, mut trailers) = (&out[..], Vec::new(), Fields::new());
        loop {
            let n = match body.next(rest).expect("well formed") {
                Piece::Data(n) => {
                    read.extend_from_slice(&rest[..n]);
                    n
                }
                Piece::Trailers(n) => {
                    trailers.parse_trailers(&rest[..n]).unwrap();
                    n
                }
                Piece::Skip(n) => n,
                Piece::More => panic!("it is complete"),
                Piece::End => break,
            };
            rest = &rest[n..];
        }
        assert_eq!((read, rest), (content, &b""[..]));
        assert!(trailers.iter().eq([("A", "1"), ("B", "2")]));
    }
}

#[test]
fn the_parser_reads_what_the_encoder_writes() {
    let mut random = Random(4);
    let bytes = |random: &mut Random| -> Vec<u8> {
        const BYTES: &[u8] = b"/aA1: \t\r\n\x00\x7f\xe9\xff#%?*-h.@[]";
        (0..random.below(6))
            .map(|_| BYTES[random.below(BYTES.len())])
            .collect()
    };
    let (mut accepted, mut head) = (0, RequestHead::new());
    for _ in 0..200_000 {
        let target = [b"/", &*bytes(&mut random)].concat();
        let name = String::from_utf8_lossy(&bytes(&mut random)).into_owned();
        let value = bytes(&mut random);
        let mut out = Vec::new();
        let Ok(mut encoder) = HeadEncoder::request(&mut out, "GET", &target, Version::Http10)
        else {
            continue;
        };
        if encoder.field(&name, &value).is_err() || name.eq_ignore_ascii_case("h") {
            continue;
        }
        encoder.end();
        accepted += 1;
        assert_eq!(head.parse(&out, &Limits::new()), Ok(Some(out.len())));
        assert_eq!(&*head.target_bytes(), &*target);
        let read = head.fields().iter_bytes().next().expect("a field");
        assert_eq!((read.0, &*read.1), (&*name, value.trim_ascii()));
        assert_eq!(head.fields().len(), 1);
    }
    assert!(accepted > 1000, "only {accepted}");
}
