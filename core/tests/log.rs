//! Tests of log events, and of their lines in each format.

mod drive;
mod world;

use std::fmt::{self, Write};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use drive::{drive, no_files};
use sanserve_core::log::{LogEvent, LogRecord, combined, json, python};
use sanserve_core::{
    Cgi, Config, Exchange, Files, Guard, Handler, Next, Protocol, Upload, from_fn,
};
use world::World;

/// A function that writes log lines.
type Format = fn(&LogRecord<'_>, &mut dyn Write) -> fmt::Result;

fn logging(log_format: Format) -> Config {
    Config::default()
        .with_protocol(Protocol::Http11)
        .with_log_format(log_format)
        .with_local_offset(|_| -(3 * 3600 + 1800))
}

/// Returns the log of these requests, at the date of the world.
fn log_of(format: Format, handler: impl Handler, input: &str) -> String {
    let mut world = World::new(logging(format), handler, input.as_bytes());
    world.run();
    world.log
}

#[test] // Apache's mod_log_config: %h %l %u %t "%r" %>s %b "%{Referer}i" "%{User-agent}i"
fn a_combined_line_has_bytes_referer_and_agent() {
    let input = "GET /hello.txt?a HTTP/1.1\r\nHost: h\r\nReferer: http://a/\r\n\
                 User-Agent: a \"b\" \\c\r\n\r\n\
                 HEAD /hello.txt HTTP/1.1\r\nHost: h\r\n\r\n\
                 GET /nope HTTP/1.1\r\nHost: h\r\n\r\n";
    let log = log_of(combined, Files::new(), input);
    let lines: Vec<&str> = log.lines().collect();
    let time = "[31/Dec/2025:20:46:40 -0330]";
    let expected = [
        format!(
            "192.0.2.1 - - {time} \"GET /hello.txt?a HTTP/1.1\" 200 6 \
             \"http://a/\" \"a \\x22b\\x22 \\\\c\""
        ),
        format!("192.0.2.1 - - {time} \"HEAD /hello.txt HTTP/1.1\" 200 - \"-\" \"-\""),
    ];
    assert_eq!(lines[..2], expected);
    // An error page is content like any other.
    let page = lines[2].strip_prefix(&format!("192.0.2.1 - - {time} \"GET /nope HTTP/1.1\" 404 "));
    let (bytes, rest) = page.expect("a line").split_once(' ').expect("a number");
    assert!(bytes.parse::<u32>().expect("a number") > 300);
    assert_eq!((rest, lines.len()), ("\"-\" \"-\"", 3));
}

/// The credentials are those of RFC 7617 §2, with another name.
#[test] // Apache's mod_log_config: %u is the authenticated user, escaped as %r is
fn the_log_names_the_authenticated_user() {
    let head = |credentials: &str| format!("Host: h\r\nAuthorization: Basic {credentials}\r\n\r\n");
    // `mary:a`, `a "b":a` and `mary:b`; then none.
    let input = format!(
        "GET /hello.txt HTTP/1.1\r\n{}GET /hello.txt HTTP/1.1\r\n{}GET /hello.txt HTTP/1.1\r\n{}\
         GET /hello.txt HTTP/1.1\r\nHost: h\r\n\r\n",
        head("bWFyeTph"),
        head("YSAiYiI6YQ=="),
        head("bWFyeTpi"),
    );
    let guard = || Guard::new(Files::new(), |given| Some(given.password() == "a"));
    let log = log_of(combined, guard(), &input);
    let users = log.lines().filter(|line| !line.contains("wrong user"));
    let users: Vec<&str> = users
        .map(|line| line.strip_prefix("192.0.2.1 - ").expect("a line"))
        .map(|line| line.split_once(" [").expect("a time").0)
        .collect();
    assert_eq!(users, ["mary", "a\\x20\\x22b\\x22", "-", "-"]);
    let log = log_of(json, guard(), &input);
    let users: Vec<bool> = log
        .lines()
        .map(|line| line.contains("\"user\":\"mary\""))
        .collect();
    assert_eq!(users.iter().filter(|is| **is).count(), 1, "{log}");
    assert!(users[0], "{log}");
    // Without a guard the credentials are not verified.
    assert!(
        log_of(combined, Files::new(), &input)
            .lines()
            .all(|line| line.contains(" - - ["))
    );
}

/// Characters that end a line, or reorder the text (UAX #9, §2), and their escapes.
const UNSEEN: [(char, &str); 15] = [
    ('\u{85}', "x85"),
    ('\u{61c}', "u061c"),
    ('\u{200e}', "u200e"),
    ('\u{200f}', "u200f"),
    ('\u{2028}', "u2028"),
    ('\u{2029}', "u2029"),
    ('\u{202a}', "u202a"),
    ('\u{202b}', "u202b"),
    ('\u{202c}', "u202c"),
    ('\u{202d}', "u202d"),
    ('\u{202e}', "u202e"),
    ('\u{2066}', "u2066"),
    ('\u{2067}', "u2067"),
    ('\u{2068}', "u2068"),
    ('\u{2069}', "u2069"),
];

#[test]
fn invisible_characters_are_escaped() {
    for (char, name) in UNSEEN {
        let says = || {
            from_fn(move |ex: &mut Exchange<'_>| {
                ex.log_message(format_args!("a{char}b"));
                ex.send_error(410, "Gone")
            })
        };
        let input = "GET / HTTP/1.1\r\nHost: h\r\n\r\n";
        for format in [combined, python] {
            let log = log_of(format, says(), input);
            assert!(log.contains(&format!("a\\{name}b")), "{log}");
            assert!(!log.contains(char), "{log}");
        }
        let log = log_of(json, says(), input);
        let name = name.replace("x85", "u0085");
        assert!(log.contains(&format!("a\\{name}b")), "{log}");
        assert!(!log.contains(char), "{log}");
        // The same in the name of a user, which the log decodes itself.
        let credentials = STANDARD.encode(format!("a {char}:a"));
        let input = format!(
            "GET /hello.txt HTTP/1.1\r\nHost: h\r\nAuthorization: Basic {credentials}\r\n\r\n"
        );
        for format in [combined as Format, json] {
            let guard = Guard::new(Files::new(), |given| Some(given.password() == "a"));
            let log = log_of(format, guard, &input);
            assert!(!log.contains(char), "{log}");
        }
    }
}

