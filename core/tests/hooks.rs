//! Tests of customisation by settings of the file service, by error pages and by handlers, including invalid replies of
//! handlers that become 500.

mod drive;
mod world;

use drive::{drive, holds, http11, no_files, reply};
use std::collections::HashMap;
use std::fmt::{self, Write};
use std::sync::Arc;
use world::World;

use sanserve_core::{Ask, ErrorPage, Exchange, Files, Got, Html, Next, Opened, from_fn};

#[test]
fn extra_fields_are_sent_unless_the_reply_has_them() {
    let mut files = Files::default();
    files.settings_mut().extra_headers = vec![
        ("X-A".into(), "1".into()),
        ("x-a".into(), "2".into()),
        ("content-TYPE".into(), "text/x".into()),
        ("Date".into(), "now".into()),
    ];
    let said = drive(
        http11(),
        files,
        b"GET / HTTP/1.1\r\nHost: h\r\n\r\n",
        holds(&[]),
    );
    assert!(said.text.contains("X-A: 1\r\nx-a: 2\r\n"), "{}", said.text);
    assert!(!said.text.contains("text/x") && !said.text.contains("now"));
}

#[test]
fn redirects_name_the_whole_path_if_that_is_set() {
    let mut files = Files::default();
    let request = b"GET /dir?a=/b HTTP/1.1\r\nHost: h\r\n\r\n";
    let directory = |_: &Ask| Got::Opened(Ok(Opened::Directory));
    let relative = drive(http11(), files.clone(), request, directory).text;
    assert!(
        relative.contains("\r\nLocation: ./dir/?a=/b\r\n"),
        "{relative}"
    );
    files.settings_mut().absolute_redirects = true;
    let absolute = drive(http11(), files, request, directory).text;
    assert!(
        absolute.contains("\r\nLocation: /dir/?a=/b\r\n"),
        "{absolute}"
    );
}

#[test]
fn a_custom_listing_replaces_the_default() {
    let mut files = Files::default();
    files.settings_mut().list_directory = Arc::new(|ex, directory| {
        let (path, count) = (directory.path().as_bytes(), directory.entries().count());
        ex.send_error(404, format_args!("{path:?} {count}"))
    });
    let names: &[&[u8]] = &[b"a", b"b"];
    let said = drive(
        http11(),
        files,
        b"GET / HTTP/1.1\r\nHost: h\r\n\r\n",
        holds(names),
    );
    assert!(
        said.text.starts_with("HTTP/1.1 404 [] 2\r\n"),
        "{}",
        said.text
    );
}

#[test]
fn functions_in_settings_may_capture_variables() {
    let (types, pages) = (HashMap::from([("txt", "text/x-own")]), Arc::new(()));
    let page = Arc::clone(&pages);
    let config = http11()
        .with_server(format!("own/{}", 1))
        .with_error_page(move |_, out| write!(out, "{}", Arc::strong_count(&page)));
    let mut files = Files::new();
    files.settings_mut().guess_type = Arc::new(move |name| {
        let extension = str::from_utf8(name).ok()?.rsplit_once('.')?.1;
        types.get(extension).map(|found| found.to_string().into())
    });
    let before = files.clone();
    files.settings_mut().cache_control = Some("no-store".to_string().into());
    let requests =
        b"GET /hello.txt HTTP/1.1\r\nHost: h\r\n\r\nGET /none HTTP/1.1\r\nHost: h\r\n\r\n";
    let mut world = World::new(config.clone(), files, requests);
    world.run();
    let text = world.text();
    assert!(text.contains("Server: own/1\r\n"), "{text}");
    assert!(text.contains("Content-type: text/x-own\r\n"), "{text}");
    assert!(text.contains("Cache-Control: no-store\r\n"), "{text}");
    assert!(text.ends_with("\r\n\r\n2"), "{text}");
    // A clone made before a change does not see it.
    let mut world = World::new(config, before, requests);
    world.run();
    assert!(!world.text().contains("Cache-Control"));
}

