//! Tests the options that set headers of replies.
#![cfg(unix)]

#[path = "../../tests/client/mod.rs"]
mod client;
mod process;

use std::fs;
use std::io::{Read, Write};
use std::net::SocketAddr;
use std::time::{Duration, UNIX_EPOCH};

use client::{connect, get, site};
use process::Program;

/// Returns the status of a reply and its fields, without `Server` and `Date`.
fn head(reply: &str) -> Vec<&str> {
    let (head, _) = reply.split_once("\r\n\r\n").unwrap();
    let lines = head.split("\r\n").enumerate();
    let is_tested = |line: &str| !line.starts_with("Server: ") && !line.starts_with("Date: ");
    let lines = lines.filter(|(_, line)| is_tested(line));
    lines
        .map(|(n, line)| if n == 0 { &line[9..12] } else { line })
        .collect()
}

/// Returns the status of a reply and the names of those fields.
fn names(reply: &str) -> Vec<&str> {
    let lines = head(reply).into_iter();
    lines
        .map(|line| line.split_once(':').map_or(line, |(name, _)| name))
        .collect()
}

/// Sends a request, and returns the bytes of the reply.
fn send(address: SocketAddr, request: &str) -> Vec<u8> {
    let mut socket = connect(address);
    socket.write_all(request.as_bytes()).unwrap();
    let mut reply = Vec::new();
    socket.read_to_end(&mut reply).unwrap();
    reply
}

fn ends(program: Program) {
    assert_eq!(program.stop().status.code(), Some(0));
}

#[test]
fn custom_headers_come_last_with_files_and_listings() {
    let site = site();
    let program = Program::serve(
        site.path(),
        &[
            "-p", "HTTP/1.0", "-H", "X-A", "1", "-H", "x-b: 2", "-H", "X-A:3",
        ],
    );
    let address = program.address();
    let head_of = |target| {
        let request = format!("HEAD {target} HTTP/1.0\r\n\r\n");
        String::from_utf8(send(address, &request)).unwrap()
    };
    for reply in [get(address, "/a.txt"), head_of("/a.txt")] {
        let names = names(&reply);
        assert_eq!(
            names[..6],
            [
                "200",
                "Content-type",
                "Content-Length",
                "Last-Modified",
                "ETag",
                "Accept-Ranges"
            ]
        );
        assert_eq!(head(&reply)[6..], ["X-A: 1", "x-b: 2", "X-A: 3"]);
    }
    for reply in [get(address, "/"), head_of("/")] {
        assert_eq!(
            names(&reply)[..7],
            [
                "200",
                "Content-type",
                "Content-Length",
                "ETag",
                "Vary",
                "Vary",
                "Content-Security-Policy"
            ]
        );
        assert_eq!(head(&reply)[7..], ["X-A: 1", "x-b: 2", "X-A: 3"]);
    }
    ends(program);
}

#[test]
fn custom_headers_are_sent_with_error_replies_but_not_with_redirects() {
    let site = site();
    fs::create_dir(site.path().join("below")).unwrap();
    let program = Program::serve(site.path(), &["--header", "X-A", "1"]);
    let address = program.address();
    let since = "Sat, 01 Jan 2050 00:00:00 GMT";
    let cases = [
        ("GET /below HTTP/1.0\r\n\r\n", "301"),
        (
            &format!("GET /a.txt HTTP/1.0\r\nIf-Modified-Since: {since}\r\n\r\n"),
            "304",
        ),
        ("GET /nope HTTP/1.0\r\n\r\n", "404"),
        ("BREW / HTTP/1.0\r\n\r\n", "501"),
        ("GET / FTP/1.0\r\n\r\n", "400"),
    ];
    for (request, status) in cases {
        let reply = String::from_utf8(send(address, request)).unwrap();
        assert_eq!(names(&reply)[0], status, "{reply}");
        assert_eq!(reply.contains("X-A: 1\r\n"), status >= "400", "{reply}");
    }
    ends(program);
}

/// Neither does CPython.
#[test]
fn plain_error_replies_have_no_custom_headers() {
    let site = site();
    let program = Program::serve(site.path(), &["--plain", "--header", "X-A", "1"]);
    assert!(get(program.address(), "/a.txt").contains("X-A: 1\r\n"));
    assert!(!get(program.address(), "/nope").contains("X-A"));
    ends(program);
}

/// They would describe the error page, or tell caches to store it.
#[test]
fn custom_headers_about_content_are_not_sent_with_error_replies() {
    let site = site();
    let options = [
        "Cache-Control: max-age=9",
        "CDN-Cache-Control: max-age=9",
        "Refresh: 9; url=/",
        "Content-Language: de",
        "Expires: 0",
        "Content-Security-Policy: sandbox",
        "Access-Control-Allow-Origin: https://a.example",
    ];
    let options = options.iter().flat_map(|field| ["-H", field]);
    let options: Vec<_> = options.chain(["--cors"]).collect();
    let program = Program::serve(site.path(), &options);
    assert_eq!(
        names(&get(program.address(), "/nope")),
        [
            "404",
            "Access-Control-Allow-Origin",
            "Access-Control-Expose-Headers",
            "Content-Security-Policy",
            "Connection",
            "Content-Type",
            "Content-Length",
        ]
    );
    ends(program);
}