/// Fields are separated by spaces.
#[test]
fn a_space_in_the_name_of_a_user_shifts_no_field() {
    let credentials = STANDARD.encode("a b c:a");
    let input =
        format!("GET /hello.txt HTTP/1.1\r\nHost: h\r\nAuthorization: Basic {credentials}\r\n\r\n");
    let guard = Guard::new(Files::new(), |given| Some(given.password() == "a"));
    let log = log_of(combined, guard, &input);
    let fields: Vec<_> = log.split(' ').collect();
    assert_eq!(fields[..3], ["192.0.2.1", "-", "a\\x20b\\x20c"]);
    assert!(fields[3].starts_with('['), "{log}");
}

#[test]
fn a_json_line_is_an_object() {
    let input = "GET /hello.txt HTTP/1.1\r\nHost: h\r\nUser-Agent: \"\\\r\n\r\n\
                 SPAM\u{1}\r\n";
    let log = log_of(json, Files::new(), input);
    let lines: Vec<&str> = log.lines().collect();
    let start = "{\"time\":\"2026-01-01T00:16:40Z\",\"client\":\"192.0.2.1\"";
    assert_eq!(
        lines[0],
        format!(
            "{start},\"request\":\"GET /hello.txt HTTP/1.1\",\"status\":200,\"bytes\":6,\
             \"seconds\":0.000000,\"user_agent\":\"\\\"\\\\\"}}"
        )
    );
    let error = format!("{start},\"request\":\"SPAM\\u0001\",\"status\":400,\"bytes\":");
    assert!(lines[1].starts_with(&error), "{}", lines[1]);
    let end = ",\"error\":\"Bad request syntax ('SPAM\\\\x01')\"}";
    assert!(lines[1].ends_with(end), "{}", lines[1]);
    assert_eq!(lines.len(), 2);
}

