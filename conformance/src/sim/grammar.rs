//! The grammar of requests: valid, unusual and invalid ones.

use super::Random;
use super::request::{Content, Request};

/// Generates the requests of a connection for these targets. The largest content has about `content_max` bytes.
pub(super) fn requests(
    random: &mut Random,
    targets: &'static [&'static str],
    content_max: usize,
) -> Vec<Request> {
    if random.one_in(200) {
        let target = random.pick(targets);
        return vec![Request::new("GET", target); 100 + random.below(900)];
    }
    let many = if random.one_in(100) { 40 } else { 4 };
    let count = random.below(many) + 1;
    (0..count)
        .map(|_| request(random, targets, content_max))
        .collect()
}

fn request(random: &mut Random, targets: &'static [&'static str], content_max: usize) -> Request {
    let lead = random.one_in(20);
    let lead = if lead {
        random.pick(&[&b"\r\n"[..], b"\n"])
    } else {
        b""
    };
    let method = match random.below(20) {
        0..10 => "GET",
        10..13 => "HEAD",
        13..18 => "POST",
        _ => random.pick(&["OPTIONS", "get", "PUT", "DELETE", "CONNECT", "X", ""]),
    };
    let version = match random.below(20) {
        0..14 => " HTTP/1.1",
        14..17 => " HTTP/1.0",
        17 => "",
        _ => random.pick(&[
            " HTTP/0.9",
            " HTTP/1.2",
            " HTTP/2.0",
            " HTTP/1.x",
            " x HTTP/1.1",
        ]),
    };
    let target = match method {
        "CONNECT" => "h:80",
        _ => random.pick(targets),
    };
    let mut request = Request {
        lead,
        version,
        fields: Vec::new(),
        ..Request::new(method, target)
    };
    if !version.is_empty() {
        add_fields(&mut request, random);
        add_content(&mut request, random, content_max);
    }
    request
}

fn add_fields(request: &mut Request, random: &mut Random) {
    let names_host = request.version == " HTTP/1.1" && !random.one_in(40);
    let fields = &mut request.fields;
    if names_host || random.one_in(10) {
        fields.push(b"Host: h".into());
    }
    for _ in 0..random.below(4) {
        fields.push(random.pick(GOOD).into());
    }
    if random.one_in(30) {
        request.invalid = Some(fields.len());
        fields.push(random.pick(BAD).into());
    }
    if random.one_in(100) {
        let long = [&b"X: "[..], &vec![b'x'; random.below(3000)]].concat();
        fields.push(long.into());
    }
}

fn add_content(request: &mut Request, random: &mut Random, content_max: usize) {
    let expects = random.one_in(20);
    if expects {
        request.fields.push(b"Expect: 100-continue".into());
    }
    if !random.one_in(if request.method == "POST" { 1 } else { 10 }) {
        return;
    }
    request.content = Some(Content {
        bytes: content(random, content_max),
        chunks: random.one_in(2).then(|| random.fork()),
        may_break: true,
        is_withheld: expects && random.one_in(2),
    });
}

/// The limit of content in most worlds.
pub(super) const CONTENT_SMALL: usize = 9000;

/// Returns content, which often looks like a request.
fn content(random: &mut Random, max: usize) -> Vec<u8> {
    let word = random.pick(&[
        &b"x"[..],
        b"GET /smuggled HTTP/1.1\r\n\r\n",
        b"0\r\n\r\n",
        b"\0\xff",
    ]);
    let len = match random.below(40) {
        _ if max > CONTENT_SMALL => random.log_uniform(max),
        0 => random.below(9000).min(max),
        1..4 => random.below(600).min(max),
        4..8 => 0,
        _ => (1 + random.below(60)).min(max),
    };
    let mut content = word.repeat(len.div_ceil(word.len()));
    content.truncate(len);
    content
}

const GOOD: &[&[u8]] = &[
    b"Connection: close",
    b"Connection: keep-alive",
    b"Connection: x, Keep-Alive",
    b"If-Modified-Since: Wed, 01 Jan 2020 00:00:00 GMT",
    b"If-Modified-Since: Wed, 01 Jan 2025 00:00:00 GMT",
    b"If-Modified-Since: yesterday",
    b"If-None-Match: *",
    b"If-None-Match: \"a\", W/\"b\",,\"c\"",
    b"If-Match: *",
    b"If-Match: \"a\"",
    b"If-Unmodified-Since: Wed, 01 Jan 2025 00:00:00 GMT",
    b"If-Range: \"a\"",
    b"If-Range: Sun, 13 Sep 2020 12:26:40 GMT",
    b"Range: bytes=1-3",
    b"Range: bytes=-5",
    b"Range: bytes=0-0,2-",
    b"Range: bytes=0-0,-1,3-99999999999999999999,2-2",
    b"Range: bytes=-999999, 5-, ,70000-",
    b"Accept-Encoding: gzip;q=0.5, br, *;q=0",
    b"Access-Control-Request-Method: GET",
    b"User-Agent: x",
    b"Accept: */*",
    b"X: \xff\x80",
    b"X:",
];

/// Invalid fields, after which the connection must close.
const BAD: &[&[u8]] = &[
    b"X : y",
    b" folded",
    b"no field",
    b"Content-Length: 1x",
    b"Content-Length: 5\r\nContent-Length: 5",
    b"Content-Length: 5\r\nTransfer-Encoding: chunked",
    b"Content-Length: 99999999999999999999",
    b"Transfer-Encoding: gzip",
    b"Host: h\r\nHost: h",
    b"Host: a,b",
    b"X: a\rb",
    b"X: \0",
];