#[test]
fn a_handler_sees_its_request_line_and_the_time() {
    let text = reply(|ex| {
        let (line, now) = (ex.requestline(), ex.now().unix);
        ex.send_error(404, format_args!("{line} {now:?}"))
    });
    assert!(
        text.starts_with("HTTP/1.1 404 GET / HTTP/1.1 Some(0)\r\n"),
        "{text}"
    );
}

#[test]
fn a_handler_may_close_the_connection() {
    let handler = |ex: &mut Exchange<'_>| {
        ex.close_connection();
        ex.send_response(204);
        ex.end_headers();
        Next::Done
    };
    let twice = b"GET / HTTP/1.1\r\nHost: h\r\n\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n";
    let text = drive(http11(), from_fn(handler), twice, no_files).text;
    assert_eq!(text.matches("HTTP/1.1 204").count(), 1);
    assert!(text.contains("Connection: close\r\n"), "{text}");
}

#[test]
fn a_phrase_that_would_end_the_status_line_is_a_500() {
    let text = reply(|ex| {
        ex.send_response_with(200, "OK\r\nX: y");
        ex.end_headers();
        Next::Done
    });
    let wanted = "HTTP/1.1 500 The handler gave send_response() an invalid phrase";
    assert!(text.starts_with(wanted), "{text}");
}

#[test]
fn no_single_character_ends_a_field() {
    for value in ["a\rSet-Cookie: b=c", "a\nSet-Cookie: b=c", "a\0", "\u{100}"] {
        let handler = |ex: &mut Exchange<'_>| {
            ex.send_response(200);
            ex.send_header("X", value);
            ex.end_headers();
            Next::Done
        };
        let get = b"GET / HTTP/1.1\r\nHost: h\r\n\r\n";
        let text = drive(http11(), from_fn(handler), get, no_files).text;
        assert!(text.starts_with("HTTP/1.1 500 "), "{value:?}: {text}");
    }
}

#[test]
fn two_lengths_are_a_500_even_if_they_agree() {
    let text = reply(|ex| {
        ex.send_response(200);
        ex.send_header("Content-Length", 2);
        ex.send_header("content-length", 2);
        ex.end_headers();
        ex.write(b"hi");
        Next::Done
    });
    assert!(text.starts_with("HTTP/1.1 500 "), "{text}");
}

#[test] // RFC 9110 §15.2: the peer would wait for the final one
fn an_interim_reply_without_a_final_one_closes_the_connection() {
    let handler = |ex: &mut Exchange<'_>| {
        ex.send_response_only(103, "Early Hints");
        ex.end_headers();
        Next::Done
    };
    let twice = b"GET / HTTP/1.1\r\nHost: h\r\n\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n";
    let text = drive(http11(), from_fn(handler), twice, no_files).text;
    assert_eq!(text.matches("HTTP/1.1 103").count(), 1, "{text}");
}

#[test]
fn a_function_handler_is_done_after_what_it_waited_for() {
    let text = reply(|ex| {
        ex.send_response(200);
        ex.send_header("Content-Length", 2);
        ex.end_headers();
        ex.write(b"hi");
        Next::Flush
    });
    assert!(text.ends_with("\r\n\r\nhi"), "{text}");
}

/// A writer that accepts this many pieces, and then fails.
struct Takes(usize);

impl Write for Takes {
    fn write_str(&mut self, _: &str) -> fmt::Result {
        self.0 = self.0.checked_sub(1).ok_or(fmt::Error)?;
        Ok(())
    }
}

#[test]
fn pages_return_the_errors_of_their_writer() {
    let page = ErrorPage {
        status: 404,
        message: &"a<b",
        explanation: "c",
        target: "/d",
    };
    let pieces = (0..100).take_while(|&n| write!(Takes(n), "{page}").is_err());
    assert!((5..100).contains(&pieces.count()));
    for n in 0..3 {
        assert!(Html(&mut Takes(n)).write_str("a<b").is_err());
    }
}