/// Requests that fail in every way, with the handler for each, and its log line.
fn failures() -> Vec<(&'static str, Box<dyn Handler>, &'static str)> {
    let get = "GET /nope HTTP/1.1\r\nHost: h\r\n\r\n";
    let wrong = "GET / HTTP/1.1\r\nHost: h\r\nAuthorization: Basic bWFyeTph\r\n\r\n";
    let guard = || Guard::new(Files::new(), |_| Some(false));
    let mut own_page = Files::new();
    own_page.settings_mut().not_found_page = Some("hello.txt".into());
    let too_late = from_fn(|ex: &mut Exchange<'_>| {
        ex.send_response(200);
        ex.send_header("Content-Length", 9);
        ex.end_headers();
        ex.write(b"hello");
        Next::Done
    });
    let long = "GET /nope HTTP/1.1\r\nHost: h\r\nContent-Length: 9999999\r\n\r\n";
    vec![
        (get, Box::new(Files::new()), "File not found"),
        (get, Box::new(own_page), "File not found"),
        ("GET /nope\r\n", Box::new(Files::new()), "File not found"),
        (long, Box::new(Files::new()), "File not found"),
        (
            "SPAM\r\n\r\n",
            Box::new(Files::new()),
            "Bad request syntax ('SPAM')",
        ),
        ("GET / HTTP/1.1\r\n\r\n", Box::new(Files::new()), "Host"),
        (
            "BREW / HTTP/1.0\r\n\r\n",
            Box::new(Files::new()),
            "Unsupported method ('BREW')",
        ),
        (wrong, Box::new(guard()), "wrong user or password ('mary')"),
        (get, Box::new(guard()), "Unauthorized"),
        (get, Box::new(too_late), "The handler "),
    ]
}

/// The failure is logged together with the request.
#[test]
fn a_request_that_fails_is_one_json_object() {
    for (input, handler, words) in failures() {
        let log = log_of(json, handler, input);
        assert_eq!(log.lines().count(), 1, "{input}: {log}");
        let error = log.split_once(",\"error\":\"");
        let (before, error) = error.unwrap_or_else(|| panic!("{input}: {log}"));
        assert!(error.contains(words), "{input}: {log}");
        assert!(before.contains(",\"status\":"), "{input}: {log}");
    }
}

/// A failure with an error page is shown by the status; one without has a line of its own before it.
#[test]
fn a_request_that_fails_is_one_line_in_the_combined_format() {
    for (input, handler, words) in failures() {
        let log = log_of(combined, handler, input);
        let replies = log.lines().filter(|line| line.contains("] \"")).count();
        assert_eq!(replies, 1, "{input}: {log}");
        let others: Vec<&str> = log.lines().filter(|line| !line.contains("] \"")).collect();
        assert!(others.len() <= 1, "{input}: {log}");
        assert!(
            others.iter().all(|line| line.contains(words)),
            "{input}: {log}"
        );
    }
}

/// The next reply has a message of its own, or none.
#[test]
fn a_failure_is_logged_once() {
    let nope = "GET /nope HTTP/1.1\r\nHost: h\r\n\r\n";
    let hello = nope.replace("nope", "hello.txt");
    let log = log_of(json, Files::new(), &[nope, &hello, nope].concat());
    let errors: Vec<_> = log
        .lines()
        .map(|line| line.matches("File not found").count())
        .collect();
    assert_eq!(errors, [1, 0, 1], "{log}");
}

#[test]
fn a_broken_reply_is_logged_with_its_bytes_and_time() {
    let config = logging(json);
    let mut world = World::new(
        config.clone(),
        Files::new(),
        b"GET /big HTTP/1.1\r\nHost: h\r\n\r\n",
    );
    world.stalls_after = 100_000;
    world.run();
    let head = world.text().find("\r\n\r\n").expect("a head") + 4;
    let (content, seconds) = (world.output.len() - head, config.timeouts.grace.as_secs());
    let wanted = format!("\"status\":200,\"bytes\":{content},\"seconds\":");
    let line = world.log.trim_end();
    assert!(
        line.contains(&wanted) && !line.contains('\n'),
        "{wanted} in {line}"
    );
    let (_, rest) = line.split_once("\"seconds\":").expect("it has");
    let (took, rest) = rest.split_once(',').expect("more follows");
    assert!(took.parse::<f64>().expect("a number") >= seconds as f64);
    let end = "\"complete\":false,\"error\":\"The client reads the reply too slowly\"}";
    assert_eq!(rest, end);
}

#[test]
fn chunks_are_not_counted() {
    let stream = from_fn(|ex: &mut Exchange<'_>| {
        ex.send_response(200);
        ex.end_headers();
        ex.write(b"hello");
        ex.write(b"world");
        Next::Done
    });
    let log = log_of(json, stream, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    assert!(log.contains("\"status\":200,\"bytes\":10,"), "{log}");
}

