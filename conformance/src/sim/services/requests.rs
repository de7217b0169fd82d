//! Generates the requests for services: downloads, listings, archives, uploads, scripts and waits, with and without
//! passwords.

use super::settings::{Service, Settings};
use crate::sim::Random;
use crate::sim::request::Request;

/// Generates a few requests of one peer for the service of this number.
pub(in crate::sim) fn random(random: &mut Random, number: u64) -> Vec<Request> {
    let service = Settings::of(number).service;
    let (knows_password, repeats) = (random.one_in(2), random.one_in(6));
    let mut request = one(random, service);
    let mut requests = Vec::new();
    for _ in 0..random.below(4) + 1 {
        if !repeats {
            request = one(random, service);
        }
        let mut request = request.clone();
        let credentials = credentials(random, knows_password);
        let fields = credentials.iter().map(|field| field.as_bytes().into());
        request.fields.extend(fields);
        requests.push(request);
    }
    requests
}

/// Returns the fields with the credentials of a request, right or wrong.
fn credentials(random: &mut Random, knows_password: bool) -> &'static [&'static str] {
    match knows_password {
        true => &[RIGHT],
        false => random.pick(CREDENTIALS),
    }
}

/// Generates a request, most often one that the service can answer.
fn one(random: &mut Random, service: Service) -> Request {
    let kinds: &[fn(&mut Random) -> Request] = match service {
        _ if random.one_in(8) => &[download, listing, put, form, script, wait, other],
        Service::Files => &[download, download, listing, archive],
        Service::Upload => &[put, put, form, listing, download],
        Service::Cgi => &[script],
        Service::Waiter | Service::Upgrader => &[wait],
    };
    let mut request = random.pick(kinds)(random);
    if random.one_in(12) {
        request.version = " HTTP/1.0";
    } else if random.one_in(3) {
        request = request.chunked(random);
    }
    if random.one_in(20) {
        request.fields.push(b"Expect: 100-continue".into());
    }
    request
}

fn download(random: &mut Random) -> Request {
    let target = random.pick(FILES).into();
    get(random, target)
}

fn listing(random: &mut Random) -> Request {
    let target = format!("{}{}", random.pick(DIRECTORIES), random.pick(LISTINGS));
    get(random, target)
}

fn archive(random: &mut Random) -> Request {
    let target = format!("{}{}", random.pick(DIRECTORIES), random.pick(ARCHIVES));
    get(random, target)
}

fn get(random: &mut Random, target: String) -> Request {
    let method = if random.one_in(5) { "HEAD" } else { "GET" };
    let mut request = Request::new(method, target);
    for odds in [3, 8] {
        if random.one_in(odds) {
            request
                .fields
                .push(random.pick(DOWNLOAD_FIELDS).as_bytes().into());
        }
    }
    request
}

fn put(random: &mut Random) -> Request {
    let targets = if random.one_in(6) { REFUSED } else { UPLOADS };
    let mut request = Request::new("PUT", random.pick(targets));
    if random.one_in(4) {
        request
            .fields
            .push(random.pick(UPLOAD_FIELDS).as_bytes().into());
    }
    request.content(text(random))
}

/// Returns a form with files for one directory, whose end may be missing.
fn form(random: &mut Random) -> Request {
    let mut content = Vec::new();
    for _ in 0..1 + random.below(3) {
        let name = random.pick(&["u0", "u1", "u5", "one.txt", "ü.txt", ".hidden", "deep"]);
        let head = format!(
            "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"f\"; filename=\"{name}\"\r\n\r\n"
        );
        content.extend_from_slice(head.as_bytes());
        content.extend_from_slice(&text(random));
        content.extend_from_slice(b"\r\n");
    }
    if !random.one_in(10) {
        content.extend_from_slice(format!("--{BOUNDARY}--\r\n").as_bytes());
    }
    let target = random.pick(&["/in/", "/in/", "/up/", "/none/", "/a.txt"]);
    let kind = format!("multipart/form-data; boundary={BOUNDARY}");
    Request::new("POST", target)
        .field("Content-Type", kind)
        .content(content)
}

fn script(random: &mut Random) -> Request {
    let target = random.pick(SCRIPTS);
    match random.one_in(2) {
        true => Request::new("POST", target).content(text(random)),
        false => Request::new("GET", target),
    }
}

fn wait(random: &mut Random) -> Request {
    let method = random.pick(&["GET", "GET", "POST"]);
    let request = Request::new(method, format!("/wait/{}", random.below(4)));
    let request = match random.one_in(2) {
        true => request.field("Upgrade", "echo"),
        false => request,
    };
    match random.one_in(2) {
        true => request.content(text(random)),
        false => request,
    }
}