#[test]
fn a_repeated_header_is_sent_repeatedly_with_each_reply() {
    let site = site();
    let program = Program::serve(site.path(), &["-p", "HTTP/1.1", "-H", "X-A", "1"]);
    let request = "GET /a.txt HTTP/1.1\r\nHost: a\r\n\r\n".repeat(2)
        + "GET /a.txt HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    let replies = String::from_utf8(send(program.address(), &request)).unwrap();
    assert_eq!(replies.matches("HTTP/1.1 200 OK\r\n").count(), 3);
    assert_eq!(replies.matches("X-A: 1\r\n").count(), 3);
    ends(program);
}

#[test]
fn a_header_value_is_not_taken_for_the_port() {
    let site = site();
    for field in [
        &["-H", "X-A", "b: c "][..],
        &["-H", "X-A:b: c"],
        &["-qHX-A:  b: c"],
    ] {
        for port_first in [true, false] {
            let mut command = std::process::Command::new(process::PROGRAM);
            let command = command.arg("--directory").arg(site.path());
            let command = if port_first {
                command.arg("0").args(field)
            } else {
                command.args(field).arg("0")
            };
            let program = Program::start(command);
            let reply = get(program.address(), "/a.txt");
            assert!(reply.contains("\r\nX-A: b: c\r\n"), "{field:?}: {reply}");
            ends(program);
        }
    }
}

#[test]
fn headers_are_latin_1_and_may_be_empty() {
    let site = site();
    let options = [
        "-p",
        "HTTP/1.0",
        "-H",
        "X-A",
        "\u{e4}\u{ff}",
        "-H",
        "X-B",
        "",
    ];
    let program = Program::serve(site.path(), &options);
    let reply = send(program.address(), "GET /a.txt HTTP/1.0\r\n\r\n");
    let fields = b"\r\nX-A: \xe4\xff\r\nX-B: \r\n\r\nhello\n";
    assert!(reply.ends_with(fields), "{}", reply.escape_ascii());
    ends(program);
}

#[test]
fn content_type_sets_the_type_of_unknown_files() {
    let site = site();
    fs::write(site.path().join("README"), "").unwrap();
    for (options, expected) in [
        (&[][..], "application/octet-stream"),
        (
            &["--content-type", "text/plain;charset=utf-8"],
            "text/plain;charset=utf-8",
        ),
    ] {
        let program = Program::serve(site.path(), options);
        let kind = |target| {
            let reply = get(program.address(), target);
            head(&reply)[1]
                .trim_start_matches("Content-type: ")
                .to_owned()
        };
        assert_eq!(kind("/README"), expected);
        assert!(kind("/a.txt").starts_with("text/plain"));
        assert_eq!(kind("/"), "text/html; charset=utf-8");
        ends(program);
    }
}

/// The tag has the modification time, 1,577,836,800.75 s after 1970, in hexadecimal nanoseconds, and the length.
#[test]
fn portable_tags_are_the_same_on_all_machines() {
    let site = site();
    let file = fs::File::options()
        .write(true)
        .open(site.path().join("a.txt"));
    let time = UNIX_EPOCH + Duration::new(1_577_836_800, 750_000_000);
    file.unwrap().set_modified(time).unwrap();
    let tag = |options: &[&str]| {
        let program = Program::serve(site.path(), options);
        let reply = send(program.address(), "HEAD /a.txt HTTP/1.0\r\n\r\n");
        let reply = String::from_utf8(reply).unwrap();
        let tag = reply.lines().find_map(|line| line.strip_prefix("ETag: "));
        tag.unwrap().to_owned()
    };
    let portable = "\"15e59a35e63e1780-6\"";
    assert_eq!(tag(&["--portable-tags"]), portable);
    assert_ne!(tag(&[]), portable);
}

#[test]
fn options_set_the_headers_of_files() {
    let site = site();
    fs::write(site.path().join("a.txt.gz"), "gz").unwrap();
    fs::write(site.path().join("app.html"), "app").unwrap();
    fs::write(site.path().join("404.html"), "no").unwrap();
    let options = [
        "--charset=utf-8",
        "--cache-control=no-cache",
        "--precompressed",
        "--cors",
        "--spa=/app.html",
        "--not-found=404.html",
    ];
    let program = Program::serve(site.path(), &options);
    let ask = |target: &str, fields: &str| {
        let request = format!("GET {target} HTTP/1.0\r\n{fields}\r\n");
        String::from_utf8(send(program.address(), &request)).unwrap()
    };
    let reply = ask("/a.txt", "Accept-Encoding: gzip\r\n");
    for field in [
        "Content-type: text/plain; charset=utf-8",
        "Content-Encoding: gzip",
        "Vary: Accept-Encoding",
        "Cache-Control: no-cache",
        "Access-Control-Allow-Origin: *",
    ] {
        assert!(reply.contains(&format!("\r\n{field}\r\n")), "{reply}");
    }
    assert!(reply.ends_with("\r\n\r\ngz"), "{reply}");
    let page = ask("/page", "Accept: text/html\r\n");
    assert!(page.starts_with("HTTP/1.1 200 ") && page.ends_with("\r\n\r\napp"));
    let missing = ask("/page.png", "");
    assert!(missing.starts_with("HTTP/1.1 404 ") && missing.ends_with("\r\n\r\nno"));
    ends(program);
}