#[test]
fn a_message_is_logged_in_every_format() {
    let speak = || {
        from_fn(|ex: &mut Exchange<'_>| {
            ex.log_message("one\ttwo");
            ex.send_response(204);
            ex.end_headers();
            Next::Done
        })
    };
    let input = "GET / HTTP/1.1\r\nHost: h\r\n\r\n";
    let combined = log_of(combined, speak(), input);
    assert_eq!(
        combined.lines().next(),
        Some("192.0.2.1 - - [31/Dec/2025 20:46:40] one\\x09two")
    );
    let json = log_of(json, speak(), input);
    assert!(
        json.contains("HTTP/1.1\",\"message\":\"one\\u0009two\"}\n"),
        "{json}"
    );
    assert_eq!((combined.lines().count(), json.lines().count()), (2, 2));
}

#[test]
fn control_characters_do_not_inflate_the_log() {
    for format in [python as Format, combined, json] {
        let config = logging(format);
        let input = [&[1; 65_000][..], b"\r\n\r\n"].concat();
        let said = drive(config.clone(), Files::new(), &input, no_files);
        assert!(
            said.text
                .starts_with("HTTP/1.1 400 Bad request syntax ('\\x01")
        );
        assert!(
            said.text.len() < 20_000,
            "{} bytes of reply",
            said.text.len()
        );
        assert!(said.log.len() < 80_000, "{} bytes of log", said.log.len());
        let input = format!(
            "GET /none HTTP/1.1\r\nHost: h\r\nUser-Agent: {}\r\n\r\n",
            "\"".repeat(60_000)
        );
        let said = drive(config, Files::new(), input.as_bytes(), no_files);
        assert!(said.log.len() < 80_000, "{} bytes of log", said.log.len());
    }
}

#[test]
fn tls_on_a_plain_http_port_is_one_readable_line_in_every_format() {
    // The beginning of a ClientHello (RFC 8446 §4.1.2), whole and byte by byte, alone and after a request.
    let hello = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\x20\x0a\x0a\x7f";
    let get = b"GET /hello.txt HTTP/1.1\r\nHost: h\r\n\r\n";
    let words = "TLS on a plain HTTP port: use http://, or start the server with TLS";
    for format in [python, combined, json] {
        for before in [&b""[..], get] {
            for piece in [1, usize::MAX] {
                let input = [before, hello].concat();
                let mut world = World::new(logging(format), Files::new(), &input);
                world.piece = piece;
                world.run();
                let mut lines: Vec<&str> = world.log.lines().collect();
                let last = lines.pop().unwrap_or_default();
                assert!(last.contains(words), "{}", world.log);
                assert!(!last.contains("\\x"), "{last}");
                assert_eq!(
                    lines.len(),
                    usize::from(!before.is_empty()),
                    "{}",
                    world.log
                );
                let statuses = world.statuses();
                let status = statuses.last().map(String::as_str);
                assert_eq!(status, Some("HTTP/1.1 400 TLS on a plain HTTP port"));
            }
        }
    }
}

/// A format that writes a line for each refusal.
const REFUSALS: Format = |record, out| match record.event {
    LogEvent::Refused(refusal) => writeln!(out, "{refusal:?}: {refusal}"),
    _ => Ok(()),
};

#[test]
fn a_format_receives_the_reason_of_a_refusal() {
    let requests = ["/.env", "/a%00", "/nope", "/hello.txt"];
    let requests = requests.map(|target| format!("GET {target} HTTP/1.1\r\nHost: h\r\n\r\n"));
    let log = log_of(REFUSALS, Files::new(), &requests.concat());
    assert_eq!(
        log,
        "Hidden: a name in the path begins with a dot\nName: no file here can have that name\n"
    );
    for format in [python, combined] {
        let log = log_of(format, Files::new(), &requests.concat());
        assert!(!log.contains("begins with a dot"), "{log}");
    }
    let log = log_of(json, Files::new(), &requests.concat());
    let objects: Vec<&str> = log.lines().collect();
    let error = r#""error":"File not found; a name in the path begins with a dot""#;
    assert!(objects[0].contains(error), "{log}");
    assert_eq!(objects.len(), 4, "{log}");
}

#[test]
fn a_format_is_notified_of_a_mistake_of_the_handler_before_the_error() {
    let events: Format = |record, out| match record.event {
        LogEvent::Request { .. } | LogEvent::Reply { .. } => Ok(()),
        event => writeln!(out, "{event:?}"),
    };
    let too_short = |ex: &mut Exchange<'_>, content: &[u8]| {
        ex.send_response(200);
        ex.send_header("Content-Length", content.len() + 1);
        ex.end_headers();
        ex.write(content);
        Next::Done
    };
    let mistake = "Mistake(\"wrote less than Content-Length\")\n";
    let request = "GET / HTTP/1.1\r\nHost: h\r\n\r\n";
    let log = log_of(events, from_fn(move |ex| too_short(ex, b"hi")), request);
    let error = "Error { status: 500, message: The handler wrote less than Content-Length }\n";
    assert_eq!(log, format!("{mistake}{error}"));
    for format in [python, combined, json] {
        let log = log_of(format, from_fn(move |ex| too_short(ex, b"hi")), request);
        assert!(log.matches("wrote less").count() <= 1, "{log}");
    }
}

