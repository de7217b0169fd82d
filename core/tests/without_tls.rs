//! Tests of plain HTTP on an HTTPS port, as the engine answers it: with a redirect to HTTPS, or an error in
//! plain text.

mod world;

use sanserve_core::{Config, Files, Guard, Handler, Hosts, Protocol};
use world::World;

/// Returns the whole reply of a server that expects TLS, and the log.
fn answer(handler: impl Handler, request: &str) -> (String, String) {
    let config = Config::default().with_protocol(Protocol::Http11);
    let mut world = World::new(config, handler, request.as_bytes());
    world.conn.without_tls();
    world.run();
    assert!(world.has_shut_down, "this side is closed");
    (world.text(), world.log)
}

#[test]
fn plain_http_is_redirected_to_the_same_host_and_target_over_https() {
    for (request, location) in [
        ("GET / HTTP/1.1\r\nHost: h\r\n\r\n", "https://h/"),
        (
            "GET /a%20b/?c=d HTTP/1.1\r\nHost: h:8443\r\n\r\n",
            "https://h:8443/a%20b/?c=d",
        ),
        (
            "GET /a HTTP/1.1\r\nHost: [::1]:8443\r\n\r\n",
            "https://[::1]:8443/a",
        ),
        (
            "GET http://h:8443/a HTTP/1.1\r\nHost: h:8443\r\n\r\n",
            "https://h:8443/a",
        ),
        ("GET http://h:8443 HTTP/1.0\r\n\r\n", "https://h:8443/"),
        // Bytes that are invalid in a URI are encoded (RFC 3986 §2.1).
        (
            "GET /ü?ü HTTP/1.1\r\nHost: h\r\n\r\n",
            "https://h/%C3%BC?%C3%BC",
        ),
        // The host is always the one that the client sent, regardless of the path.
        (
            "GET //other/a HTTP/1.1\r\nHost: h\r\n\r\n",
            "https://h//other/a",
        ),
        (
            "GET /@other HTTP/1.1\r\nHost: h\r\n\r\n",
            "https://h/@other",
        ),
        (
            "PUT /a HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nhi",
            "https://h/a",
        ),
        (
            "DELETE /.hidden HTTP/1.1\r\nHost: h\r\n\r\n",
            "https://h/.hidden",
        ),
    ] {
        // Further requests on the connection are not answered.
        let two = format!("{request}GET / HTTP/1.1\r\nHost: h\r\n\r\n");
        let (reply, log) = answer(Files::new(), &two);
        assert!(
            reply.starts_with("HTTP/1.1 308 Permanent Redirect\r\n"),
            "{request}: {reply}"
        );
        assert!(
            reply.contains(&format!("\r\nLocation: {location}\r\n")),
            "{request}: {reply}"
        );
        assert!(reply.contains("\r\nConnection: close\r\n"), "{reply}");
        assert!(reply.contains("\r\n\r\nThis port speaks HTTPS"), "{reply}");
        assert_eq!(reply.matches("HTTP/1.1 ").count(), 1, "{reply}");
        assert!(
            log.contains("Plain HTTP on an HTTPS port: redirected to https\n"),
            "{log}"
        );
        assert!(log.contains("\" 308 -\n"), "{log}");
    }
    let (reply, _) = answer(Files::new(), "HEAD / HTTP/1.1\r\nHost: h\r\n\r\n");
    assert!(
        reply.contains("\r\nLocation: https://h/\r\n") && reply.ends_with("\r\n\r\n"),
        "{reply}"
    );
}

#[test]
fn a_request_without_a_host_gets_400_in_plain_text() {
    for request in [
        "GET / HTTP/1.0\r\n\r\n",
        "GET / HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a b\r\n\r\n",
        "GET / HTTP/1.0\r\nHost: h/p\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: h\r\nHost: other\r\n\r\n",
        "OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n",
        "CONNECT h:80 HTTP/1.1\r\nHost: h:80\r\n\r\n",
        "a b c d\r\n\r\n",
    ] {
        let (reply, _) = answer(Files::new(), request);
        assert!(reply.starts_with("HTTP/1.1 400 "), "{request}: {reply}");
        assert!(
            reply.contains("\r\nContent-Type: text/plain;charset=utf-8\r\n"),
            "{reply}"
        );
        assert!(
            reply.ends_with("This port speaks HTTPS: use https:// in place of http://.\n"),
            "{reply}"
        );
        assert!(!reply.contains("Location"), "{reply}");
    }
}

#[test]
fn an_unknown_host_is_not_redirected() {
    let hosts = || Hosts::new(Files::new(), ["files.example"]);
    let (reply, _) = answer(hosts(), "GET / HTTP/1.1\r\nHost: other.example\r\n\r\n");
    assert!(
        reply.starts_with("HTTP/1.1 421 ") && !reply.contains("Location"),
        "{reply}"
    );
    let (reply, _) = answer(
        hosts(),
        "GET / HTTP/1.1\r\nHost: files.example:8443\r\n\r\n",
    );
    assert!(
        reply.contains("\r\nLocation: https://files.example:8443/\r\n"),
        "{reply}"
    );
}

#[test]
fn no_password_is_requested_over_plain_http() {
    let guard = Guard::new(Files::new(), |_| Some(false));
    let request = "GET /a HTTP/1.1\r\nHost: h\r\nAuthorization: Basic YTpi\r\n\r\n";
    let (reply, log) = answer(Box::new(guard), request);
    assert!(reply.starts_with("HTTP/1.1 308 "), "{reply}");
    assert!(!log.contains("password"), "{log}");
}