#[test]
fn no_other_headers_are_sent_by_default() {
    let site = site();
    fs::write(site.path().join("a.txt.gz"), "gz").unwrap();
    let program = Program::serve(site.path(), &["-p", "HTTP/1.0"]);
    let request = "GET /a.txt HTTP/1.0\r\nAccept-Encoding: gzip\r\nOrigin: http://a\r\n\r\n";
    let reply = String::from_utf8(send(program.address(), request)).unwrap();
    let names = names(&reply);
    assert_eq!(
        names[names.len() - 2..],
        ["ETag", "Accept-Ranges"],
        "{reply}"
    );
    ends(program);
}

#[test]
fn text_is_utf_8_by_default() {
    let site = site();
    fs::write(site.path().join("a.txt.gz"), "gz").unwrap();
    for name in [
        "page.html",
        "data.xml",
        "data.json",
        "program.mjs",
        "style.css",
    ] {
        fs::write(site.path().join(name), "").unwrap();
    }
    let cases: [(&[&str], &str); 6] = [
        (&[], "; charset=utf-8"),
        (&["--precompressed"], "; charset=utf-8"),
        (&["--charset", "iso-8859-1"], "; charset=iso-8859-1"),
        (&["--charset", ""], ""),
        (&["--plain"], ""),
        (&["--plain", "--charset", "koi8-r"], "; charset=koi8-r"),
    ];
    for (options, parameter) in cases {
        let program = Program::serve(site.path(), options);
        let kind = |target: &str| {
            let request = format!("HEAD {target} HTTP/1.0\r\nAccept-Encoding: gzip\r\n\r\n");
            let reply = String::from_utf8(send(program.address(), &request)).unwrap();
            head(&reply)[1].replacen("Content-type: ", "", 1)
        };
        for (target, media_type) in [
            ("/a.txt", "text/plain"),
            ("/program.mjs", "text/javascript"),
            ("/style.css", "text/css"),
        ] {
            assert_eq!(
                kind(target),
                format!("{media_type}{parameter}"),
                "{options:?}"
            );
        }
        // HTML and XML name their own charset, and JSON has no such parameter.
        assert_eq!(kind("/page.html"), "text/html");
        assert_eq!(kind("/data.xml"), "text/xml");
        assert_eq!(kind("/data.json"), "application/json");
        ends(program);
    }
}

#[test]
fn a_file_can_be_requested_to_be_saved_except_with_plain() {
    let site = site();
    fs::write(site.path().join("saved.txt"), "hello").unwrap();
    for (option, is_sent) in [("--quiet", true), ("--plain", false)] {
        let program = Program::serve(site.path(), &[option]);
        let request = "HEAD /saved.txt?download HTTP/1.0\r\n\r\n";
        let reply = String::from_utf8(send(program.address(), request)).unwrap();
        let field = "Content-Disposition: attachment; filename=\"saved.txt\"";
        assert_eq!(head(&reply).contains(&field), is_sent, "{option}: {reply}");
        ends(program);
    }
}

#[test]
fn listings_are_compressed_by_default_and_text_on_request() {
    let site = site();
    fs::write(site.path().join("long.txt"), "line\n".repeat(1_000)).unwrap();
    let coding = |options: &[&str], target: &str| {
        let program = Program::serve(site.path(), options);
        let request = format!(
            "GET {target} HTTP/1.1\r\nHost: h\r\nAccept-Encoding: gzip\r\nConnection: close\r\n\r\n"
        );
        let reply = send(program.address(), &request);
        let end = reply
            .windows(4)
            .position(|four| four == b"\r\n\r\n")
            .unwrap();
        let (head, content) = reply.split_at(end);
        let head = str::from_utf8(head).unwrap();
        let is_compressed = head.contains("\r\nContent-Encoding: gzip\r\n");
        assert_eq!(
            content.windows(2).any(|two| two == [0x1f, 0x8b]),
            is_compressed
        );
        ends(program);
        (is_compressed, head.contains("\r\nVary: Accept-Encoding"))
    };
    for (options, listing, file) in [
        (&[][..], (true, true), (false, false)),
        (&["--compress"], (true, true), (true, true)),
        (
            &["--plain", "-p", "HTTP/1.1"],
            (false, false),
            (false, false),
        ),
    ] {
        assert_eq!(coding(options, "/"), listing, "{options:?}");
        assert_eq!(coding(options, "/long.txt"), file, "{options:?}");
    }
}
