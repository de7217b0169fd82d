//! Tests of the example `proxy`, between a scripted client and a scripted server.

#[path = "../examples/proxy.rs"]
#[allow(dead_code, unreachable_pub, reason = "the example has a main function")]
mod proxy;

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

/// The script of one side: wait until the input ends with the first text, then send the second.
type Script = &'static [(&'static str, &'static str)];

/// Plays a script, and returns everything that was received.
fn play(mut stream: TcpStream, script: Script) -> String {
    let limit = Some(Duration::from_secs(20));
    stream.set_read_timeout(limit).expect("a time limit");
    let mut input = Vec::new();
    for (until, say) in script {
        let mut byte = [0];
        while !input.ends_with(until.as_bytes()) {
            let n = stream.read(&mut byte).expect("input within the limit");
            assert_eq!(
                n,
                1,
                "{:?} ends before {until:?}",
                input.escape_ascii().to_string()
            );
            input.push(byte[0]);
        }
        stream
            .write_all(say.as_bytes())
            .expect("the other side reads");
    }
    stream
        .shutdown(Shutdown::Write)
        .expect("an open connection");
    stream
        .read_to_end(&mut input)
        .expect("the end within the limit");
    String::from_utf8(input).expect("text")
}

/// Returns what the client and what the server received.
fn through(client: Script, server: Script) -> (String, String) {
    let listen = || TcpListener::bind("127.0.0.1:0").expect("a free port");
    let (front, back) = (listen(), listen());
    let upstream = back.local_addr().expect("an address").to_string();
    let stream = TcpStream::connect(front.local_addr().unwrap()).expect("the proxy listens");
    let (accepted, _) = front.accept().expect("a connection");
    let proxy = thread::spawn(move || {
        let served = proxy::serve(accepted, &upstream);
        // If the proxy has not connected, the server must not wait for it.
        drop((served.is_ok(), TcpStream::connect(&upstream)));
    });
    let client = thread::spawn(move || play(stream, client));
    let served = match server {
        [] => String::new(),
        script => play(back.accept().expect("a connection").0, script),
    };
    let received = client.join().expect("the client's script");
    proxy.join().expect("the proxy does not panic");
    (received, served)
}

#[test]
fn a_get_is_forwarded_without_hop_by_hop_fields() {
    let (client, server) = through(
        &[(
            "",
            "GET http://site/a?b HTTP/1.1\r\nHost: other\r\nA: 1\r\nConnection: close, X-Hop\r\nX-Hop: 1\r\n\
             Keep-Alive: 1\r\nTE: trailers\r\nUpgrade: h2c\r\nProxy-Authorization: x\r\nProxy-Connection: x\r\na: 2\r\n\r\n",
        )],
        &[(
            "\r\n\r\n",
            "HTTP/1.1 200 Fine\r\nContent-Length: 2\r\nKeep-Alive: 5\r\nSet-Cookie: a\r\nSet-Cookie: b\r\n\r\nhi",
        )],
    );
    assert_eq!(
        server,
        "GET /a?b HTTP/1.1\r\nHost: site\r\nA: 1\r\na: 2\r\nConnection: close\r\nVia: 1.1 proxy\r\n\r\n"
    );
    assert_eq!(
        client,
        "HTTP/1.1 200 Fine\r\nContent-Length: 2\r\nSet-Cookie: a\r\nSet-Cookie: b\r\nConnection: close\r\n\
         Via: 1.1 proxy\r\n\r\nhi"
    );
}

#[test]
fn a_post_in_chunks_keeps_its_trailers_but_those_that_are_forbidden() {
    let (client, server) = through(
        &[(
            "",
            "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n\
             3;x=y\r\nabc\r\n2\r\nde\r\n0\r\nDigest: 1\r\nContent-Length: 9\r\n\r\n",
        )],
        &[(
            "0\r\nDigest: 1\r\n\r\n",
            "HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nServer-Timing: t\r\n\r\n",
        )],
    );
    let content = server.split_once("\r\n\r\n").expect("a head").1;
    assert!(
        server.contains("\r\nTransfer-Encoding: chunked\r\n"),
        "{server}"
    );
    let decoded: String = content
        .lines()
        .filter(|line| "abcde".contains(line) && !line.is_empty())
        .collect();
    assert!(decoded.starts_with("abcde"), "{content}");
    assert!(
        client.ends_with("\r\n\r\n2\r\nok\r\n0\r\nServer-Timing: t\r\n\r\n"),
        "{client}"
    );
}