#[test]
fn the_reason_for_a_missing_script_is_logged() {
    for (name, line) in [
        (
            "out",
            "OutsideRoot: a symbolic link leads out of the directory\n",
        ),
        ("aux", "Name: no file here can have that name\n"),
        ("nope", ""),
    ] {
        let request = format!("GET /cgi-bin/{name} HTTP/1.1\r\nHost: h\r\n\r\n");
        assert_eq!(log_of(REFUSALS, Cgi::new("h", 80), &request), line);
    }
}

#[test]
fn the_reason_for_a_refused_upload_is_logged() {
    let put =
        |name: &str| format!("PUT /dir/{name} HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nhi");
    let post = |name: &str| {
        let content = format!(
            "--b\r\nContent-Disposition: form-data; name=\"f\"; filename=\"{name}\"\r\n\r\nhi\r\n--b--\r\n"
        );
        let len = content.len();
        format!(
            "POST /dir/ HTTP/1.1\r\nHost: h\r\nContent-Type: multipart/form-data; boundary=b\r\n\
             Content-Length: {len}\r\n\r\n{content}"
        )
    };
    let expected = [
        (
            "out",
            "OutsideRoot: a symbolic link leads out of the directory\n",
        ),
        ("aux", "Name: no file here can have that name\n"),
        (".env", "Hidden: a name in the path begins with a dot\n"),
        // The disk is full, which the reply discloses: no second line.
        ("new", ""),
    ];
    for (name, line) in expected {
        for request in [put(name), post(name)] {
            assert_eq!(log_of(REFUSALS, Upload::new(), &request), line, "{request}");
        }
    }
}

#[test]
fn the_reason_for_a_refused_directory_of_a_form_is_logged_and_not_disclosed() {
    for (name, line) in [
        (
            "out",
            "OutsideRoot: a symbolic link leads out of the directory\n",
        ),
        ("aux", "Name: no file here can have that name\n"),
        (".git", "Hidden: a name in the path begins with a dot\n"),
        ("nope", ""),
    ] {
        let request = format!(
            "POST /{name}/ HTTP/1.1\r\nHost: h\r\nContent-Length: 7\r\n\
             Content-Type: multipart/form-data; boundary=b\r\n\r\n--b--\r\n"
        );
        let mut world = World::new(logging(REFUSALS), Upload::new(), request.as_bytes());
        world.run();
        assert_eq!(world.log, line, "{name}");
        let status = "HTTP/1.1 404 File not found\r\n";
        assert!(world.text().starts_with(status), "{name}: {}", world.text());
    }
}

#[test]
fn a_refusal_is_logged_once_whatever_page_is_sent() {
    for (spa, page) in [
        (None, None),
        (Some("hello.txt"), None),
        (None, Some("hello.txt")),
        (Some("nope"), None),
        (None, Some("nope")),
        (Some("nope"), Some("hello.txt")),
        (Some("nope"), Some("nope")),
        // That these cannot be sent either is not logged.
        (Some("aux"), Some("hello.txt")),
        (Some("aux"), Some("aux")),
    ] {
        let mut files = Files::new();
        files.settings_mut().spa = spa.map(Into::into);
        files.settings_mut().not_found_page = page.map(Into::into);
        let requests = ["out", ".env"];
        let requests = requests
            .map(|name| format!("GET /{name} HTTP/1.1\r\nHost: h\r\nAccept: text/html\r\n\r\n"));
        let log = log_of(REFUSALS, files, &requests.concat());
        assert_eq!(
            log,
            "OutsideRoot: a symbolic link leads out of the directory\n\
             Hidden: a name in the path begins with a dot\n",
            "{spa:?}, {page:?}"
        );
    }
}

#[test] // local offset sign
fn log_lines_have_local_time() {
    let config = Config::default().with_local_offset(|_| 2 * 3600);
    let said = drive(config, Files::new(), b"GET /x HTTP/1.0\r\n\r\n", no_files);
    assert!(said.log.contains("[01/Jan/1970 02:00:00]"), "{}", said.log);
}
