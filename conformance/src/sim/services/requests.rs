//! Generates the requests for services: downloads, listings, archives, uploads, scripts and waits, with and without
//! passwords, for accepted and other hosts.

use super::hosts;
use super::settings::{Service, Settings};
use crate::sim::Random;
use crate::sim::request::Request;

/// Generates a few requests of one peer for the service of this number.
pub(in crate::sim) fn random(random: &mut Random, number: u64) -> Vec<Request> {
    let settings = Settings::of(number);
    let knows_password = random.one_in(2);
    let is_in_parts = settings.service == Service::Upload && settings.resumable;
    let chosen = match is_in_parts && !random.one_in(3) {
        true => parts(random),
        false => several(random, settings.service),
    };
    let mut requests = Vec::new();
    for mut request in chosen {
        let credentials = credentials(random, knows_password);
        let fields = credentials.iter().map(|field| field.as_bytes().into());
        request.fields.extend(fields);
        if settings.compresses && random.one_in(2) {
            request = request.field("Accept-Encoding", "gzip");
        }
        if settings.checks_host {
            set_host(random, &mut request);
        }
        requests.push(request);
    }
    requests
}

/// Generates a few requests that do not belong together, or one that is repeated.
fn several(random: &mut Random, service: Service) -> Vec<Request> {
    let repeats = random.one_in(6);
    let mut request = one(random, service);
    let mut requests = Vec::new();
    for _ in 0..random.below(4) + 1 {
        if !repeats {
            request = one(random, service);
        }
        requests.push(request.clone());
    }
    requests
}

/// Generates an upload in parts, or the continuation of one that another peer may have begun. Some offsets are wrong.
fn parts(random: &mut Random) -> Vec<Request> {
    let file = random.pick(IN_PARTS);
    let token = random.pick(&[1, 1, 1, 1, 2, 2, 3]);
    let target = format!("{file}?upload={token:032x}");
    let (mut requests, mut offset) = (Vec::new(), random.pick(&[0, 0, 3, 4, 5, 8]));
    if !random.one_in(4) {
        let content = part(random);
        offset = content.len();
        requests.push(creation(random, file, content));
    }
    for _ in 0..random.below(4) + 1 {
        let request = match random.below(16) {
            0..3 => Request::new(random.pick(&["HEAD", "HEAD", "GET"]), target.clone()),
            3..5 => Request::new(
                random.pick(&["DELETE", "DELETE", "OPTIONS"]),
                target.clone(),
            ),
            5 => random.pick(&[put, delete, listing])(random),
            _ => {
                let content = part(random);
                let at = match random.one_in(6) {
                    true => random.below(offset + 9),
                    false => offset,
                };
                offset += content.len();
                append(random, target.clone(), at, content)
            }
        };
        requests.push(request);
    }
    requests
}

/// Returns the request that creates an upload, or an ordinary one that stores a whole file.
fn creation(random: &mut Random, file: &'static str, content: Vec<u8>) -> Request {
    let method = if random.one_in(4) { "POST" } else { "PUT" };
    let complete = random.pick(&["?0", "?0", "?0", "?1", "?1", "1"]);
    let mut request = Request::new(method, file).field("Upload-Complete", complete);
    if !random.one_in(3) {
        request = request.field("Upload-Draft-Interop-Version", 8);
    }
    if random.one_in(4) {
        let more = random.pick(&[0, 0, 4, 5, 8]);
        request = request.field("Upload-Length", content.len() + more);
    }
    if random.one_in(8) {
        let field = random.pick(UPLOAD_FIELDS).as_bytes();
        request.fields.push(field.into());
    }
    finish(random, request.content(content))
}

/// Returns the request that appends to an upload.
fn append(random: &mut Random, target: String, offset: usize, content: Vec<u8>) -> Request {
    let complete = random.pick(&["?0", "?1"]);
    let kind = match random.one_in(20) {
        true => "text/plain",
        false => "application/partial-upload",
    };
    let mut request = Request::new("PATCH", target)
        .field("Upload-Complete", complete)
        .field("Upload-Offset", offset)
        .field("Content-Type", kind);
    if random.one_in(8) {
        let len = offset + content.len() + random.pick(&[0, 0, 1, 5]);
        request = request.field("Upload-Length", len);
    }
    finish(random, request.content(content))
}

/// Returns the content of a part. Many have the same length, so that a peer can guess where another one has stopped.
fn part(random: &mut Random) -> Vec<u8> {
    let len = match random.below(12) {
        0 => 0,
        1 => 100 + random.below(3000),
        _ => random.pick(&[3, 4, 5, 8]),
    };
    let key = format!("{:016x}", random.number());
    let mut content = key.repeat(len.div_ceil(key.len())).into_bytes();
    content.truncate(len);
    content
}

/// Sends the request to a host that the server accepts, or to another one. In HTTP/1.0 a host may be missing.
fn set_host(random: &mut Random, request: &mut Request) {
    let hosts = match random.one_in(3) {
        true => hosts::OTHERS,
        false => hosts::ACCEPTED,
    };
    request.fields.retain(|field| !field.starts_with(b"Host:"));
    if request.version != " HTTP/1.0" || !random.one_in(3) {
        let host = format!("Host: {}", random.pick(hosts));
        request.fields.push(host.into_bytes().into());
    }
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
        Service::Upload => &[put, put, form, listing, download, delete, new_directory],
        Service::Cgi => &[script],
        Service::Waiter | Service::Upgrader => &[wait],
    };
    let request = random.pick(kinds)(random);
    finish(random, request)
}

/// Sends some requests with HTTP/1.0, in chunks, or with an expectation.
fn finish(random: &mut Random, mut request: Request) -> Request {
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

fn delete(random: &mut Random) -> Request {
    let targets = random.pick(&[UPLOADS, UPLOADS, FILES, NEW_DIRECTORIES, DIRECTORIES]);
    let mut request = Request::new("DELETE", random.pick(targets));
    if random.one_in(4) {
        request
            .fields
            .push(random.pick(UPLOAD_FIELDS).as_bytes().into());
    }
    request
}

fn new_directory(random: &mut Random) -> Request {
    let request = Request::new("PUT", random.pick(NEW_DIRECTORIES));
    match random.one_in(12) {
        true => request.content(text(random)),
        false => request.field("Content-Length", "0"),
    }
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

const LISTINGS: &[&str] = &[
    "",
    "",
    "?json",
    "?sort=name&order=desc",
    "?sort=time-asc",
    "?sort=time&order=desc",
    "?sort=size",
    "?sort=size-desc",
];

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

/// The files that are sent in parts.
const IN_PARTS: &[&str] = &[
    "/in/u0",
    "/in/u1",
    "/in/u1",
    "/in/new/u3",
    "/up/u4",
    "/docs/one.txt",
];

const NEW_DIRECTORIES: &[&str] = &[
    "/in/made/",
    "/in/made/",
    "/in/made/deep/",
    "/in/new/",
    "/made/",
    "/up/made/",
    "/in/u0/",
    "/in/.hidden/",
    "/up/",
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