#[test]
fn responses_to_head_and_304_have_no_content_and_the_connection_stays() {
    for (request, response) in [
        (
            "HEAD / HTTP/1.1\r\nHost: h\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n",
        ),
        (
            "GET / HTTP/1.1\r\nHost: h\r\n\r\n",
            "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\nETag: \"a\"\r\n\r\n",
        ),
    ] {
        let client: Script = vec![("", request)].leak();
        let server: Script = vec![("\r\n\r\n", response)].leak();
        let (client, server) = through(client, server);
        assert!(server.starts_with(&request[..10]), "{server}");
        assert!(client.ends_with("\r\nVia: 1.1 proxy\r\n\r\n"), "{client}");
        assert!(client.contains("\r\nContent-Length: 5\r\n"), "{client}");
        assert!(!client.contains("Connection: close"), "{client}");
    }
}

#[test]
fn content_until_close_becomes_chunks_except_for_http_1_0() {
    let response = &[("\r\n\r\n", "HTTP/1.0 200 OK\r\nA: b\r\n\r\nhello")];
    let (client, _) = through(
        &[("", "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")],
        response,
    );
    assert!(
        client.contains("\r\nTransfer-Encoding: chunked\r\n"),
        "{client}"
    );
    assert!(client.ends_with("0\r\n\r\n"), "{client}");
    let (client, _) = through(&[("", "GET / HTTP/1.0\r\n\r\n")], response);
    assert!(!client.contains("Transfer-Encoding"), "{client}");
    assert!(
        client.ends_with("\r\nConnection: close\r\nVia: 1.1 proxy\r\n\r\nhello"),
        "{client}"
    );
}

#[test] // RFC 9110 §10.1.1
fn content_that_waits_for_100_is_sent_when_the_server_asks_for_it() {
    let expects = "PUT /f HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n";
    let client: Script = vec![
        ("", expects),
        ("HTTP/1.1 100 Continue\r\nVia: 1.1 proxy\r\n\r\n", "abc"),
    ]
    .leak();
    let (received, server) = through(
        client,
        &[
            (
                "\r\n\r\n",
                "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n",
            ),
            ("\r\n\r\nabc", "HTTP/1.1 204 No Content\r\n\r\n"),
        ],
    );
    assert!(server.contains("\r\nExpect: 100-continue\r\n"), "{server}");
    let heads: Vec<_> = received
        .split_inclusive("\r\n\r\n")
        .map(|head| &head[9..12])
        .collect();
    assert_eq!(heads, ["103", "100", "204"], "{received}");
}

#[test]
fn a_final_response_in_place_of_100_closes_the_connection() {
    let (client, server) = through(
        &[(
            "",
            "PUT /f HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n",
        )],
        &[("\r\n\r\n", "HTTP/1.1 413 No\r\nContent-Length: 0\r\n\r\n")],
    );
    assert!(server.ends_with("\r\n\r\n"), "{server}");
    assert!(client.starts_with("HTTP/1.1 413 No\r\n"), "{client}");
    assert!(client.contains("\r\nConnection: close\r\n"), "{client}");
}

#[test]
fn bad_requests_and_bad_responses_have_a_status() {
    let (client, _) = through(&[("", "GET / HTTP/1.1\r\nHost : h\r\n\r\n")], &[]);
    assert_eq!(client, "HTTP/1.1 400 \r\n\r\n");
    for response in [
        "HTTP/1.1 200 OK\nContent-Length: 0\n\n",
        "HTTP/1.1 101 Switching Protocols\r\n\r\n",
        "",
    ] {
        let server: Script = vec![("\r\n\r\n", response)].leak();
        let (client, _) = through(&[("", "GET / HTTP/1.1\r\nHost: h\r\n\r\n")], server);
        assert_eq!(client, "HTTP/1.1 502 \r\n\r\n", "{response:?}");
    }
}

#[test]
fn a_length_that_connection_names_is_forwarded() {
    let (_, server) = through(
        &[(
            "",
            "PUT /f HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nConnection: close, Content-Length, Host\r\n\r\nabc",
        )],
        &[("abc", "HTTP/1.1 204 No Content\r\n\r\n")],
    );
    assert_eq!(
        server,
        "PUT /f HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nConnection: close\r\nVia: 1.1 proxy\r\n\r\nabc"
    );
}

#[test]
fn a_server_that_sends_no_100_gets_the_content_nevertheless() {
    let (client, server) = through(
        &[(
            "",
            "PUT /f HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nExpect: 100-continue\r\nConnection: close\r\n\r\nabc",
        )],
        &[("\r\n\r\nabc", "HTTP/1.0 204 No Content\r\n\r\n")],
    );
    assert!(server.ends_with("abc"), "{server}");
    assert!(client.starts_with("HTTP/1.1 204 "), "{client}");
}

#[test]
fn a_response_with_two_lengths_is_a_502() {
    let (client, _) = through(
        &[("", "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")],
        &[(
            "\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nhi",
        )],
    );
    assert!(client.starts_with("HTTP/1.1 502 "), "{client}");
}