fn other(random: &mut Random) -> Request {
    let method = random.pick(&["OPTIONS", "DELETE"]);
    Request::new(method, random.pick(FILES))
}

/// Returns content, most of which no other request has.
fn text(random: &mut Random) -> Vec<u8> {
    let len = match random.below(100) {
        0 => 60_000 + random.below(80_000),
        1..30 => 1000 + random.below(5000),
        30..35 => 0,
        _ => random.below(200),
    };
    let key = format!("{:016x}\r\n--{:.3}", random.number(), BOUNDARY);
    let mut content = key.repeat(len.div_ceil(key.len())).into_bytes();
    content.truncate(len);
    content
}

/// The boundary of all forms. No content of a file contains it.
pub(super) const BOUNDARY: &str = "AaB03x";

/// The right credentials.
pub(super) const RIGHT: &str = "Authorization: Basic bWFyeTphOnNlY3JldA==";

const CREDENTIALS: &[&[&str]] = &[
    &[RIGHT],
    &[],
    &["Authorization: Basic bWFyeTp3cm9uZw=="],
    &["Authorization: Basic ZXZlOmE6c2VjcmV0"],
    &["Authorization: Basic bWFyeTo="],
    &["Authorization: Basic bWFyeTphOnNlY3JldA"],
    &["Authorization: Bearer x"],
    &[RIGHT, RIGHT],
];

const FILES: &[&str] = &[
    "/a.txt",
    "/a.txt",
    "/a.txt",
    "/b%20c.txt",
    "/%C3%BC%26%3C1%3E.txt",
    "/alias",
    "/docs/one.txt",
    "/docs/two.bin",
    "/up/one.txt",
    "/in/u0",
    "/in/u1",
    "/in/new/u3",
    "/docs/deep/three",
    "/site/",
    "/docs",
    "/gone",
    "/.secret",
    "/docs/.draft",
    "/none",
    "/.sanserve-1",
    "/in/.sanserve-1",
];

const DIRECTORIES: &[&str] = &[
    "/", "/", "/docs/", "/in/", "/in/", "/up/", "/void/", "/in/new/",
];

const LISTINGS: &[&str] = &["", "", "?json", "?sort=name&order=desc", "?sort=time-asc"];

const ARCHIVES: &[&str] = &["?zip", "?tar", "?zip="];

const DOWNLOAD_FIELDS: &[&str] = &[
    "Accept: application/json",
    "Accept: text/plain",
    "Accept: text/html",
    "Accept-Encoding: gzip",
    "Range: bytes=0-0",
    "Range: bytes=3-9",
    "Range: bytes=100-",
    "Range: bytes=-7",
    "Range: bytes=0-1,5-8",
    "Range: bytes=0-1,-2,4000-4001",
    "If-None-Match: *",
    "If-None-Match: \"7-1\"",
    "If-Modified-Since: Wed, 01 Jan 2020 00:00:00 GMT",
    "If-Modified-Since: Wed, 01 Jan 2025 00:00:00 GMT",
    "If-Match: *",
    "If-Match: \"7-1\"",
    "If-Unmodified-Since: Wed, 01 Jan 2020 00:00:00 GMT",
    "If-Range: \"7-1\"",
];

const UPLOADS: &[&str] = &[
    "/in/u0",
    "/in/u0",
    "/in/u0",
    "/in/u0",
    "/in/u0",
    "/in/u1",
    "/in/u1",
    "/in/u2",
    "/in/new/u3",
    "/in/new/deep/u6",
    "/up/u4",
    "/docs/one.txt",
    "/a.txt",
];

const REFUSED: &[&str] = &[
    "/in/.hidden",
    "/in/-dash",
    "/.sanserve-9",
    "/.well-known/x",
    "/alias",
    "/docs",
    "/gone",
    "/a.txt/x",
    "/in/",
    "/cgi-bin/hello",
    "/%2e%2e/x",
];

const UPLOAD_FIELDS: &[&str] = &[
    "If-None-Match: *",
    "If-Match: *",
    "If-Match: \"7-1\"",
    "Content-Range: bytes 0-1/5",
    "Content-Encoding: gzip",
    "Origin: http://evil.example",
];

const SCRIPTS: &[&str] = &[
    "/cgi-bin/hello",
    "/cgi-bin/cat",
    "/cgi-bin/cat",
    "/cgi-bin/length",
    "/cgi-bin/status",
    "/cgi-bin/long",
    "/cgi-bin/bad",
    "/cgi-bin/silent",
    "/cgi-bin/deaf",
    "/cgi-bin/none",
];
